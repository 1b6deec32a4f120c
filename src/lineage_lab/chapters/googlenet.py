"""The GoogLeNet chapter's experiments: auxiliary gradients, squeezing, digits of three sizes.

``python -m lineage_site run googlenet`` trains all of them with five seeds, which takes
minutes, and writes docs/results/googlenet.json; `lineage_site.chapters.googlenet.charts` draws
from that file, and the page runs smaller forms live. Every set-up was chosen on seeds 100 and
101, which no result uses.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.anatomy.network import describe
from lineage_lab.chapters.experiments import train_digits
from lineage_lab.chapters.photos import sample
from lineage_lab.data.sets import split_digits
from lineage_lab.models.googlenet import (
    PAPER,
    GoogLeNet,
    GoogLeNetConfig,
    Inception,
    Width,
    auxiliary_loss,
)
from lineage_lab.models.googlenet_inception import conv
from lineage_lab.models.lenet import normalize_ink
from lineage_site.chapters.googlenet.cost import BRANCHES
from lineage_site.drawing.kept import keep, so_far

__all__ = [
    "SCALES",
    "SIZES",
    "by_size",
    "gradients",
    "resized",
    "run",
    "squeezed",
    "without",
]

SEEDS = 5
Norms = dict[str, tuple[float, float]]
FORMS = {"paper": PAPER, "batch norm": replace(PAPER, norm=True)}
# The digits' networks are the paper's, with batch norm: so short a training needs it.
layer = partial(conv, config=replace(PAPER, norm=True))


def crops(seed: int, *, count: int = 4) -> Tensor:
    """Squares of 224 × 224 pixels out of two real photographs, ``float [count, 3, 224, 224]``."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for index in range(count):
        photo = torch.from_numpy(np.array(sample(("china.jpg", "flower.jpg")[index % 2])))
        top, left = (
            int(torch.randint(n - 223, (1,), generator=generator)) for n in photo.shape[:2]
        )
        found.append(photo[top : top + 224, left : left + 224].permute(2, 0, 1))
    return (torch.stack(found).float() - 120) / 60


def length(module: nn.Module) -> float:
    """Norm of the gradient of all weights of a module."""
    gradients = (w.grad for w in module.parameters() if w.grad is not None)
    return float(sum(float(gradient.square().sum()) for gradient in gradients) ** 0.5)


# --8<-- [start:gradients]
def gradients(config: GoogLeNetConfig, *, seed: int) -> Norms:
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


SQUEEZES: tuple[int | None, ...] = (None, 8, 4, 2, 1)
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


def cost(network: nn.Module) -> dict[str, int]:
    """Parameters and MACs on a digit."""
    anatomy = describe(network, (1, 32, 32))
    return {"parameters": anatomy.parameters, "macs": anatomy.macs}


def _gradients(seeds: Sequence[int]) -> Any:
    return {form: [gradients(config, seed=s) for s in seeds] for form, config in FORMS.items()}


def _squeeze(seeds: Sequence[int]) -> Any:
    rows = []
    for channels in SQUEEZES:
        runs = [train_digits(partial(squeezed, channels), seed=seed) for seed in seeds]
        accuracies = [trained.accuracy for trained in runs]
        rows.append({"channels": channels, **cost(squeezed(channels)), "accuracies": accuracies})
    return rows


def _scale(name: str, seeds: Sequence[int]) -> Any:
    row: dict[str, Any] = {**cost(SCALES[name]()), "mixed": [], "sizes": [], "without": {}}
    for seed in seeds:
        trained = train_digits(SCALES[name], seed=seed, prepare=resized)
        row["mixed"].append(trained.accuracy)
        row["sizes"].append(by_size(trained.model, seed))
        if name == "several scales":
            assert isinstance(trained.model, nn.Sequential)
            for branch in BRANCHES:
                row["without"].setdefault(branch, []).append(without(trained.model, branch, seed))
    return row


PARTS: dict[str, Callable[[Sequence[int]], Any]] = {
    "gradients": _gradients,
    "squeeze": _squeeze,
    **{name: partial(_scale, name) for name in SCALES},
}


def run(*parts: str) -> None:
    """Run some of the experiments, or all of them, and write what they find into the file."""
    torch.set_num_threads(1)
    found = so_far("googlenet")
    for part in parts or PARTS:
        found[part] = PARTS[part](range(SEEDS))
        found["about"] = {
            "date": datetime.now(UTC).date().isoformat(),
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "hardware": f"{platform.machine()} CPU, one thread",
            "seeds": list(range(SEEDS)),
            "digits": "4,000 to train on, four passes; 1,000 to test on",
        }
        keep("googlenet", found)
