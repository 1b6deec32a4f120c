"""EfficientNet-Lite (2020): the EfficientNet (2019) family for phones.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019, arXiv:1905.11946: B0 is Table 1, the compound scaling is section 3.3 (equation 3).
The Lite form was published by the authors' team with the code (tpu/models/official/
efficientnet/lite), not in a paper. It drops what small accelerators can't run or quantise
well: no squeeze-and-excitation, ReLU6 in place of swish, and stem and head that don't scale.

Read from the top: the stages as data → scaling → the block → the network → the rows of
variants. Neighbours: `lineage_lab.weights` brings the published weights, `lineage_lab.registry`
gives the rows their names.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["LITE", "EfficientNetLite", "MBConv", "SameConv2d", "Scaling", "Stage"]


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
    """A variant: how far width, depth and resolution are scaled from B0.

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


LITE: dict[str, Scaling] = {
    "efficientnet_lite0": Scaling(1.0, 1.0, 224, 0.2),
    "efficientnet_lite1": Scaling(1.0, 1.1, 240, 0.2),
    "efficientnet_lite2": Scaling(1.1, 1.2, 260, 0.3),
}


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


def conv_norm(
    inputs: int, outputs: int, *, kernel: int, stride: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Convolution without bias, batch norm, and ReLU6 unless ``act`` is false."""
    layers: list[nn.Module] = [
        SameConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),  # as published; momentum is PyTorch's 0.1
    ]
    return nn.Sequential(*layers, nn.ReLU6(inplace=True)) if act else nn.Sequential(*layers)


class MBConv(nn.Module):
    """The inverted bottleneck: expand, filter each channel alone, project.

    Args:
        inputs: Channels that come in.
        outputs: Channels that go out.
        stage: Its expansion and kernel.
        stride: Of the depthwise convolution.
        drop: Probability that the block is skipped for an image in training.
    """

    def __init__(
        self, inputs: int, outputs: int, *, stage: Stage, stride: int, drop: float
    ) -> None:
        super().__init__()
        wide = inputs * stage.expand
        self.expand = conv_norm(inputs, wide, kernel=1) if stage.expand > 1 else nn.Identity()
        self.depthwise = conv_norm(wide, wide, kernel=stage.kernel, stride=stride, groups=wide)
        self.project = conv_norm(wide, outputs, kernel=1, act=False)
        self.has_shortcut = stride == 1 and inputs == outputs
        self.drop = drop

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, in, height, width]`` to ``[batch, out, height / stride, width / stride]``."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        if not self.has_shortcut:
            return y
        if self.training and self.drop:
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop
            y = y * kept.to(y.dtype).div_(1 - self.drop)
        return x + y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite: stem → seven stages → head.

    Args:
        num_classes: Scores to give.
        scaling: The variant's row.
        stochastic_depth: Probability that the last block is skipped in training; it grows
            evenly from 0 at the first block (the published 0.2).
    """

    def __init__(
        self, *, num_classes: int = 1000, scaling: Scaling, stochastic_depth: float = 0.2
    ) -> None:
        super().__init__()
        last = len(STAGES) - 1
        # Lite: the first and the last stage keep their depth; stem and head their width.
        counts = [s.blocks if i in (0, last) else scaling.blocks(s.blocks)
                  for i, s in enumerate(STAGES)]  # fmt: skip
        total, built = sum(counts), 0
        self.stem = conv_norm(3, 32, kernel=3, stride=2)
        self.stages = nn.Sequential()
        channels = 32
        for stage, count in zip(STAGES, counts, strict=True):
            outputs = scaling.channels(stage.channels)
            blocks = nn.Sequential()
            for index in range(count):
                stride = stage.stride if index == 0 else 1
                drop = stochastic_depth * built / total
                blocks.append(MBConv(channels, outputs, stage=stage, stride=stride, drop=drop))
                channels, built = outputs, built + 1
            self.stages.append(blocks)
        self.head = conv_norm(channels, 1280, kernel=1)
        self.dropout = nn.Dropout(scaling.dropout)
        self.classifier = nn.Linear(1280, num_classes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """First weights as in the authors' code: normal by fan-out, the classifier uniform."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
        bound = self.classifier.out_features**-0.5
        nn.init.uniform_(self.classifier.weight, -bound, bound)
        nn.init.zeros_(self.classifier.bias)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Images scaled to -1 … 1 to the logits ``[batch, classes]``."""
        x = self.head(self.stages(self.stem(images)))
        x = x.mean(dim=(2, 3))
        y: Tensor = self.classifier(self.dropout(x))
        return y
