"""How the site's build grows with the number of chapters, and what a chapter adds to the gate.

`python benchmarks/growth.py [COPIES ...]`: builds the site with so many more chapters (0 8 24),
each a copy of one that is there under another name, in a copy of the tracked files; figures are
drawn before, labs are not executed. What a chapter's snippets take is in docs/verified.json.
Prints seconds, and the slope by least squares.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import linear_regression

from lineage_lab.comparing.provenance import provenance
from lineage_lab.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "docs/chapters").glob("*.md"))


def timed(command: list[str], folder: Path) -> float:
    environment = {
        **os.environ, "LAB_EXECUTE": "false", "NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(folder / "src"),
    }  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - start


def with_chapters(folder: Path, numbers: Iterable[int]) -> None:
    """Adds copies to the tree and to the navigation."""
    config = folder / "mkdocs.yml"
    lines = config.read_text(encoding="utf-8").splitlines()
    for number in numbers:
        source = CHAPTERS[number % len(CHAPTERS)]
        name = f"chapters/{source.stem}-{number}.md"
        shutil.copy(source, folder / "docs" / name)
        place = next(i for i, line in enumerate(lines) if f"chapters/{source.name}" in line)
        indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
        lines.insert(place + 1, f"{indent}- Copy {number}: {name}")
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("copies", type=int, nargs="*", default=[0, 8, 24])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    builds: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "tree"
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True,
                               text=True, check=True).stdout.split("\0")  # fmt: skip
        for name in filter(None, files):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        build = [sys.executable, "-m", "mkdocs", "build", "--quiet"]
        timed(build, folder)  # draws the figures
        there = 0
        for copies in sorted(given.copies):
            with_chapters(folder, range(there, copies))
            there = copies
            builds[len(CHAPTERS) + copies] = seconds = timed(build, folder)
            print(f"build, {len(CHAPTERS) + copies:3} chapters: {seconds:6.1f} s", flush=True)
    slope = math.nan
    if len(builds) > 1:
        slope, _ = linear_regression([float(n) for n in builds], list(builds.values()))
        print(f"build, a chapter more: {slope:6.2f} s")
    if given.json:
        found = {"builds": builds, "slope": slope, "provenance": provenance()}  # fmt: skip
        write_whole(given.json, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
