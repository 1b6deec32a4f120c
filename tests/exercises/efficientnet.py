"""Answers to the EfficientNet chapter's exercises: two right ones each, five wrong ones."""

import math

import torch
from torch import nn

from lineage_lab.models.efficientnet import Scaling, SqueezeExcitation


# 1: the rounding rule.
def by_the_package(base, width):
    return Scaling(width, 1.0, 224, 0.2).channels(base)


def by_hand(base, width):
    wanted = base * width
    eights = max(1, math.floor(wanted / 8 + 0.5))
    while 8 * eights < 0.9 * wanted:
        eights += 1
    return 8 * eights


def nearest_only(base, width):
    return max(8, int(base * width + 4) // 8 * 8)


def never_below_8_forgotten(base, width):
    wanted = base * width
    rounded = int(wanted + 4) // 8 * 8
    return rounded + 8 if rounded < 0.9 * wanted and rounded else rounded


def always_up(base, width):
    return math.ceil(base * width / 8) * 8


def always_down(base, width):
    return max(8, int(base * width) // 8 * 8)


def no_eights(base, width):
    return round(base * width)


# 2: the multiply-adds of a block.
def block_macs(inputs, outputs, expand, kernel, side, stride):
    wide, after = inputs * expand, math.ceil(side / stride)
    total = inputs * wide * side**2 if expand > 1 else 0
    total += wide * kernel**2 * after**2
    total += 2 * wide * (inputs // 4)
    return total + wide * outputs * after**2


def block_macs_again(inputs, outputs, expand, kernel, side, stride):
    wide = expand * inputs
    large, little = side * side, (side // stride) ** 2
    parts = [
        (inputs * wide, large if expand != 1 else 0),
        (kernel * kernel * wide, little),
        (wide * (inputs // 4), 1),
        ((inputs // 4) * wide, 1),
        (wide * outputs, little),
    ]
    return sum(weights * places for weights, places in parts)


def full_convolution(inputs, outputs, expand, kernel, side, stride):
    wide, after = inputs * expand, side // stride
    first = inputs * wide * side**2 if expand > 1 else 0
    gates = 2 * wide * (inputs // 4)
    return first + wide * wide * kernel**2 * after**2 + gates + wide * outputs * after**2


def stride_too_early(inputs, outputs, expand, kernel, side, stride):
    side, wide = side // stride, inputs * expand
    first = inputs * wide * side**2 if expand > 1 else 0
    gates = 2 * wide * (inputs // 4)
    return first + (wide * kernel**2 + wide * outputs) * side**2 + gates


def stride_forgotten(inputs, outputs, expand, kernel, side, stride):
    return block_macs(inputs, outputs, expand, kernel, side, 1)


def no_gate(inputs, outputs, expand, kernel, side, stride):
    wide = inputs * expand
    return block_macs(inputs, outputs, expand, kernel, side, stride) - 2 * wide * (inputs // 4)


def gate_by_the_map(inputs, outputs, expand, kernel, side, stride):
    wide, after = inputs * expand, side // stride
    gates = 2 * wide * (inputs // 4)
    return block_macs(inputs, outputs, expand, kernel, side, stride) + gates * (after**2 - 1)


def always_expands(inputs, outputs, expand, kernel, side, stride):
    more = inputs * inputs * side**2 if expand == 1 else 0
    return block_macs(inputs, outputs, expand, kernel, side, stride) + more


# 3: squeeze-and-excitation.
class Linear(nn.Module):
    """By linear layers on the means."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, squeezed), nn.SiLU(), nn.Linear(squeezed, channels), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.layers(x.mean(dim=(2, 3)))[:, :, None, None]


class NoSigmoid(Linear):
    def __init__(self, channels, squeezed):
        super().__init__(channels, squeezed)
        self.layers[3] = nn.Identity()


class Half(nn.Module):
    def forward(self, x):
        return 0.5 + x / 20


class Unbounded(Linear):
    """Between 0 and 1 for small maps only."""

    def __init__(self, channels, squeezed):
        super().__init__(channels, squeezed)
        self.layers[3] = Half()


class NoSqueeze(nn.Module):
    """A gate for each place: the mean is forgotten."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1), nn.SiLU(), nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        return x * self.layers(x)


class OneGate(nn.Module):
    """One gate for all channels."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, squeezed), nn.SiLU(), nn.Linear(squeezed, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.layers(x.mean(dim=(2, 3)))[:, :, None, None]


class OverTheBatch(Linear):
    def forward(self, x):
        return x * self.layers(x.mean(dim=(0, 2, 3)))[None, :, None, None]


class OnlyTheGate(Linear):
    def forward(self, x):
        return self.layers(x.mean(dim=(2, 3)))[:, :, None, None]


class ByBatchesOfOne(nn.Module):
    """No bottleneck: the gates come straight from the means."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.layer = nn.Linear(channels, channels)

    def forward(self, x):
        return x * torch.sigmoid(self.layer(x.mean(dim=(2, 3))))[:, :, None, None]


class TopLeft(nn.Module):
    """The gate comes from one pixel, not from the mean."""

    def __init__(self, channels, squeezed):
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(x[:, :, :1, :1]))))


RIGHT = {
    "efficientnet-1": (lambda: by_the_package, lambda: by_hand),
    "efficientnet-2": (lambda: block_macs, lambda: block_macs_again),
    "efficientnet-3": (
        lambda: lambda channels, squeezed: SqueezeExcitation(channels, squeezed=squeezed),
        lambda: Linear,
    ),
    "efficientnet-4": (
        lambda: 459,
        lambda: float(next(n for n in range(10_000) if 0.99**n < 0.01)),
    ),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "efficientnet-1": (
        (lambda: nearest_only, "more than a tenth"),
        (lambda: never_below_8_forgotten, "nothing is left"),
        (lambda: always_up, "8.8 were wanted: another"),
        (lambda: always_down, "more than a tenth"),
        (lambda: no_eights, "multiple of 8"),
        (lambda: 48, "asks for a function"),
    ),
    "efficientnet-2": (
        (lambda: full_convolution, "each channel alone"),
        (lambda: stride_too_early, "before the stride"),
        (lambda: stride_forgotten, "after the stride"),
        (lambda: no_gate, "cost something too"),
        (lambda: gate_by_the_map, "once for an image"),
        (lambda: always_expands, "expand = 1"),
        (lambda: 12, "asks for a function"),
        (lambda: lambda *sizes: "many", "Return a number"),
    ),
    "efficientnet-3": (
        (lambda: NoSigmoid, "between 0 and 1"),
        (lambda: Unbounded, "between 0 and 1"),
        (lambda: NoSqueeze, "same gate at every place"),
        (lambda: OneGate, "all channels"),
        (lambda: OverTheBatch, "other images"),
        (lambda: OnlyTheGate, "multiplied"),
        (lambda: ByBatchesOfOne, "through 4 numbers"),
        (lambda: lambda channels, squeezed: channels, "must give a module"),
        (lambda: TopLeft, "Shuffle the places"),
    ),
    "efficientnet-4": (
        (lambda: 458, "just short"),
        (lambda: 44, "PyTorch's own"),
        (lambda: 100, "not gone"),
        (lambda: 1000, "earlier"),
        (lambda: "459 steps", "a number"),
    ),
}
