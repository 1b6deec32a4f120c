"""The ResNet chapter's long runs: plain and residual, shallow and deep, on real digits.

``python -m lineage_site run resnet`` trains what is not yet in ``docs/results/resnet.json`` and
writes that file after each network: about a quarter of an hour on one processor core. The page
trains the same networks for a few steps.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lineage_lab.chapters.resnet import blocks, digits, gradients, losses_of, narrow
from lineage_lab.data import split_digits
from lineage_lab.models.resnet import ResNet, plain
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["PARTS", "main", "without_block"]

STEPS, SIDE, SEEDS = 500, 16, 5
# What each part trains: the form and the number of layers.
PARTS = {
    f"{form}-{layers}": (form, layers) for form in ("plain", "residual") for layers in (20, 56)
}


def responses(model: ResNet, images: Tensor) -> list[float]:
    """Standard deviation of each 3×3 layer's response: after batch norm, before ReLU or sum."""
    deviations: list[float] = []

    def measure(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        deviations.append(float(output.std()))

    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(measure) for norm in norms]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return deviations


def without_block(model: ResNet, index: int) -> Callable[[Tensor], Tensor]:
    """The network with one block taken out; the map goes from the block before to the one after.

    Raises:
        ValueError: The block changes the map's shape, so that the next could not take it.
    """
    all_blocks = blocks(model)
    conv = next(m for m in all_blocks[index].modules() if isinstance(m, nn.Conv2d))
    if conv.in_channels != conv.out_channels:
        raise ValueError(f"block {index} changes the shape of its map")

    def forward(images: Tensor) -> Tensor:
        x = model.stem(images)
        for block in all_blocks[:index] + all_blocks[index + 1 :]:
            x = block(x)
        scores: Tensor = model.head(model.pool(x).flatten(1))
        return scores

    return forward


def _accuracy(network: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((network(images).argmax(dim=1) == labels).float().mean())


def _run(form: str, layers: int, seed: int) -> dict[str, Any]:
    (images, labels), (test_images, test_labels) = split_digits(seed)
    images, test_images = digits(images, SIDE), digits(test_images, SIDE)
    config = plain(narrow(layers)) if form == "plain" else narrow(layers)
    torch.manual_seed(seed)
    some = slice(None, None, 16)  # the digits are sorted by class: 250 of all classes
    start = gradients(ResNet(num_classes=10, config=config).train(), images[some], labels[some])
    model, losses = losses_of(config, seed=seed, steps=STEPS, side=SIDE)
    deleted: list[float | None] = []
    for index in range(len(blocks(model))):
        try:
            shorter = without_block(model, index)
        except ValueError:
            deleted.append(None)
        else:
            deleted.append(round(_accuracy(shorter, test_images, test_labels), 4))
    with torch.no_grad():
        train_loss = float(F.cross_entropy(model(images), labels))
    run = {
        "form": form,
        "layers": layers,
        "seed": seed,
        "losses": [round(float(x), 4) for x in losses.view(-1, 10).mean(dim=1)],
        "train_loss": round(train_loss, 5),
        "train_accuracy": round(_accuracy(model, images, labels), 5),
        "accuracy": round(_accuracy(model, test_images, test_labels), 4),
        "deleted": deleted,
        "responses": [round(x, 4) for x in responses(model, test_images)],
        "gradients_start": [float(f"{x:.4g}") for x in start],
    }
    end = gradients(model.train(), images[some], labels[some])
    return {**run, "gradients_end": [float(f"{x:.4g}") for x in end]}


def main(parts: Sequence[str]) -> None:
    """Train what is missing; the file is whole after each network."""
    runs: list[dict[str, Any]] = read_or_empty("resnet").get("runs", [])
    have = {(r["form"], r["layers"], r["seed"]) for r in runs}
    for form, layers in (PARTS[part] for part in parts):
        for seed in range(SEEDS):
            if (form, layers, seed) in have:
                continue
            runs.append(_run(form, layers, seed))
            setup = {"steps": STEPS, "side": SIDE, "seeds": SEEDS, "batch": 32, "lr": 0.05}
            write("resnet", {"setup": setup, "runs": runs})
            print(form, layers, seed, runs[-1]["losses"][-1], runs[-1]["accuracy"])
