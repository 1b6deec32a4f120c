"""A paper's number is typed once; where else it is shown, it is read from there."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lineage_site.facts.printed import accuracy, error, printed

SOURCE = Path(__file__).parents[2] / "src"
# An error or an accuracy in percent as papers print it, and not a part of an arXiv number.
FIGURE = re.compile(r"(?<![\d.,:])[1-9]\d\.\d\d(?![\d.])")
OURS = {"60.97", "85.80", "86.57"}  # counted by us; the cause of a difference says them in words
# Accuracies of torchvision's weights, by its own files: 76.13 is one, and a paper's too.
TORCHVISION = "lineage_lab/weights/published.py"


def texts() -> dict[str, str]:
    return {
        path.relative_to(SOURCE).as_posix(): path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*.py")
    }


def figures(text: str) -> Iterator[str]:
    """Figures in strings and numbers, but not in what only a reader of the code sees."""
    tree = ast.parse(text)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docs:
            if isinstance(node.value, str):
                yield from FIGURE.findall(node.value)
            elif isinstance(node.value, float):
                yield from FIGURE.findall(repr(node.value))


def repeated(files: Mapping[str, str]) -> dict[str, list[str]]:
    places: dict[str, set[str]] = defaultdict(set)
    for name, text in files.items():
        if name != TORCHVISION:
            for figure in figures(text):
                places[figure].add(name)
    return {f: sorted(names) for f, names in places.items() if len(names) > 1 and f not in OURS}


def test_each_figure_of_a_paper_stands_in_one_file() -> None:
    assert repeated(texts()) == {}


def test_a_planted_figure_is_found() -> None:
    files = {"a.py": 'X = "22.85 %"', "b.py": 'Y = {50: "22.85"}', "c.py": "Z = 77.15"}
    assert repeated(files) == {"22.85": ["a.py", "b.py"]}
    assert repeated({**files, "d.py": "W = 77.15"}).keys() == {"22.85", "77.15"}
    assert repeated({"a.py": '"""22.85"""', "b.py": '"arXiv:1022.85123"', "c.py": "22.85"}) == {}


def test_what_is_printed_is_found_by_network() -> None:
    assert printed("resnet50_paper", "macs") == "3.8"
    assert (error("resnet"), accuracy("resnet")) == ("22.85", "77.15")
    assert accuracy("vit") == "77.91"
    with pytest.raises(KeyError):
        printed("resnet50", "colours")
