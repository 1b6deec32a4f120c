"""Compares what a fence printed with what its page says, number by number.

A number on the page says how exact it is: what came is rounded to the decimals that the page
prints and must then be equal. Text must match but for the width of whitespace. An ellipsis stands
for text inside a line, never for a digit, never for a whole line. Digits that belong to a word
(`C3`, `float32`) or to a version (`2.14.1`) are text.
"""

from __future__ import annotations

import decimal
import difflib
import re
from collections.abc import Iterator

NUMBER = re.compile(
    r"""
    (?P<chain>(?<![\w.])\d+(?:\.\d+){2,})        # a version: text
    | (?<![\w.])
      (?P<number>[-+]?
        (?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)         # 1,024 or 1024
        (?:\.(?!\.)\d*)?
        (?:[eE][-+]?\d+)?
      | [-+]?\.\d+(?:[eE][-+]?\d+)?              # .5
      )
    """,
    re.VERBOSE,
)
EXACT = decimal.Context(prec=400)
ELLIPSIS = "..."


def lines_of(text: str) -> list[str]:
    """The lines with each run of whitespace as one blank, without blank lines at both ends."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        del lines[-1]
    return lines


def split(line: str) -> tuple[list[str], list[str]]:
    """The text between the numbers of a line (one more than numbers), and the numbers."""
    texts, numbers, place, pending = [], [], 0, ""
    for match in NUMBER.finditer(line):
        pending += line[place : match.start()]
        place = match.end()
        if match["number"] is None:
            pending += match.group()
        else:
            texts.append(pending)
            numbers.append(match["number"])
            pending = ""
    texts.append(pending + line[place:])
    return texts, numbers


def count_numbers(text: str) -> int:
    """How many numbers an output block asserts."""
    return sum(len(split(line)[1]) for line in lines_of(text))


def _same_number(expected: str, got: str, tolerance: decimal.Decimal | None) -> bool:
    if ("," in expected) != ("," in got):
        return False
    want = decimal.Decimal(expected.replace(",", ""))
    came = decimal.Decimal(got.replace(",", ""))
    if tolerance is not None:
        return abs(want - came) <= tolerance
    try:
        return EXACT.quantize(came, want) == want
    except decimal.InvalidOperation:
        return False


def same_line(expected: str, got: str, tolerance: decimal.Decimal | None = None) -> bool:
    """Whether one line that came is what the page says. Both with whitespace normalised."""
    want_texts, want_numbers = split(expected)
    got_texts, got_numbers = split(got)
    if (
        want_texts == got_texts
        and len(want_numbers) == len(got_numbers)
        and all(map(_same_number, want_numbers, got_numbers, [tolerance] * len(got_numbers)))
    ):
        return True
    return ELLIPSIS in expected and _same_but_ellipsis(expected, got, tolerance)


def _same_but_ellipsis(expected: str, got: str, tolerance: decimal.Decimal | None) -> bool:
    """Whether some text without digits can be put in place of each ellipsis."""
    if not re.search(r"\w", expected) or re.search(r"\d\.{3}|\.{3}\.?\d", expected):
        return False  # it would stand for the whole line, or for digits
    head, tail = expected.split(ELLIPSIS, 1)
    # Numbers before the ellipsis may have other lengths in what came: try each cut.
    for start in range(len(got) + 1):
        if not same_line(head, got[:start], tolerance):
            continue
        for end in range(start, len(got) + 1):
            if any(character.isdigit() for character in got[start:end]):
                break
            if same_line(tail, got[end:], tolerance):
                return True
    return False


def difference(
    expected: str, got: str, tolerance: decimal.Decimal | None = None, *, label: str = "page"
) -> str | None:
    """What differs, as a unified diff; None if nothing does.

    Args:
        expected: What the page says.
        got: What came.
        tolerance: How much each number may differ; None: it must be equal once rounded.
        label: Where the expected text stands, for the diff's first line.
    """
    want, came = lines_of(expected), lines_of(got)
    if len(want) == len(came) and all(map(same_line, want, came, [tolerance] * len(came))):
        return None
    # Lines that do agree are shown as the page has them, so that the diff shows only what is wrong.
    shown = list(came)
    for matcher in difflib.SequenceMatcher(None, want, came, autojunk=False).get_opcodes():
        _, i1, i2, j1, j2 = matcher
        if i2 - i1 == j2 - j1:
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                if same_line(want[i], came[j], tolerance):
                    shown[j] = want[i]
    lines = difflib.unified_diff(want, shown, f"expected ({label})", "got", lineterm="", n=2)
    text = "\n".join(lines)
    if any(ELLIPSIS in line for line in want):
        text += "\n(an ellipsis may not stand for a digit or for a whole line)"
    return text


def mutations(expected: str) -> Iterator[tuple[str, int, str]]:
    """Each line of an output block with one digit changed: (line, its index, the changed line)."""
    for index, line in enumerate(lines_of(expected)):
        for place, character in enumerate(line):
            if character.isdecimal() and character.isascii():
                other = str((int(character) + 1) % 10)
                yield line, index, line[:place] + other + line[place + 1 :]


def blind_spot(expected: str, got: str) -> str | None:
    """A changed line that the comparison would let pass, or None. Each digit is looked at."""
    came = lines_of(got)
    for line, index, changed in mutations(expected):
        if same_line(changed, came[index]):
            return f"{changed!r} would pass for {line!r}"
    return None
