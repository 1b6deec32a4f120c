"""Small pictures for tests of folders: each different from all others, or as asked for."""

from pathlib import Path

import numpy as np
from PIL import Image

_MADE = iter(range(10**9))


def picture(path: Path, *, kind: str | None = None, level: int | None = None) -> Path:
    """A picture of 16 × 16 pixels; of one level, or of noise that no other picture has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(next(_MADE))
    pixels = generator.integers(0, 256, (16, 16, 3), np.uint8)
    if level is not None:
        pixels[:] = level
    Image.fromarray(pixels).save(path, kind)
    return path


def fill(root: Path, tree: dict[str, int], ending: str = ".jpg") -> Path:
    """So many pictures in each of these folders."""
    for folder, count in tree.items():
        for number in range(count):
            picture(root / folder / f"{number}{ending}")
    return root
