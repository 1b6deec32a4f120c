"""MBConv, the block of EfficientNet, and what the families vary in it.

The block is MobileNetV2's inverted bottleneck (arXiv:1801.04381) with squeeze-and-excitation
(arXiv:1709.01507). Read from the top: a row of Table 1 → the two ways to pad → what the
families differ in → convolution and norm → squeeze-and-excitation → MBConv.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import drop_path

__all__ = ["Form", "MBConv", "SameConv2d", "SqueezeExcitation", "Stage", "centred", "conv_norm",
           "same"]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the paper's Table 1: blocks of one kind.

    Attributes:
        expand: How many times the block widens its input inside.
        kernel: Side of the depthwise kernel.
        stride: Stride of the first block; the others have 1.
        channels: Channels that the stage puts out, before scaling.
        blocks: How many blocks, before scaling.
    """

    expand: int
    kernel: int
    stride: int
    channels: int
    blocks: int


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": ``ceil(size / stride)`` units come out.

    With stride 2 and an even side, the odd pixel of padding goes to the right and to the
    bottom. The published weights were trained so; symmetric padding would shift them.
    """

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, in, height, width]`` to ``[batch, out, height / stride, width / stride]``."""
        rows, columns = (
            max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
            for side, stride, kernel in zip(
                x.shape[-2:], self.stride, self.kernel_size, strict=True
            )
        )
        if rows % 2 == 0 and columns % 2 == 0:  # even: the convolution pads by itself, faster
            padding = (rows // 2, columns // 2)
            return F.conv2d(x, self.weight, self.bias, self.stride, padding, 1, self.groups)
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, 1, self.groups)


def centred(inputs: int, outputs: int, kernel: int, stride: int, *, groups: int) -> nn.Conv2d:
    """A convolution without bias, padded alike on all sides, as torchvision's weights want."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


def same(inputs: int, outputs: int, kernel: int, stride: int, *, groups: int) -> nn.Conv2d:
    """A convolution without bias, padded as TensorFlow does, as the Lite weights want."""
    return SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the published families differ in, besides the scaling.

    Attributes:
        conv: Makes a convolution.
        act: The activation.
        squeezes: Blocks have squeeze-and-excitation.
        scales_ends: Stem and head grow in width, first and last stage in depth.
        epsilon: Of the batch norms.
        momentum: Of the batch norms: the weight of a new batch in the running statistics.
    """

    conv: Callable[..., nn.Conv2d] = centred
    act: Callable[..., nn.Module] = nn.SiLU
    squeezes: bool = True
    scales_ends: bool = True
    epsilon: float = 1e-5
    momentum: float = 0.1


def conv_norm(
    inputs: int,
    outputs: int,
    *,
    form: Form,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    act: bool = True,
) -> nn.Sequential:
    """Convolution without bias, batch norm, and the form's activation unless ``act`` is false."""
    conv = form.conv(inputs, outputs, kernel, stride, groups=groups)
    norm = nn.BatchNorm2d(outputs, eps=form.epsilon, momentum=form.momentum)
    return nn.Sequential(conv, norm, form.act(inplace=True)) if act else nn.Sequential(conv, norm)


class SqueezeExcitation(nn.Module):
    """A gate for each channel, from the mean of every channel over the whole map."""

    def __init__(self, channels: int, *, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.act = nn.SiLU(inplace=True)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """``[batch, channels, height, width]``, in and out."""
        gate: Tensor = self.expand(self.act(self.reduce(self.squeeze(x)))).sigmoid()
        return gate * x


class MBConv(nn.Module):
    """The inverted bottleneck: expand, filter each channel alone, gate, project.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stage: Its expansion and kernel.
        stride: Of the depthwise convolution.
        drop: Probability that the block is skipped for an image in training.
        form: The family.
    """

    # --8<-- [start:mbconv]
    # --8<-- [start:parts]
    def __init__(
        self, inputs: int, outputs: int, *, stage: Stage, stride: int, drop: float, form: Form
    ) -> None:
        super().__init__()
        wide, layer = inputs * stage.expand, partial(conv_norm, form=form)
        self.expand = layer(inputs, wide) if stage.expand > 1 else nn.Identity()
        self.depthwise = layer(wide, wide, kernel=stage.kernel, stride=stride, groups=wide)
        gate = SqueezeExcitation(wide, squeezed=inputs // 4) if form.squeezes else nn.Identity()
        self.squeeze_excitation = gate
        self.project = layer(wide, outputs, act=False)
        self.has_shortcut = stride == 1 and inputs == outputs
        self.drop = drop

    # --8<-- [end:parts]
    # --8<-- [start:block]
    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, in, height, width]`` to ``[batch, out, height / stride, width / stride]``."""
        y: Tensor = self.depthwise(self.expand(x))
        y = self.project(self.squeeze_excitation(y))
        if self.has_shortcut:
            y = drop_path(y, self.drop, training=self.training)
            y += x
        return y

    # --8<-- [end:block]
    # --8<-- [end:mbconv]
