"""The HTML of a page's text: labs set as chapters are, formulas, marks of what there is to do.

HTML in, HTML out, before the theme's template is around it.
"""

import base64
import html
import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import bs4
import quickjs
from PIL import Image

from lineage_site.mkdocs.before_reading import Reading

FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL
)  # what pymdownx.arithmatex writes
# The list is joined since QuickJS hands out no string that is still in pieces.
SET = "(source, display) => [katex.renderToString(source, { displayMode: display })].join('')"
SNIPPET = re.compile(r'<div (?=class="(?![^"]*\boutput\b)[^"]*\blanguage-[^"]*\bhighlight\b)')
QUESTION = re.compile(r'<section (?=class="ll-question")')
EXERCISE = re.compile(r"<p(?=><strong>\d+\. )")
SMALL_LINE = '<div class="ll-meta">'
PARTIAL = re.compile(r"<!-- partial:([a-z]+) -->")
CELLS = ".jp-MarkdownOutput, .jp-InputArea:has(.jp-InputPrompt), .jp-OutputArea-output"


class ContentError(ValueError):
    """HTML that is not as the rules here know it; the message says what and on which page."""


def has_formulas(text: str) -> bool:
    """Whether there is a formula to set, as pymdownx.arithmatex writes it."""
    return 'class="arithmatex"' in text


def with_formulas(text: str, script: Path) -> str:
    """The text with its formulas set, so that a page needs no script for them.

    KaTeX is a script; here it runs in QuickJS. What it makes holds MathML for screen readers beside
    the letters that are seen. A wrong formula raises.

    Args:
        text: HTML of pymdownx.arithmatex.
        script: KaTeX.
    """

    def formula(match: re.Match[str]) -> str:
        tag, opening, source = match.groups()
        _, render = _katex(script)
        return f'<{tag} class="arithmatex">{render(html.unescape(source), opening == "[")}</{tag}>'

    return FORMULA.sub(formula, text)


@cache
def _katex(script: Path) -> tuple[Any, Any]:
    """QuickJS with KaTeX in it, and its function; read once a process."""
    context = quickjs.Context()
    context.eval(script.read_text(encoding="utf-8"))
    return context, context.eval(SET)


def with_marks(text: str, name: str, reading: Reading) -> str:
    """The text with its snippets, questions, exercises and its end marked for assets/progress.js.

    Args:
        text: The page.
        name: Its name in the facts, such as `chapters/resnet`.
        reading: What was read in its Markdown.

    Raises:
        ContentError: The text shows another number of items than were read.
    """
    text, snippets = _numbered(SNIPPET, text, name)
    text, questions = _numbered(QUESTION, text, name)
    before, heading, after = text.partition('<h2 id="exercises"')
    after, exercises = _numbered(EXERCISE, after, name)
    shown = (snippets, questions, exercises)
    counted = (reading.snippets, reading.questions, reading.exercises)
    if shown != counted:
        raise ContentError(
            f"{name}: snippets, questions and exercises are {shown} in the page that is shown and "
            f"{counted} in its Markdown: see before_reading.py and after_content.py"
        )
    end = f'<div class="ll-end" data-ll-read="{name}" data-minutes="{reading.minutes}"></div>\n'
    main, footnotes, notes = f"{before}{heading}{after}".partition('<div class="footnote">')
    return f"{main}{end}{footnotes}{notes}"


def _numbered(pattern: re.Pattern[str], text: str, name: str) -> tuple[str, int]:
    """The text whose matches carry the page's name and their number; how many there are."""
    parts = pattern.split(text)
    tags = pattern.findall(text)
    marked = [parts[0]]
    for number, (tag, part) in enumerate(zip(tags, parts[1:], strict=True), 1):
        blank = " " if tag.endswith(" ") else ""
        marked += [f'{tag.rstrip()} data-ll-mark="{name}/{number}"{blank}', part]
    return "".join(marked), len(tags)


