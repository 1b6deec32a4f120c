"""Reads the info line of each fence and says what is to be done with it, or refuses it.

Job: a page's text in, `Sheet` out: the fences with their action, each runnable one paired with its
output block, and the problems with their lines. Beneath it the reader of fences that the site
uses too (`lineage_site.mkdocs.before_fences`), above it `page`.
"""

from __future__ import annotations

import ast
import dataclasses
import decimal
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lineage_site.mkdocs.before_fences import (
    INCLUDE,
    Block,
    Problem,
    find_blocks,
    parse_info,
    section_of,
)

ROOT = pathlib.Path(__file__).resolve().parents[3]
ESCAPED = re.compile(r";(?=--8<-- \[)")  # before a mark that is shown, not obeyed
SHOWN = {"title", "hl_lines", "linenums"}  # how a fence looks; nothing to do with running it
RUN = ("python", "pycon", "console", "bash")
PARSED = ("toml", "yaml", "json")
# language -> classes and options that it may have, besides SHOWN
LANGUAGES: Mapping[str, tuple[set[str], set[str]]] = {
    "python": ({"continues", "skip", "covered"}, {"data-reason", "data-by"}),
    "pycon": ({"skip"}, {"data-reason", "data-tol"}),
    "console": ({"skip", "covered"}, {"data-reason", "data-by", "data-tol"}),
    "bash": ({"skip", "covered"}, {"data-reason", "data-by"}),
    "diff": ({"covered"}, {"data-by"}),
    "text": ({"output"}, {"data-tol", "data-reason"}),
    "markdown": (set(), set()),
    **{name: (set(), set()) for name in PARSED},
}
MEANT = {
    "py": "python", "python3": "python", "py3": "python", "ipython": "pycon", "doctest": "pycon",
    "sh": "bash", "shell": "bash", "zsh": "bash", "shell-session": "console", "yml": "yaml",
    "txt": "text", "output": "{.text .output}", "md": "markdown",
}  # fmt: skip


class RefusedError(ValueError):
    """A fence that the harness will not let pass."""


@dataclass(frozen=True)
class Fence:
    """A block, read. `action`: run, parse, covered, include, skip, output, prose, refused."""

    block: Block
    language: str
    classes: tuple[str, ...]
    options: Mapping[str, str]
    action: str
    output: Fence | None = None  # the block that says what it prints

    @property
    def line(self) -> int:
        return self.block.line

    @property
    def body(self) -> str:
        return ESCAPED.sub("", self.block.body)

    @property
    def tolerance(self) -> decimal.Decimal | None:
        text = self.options.get("data-tol")
        return None if text is None else decimal.Decimal(text)


@dataclass(frozen=True)
class Sheet:
    """A page read: fences in their order, and what is wrong with it."""

    fences: tuple[Fence, ...]
    problems: tuple[Problem, ...]

    @property
    def setup(self) -> Fence | None:
        """The first python fence that runs: the page's imports."""
        return next((f for f in self.fences if f.language == "python" and f.action == "run"), None)


def read_info(block: Block) -> Fence:
    """Reads an info line.

    Raises:
        RefusedError: It is not in the grammar; the message says what to write.
    """
    info = block.info
    if not info.strip():
        raise RefusedError("a fence needs a language; write ```text for what is not code")
    if info != info.lstrip():
        raise RefusedError(
            f"no blank before the language: write ```{MEANT.get(info.strip(), info.strip())}"
        )
    parsed = parse_info(info)
    if parsed is None:
        raise RefusedError(
            f"this info line is not understood: {info}\n"
            'write ```python title="…" or ```{.python .continues title="…"}'
        )
    language, classes, options = parsed.language, parsed.classes, parsed.options
    if language not in LANGUAGES:
        meant = MEANT.get(
            language.lower(), language.lower() if language.lower() in LANGUAGES else ""
        )
        hint = f"write {meant}" if meant else f"known are {', '.join(sorted(LANGUAGES))}"
        raise RefusedError(f"unknown language {language!r}; {hint}")
    allowed_classes, allowed_options = LANGUAGES[language]
    for name in classes:
        if name not in allowed_classes:
            raise RefusedError(f"a {language} fence has no class .{name}")
    for name in options:
        if name not in allowed_options | SHOWN:
            raise RefusedError(f"a {language} fence has no option {name}")
    return _with_action(Fence(block, language, classes, options, "prose"))


