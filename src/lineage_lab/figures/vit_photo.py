"""The photograph of the ViT chapter: china.jpg of scikit-learn, by Daniel Büchele, CC BY."""

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

__all__ = ["photograph"]


def photograph(side: int) -> Image.Image:
    """The middle square of it, in ``side`` × ``side`` pixels."""
    spec = find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    with Image.open(Path(spec.origin).parent / "datasets" / "images" / "china.jpg") as opened:
        image = opened.convert("RGB")
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    square = image.crop((left, top, left + edge, top + edge))
    return square.resize((side, side), Image.Resampling.BICUBIC)
