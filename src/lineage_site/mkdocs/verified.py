"""Shows docs/verified.json on the site: a line at the top of a chapter, the table of "What is
verified".

A hook of mkdocs. It replaces `<!-- verified:line -->` and `<!-- verified:table -->`. The data come
from the test run (tests/docs/harness/verified.py); what was not run is said not to be. Standard
library only.
"""

import html
import json
import pathlib
from typing import Any

# The columns' widths are those of the style, so that no row that arrives late moves another.
HEAD = (
    "",
    '<div class="ll-fixed ll-runs" markdown>',
    "",
    "| page | fences | run | outputs | numbers | seconds | on |",
    "|---|--:|--:|--:|--:|--:|---|",
)
END = ("", "</div>", "")
LINE, TABLE = "<!-- verified:line -->", "<!-- verified:table -->"


def load(docs: pathlib.Path) -> dict[str, Any]:
    file = docs / "verified.json"
    return json.loads(file.read_text(encoding="utf-8"))["pages"] if file.is_file() else {}


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def line(entry: dict[str, Any] | None) -> str:
    """The small line of a chapter."""
    if entry is None:
        text = "Not verified: this page's snippets have not been run by the tests yet"
    elif "cells" in entry:
        cells = plural(entry["cells"], "cell")
        text = f"Executed with torch {entry['torch']} on {entry['date']}: {cells}"
    else:
        text = (
            f"Verified with torch {entry['torch']} on {entry['date']}: "
            f"{plural(entry['run'], 'snippet')}, {plural(entry['outputs'], 'output')} asserted"
        )
    kind = "ll-verified" if entry else "ll-verified ll-unverified"
    return f'<p class="{kind}">{html.escape(text)}</p>'


def title(name: str) -> str:
    """A page's name, with a link where it is a page of the site."""
    path = name.removeprefix("docs/")
    return name if path == name else f"[{path}]({path})"


def table(pages: dict[str, Any]) -> str:
    """The table of all pages, then the skips with their reasons."""
    if not pages:
        return "Nothing yet: no test run was recorded."
    tables: dict[str, list[str]] = {}
    skips = []
    for name, entry in pages.items():
        if "cells" in entry:
            counts = [entry["cells"], entry["cells"], "–", "–", "–"]
        else:
            counts = [entry[key] for key in ("fences", "run", "outputs", "numbers", "seconds")]
            skips += [f"- {name}, line {skip['line']}: {skip['reason']}" for skip in entry["skips"]]
        cells = [title(name), *map(str, counts), entry["date"]]
        versions = f"torch {entry['torch']}, Python {entry['python']}, {entry['platform']}"
        tables.setdefault(versions, []).append(f"| {' | '.join(cells)} |")
    told = [
        part
        for versions, rows in tables.items()
        for part in (f"With {versions}:", *HEAD, *rows, *END)
    ]
    told += skips or ["No fence of the site is skipped."]
    return "\n".join([*told, "", "The same data as a file: [verified.json](verified.json)."])


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Puts the data in place of the markers."""
    if LINE not in markdown and TABLE not in markdown:
        return markdown
    docs = pathlib.Path(config["docs_dir"])
    pages = load(docs)
    markdown = markdown.replace(LINE, line(pages.get(f"docs/{page.file.src_uri}")))
    return markdown.replace(TABLE, table(pages))
