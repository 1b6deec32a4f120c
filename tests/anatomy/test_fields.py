"""Receptive fields of networks drawn by lot, and of those that others have worked out.

Oracles: autograd, which tells the pixels that one unit depends on, and the table of Araujo, Norris
and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, as their
library prints it: receptive_field/RECEPTIVE_FIELD_TABLE.md of google-research/receptive_field.
"""

import random

import pytest
import timm
import torch
import torchvision.models as tvm
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import describe


class Branches(nn.Module):
    def __init__(self, one: nn.Module, two: nn.Module, *, add: bool) -> None:
        super().__init__()
        self.one, self.two, self.add = one, two, add

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.one(x), self.two(x)
        return one + two if self.add else torch.cat((one, two), dim=1)


class EverySecond(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, ::2, ::2]


class FirstHalf(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, : x.shape[1] // 2]


def window(lot: random.Random, width: int) -> nn.Conv2d:
    """A convolution that keeps the size; kernels need not be square."""
    kernel, dilation = (lot.choice((1, 3, 5)), lot.choice((1, 3, 5, 7))), lot.choice((1, 1, 2))
    padding = tuple(dilation * (k - 1) // 2 for k in kernel)
    groups = lot.choice((1, 2))
    return nn.Conv2d(width, width, kernel, padding=padding, dilation=dilation, groups=groups)


def drawn(lot: random.Random) -> nn.Sequential:
    """Three to seven layers, at most three of them halve the map."""
    kinds = [
        "window",
        "stride",
        "pool",
        "slice",
        "unshuffle",
        "pad",
        "add",
        "concatenate",
        "half",
        "shuffle",
    ]
    width, halved, layers = 2, 0, list[nn.Module]()
    for _ in range(lot.randint(3, 7)):
        kind = lot.choice(kinds)
        # Only a map that is still even can be folded.
        if kind == "unshuffle" and layers:
            continue
        if kind in ("stride", "pool", "slice", "unshuffle"):
            if halved == 3:
                continue
            halved += 1
        k = lot.randint(2, 5)
        match kind:
            case "window":
                layers.append(window(lot, width))
            case "stride":
                layers.append(nn.Conv2d(width, width, k, 2, lot.randint(0, k // 2)))
            case "pool":
                odd = lot.random() < 0.5
                layers.append(nn.AvgPool2d(k, 2, lot.randint(0, k // 2), ceil_mode=odd))
            case "slice":
                layers.append(EverySecond())
            case "unshuffle":
                layers += [nn.PixelUnshuffle(2), nn.Conv2d(4 * width, width, 1)]
            case "pad":
                layers.append(nn.ZeroPad2d([lot.randint(0, 2) for _ in range(4)]))
            case "add":
                two = nn.Sequential(window(lot, width), window(lot, width))
                layers.append(Branches(window(lot, width), two, add=True))
            case "concatenate" if width <= 8:
                layers.append(Branches(window(lot, width), window(lot, width), add=False))
                width *= 2
            case "half" if width >= 4:
                layers.append(FirstHalf())
                width //= 2
            case "shuffle":
                layers.append(nn.ChannelShuffle(2))
    return nn.Sequential(*layers, nn.Conv2d(width, 1, 1))


@pytest.mark.parametrize("seed", range(60))
def test_a_drawn_networks_field_is_where_the_gradient_arrives(seed: int) -> None:
    model = drawn(random.Random(seed)).double()
    for parameter in model.parameters():
        nn.init.ones_(parameter)  # positive weights: no contribution cancels another
    size = (2, 160, 160)
    image = torch.ones(1, *size, dtype=torch.float64, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        out = model(image)
    anatomy = describe(model, size)
    assert anatomy.flops == counter.get_total_flops()
    row, column = (n // 2 for n in out.shape[-2:])
    out[0, 0, row, column].backward()
    assert image.grad is not None
    touched = image.grad[0].sum(dim=0)
    for field, unit, axis in ((anatomy.height_field, row, 1), (anatomy.field, column, 0)):
        assert field is not None
        seen = touched.sum(dim=axis).nonzero().flatten()
        ends = field.left + unit * field.stride, field.right + unit * field.stride
        assert ends == (seen.min(), seen.max())


@pytest.mark.parametrize(
    ("name", "field"),
    [("inception_v3", 1311), ("inception_v4", 2071), ("inception_resnet_v2", 3039)],
)
def test_branches_of_several_widths_see_what_the_published_table_says(
    name: str, field: int
) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    anatomy = describe(model, (3, 299, 299))
    assert anatomy.receptive_field == field
    assert not anatomy.sees_whole_image


def test_densenet_sees_what_its_longest_path_sees() -> None:
    size, stride = 7 + 2 * 2, 4
    for layers in (6, 12, 24, 16):
        size += layers * 2 * stride
        if layers != 16:
            size, stride = size + stride, 2 * stride
    with torch.device("meta"):
        model = tvm.densenet121()
    assert describe(model).receptive_field == size


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("ghostnet_100", True),  # squeeze-and-excitation over channels of several fields
        ("efficientvit_b0", True),  # linear attention
        ("xcit_nano_12_p16_224", True),  # attention over channels, weighed over all places
        ("mixer_s32_224", True),  # linear layers across the tokens
        ("poolformer_s12", False),  # 3 by 3 pooling in the place of attention
        ("hrnet_w18_small", False),  # maps of several sizes, scaled and added
    ],
)
def test_who_sees_the_whole_image(name: str, whole: bool) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    if name == "efficientvit_b0":
        try:
            model(torch.empty(1, 3, 224, 224, device="meta"))
        except RuntimeError as error:
            pytest.skip(f"this torch can't run the network itself on the meta device: {error}")
    assert describe(model).sees_whole_image is whole


class Nothing(nn.Module):
    """A part of no channels, as a network with registers cut off leaves it."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((x[:, :0].mean(dim=1, keepdim=True)[:, :0], x), dim=1)


def test_a_part_without_elements_sees_nothing() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Nothing(), nn.Conv2d(4, 4, 3))
    assert describe(model, (3, 16, 16)).receptive_field == 5
