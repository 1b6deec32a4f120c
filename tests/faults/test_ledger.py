"""The ledger of faults is held to the code: one test a line, and the words that are really said."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from lineage_site.facts.faults import FAULTS, find
from lineage_site.pages.troubleshooting.drawings import PARTS, draw

ROOT = Path(__file__).parents[2]
IDS = [fault.id for fault in FAULTS]


def marked(text: str) -> list[str]:
    """The ids in ``pytest.mark.fault("id")``."""
    return [
        str(node.args[0].value)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "pytest.mark.fault"
        and isinstance(node.args[0], ast.Constant)
    ]


def said(text: str) -> list[str]:
    """All texts of a module, what is filled in as …"""
    whole: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            parts = (str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
            whole.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            whole.append(re.sub(r"%(\.\d)?[dsfg]", "…", node.value))
    return whole


@cache
def all_said() -> tuple[str, ...]:
    """The texts of the whole package, each on one line."""
    paths = (ROOT / "src" / "lineage_lab").rglob("*.py")
    return tuple(" ".join(text.split()) for path in paths for text in said(path.read_text()))


def test_every_line_has_exactly_one_test() -> None:
    here = Counter(
        name for path in (ROOT / "tests").rglob("test_*.py") for name in marked(path.read_text())
    )
    assert here == Counter(IDS)


def test_a_mark_is_found() -> None:
    assert marked('@pytest.mark.fault("x")\ndef test(): pass') == ["x"]


@pytest.mark.parametrize("name", [fault.id for fault in FAULTS if fault.says])
def test_the_words_are_those_of_the_code(name: str) -> None:
    fault = find(name)
    see = fault.see.replace("Is a directory", "…")  # the system's word
    pieces = [" ".join(piece.split()) for piece in see.split("…") if len(piece.strip(" .:,")) > 2]
    pattern = re.compile(".*".join(map(re.escape, pieces)))
    assert pieces
    assert any(map(pattern.search, all_said())), pieces


def test_every_line_is_complete_and_in_the_tables() -> None:
    assert len(IDS) == len(set(IDS))
    tables = draw()
    for fault in FAULTS:
        assert fault.part in PARTS
        assert fault.see
        assert fault.why.endswith(".")
        assert fault.do.endswith(".")
        assert tables[f"{fault.part}.md"].count(f"| {fault.id} |") == 1
        assert len(fault.matches.__doc__ or "") > 0
    with pytest.raises(KeyError):
        find("none")


def test_a_message_matches_its_line_and_no_other_text() -> None:
    message = "a.png: it is empty (0 bytes)"
    assert [fault.id for fault in FAULTS if fault.says and fault.matches(message)] == [
        "empty-image"
    ]
