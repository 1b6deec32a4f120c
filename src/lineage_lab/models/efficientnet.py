"""EfficientNet (2019): find one good small network, then grow all of it at once. And Lite.

M. Tan, Q. V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019, arXiv:1905.11946: B0 is Table 1, the compound scaling section 3.3 (equation 3).
The block, MBConv, is that of MobileNetV2 (arXiv:1801.04381) with squeeze-and-excitation
(arXiv:1709.01507). The Lite form (2020) was published by the authors' team with the code
(tpu/models/official/efficientnet/lite), not in a paper. It drops what small accelerators
can't run or quantise well: no squeeze-and-excitation, ReLU6 in place of swish, and stem and
head that don't scale.

Read from the top: B0 as data → scaling → the forms → the network; the block is in
`lineage_lab.models.efficientnet_blocks`.
"""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import check_images
from lineage_lab.models.efficientnet_blocks import (
    Form,
    MBConv,
    SamePad,
    SqueezeExcitation,
    Stage,
    conv_norm,
    same,
    same_pad,
)

__all__ = ["LITE", "VARIANTS", "EfficientNet", "Form", "MBConv", "SamePad", "Scaling",
           "SqueezeExcitation", "Stage"]  # fmt: skip


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

    # --8<-- [start:rounding]
    def channels(self, base: int) -> int:
        """Scaled channels: the nearest multiple of 8, never more than 10 % below."""
        wanted = base * self.width
        rounded = max(8, int(wanted + 4) // 8 * 8)
        return rounded + 8 if rounded < 0.9 * wanted else rounded

    def blocks(self, base: int) -> int:
        """Scaled number of blocks, rounded up."""
        return math.ceil(base * self.depth)

    # --8<-- [end:rounding]


B = Form()
B_LARGE = Form(epsilon=1e-3, momentum=0.01)  # torchvision's b5 to b7 keep TensorFlow's values
LITE_FORM = Form(
    conv=same,
    pad=same_pad,
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
        self.pad = form.pad(3, 2)
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
        x = self.stages(self.stem(self.pad(images)))
        x = self.last(x)
        x = self.pool(x).flatten(1)
        y: Tensor = self.head(self.dropout(x))
        return y

    # --8<-- [end:forward]
