"""The commands that CONTRIBUTING.md gives, run from its text."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.harness import covered_fences

ROOT = Path(__file__).parents[2]


def test_one_page() -> None:
    me = "tests/repository/test_contributing.py::test_one_page"
    (fence,) = covered_fences(ROOT / "CONTRIBUTING.md", me)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        ["bash", "-euc", fence], cwd=ROOT, env={**clean, "PATH": path}, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
