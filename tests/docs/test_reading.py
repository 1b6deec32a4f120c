"""How long a page takes to read is counted, and no page types it."""

import importlib.util
import re

import pytest

from tests.docs.harness import verified
from tests.docs.harness.grammar import ROOT

SPEC = importlib.util.spec_from_file_location(
    "reading", ROOT / "src/lineage_site/mkdocs/reading.py"
)
reading = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reading)

WORDS = "word " * 1000


@pytest.mark.parametrize(
    ("more", "time"),
    [
        ("", 5),
        ("\n```python\n" + "x = 1\n" * 60 + "```\n", 7),
        ('\n<figure class="ll-figure">\n</figure>\n' * 12, 7),
        ('\n??? success "Solution"\n\n    ' + WORDS + "\n", 5),
        ('\n??? question "Why?"\n\n    ' + WORDS + "\n", 10),
        ("\n[^note]: " + WORDS + "\n", 5),
    ],
)
def test_prose_code_and_figures_count_and_what_is_folded_does_not(more: str, time: int) -> None:
    assert reading.minutes(f"---\ntitle: x\n---\n\n{WORDS}\n{more}") == time


def test_the_mark_becomes_words() -> None:
    assert reading.on_page_markdown(f"a {reading.MARK} b") == "a About 1 minute to read b"
    assert reading.on_page_markdown("nothing") == "nothing"


def test_no_page_types_its_time_and_each_chapter_has_one() -> None:
    for page in verified.site_pages():
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"About \d+ minutes?", text), page.name
        if page.parent.name == "chapters":
            assert reading.MARK in text, page.name
            assert 12 <= reading.minutes(text) <= 22, page.name
