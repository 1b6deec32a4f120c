"""The exercises of the EfficientNet chapter."""

from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.anatomy.network import describe
from lineage_lab.exercises import Wrong, function, number
from lineage_lab.models.efficientnet import Form, MBConv, Scaling, Stage

__all__ = ["CHECKS"]


def rounding(answer: Any) -> str:
    """The rounding rule: ``channels(base, width)``."""
    channels = function(answer)
    bases, widths = (16, 24, 32, 40, 80, 112, 192, 320, 1280), [k / 20 for k in range(2, 65)]
    for base in bases:
        for width in widths:
            ours, theirs = Scaling(width, 1.0, 224, 0.2).channels(base), channels(base, width)
            if theirs == ours:
                continue
            wanted, what = base * width, f"channels({base}, {width:g}) gives {theirs}"
            if not isinstance(theirs, int | float) or theirs % 8:
                raise Wrong(f"{what}: that is no multiple of 8.")
            if theirs < 8:
                raise Wrong(f"{what}: nothing is left. At least 8 channels stay.")
            if theirs < 0.9 * wanted:
                raise Wrong(f"{what}, and {wanted:g} were wanted: more than a tenth is lost.")
            raise Wrong(f"{what}, and {wanted:g} were wanted: another multiple is the nearest.")
    return f"It agrees with ours on {len(bases) * len(widths)} pairs."


def multiply_adds(answer: Any) -> str:
    """What an MBConv costs: ``macs(inputs, outputs, expand, kernel, side, stride)``."""
    macs = function(answer)
    for inputs, outputs, expand, kernel, side, stride in (
        (40, 40, 6, 5, 28, 1),
        (24, 40, 6, 5, 56, 2),
        (32, 16, 1, 3, 112, 1),
        (80, 112, 6, 3, 14, 1),
    ):
        wide, after = inputs * expand, side // stride
        stage = Stage(expand, kernel, stride, outputs, 1)
        block = MBConv(inputs, outputs, stage=stage, stride=stride, drop=0.0, form=Form())
        right = describe(block, (inputs, side, side)).macs
        result = macs(inputs, outputs, expand, kernel, side, stride)
        if not isinstance(result, int | float) or isinstance(result, bool):
            raise Wrong(f"Return a number: this is {result!r}.")
        gates, over = 2 * wide * (inputs // 4), int(result - right)
        if over == 0:
            continue
        first, place = inputs * wide if expand > 1 else 0, after * after
        hints = {
            wide * (wide - 1) * kernel**2 * place: (
                "The middle convolution is depthwise: it filters each channel alone."
            ),
            first * (place - side * side): (
                "The first 1×1 convolution comes before the stride: it runs on the larger map."
            ),
            (side * side - place) * wide * (kernel**2 + outputs): (
                "What comes after the stride runs on the smaller map."
            ),
            -gates: "The gates cost something too: two small layers, for the means.",
            gates * (place - 1): (
                "The gates are made of the means: they are computed once for an image, not at "
                "every place of the map."
            ),
            (inputs * inputs * side * side if expand == 1 else 1): (
                "With expand = 1 the block has no first convolution: its input is wide already."
            ),
            right: "That is two for each multiply-add: FLOPs, not MACs.",
        }
        case = f"For {(inputs, outputs, expand, kernel, side, stride)} it gives {result:,}. "
        raise Wrong(case + hints.get(over, "Write down, for each of the five convolutions, its "
                                           "weights and how many places it runs at."))  # fmt: skip
    return "It agrees with `describe` on four blocks of B0."


def gates(answer: Any) -> str:
    """Squeeze-and-excitation: ``build(channels, squeezed)`` gives a module."""
    build = function(answer)
    channels, squeezed = 12, 4
    torch.manual_seed(0)
    module = build(channels, squeezed)
    if not isinstance(module, nn.Module):
        raise Wrong(f"build(channels, squeezed) must give a module, not {type(module).__name__}.")
    module.eval()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, channels, 5, 7, generator=generator) * 4 + 3
    with torch.no_grad():
        y = module(x.clone())
        if not isinstance(y, Tensor) or y.shape != x.shape:
            shape = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise Wrong(
                f"For {tuple(x.shape)} it gives {shape}. The gates are multiplied with the input, "
                "so that its shape stays."
            )
        gate = y / x
        if not torch.allclose(gate, gate[:, :, :1, :1].expand_as(gate), atol=1e-4):
            raise Wrong("A channel needs the same gate at every place: it comes from its mean.")
        gate = gate[:, :, 0, 0]
        if not torch.allclose(module(x[:1].clone()) / x[:1], y[:1] / x[:1], atol=1e-4):
            raise Wrong("The gates of an image depend on the other images of the batch.")
        if torch.allclose(gate, gate[:, :1].expand_as(gate), atol=1e-5):
            raise Wrong("One gate serves all channels. Each channel needs its own.")
        # Of large maps too, above zero and below: a sum without bounds leaves the range there.
        every = torch.cat([gate, *((module(s * x) / (s * x))[:, :, 0, 0] for s in (200, -200))])
        if every.min() < -1e-4 or every.max() > 1 + 1e-4:
            raise Wrong("A gate must lie between 0 and 1: shut or open, and nothing beyond.")
        order = torch.randperm(35, generator=generator)
        moved = x.flatten(2)[:, :, order].view_as(x)
        if not torch.allclose((module(moved.clone()) / moved)[:, :, 0, 0], gate, atol=1e-4):
            raise Wrong("Shuffle the places of a map, and its mean stays. So must the gates.")
    weights = sum(p.numel() for p in module.parameters())
    expected = 2 * channels * squeezed + channels + squeezed
    if weights != expected:
        raise Wrong(
            f"It has {weights} weights; with squeezed = {squeezed} there are {expected}, biases "
            f"included: the means go through {squeezed} numbers, and back to {channels}."
        )
    return f"{weights} weights, a gate for each channel, and only the means decide."


def forgotten(answer: Any) -> str:
    """Steps after which a batch norm of momentum 0.01 has less than a hundredth of the past."""
    number(answer, "a number of steps")
    if answer in (44, 43.7):
        raise Wrong("That is for a momentum of 0.1, PyTorch's own. Here it is 0.01.")
    if 458 <= answer < 459:
        raise Wrong("Very close, but just short: the share must be below a hundredth.")
    if answer < 459:
        raise Wrong(f"After {answer:g} steps {0.99**answer:.1%} of the start is left: not gone.")
    if answer > 459:
        raise Wrong(f"After {answer:g} steps it is below, but it was so earlier already.")
    return "0.99 to the power of 459 is the first below 0.01."


CHECKS = {
    "efficientnet-1": rounding,
    "efficientnet-2": multiply_adds,
    "efficientnet-3": gates,
    "efficientnet-4": forgotten,
}
