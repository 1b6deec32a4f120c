"""What untrained blocks leave of a photograph, and what one unit of ResNet-50 sees of it."""

from functools import cache

import torch
from PIL import Image
from torch import Tensor

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.chapters.resnet import linear_guess, one_stage, photograph
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.resnet import IMAGENET, ResNet, ResNetConfig, paper, plain

__all__ = ["draw", "net"]

DEPTHS = (1, 3, 9, 27)


def draw() -> dict[str, str]:
    """The two figures with the photograph."""
    return {"arrives.svg": _arrives(), "fields.svg": _fields()}


def _column(config: ResNetConfig, picture: Tensor, seed: int) -> dict[int, tuple[Tensor, float]]:
    """What is left after 1, 3, 9 and 27 untrained blocks of one stage of 16 channels."""
    torch.manual_seed(seed)
    model = ResNet(num_classes=10, config=config).train()
    guesses = {}
    with torch.no_grad():
        x = model.stem(picture)
        for depth, block in enumerate(model.stages[0].children(), 1):
            x = block(x)
            if depth in DEPTHS:
                guesses[depth] = linear_guess(x, picture)
    return guesses


@cache
def net(config: ResNetConfig) -> Anatomy:
    """The anatomy of a form for images of 224 × 224 pixels, found once."""
    with torch.device("meta"):  # its weights are not looked at
        model = ResNet(config=config)
    return describe(model, (3, 224, 224))


def _image(picture: Tensor) -> Image.Image:
    levels = (picture[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte()
    return Image.fromarray(levels.numpy())


def _arrives() -> str:
    """Two rows of photographs: what can be read out of a plain and of a residual stack."""
    picture = photograph(112)
    form = one_stage(max(DEPTHS))
    rows = {"plain": _column(plain(form), picture, 0), "residual": _column(form, picture, 0)}
    side, left, gap = 124, 84, 10
    d = Drawing(
        "resnet-arrives",
        width=left + 5 * (side + gap),
        height=2 * side + 104,
        title="What is left of a photograph after untrained blocks",
        description="Two rows of a photograph of a Chinese palace, as it can be read out after 1, "
        "3, 9 and 27 untrained blocks. "
        + " ".join(
            f"{name}: "
            + ", ".join(f"{share:.0%} of the variance after {n}" for n, (_, share) in row.items())
            + "."
            for name, row in rows.items()
        ),
    )
    heads = ["input", *(f"{n} block{'s' if n > 1 else ''}" for n in DEPTHS)]
    for column, words in enumerate(heads):
        d.text(left + column * (side + gap) + side / 2, 20, words, anchor="middle", weight=700)
    for index, (name, row) in enumerate(rows.items()):
        y = 32 + index * (side + 38)
        d.text(
            left - 12,
            y + side / 2 + 4,
            name,
            anchor="end",
            weight=700,
            fill="output" if index else "conv",
        )
        d.photo(left, y, side, _image(picture))
        for column, (guess, share) in enumerate(row.values(), 1):
            x = left + column * (side + gap)
            d.photo(x, y, side, _image(guess))
            d.text(x + side / 2, y + side + 20, f"{share:.0%} is left", anchor="middle", size=12.5)
    return d.svg()


def _fields() -> str:
    """What a unit in the middle of each stage sees of a photograph of 224 × 224 pixels."""
    forms = (("the paper’s (v1)", paper(50)), ("torchvision’s (v1.5)", IMAGENET[50]))
    found = []
    for _, config in forms:
        layers = net(config).layers
        ends = ("stem.3", *(f"stages.{s}.{n - 1}.relu" for s, n in enumerate(config.blocks)))
        found.append(
            [
                next(x.receptive_field or 0 for x in reversed(layers) if x.name == end)
                for end in ends
            ]
        )
    names = ("stem", *(f"stage {s}" for s in range(1, 5)))
    kinds = ("norm", "dense", "conv", "act", "output")
    d = Drawing(
        "resnet-fields",
        width=760,
        height=424,
        title="What one unit of ResNet-50 sees",
        description="Two photographs with nested squares: the side in pixels of what a unit in "
        "the middle sees. "
        + " ".join(
            f"{form}: "
            + ", ".join(f"{n} {size}" for n, size in zip(names, sizes, strict=True))
            + "."
            for (form, _), sizes in zip(forms, found, strict=True)
        ),
    )
    scale = 330 / max(max(sizes) for sizes in found)
    for index, ((form, _), sizes) in enumerate(zip(forms, found, strict=True)):
        middle_x, middle_y = 184 + 392 * index, 200
        photo = 224 * scale
        d.text(middle_x, 20, form, anchor="middle", weight=700)
        d.photo(middle_x - photo / 2, middle_y - photo / 2, photo, _image(photograph(224)))
        for name, kind, size in zip(names, kinds, sizes, strict=True):
            half = size * scale / 2
            d.rect(
                middle_x - half, middle_y - half, 2 * half, 2 * half, stroke=kind, stroke_width=2.4
            )
            x = middle_x + 70 * (names.index(name) - 2)
            d.text(x, 394, f"{size}", size=14, weight=700, anchor="middle", fill=kind)
            d.text(x, 412, name, size=12, anchor="middle", fill=kind)
    return d.svg()
