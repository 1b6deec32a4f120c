"""Would the tests notice? Mutation testing of the harness and of the exercises' checkers.

`make prove` takes a sample of small changes to their code, makes each in a copy of the repository,
and runs the tests that answer for that code. A change that no test notices has survived: it is
printed. `MUTANTS=0` tries all of them, which takes hours. Cosmic Ray makes the changes; those that
only touch an annotation are no change and are not counted.

With `--json FILE` the score is kept, for the page that shows it. A survivor that changes nothing
which can be seen is explained in `EXPLAINED`. The sample is drawn by a digest of each change, so
that an edit elsewhere leaves it as it is.
"""

from __future__ import annotations

import argparse
import ast
import concurrent.futures
import difflib
import hashlib
import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEED = 0
TIMEOUT = 120
# What reads, runs, compares and rewrites a page. (`plugin` and `html` are tried by every page.)
HARNESS = (
    "src/lineage_site/mkdocs/before_fences.py",
    *(f"tests/docs/harness/{name}.py" for name in ("accept", "compare", "grammar", "page", "run")),
    "tests/docs/harness/verified.py",
)
ANSWERS = tuple(f"tests/docs/test_{name}.py" for name in ("compare", "bad_pages", "accept"))

# (the operator, the line before the change: two patterns, each searched for; why nothing can be
# seen of it).
EXPLAINED = (
    (
        "NumberReplacer",
        r"manual_seed|torch\.(ones|zeros)|WIDTH = |INPUTS = |ResNet\(|ResNetConfig\(|for j in",
        "the seed or the size of a trial: another serves as well",
    ),
    ("", r"torch\.rand", "the numbers of a trial are drawn: others serve as well"),
    ("NumberReplacer|Mul_", r"attend\(1000 \* q", "any large scores will do"),
    ("NumberReplacer", r"^ +\(\d+(, \d+)+\),$", "a trial: another serves as well"),
    ("NumberReplacer", r"json\.dumps\(.*indent=", "how a file is indented"),
    (
        "(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt)$",
        r"abs\(|std\(|diff\(|max\(|atol",
        "the numbers beside the bound are not whole, and none meets it",
    ),
    ("BitOr_(Add|BitXor)$", "DOCTEST_FLAGS", "the two flags have no bit in common"),
    ("NumberReplacer", r"_maps\(seed=", "the seed of a trial: another serves as well"),
    ("NumberReplacer", "if expand > 1 else 0", "a hint's key that no answer meets"),
    ("NumberReplacer", r"describe\(network", "the size of a trial: another serves as well"),
    ("Eq_LtE$", "expand == 1", "no block's expansion is below one"),
    ("Eq_LtE$", 'language == "bash"', "no language that is run comes before it"),
    ("(Eq_Is|NotEq_IsNot)$", "", "CPython keeps one object for a small number or a name"),
    ("Sub_", r"_maps\(seed=3\)\)\.square", "any loss sends a gradient"),
    ("Mul_FloorDiv$", r"0 \* image", "zeros either way"),
)


@dataclass(frozen=True)
class Mutant:
    """One change: the file, its text after the change, and the lines that differ."""

    path: str
    operator: str
    text: str
    diff: str

    @property
    def lot(self) -> str:
        """What draws it into the sample: the change itself, wherever in the file it stands."""
        change = [line for line in self.diff.splitlines() if not line.startswith("@@")]
        return hashlib.sha256("\n".join((str(SEED), self.path, *change)).encode()).hexdigest()

    def why(self) -> str | None:
        """The reason why it can't be noticed, if one is known."""
        old = "\n".join(line[1:] for line in self.diff.splitlines() if line[0] == "-")
        for operator, before, reason in EXPLAINED:
            if re.search(operator, self.operator) and re.search(before, old):
                return reason
        return None


def tests_of(path: str) -> tuple[str, ...]:
    """What answers for a file."""
    name = pathlib.Path(path).stem
    if name == "verified":
        return ("tests/docs/test_verified.py",)
    if path in HARNESS:
        return ANSWERS
    return ("tests/exercises/test_checkers.py", *(() if name == "__init__" else ("-k", name)))


def targets() -> list[pathlib.Path]:
    return [
        *(ROOT / path for path in HARNESS),
        *sorted((ROOT / "src/lineage_lab/exercises").glob("*.py")),
    ]


