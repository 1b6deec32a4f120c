"""What programs read: feed.xml from the changelog, llms.txt and llms-full.txt from the pages.

A hook of mkdocs. It also gives each lab the description that a notebook cannot carry: its first
paragraph's first sentence.
"""

import datetime
import email.utils
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree

from mkdocs.exceptions import Abort
from plain import pieces, place_of

TEXTS: dict[str, str] = {}  # a page's source -> its text for llms-full.txt


def first_sentence(markdown: str) -> str:
    """The first sentence of the first paragraph, without marks."""
    paragraphs = [
        p for p in re.split(r"\n\s*\n", markdown) if p.strip() and p.strip()[0] not in "#<!"
    ]
    words = re.sub(r"[*`]|\[([^\]]*)\]\([^)]*\)", r"\1", paragraphs[0].strip())
    return re.match(r".+?[.!?](?=\s|$)", " ".join(words.split()))[0]


def on_page_content(html: str, page: Any, config: Any, files: Any, **_: Any) -> str:
    source = page.file.content_string
    if "description" not in page.meta and page.file.src_uri.endswith(".md"):
        raise Abort(f"docs/{page.file.src_uri}: its front matter needs a description")
    if page.file.src_uri.endswith(".ipynb"):
        cells = json.loads(source)["cells"]
        texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
        page.meta.setdefault("description", first_sentence(texts[0][1]))
        TEXTS[page.file.src_uri] = "\n\n".join(
            text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in texts
        )
        return html
    parts = []
    # What the API's pages are made of is in the docstrings; here stand their names alone.
    source = re.sub(
        r"^::: (\S+)\n(?:    .*\n)*", r"See the page for `\1`.\n", source, flags=re.MULTILINE
    )
    for piece in pieces(source, place_of(page, config, files)):
        parts.append(f"```python\n{piece.text}\n```" if piece.code else piece.text)
        if piece.output:
            parts.append(f"```text\n{piece.output}\n```")
    TEXTS[page.file.src_uri] = "\n\n".join(parts)
    return html


def below(section: Any) -> Iterator[Any]:
    """The pages of a section, and of the sections within it."""
    for child in section.children:
        if child.is_section:
            yield from below(child)
        elif child.is_page:
            yield child


def llms(nav: Any, config: Any) -> str:
    """The index for language models (llmstxt.org): every page of the navigation with one line."""
    base = config["site_url"] or ""
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]

    def line(page: Any) -> str:
        return f"- [{page.title}]({urljoin(base, page.url)}): {page.meta['description']}"

    lines += ["## Pages", "", *(line(item) for item in nav.items if item.is_page), ""]
    for section in (item for item in nav.items if item.is_section):
        lines += [f"## {section.title}", "", *map(line, below(section)), ""]
    full = urljoin(base, "llms-full.txt")
    lines += ["## Optional", "", f"- [Everything in one file]({full}): the texts of all pages", ""]
    return "\n".join(lines)


def releases(changelog: str) -> list[tuple[str, str | None, list[str]]]:
    """The changelog's versions: name, day if it has one, and what changed."""
    found = []
    for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        day = re.search(r"\d{4}-\d{2}-\d{2}", heading)
        name = re.split(r"[ \[(–-]*\d{4}-\d{2}-\d{2}", heading)[0].strip(" []()–-")
        points = re.split(r"^- ", body, flags=re.MULTILINE)[1:]
        found.append((name, day[0] if day else None, [" ".join(p.split()) for p in points]))
    return found


def feed(changelog: str, config: Any) -> str:
    """RSS 2.0: one item for each point of the changelog. What is not released has no day yet."""
    base = config["site_url"] or ""
    rss = ElementTree.Element("rss", version="2.0", attrib={"xmlns:atom": ATOM})
    channel = ElementTree.SubElement(rss, "channel")

    def add(parent: ElementTree.Element, name: str, text: str, **attributes: str) -> None:
        ElementTree.SubElement(parent, name, attributes).text = text

    add(channel, "title", f"Changes to {config['site_name']}")
    add(channel, "link", urljoin(base, "changelog/"))
    add(channel, "description", config["site_description"])
    add(channel, "language", "en")
    own = {"href": urljoin(base, "feed.xml"), "rel": "self", "type": "application/rss+xml"}
    ElementTree.SubElement(channel, "atom:link", own)
    for name, day, points in releases(changelog):
        for point in points:
            item = ElementTree.SubElement(channel, "item")
            plain = re.sub(r"[*`]|\[([^\]]*)\]\([^)]*\)", r"\1", point)
            short = plain if len(plain) < 90 else plain[:88].rpartition(" ")[0] + " …"
            add(item, "title", f"{name}: {short}")
            add(item, "link", urljoin(base, "changelog/"))
            add(item, "description", plain)
            key = hashlib.sha256(point.encode()).hexdigest()[:16]
            add(item, "guid", f"{config['site_name']}:{key}", isPermaLink="false")
            if day:
                moment = datetime.datetime.fromisoformat(f"{day}T00:00:00+00:00")
                add(item, "pubDate", email.utils.format_datetime(moment))
    ElementTree.indent(rss)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        rss, encoding="unicode"
    )


ATOM = "http://www.w3.org/2005/Atom"
NAV: dict[str, Any] = {}


def on_nav(nav: Any, **_: Any) -> None:
    NAV["nav"] = nav


def on_post_build(config: Any) -> None:
    site, nav = Path(config["site_dir"]), NAV["nav"]
    if any("description" not in page.meta for page in nav.pages):
        return  # a preview that rendered some pages only: the whole is as it was
    root = Path(config["config_file_path"]).parent
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    base = config["site_url"] or ""
    texts = [
        f"<!-- {urljoin(base, page.url)} -->\n\n{TEXTS[page.file.src_uri]}" for page in nav.pages
    ]
    files = {
        "feed.xml": feed(changelog, config) + "\n",
        "llms.txt": llms(nav, config),
        "llms-full.txt": "\n\n".join(texts) + "\n",
        "robots.txt": f"User-agent: *\nAllow: /\nSitemap: {urljoin(base, 'sitemap.xml')}\n",
    }
    for name, text in files.items():
        (site / name).write_text(text, encoding="utf-8")
