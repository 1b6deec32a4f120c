"""The inception module and the auxiliary classifier of GoogLeNet.

Fig. 2(b), and section 5. Read from the top: a row of Table 1 → what the two forms differ in →
convolution → inception module → auxiliary classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Auxiliary", "GoogLeNetConfig", "Inception", "Width", "conv"]


class Width(NamedTuple):
    """A row of Table 1: the channels of one inception module's convolutions."""

    branch_1x1: int
    reduce_3x3: int
    branch_3x3: int
    reduce_5x5: int
    branch_5x5: int
    pool_projection: int

    @property
    def outputs(self) -> int:
        """Channels of the four branches together."""
        return self.branch_1x1 + self.branch_3x3 + self.branch_5x5 + self.pool_projection


@dataclass(frozen=True, slots=True, kw_only=True)
class GoogLeNetConfig:
    """A form of the network.

    Attributes:
        norm: Batch norm in place of a bias behind each convolution.
        kernel_5x5: Side of the kernel in the branch that the paper calls 5×5.
        between: Local response normalisation around the stem's convolutions.
        last_pool: Side of the pooling before module 5a.
        auxiliary_pool: What brings an auxiliary classifier's map to 4×4.
        dropout: Before the last layer.
        start: Draws the weights of a convolution or a linear layer.
        smallest: Least side of an image that leaves a pixel for the last pooling.
    """

    norm: bool
    kernel_5x5: int
    between: Callable[[], nn.Module]
    last_pool: int
    auxiliary_pool: Callable[[], nn.Module]
    dropout: float
    start: Callable[[Tensor], object]
    smallest: int


def conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, config: GoogLeNetConfig
) -> nn.Sequential:
    """Convolution that keeps the map's sides (but for the stride), batch norm if any, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=not config.norm)
    ]
    if config.norm:
        layers.append(nn.BatchNorm2d(outputs, eps=1e-3))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class Inception(nn.Module):
    """Fig. 2(b): four branches over the same map, their channels laid side by side.

    Args:
        inputs: Channels that come in.
        width: The row of Table 1.
        config: The form.
    """

    # --8<-- [start:inception]
    def __init__(self, inputs: int, *, width: Width, config: GoogLeNetConfig) -> None:
        super().__init__()
        # --8<-- [start:branches]
        layer = partial(conv, config=config)
        self.branch_1x1 = layer(inputs, width.branch_1x1, 1)
        self.branch_3x3 = nn.Sequential(
            layer(inputs, width.reduce_3x3, 1),
            layer(width.reduce_3x3, width.branch_3x3, 3),
        )
        self.branch_5x5 = nn.Sequential(
            layer(inputs, width.reduce_5x5, 1),
            layer(width.reduce_5x5, width.branch_5x5, config.kernel_5x5),
        )
        self.branch_pool = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1), layer(inputs, width.pool_projection, 1)
        )
        # --8<-- [end:branches]

    # --8<-- [start:module_forward]
    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps height width"]:
        """``[batch, in, height, width]`` to ``[batch, out, height, width]``."""
        branches = (self.branch_1x1, self.branch_3x3, self.branch_5x5, self.branch_pool)
        return torch.cat([branch(x) for branch in branches], dim=1)

    # --8<-- [end:module_forward]
    # --8<-- [end:inception]


class Auxiliary(nn.Module):
    """A small classifier on a middle map: it feeds gradient to the layers below (section 5)."""

    def __init__(self, inputs: int, *, num_classes: int, config: GoogLeNetConfig) -> None:
        super().__init__()
        self.pool = config.auxiliary_pool()
        self.conv = conv(inputs, 128, 1, config=config)
        self.hidden = nn.Linear(128 * 4 * 4, 1024)
        self.head = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(0.7)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """A middle map ``[batch, channels, height, width]`` to logits ``[batch, classes]``."""
        x = self.pool(x)
        if tuple(x.shape[2:]) != (4, 4):
            raise ValueError("the paper's auxiliary classifiers take a map of 14×14: train with "
                             "images of 224×224")  # fmt: skip
        x = self.conv(x).flatten(1)
        x = self.dropout(F.relu(self.hidden(x)))
        y: Tensor = self.head(x)
        return y
