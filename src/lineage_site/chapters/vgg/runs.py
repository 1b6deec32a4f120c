"""The VGG chapter's long runs: windows of 7 × 7, first weights, what each pixel moves.

``python -m lineage_site run vgg windows`` (or ``towers``, ``field``) runs one of them and writes
its part of ``docs/results/vgg.json``; the chapter shows the same with fewer seeds, live.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.chapters.experiments import train_digits
from lineage_lab.models.lenet import normalize_ink
from lineage_lab.models.vgg import CHANNELS, COLUMNS, stage
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["PARTS", "STARTS", "main"]

# What each network of the first experiment is, and the learning rate chosen on seeds 100 and 101.
WINDOWS: dict[str, tuple[bool, bool, int, float]] = {
    "three 3×3, 16 maps": (True, True, 16, 0.05),
    "the same, no ReLU between": (True, False, 16, 0.1),
    "one 7×7, 16 maps": (False, True, 16, 0.4),
    "one 7×7, 80 maps": (False, True, 80, 0.4),
}
STARTS: dict[str, Callable[[Tensor], Any]] = {
    "σ = 0.01": lambda w: nn.init.normal_(w, 0, 0.01),
    "Glorot": nn.init.xavier_normal_,
    "He": lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu"),
}


def seven(images: Tensor) -> Tensor:
    """Digits ``uint8 [n, 1, 32, 32]`` without their margin, shrunk to 7 × 7 pixels."""
    return F.avg_pool2d(normalize_ink(images)[:, :, 2:30, 2:30], 4)


def window(*, small: bool, between: bool, maps: int) -> nn.Sequential:
    """Features of a window of 7 × 7 pixels, and ten scores.

    Args:
        small: Three 3×3 convolutions; else one 7×7.
        between: ReLU behind each convolution; else behind the last one only.
        maps: Channels of each layer.
    """
    kernels = (3, 3, 3) if small else (7,)
    layers: list[nn.Module] = []
    for index, kernel in enumerate(kernels):
        conv = nn.Conv2d(maps if index else 1, maps, kernel)
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu" if between else "linear")
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        layers.append(conv)
        if between or index == len(kernels) - 1:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(maps, 10))


def tower(start: Callable[[Tensor], Any], *, depth: int = 10, norm: bool = False) -> nn.Sequential:
    """One stage of VGG with `depth` convolutions of 16 maps on digits of 7 × 7, and ten scores."""
    convs = stage(1, 16, (3,) * depth, norm=norm)
    for layer in convs:
        if isinstance(layer, nn.Conv2d):
            start(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(convs, nn.Flatten(), nn.Linear(16 * 9, 10))


def _windows(seeds: int = 20) -> dict[str, Any]:
    """Writes each network's runs when they are done; those that the file has stay."""
    networks = read_or_empty("vgg").get("windows", {}).get("networks", {})
    part: dict[str, Any] = {"seeds": seeds, "epochs": 4, "networks": networks}
    for name, (small, between, maps, lr) in WINDOWS.items():
        if name in networks:
            continue
        runs = [
            train_digits(
                partial(window, small=small, between=between, maps=maps),
                seed=seed,
                lr=lr,
                prepare=seven,
            )
            for seed in range(seeds)
        ]
        networks[name] = {
            "lr": lr,
            "parameters": sum(p.numel() for p in runs[0].model.parameters()),
            "accuracy": [round(run.accuracy, 4) for run in runs],
        }
        write("vgg", read_or_empty("vgg") | {"windows": part})
    return part


def _towers(seeds: int = 10) -> dict[str, Any]:
    part: dict[str, Any] = {"seeds": seeds, "epochs": 1, "lr": 0.02, "depth": 10, "starts": {}}
    starts = [(name, start, False) for name, start in STARTS.items()]
    starts.append(("σ = 0.01, batch norm", STARTS["σ = 0.01"], True))
    for name, start, norm in starts:
        runs = [
            train_digits(
                partial(tower, start, norm=norm), seed=seed, epochs=1, lr=0.02, prepare=seven
            )
            for seed in range(seeds)
        ]
        losses = torch.tensor([run.losses for run in runs])
        part["starts"][name] = {
            "accuracy": [round(run.accuracy, 4) for run in runs],
            # The mean over five steps, seed by seed.
            "losses": [
                [round(v, 3) for v in row] for row in losses.unfold(1, 5, 5).mean(2).tolist()
            ],
        }
    return part


def _field(seeds: int = 4) -> dict[str, Any]:
    """How much each pixel moves the middle unit of each stage of VGG-16, before training."""
    size = 224
    total = [torch.zeros(size, size) for _ in CHANNELS]
    for seed in range(seeds):
        torch.manual_seed(seed)
        image = torch.randn(1, 3, size, size, requires_grad=True)
        x, inputs, outputs = image, 3, []
        for channels, kernels in zip(CHANNELS, COLUMNS["D"], strict=True):
            layers = stage(inputs, channels, kernels, norm=False).requires_grad_(False)
            for layer in layers:
                if isinstance(layer, nn.Conv2d):
                    STARTS["He"](layer.weight)
                    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            # The pooling that ends a stage belongs to the next one's view.
            x = layers(x)
            outputs.append(x)
            inputs = channels
        for index, y in enumerate(outputs):
            middle = y.shape[-1] // 2
            (grad,) = torch.autograd.grad(
                y[0, :, middle, middle].sum(), image, retain_graph=index < len(outputs) - 1
            )
            total[index] += grad[0].abs().sum(0)
    coarse = F.avg_pool2d(torch.stack(total)[:, None], 4)[:, 0]
    maps = [[[round(v, 3) for v in row] for row in (m / m.max()).tolist()] for m in coarse]
    return {"seeds": seeds, "maps": maps}


PARTS = {"windows": _windows, "towers": _towers, "field": _field}


def main(parts: Sequence[str]) -> None:
    """Run some of the experiments, and write the file after each."""
    for part in parts:
        write("vgg", read_or_empty("vgg") | {part: PARTS[part]()})
