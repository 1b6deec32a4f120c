"""ConvNeXt's experiments: the small network, its training loop, and steps of the road to it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import cos, pi

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from lineage_lab.data.sets import split_digits
from lineage_lab.models.convnext import ConvNeXt, ConvNeXtBlock, ConvNeXtConfig
from lineage_lab.models.convnext_steps import ROAD, SteppedNet
from lineage_lab.models.lenet import normalize_ink

__all__ = [
    "CONVNEXT",
    "RESNET",
    "Recipe",
    "accuracy",
    "in_colour",
    "layer_scales",
    "on_the_road",
    "small_convnext",
    "train",
]


# --8<-- [start:train]
@dataclass(frozen=True)
class Recipe:
    """How to train."""

    optimizer: Callable[..., torch.optim.Optimizer]
    lr: float
    decay: float
    warmup: float  # share of the steps


RESNET = Recipe(torch.optim.SGD, lr=0.1, decay=1e-4, warmup=0.0)
CONVNEXT = Recipe(torch.optim.AdamW, lr=4e-3, decay=0.05, warmup=0.1)


def train(
    build: Callable[[], nn.Module],
    recipe: Recipe,
    *,
    seed: int,
    passes: int = 1,
    batch: int = 32,
) -> tuple[nn.Module, float]:
    """Train on 4,000 digits; the network and its accuracy on 1,000 others."""
    (images, labels), (test_images, test_labels) = split_digits(seed)
    torch.manual_seed(seed)
    model = build().train()
    momentum = {"momentum": 0.9} if recipe.optimizer is torch.optim.SGD else {}
    optimizer = recipe.optimizer(
        model.parameters(), lr=recipe.lr, weight_decay=recipe.decay, **momentum
    )
    steps = passes * -(-len(images) // batch)

    def rate(step: int) -> float:  # linear warm-up, then a cosine down to 0
        done = step / steps
        return min(1.0, (step + 1) / (recipe.warmup * steps + 1)) * (1 + cos(pi * done)) / 2

    schedule = LambdaLR(optimizer, rate)
    for _ in range(passes):
        for some in torch.randperm(len(images)).split(batch):  # type: ignore[no-untyped-call]
            loss = F.cross_entropy(model(in_colour(images[some])), labels[some])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return model, accuracy(model, test_images, test_labels)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of the digits that the network names rightly."""
    with torch.no_grad():
        answers: Tensor = model.eval()(in_colour(images)).argmax(dim=1)
    return (answers == labels).float().mean().item()


def in_colour(images: Tensor) -> Tensor:
    """Grey digits of `uint8` as three equal channels, which these networks take."""
    return normalize_ink(images).expand(-1, 3, -1, -1)


# --8<-- [end:train]


# --8<-- [start:small]
def small_convnext(*, kernel: int = 7) -> ConvNeXt:
    """A ConvNeXt of four blocks for digits of 32×32, its maps 8×8 and 4×4."""
    config = ConvNeXtConfig(channels=(16, 16, 32, 32), blocks=(1, 1, 1, 1), stochastic_depth=0.0)
    model = ConvNeXt(num_classes=10, config=config)
    for block in model.modules():
        if isinstance(block, ConvNeXtBlock) and kernel != 7:
            channels = block.depthwise.in_channels
            window = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
            nn.init.trunc_normal_(window.weight, std=0.02)
            block.depthwise = window
    return model


def on_the_road(key: str, *, width: int = 8) -> SteppedNet:
    """A step of the road with one block a stage, narrow enough for digits."""
    return SteppedNet(num_classes=10, step=replace(ROAD[key], blocks=(1, 1, 1, 1), width=width))


# --8<-- [end:small]


def layer_scales(model: nn.Module) -> list[float]:
    """Mean size of the layer scale of each ConvNeXt block."""
    return [
        block.scale.abs().mean().item()
        for block in model.modules()
        if isinstance(block, ConvNeXtBlock)
    ]
