"""The charts of the VGG chapter: signals through the layers, and the recorded runs."""

from collections.abc import Callable
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.anatomy.network import describe
from lineage_lab.chapters.photos import sample
from lineage_lab.comparing.axes import COLOURS, Axes, polyline
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.vgg import CHANNELS, COLUMNS, VGG, stage
from lineage_site.chapters.vgg.runs import STARTS
from lineage_site.drawing.records import read

__all__ = ["field", "pairs", "photo", "signals", "towers", "windows"]


def _part(name: str) -> dict[str, Any]:
    part: dict[str, Any] = read("vgg")[name]
    return part


def photo(width: int, height: int, *, left: int = 0) -> Image.Image:
    """A part of scikit-learn's photograph of a Chinese temple, shrunk."""
    image = sample("china.jpg")
    side = min(image.height, int(image.height * width / height))
    return image.crop((left, 0, left + side, image.height)).resize((width, height))


def _spread_of_signals(start: Callable[[Tensor], Any], image: Tensor) -> list[float]:
    """Standard deviation behind each convolution of VGG-19 with such first weights."""
    torch.manual_seed(0)
    found: list[float] = []
    x, inputs = image, 3
    with torch.no_grad():
        for channels, kernels in zip(CHANNELS, COLUMNS["E"], strict=True):
            for layer in stage(inputs, channels, kernels, norm=False):
                if isinstance(layer, nn.Conv2d):
                    start(layer.weight)
                    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
                x = layer(x)
                if isinstance(layer, nn.Conv2d):
                    found.append(x.std().item())
            inputs = channels
    return found


def signals() -> str:
    """How large the signal is after each convolution of VGG-19, by first weights."""
    china = torch.tensor(np.array(sample("china.jpg"))).float()
    china = ((china - china.mean()) / china.std()).permute(2, 0, 1)[None]
    image = F.interpolate(china, size=(64, 64), mode="area")
    starts = dict(STARTS) | {"σ = 0.1": lambda w: nn.init.normal_(w, 0, 0.1)}
    lines = {name: _spread_of_signals(start, image) for name, start in starts.items()}
    d = Drawing(
        "vgg-signals",
        width=760,
        height=372,
        title="The signal through the 16 convolutions of VGG-19 before training",
        description="Standard deviation of the maps after each convolution, on a logarithmic "
        "scale, for a photograph. After the last one: "
        + "; ".join(f"{name} {v[-1]:.2g}" for name, v in lines.items())
        + ".",
    )
    words = ("convolution, from the image on", "standard deviation, as a power of ten")
    axes = Axes(d, (84, 40, 650, 318), (1, 16), (-9, 9), words)
    for index, (name, values) in enumerate(lines.items()):
        points = [
            (axes.x(i + 1), axes.y(torch.tensor(v).log10().item())) for i, v in enumerate(values)
        ]
        polyline(d, points, index)
        for x, y in points:
            d.circle(x, y, 2.6, fill=COLOURS[index])
        shift = {"Glorot": 12, "He": -2}.get(name, 4)
        d.text(
            points[-1][0] + 12,
            points[-1][1] + shift,
            name,
            size=12.5,
            weight=650,
            fill=COLOURS[index],
        )
    return d.svg()


def windows() -> str:
    """Accuracy of each seed of the four networks that see 7 × 7 pixels."""
    part = _part("windows")
    networks: dict[str, Any] = part["networks"]
    every: list[float] = [100 * a for n in networks.values() for a in n["accuracy"]]
    d = Drawing(
        "vgg-windows",
        width=760,
        height=66 + 52 * len(networks) + 48,
        title="Four networks that see the same 7 by 7 pixels",
        description=f"Accuracy on 1,000 digits, {part['seeds']} seeds each. "
        + "; ".join(
            f"{name}, {n['parameters']:,} weights: {100 * mean(n['accuracy']):.1f} ± "
            f"{100 * stdev(n['accuracy']):.1f} percent"
            for name, n in networks.items()
        )
        + ".",
    )
    left, right, top = 250.0, 700.0, 40.0
    bottom = top + 52 * len(networks)
    low, high = min(every) - 0.4, max(every) + 0.4

    def place(value: float) -> float:
        return left + float(value - low) / (high - low) * (right - left)

    for tick in range(int(low) + 1, int(high) + 1):
        d.line(place(tick), top - 6, place(tick), bottom, dash="2 4")
        d.text(place(tick), bottom + 20, f"{tick}", size=12, anchor="middle", fill="muted")
    d.text(right, bottom + 42, "accuracy in percent", size=12, anchor="end", fill="muted")
    d.text(
        left,
        20,
        f"each disc is one of {part['seeds']} seeds; the bar is their mean",
        size=12,
        fill="muted",
    )
    for index, (name, net) in enumerate(networks.items()):
        y = top + 52 * index + 24
        d.text(left - 16, y - 3, name, anchor="end", weight=650, size=12.5)
        d.text(
            left - 16,
            y + 14,
            f"{net['parameters']:,} weights",
            anchor="end",
            size=11.5,
            fill="muted",
        )
        values = [100 * a for a in net["accuracy"]]
        for number, value in enumerate(values):
            d.circle(place(value), y + (number % 5 - 2) * 5, 3.2, fill=COLOURS[index])
        middle = place(mean(values))
        d.line(middle, y - 20, middle, y + 20, stroke="ink", stroke_width=2.4)
    return d.svg()


