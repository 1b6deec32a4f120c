"""ResNet's experiments: plain and residual, shallow and deep, and what reaches the last block."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lineage_lab.chapters.experiments import train_digits
from lineage_lab.chapters.photos import sample
from lineage_lab.models.lenet import normalize_ink
from lineage_lab.models.resnet import ResNet, ResNetConfig, cifar
from lineage_lab.models.resnet_shortcuts import option_a

__all__ = [
    "Scaled",
    "blocks",
    "digits",
    "gradients",
    "last_losses",
    "linear_guess",
    "losses_of",
    "narrow",
    "one_stage",
    "photograph",
    "scaled",
]


# --8<-- [start:train]
def narrow(layers: int) -> ResNetConfig:
    """The paper's network for CIFAR-10 with half of its channels."""
    return replace(cifar(layers), channels=(8, 16, 32))


def digits(images: Tensor, side: int) -> Tensor:
    """Grey ``uint8 [n, 1, 32, 32]`` to what the networks take, ``[n, 3, side, side]``."""
    return F.avg_pool2d(normalize_ink(images), 32 // side).expand(-1, 3, -1, -1)


def losses_of(config: ResNetConfig, *, seed: int, steps: int, side: int) -> tuple[ResNet, Tensor]:
    """Train on the 4,000 digits of a seed; gives the network and the loss of each step."""
    trained = train_digits(
        partial(ResNet, num_classes=10, config=config),
        seed=seed,
        steps=steps,
        prepare=partial(digits, side=side),
    )
    assert isinstance(trained.model, ResNet)
    return trained.model, torch.tensor(trained.losses)


def last_losses(config: ResNetConfig, *, steps: int = 50, side: int = 8) -> Tensor:
    """The mean loss of the last ten steps, one value for each of five seeds."""
    runs = (losses_of(config, seed=s, steps=steps, side=side)[1] for s in range(5))
    return torch.stack([losses[-10:].mean() for losses in runs])


# --8<-- [end:train]


class Scaled(nn.Module):
    """Its input times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, in and out."""
        return self.factor * x


def scaled(config: ResNetConfig, factor: float) -> ResNetConfig:
    """The same network, each shortcut multiplied by a constant."""

    def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
        return nn.Sequential(option_a(inputs, outputs, stride), Scaled(factor))

    return replace(config, shortcut=shortcut)


def blocks(model: ResNet) -> list[nn.Module]:
    """All blocks of a network, first block first."""
    return [block for stage in model.stages.children() for block in stage.children()]


def gradients(model: ResNet, images: Tensor, labels: Tensor) -> list[float]:
    """Norm of the loss's gradient at the output of each block, first block first.

    The network's mode is left as it is: in ``train`` batch norm uses the batch's own statistics.
    """
    outputs: list[Tensor] = []

    def retain(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        outputs.append(output)

    hooks = [block.register_forward_hook(retain) for block in blocks(model)]
    F.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
    for hook in hooks:
        hook.remove()
    model.zero_grad()
    return [float(o.grad.norm()) for o in outputs if o.grad is not None]


def one_stage(blocks: int) -> ResNetConfig:
    """A stem and one stage of 16 channels: the first third of a network for CIFAR-10."""
    return replace(cifar(20), blocks=(blocks,), channels=(16,))


def photograph(side: int) -> Tensor:
    """A square of scikit-learn's china.jpg, ``float [1, 3, side, side]`` from 0 to 1.

    The photograph is by Daniel Büchele, under CC BY.

    Raises:
        FileNotFoundError: scikit-learn is not installed.
    """
    square = sample("china.jpg").crop((180, 0, 607, 427)).resize((side, side))
    pixels = torch.from_numpy(np.array(square)).float() / 255
    return pixels.permute(2, 0, 1)[None]


# --8<-- [start:linear_guess]
def linear_guess(maps: Tensor, picture: Tensor) -> tuple[Tensor, float]:
    """The best linear guess at a picture's pixels from the channels at the same place.

    Args:
        maps: ``[1, channels, height, width]``.
        picture: ``[1, 3, height, width]``.

    Returns:
        The guess, and the share of the picture's variance that it explains, from 0 to 1.
    """
    pixels = picture.flatten(2)[0].T
    known = torch.cat([maps.flatten(2)[0].T, torch.ones(len(pixels), 1)], dim=1)
    guess = known @ torch.linalg.lstsq(known, pixels, driver="gelsd").solution
    missed = (guess - pixels).square().sum() / (pixels - pixels.mean(dim=0)).square().sum()
    return guess.T.view_as(picture), 1 - missed.item()


# --8<-- [end:linear_guess]
