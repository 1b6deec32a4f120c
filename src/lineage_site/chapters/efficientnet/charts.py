"""One small network of MBConv blocks, scaled in one dimension or in all, at equal cost.

``python -m lineage_site run efficientnet`` trains all of them, which takes minutes, and
writes docs/results/efficientnet.json; the figure and the table are made from that file.
"""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from math import ceil, floor
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.chapters.experiments import train_digits
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import split_digits
from lineage_lab.models.efficientnet_blocks import Form, MBConv, Stage, conv_norm
from lineage_site.drawing.kept import keep, recorded, so_far

__all__ = ["digits", "run", "shrunk", "small"]

SEEDS = 10


def full(inputs: int, outputs: int, kernel: int, stride: int, *, groups: int) -> nn.Conv2d:
    """A convolution that mixes all channels, in place of a depthwise one."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


# Name → width, blocks a stage, side, form. Mixes were chosen on seeds 100 and 101.
ROWS: dict[str, tuple[float, int, int, Form]] = {
    "base": (1.0, 1, 8, Form()),
    "deeper": (1.0, 6, 8, Form()),
    "wider": (2.125, 1, 8, Form()),
    "finer": (1.0, 1, 16, Form()),
    "all three": (1.1875, 2, 10, Form()),
    "all three, no gates": (1.1875, 2, 10, Form(squeezes=False)),
    "all three, no gates, full convolutions": (
        0.375,
        2,
        10,
        Form(conv=full, squeezes=False),
    ),
}


def shrunk(images: Tensor, side: int) -> Tensor:
    """Digits without their margin, shrunk: ``uint8 [n, 1, 32, 32]`` to ``[n, 1, side, side]``."""
    inner = images[..., 2:30, 2:30].float() / 255
    small = F.interpolate(inner, size=(side, side), mode="bilinear", antialias=True)
    return (small - 0.13) / 0.31


BESIDE = {
    "deeper": "base",
    "wider": "base",
    "finer": "base",
    "all three": "wider",
    "all three, no gates": "all three",
    "all three, no gates, full convolutions": "all three, no gates",
}


# --8<-- [start:small]
def small(width: float, depth: int, form: Form) -> nn.Sequential:
    """Stem, two stages of MBConv, each halving the map, mean over the map, linear layer."""
    first, second = round(8 * width), round(16 * width)
    layers: list[nn.Module] = [conv_norm(1, first, form=form, kernel=3)]
    inputs = first
    for outputs in (first, second):
        stage = Stage(expand=4, kernel=3, stride=2, channels=outputs, blocks=depth)
        for index in range(depth):
            stride = stage.stride if index == 0 else 1
            layers.append(MBConv(inputs, outputs, stage=stage, stride=stride, drop=0.0, form=form))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(second, 10))


# --8<-- [end:small]


def run(names: Sequence[str] = ()) -> None:
    """Train the rows that are named, or all, with ten seeds, and keep what came."""
    found = so_far("efficientnet") or {"rows": {}}
    for name in names or ROWS:
        width, depth, side, form = ROWS[name]
        build = partial(small, width, depth, form)
        accuracies = [
            round(
                train_digits(
                    build, seed=seed, epochs=2, lr=0.1, prepare=partial(shrunk, side=side)
                ).accuracy,
                4,
            )
            for seed in range(SEEDS)
        ]
        found["rows"][name] = accuracies
        print(f"{name}: {100 * mean(accuracies):.1f} ± {100 * stdev(accuracies):.1f} %", flush=True)
    found |= {
        "seeds": SEEDS,
        "epochs": 2,
        "hardware": f"{platform.machine()} processor, one thread",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
        "rows": {name: found["rows"][name] for name in ROWS if name in found["rows"]},
    }
    keep("efficientnet", found)


def digits() -> dict[str, str]:
    """The experiment's figure and its table."""
    found = recorded("efficientnet")
    anatomies = {}
    for name in found["rows"]:
        width, depth, side, form = ROWS[name]
        anatomies[name] = describe(small(width, depth, form), (1, side, side))
    return {"digits.svg": _digits(found, anatomies), "digits.md": _table(found, anatomies)}


