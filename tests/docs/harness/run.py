"""Runs the text of one fence and gives what it printed. Knows nothing of pages: `page` does.

Python runs in this process, as a module of its own that stands in for `__main__`; shells run in a
temporary directory with this environment's commands first on PATH.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import linecache
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.docs.harness.compare import difference

DOCTEST_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SHELL_SECONDS = 300
MARK = "--8f2c-status"


class FenceError(Exception):
    """What a fence raised, told with the lines of the page and without the harness's own."""


def reseed() -> None:
    """Draws new seeds: a fence that forgets to set one prints something else on each run."""
    import numpy as np
    import torch

    random.seed()
    np.random.seed()
    torch.seed()


def random_state() -> tuple[Any, ...]:
    import numpy as np
    import torch

    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def set_random_state(state: tuple[Any, ...]) -> None:
    import numpy as np
    import torch

    random.setstate(state[0])
    np.random.set_state(state[1])
    torch.set_rng_state(state[2])


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """Puts back what a fence sets for the whole process. One thread: sums come out equal."""
    import torch

    kept = (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
    )
    environment, folder, path = dict(os.environ), pathlib.Path.cwd(), list(sys.path)
    with tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True) as scratch:
        os.chdir(scratch)
        os.environ["MPLBACKEND"] = "Agg"
        torch.set_num_threads(1)
        try:
            yield
        finally:
            os.chdir(folder)
            torch.set_num_threads(kept[0])
            torch.set_default_dtype(kept[1])
            torch.set_grad_enabled(kept[2])
            torch.use_deterministic_algorithms(kept[3])
            os.environ.clear()
            os.environ.update(environment)
            sys.path[:] = path
            if "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")


@contextlib.contextmanager
def as_main(module: types.ModuleType) -> Iterator[None]:
    """Lets `module` be `__main__`: its classes pickle, and `if __name__ == "__main__"` runs."""
    kept = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield
    finally:
        sys.modules["__main__"] = kept


def new_module() -> types.ModuleType:
    return types.ModuleType("__main__")


def _told(error: BaseException, page: str) -> str:
    """The traceback's lines that are the page's own, and the error."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == page]
    lines = [f"{page}:{frame.lineno}: {frame.line or ''}".rstrip(": ") for frame in frames]
    lines += "".join(traceback.format_exception_only(error)).splitlines()
    if isinstance(error, NameError):
        lines.append(
            "(defined in the fence before? then this one continues it: {.python .continues})"
        )
    return "\n".join(lines)


def run_python(body: str, module: types.ModuleType, page: str, line: int) -> str:
    """Runs a python fence in `module` and returns its stdout.

    Args:
        body: The code.
        module: Its namespace, changed in place.
        page: The page's path, for messages.
        line: The line of the fence's opening: the code's lines are those of the page.

    Raises:
        FenceError: The code raised, or asked to exit with an error.
    """
    printed = io.StringIO()
    # Line numbers of messages are those of the page, and `inspect.getsource` finds the text.
    source = "\n" * line + body
    linecache.cache[page] = (len(source), None, source.splitlines(keepends=True), page)
    try:
        code = compile(source, page, "exec", dont_inherit=True)
        with as_main(module), contextlib.redirect_stdout(printed):
            exec(code, module.__dict__)
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        if error.code not in (None, 0):
            raise FenceError(_told(error, page)) from None
    except BaseException as error:
        raise FenceError(_told(error, page)) from None
    return printed.getvalue()


class Checker(doctest.OutputChecker):
    """Doctest's rules for what is compared, ours for how."""

    def __init__(self, tolerance: Decimal | None = None) -> None:
        self.tolerance = tolerance

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        want = re.sub(rf"(?m)^{re.escape(doctest.BLANKLINE_MARKER)}\s*?$", "", want)
        return difference(want, got, self.tolerance) is None


