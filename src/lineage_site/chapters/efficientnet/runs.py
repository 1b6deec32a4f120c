"""The EfficientNet chapter's long runs: one small network scaled in one dimension or in all.

``python -m lineage_site run efficientnet`` trains all of them at equal cost, which takes minutes,
and writes ``docs/results/efficientnet.json``.
"""

from collections.abc import Sequence
from functools import partial
from statistics import mean, stdev

from torch import nn

from lineage_lab.chapters.efficientnet import shrunk, small
from lineage_lab.chapters.experiments import train_digits
from lineage_lab.models.efficientnet_blocks import Form
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["PARTS", "main"]

SEEDS = 10


def full(inputs: int, outputs: int, kernel: int, stride: int, *, groups: int) -> nn.Conv2d:
    """A convolution that mixes all channels, in place of a depthwise one."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


# Name → width, blocks a stage, side, form. Mixes were chosen on seeds 100 and 101.
PARTS: dict[str, tuple[float, int, int, Form]] = {
    "base": (1.0, 1, 8, Form()),
    "deeper": (1.0, 6, 8, Form()),
    "wider": (2.125, 1, 8, Form()),
    "finer": (1.0, 1, 16, Form()),
    "all three": (1.1875, 2, 10, Form()),
    "all three, no gates": (1.1875, 2, 10, Form(squeezes=False)),
    "all three, no gates, full convolutions": (0.375, 2, 10, Form(conv=full, squeezes=False)),
}


def main(parts: Sequence[str]) -> None:
    """Train rows with ten seeds each, and write the file after each row."""
    for name in parts:
        width, depth, side, form = PARTS[name]
        build = partial(small, width, depth, form)
        prepare = partial(shrunk, side=side)
        accuracies = [
            round(train_digits(build, seed=seed, epochs=2, lr=0.1, prepare=prepare).accuracy, 4)
            for seed in range(SEEDS)
        ]
        rows = read_or_empty("efficientnet").get("rows", {}) | {name: accuracies}
        rows = {row: rows[row] for row in PARTS if row in rows}
        write("efficientnet", {"rows": rows, "seeds": SEEDS, "epochs": 2})
        print(f"{name}: {100 * mean(accuracies):.1f} ± {100 * stdev(accuracies):.1f} %", flush=True)