def with_partials(text: str, render: Callable[[str], str]) -> str:
    """The text with its parts that are templates: `<!-- partial:keys -->` is partials/keys.html."""
    return PARTIAL.sub(lambda mark: render(mark[1]), text)


def with_run_box(text: str, box: str, *, lab: bool) -> str:
    """The text with the box that says how to run it: after its small line, or first in a lab."""
    end = 0 if lab else text.index("</div>", text.index(SMALL_LINE)) + len("</div>")
    return text[:end] + box + text[end:]


def has_small_line(text: str) -> bool:
    """Whether the page has the small line of a chapter, under which the box stands."""
    return SMALL_LINE in text


def as_chapter(text: str, name: str, alternatives: Sequence[str]) -> tuple[str, dict[str, bytes]]:
    """An executed notebook set as a chapter: same code blocks, same outputs, pictures as files.

    What mkdocs-jupyter makes of a notebook brings 600 KB of styles and scripts with it, some of
    them from another origin. Of all that, the cells stay.

    Args:
        text: HTML of mkdocs-jupyter.
        name: The lab's name, such as `resnet`.
        alternatives: Text of each picture, in their order (docs/labs/alternatives.json).

    Returns:
        The HTML, and the pictures by their names.

    Raises:
        ContentError: A cell or an output that is not known, or another number of pictures than of
            texts.
    """
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    soup: Any = bs4.BeautifulSoup(text, "html.parser")
    for cell in soup.select(CELLS):
        if "jp-MarkdownOutput" in cell["class"]:
            for link in cell.select("a.anchor-link"):
                link["class"], link["title"] = "headerlink", "Link to this section"
            parts.append(cell.decode_contents())
        elif "jp-OutputArea-output" in cell["class"]:
            image = cell.find("img")
            if image is None:
                parts.append(_output(cell, name))
                continue
            if len(pictures) >= len(alternatives):
                raise ContentError(
                    f"labs/{name}: picture {len(pictures) + 1} has no text alternative "
                    "in docs/labs/alternatives.json"
                )
            file = f"{name}-{len(pictures) + 1}.webp"
            said = html.escape(alternatives[len(pictures)], quote=True)
            pictures[file], (width, height) = picture(image["src"])
            parts.append(
                f'<figure class="ll-picture"><img src="{file}" alt="{said}" '
                f'width="{width}" height="{height}" loading="lazy"></figure>'
            )
        elif cell.select_one(".highlight-ipynb"):
            parts.append(_code(cell, name))
    if len(pictures) not in (0, len(alternatives)):
        raise ContentError(f"labs/{name}: more text alternatives than pictures")
    return "\n".join(parts), pictures


def _code(cell: bs4.Tag, name: str) -> str:
    prompt = cell.select_one(".jp-InputPrompt")
    source = cell.select_one(".highlight-ipynb pre")
    if prompt is None or source is None:
        raise ContentError(f"labs/{name}: a code cell that is not known")
    executed = html.escape(prompt.get_text(strip=True).rstrip(":"), quote=True)
    return (
        f'<div class="language-python highlight" data-prompt="{executed}">'
        f"<pre><code>{source.decode_contents().rstrip()}</code></pre></div>"
    )


def _output(output: bs4.Tag, name: str) -> str:
    text = output.find("pre")
    if not isinstance(text, bs4.Tag) or output.get("data-mime-type") != "text/plain":
        raise ContentError(f"labs/{name}: an output that is neither text nor image")
    return (
        '<div class="output highlight"><pre><code>'
        f"{text.decode_contents().rstrip()}</code></pre></div>"
    )


def picture(source: str) -> tuple[bytes, tuple[int, int]]:
    """A PNG as the smaller of a lossless and a lossy WebP, with its size in pixels.

    Args:
        source: The PNG as a data URL.
    """
    with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as file:
        image = file.convert("RGB")
    tries = []
    for options in ({"lossless": True}, {"quality": 82}):
        buffer = io.BytesIO()
        image.save(buffer, "webp", method=4, **options)
        tries.append(buffer.getvalue())
    return min(tries, key=len), image.size