class Recorder(doctest.DocTestRunner):
    """Keeps what each example of a session gave, as it would be written on the page."""

    def __init__(self, tolerance: Decimal | None) -> None:
        super().__init__(Checker(tolerance), verbose=False, optionflags=DOCTEST_FLAGS)
        self.wrong: list[str] = []
        self.got: dict[int, str] = {}

    def report_start(self, out: Any, test: Any, example: Any) -> None:
        pass

    def report_success(self, out: Any, test: Any, example: Any, got: str) -> None:
        self.got[example.lineno] = got

    def report_failure(self, out: Any, test: Any, example: Any, got: str) -> None:
        self.got[example.lineno] = got
        label = f"{test.filename}:{test.lineno + example.lineno + 1}"
        assert isinstance(self._checker, Checker)
        diff = difference(example.want, got, self._checker.tolerance, label=label) or ""
        self.wrong.append(f"{label}: >>> {example.source.rstrip()}\n{diff}")

    def report_unexpected_exception(self, out: Any, test: Any, example: Any, exc_info: Any) -> None:
        label = f"{test.filename}:{test.lineno + example.lineno + 1}"
        told = "".join(traceback.format_exception_only(exc_info[1])).rstrip()
        self.wrong.append(f"{label}: >>> {example.source.rstrip()}\n{told}")


def run_session(
    body: str, module: types.ModuleType, page: str, line: int, tolerance: Decimal | None = None
) -> tuple[str, str | None]:
    """Runs a `>>>` session.

    Returns:
        The session as it came, examples and their outputs, and what is wrong or None.
    """
    test = doctest.DocTestParser().get_doctest(body, module.__dict__, page, page, line)
    if not test.examples:
        return body, "a pycon fence holds no >>> line"
    test.globs = module.__dict__  # not the copy: a continuation sees what was bound
    runner = Recorder(tolerance)
    with as_main(module):
        runner.run(test, out=lambda _: None, clear_globs=False)
    parts = []
    lines = body.splitlines(keepends=True)
    for number, example in enumerate(test.examples):
        height = example.source.count("\n")
        parts += lines[example.lineno : example.lineno + height]
        got = runner.got.get(example.lineno, example.want)
        parts.append(re.sub(r"(?m)^$(?=\n)", doctest.BLANKLINE_MARKER, got) if got.strip() else "")
        last = number + 1 == len(test.examples)
        after = lines[example.lineno + height + example.want.count("\n") :]
        if not last and after and not after[0].strip():
            parts.append("\n")
    return "".join(parts), "\n\n".join(runner.wrong) or None


def _shell(script: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
    bash = shutil.which("bash")
    if bash is None:
        raise FenceError("there is no bash here to run this fence with")
    with tempfile.TemporaryDirectory(prefix="page-", ignore_cleanup_errors=True) as scratch:
        try:
            return subprocess.run(
                [bash, "-c", script],
                cwd=scratch,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SHELL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise FenceError(f"did not end within {SHELL_SECONDS} s") from None


def run_bash(body: str) -> str:
    """Runs a script under `set -eu` in a temporary directory and returns its stdout.

    Raises:
        FenceError: It failed; the message holds what it wrote to stderr.
    """
    done = _shell("set -eu\n" + body)
    if done.returncode:
        raise FenceError(
            f"exit status {done.returncode}\n{done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


def commands(body: str) -> list[tuple[str, str]]:
    """The `$ ` commands of a console fence, each with the output that stands beneath it."""
    found: list[tuple[str, str]] = []
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line, ""))
        elif found and line.startswith("> ") and not found[-1][1]:
            found[-1] = (found[-1][0] + line, "")
        elif found:
            found[-1] = (found[-1][0], found[-1][1] + line)
        elif line.strip():
            raise FenceError("a console fence starts with a `$ ` line")
    return found


def run_console(body: str) -> list[tuple[str, str, str, int]]:
    """Runs a console fence's commands in one shell.

    Returns:
        For each command: its text, the output that the page shows, what came, its exit status.
    """
    wanted = commands(body)
    script = ["exec 2>&1"]
    for command, _ in wanted:
        script.append(re.sub(r"(?m)^[$>] ", "", command).rstrip("\n"))
        script.append(f'printf "\\n{MARK} %d\\n" "$?"')
    came = re.split(rf"\n{MARK} (\d+)\n", _shell("\n".join(script)).stdout)
    if len(came) != 2 * len(wanted) + 1:
        raise FenceError(f"the shell ended early:\n{came[-1]}")
    return [
        (command, want, came[2 * i], int(came[2 * i + 1]))
        for i, (command, want) in enumerate(wanted)
    ]
