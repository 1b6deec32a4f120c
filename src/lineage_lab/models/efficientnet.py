"""EfficientNet (2019): find one good small network, then grow all of it at once. And Lite.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019, arXiv:1905.11946: B0 is Table 1, the compound scaling section 3.3 (equation 3).
The block, MBConv, is that of MobileNetV2 (arXiv:1801.04381) with squeeze-and-excitation
(arXiv:1709.01507). The Lite form (2020) was published by the authors' team with the code
(tpu/models/official/efficientnet/lite), not in a paper. It drops what small accelerators
can't run or quantise well: no squeeze-and-excitation, ReLU6 in place of swish, and stem and
head that don't scale.

Read from the top: B0 as data → scaling → the forms → the block → the network. Neighbours:
`lineage_lab.weights` brings the published weights, `lineage_lab.registry` names the rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.blocks import check_images, drop_path

__all__ = ["LITE", "VARIANTS", "EfficientNet", "Form", "MBConv", "SameConv2d", "Scaling",
           "SqueezeExcitation", "Stage"]  # fmt: skip


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


# Table 1, stages 2 to 8. (The table gives each stage's input resolution: the stride of a
# stage is read from the change to the next row.)
STAGES: tuple[Stage, ...] = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)


@dataclass(frozen=True, slots=True)
class Scaling:
    """How far width, depth and resolution are scaled from B0.

    The paper finds α = 1.2 (depth), β = 1.1 (width), γ = 1.15 (resolution) for φ = 1 and
    raises them to φ. The published variants are these powers rounded by hand, so that they
    are data and no formula gives them exactly.

    Attributes:
        width: Factor on channels.
        depth: Factor on blocks.
        resolution: Side of the input image in pixels.
        dropout: Share of the head's features that are dropped in training.
    """

    width: float
    depth: float
    resolution: int
    dropout: float

    def channels(self, base: int) -> int:
        """Scaled channels: the nearest multiple of 8, never more than 10 % below."""
        wanted = base * self.width
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wanted else rounded

    def blocks(self, base: int) -> int:
        """Scaled number of blocks, rounded up."""
        return math.ceil(base * self.depth)


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
            return F.conv2d(x, self.weight, None, self.stride, padding, 1, self.groups)
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return F.conv2d(x, self.weight, None, self.stride, 0, 1, self.groups)


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


B = Form()
B_LARGE = Form(epsilon=1e-3, momentum=0.01)  # torchvision's b5 to b7 keep TensorFlow's values
LITE_FORM = Form(
    conv=same,
    act=nn.ReLU6,
    squeezes=False,
    scales_ends=False,
    epsilon=1e-3,  # as published; the published momentum, 0.01, ruins short fine-tunes
)

LITE: dict[str, Scaling] = {
    "efficientnet_lite0": Scaling(1.0, 1.0, 224, 0.2),
    "efficientnet_lite1": Scaling(1.0, 1.1, 240, 0.2),
    "efficientnet_lite2": Scaling(1.1, 1.2, 260, 0.3),
}
VARIANTS: dict[str, tuple[Scaling, Form]] = {
    "efficientnet_b0": (Scaling(1.0, 1.0, 224, 0.2), B),
    "efficientnet_b1": (Scaling(1.0, 1.1, 240, 0.2), B),
    "efficientnet_b2": (Scaling(1.1, 1.2, 260, 0.3), B),
    "efficientnet_b3": (Scaling(1.2, 1.4, 300, 0.3), B),
    "efficientnet_b4": (Scaling(1.4, 1.8, 380, 0.4), B),
    "efficientnet_b5": (Scaling(1.6, 2.2, 456, 0.4), B_LARGE),
    "efficientnet_b6": (Scaling(1.8, 2.6, 528, 0.5), B_LARGE),
    "efficientnet_b7": (Scaling(2.0, 3.1, 600, 0.5), B_LARGE),
    **{name: (scaling, LITE_FORM) for name, scaling in LITE.items()},
}


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

    # --8<-- [end:mbconv]


class EfficientNet(nn.Module):
    """Stem → seven stages of MBConv → 1×1 convolution → global average pooling → linear layer.

    Args:
        num_classes: Scores to give.
        scaling: How far it is scaled from B0.
        form: The family.
    """

    def __init__(self, *, num_classes: int = 1000, scaling: Scaling, form: Form = B) -> None:
        super().__init__()
        scaled = scaling.channels if form.scales_ends else int
        ends = () if form.scales_ends else (0, len(STAGES) - 1)
        counts = [s.blocks if i in ends else scaling.blocks(s.blocks) for i, s in enumerate(STAGES)]
        total, built = sum(counts), 0
        channels = scaled(32)
        self.stem = conv_norm(3, channels, form=form, kernel=3, stride=2)
        self.stages = nn.Sequential()
        for stage, count in zip(STAGES, counts, strict=True):
            outputs = scaling.channels(stage.channels)
            blocks = nn.Sequential()
            for index in range(count):
                stride = stage.stride if index == 0 else 1
                drop = 0.2 * built / total  # stochastic depth grows evenly from the first block
                block = MBConv(channels, outputs, stage=stage, stride=stride, drop=drop, form=form)
                blocks.append(block)
                channels, built = outputs, built + 1
            self.stages.append(blocks)
        self.last = conv_norm(channels, scaled(1280), form=form)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(scaling.dropout, inplace=True)
        self.head = nn.Linear(scaled(1280), num_classes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """First weights as in the authors' code: normal by fan-out, the head uniform."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        bound = self.head.out_features**-0.5
        nn.init.uniform_(self.head.weight, -bound, bound)
        nn.init.zeros_(self.head.bias)

    # --8<-- [start:forward]
    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Normalised images to the logits ``[batch, classes]``."""
        check_images(images)
        x = self.stages(self.stem(images))
        x = self.last(x)
        x = self.pool(x).flatten(1)
        y: Tensor = self.head(self.dropout(x))
        return y

    # --8<-- [end:forward]
