"""ResNet's shortcuts: what carries a block's input past it (section 3.3, options A and B).

Read from the top: the convolution that a projection is → option A's padding → plain networks'
nothing → the choices.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["NoShortcut", "PaddedShortcut", "conv_norm", "option_a", "option_b", "without"]


def conv_norm(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> nn.Sequential:
    """Convolution without bias that keeps the map's sides (but for the stride), batch norm."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class PaddedShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new. No parameters."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.new_channels = outputs - inputs
        self.stride = stride

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, in, height, width]`` to ``[batch, out, height / stride, width / stride]``."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class NoShortcut(nn.Module):
    """Plain: the block's input is not added."""

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, ""]:
        """A zero."""
        return x.new_zeros(())


def option_a(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Identity, padded with zeros where the channels grow."""
    return nn.Identity() if inputs == outputs else PaddedShortcut(inputs, outputs, stride=stride)


def option_b(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Identity, a learnt projection where the shape changes."""
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return conv_norm(inputs, outputs, 1, stride=stride)


def without(inputs: int, outputs: int, stride: int) -> nn.Module:
    """No shortcut at all."""
    return NoShortcut()