def _table(found: dict[str, Any], anatomies: dict[str, Anatomy]) -> str:
    """Each network, and how it does beside another with the same seeds."""
    lines = [
        "| network | weights | MACs | accuracy | difference, seed by seed |",
        "| --- | --: | --: | --: | --- |",
    ]
    for name, accuracies in found["rows"].items():
        anatomy, percent = anatomies[name], [100 * a for a in accuracies]
        beside = BESIDE.get(name, "")
        words = ""
        if beside:
            pairs = zip(percent, found["rows"][beside], strict=True)
            ahead = [mine - 100 * theirs for mine, theirs in pairs]
            words = (
                f"{mean(ahead):+.1f} ± {stdev(ahead):.1f} points beside *{beside}*; higher in "
                f"{sum(value > 0 for value in ahead)} of {len(ahead)}"
            )
        cells = (
            name, f"{anatomy.parameters:,}", f"{anatomy.macs / 1000:.0f} K",
            f"{mean(percent):.1f} ± {stdev(percent):.1f} %", words,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join((*lines, ""))


def _digits(found: dict[str, Any], anatomies: dict[str, Anatomy]) -> str:
    """What each network is given and sees, and how it does with each seed."""
    names = [name for name in found["rows"] if "," not in name]
    _, (images, labels) = split_digits(0)
    digit = images[labels == 5][:1]
    cases = [(name, *ROWS[name][:3], found["rows"][name]) for name in names]
    rows = []
    for name, width, depth, side, accuracies in cases:
        rows.append((name, width, depth, side, anatomies[name], [100 * a for a in accuracies]))
    step, left, picture = 138.0, 52.0, 96.0
    d = Drawing(
        "efficientnet-digits",
        width=left + step * len(rows) + 8,
        height=456,
        title="A small network, four times its cost, spent in four ways",
        description=" ".join(
            f"{name}: {2 * depth} blocks, width {width:.2f}, {side} by {side} pixels, a local "
            f"field of {anatomy.receptive_field} pixels, {anatomy.macs:,} multiply-adds; "
            f"{len(values)} seeds, mean accuracy {mean(values):.1f} percent, from "
            f"{min(values):.1f} to {max(values):.1f}."
            for name, width, depth, side, anatomy, values in rows
        ),
    )
    every = [v for row in rows for v in row[-1]]
    low, high, top, bottom = min(every) - 0.5, max(every) + 0.5, 236.0, 442.0

    def level(value: float) -> float:
        return float(bottom - (value - low) / (high - low) * (bottom - top))

    d.text(12, top - 14, "accuracy, %", size=12, fill="muted")
    for tick in range(ceil(low), floor(high) + 1):
        d.line(left, level(tick), left + step * len(rows), level(tick), dash="2 4")
        d.text(left - 10, level(tick) + 4, str(tick), size=12, anchor="end", fill="muted")
    for index, (name, width, depth, side, anatomy, values) in enumerate(rows):
        x = left + step * (index + 0.5)
        colour = "output" if name == "all three" else "conv"
        d.text(x, 18, name, anchor="middle", weight=650, fill=colour)
        d.text(x, 36, f"{2 * depth} blocks · width {width:.2f}", anchor="middle", size=11.5,
               fill="muted")  # fmt: skip
        cell = picture / side
        corner = x - picture / 2
        levels = (shrunk(digit, side)[0, 0] * 0.31 + 0.13).clamp(0, 1)
        d.picture(corner, 58, cell, levels.tolist())
        seen = min(anatomy.receptive_field or 0, side) * cell
        inset = (picture - seen) / 2
        d.rect(corner + inset, 58 + inset, seen, seen, stroke=colour, stroke_width=2.5)
        d.text(x, 174, f"{side} × {side}, sees {anatomy.receptive_field}", anchor="middle",
               size=11.5, fill="muted")  # fmt: skip
        d.text(x, 192, f"{anatomy.macs / 1000:.0f} K MACs", anchor="middle", size=11.5,
               fill="muted")  # fmt: skip
        for place, value in enumerate(values):
            d.circle(x - 36 + 6.5 * place, level(value), 3, fill=f"{colour}-soft", stroke=colour)
        middle = level(mean(values))
        d.line(x - 44, middle, x + 30, middle, stroke="ink", stroke_width=2)
        d.text(x + 35, middle + 4, f"{mean(values):.1f}", size=12)
    return d.svg()
