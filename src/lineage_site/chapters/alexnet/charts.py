"""The AlexNet chapter's charts: where the cost sits, what a unit sees, and the experiments."""

from collections.abc import Callable, Mapping
from statistics import mean, median, stdev
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from lineage_lab.anatomy.network import Layer
from lineage_lab.chapters.alexnet import ACTIVATIONS, ARMS
from lineage_lab.comparing.axes import COLOURS, DASHES, Axes, polyline
from lineage_lab.comparing.svg import Drawing
from lineage_site.chapters.alexnet.runs import RATES
from lineage_site.drawing.records import once, read

__all__ = ["charts"]


def charts(layers: Mapping[str, Layer], photo: Image.Image) -> dict[str, str]:
    """The charts and the tables of what was run once.

    Args:
        layers: The paper's eight layers with weights, by name.
        photo: As large as the network's input.
    """
    found = read("alexnet")
    return {
        "cost.svg": _cost(layers),
        "fields.svg": _fields(layers, photo),
        "activations.svg": _activations(),
        "steps.svg": _steps(found),
        "steps.md": _steps_table(found),
        "few.svg": _few(found["few"]),
        "about.md": f"{once('alexnet')}. Numbers and seeds are in `docs/results/alexnet.json`.*\n",
    }


def _cost(layers: Mapping[str, Layer]) -> str:
    """Weights to the left, multiply-adds to the right, a row a layer."""
    weights = sum(layer.parameters for layer in layers.values())
    macs = sum(layer.macs for layer in layers.values())
    shares = {n: (la.parameters / weights, la.macs / macs) for n, la in layers.items()}
    middle, row, top = 380, 30, 46
    d = Drawing(
        "alexnet-cost",
        width=760,
        height=top + row * len(layers) + 14,
        title="Where the weights sit, and where the work is done",
        description="For each layer its share of the weights and of the multiply-adds: "
        + ", ".join(f"{n} {w:.1%} and {m:.1%}" for n, (w, m) in shares.items())
        + ".",
    )
    d.text(middle - 44, 22, f"weights: {weights / 1e6:.1f} million", anchor="end", weight=650)
    d.text(middle + 44, 22, f"MACs for one photograph: {macs / 1e6:.0f} million", weight=650)
    unit = 250 / max(max(pair) for pair in shares.values())
    for index, (name, pair) in enumerate(shares.items()):
        y = top + row * index
        kind = "conv" if name.startswith("conv") else "output" if name == "fc 8" else "dense"
        d.text(middle, y + 15, name, anchor="middle", weight=650, fill=kind)
        for side, share in zip((-1, 1), pair, strict=True):
            long = max(unit * share, 1)
            start = middle + 44 if side > 0 else middle - 44 - long
            d.rect(start, y, long, 21, fill=f"{kind}-soft", stroke=kind, radius=2)
            d.text(
                middle + side * (44 + long + 7),
                y + 15,
                f"{share:.1%}",
                size=12,
                anchor="start" if side > 0 else "end",
                fill="muted",
            )
    return d.svg()


def _fields(layers: Mapping[str, Layer], photo: Image.Image) -> str:
    """What the unit in the middle of each convolution sees of a real photograph."""
    convolutions = [(n, la) for n, la in layers.items() if la.receptive_field]
    side, left, top = 340.0, 150.0, 10.0
    scale = side / photo.width
    d = Drawing(
        "alexnet-fields",
        width=640,
        height=side + 20,
        title="The receptive field grows from layer to layer",
        description="A photograph of 227 by 227 pixels with squares around its middle, what the "
        "middle unit of each convolution sees: "
        + ", ".join(f"{n} {la.receptive_field} by {la.receptive_field}" for n, la in convolutions)
        + " pixels.",
    )
    d.photo(left, top, side, photo)
    d.rect(left, top, side, side, stroke="line")
    for index, (name, layer) in enumerate(convolutions):
        size = (layer.receptive_field or 0) * scale
        corner = left + (side - size) / 2, top + (side - size) / 2
        d.rect(*corner, size, size, stroke="paper", stroke_width=5)
        d.rect(*corner, size, size, stroke=COLOURS[index], stroke_width=2.6)
        y = top + 40 + 58 * index
        d.rect(left + side + 18, y - 11, 13, 13, fill=COLOURS[index])
        d.text(left + side + 40, y, name, weight=650, fill=COLOURS[index])
        words = f"{layer.receptive_field} × {layer.receptive_field}"
        d.text(left + side + 40, y + 18, words, size=12, fill="muted")
    return d.svg()


