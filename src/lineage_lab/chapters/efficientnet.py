"""EfficientNet's experiments: a small network of MBConv blocks, and photographs for Lite0."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.chapters.photos import middle_square
from lineage_lab.models.efficientnet_blocks import Form, MBConv, Stage, conv_norm

__all__ = ["as_input", "shrunk", "small"]


def as_input(image: Image.Image, side: int) -> Tensor:
    """A photograph as Lite0's weights want it: the square in its middle, from -1 to 1.

    Args:
        image: In RGB, of any size.
        side: In pixels.

    Returns:
        ``float [1, 3, side, side]``.
    """
    small = middle_square(image).resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None] / 127.5 - 1


def shrunk(images: Tensor, side: int) -> Tensor:
    """Digits without their margin, shrunk: ``uint8 [n, 1, 32, 32]`` to ``[n, 1, side, side]``."""
    inner = images[..., 2:30, 2:30].float() / 255
    small = F.interpolate(inner, size=(side, side), mode="bilinear", antialias=True)
    return (small - 0.13) / 0.31


# --8<-- [start:small]
def small(width: float, depth: int, form: Form) -> nn.Sequential:
    """Stem, two stages of MBConv, each halving the map, mean over the map, linear layer."""
    first, second = round(8 * width), round(16 * width)
    layers: list[nn.Module] = [conv_norm(1, first, form=form, kernel=3)]
    inputs = first
    for outputs in (first, second):
        stage = Stage(expand=4, kernel=3, stride=2, channels=outputs, blocks=depth)
        for index in range(depth):
            stride = stage.stride if index == 0 else 1
            layers.append(MBConv(inputs, outputs, stage=stage, stride=stride, drop=0.0, form=form))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(second, 10))


# --8<-- [end:small]
