"""The ViT chapter's long runs: how many digits each network needs, in order and shuffled.

``python -m lineage_site run vit`` writes ``docs/results/vit.json``, a network at a time.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from lineage_lab.data import split_digits
from lineage_lab.models.lenet import LeNet5Modern, normalize_ink
from lineage_lab.models.vit import ViT, ViTConfig
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["CELLS", "PARTS", "PATCH", "SIDE", "main", "shuffle", "small_vit"]

STEPS, BATCH, SEEDS, TEST = 1000, 32, 5, 1000
DIGITS = (500, 1000, 4000)
PATCH, SIDE = 8, 32
SMALL = ViTConfig(patch=PATCH, layers=2, dim=48, mlp_dim=96, heads=4)


def small_vit() -> ViT:
    """A ViT for digits: 16 patches of 8 × 8 pixels, two blocks, four heads."""
    return ViT(num_classes=10, config=SMALL, resolution=SIDE)


# Network -> how it is built and its learning rate: ViT's the best of 0.02, 0.05, 0.1 and 0.2 in
# 500 steps of seed 0, LeNet-5's that of its chapter.
PARTS: dict[str, tuple[Callable[[], nn.Module], float]] = {
    "ViT": (small_vit, 0.02),
    "LeNet-5": (LeNet5Modern, 0.05),
}
# (network, training digits, how the pictures are shuffled)
CELLS = (
    *((name, digits, "in order") for digits in DIGITS for name in PARTS),
    *((name, 4000, order) for name in PARTS for order in ("patches", "pixels")),
)


def shuffle(images: Tensor, order: str) -> Tensor:
    """All pictures shuffled in the same way: their 16 patches, or their 1,024 pixels."""
    side = {"in order": SIDE, "patches": PATCH, "pixels": 1}[order]
    parts = F.unfold(images, side, stride=side)
    generator = torch.Generator().manual_seed(1998)
    fixed = torch.randperm(parts.shape[2], generator=generator)
    return F.fold(parts[:, :, fixed], SIDE, side, stride=side)


def main(parts: Sequence[str]) -> None:
    """Train every network that the file does not have yet, and write the file after each."""
    weights = {n: sum(p.numel() for p in b().parameters()) for n, (b, _) in PARTS.items()}
    for name, digits, order in CELLS:
        for seed in range(SEEDS if name in parts else 0):
            cells = read_or_empty("vit").get("cells", [])
            key = {"network": name, "digits": digits, "order": order}
            cell = next((c for c in cells if key.items() <= c.items()), None)
            if cell is None:
                cell = {**key, "accuracies": []}
                cells.append(cell)
            if len(cell["accuracies"]) > seed:
                continue
            cell["accuracies"].append(round(_train(name, digits, order, seed), 4))
            record = {
                "schema": 1,
                "what": "share of held-out MNIST digits named rightly, one value a seed",
                "steps": STEPS,
                "batch": BATCH,
                "seeds": SEEDS,
                "test_digits": TEST,
                "optimizer": "SGD, momentum 0.9, one cycle",
                "learning_rates": {n: lr for n, (_, lr) in PARTS.items()},
                "parameters": weights,
                "cells": cells,
            }
            write("vit", record)
            print(cell, flush=True)


def _train(name: str, digits: int, order: str, seed: int) -> float:
    (images, labels), (test_images, test_labels) = split_digits(seed)
    build, lr = PARTS[name]
    torch.manual_seed(seed)
    model = build().train()
    channels = 3 if name == "ViT" else 1

    def prepare(pictures: Tensor) -> Tensor:
        return shuffle(normalize_ink(pictures), order).expand(-1, channels, -1, -1)

    chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:digits]
    images, labels = prepare(images[chosen]), labels[chosen]
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=lr, total_steps=STEPS)
    for _ in range(STEPS):
        batch = torch.randint(digits, (BATCH,))
        error = F.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        answers = model.eval()(prepare(test_images)).argmax(dim=1)
    return float((answers == test_labels).float().mean())