def _activations() -> str:
    """The three functions and their slopes, computed with PyTorch."""
    d = Drawing(
        "alexnet-activations",
        width=760,
        height=284,
        title="Three activations and their slopes",
        description="ReLU is 0 for negative inputs and the input itself for positive ones; its "
        "slope is 0 or 1. Tanh flattens out to both sides; its slope is 1 in the middle only. "
        "The sigmoid flattens out too, and its slope is nowhere above one quarter.",
    )
    grid = torch.linspace(-4, 4, 129)
    for index, (name, (build, _)) in enumerate(ACTIVATIONS.items()):
        value, slope = _with_slope(build(), grid)
        left = 48 + 246 * index
        axes = Axes(d, (left, 44, left + 196, 208), (-4, 4), (-1.2, 2.2), ("input", name))
        for points, series in ((value, 0), (slope, 1)):
            inside = [
                (axes.x(a), axes.y(b))
                for a, b in zip(grid.tolist(), points, strict=True)
                if b <= 2.2
            ]
            d.arrow(
                inside, stroke=COLOURS[series], stroke_width=1.8, dash=DASHES[series], head=False
            )
        d.text(left + 194, 32, f"steepest: {max(slope):.2f}", size=12, anchor="end", fill="output")
    d.line(52, 272, 80, 272, stroke=COLOURS[0], stroke_width=1.8)
    d.text(86, 276, "output", size=12)
    d.line(152, 272, 180, 272, stroke=COLOURS[1], stroke_width=1.8, dash=DASHES[1])
    d.text(186, 276, "slope", size=12)
    return d.svg()


def _with_slope(module: Callable[[Tensor], Tensor], grid: Tensor) -> tuple[list[float], ...]:
    x = grid.clone().requires_grad_()
    y = module(x)
    y.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    return y.tolist(), x.grad.tolist()


def _steps(found: Mapping[str, Any]) -> str:
    """Steps to the same training loss, by learning rate: each seed, and the median."""
    limit, target = found["about"]["limit"], found["about"]["target"]
    said = (
        f"{name} " + ", ".join(f"{_words(_median(found, name, lr), limit)} at {lr}" for lr in RATES)
        for name in ACTIVATIONS
    )
    d = Drawing(
        "alexnet-steps",
        width=760,
        height=356,
        title=f"Steps until the training loss is under {target}",
        description="Three activations at four learning rates, five seeds each. Medians: "
        + "; ".join(said)
        + ".",
    )
    axes = Axes(
        d,
        (64, 44, 560, 296),
        (0.0022, 0.14),
        (0, 650),
        ("learning rate", "steps"),
        logarithmic=True,
    )
    top = axes.y(limit + 30)
    for index, name in enumerate(ACTIVATIONS):
        shift = (index - 1) * 11.0
        line = []
        for lr in RATES:
            runs = found["steps"][f"{name} {lr}"]
            for number, steps in enumerate(runs):
                x = axes.x(lr) + shift + (number - 2) * 2.2
                y = top if steps is None else axes.y(steps)
                d.circle(x, y, 2.6, fill=COLOURS[index])
            centre = _median(found, name, lr)
            if centre is not None:
                line.append((axes.x(lr) + shift, axes.y(centre)))
        polyline(d, line, index)
        y = 90 + 26 * index
        d.line(578, y - 4, 606, y - 4, stroke=COLOURS[index], stroke_width=1.8, dash=DASHES[index])
        d.circle(592, y - 4, 3, fill=COLOURS[index])
        d.text(614, y, name, weight=650, fill=COLOURS[index])
    d.text(578, top + 4, f"not in {limit} steps", size=12, fill="muted")
    return d.svg()


