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
    small_convnext,
    train,
)
from lineage_lab.data import split_digits
from lineage_lab.models.convnext import ConvNeXtBlock
from lineage_site.chapters.convnext import waking, warmup
from lineage_site.chapters.convnext.networks import ADAMW_RATES, NETS, SEEDS, SGD_RATES
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["PARTS", "main"]

KERNELS = (1, 3, 5, 7, 9, 11)
RUNG = replace(CONVNEXT, lr=1e-2)  # the rate of the kernel experiment, chosen on one seed


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


_ROWS = plan()
# These keep their results in files of their own.
OTHERS = {"waking": waking.run, "warmup": warmup.run}
PARTS = (*_ROWS, *OTHERS)


def asleep(model: nn.Module, seed: int) -> float:
    """The trained network's accuracy after every layer scale is set to 0."""
    for block in model.modules():
        if isinstance(block, ConvNeXtBlock):
            nn.init.zeros_(block.scale)
    return accuracy(model, *split_digits(seed)[1])


def main(parts: Sequence[str]) -> None:
    """Run the rows that the file lacks, and write the file after each."""
    for part in parts:
        if part in OTHERS:
            OTHERS[part]()
            continue
        for row, train_once in _ROWS[part].items():
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
