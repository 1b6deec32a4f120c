"""The ConvNeXt chapter's long runs: six sizes of the window, three networks at eight rates.

``python -m lineage_site run convnext`` writes ``docs/results/convnext.json``, a row at a time;
the chapter runs a small part of them live.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean, stdev

from torch import nn

from lineage_lab.chapters.convnext import (
    CONVNEXT,
    RESNET,
    accuracy,
    layer_scales,
    on_the_road,
    small_convnext,
    train,
)
from lineage_lab.data import split_digits
from lineage_lab.models.convnext import ConvNeXtBlock
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["PARTS", "main"]

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


PARTS = plan()


def asleep(model: nn.Module, seed: int) -> float:
    """The trained network's accuracy after every layer scale is set to 0."""
    for block in model.modules():
        if isinstance(block, ConvNeXtBlock):
            nn.init.zeros_(block.scale)
    return accuracy(model, *split_digits(seed)[1])


def main(parts: Sequence[str]) -> None:
    """Run the rows that the file lacks, and write the file after each."""
    for part in parts:
        for row, train_once in PARTS[part].items():
            record = read_or_empty("convnext")
            rows = record.setdefault("results", {}).setdefault(part, {})
            if row in rows:
                continue
            results = [train_once(seed) for seed in SEEDS]
            accuracies = [round(share, 4) for _, share in results]
            rows[row] = {
                "n": len(accuracies),
                "mean": round(mean(accuracies), 4),
                "deviation": round(stdev(accuracies), 4),
                "accuracies": accuracies,
            }
            if scales := [mean(sizes) for model, _ in results if (sizes := layer_scales(model))]:
                rows[row]["layer_scale"] = f"{mean(scales):.2g}"
                rows[row]["asleep"] = [
                    round(asleep(model, seed), 4)
                    for seed, (model, _) in zip(SEEDS, results, strict=True)
                ]
            data = "4,000 MNIST digits to train on, 1,000 to test with, chosen by the seed"
            write("convnext", record | {"data": data})
            print(f"{part}: {row}: {mean(accuracies):.3f}", flush=True)