def _median(found: Mapping[str, Any], name: str, lr: float) -> float | None:
    runs = [s if s is not None else float("inf") for s in found["steps"][f"{name} {lr}"]]
    centre = median(runs)
    return None if centre == float("inf") else centre


def _words(steps: float | None, limit: int) -> str:
    return f"more than {limit}" if steps is None else f"{steps:g}"


def _steps_table(found: Mapping[str, Any]) -> str:
    """Median and range over the seeds."""
    limit = found["about"]["limit"]
    lines = [
        "| learning rate | " + " | ".join(ACTIVATIONS) + " |",
        "| --: |" + " --: |" * len(ACTIVATIONS),
    ]
    for lr in RATES:
        cells = []
        for name in ACTIVATIONS:
            runs = found["steps"][f"{name} {lr}"]
            done = [s for s in runs if s is not None]
            centre = _words(_median(found, name, lr), limit).replace("more than", "over")
            if not done:
                cells.append(f"over {limit}")
            elif len(done) < len(runs):
                cells.append(f"{centre} ({min(done)} to over {limit})")
            else:
                cells.append(f"{centre} ({min(done)} to {max(done)})")
        lines.append(f"| {lr} | " + " | ".join(cells) + " |")
    return "\n".join((*lines, ""))


def _few(arms: Mapping[str, list[list[float]]]) -> str:
    """Accuracy on the 200 digits and on 1,000 others: each seed, and the mean."""
    left, row, top = 132.0, 48.0, 50.0
    d = Drawing(
        "alexnet-few",
        width=760,
        height=top + row * len(ARMS) + 64,
        title="Trained on 200 digits, tested on 1,000 others",
        description="Accuracy in percent, mean of five seeds, on the digits of the training and "
        "on others: "
        + "; ".join(
            f"{arm} {100 * mean(r[0] for r in runs):.1f} and {100 * mean(r[1] for r in runs):.1f}"
            for arm, runs in arms.items()
        )
        + ".",
    )
    bottom = top + row * len(ARMS)
    axes = Axes(d, (left, top, 650, bottom), (78, 100), (0, 1), ("accuracy in percent", ""))
    d.rect(left - 46, top - 6, 44, bottom - top + 12, fill="paper")  # the other scale is unused
    for index, arm in enumerate(ARMS):
        runs = arms[arm]
        y = top + row * (index + 0.5)
        d.text(left - 12, y + 4, arm, anchor="end", weight=650)
        train, test = ([100 * run[side] for run in runs] for side in (0, 1))
        d.line(axes.x(mean(test)), y, axes.x(mean(train)), y, stroke="muted", stroke_width=2)
        for values, colour, size in ((train, "pool", 3.0), (test, "conv", 3.0)):
            for number, value in enumerate(values):
                d.circle(axes.x(value), y + (number - 2) * 5, size, fill=colour)
            d.line(
                axes.x(mean(values)),
                y - 15,
                axes.x(mean(values)),
                y + 15,
                stroke=colour,
                stroke_width=3,
            )
        d.text(664, y + 4, f"{mean(test):.1f} ± {stdev(test):.1f}", size=12, fill="conv")
    d.circle(left + 8, 24, 4, fill="conv")
    d.text(left + 18, 28, "digits it was not trained on", size=12)
    d.circle(left + 208, 24, 4, fill="pool")
    d.text(left + 218, 28, "its 200 training digits", size=12)
    return d.svg()
