"""GoogLeNet's experiments: naive modules, auxiliary gradients, squeezing, digits of three sizes.

Every set-up was chosen on seeds 100 and 101, which no result uses.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.chapters.photos import sample
from lineage_lab.data.sets import split_digits
from lineage_lab.models.googlenet import (
    PAPER,
    TABLE_1,
    GoogLeNet,
    GoogLeNetConfig,
    Inception,
    Width,
    auxiliary_loss,
)
from lineage_lab.models.googlenet_inception import conv
from lineage_lab.models.lenet import normalize_ink

__all__ = [
    "INPUTS",
    "SCALES",
    "SIZES",
    "Naive",
    "by_size",
    "gradients",
    "naive_network",
    "resized",
    "squeezed",
    "without",
]

INPUTS = 192  # channels that module 3a takes
# The digits' networks are the paper's, with batch norm: so short a training needs it.
layer = partial(conv, config=replace(PAPER, norm=True))


# --8<-- [start:naive]
class Naive(nn.Module):
    """Fig. 2(a): four branches, and no 1×1 to squeeze."""

    def __init__(self, inputs: int, *, width: Width) -> None:
        super().__init__()
        layer = partial(conv, config=PAPER)
        self.branch_1x1 = layer(inputs, width.branch_1x1, 1)
        self.branch_3x3 = layer(inputs, width.branch_3x3, 3)
        self.branch_5x5 = layer(inputs, width.branch_5x5, 5)
        self.branch_pool = nn.MaxPool2d(3, stride=1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """The pooled channels are all kept: the map grows."""
        filtered = (self.branch_1x1(x), self.branch_3x3(x), self.branch_5x5(x))
        return torch.cat((*filtered, self.branch_pool(x)), dim=1)


# --8<-- [end:naive]


def naive_network() -> GoogLeNet:
    """GoogLeNet of naive modules, without memory for its weights (on the meta device)."""
    with torch.device("meta"):
        network = GoogLeNet(config=PAPER)
        network.auxiliary_4a = network.auxiliary_4d = None
        channels = INPUTS
        for name, width in TABLE_1.items():
            network.inception[name] = Naive(channels, width=width)
            channels += width.branch_1x1 + width.branch_3x3 + width.branch_5x5
        network.head = nn.Linear(channels, 1000)
    return network


def crops(seed: int, *, count: int = 4) -> Tensor:
    """Squares of 224 × 224 pixels out of two real photographs, ``float [count, 3, 224, 224]``."""
    generator = torch.Generator().manual_seed(seed)
    squares = []
    for index in range(count):
        photo = torch.from_numpy(np.array(sample(("china.jpg", "flower.jpg")[index % 2])))
        top, left = (
            int(torch.randint(n - 223, (1,), generator=generator)) for n in photo.shape[:2]
        )
        squares.append(photo[top : top + 224, left : left + 224].permute(2, 0, 1))
    return (torch.stack(squares).float() - 120) / 60


def length(module: nn.Module) -> float:
    """Norm of the gradient of all weights of a module."""
    gradients = (w.grad for w in module.parameters() if w.grad is not None)
    return float(sum(float(gradient.square().sum()) for gradient in gradients) ** 0.5)


# --8<-- [start:gradients]
def gradients(config: GoogLeNetConfig, *, seed: int) -> dict[str, tuple[float, float]]:
    """Of each module of a new network, without and with the auxiliaries."""
    images, labels = crops(seed), torch.tensor([0, 1, 0, 1])
    torch.manual_seed(seed)
    network = GoogLeNet(config=config).train()
    modules = {"7×7": network.stem[0], **network.inception}
    outputs = network(images)
    main = F.cross_entropy(outputs.logits, labels)
    norms = []
    for loss in (main, auxiliary_loss(outputs, labels)):
        network.zero_grad()
        loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        norms.append({name: length(module) for name, module in modules.items()})
    return {name: (norms[0][name], norms[1][name]) for name in modules}


# --8<-- [end:gradients]


# --8<-- [start:squeezed]
def squeezed(channels: int | None) -> nn.Sequential:
    """One 5×5 convolution, behind a 1×1 to so many channels, or to none."""
    if channels is None:
        block = layer(32, 32, 5)
    else:
        block = nn.Sequential(layer(32, channels, 1), layer(channels, 32, 5))
    stem = layer(1, 32, 5, stride=4)
    mean = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(stem, block, *mean, nn.Linear(32, 10))


# --8<-- [end:squeezed]


SIZES = (10, 20, 32)
WIDTH = Width(12, 12, 24, 6, 20, 8)


def resized(images: Tensor, sizes: Sequence[int] = SIZES) -> Tensor:
    """Digits drawn anew in one of a few sizes, somewhere on a canvas of 32 × 32.

    Args:
        images: ``uint8 [n, 1, 32, 32]``; the digit fills the 22 × 22 in the middle.
        sizes: Sides that those 22 pixels become, each as likely.

    Returns:
        The network's input, ``float [n, 1, 32, 32]``; the same for the same images.
    """
    generator = torch.Generator().manual_seed(len(images))
    draw = partial(torch.randint, size=(len(images),), generator=generator)
    choice = draw(len(sizes))
    canvas = torch.zeros_like(images)
    for index, side in enumerate(sizes):
        chosen = (choice == index).nonzero().flatten()
        inner = images[chosen, :, 5:27, 5:27].float()
        digits = F.interpolate(inner, size=(side, side), mode="bilinear", antialias=True)
        top, left = draw(33 - side)[chosen], draw(33 - side)[chosen]
        for place, y, x, digit in zip(chosen, top, left, digits.round().byte(), strict=True):
            canvas[place, :, y : y + side, x : x + side] = digit
    return normalize_ink(canvas)


def several() -> nn.Sequential:
    """Two inception modules: 1×1, 3×3, 5×5 and pooling side by side."""
    config = replace(PAPER, norm=True)
    return around(
        Inception(32, width=WIDTH, config=config), Inception(64, width=WIDTH, config=config)
    )


def one(kernel: int, first: int, second: int) -> nn.Sequential:
    """Two modules of one scale each, as wide; their reductions make the cost equal."""
    early = (layer(32, first, 1), layer(first, 64, kernel))
    return around(*early, layer(64, second, 1), layer(second, 64, kernel))


def around(*block: nn.Module) -> nn.Sequential:
    """Stem, these modules on a map of 8 × 8, mean over the map, linear layer."""
    tail = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return nn.Sequential(layer(1, 32, 5, stride=4), *block, *tail)


SCALES: dict[str, Callable[[], nn.Sequential]] = {
    "several scales": several,
    "3×3 only": partial(one, 3, 13, 11),
    "5×5 only": partial(one, 5, 5, 4),
}


def by_size(model: nn.Module, seed: int) -> list[float]:
    """Accuracy on the held-out digits, all of them drawn in one size, size by size."""
    _, (images, labels) = split_digits(seed)
    with torch.no_grad():
        answers = [model(resized(images, (side,))).argmax(dim=1) for side in SIZES]
    return [(answer == labels).float().mean().item() for answer in answers]


def without(model: nn.Sequential, branch: str, seed: int) -> list[float]:
    """`by_size` with one branch of both modules silenced."""
    hooks = [
        getattr(module, branch).register_forward_hook(lambda _, __, out: torch.zeros_like(out))
        for module in model
        if isinstance(module, Inception)
    ]
    try:
        return by_size(model, seed)
    finally:
        for hook in hooks:
            hook.remove()
