"""What GoogLeNet's modules cost, with their 1×1 reductions and without."""

import torch
from torch import nn

from lineage_lab.anatomy.network import Anatomy, Layer, describe
from lineage_lab.chapters.googlenet import INPUTS, Naive
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.googlenet import PAPER, TABLE_1, GoogLeNet, Inception

__all__ = ["BRANCHES", "PRINTED", "branch_costs", "cost", "in_table_1", "paper_anatomy"]

BRANCHES = ("branch_1x1", "branch_3x3", "branch_5x5", "branch_pool")


def paper_anatomy() -> Anatomy:
    """The paper's network as it is used: without its auxiliary classifiers."""
    with torch.device("meta"):
        network = GoogLeNet(config=PAPER)
        network.auxiliary_4a = network.auxiliary_4d = None
    return describe(network)


def branch_costs(module: nn.Module, inputs: int, side: int) -> dict[str, tuple[Layer, ...]]:
    """The convolutions of each branch of a module, on a map of so many channels and pixels."""
    layers = describe(module, (inputs, side, side)).layers
    return {
        name: tuple(x for x in layers if x.name.startswith(name) and x.kind == "Conv2d")
        for name in BRANCHES
    }


# What Table 1 prints: weights in thousands, operations in millions.
PRINTED = {
    "conv 7×7": ("2.7", "34"), "conv 3×3": ("112", "360"), "3a": ("159", "128"),
    "3b": ("380", "304"), "4a": ("364", "73"), "4b": ("437", "88"), "4c": ("463", "100"),
    "4d": ("580", "119"), "4e": ("840", "170"), "5a": ("1072", "54"), "5b": ("1388", "71"),
    "linear": ("1000", "1"),
}  # fmt: skip


def in_table_1(anatomy: Anatomy) -> dict[str, tuple[int, int, int]]:
    """Weights without biases, biases, and MACs by Table 1's rows."""
    rows = dict.fromkeys(PRINTED, (0, 0, 0))
    for layer in anatomy.layers:
        if not layer.macs:
            continue
        name = {"stem.0.0": "conv 7×7", "head": "linear"}.get(layer.name, "conv 3×3")
        if layer.name.startswith("inception"):
            name = layer.name.split(".")[1]
        biases = layer.output_shape[0]
        weights, before, macs = rows[name]
        rows[name] = (weights + layer.parameters - biases, before + biases, macs + layer.macs)
    return rows


def cost() -> str:
    """Module 3a branch by branch: MACs of the naive form and of the real one."""
    width = TABLE_1["3a"]
    forms = (
        ("naive: Fig. 2(a)", Naive(INPUTS, width=width)),
        ("with 1×1: Fig. 2(b)", Inception(INPUTS, width=width, config=PAPER)),
    )
    costs = [(words, branch_costs(module, INPUTS, 28)) for words, module in forms]
    sums = [sum(x.macs for xs in found.values() for x in xs) for _, found in costs]
    d = Drawing(
        "googlenet-cost",
        width=760,
        height=316,
        title="What module 3a costs, with and without its 1×1 convolutions",
        description="For each branch two bars, in millions of multiply-adds. "
        + "; ".join(
            f"{words}: "
            + ", ".join(f"{n} {sum(x.macs for x in xs) / 1e6:.1f}" for n, xs in found.items())
            + f", together {total / 1e6:.1f}"
            for (words, found), total in zip(costs, sums, strict=True)
        )
        + ".",
    )
    left, widest = 116, max(sum(x.macs for x in xs) for xs in costs[0][1].values())
    unit = 500 / widest
    for row, name in enumerate(BRANCHES):
        y = 44 + row * 58
        d.text(left - 14, y + 24, name, anchor="end", size=12.5, weight=600)
        for line, (_, found) in enumerate(costs):
            x, top = float(left), y + line * 21
            layers = found[name]
            for layer in layers:
                size = layer.macs * unit
                pointwise = layer.name not in ("branch_3x3.1.0", "branch_5x5.1.0")
                kind = "dense" if pointwise else "conv"
                d.rect(
                    x,
                    top,
                    size,
                    17,
                    fill=f"{kind}-soft" if line else "conv",
                    stroke=kind if line else "conv",
                )
                x += size
            total = sum(layer.macs for layer in layers)
            d.text(x + 8, top + 13, f"{total / 1e6:.1f}", size=12, fill="muted")
    legend = (
        (0, "conv", "conv", "naive"),
        (76, "dense-soft", "dense", "1×1"),
        (138, "conv-soft", "conv", "3×3 or 5×5 behind it"),
    )
    for shift, fill, stroke, words in legend:
        d.rect(left + shift, 14, 12, 12, fill=fill, stroke=stroke)
        d.text(left + shift + 18, 24.5, words, size=12, fill="muted")
    d.text(
        left,
        296,
        f"together: {sums[0] / 1e6:.1f} million multiply-adds naive, "
        f"{sums[1] / 1e6:.1f} with the 1×1",
        size=12.5,
        weight=600,
    )
    return d.svg()
