"""ConvNeXt (2022): a ResNet brought up to date, step by step, until it matches a transformer.

Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie, "A ConvNet for the 2020s",
CVPR 2022, arXiv:2201.03545. The block is Fig. 4, the variants are section 3 ("ConvNeXt-T/S/B/L",
Table 9), layer scale and stochastic depth Appendix A.1. The road from ResNet-50 to here is
`lineage_lab.models.convnext_steps`.

Read from the top: the variants as data → block → the network.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import LayerNorm2d, check_images, drop_path

__all__ = ["VARIANTS", "ConvNeXt", "ConvNeXtBlock", "ConvNeXtConfig"]

EPSILON = 1e-6  # of every layer norm


@dataclass(frozen=True, slots=True)
class ConvNeXtConfig:
    """A variant.

    Attributes:
        channels: Of each stage.
        blocks: In each stage.
        stochastic_depth: Probability that the last block is skipped for an image in training.
    """

    channels: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    stochastic_depth: float


# Section 3; the rates of stochastic depth are Table 5's, as torchvision sets them.
VARIANTS: dict[str, ConvNeXtConfig] = {
    "convnext_tiny": ConvNeXtConfig((96, 192, 384, 768), (3, 3, 9, 3), 0.1),
    "convnext_small": ConvNeXtConfig((96, 192, 384, 768), (3, 3, 27, 3), 0.4),
    "convnext_base": ConvNeXtConfig((128, 256, 512, 1024), (3, 3, 27, 3), 0.5),
    "convnext_large": ConvNeXtConfig((192, 384, 768, 1536), (3, 3, 27, 3), 0.5),
}


class ConvNeXtBlock(nn.Module):
    """Fig. 4, right: filter each channel alone, then mix the channels of each pixel.

    Args:
        channels: In and out.
        drop: Probability that the block is skipped for an image in training.
    """

    # --8<-- [start:layers]
    def __init__(self, channels: int, *, drop: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPSILON)
        self.expand = nn.Linear(channels, 4 * channels)
        self.act = nn.GELU()
        self.project = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 1e-6))
        self.drop = drop

    # --8<-- [end:layers]
    # --8<-- [start:block]
    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """``[batch, channels, height, width]``, in and out."""
        y = self.depthwise(x).permute(0, 2, 3, 1)  # channels last: a linear layer is a 1×1
        y = self.project(self.act(self.expand(self.norm(y))))
        y = self.scale * y.permute(0, 3, 1, 2)
        y = drop_path(y, self.drop, training=self.training)
        y += x
        return y

    # --8<-- [end:block]


class ConvNeXt(nn.Module):
    """Stem → four stages, a downsampling before each but the first → norm → linear layer.

    Args:
        num_classes: Scores to give.
        config: Which variant.
    """

    def __init__(self, *, num_classes: int = 1000, config: ConvNeXtConfig) -> None:
        super().__init__()
        total, built = sum(config.blocks), 0
        channels = config.channels[0]
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 4, 4), LayerNorm2d(channels, eps=EPSILON))
        self.stages = nn.Sequential()
        for width, count in zip(config.channels, config.blocks, strict=True):
            stage = nn.Sequential()
            if width != channels:
                norm = LayerNorm2d(channels, eps=EPSILON)
                stage.add_module(
                    "downsample", nn.Sequential(norm, nn.Conv2d(channels, width, 2, 2))
                )
            for index in range(count):
                drop = config.stochastic_depth * built / (total - 1)
                stage.add_module(f"block_{index}", ConvNeXtBlock(width, drop=drop))
                built += 1
            self.stages.append(stage)
            channels = width
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.norm = LayerNorm2d(channels, eps=EPSILON)
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    # --8<-- [start:forward]
    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Images normalised channel by channel to the logits ``[batch, classes]``."""
        check_images(images, smallest=32)
        x = self.stages(self.stem(images))
        x = self.norm(self.pool(x)).flatten(1)
        y: Tensor = self.head(x)
        return y

    # --8<-- [end:forward]