def meaning(text: str) -> str:
    """A module's syntax tree without its annotations."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = None  # type: ignore[assignment]
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.dump(tree)


def mutants(path: pathlib.Path) -> Iterator[Mutant]:
    source = path.read_text(encoding="utf-8")
    same, name = meaning(source), path.relative_to(ROOT).as_posix()
    for operator in operator_names():
        kind = get_operator(operator)
        # The replacer of exceptions stumbles over a name with a dot.
        if kind.arguments() or operator.endswith(("NoOp", "ExceptionReplacer")):
            continue
        occurrence = 0
        while (changed := mutate_code(source, kind(), occurrence)) is not None:
            occurrence += 1
            try:
                if meaning(changed) == same:
                    continue
            except SyntaxError:
                continue
            lines = difflib.unified_diff(
                source.splitlines(), changed.splitlines(), n=0, lineterm=""
            )
            diff = "\n".join(line for line in lines if not line.startswith(("---", "+++")))
            yield Mutant(name, operator.split("/")[1], changed, diff)


def noticed(copy: pathlib.Path, mutant: Mutant | None, tests: tuple[str, ...]) -> bool:
    """Whether the tests fail, or never end, with the change made in the copy."""
    file = copy / mutant.path if mutant else None
    before = file.read_text(encoding="utf-8") if file else ""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "MAKE"))}
    if mutant:  # bytecode is left from the run without any change
        clean["PYTHONDONTWRITEBYTECODE"] = "1"
    if file and mutant:
        file.write_text(mutant.text, encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
            cwd=copy, capture_output=True, timeout=TIMEOUT, check=False,
            env={**clean, "PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        if file:
            file.write_text(before, encoding="utf-8")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=200, help="how many to try; 0 for all")
    parser.add_argument("--only", default="", help="files whose path has this in it")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    sys.path[:0] = [str(ROOT)]
    from tests.clone import cloned

    every = [m for path in targets() if given.only in path.as_posix() for m in mutants(path)]
    chosen = sorted(every, key=lambda mutant: mutant.lot)[: given.mutants or None]
    print(f"{len(chosen)} of {len(every)} changes, seed {SEED}", flush=True)
    copies: queue.Queue[pathlib.Path] = queue.Queue()
    start = time.monotonic()
    survivors: list[Mutant] = []
    score: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.workers):
            copies.put(cloned(pathlib.Path(folder) / str(number)))
        for copy in tuple(copies.queue):
            for tests in sorted({tests_of(m.path) for m in chosen}):
                if noticed(copy, None, tests):
                    print(f"these fail without any change: {' '.join(tests)}", file=sys.stderr)
                    return 2

        def judge(mutant: Mutant) -> tuple[Mutant, bool]:
            copy = copies.get()
            try:
                return mutant, noticed(copy, mutant, tests_of(mutant.path))
            finally:
                copies.put(copy)

        with concurrent.futures.ThreadPoolExecutor(given.workers) as pool:
            for mutant, was in pool.map(judge, chosen):
                score.setdefault(mutant.path, Counter())["noticed" if was else "survived"] += 1
                if not was:
                    survivors.append(mutant)
                    print(f"survived: {mutant.path} {mutant.operator}\n{mutant.diff}", flush=True)
                    print(f"explained: {mutant.why() or 'not yet'}", flush=True)
    explained = [m for m in survivors if m.why()]
    for path, counts in sorted(score.items()):
        print(f"{path:48} {counts['noticed']:4} of {counts.total():4} noticed")
    caught = len(chosen) - len(survivors)
    seconds = time.monotonic() - start
    print(f"score: {caught} of {len(chosen)} noticed ({caught / len(chosen):.1%}), of the "
          f"{len(survivors)} others {len(explained)} explained; {seconds:.0f} s")  # fmt: skip
    if given.json:
        from lineage_lab.comparing.provenance import provenance

        found = {
            "changes": len(every), "tried": len(chosen), "seed": SEED, "seconds": round(seconds),
            "files": {path: {"tried": counts.total(), "noticed": counts["noticed"]}
                      for path, counts in sorted(score.items())},
            "explained": len(explained), "provenance": provenance(),
        }  # fmt: skip
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0 if len(explained) == len(survivors) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
