"""The files beside the pages: notebooks, llms.txt, feed.xml, robots.txt, the search's index.

Plain functions from what was read to the text of a file, and the days of the sitemap.
"""

import datetime
import email.utils
import hashlib
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree

import nbformat

from lineage_site.mkdocs.before_reading import Piece, Reading

# The same as the labs' first cell, which a test holds it to.
INSTALL = '''\
# Installs the package where it is missing, as on a hosted notebook; does nothing otherwise.
import importlib.util

if importlib.util.find_spec("lineage_lab") is None:
    %pip install -q "lineage-lab[docs] @ git+https://github.com/lineage-lab/lineage-lab"'''
ATOM = "http://www.w3.org/2005/Atom"
# Bold, code, and links to their words.
MARKS = re.compile(r"[*`]|\[([^\]]*)\]\([^)]*\)")


def notebook(pieces: Sequence[Piece], page: str) -> str:
    """A page as a notebook: its Markdown and its fences in their order, with the asserted outputs.

    Cell names are numbers, so that the same page gives the same file.

    Args:
        pieces: Those of the page's reading.
        page: Its address.
    """
    said = Piece(f"*This notebook is the page <{page}>, with its snippets.*")
    shown = (said, Piece(INSTALL, code=True), *pieces)
    book = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "cells": [_cell(piece, f"cell-{number}") for number, piece in enumerate(shown)],
    }
    nbformat.validate(book)
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def _cell(piece: Piece, name: str) -> dict[str, Any]:
    if not piece.code:
        return {"id": name, "cell_type": "markdown", "source": piece.text, "metadata": {}}
    hidden = {"jupyter": {"source_hidden": True, "outputs_hidden": True}}
    output = {"output_type": "stream", "name": "stdout", "text": piece.output}
    return {
        "id": name,
        "cell_type": "code",
        "metadata": hidden if piece.folded else {},
        "execution_count": None,
        "source": piece.text,
        "outputs": [output] if piece.output else [],
    }


def page_text(reading: Reading) -> str:
    """A page for llms-full.txt."""
    parts = []
    for piece in reading.pieces:
        parts.append(f"```python\n{piece.text}\n```" if piece.code else piece.text)
        if piece.output:
            parts.append(f"```text\n{piece.output}\n```")
    return "\n\n".join(parts)


def lab_text(notebook: str) -> str:
    """A lab for llms-full.txt, from the text of its file."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(notebook)["cells"]]
    return "\n\n".join(
        text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells
    )


def first_sentence(markdown: str) -> str:
    """The first sentence of the first paragraph, without marks: a lab's description.

    Raises:
        ValueError: There is none.
    """
    blocks = (block.strip() for block in re.split(r"\n\s*\n", markdown))
    paragraph = next((block for block in blocks if block and block[0] not in "#<!"), "")
    sentence = re.match(r".+?[.!?](?=\s|$)", " ".join(MARKS.sub(r"\1", paragraph).split()))
    if sentence is None:
        raise ValueError(f"no paragraph with a sentence begins here: {markdown[:60]!r}")
    return sentence[0]


def llms(
    name: str,
    description: str,
    base: str,
    sections: Mapping[str, Sequence[tuple[str, str, str]]],
) -> str:
    """The index for language models (llmstxt.org): every page of the navigation with one line.

    Args:
        name: The site's.
        description: What the site is.
        base: The site's address.
        sections: Title, address and description of each page, by section.
    """
    lines = [f"# {name}", "", f"> {description}", ""]
    for section, pages in sections.items():
        rows = [f"- [{title}]({urljoin(base, url)}): {told}" for title, url, told in pages]
        lines += [f"## {section}", "", *rows, ""]
    full = urljoin(base, "llms-full.txt")
    lines += ["## Optional", "", f"- [Everything in one file]({full}): the texts of all pages", ""]
    return "\n".join(lines)


def robots(base: str) -> str:
    """Everything may be read; the sitemap is named."""
    return f"User-agent: *\nAllow: /\nSitemap: {urljoin(base, 'sitemap.xml')}\n"


def releases(changelog: str) -> list[tuple[str, str | None, list[str]]]:
    """The changelog's versions: name, day if it has one, and what changed."""
    versions = []
    for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        day = re.search(r"\d{4}-\d{2}-\d{2}", heading)
        name = re.split(r"[ \[(–-]*\d{4}-\d{2}-\d{2}", heading)[0].strip(" []()–-")
        points = re.split(r"^- ", body, flags=re.MULTILINE)[1:]
        versions.append((name, day[0] if day else None, [" ".join(p.split()) for p in points]))
    return versions


