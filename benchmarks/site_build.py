"""How long the site's build takes: cold, and again after the edit of a page.

`python benchmarks/site_build.py [OTHER] [--laps 2]`: builds copies of this checkout and, beside it,
of another one, turn by turn: without figures, strictly, labs not executed. Then `mkdocs serve
--dirty` runs in each copy, a chapter is edited, and the time until it is built again is taken.
Prints seconds, seconds of the processor, and ratios to the other checkout.
"""

import argparse
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = (".git", ".venv", ".cache", "site", "generated", "__pycache__", "node_modules")
EDITED = "docs/chapters/vgg.md"
BUILT = "Documentation built in"
LIMIT = 1800  # seconds that a first build may take


def environment(tree: Path) -> dict[str, str]:
    return {
        **os.environ, "LAB_EXECUTE": "false", "NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(tree / "src"),
    }  # fmt: skip


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cold(tree: Path) -> tuple[float, float]:
    """Seconds of a build without figures, and seconds of the processor."""
    for name in ("docs/generated", ".cache", "site"):
        shutil.rmtree(tree / name, ignore_errors=True)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    start, used = time.perf_counter(), processor_seconds()
    done = subprocess.run(command, cwd=tree, env=environment(tree), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the build of {tree.name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - start, processor_seconds() - used


def after_edits(tree: Path, edits: int) -> list[float]:
    """Seconds of each rebuild after an edit, as `mkdocs serve --dirty` gives them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    log = tree / "serve.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "mkdocs", "serve", "--dirty", "--dev-addr", address],
            cwd=tree, env=environment(tree), stdout=stream, stderr=stream,
        )  # fmt: skip
    try:
        for number in range(edits + 1):
            deadline = time.monotonic() + LIMIT
            while log.read_text().count(BUILT) <= number:
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"mkdocs serve gave up in {tree.name}:\n{log.read_text()[-2000:]}")
                time.sleep(0.2)
            if number < edits:
                time.sleep(2)  # the file system's clock is coarse
                with (tree / EDITED).open("a", encoding="utf-8") as page:
                    page.write("\nOne sentence more.\n")
    finally:
        server.terminate()
        server.wait()
    lines = [line for line in log.read_text().splitlines() if BUILT in line]
    return [float(line.split(BUILT)[1].split()[0]) for line in lines[1 : edits + 1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, nargs="?", help="another checkout, to compare with")
    parser.add_argument("--laps", type=int, default=2)
    given = parser.parse_args()
    sources = {"this": ROOT, **({"other": given.other} if given.other else {})}
    builds: dict[str, list[tuple[float, float]]] = {name: [] for name in sources}
    edits: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        trees = {name: Path(folder) / name for name in sources}
        for name, source in sources.items():
            shutil.copytree(source, trees[name], ignore=shutil.ignore_patterns(*LEFT_OUT))
        for _ in range(given.laps):
            for name, tree in trees.items():
                builds[name].append(cold(tree))
                wall, used = builds[name][-1]
                print(f"{name:6} cold build {wall:7.1f} s, processor {used:7.1f} s", flush=True)
        for name, tree in trees.items():
            edits[name] = after_edits(tree, 1 + given.laps)
            print(f"{name:6} rebuilds after an edit {edits[name]} s", flush=True)
    if given.other:
        for kind, at in (("seconds", 0), ("processor", 1)):
            of = {name: median(lap[at] for lap in laps) for name, laps in builds.items()}
            print(f"cold build, {kind}, this to other: {of['this'] / of['other']:.2f}")
        ratio = median(edits["this"]) / median(edits["other"])
        print(f"rebuild after an edit, this to other: {ratio:.2f}")


if __name__ == "__main__":
    main()
