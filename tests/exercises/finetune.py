"""Runs of the main exercise: two that answer it, and six that do not."""

from dataclasses import replace
from pathlib import Path

from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import RANDOM

FILE = Path(__file__).parents[2] / "docs" / "results" / "elpv-lite.json"


def whole() -> Comparison:
    return Comparison.load(FILE)


def with_runs(change) -> Comparison:
    found = whole()
    rows = tuple(replace(row, runs=change(number, row)) for number, row in enumerate(found.rows))
    return replace(found, rows=rows)


def two_networks() -> Comparison:
    return replace(whole(), rows=whole().rows[:2])


def one_seed() -> Comparison:
    return with_runs(lambda _, row: row.runs[:1])


def random_weights() -> Comparison:
    found = whole()
    return replace(found, rows=tuple(replace(row, weights=RANDOM) for row in found.rows))


def part_of_the_images() -> Comparison:
    return replace(whole(), limit=200)


def more_epochs_for_one() -> Comparison:
    first, *rest = whole().rows
    longer = replace(first, recipe={**first.recipe, "epochs": 10})
    return replace(whole(), rows=(longer, *rest))


def two_machines() -> Comparison:
    def change(number, row):
        other = {"processor": "another", "gpu": "another"} if number else {}
        return tuple(replace(r, provenance={**r.provenance, **other}) for r in row.runs)

    return with_runs(change)


def the_slowest_is_the_best(points: float = 4.0) -> Comparison:
    """The last row 4 points above the first, whose seeds differ by less; no answers are kept."""
    first, second, last = with_runs(
        lambda _, row: tuple(replace(run, truth=(), answers=()) for run in row.runs)
    ).rows
    runs = zip(first.runs, last.runs, strict=True)
    better = tuple(replace(b, val_accuracy=a.val_accuracy + points / 100) for a, b in runs)
    return replace(whole(), rows=(first, second, replace(last, runs=better)))


RIGHT = {"finetune-1": (lambda: FILE, whole, lambda: str(FILE), the_slowest_is_the_best)}
WRONG = {
    "finetune-1": (
        (two_networks, "three"),
        (one_seed, "one seed"),
        (random_weights, "pretrained"),
        (part_of_the_images, "a part of the images"),
        (more_epochs_for_one, "the same budget"),
        (two_machines, "more than one machine"),
        (lambda: FILE.parent, "is no such file"),
        (lambda: FILE.with_name("hostile-images.json"), "no comparison"),
        (lambda: {"accuracy": 0.9}, "is no such file"),
    )
}
