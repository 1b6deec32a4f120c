"""Fields on a photograph, and where in a field its weight is."""

import torch
from PIL import Image

from lineage_lab.anatomy.network import describe
from lineage_lab.chapters.efficientnet import as_input
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.efficientnet import EfficientNet
from lineage_lab.registry import create_model
from lineage_site.pages.receptive_fields.row import Row

__all__ = ["effective", "gradient", "still"]

SCALE = 1.72  # of the first picture
SIDE, GAP = 196.0, 16.0  # of the second picture's panels
DEPTHS = (2, 4, 6)  # stages of Lite0 that it looks behind


def still(photo: Image.Image, layers: tuple[Row, ...]) -> str:
    """The fields of one unit behind each stage of VGG-16, one inside the other."""
    pools = [row for row in layers if "pooling" in row.what]
    told = "; ".join(f"behind stage {n}, {row.size} pixels" for n, row in enumerate(pools, 1))
    side = photo.width * SCALE
    d = Drawing(
        "fields-still",
        width=side + 236,
        height=side + 4,
        title="What one unit of VGG-16 sees of a photograph, stage by stage",
        description=f"Squares on the photograph of a cat, one inside the other: {told}. "
        f"The photograph is {photo.width} pixels wide.",
    )
    d.photo(2, 2, side, photo.resize((2 * photo.width,) * 2, Image.Resampling.NEAREST))
    for number, row in enumerate(pools, 1):
        assert row.size
        left = (row.left + row.units // 2 * row.stride) * SCALE + 2
        width = row.size * SCALE
        d.rect(left, left, width, width, stroke="paper", stroke_width=4.5)
        d.rect(left, left, width, width, stroke="output", stroke_width=2)
        y = 30 + (len(pools) - number) * 62
        at = left + width, min(max(y - 4, left), left + width)
        d.arrow([at, (side + 14, y - 4)], head=False, stroke="paper", stroke_width=4)
        d.arrow([at, (side + 14, y - 4)], head=False, stroke="output")
        d.text(side + 20, y, f"behind stage {number}: {row.size} px", weight=650)
        d.text(
            side + 20,
            y + 17,
            f"{row.units}×{row.units} units, {row.stride} px apart",
            fill="muted",
            size=12,
        )
    return d.svg()


def gradient(image: torch.Tensor, depth: int) -> tuple[torch.Tensor, int, int]:
    """How much each pixel moves the unit in the middle of Lite0's map behind some stages.

    Args:
        image: ``float [1, 3, side, side]``, as the weights want it.
        depth: Stages to go through.

    Returns:
        The gradient's size at each pixel, ``[side, side]``; the first pixel of the unit's
        field and the field's side, by the rule.
    """
    model = create_model("efficientnet_lite0", weights="imagenet").eval().requires_grad_(False)
    assert isinstance(model, EfficientNet)
    front = torch.nn.Sequential(model.stem, *list(model.stages)[:depth])
    pixels = image.clone().requires_grad_()
    units = front(pixels)
    middle = units.shape[-1] // 2
    units[0, :, middle, middle].norm().backward()
    assert pixels.grad is not None
    field = describe(front, image.shape[1:]).field
    assert field
    return pixels.grad[0].abs().sum(0), field.left + middle * field.stride, field.size


def effective(photo: Image.Image) -> str:
    """Where the weight of a field lies, in a network that was trained."""
    found = [(depth, *gradient(as_input(photo, photo.width), depth)) for depth in DEPTHS]
    told = "; ".join(f"behind stage {n} a field of {size} pixels" for n, _, _, size in found)
    d = Drawing(
        "fields-effective",
        width=len(found) * (SIDE + GAP) - GAP + 4,
        height=SIDE + 56,
        title="Where the weight of a field lies: gradients of EfficientNet-Lite0",
        description="Three squares, each as large as the photograph. The more ink, the more a "
        f"pixel moves the unit in the middle: {told}. In each, the ink gathers well inside the "
        "field and fades towards its edge.",
    )
    for place, (depth, weight, left, size) in enumerate(found):
        x, scale = 2 + place * (SIDE + GAP), SIDE / photo.width
        small = torch.nn.functional.avg_pool2d(weight[None], 2)[0]
        levels = (small / small.quantile(0.999)).clamp(0, 1).sqrt()
        d.picture(x, 2, 2 * scale, levels.tolist(), frame="line")
        if left >= 0 and left + size <= photo.width:
            d.rect(
                x + left * scale,
                2 + left * scale,
                size * scale,
                size * scale,
                stroke="output",
                stroke_width=1.8,
            )
            where = f"field: {size} px, the square"
        else:
            where = f"field: {size} px, beyond the picture"
        d.text(x, SIDE + 24, f"behind stage {depth}", weight=650)
        d.text(x, SIDE + 42, where, size=12, fill="muted")
    return d.svg()
