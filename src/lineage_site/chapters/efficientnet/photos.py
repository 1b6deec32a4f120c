"""What EfficientNet-Lite0, with its published weights, sees in real photographs."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lineage_lab.chapters.efficientnet import as_input
from lineage_lab.chapters.photos import middle_square, sample
from lineage_lab.comparing.axes import COLOURS, Axes, Box, polyline
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.efficientnet import EfficientNet
from lineage_lab.registry import create_model
from lineage_lab.using.predictor import imagenet_classes

__all__ = ["photographs"]

# Package, file in it, and the class whose evidence is shown.
PHOTOS = (
    ("skimage", "chelsea.png", "Egyptian cat", "cat"),
    ("skimage", "coffee.png", "espresso", "cup"),
    ("sklearn", "flower.jpg", "daisy", "flower"),
    ("sklearn", "china.jpg", "palace", "tower"),
)
SIDES = (96, 128, 160, 192, 224, 256, 320, 448)


def photographs() -> dict[str, str]:
    """The first layer's filters, the class activation maps, and the effect of resolution."""
    model = create_model("efficientnet_lite0", weights="imagenet").eval()
    assert isinstance(model, EfficientNet)
    found = _found()
    return {
        "filters.svg": _filters(model),
        "cam.svg": _maps(model, found),
        "resolution.svg": _resolution(model, found),
    }


def _found() -> list[tuple[Image.Image, str, str]]:
    """The photographs whose package is installed, cut to a square from the middle."""
    photos = []
    for package, file, label, word in PHOTOS:
        with suppress(FileNotFoundError):
            photos.append((middle_square(sample(file, package=package)), label, word))
    return photos


def _filters(model: EfficientNet) -> str:
    """The 32 filters of 3 × 3 pixels, in colour."""
    weights = next(model.stem.parameters()).detach()
    order = weights.flatten(1).norm(dim=1).argsort(descending=True)
    cell, across = 13, 16
    step = 3 * cell + 8
    d = Drawing(
        "efficientnet-filters",
        width=across * step - 8 + 2,
        height=2 * step + 22,
        title="The first layer of EfficientNet-Lite0, trained on ImageNet",
        description="Thirty-two filters of 3 by 3 pixels in colour, the largest weights first. "
        "Some tell light from dark across an edge, lying, standing or slanted; some tell one "
        "colour from another; the last four are zero.",
    )
    limit = weights.abs().amax()
    for place, index in enumerate(order.tolist()):
        level = weights[index] / weights[index].abs().amax().clamp_min(0.1 * limit)
        pixels = ((level + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        image = Image.fromarray(pixels).resize((48, 48), Image.Resampling.NEAREST)
        x, y = 1 + place % across * step, 1 + place // across * step
        d.photo(x, y, 3 * cell, image)
        d.rect(x, y, 3 * cell, 3 * cell, stroke="line")
    d.text(
        1,
        2 * step + 12,
        "grey: weight 0 · each filter scaled by its own largest weight",
        size=12,
        fill="muted",
    )
    return d.svg()


@torch.no_grad()
def _evidence(model: EfficientNet, image: Image.Image, label: str) -> tuple[Tensor, float]:
    """The class's map ``[side / 32, side / 32]``, and its probability."""
    index = imagenet_classes().index(label)
    features = model.last(model.stages(model.stem(model.pad(as_input(image, 224)))))[0]
    scores = model.head(features.mean(dim=(1, 2)))
    evidence = torch.einsum("c,chw->hw", model.head.weight[index], features)
    return evidence, scores.softmax(0)[index].item()


def _maps(model: EfficientNet, photos: Sequence[tuple[Image.Image, str, str]]) -> str:
    """Each photograph, and the same lit where the evidence for its class is."""
    side, gap = 176.0, 14.0
    evidence = [_evidence(model, image, label) for image, label, _ in photos]
    d = Drawing(
        "efficientnet-cam",
        width=len(photos) * (side + gap) - gap + 2,
        height=2 * side + 58,
        title="Where the evidence is",
        description="Photographs above; below, the same, dark but for the places that speak for "
        "the class: "
        + ", ".join(
            f"{word}: {label} with {100 * probability:.0f} percent"
            for (_, label, word), (_, probability) in zip(photos, evidence, strict=True)
        )
        + ". The lit places lie on the thing that is named.",
    )
    for place, ((image, label, _), (map_, probability)) in enumerate(
        zip(photos, evidence, strict=True)
    ):
        x = 1 + place * (side + gap)
        shown = image.resize((256, 256), Image.Resampling.BICUBIC)
        light = map_.clamp_min(0) / map_.max()
        light = F.interpolate(light[None, None], size=(256, 256), mode="bilinear")[0, 0]
        lit = (
            torch.from_numpy(np.array(shown)).float() * (0.16 + 0.84 * light.clamp(0, 1))[..., None]
        )
        d.photo(x, 1, side, shown)
        d.photo(x, side + 9, side, Image.fromarray(lit.byte().numpy()))
        d.text(x + side / 2, 2 * side + 28, label, anchor="middle", weight=650)
        d.text(
            x + side / 2,
            2 * side + 46,
            f"{100 * probability:.0f} %",
            anchor="middle",
            size=12,
            fill="muted",
        )
    return d.svg()


@torch.no_grad()
def _resolution(model: EfficientNet, photos: Sequence[tuple[Image.Image, str, str]]) -> str:
    """The probability of each photograph's class, as the same weights get more pixels."""
    names = imagenet_classes()
    lines = [
        [model(as_input(image, side)).softmax(1)[0, names.index(label)].item() for side in SIDES]
        for image, label, _ in photos
    ]
    d = Drawing(
        "efficientnet-resolution",
        width=690,
        height=324,
        title="The same weights, more pixels",
        description="The probability that Lite0 gives to each photograph's class against the side "
        "of the image. "
        + " ".join(
            f"{word}: "
            + ", ".join(
                f"{100 * p:.0f} percent at {s} pixels" for s, p in zip(SIDES, line, strict=True)
            )
            + "."
            for (_, _, word), line in zip(photos, lines, strict=True)
        ),
    )
    frame: Box = (64, 34, 580, 270)
    axes = Axes(d, frame, (80, 460), (0, 100), ("side of the image, pixels", "probability, %"))
    trained = axes.x(224)
    d.line(trained, frame[1], trained, frame[3], stroke="muted", dash="2 3")
    d.text(trained, frame[1] - 8, "trained at 224", size=12, anchor="middle", fill="muted")
    level = frame[3] + 13
    order = sorted(range(len(lines)), key=lambda index: lines[index][-1])
    for index in order:
        label, line = photos[index][1], lines[index]
        points = [(axes.x(s), axes.y(100 * p)) for s, p in zip(SIDES, line, strict=True)]
        polyline(d, points, index)
        for x, y in points:
            d.circle(x, y, 2.6, fill=COLOURS[index])
        level = min(points[-1][1] + 4, level - 15)  # names keep clear of one another
        d.text(points[-1][0] + 14, level, label, size=12, fill=COLOURS[index])
    return d.svg()