def _with_action(fence: Fence) -> Fence:
    classes, options, reason = (
        fence.classes,
        fence.options,
        fence.options.get("data-reason", "").strip(),
    )
    if len(classes) > 1:
        raise RefusedError(f"these classes don't go together: {' '.join(classes)}")
    if "data-tol" in options:
        if fence.language == "text" and "output" not in classes:
            raise RefusedError("data-tol belongs to an output block: {.text .output data-tol=…}")
        if not reason:
            raise RefusedError('a tolerance needs its reason: data-reason="differs by processor"')
        try:
            good = decimal.Decimal(options["data-tol"]) > 0
        except decimal.InvalidOperation:
            good = False
        if not good:
            raise RefusedError(f"data-tol must be a number above 0, not {options['data-tol']!r}")
    if "skip" in classes:
        if not reason:
            raise RefusedError('a skip needs its reason: {.python .skip data-reason="…"}')
        return dataclasses.replace(fence, action="skip")
    if "data-reason" in options and "data-tol" not in options:
        raise RefusedError("data-reason belongs to a skip or a tolerance")
    if "covered" in classes:
        check_covered(options.get("data-by", ""))
        return dataclasses.replace(fence, action="covered")
    if fence.language == "diff":
        raise RefusedError('a diff is applied by a test: {.diff .covered data-by="…"}')
    if "data-by" in options:
        raise RefusedError("data-by belongs to a fence of class .covered")
    if fence.language == "python" and INCLUDE.search(fence.body):
        included(fence.body)
        return dataclasses.replace(fence, action="include")
    if not fence.body.strip():
        raise RefusedError("this block is empty")
    if "output" in classes:
        return dataclasses.replace(fence, action="output")
    if fence.language == "markdown":
        inner = read_page(fence.body).problems
        if inner:
            raise RefusedError(f"line {inner[0].line} of what it shows: {inner[0].message}")
    action = "run" if fence.language in RUN else "parse" if fence.language in PARSED else "prose"
    return dataclasses.replace(fence, action=action)


def check_covered(by: str) -> None:
    """Refuses a `data-by` without such a test, or whose file does not read the fences."""
    path, _, name = by.partition("::")
    file = ROOT / path
    if not name or not path.startswith("tests/") or not file.is_file():
        raise RefusedError(f"no such test: data-by={by!r}; write tests/test_file.py::test_name")
    source = file.read_text(encoding="utf-8")
    defined = {n.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)}
    if name.rpartition("::")[2] not in defined:
        raise RefusedError(f"{path} has no test {name.rpartition('::')[2]}")
    if "covered_fences(" not in source:
        raise RefusedError(f"{path} must take the fence's text with covered_fences(page, test)")


def included(body: str) -> str:
    """The text that a fence of `--8<--` lines shows.

    Raises:
        RefusedError: It holds other code too, or the file or section isn't there.
    """
    parts = []
    for line in body.splitlines():
        match = INCLUDE.fullmatch(line.strip())
        if match is None:
            raise RefusedError(
                "a fence with --8<-- holds nothing else: what is shown is not what would run"
            )
        file = ROOT / match["path"]
        if not match["path"].startswith("src/lineage_lab/") or not file.is_file():
            raise RefusedError(f"no such file of the package: {match['path']}")
        text, section = file.read_text(encoding="utf-8"), match["section"]
        if section:
            inner = section_of(text, section)
            if inner is None:
                raise RefusedError(f"{match['path']} has no section {section}")
            text = inner
        parts.append(text)
    return "\n".join(parts)


def read_page(text: str) -> Sheet:
    """Reads a page: every fence with its action, outputs paired, all that is refused."""
    blocks, found = find_blocks(text)
    problems = list(found)
    fences: list[Fence] = []
    for block in blocks:
        try:
            fence = read_info(block)
            before = fences[-1] if fences else None
            beside = (
                before is not None
                and before.block.indent == block.indent
                and not text[before.block.end : block.start].strip()
            )
            if fence.language == "text" and beside and before is not None:
                takes = before.language in ("python", "bash") and before.action in (
                    "run",
                    "skip",
                    "covered",
                )
                if fence.action == "output" and takes:
                    fences[-1] = dataclasses.replace(before, output=fence)
                elif (
                    fence.action == "prose"
                    and before.language == "python"
                    and before.action == "run"
                ):
                    raise RefusedError(
                        "after a python fence, write ```{.text .output} for what it prints"
                    )
                elif fence.action == "output" and before.action != "refused":
                    raise RefusedError(
                        f"this output block follows a {before.language} fence ({before.action})"
                    )
            elif fence.action == "output":
                raise RefusedError(
                    "this output block follows no fence that runs (with the same indentation)"
                )
            earlier = any(f.language == "python" and f.action == "run" for f in fences)
            if "continues" in fence.classes and not earlier:
                raise RefusedError("this fence continues nothing: no python fence runs before it")
            fences.append(fence)
        except RefusedError as refusal:
            problems.append(Problem(block.line, str(refusal)))
            fences.append(Fence(block, "", (), {}, "refused"))  # it is shown, so it counts
    return Sheet(tuple(fences), tuple(sorted(problems, key=lambda problem: problem.line)))


def covered_fences(page: str | pathlib.Path, test_id: str) -> list[str]:
    """The bodies of a page's fences that a test covers, for that test to run.

    Args:
        page: Path of the page from the repository's root, such as `README.md`.
        test_id: What the fences' `data-by` says: `tests/repository/test_make.py::test_install`.

    Raises:
        LookupError: No fence of the page names this test.
    """
    sheet = read_page((ROOT / page).read_text(encoding="utf-8"))
    bodies = [f.body for f in sheet.fences if f.options.get("data-by") == test_id]
    if not bodies:
        raise LookupError(f"no fence of {page} is covered by {test_id}")
    return bodies
