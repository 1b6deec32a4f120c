"""Counts the code blocks that readers are shown, to hold them against those that were collected.

Two readers that we did not write: the built site's HTML for pages of docs/, and markdown-it
(CommonMark) for README.md and CONTRIBUTING.md, which GitHub shows. In API pages the blocks that
mkdocstrings makes stand inside `.doc` and are left out: their examples are the docstrings that run
as doctests.
"""

from __future__ import annotations

import difflib
import pathlib

import bs4
from markdown_it import MarkdownIt

from lineage_site.mkdocs.before_fences import dedent
from tests.docs.harness.grammar import ROOT, Sheet, included


def plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in dedent(text.expandtabs(4)).splitlines())


def collected(sheet: Sheet) -> list[str]:
    """What each fence of a page should be shown as."""
    return [
        plain(included(fence.body) if fence.action == "include" else fence.body)
        for fence in sheet.fences
    ]


def built_file(page: pathlib.Path, site: pathlib.Path) -> pathlib.Path:
    """Where mkdocs puts a page: `page.ko.md` has its place under ko/."""
    relative = page.relative_to(ROOT / "docs").with_suffix("")
    return site / (relative.parent if relative.name == "index" else relative) / "index.html"


def shown_by_site(html: str) -> list[str]:
    """The code blocks of a built page, without line numbers and without those of API entries."""
    soup = bs4.BeautifulSoup(html, "html.parser")
    article = soup.find("article") or soup
    blocks = []
    for code in article.select("pre > code, pre:not(:has(> code))"):
        # Bibliographic data that the build writes from a list are no code. The commands of the box
        # "Run locally" are those of a template: tests/site/test_notebooks.py runs them.
        if code.find_parent(class_=["doc", "linenodiv", "ll-bibtex", "ll-run"]):
            continue
        blocks.append(plain(code.get_text()))
    return blocks


def examples_in_api(html: str) -> list[str]:
    """The `>>>` sessions that mkdocstrings shows."""
    soup = bs4.BeautifulSoup(html, "html.parser")
    texts = [plain(code.get_text()) for code in soup.select(".doc pre > code")]
    return [text for text in texts if text.startswith(">>>")]


def shown_by_commonmark(text: str) -> list[str]:
    tokens = MarkdownIt("commonmark").parse(text)
    return [plain(token.content) for token in tokens if token.type in ("fence", "code_block")]


def unlike(name: str, sheet: Sheet, shown: list[str]) -> str | None:
    """How the blocks that are shown differ from those collected, or None."""
    wanted = collected(sheet)
    if wanted == shown:
        return None
    faults = []
    matcher = difflib.SequenceMatcher(None, wanted, shown, autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            continue
        faults += [f"{name}:{sheet.fences[i].line}: collected, not shown so" for i in range(i1, i2)]
        faults += [f"{name}: shown, not collected: {shown[j][:80]!r}" for j in range(j1, j2)]
    return "\n".join(
        [f"{name}: {len(wanted)} fences collected, {len(shown)} code blocks shown", *faults]
    )
