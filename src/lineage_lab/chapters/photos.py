"""The photographs of the figures: they come with scikit-learn and scikit-image.

The files are read without these packages, whose import takes seconds.
"""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

__all__ = ["location", "middle_square", "sample"]


def location(name: str, *, package: str = "sklearn") -> Path:
    """Where a photograph's file lies.

    Args:
        name: The file's: ``china.jpg`` (by Daniel Büchele, CC BY) or ``flower.jpg`` of
            scikit-learn; such as ``coffee.png`` of scikit-image.
        package: Whose it is: ``sklearn`` or ``skimage``.

    Raises:
        FileNotFoundError: The package is not installed, or has no such photograph.
    """
    folder = {"sklearn": "datasets/images", "skimage": "data"}[package]
    spec = find_spec(package)
    path = Path(spec.origin).parent / folder / name if spec and spec.origin else None
    if path is None or not path.is_file():
        distribution = {"sklearn": "scikit-learn", "skimage": "scikit-image"}[package]
        raise FileNotFoundError(
            f"the photograph {name} comes with {distribution}: pip install {distribution}"
        )
    return path


def sample(name: str, *, package: str = "sklearn") -> Image.Image:
    """A photograph in RGB; see `location`."""
    with Image.open(location(name, package=package)) as opened:
        return opened.convert("RGB")


def middle_square(image: Image.Image) -> Image.Image:
    """The square in the middle of a photograph."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