def pairs() -> str:
    """Seed by seed, by how much the first network is ahead of each other one."""
    part = _part("windows")
    (_, first), *others = part["networks"].items()
    lines = [
        "| three 3×3, 16 maps, against | weights | ahead by, seed by seed | ahead in |",
        "| --- | --: | --: | --: |",
    ]
    for name, other in others:
        ahead = [100 * (a - b) for a, b in zip(first["accuracy"], other["accuracy"], strict=True)]
        lines.append(
            f"| {name} | {other['parameters']:,} | {mean(ahead):+.1f} ± {stdev(ahead):.1f} points "
            f"| {sum(a > 0 for a in ahead)} of {len(ahead)} seeds |"
        )
    return "\n".join((*lines, ""))


def towers() -> str:
    """Losses of the ten-layer networks, seed by seed, by first weights."""
    part = _part("towers")
    starts: dict[str, Any] = part["starts"]
    d = Drawing(
        "vgg-towers",
        width=760,
        height=356,
        title="Ten layers of 3 by 3: which first weights let them begin to learn",
        description=f"Loss against step for {part['seeds']} seeds each. Accuracy after one pass: "
        + "; ".join(f"{name} {100 * mean(s['accuracy']):.0f} percent" for name, s in starts.items())
        + ".",
    )
    panel, gap, left = 152.0, 28.0, 56.0
    for index, (name, start) in enumerate(starts.items()):
        x = left + index * (panel + gap)
        box = (x, 62.0, x + panel, 290.0)
        values = [100 * a for a in start["accuracy"]]
        d.text(x, 22, name, weight=700, size=12.5, fill=COLOURS[index])
        d.text(x, 42, f"{mean(values):.0f} ± {stdev(values):.0f} % right", size=12, fill="muted")
        for tick in (0, 1, 2):
            y = box[3] - tick / 2.5 * (box[3] - box[1])
            d.line(box[0], y, box[2], y, dash="2 4")
            if index == 0:
                d.text(x - 10, y + 4, f"{tick}", size=12, anchor="end", fill="muted")
        d.line(box[0], box[3], box[2], box[3], stroke="muted")
        steps = len(start["losses"][0]) * 5
        d.text(box[0], box[3] + 20, "1", size=12, fill="muted")
        d.text(box[2], box[3] + 20, f"{steps}", size=12, anchor="end", fill="muted")
        for row in start["losses"]:
            points = [
                (
                    box[0] + (i + 0.5) / len(row) * panel,
                    box[3] - min(v, 2.5) / 2.5 * (box[3] - box[1]),
                )
                for i, v in enumerate(row)
            ]
            d.arrow(points, stroke=COLOURS[index], stroke_width=1.3, head=False)
    d.text(left - 42, 326, "loss, each line one seed", size=12, fill="muted")
    d.text(left + 4 * panel + 3 * gap, 326, "step", size=12, anchor="end", fill="muted")
    return d.svg()


def field() -> str:
    """The square that the last unit may see, and where its view really lies."""
    part = _part("field")
    with torch.device("meta"):
        layers = describe(VGG(column="D")).layers
    ends = [x for x in layers if x.kind == "MaxPool2d"]
    picture = photo(224, 224, left=120)
    size, gap, top = 224.0, 24.0, 40.0
    chosen = (2, 3, 4)
    d = Drawing(
        "vgg-field",
        width=16 + 3 * size + 2 * gap,
        height=top + size + 54,
        title="The receptive field and where its weight lies",
        description="A photograph of 224 by 224 pixels three times. A square shows what the middle "
        "unit behind stage 3, 4 and 5 of VGG-16 can see: "
        + ", ".join(f"{ends[i].receptive_field} by {ends[i].receptive_field}" for i in chosen)
        + " pixels. A soft stain, strongest in the middle of each square and faint at its edges, "
        "shows how much each pixel moves the unit before training.",
    )
    for column, index in enumerate(chosen):
        x = 8 + column * (size + gap)
        layer = ends[index]
        side, stride = layer.receptive_field or 0, layer.stride or 1
        d.text(x + size / 2, 22, f"stage {index + 1}", anchor="middle", weight=700, fill="conv")
        d.photo(x, top, size, picture)
        heat = torch.tensor(part["maps"][index])
        d.picture(
            x, top, size / heat.shape[-1], (heat.sqrt() * 0.92).tolist(), ink="output", frame="none"
        )
        # A unit's place along the width: its stride, and half a stride in.
        middle = (224 // stride // 2 + 0.5) * stride
        low, high = max(0.0, middle - side / 2), min(224.0, middle + side / 2)
        d.rect(x + low, top + low, high - low, high - low, stroke="conv", stroke_width=3)
        share = within(heat, 0.9)
        d.text(x + size / 2, top + size + 22, f"can see {side} × {side}", anchor="middle")
        d.text(
            x + size / 2,
            top + size + 42,
            f"nine tenths lie in {share:.0%} of it",
            anchor="middle",
            size=12.5,
            fill="muted",
        )
    return d.svg()


def within(heat: Tensor, share: float) -> float:
    """The part of the non-zero cells that the largest ones making up `share` of the sum take."""
    cells = heat.flatten().sort(descending=True).values
    cells = cells[cells > 0]
    return ((cells.cumsum(0) < share * cells.sum()).sum().item() + 1) / len(cells)
