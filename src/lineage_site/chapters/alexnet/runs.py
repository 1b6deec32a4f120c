"""The AlexNet chapter's long runs: each activation at four rates, each remedy for overfitting.

``python -m lineage_site run alexnet`` runs what is missing in ``docs/results/alexnet.json``; with
nothing missing it does nothing. The chapter runs a smaller form of both.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lineage_lab.chapters.alexnet import ACTIVATIONS, ARMS, steps_to, train_few
from lineage_site.drawing.records import read_or_empty, write

__all__ = ["PARTS", "RATES", "main"]

SEEDS = range(5)
RATES = (0.003, 0.01, 0.03, 0.1)


def _few(arm: str, seed: int) -> list[float]:
    few = train_few(seed, **ARMS[arm])
    return [few.train, few.test]


PARTS: dict[str, dict[str, Callable[[int], Any]]] = {
    "few": {arm: partial(_few, arm) for arm in ARMS},
    "steps": {
        f"{name} {rate}": partial(steps_to, name, rate) for name in ACTIVATIONS for rate in RATES
    },
}


def main(parts: Sequence[str]) -> None:
    """Run each cell that the file lacks, and write the file after each."""
    for part in parts:
        for key, train_once in PARTS[part].items():
            record = read_or_empty("alexnet") or {"steps": {}, "few": {}}
            if key in record[part]:
                continue
            record[part][key] = [train_once(seed) for seed in SEEDS]
            about = {"seeds": list(SEEDS), "target": 0.25, "limit": 600}
            write("alexnet", record | {"about": about})
            print(part, key, record[part][key], flush=True)
