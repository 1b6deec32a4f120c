"""What a page's Markdown leaves open, filled in: its time, what was verified, what there is to do.

A page writes `<!-- reading:time -->`, `<!-- verified:line -->`, `<!-- verified:table -->` or
`<!-- progress:pages -->`; nobody types a count. The rules of the progress (points, levels,
achievements) are docs/assets/progress.json; the site's copy of that file has the pages' counts
too. Standard library only.
"""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lineage_site.mkdocs.before_reading import Reading

TIME = "<!-- reading:time -->"
LINE, TABLE = "<!-- verified:line -->", "<!-- verified:table -->"
PROGRESS = "<!-- progress:"
# The columns' widths are those of the style, so that no row that arrives late moves another.
HEAD = (
    "",
    '<div class="ll-fixed ll-runs" markdown>',
    "",
    "| page | fences | run | outputs | numbers | seconds | on |",
    "|---|--:|--:|--:|--:|--:|---|",
)
END = ("", "</div>", "")
ITEMS = {"snippets": "Snippets", "questions": "Questions", "exercises": "Exercises"}
EARNS = {
    "read": "a page read to its end",
    "copied": "a snippet copied",
    "first": "a question answered right at the first try",
    "right": "a question answered right later",
    "done": "an exercise done",
}


def with_time(markdown: str, minutes: int) -> str:
    """The page with the time that it takes to read."""
    return markdown.replace(TIME, f"About {minutes} minute{'s' * (minutes > 1)} to read")


def with_verified(markdown: str, page: str, file: Path) -> str:
    """The page with what the tests ran of it, or of all pages.

    Args:
        markdown: The page.
        page: Its path, such as `docs/chapters/resnet.md`.
        file: docs/verified.json, which the test run writes (tests/docs/harness/verified.py); what
            was not run is said not to be.
    """
    if LINE not in markdown and TABLE not in markdown:
        return markdown
    pages = json.loads(file.read_text(encoding="utf-8"))["pages"] if file.is_file() else {}
    return markdown.replace(LINE, verified_line(pages.get(page))).replace(
        TABLE, verified_table(pages)
    )


def verified_line(entry: Mapping[str, Any] | None) -> str:
    """The small line of a chapter."""
    if entry is None:
        text = "Not verified: this page's snippets have not been run by the tests yet"
    elif "cells" in entry:
        cells = _plural(entry["cells"], "cell")
        text = f"Executed with torch {entry['torch']} on {entry['date']}: {cells}"
    else:
        text = (
            f"Verified with torch {entry['torch']} on {entry['date']}: "
            f"{_plural(entry['run'], 'snippet')}, {_plural(entry['outputs'], 'output')} asserted"
        )
    kind = "ll-verified" if entry else "ll-verified ll-unverified"
    return f'<p class="{kind}">{html.escape(text)}</p>'


def verified_table(pages: Mapping[str, Mapping[str, Any]]) -> str:
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
        path = name.removeprefix("docs/")
        link = name if path == name else f"[{path}]({path})"
        cells = [link, *map(str, counts), entry["date"]]
        versions = f"torch {entry['torch']}, Python {entry['python']}, {entry['platform']}"
        tables.setdefault(versions, []).append(f"| {' | '.join(cells)} |")
    lines = []
    for versions, rows in tables.items():
        lines += [f"With {versions}:", *HEAD, *rows, *END]
    lines += skips or ["No fence of the site is skipped."]
    return "\n".join([*lines, "", "The same data as a file: [verified.json](verified.json)."])


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def progress_rules(docs: Path) -> dict[str, Any]:
    """The rules as they are typed."""
    rules: dict[str, Any] = json.loads((docs / "assets/progress.json").read_text(encoding="utf-8"))
    return rules


def progress_counts(name: str, rules: Mapping[str, Any]) -> bool:
    """Whether a page, such as `chapters/resnet`, has something to do that earns points."""
    return name.startswith("chapters/") or name in rules["beside"]


def progress(rules: Mapping[str, Any], pages: Sequence[tuple[str, str, Reading]]) -> dict[str, Any]:
    """The rules with what there is on each page, chapters first.

    Args:
        rules: Those of `progress_rules`.
        pages: Name, title and reading of each page that counts, in the order of the navigation.
    """
    chapters_first = sorted(pages, key=lambda page: not page[0].startswith("chapters/"))
    return {
        **rules,
        "pages": {
            name: {
                "title": html.unescape(title),
                "chapter": name.startswith("chapters/"),
                "snippets": reading.snippets,
                "questions": reading.questions,
                "exercises": reading.exercises,
            }
            for name, title, reading in chapters_first
        },
    }


def with_progress(markdown: str, facts: Mapping[str, Any]) -> str:
    """The page "Your progress" with its tables; assets/progress.js adds what is done."""
    parts = {
        "pages": _pages(facts["pages"]),
        "achievements": _achievements(facts["achievements"]),
        "points": _points(facts["points"]),
        "levels": _levels(facts["levels"]),
        "most": f"{_most(facts):,}",
    }
    for name, part in parts.items():
        markdown = markdown.replace(f"{PROGRESS}{name} -->", part)
    return markdown


def _pages(pages: Mapping[str, Mapping[str, Any]]) -> str:
    heads = "".join(f"<th>{head}</th>" for head in ITEMS.values())
    lines = [f"<table><thead><tr><th>Page</th>{heads}</tr></thead><tbody>"]
    for name, page in pages.items():
        cells = "".join(f'<td data-kind="{kind}">{page[kind] or "–"}</td>' for kind in ITEMS)
        link = f'<a href="../{name}/">{html.escape(page["title"])}</a>'
        lines.append(
            f'<tr data-page="{name}"><td>{link}<div class="ll-bar"></div></td>{cells}</tr>'
        )
    totals = {kind: sum(page[kind] for page in pages.values()) for kind in ITEMS}
    cells = "".join(f'<td data-kind="{kind}">{totals[kind]}</td>' for kind in ITEMS)
    lines.append(f"<tr data-page><td>All {len(pages)} pages</td>{cells}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def _achievements(achievements: Sequence[Mapping[str, Any]]) -> str:
    lines = ['<ul class="ll-achievements">']
    for one in achievements:
        how = one["how"].format(count=one["count"])
        lines.append(
            f"<li><strong>{html.escape(one['name'])}</strong> <span>{html.escape(how)}</span></li>"
        )
    return "\n".join([*lines, "</ul>"])


def _points(points: Mapping[str, int]) -> str:
    rows = (f"<tr><td>{EARNS[kind]}</td><td>{xp}</td></tr>" for kind, xp in points.items())
    head = "<table><thead><tr><th>For</th><th>XP</th></tr></thead><tbody>"
    return "\n".join([head, *rows, "</tbody></table>"])


def _levels(levels: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        f"<tr data-level><td>{number}</td><td>{html.escape(level['name'])}</td>"
        f"<td>{level['xp']:,}</td></tr>"
        for number, level in enumerate(levels)
    )
    head = "<table><thead><tr><th>Level</th><th>Name</th><th>From XP</th></tr></thead><tbody>"
    return "\n".join([head, *rows, "</tbody></table>"])


def _most(facts: Mapping[str, Any]) -> int:
    """The XP of somebody who did all there is."""
    points, pages = facts["points"], facts["pages"].values()
    each = {"snippets": "copied", "questions": "first", "exercises": "done"}
    items = sum(page[kind] * points[fact] for page in pages for kind, fact in each.items())
    return int(items + points["read"] * len(pages))
