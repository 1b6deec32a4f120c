"""One page while it is run: its namespaces, what each fence gave, what is wrong with it.

A fence starts where a reader starts who copies the page's first python fence and then this one:
the first fence is run again for each, so no fence can change another's start through a shared
object, and the random numbers are those of the start. `plugin` and `accept` both work through
`Page`.
"""

from __future__ import annotations

import json
import pathlib
import time
import tomllib
import types
from dataclasses import dataclass
from typing import Any

import yaml

from tests.docs.harness import run
from tests.docs.harness.compare import blind_spot, count_numbers, difference
from tests.docs.harness.grammar import ROOT, Fence, Sheet, read_page


@dataclass(frozen=True)
class Result:
    """What one fence gave. `body` is the fence's own text as it came, for sessions and consoles."""

    printed: str = ""
    body: str | None = None
    wrong: str | None = None
    asserted: int = 0  # outputs that were compared
    numbers: int = 0  # numbers in them
    seconds: float = 0.0
    raised: bool = False


class Page:
    """A page and the state of its run.

    Args:
        path: The file.
        text: Its text, if it isn't what the file holds.
    """

    def __init__(self, path: pathlib.Path, text: str | None = None) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8") if text is None else text
        self.name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
        self.sheet: Sheet = read_page(self.text)
        self.results: dict[int, Result] = {}
        self._start: tuple[Any, ...] | None = None
        self._live: tuple[Fence, types.ModuleType, tuple[Any, ...]] | None = None

    def _fresh(self) -> types.ModuleType:
        """A namespace, and the random state, as they are after the page's first fence."""
        if self._start is None:
            run.reseed()
            self._start = run.random_state()
        run.set_random_state(self._start)
        module, setup = run.new_module(), self.sheet.setup
        if setup is not None:
            try:
                run.run_python(setup.body, module, self.name, setup.line)
            except run.FenceError as error:
                raise run.FenceError(
                    f"the page's first fence (line {setup.line}) failed:\n{error}"
                ) from None
        return module

    def _before(self, fence: Fence) -> Fence:
        """The python fence that this one continues."""
        earlier = [
            f
            for f in self.sheet.fences
            if f.language == "python" and f.action == "run" and f.line < fence.line
        ]
        return earlier[-1]

    def _python(self, fence: Fence) -> str:
        if fence == self.sheet.setup:
            module, setup = run.new_module(), None
            if self._start is None:
                run.reseed()
                self._start = run.random_state()
            run.set_random_state(self._start)
        elif "continues" in fence.classes:
            setup = self._before(fence)
            if self._live is None or self._live[0] != setup:
                self._python(setup)
            assert self._live is not None
            module = self._live[1]
            run.set_random_state(self._live[2])
        else:
            module = self._fresh()
        self._live = None
        printed = run.run_python(fence.body, module, self.name, fence.line)
        self._live = (fence, module, run.random_state())
        return printed

    def execute(self, fence: Fence) -> Result:
        """Runs or parses a fence, once, and says what is wrong with it."""
        if fence.line not in self.results:
            start = time.perf_counter()
            try:
                result = self._execute(fence)
            except run.FenceError as error:
                result = Result(wrong=str(error), raised=True)
            seconds = time.perf_counter() - start
            self.results[fence.line] = Result(**{**vars(result), "seconds": seconds})
        return self.results[fence.line]

    def _execute(self, fence: Fence) -> Result:
        if fence.action == "parse":
            return Result(wrong=_parsed(fence))
        if fence.action != "run":
            return Result()
        if fence.language == "python":
            with run.settings_kept():
                printed = self._python(fence)
            return self._judge(fence, printed, must=True)
        if fence.language == "bash":
            return self._judge(fence, run.run_bash(fence.body), must=False)
        if fence.language == "pycon":
            with run.settings_kept():
                body, wrong = run.run_session(
                    fence.body, self._fresh(), self.name, fence.line, fence.tolerance
                )
            shown = "".join(
                line for line in fence.body.splitlines(True) if line[:3] not in (">>>", "...")
            )
            return Result(body=body, wrong=wrong, asserted=1, numbers=count_numbers(shown))
        return self._console(fence)

    def _judge(self, fence: Fence, printed: str, *, must: bool) -> Result:
        if fence.output is None:
            wrong = None
            if printed.strip() and must:
                wrong = f"this fence prints, and no output block follows it:\n{printed.rstrip()}"
            return Result(printed, wrong=wrong)
        expected, tolerance = fence.output.body, fence.output.tolerance
        label = f"{self.name}:{fence.output.line}"
        if not printed.strip():
            wrong = f"{label}: this fence prints nothing, but an output block follows it"
        else:
            wrong = difference(expected, printed, tolerance, label=label)
            if wrong is None and tolerance is None and (blind := blind_spot(expected, printed)):
                wrong = f"{label}: the comparison is blind: {blind}"
        return Result(printed, wrong=wrong, asserted=1, numbers=count_numbers(expected))

    def _console(self, fence: Fence) -> Result:
        body, faults, numbers = "", [], 0
        for command, want, came, status in run.run_console(fence.body):
            body += command + came + ("\n" if came and not came.endswith("\n") else "")
            numbers += count_numbers(want)
            diff = difference(want, came, fence.tolerance, label=f"{self.name}:{fence.line}")
            if diff is not None:
                faults.append(f"{command.rstrip()}\n{diff}")
            elif status and not want.strip():
                faults.append(f"{command.rstrip()}\nexit status {status}")
        return Result(body=body, wrong="\n".join(faults) or None, asserted=1, numbers=numbers)


def _parsed(fence: Fence) -> str | None:
    try:
        if fence.language == "toml":
            tomllib.loads(fence.body)
        elif fence.language == "json":
            json.loads(fence.body)
        else:
            list(yaml.safe_load_all(fence.body))
    except (ValueError, yaml.YAMLError) as error:
        return f"this is not {fence.language}: {error}"
    return None
