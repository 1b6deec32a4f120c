"""The comparison of numbers, and that no digit escapes it."""

import os
from decimal import Decimal

import pytest

from tests.docs.harness import compare, plugin
from tests.docs.harness.compare import blind_spot, difference, same_line
from tests.docs.harness.grammar import ROOT


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("0.70", "0.7012", True),
        ("0.71", "0.7012", False),
        ("0.700", "0.7012", False),
        ("1,024 pixels", "1,024 pixels", True),
        ("1,024 pixels", "1024 pixels", False),
        ("1,024", "1,025", False),
        ("1.2e-05", "1.234e-05", True),
        ("1.3e-05", "1.234e-05", False),
        ("-0.5", "0.5", False),
        ("97.9 %", "97.94%", False),
        ("97.9%", "97.94%", True),
        ("torch 2.1.1", "torch 2.14.1", False),
        ("C3", "C3", True),
        ("C3", "C4", False),
        ("float32", "float64", False),
        ("7f3a9", "7f3a8", False),
        ("tensor([1., 2.])", "tensor([1.0, 2.0])", True),
        ("2026-11-24", "2026-11-25", False),
        ("nan", "0.5", False),
        ("1 2", "1", False),
    ],
)
def test_numbers(expected: str, got: str, same: bool) -> None:
    assert same_line(expected, got) is same


def test_every_digit_counts() -> None:
    text = "acc 0.9700 ± 0.0031, 1,024 of C3 at 1.5e-07, v2.14.1, 12:30 <7f3a9>"
    assert difference(text, text) is None
    assert blind_spot(text, text) is None
    assert len(list(compare.mutations(text))) == sum(character.isdigit() for character in text)


def test_a_blind_comparison_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "same_line", lambda *_: True)
    assert "would pass" in str(blind_spot("0.5", "0.5"))


def test_a_tolerance_is_for_numbers_only() -> None:
    assert difference("a 0.50", "a 0.52", Decimal("0.02")) is None
    assert difference("a 0.50", "a 0.521", Decimal("0.02"))
    assert difference("a 0.50", "b 0.50", Decimal("0.02"))


def test_a_difference_shows_only_the_lines_that_differ() -> None:
    want, came = "a 0.5\nb\nc 0.70\nd 0.1\ne", "b\nc 0.7012\nd 0.2\ne"
    assert difference(want, came, label="p.md:3") == (
        "--- expected (p.md:3)\n+++ got\n@@ -1,5 +1,4 @@\n-a 0.5\n b\n c 0.70\n-d 0.1\n+d 0.2\n e"
    )


def test_pytest_reports_page_line_and_diff(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A process of its own: pytester would unload numpy and torch, which cannot be loaded twice.
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'src'}")
    pytester.makeconftest(
        "from sybil import Sybil\nfrom tests.docs.harness import plugin\n"
        "pytest_collect_file = Sybil([plugin.parse_page], patterns=['*.md'], path='.').pytest()\n"
    )
    good = "```python\nx = 1\n```\n\n"
    pages = {
        "wrong": good + "```python title='t'\n```\n\n" + '```python title="t"\nprint(0.5)\n```\n\n'
        "```{.text .output}\n0.6\n```\n",
        "skipped": '```{.python .skip data-reason="no camera"}\nx\n```\n',
    }
    for name, text in pages.items():
        pytester.path.joinpath(f"{name}.md").write_text(text, encoding="utf-8")
    result = pytester.runpytest_subprocess("-rs", "-p", "no:xdist", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    result.stdout.fnmatch_lines(["*line 5, column 1*", "wrong.md:5: this info line*"])
    result.stdout.fnmatch_lines(["*wrong.md:12)*", "-0.6", "+0.5", "wrong.md:8: SybilFailure"])
    result.stdout.fnmatch_lines(["*no camera*"])
    assert plugin.BUDGETS["count"]["skips"] == 3
