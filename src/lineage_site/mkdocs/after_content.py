"""Sets an executed notebook as a chapter is set: same code blocks, same outputs, pictures as files.

What mkdocs-jupyter makes of a notebook brings 600 KB of styles and scripts with it, some of them
from another origin. Here only the cells are kept. A picture's text alternative comes from
docs/labs/alternatives.json, one for each picture of a lab, in their order. A hook of mkdocs.
"""

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

import bs4
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from PIL import Image


def picture(source: str) -> tuple[bytes, tuple[int, int]]:
    """A PNG as the smaller of a lossless and a lossy WebP, with its size."""
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as image:
        image = image.convert("RGB")
        tries = []
        for options in ({"lossless": True}, {"quality": 82}):
            buffer = io.BytesIO()
            image.save(buffer, "webp", method=4, **options)
            tries.append(buffer.getvalue())
        return min(tries, key=len), image.size


class Lab:
    """One lab's page while it is set."""

    def __init__(self, page: Page, files: Files, config: MkDocsConfig) -> None:
        self.page, self.files, self.config = page, files, config
        self.name = Path(page.file.src_uri).stem
        path = Path(config.docs_dir, "labs/alternatives.json")
        self.alternatives = json.loads(path.read_text(encoding="utf-8")).get(self.name, [])
        self.pictures = 0

    def prose(self, cell: bs4.Tag) -> str:
        for link in cell.select("a.anchor-link"):
            link["class"], link["title"] = "headerlink", "Link to this section"
        return cell.decode_contents()

    def code(self, cell: bs4.Tag) -> str:
        prompt = cell.select_one(".jp-InputPrompt")
        source = cell.select_one(".highlight-ipynb pre")
        if prompt is None or source is None:
            raise PluginError(f"{self.page.file.src_uri}: a code cell that is not known")
        executed = html.escape(prompt.get_text(strip=True).rstrip(":"), quote=True)
        return (
            f'<div class="language-python highlight" data-prompt="{executed}">'
            f"<pre><code>{source.decode_contents().rstrip()}</code></pre></div>"
        )

    def output(self, output: bs4.Tag) -> str:
        image = output.find("img")
        if isinstance(image, bs4.Tag):
            return self.image(str(image["src"]))
        text = output.find("pre")
        if not isinstance(text, bs4.Tag) or output.get("data-mime-type") != "text/plain":
            raise PluginError(f"{self.page.file.src_uri}: an output that is neither text nor image")
        return (
            '<div class="output highlight"><pre><code>'
            f"{text.decode_contents().rstrip()}</code></pre></div>"
        )

    def image(self, source: str) -> str:
        if self.pictures >= len(self.alternatives):
            raise PluginError(
                f"{self.page.file.src_uri}: picture {self.pictures + 1} has no text alternative "
                "in docs/labs/alternatives.json"
            )
        said = html.escape(self.alternatives[self.pictures], quote=True)
        self.pictures += 1
        content, (width, height) = picture(source)
        name = f"{self.name}-{self.pictures}.webp"
        file = File.generated(self.config, f"labs/{self.name}/{name}", content=content)
        self.files.append(file)
        return (
            f'<figure class="ll-picture"><img src="{name}" alt="{said}" '
            f'width="{width}" height="{height}" loading="lazy"></figure>'
        )


def on_page_content(text: str, /, page: Page, config: MkDocsConfig, files: Files) -> str:
    if "jp-Notebook" not in text:
        return text
    lab = Lab(page, files, config)
    parts: list[str] = []
    soup: Any = bs4.BeautifulSoup(text, "html.parser")
    for cell in soup.select(".jp-MarkdownOutput, .jp-InputArea:has(.jp-InputPrompt), "
                            ".jp-OutputArea-output"):  # fmt: skip
        if "jp-MarkdownOutput" in cell["class"]:
            parts.append(lab.prose(cell))
        elif "jp-OutputArea-output" in cell["class"]:
            parts.append(lab.output(cell))
        elif cell.select_one(".highlight-ipynb"):
            parts.append(lab.code(cell))
    if lab.pictures not in (0, len(lab.alternatives)):
        raise PluginError(f"{page.file.src_uri}: more text alternatives than pictures")
    return "\n".join(parts)
