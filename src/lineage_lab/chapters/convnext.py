"""The ConvNeXt chapter's training loop and its recorded experiments.

The chapter runs a small part of them live. What takes longer is run once and kept:
``python -m lineage_site run convnext`` writes ``docs/results/convnext.json``, with the
number of seeds, their spread, the machine and the versions; figures and tables are made from
that file.
"""

import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import cos, pi
from statistics import mean, stdev
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from lineage_lab.data.sets import split_digits
from lineage_lab.models.convnext import ConvNeXt, ConvNeXtBlock, ConvNeXtConfig
from lineage_lab.models.convnext_steps import ROAD, SteppedNet
from lineage_lab.models.lenet import normalize_ink
from lineage_site.drawing.kept import keep, so_far

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

KERNELS = (1, 3, 5, 7, 9, 11)
SGD_RATES = (0.01, 0.03, 0.1, 0.3)
ADAMW_RATES = (0.001, 0.003, 0.01, 0.03)
SEEDS = range(5)
RUNG = replace(CONVNEXT, lr=1e-2)  # the rate of the kernel experiment, chosen on one seed
NETS: dict[str, Callable[[], nn.Module]] = {
    "batch norm": lambda: on_the_road("fewer_norms"),
    "layer norm": lambda: on_the_road("layer_norm"),
    "ConvNeXt": small_convnext,
}


def plan() -> dict[str, dict[str, Callable[[int], tuple[nn.Module, float]]]]:
    """Each recorded experiment: its rows, and what one seed of a row runs."""
    parts: dict[str, dict[str, Callable[[int], tuple[nn.Module, float]]]] = {
        "kernels": {
            str(kernel): lambda seed, kernel=kernel: train(  # type: ignore[misc]
                lambda: small_convnext(kernel=kernel), RUNG, seed=seed, passes=2, batch=64
            )
            for kernel in KERNELS
        },
    }
    for name, build in NETS.items():
        rows: dict[str, Callable[[int], tuple[nn.Module, float]]] = {}
        for recipe, rates in ((RESNET, SGD_RATES), (CONVNEXT, ADAMW_RATES)):
            for rate in rates:
                # One warm-up for both: the optimizer and its rate are all that differs.
                one = replace(recipe, lr=rate, warmup=0.1)
                rows[f"{one.optimizer.__name__}, {rate:g}"] = lambda seed, one=one, build=build: (  # type: ignore[misc]
                    train(build, one, seed=seed, passes=2, batch=64)
                )
        parts[f"rates, {name}"] = rows
    return parts


def layer_scales(model: nn.Module) -> list[float]:
    """Mean size of the layer scale of each ConvNeXt block."""
    return [
        block.scale.abs().mean().item()
        for block in model.modules()
        if isinstance(block, ConvNeXtBlock)
    ]


def asleep(model: nn.Module, seed: int) -> float:
    """The trained network's accuracy after every layer scale is set to 0."""
    for block in model.modules():
        if isinstance(block, ConvNeXtBlock):
            nn.init.zeros_(block.scale)
    return accuracy(model, *split_digits(seed)[1])


def run(names: Iterable[str]) -> None:
    """Run some of the experiments and write each row into the file as it is done."""
    torch.set_num_threads(1)
    for name in names:
        for row, once in plan()[name].items():
            if row in so_far("convnext").get("results", {}).get(name, {}):
                continue  # a run that was stopped goes on where it was
            results = [once(seed) for seed in SEEDS]
            accuracies = [round(share, 4) for _, share in results]
            scales = [mean(found) for model, _ in results if (found := layer_scales(model))]
            kept: dict[str, Any] = so_far("convnext")
            kept.setdefault("results", {}).setdefault(name, {})[row] = {
                "n": len(accuracies),
                "mean": round(mean(accuracies), 4),
                "deviation": round(stdev(accuracies), 4),
                "accuracies": accuracies,
            }
            if scales:
                without = [
                    asleep(model, seed) for seed, (model, _) in zip(SEEDS, results, strict=True)
                ]
                kept["results"][name][row] |= {
                    "layer_scale": f"{mean(scales):.2g}",
                    "asleep": [round(share, 4) for share in without],
                }
            kept |= {
                "data": "4,000 MNIST digits to train on, 1,000 to test with, chosen by the seed",
                "hardware": f"{platform.machine()}, one thread",
                "versions": {"python": platform.python_version(), "torch": torch.__version__},
                "date": datetime.now(tz=UTC).date().isoformat(),
            }
            keep("convnext", kept)
            print(f"{name}: {row}: {mean(accuracies):.3f}", flush=True)


if __name__ == "__main__":
    run(sys.argv[1:] or plan())
