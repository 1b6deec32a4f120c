"""Coverage by behaviour: options are used, public names have examples, messages are met.

The texts are read, not run: the tests, and the pages' fences, which run as tests. What a test
says of an option or a message is that test's matter; here it is found that there is one.
"""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import click
import pytest

import lineage_lab
from lineage_lab.cli import cli
from lineage_lab.exercises import CHAPTERS, Wrong, check
from lineage_site.facts.faults import FAULTS
from tests.docs.harness.grammar import read_page

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "lineage_lab"


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if "generated" not in path.parts:
            yield path


@cache
def fences() -> tuple[tuple[str, str], ...]:
    """Language and text of each fence that runs, and of the labs' cells."""
    found = [
        (f.language, f.body)
        for page in pages()
        for f in read_page(page.read_text(encoding="utf-8")).fences
        if f.action in ("run", "covered")
    ]
    for lab in sorted((ROOT / "docs" / "labs").glob("*.ipynb")):
        cells = json.loads(lab.read_text(encoding="utf-8"))["cells"]
        found += [("python", "".join(c["source"])) for c in cells if c["cell_type"] == "code"]
    return tuple(found)


@cache
def statements() -> tuple[str, ...]:
    """Each test, and each list of cases, by itself."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path != Path(__file__):
            lines = path.read_text(encoding="utf-8").splitlines()
            for node in ast.parse("\n".join(lines)).body:
                decorators = getattr(node, "decorator_list", [])
                start = min((d.lineno for d in decorators), default=node.lineno)
                found.append("\n".join(lines[start - 1 : node.end_lineno]))
    return tuple(found)


def options(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Each option, after the names of its command."""
    for part, below in getattr(command, "commands", {}).items():
        yield from options(below, (*names, part))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for text in (*parameter.opts, *parameter.secondary_opts):
                yield (*names, text)


def used(words: tuple[str, ...], texts: tuple[str, ...]) -> bool:
    patterns = [re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])") for word in words]
    return any(all(pattern.search(text) for pattern in patterns) for text in texts)


def test_every_option_is_used_in_a_test_or_on_a_page() -> None:
    commands = tuple(body for language, body in fences() if language in ("bash", "console"))
    texts = (*statements(), *commands)
    assert not used(("compare", "--nothing-of-this-name"), texts)
    assert [words for words in options(cli) if not used(words, texts)] == []


def test_every_public_name_has_an_example_that_runs() -> None:
    code = [body for language, body in fences() if language in ("python", "pycon")]
    lacking = []
    for name in lineage_lab.__all__:
        if name.startswith("__"):
            continue
        own = getattr(getattr(lineage_lab, name), "__doc__", None) or ""
        asked = re.compile(rf"\b{name}\b")
        if ">>>" not in own and not any(asked.search(body) for body in code):
            lacking.append(name)
    assert lacking == []


def texts_of(node: ast.expr | None) -> Iterator[str]:
    """The words of a message, whatever stands between them."""
    for part in ast.walk(node) if node is not None else ():
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def phrases(text: str, length: int = 3) -> set[str]:
    words = re.findall(r"[\w'’-]+", text)
    length = min(length, max(len(words), 1))
    return {" ".join(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_every_message_is_met_in_a_test() -> None:
    """Three words in a row of each message stand in a test, or in the ledger of faults."""
    joined = " ".join((*statements(), *(fault.see for fault in FAULTS)))
    joined = re.sub(r"""["']\s*\n\s*[rf]*["']""", "", joined).replace("\\", "")
    said = " ".join(re.findall(r"[\w'’-]+", joined))
    unmet = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.parent.name == "exercises":
            continue  # see the next test
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Raise):
                continue
            parts = [text for text in texts_of(node.exc) if len(text.split()) > 1]
            if parts and not any(f" {p} " in f" {said} " for text in parts for p in phrases(text)):
                unmet.append(f"{path.relative_to(SOURCE)}:{node.lineno}: {' … '.join(parts)}")
    assert unmet == []


def test_every_word_of_a_checker_is_met_by_a_wrong_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    met: set[tuple[str, int]] = set()
    first = Wrong.__init__

    def noted(self: Wrong, *words: object) -> None:
        frame = sys._getframe(1)
        met.add((Path(frame.f_code.co_filename).stem, frame.f_lineno))
        first(self, *words)

    monkeypatch.setattr(Wrong, "__init__", noted)
    owners = (*CHAPTERS, "finetune")
    for owner in owners:
        answers = import_module(f"tests.exercises.{owner}")
        for key, wrong in answers.WRONG.items():
            for answer, _ in wrong:
                check(key, answer())
            for nonsense in (None, "x", object()):
                check(key, nonsense)
    unmet = []
    for owner in owners:
        path = SOURCE / "exercises" / f"{owner}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and not any(
                (owner, line) in met for line in range(node.lineno, (node.end_lineno or 0) + 1)
            ):
                unmet.append(f"exercises/{owner}.py:{node.lineno}")
    assert unmet == []
