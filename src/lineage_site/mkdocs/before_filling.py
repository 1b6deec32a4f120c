"""Finds what a reader can do on each page, for docs/assets/progress.js, and tells it on the page
"Your progress".

A hook of mkdocs. In a page's HTML it marks the snippets, questions and exercises with
`data-ll-mark`, and the page's end with `data-ll-read`; it counts them, so that nobody types a
count. The rules (points, levels, achievements) are docs/assets/progress.json; the site's copy of
that file has the pages' counts too. Standard library only.
"""

import json
import pathlib
import re
from html import escape, unescape
from typing import Any

RULES = pathlib.Path("assets", "progress.json")
ITEMS = {"snippets": "Snippets", "questions": "Questions", "exercises": "Exercises"}
EARNS = {
    "read": "a page read to its end",
    "copied": "a snippet copied",
    "first": "a question answered right at the first try",
    "right": "a question answered right later",
    "done": "an exercise done",
}
SNIPPET = re.compile(r'<div (?=class="(?![^"]*\boutput\b)[^"]*\blanguage-[^"]*\bhighlight\b)')
QUESTION = re.compile(r'<section (?=class="ll-question")')
EXERCISE = re.compile(r"<p(?=><strong>\d+\. )")

_pages: dict[str, dict[str, Any]] = {}
_order: list[str] = []


def address(page: Any) -> str:
    """A page's name in the facts: its address in the site, such as `chapters/resnet`."""
    return str(page.url).strip("/")


def rules(docs: pathlib.Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((docs / RULES).read_text(encoding="utf-8"))
    return found


def marked(html: str, page: str) -> tuple[str, dict[str, int]]:
    """A page's HTML with its items marked, and how many of each kind there are."""
    counts = dict.fromkeys(ITEMS, 0)

    def mark(pattern: re.Pattern[str], text: str, kind: str) -> str:
        def numbered(match: re.Match[str]) -> str:
            counts[kind] += 1
            tag = match.group(0).rstrip()
            space = " " if match.group(0).endswith(" ") else ""
            return f'{tag} data-ll-mark="{page}/{counts[kind]}"{space}'

        return pattern.sub(numbered, text)

    html = mark(SNIPPET, html, "snippets")
    html = mark(QUESTION, html, "questions")
    before, heading, after = html.partition('<h2 id="exercises"')
    return before + heading + mark(EXERCISE, after, "exercises"), counts


def on_nav(nav: Any, **_: Any) -> None:
    # What was counted stays: a build of some pages only, as while writing, renders no others.
    _order[:] = [address(page) for page in nav.pages]


def on_page_content(html: str, page: Any, config: Any, **_: Any) -> str:
    name = address(page)
    chapter = name.startswith("chapters/")
    if not chapter and name not in rules(pathlib.Path(config["docs_dir"]))["beside"]:
        return html
    html, counts = marked(html, name)
    time = re.search(r"About (\d+) minutes? to read", html)
    minutes = int(time[1]) if time else 1
    _pages[name] = {"title": unescape(page.title), "chapter": chapter, **counts}
    end = f'<div class="ll-end" data-ll-read="{name}" data-minutes="{minutes}"></div>\n'
    text, footnotes, notes = html.partition('<div class="footnote">')
    return f"{text}{end}{footnotes}{notes}"


def data(docs: pathlib.Path) -> dict[str, Any]:
    """The rules with the pages, chapters first, each in the order of the navigation."""
    found = sorted(
        _pages.keys() & set(_order),
        key=lambda name: (not _pages[name]["chapter"], _order.index(name)),
    )
    return {**rules(docs), "pages": {name: _pages[name] for name in found}}


def pages_table(told: dict[str, Any]) -> str:
    """What there is on each page; the script adds what is done."""
    heads = "".join(f"<th>{head}</th>" for head in ITEMS.values())
    lines = [f"<table><thead><tr><th>Page</th>{heads}</tr></thead><tbody>"]
    for name, page in told["pages"].items():
        cells = "".join(
            f'<td data-kind="{kind}">{page[kind] or "–"}</td>' for kind in ITEMS
        )  # fmt: skip
        link = f'<a href="../{name}/">{escape(page["title"])}</a>'
        lines.append(
            f'<tr data-page="{name}"><td>{link}<div class="ll-bar"></div></td>{cells}</tr>'
        )
    totals = {kind: sum(page[kind] for page in told["pages"].values()) for kind in ITEMS}
    cells = "".join(f'<td data-kind="{kind}">{totals[kind]}</td>' for kind in ITEMS)
    lines.append(f"<tr data-page><td>All {len(told['pages'])} pages</td>{cells}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def achievements_list(told: dict[str, Any]) -> str:
    lines = ['<ul class="ll-achievements">']
    for one in told["achievements"]:
        how = one["how"].format(count=one["count"])
        lines.append(f"<li><strong>{escape(one['name'])}</strong> <span>{escape(how)}</span></li>")
    return "\n".join([*lines, "</ul>"])


def points_table(told: dict[str, Any]) -> str:
    rows = (f"<tr><td>{EARNS[kind]}</td><td>{xp}</td></tr>" for kind, xp in told["points"].items())
    head = "<table><thead><tr><th>For</th><th>XP</th></tr></thead><tbody>"
    return "\n".join([head, *rows, "</tbody></table>"])


def levels_table(told: dict[str, Any]) -> str:
    rows = (
        f"<tr data-level><td>{n}</td><td>{escape(level['name'])}</td><td>{level['xp']:,}</td></tr>"
        for n, level in enumerate(told["levels"])
    )
    head = "<table><thead><tr><th>Level</th><th>Name</th><th>From XP</th></tr></thead><tbody>"
    return "\n".join([head, *rows, "</tbody></table>"])


def most(told: dict[str, Any]) -> int:
    """The XP of somebody who did all there is."""
    points, pages = told["points"], told["pages"].values()
    each = {"snippets": "copied", "questions": "first", "exercises": "done"}
    items = sum(page[kind] * points[fact] for page in pages for kind, fact in each.items())
    return int(items + points["read"] * len(pages))


def on_env(env: Any, config: Any, files: Any, **_: Any) -> None:
    """All pages are counted: tell it."""
    told = data(pathlib.Path(config["docs_dir"]))
    written = {
        "pages": pages_table(told),
        "achievements": achievements_list(told),
        "points": points_table(told),
        "levels": levels_table(told),
        "most": f"{most(told):,}",
    }
    for file in files.documentation_pages():
        # A build of the edited pages only has no content of the others.
        if file.page is not None and address(file.page) == "progress" and file.page.content:
            for name, html in written.items():
                file.page.content = file.page.content.replace(f"<!-- progress:{name} -->", html)


def on_post_build(config: Any, **_: Any) -> None:
    told = data(pathlib.Path(config["docs_dir"]))
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(config["site_dir"], RULES).write_text(text, encoding="utf-8")
