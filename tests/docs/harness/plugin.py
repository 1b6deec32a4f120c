"""Hands pages, README, CONTRIBUTING and docstrings to pytest, through sybil.

`pytest docs/chapters/lenet5.md` runs one page; collecting tests/docs/test_pages.py collects them
all. Each fence is a test item named by its line. Loaded by the conftest.py at the root.
"""

from __future__ import annotations

import doctest
import importlib
import os
import pathlib
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from sybil import Document, Example, Region, Sybil
from sybil.document import PythonDocStringDocument
from sybil.integration.pytest import SybilItem

from lineage_site.mkdocs.before_fences import Problem
from tests.docs.harness import run, verified
from tests.docs.harness.compare import count_numbers
from tests.docs.harness.grammar import ROOT, Fence
from tests.docs.harness.page import Page, Result

ALL = ROOT / "tests" / "docs" / "test_pages.py"
SOURCE = ROOT / "src"
BUDGETS = tomllib.loads((ROOT / "budgets.toml").read_text(encoding="utf-8"))


def run_fence(example: Example) -> str | None:
    """Sybil's evaluator: what is wrong with a fence, or None."""
    page: Page = example.document.namespace["page"]
    fence: Fence = example.parsed
    if fence.action == "skip":
        pytest.skip(fence.options["data-reason"])
    return page.execute(fence).wrong


def refuse(example: Example) -> str:
    problem: Problem = example.parsed
    return f"{example.document.namespace['page'].name}:{problem.line}: {problem.message}"


def parse_page(document: Document) -> Iterable[Region]:
    """Sybil's parser of a page: a region for each fence that does something, each problem."""
    page = Page(pathlib.Path(document.path), document.text)
    document.namespace["page"] = page
    starts = [0]
    for line in document.text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for problem in page.sheet.problems:
        start = starts[problem.line - 1]
        yield Region(start, start, problem, refuse)
    for fence in page.sheet.fences:
        if fence.action in ("run", "parse", "skip"):
            yield Region(fence.block.start, fence.block.end, fence, run_fence)


def run_docstring(example: Example) -> str | None:
    """Runs a docstring's session in a copy of its module's namespace, as doctest does."""
    path = pathlib.Path(example.path)
    name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    module = run.new_module()
    with run.settings_kept():
        module.__dict__.update(vars(importlib.import_module(name)), __name__="__main__")
        run.reseed()
        label = path.relative_to(ROOT).as_posix()
        _, wrong = run.run_session(example.parsed, module, label, example.line - 1)
    wants = [e.want for e in doctest.DocTestParser().get_examples(example.parsed) if e.want]
    numbers = sum(count_numbers(want) for want in wants)
    example.document.namespace["result"] = Result(wrong=wrong, asserted=1, numbers=numbers)
    return wrong


def parse_docstrings(document: Document) -> Iterable[Region]:
    """Sybil's parser of a module: a region for each docstring that holds a session."""
    for start, end, text in PythonDocStringDocument.extract_docstrings(document.text):
        if ">>>" in text:
            yield Region(start, end, document.text[start:end], run_docstring)


def write_results(namespace: dict[str, Any]) -> None:
    verified.write_cache(namespace["page"])


# Sybil's patterns are wide: `pytest_collect_file` chooses.
PAGES = Sybil([parse_page], patterns=["*.md"], path=str(ROOT), teardown=write_results)
DOCSTRINGS = Sybil(
    [parse_docstrings], patterns=["*.py"], path=str(ROOT), document_types={".py": Document}
)
collect_page, collect_module = PAGES.pytest(), DOCSTRINGS.pytest()


def modules_with_sessions() -> tuple[pathlib.Path, ...]:
    files = sorted(SOURCE.rglob("*.py"))
    return tuple(file for file in files if ">>>" in file.read_text(encoding="utf-8"))


class Everything(pytest.File):
    """All pages and docstrings, collected where tests/docs/test_pages.py is."""

    def collect(self) -> Iterator[pytest.Collector]:
        for path in verified.site_pages():
            yield collect_page(path, self)
        for path in modules_with_sessions():
            yield collect_module(path, self)


def pytest_collect_file(
    file_path: pathlib.Path, parent: pytest.Collector
) -> pytest.Collector | None:
    if file_path == ALL:
        return Everything.from_parent(parent, path=file_path)
    if file_path in verified.site_pages():
        return collect_page(file_path, parent)
    if file_path.suffix == ".py" and file_path in modules_with_sessions():
        return collect_module(file_path, parent)
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Notes what a fence asserted, for the summary; with xdist it travels with the report."""
    before = processor_seconds()
    try:
        return (yield)
    finally:
        if isinstance(item, SybilItem):
            namespace, parsed = item.example.namespace, item.example.parsed
            page = namespace.get("page")
            line = getattr(parsed, "line", None)
            result = namespace.get("result") if page is None else page.results.get(line)
            if result is not None:
                spent = processor_seconds() - before
                item.user_properties.append(("fence", [result.asserted, result.numbers, spent]))


def processor_seconds() -> float:
    """Of this process and of its children that have ended: workers that wait do not count."""
    return sum(os.times()[:4])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == "fence"
    ]
    if rows:
        # What two cores take, however many workers shared them here.
        seconds, budget = sum(row[2] for row in rows) / 2, BUDGETS["seconds"]["snippets"]
        over = "" if seconds <= budget else ": OVER BUDGET"
        terminalreporter.write_line(
            f"snippets: {len(rows)} fences, {sum(row[0] for row in rows)} outputs, "
            f"{sum(row[1] for row in rows)} numbers, {seconds:.0f} s on two cores "
            f"(budget {budget} s{over})"
        )
