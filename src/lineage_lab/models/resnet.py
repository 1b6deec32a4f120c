"""ResNet (2015): let each block learn what to add to its input, not what to put in its place.

K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
arXiv:1512.03385. The networks for ImageNet are Table 1, the two blocks Fig. 5, the shortcuts
A and B section 3.3, the networks for CIFAR-10 section 4.2. A plain network is the same
without shortcuts (Fig. 3, middle).

The paper (v1) strides in a bottleneck's first 1×1 convolution, which then skips three
quarters of its input. The networks that torchvision ships stride in the 3×3 (known as v1.5:
more MACs, better accuracy). The same weights fit both.

Read from the top: a form's numbers → blocks → the network → the forms as data.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import check_images
from lineage_lab.models.resnet_shortcuts import conv_norm, option_a, option_b, without

__all__ = ["IMAGENET", "BasicBlock", "Bottleneck", "ResNet", "ResNetConfig", "cifar", "paper",
           "plain"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig:
    """A form of the network.

    Attributes:
        bottleneck: Blocks of three layers (Fig. 5, right), not of two.
        blocks: Blocks in each stage.
        channels: Of the 3×3 convolutions in each stage.
        stem_kernel: Side of the first kernel: 7 with stride 2 and a pooling, or 3 alone.
        stride_first: The first 1×1 of a bottleneck strides (the paper), not its 3×3.
        shortcut: What carries the input past the block: takes inputs, outputs, stride.
    """

    bottleneck: bool
    blocks: tuple[int, ...]
    channels: tuple[int, ...] = (64, 128, 256, 512)
    stem_kernel: int = 7
    stride_first: bool = False
    shortcut: Callable[[int, int, int], nn.Module] = option_b


class BasicBlock(nn.Module):
    """Fig. 5, left: two 3×3 convolutions, and the input added to what they give."""

    expansion = 1

    # --8<-- [start:basic]
    def __init__(self, inputs: int, width: int, *, stride: int, config: ResNetConfig) -> None:
        super().__init__()
        self.first = conv_norm(inputs, width, 3, stride=stride)
        self.second = conv_norm(width, width, 3)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = config.shortcut(inputs, width, stride)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, in, height, width]`` to ``[batch, out, height / stride, width / stride]``."""
        y = self.relu(self.first(x))
        y = self.second(y)
        y += self.shortcut(x)
        summed: Tensor = self.relu(y)
        return summed

    # --8<-- [end:basic]


class Bottleneck(nn.Module):
    """Fig. 5, right: 1×1 to fewer channels, 3×3 there, 1×1 to four times as many."""

    expansion = 4

    # --8<-- [start:bottleneck]
    def __init__(self, inputs: int, width: int, *, stride: int, config: ResNetConfig) -> None:
        super().__init__()
        first, middle = (stride, 1) if config.stride_first else (1, stride)
        self.reduce = conv_norm(inputs, width, 1, stride=first)
        self.filter = conv_norm(width, width, 3, stride=middle)
        self.expand = conv_norm(width, 4 * width, 1)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = config.shortcut(inputs, 4 * width, stride)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, in, height, width]`` to ``[batch, out, height / stride, width / stride]``."""
        y = self.relu(self.reduce(x))
        y = self.relu(self.filter(y))
        y = self.expand(y)
        y += self.shortcut(x)
        summed: Tensor = self.relu(y)
        return summed

    # --8<-- [end:bottleneck]


class ResNet(nn.Module):
    """Stem → stages → global average pooling → one linear layer.

    Args:
        num_classes: Scores to give.
        config: Which form.
    """

    def __init__(self, *, num_classes: int = 1000, config: ResNetConfig) -> None:
        super().__init__()
        block = Bottleneck if config.bottleneck else BasicBlock
        channels = config.channels[0]
        large = config.stem_kernel > 3
        self.stem = conv_norm(3, channels, config.stem_kernel, stride=2 if large else 1)
        self.stem.append(nn.ReLU(inplace=True))
        if large:
            self.stem.append(nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        self.stages = nn.Sequential()
        for number, (count, width) in enumerate(zip(config.blocks, config.channels, strict=True)):
            stage = nn.Sequential()
            for index in range(count):
                stride = 2 if number > 0 and index == 0 else 1
                stage.append(block(channels, width, stride=stride, config=config))
                channels = width * block.expansion
            self.stages.append(stage)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al., arXiv:1502.01852, by fan-out
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    # --8<-- [start:forward]
    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Images normalised channel by channel to the logits ``[batch, classes]``."""
        check_images(images)
        x = self.stem(images)
        x = self.stages(x)
        x = self.pool(x).flatten(1)
        y: Tensor = self.head(x)
        return y

    # --8<-- [end:forward]


# Table 1, by the number of layers.
IMAGENET: dict[int, ResNetConfig] = {
    18: ResNetConfig(bottleneck=False, blocks=(2, 2, 2, 2)),
    34: ResNetConfig(bottleneck=False, blocks=(3, 4, 6, 3)),
    50: ResNetConfig(bottleneck=True, blocks=(3, 4, 6, 3)),
    101: ResNetConfig(bottleneck=True, blocks=(3, 4, 23, 3)),
    152: ResNetConfig(bottleneck=True, blocks=(3, 8, 36, 3)),
}


def paper(layers: int) -> ResNetConfig:
    """Table 1 as printed: a bottleneck strides in its first 1×1 convolution (v1)."""
    return replace(IMAGENET[layers], stride_first=True)


def cifar(layers: int) -> ResNetConfig:
    """Section 4.2, for 32×32 images: 6n + 2 layers, 2n in a block's 3×3 of 16, 32, 64 channels.

    Args:
        layers: 20, 32, 44, 56, 110, 1202, or another 6n + 2.

    Raises:
        ValueError: It is not of the form 6n + 2.
    """
    n, rest = divmod(layers - 2, 6)
    if rest or n < 1:
        raise ValueError(f"the paper's CIFAR networks have 6n + 2 layers: {layers} is none")
    return ResNetConfig(bottleneck=False, blocks=(n, n, n), channels=(16, 32, 64),
                        stem_kernel=3, shortcut=option_a)  # fmt: skip


def plain(config: ResNetConfig) -> ResNetConfig:
    """The same network without shortcuts."""
    return replace(config, shortcut=without)
