"""Runs the gate step by step and prints what each step took beside budgets.toml.

`python .ci/gate.py lint` runs the quick steps, `all` runs everything. A step that fails does not
stop the next ones, so that one run shows all there is to mend; the exit status is 1 if any failed.
Standard library only.
"""

from __future__ import annotations

import ast
import io
import os
import pathlib
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Step:
    """One command of the gate: a module of this environment, its arguments, extra variables."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


LINT = (
    Step("ruff check", ("ruff", "check")),
    Step("ruff format", ("ruff", "format", "--check")),
    Step("mypy", ("mypy", "--strict", "src")),
    Step("codespell", ("codespell",)),
    Step("shellcheck", ("shellcheck", ".ci/run", ".ci/setup.sh", ".ci/constraints.sh")),
    Step("zizmor", ("zizmor", "--offline", "--quiet", "--pedantic", ".github")),
)
# The strict build, labs executed, is among the tests: one worker builds, the others go on. Each has
# one thread; they are three on two cores, since those that look at pages wait half of the time.
TESTS = Step(
    "pytest",
    ("pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"),
    {"OMP_NUM_THREADS": "1"},
)


def run(step: Step) -> tuple[bool, float, str]:
    """Runs a step, its output shown as it comes; returns success, seconds, and its last line."""
    print(f"\n== {step.name}: {' '.join(step.command)}", flush=True)
    start = time.monotonic()
    # The environment's own folder comes first, whether or not it was activated.
    path = os.pathsep.join((str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")))
    process = subprocess.Popen(
        step.command,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "NO_MKDOCS_2_WARNING": "1", **step.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    last = ""
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()
        raise
    return code == 0, time.monotonic() - start, last


def table(results: Sequence[tuple[Step, bool, float]], total: float) -> str:
    """The steps with their times, and the whole beside its budget."""
    lines = ["", f"{'step':<28}{'seconds':>9}  result"]
    lines += [
        f"{step.name:<28}{spent:>9.1f}  {'ok' if ok else 'FAILED'}" for step, ok, spent in results
    ]
    budget = tomllib.loads((ROOT / "budgets.toml").read_text(encoding="utf-8"))
    lines.append(f"{'all':<28}{total:>9.1f}")
    told = [
        f"{name} {most}{' s' * (part == 'seconds')}"
        for part, limits in budget.items()
        for name, most in limits.items()
    ]
    lines += [f"budgets: {', '.join(told)}", wheel()]
    return "\n".join(lines)


def wheel() -> str:
    """What `pip install` brings: lines of Python, docstrings among them, and the file's size."""
    sources = [p.read_bytes() for p in sorted((ROOT / "src/lineage_lab").rglob("*.py"))]
    lines = sum(source.count(b"\n") for source in sources)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = (node for source in sources for node in ast.walk(ast.parse(source)))
    words = [ast.get_docstring(node, clean=False) for node in nodes if isinstance(node, documented)]
    docstrings = sum(text.count("\n") + 1 for text in words if text)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, source in enumerate(sources):
            archive.writestr(f"{number}.py", source)
    return (
        f"wheel: {lines:,} lines of Python ({docstrings / lines:.1%} docstrings), "
        f"{len(packed.getbuffer()) / 1000:.0f} KB"
    )


def main(arguments: Sequence[str]) -> int:
    """Runs the steps that `arguments` names (`lint` or `all`)."""
    if list(arguments) not in (["lint"], ["all"]):
        print("usage: gate.py lint|all", file=sys.stderr)
        return 2
    steps = LINT if arguments[0] == "lint" else (*LINT, TESTS)
    start = time.monotonic()
    results = []
    last = ""
    for step in steps:
        ok, spent, last = run(step)
        results.append((step, ok, spent))
    print(table(results, time.monotonic() - start))
    failed = [step.name for step, ok, _ in results if not ok]
    if arguments[0] == "all":
        print(f"\n{last}")  # pytest's own closing line
    print(f"gate: {'failed: ' + ', '.join(failed) if failed else 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
