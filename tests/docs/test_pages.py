"""All pages are collected with this file (harness/plugin.py); here stand the rules for the whole
site.
"""

import pathlib

import pytest

from tests.docs.harness import verified
from tests.docs.harness.grammar import ROOT, read_page
from tests.docs.harness.plugin import BUDGETS

PAGES = verified.site_pages()
RUN = [page for page in PAGES if verified.has_fences(read_page(page.read_text(encoding="utf-8")))]


def name(page: pathlib.Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_few_fences_are_skipped() -> None:
    skips = [
        f"{name(page)}:{fence.line}: {fence.options['data-reason']}"
        for page in PAGES
        for fence in read_page(page.read_text(encoding="utf-8")).fences
        if fence.action == "skip"
    ]
    assert len(skips) <= BUDGETS["count"]["skips"], "\n".join(skips)


@pytest.mark.parametrize("page", RUN, ids=name)
def test_what_is_said_to_be_verified_is_what_the_page_holds(page: pathlib.Path) -> None:
    problem = verified.stale(page.read_text(encoding="utf-8"), verified.committed().get(name(page)))
    assert problem is None, f"{name(page)} {problem}; run: make accept PAGE={name(page)}"


@pytest.mark.parametrize("page", RUN, ids=name)
def test_any_digit_changed_in_any_output_block_is_found(page: pathlib.Path) -> None:
    text, entry = page.read_text(encoding="utf-8"), verified.committed().get(name(page))
    assert verified.stale(text, entry) is None
    digits = 0
    for fence in read_page(text).fences:
        block = fence.output.block if fence.output else fence.block
        held = fence.action == "run" and fence.language in ("pycon", "console")
        if not (held or fence.output):
            continue
        for place in range(block.body_start, block.body_end):
            if text[place].isdecimal():
                digits += 1
                changed = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
                assert verified.stale(changed, entry), (
                    f"{name(page)}: {text[place - 20 : place + 20]!r}"
                )
    assert digits or not entry["numbers"]


def test_verified_json_names_no_page_that_is_gone() -> None:
    assert set(verified.committed()) == {*map(name, RUN), *map(name, verified.labs())}