def feed(changelog: str, name: str, description: str, base: str) -> str:
    """RSS 2.0: one item for each point of the changelog. What is not released has no day yet.

    Args:
        changelog: Text of CHANGELOG.md.
        name: The site's.
        description: What the site is.
        base: The site's address.
    """
    rss = ElementTree.Element("rss", version="2.0", attrib={"xmlns:atom": ATOM})
    channel = ElementTree.SubElement(rss, "channel")

    def add(parent: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
        ElementTree.SubElement(parent, tag, attributes).text = text

    add(channel, "title", f"Changes to {name}")
    add(channel, "link", urljoin(base, "changelog/"))
    add(channel, "description", description)
    add(channel, "language", "en")
    own = {"href": urljoin(base, "feed.xml"), "rel": "self", "type": "application/rss+xml"}
    ElementTree.SubElement(channel, "atom:link", own)
    for version, day, points in releases(changelog):
        for point in points:
            item = ElementTree.SubElement(channel, "item")
            plain = MARKS.sub(r"\1", point)
            short = plain if len(plain) < 90 else plain[:88].rpartition(" ")[0] + " …"
            add(item, "title", f"{version}: {short}")
            add(item, "link", urljoin(base, "changelog/"))
            add(item, "description", plain)
            key = hashlib.sha256(point.encode()).hexdigest()[:16]
            add(item, "guid", f"{name}:{key}", isPermaLink="false")
            if day:
                moment = datetime.datetime.fromisoformat(f"{day}T00:00:00+00:00")
                add(item, "pubDate", email.utils.format_datetime(moment))
    ElementTree.indent(rss)
    text = ElementTree.tostring(rss, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def search_files(index: str, names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The search's index in two files, by their paths in the site.

    It is the largest file of the site, and the theme asks for search/search_index.json on every
    page: that file keeps only the settings, and assets/search.js loads the whole at the first
    query. Chapters are also found by what people know them by, names for create_model and
    authors, in a field that is searched first and never shown (mkdocs.yml: `fields`).

    Args:
        index: search/search_index.json as the plugin writes it.
        names: Words by location of a page; each of these pages must be in the index.
    """
    whole = json.loads(index)
    entries = {entry["location"]: entry for entry in whole["docs"]}
    for location, words in names.items():
        entries[location]["names"] = words
    stub = {"config": whole["config"], "docs": []}
    return {
        "search/index.json": json.dumps(whole, separators=(",", ":")),
        "search/search_index.json": json.dumps(stub, separators=(",", ":")),
    }


def days_of_change(root: Path) -> dict[str, str]:
    """Path from the repository's root -> day of the newest commit that changed it, below docs/.

    MkDocs would call every page changed on the day of the build. A shallow clone and an archive
    know no days; then the sitemap says none (overrides/sitemap.xml).
    """
    git = ["git", "-C", str(root), "-c", "core.quotePath=off"]
    try:
        shallow = subprocess.run(
            [*git, "rev-parse", "--is-shallow-repository"], capture_output=True, text=True
        )
        log = subprocess.run(
            [*git, "log", "--format=%x00%cs", "--name-only", "--", "docs"],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return {}
    if shallow.stdout.strip() != "false" or log.returncode:
        return {}
    days: dict[str, str] = {}
    for commit in log.stdout.split("\0")[1:]:
        day, *paths = commit.splitlines()
        for path in filter(None, paths):
            days.setdefault(path, day)
    return days
