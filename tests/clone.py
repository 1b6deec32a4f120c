"""The files of a fresh clone, for tests that build or change them."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def files() -> list[str]:
    """What git knows, and what it would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def cloned(folder: Path) -> Path:
    for name in files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder
