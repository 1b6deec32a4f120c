"""What the random split of ELPV hides: the sentence that stands beside each of its tables.

`benchmarks/elpv_blocks.py` makes the runs, ``docs/results/elpv-blocks.json`` holds them.
"""

from statistics import mean, stdev
from typing import Any

from lineage_lab.comparing.results import Comparison
from lineage_site.drawing.records import RESULTS, machine, read

__all__ = ["caution", "table"]

BLOCKS = "44 blocks"


def caution() -> str:
    """What a random split leaves in, and how many defects are missed, in a few sentences."""
    runs = read("elpv-blocks")["runs"]
    random, blocks = (100 * mean(_scores(runs, kind, "accuracy")) for kind in ("random", BLOCKS))
    lowest, highest = (choose(_recalls()) for choose in (min, max))
    return (
        "Read the accuracies with care. The split is random, and neighbouring cells, which look "
        "alike, lie on both sides of it. How much that may add, a logistic regression on the "
        f"frozen features shows: it has {random:.1f} % on random splits, and {blocks:.1f} % where "
        f"{BLOCKS} of neighbouring rows stay whole. And of the defective cells, each run of the "
        f"table found only {100 * lowest:.0f} to {100 * highest:.0f} %.\n"
    )


def table() -> str:
    """The same features and the same method, split in four ways."""
    found = read("elpv-blocks")
    runs, settings = found["runs"], found["settings"]
    lines = [
        "| split | accuracy | AUROC | defective cells found |",
        "| --- | --: | --: | --: |",
    ]
    for kind in dict.fromkeys(key.partition(";")[0] for key in runs):
        cells = [_spread(_scores(runs, kind, name), 100, " %") for name in
                 ("accuracy", "recall_defective")]  # fmt: skip
        auroc = _spread(_scores(runs, kind, "auroc"), 1, "")
        words = "random" if kind == "random" else f"{kind} of rows"
        lines.append(f"| {words} | {cells[0]} | {auroc} | {cells[1]} |")
    seeds = len(_scores(runs, "random", "accuracy"))
    note = (
        f"Logistic regression (C = {settings['C']}) on the features of a frozen "
        f"`{settings['network']}`, all {settings['images']:,} cells in {settings['folds']} folds, "
        f"so that each is tested once; {seeds} seeds, mean ± standard deviation. ELPV's list names "
        f"no module, so blocks of rows that follow one another stand in for it. {machine(found)} "
        "`python benchmarks/elpv_blocks.py docs/results/elpv-blocks.json` makes the runs."
    )
    return "\n".join((*lines, "", note, ""))


def _scores(runs: dict[str, Any], kind: str, name: str) -> list[float]:
    return [run[name] for key, run in runs.items() if key.startswith(f"{kind};")]


def _recalls() -> list[float]:
    """Share of the defective cells that each run of the exercise's table found."""
    exercise = Comparison.load(RESULTS / "elpv-lite.json")
    defective = exercise.data["classes"].index("defective")
    return [
        sum(a == t == defective for t, a in zip(run.truth, run.answers, strict=True))
        / run.truth.count(defective)
        for row in exercise.rows
        for run in row.runs
    ]


def _spread(values: list[float], unit: float, after: str) -> str:
    decimals = 1 if after else 3
    middle, around = unit * mean(values), unit * stdev(values)
    return f"{middle:.{decimals}f} ± {around:.{decimals}f}{after}"
