"""The GoogLeNet chapter's long runs: five seeds of each of its experiments.

``python -m lineage_site run googlenet`` trains all of them, which takes minutes, and writes
``docs/results/googlenet.json``; the page runs smaller forms live.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from lineage_lab.anatomy import describe
from lineage_lab.chapters.experiments import train_digits
from lineage_lab.chapters.googlenet import SCALES, by_size, gradients, resized, squeezed, without
from lineage_lab.models.googlenet import PAPER
from lineage_site.chapters.googlenet.cost import BRANCHES
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["PARTS", "main"]

SEEDS = range(5)
FORMS = {"paper": PAPER, "batch norm": replace(PAPER, norm=True)}
SQUEEZES: tuple[int | None, ...] = (None, 8, 4, 2, 1)


def cost(network: nn.Module) -> dict[str, int]:
    """Parameters and MACs on a digit."""
    anatomy = describe(network, (1, 32, 32))
    return {"parameters": anatomy.parameters, "macs": anatomy.macs}


def _gradients() -> Any:
    return {form: [gradients(config, seed=s) for s in SEEDS] for form, config in FORMS.items()}


def _squeeze() -> Any:
    rows = []
    for channels in SQUEEZES:
        runs = [train_digits(partial(squeezed, channels), seed=seed) for seed in SEEDS]
        accuracies = [trained.accuracy for trained in runs]
        rows.append({"channels": channels, **cost(squeezed(channels)), "accuracies": accuracies})
    return rows


def _scale(name: str) -> Any:
    row: dict[str, Any] = {**cost(SCALES[name]()), "mixed": [], "sizes": [], "without": {}}
    for seed in SEEDS:
        trained = train_digits(SCALES[name], seed=seed, prepare=resized)
        row["mixed"].append(trained.accuracy)
        row["sizes"].append(by_size(trained.model, seed))
        if name == "several scales":
            assert isinstance(trained.model, nn.Sequential)
            for branch in BRANCHES:
                row["without"].setdefault(branch, []).append(without(trained.model, branch, seed))
    return row


PARTS: dict[str, Callable[[], Any]] = {
    "gradients": _gradients,
    "squeeze": _squeeze,
    **{name: partial(_scale, name) for name in SCALES},
}


def main(parts: Sequence[str]) -> None:
    """Run some of the experiments, and write the file after each."""
    for part in parts:
        about = {
            "seeds": list(SEEDS),
            "digits": "4,000 to train on, four passes; 1,000 to test on",
        }
        write("googlenet", read_or_empty("googlenet") | {part: PARTS[part](), "about": about})
