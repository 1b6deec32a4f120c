"""One change at a time: norm, optimizer, rate and warm-up of the chapter's small networks.

``python -m lineage_site run convnext warmup`` repeats the runs of the figure of the rates
without a warm-up and writes ``docs/results/convnext-warmup.json``, row by row, so that a run that
was stopped goes on where it was. The runs with a warm-up stand in ``docs/results/convnext.json``.
"""

from dataclasses import replace
from statistics import mean, stdev
from typing import Any

from lineage_lab.chapters.convnext import CONVNEXT, RESNET, train
from lineage_site.chapters.convnext.networks import ADAMW_RATES, NETS, SEEDS, SGD_RATES
from lineage_site.drawing.records import machine, read, read_or_empty, write

__all__ = ["table"]

NORMS = ("layer norm", "batch norm")


def run() -> None:
    """Train each row that is not there yet, with each seed."""
    for recipe, rates in ((RESNET, SGD_RATES), (CONVNEXT, ADAMW_RATES)):
        for norm in NORMS:
            for rate in rates:
                one = replace(recipe, lr=rate, warmup=0.0)
                row = f"{norm}, {one.optimizer.__name__}, {rate:g}"
                record: dict[str, Any] = read_or_empty("convnext-warmup")
                if row in record.get("runs", {}):
                    continue
                shares = [
                    round(train(NETS[norm], one, seed=seed, passes=2, batch=64)[1], 4)
                    for seed in SEEDS
                ]
                record.setdefault("runs", {})[row] = {
                    "n": len(shares),
                    "mean": round(mean(shares), 4),
                    "deviation": round(stdev(shares), 4),
                    "accuracies": shares,
                }
                record["settings"] = {"passes": 2, "batch": 64, "warmup": 0}
                write("convnext-warmup", record)
                print(f"{row}: {mean(shares):.3f} ± {stdev(shares):.3f}", flush=True)


def table() -> str:
    """Each rate with a warm-up and without: the accuracy, and how many seeds stayed at chance."""
    after = read("convnext-warmup")
    lines = [
        "| network, optimizer | rate | with a warm-up | without |",
        "| --- | --: | --: | --: |",
    ]
    for norm in reversed(NORMS):
        before = read("convnext")["results"][f"rates, {norm}"]
        for row, run in before.items():
            if (other := after["runs"].get(f"{norm}, {row}")) is not None:
                optimizer, rate = row.split(", ")
                lines.append(
                    f"| {norm}, {optimizer} | {rate} | {_accuracy(run)} | {_accuracy(other)} |"
                )
    settings = after["settings"]
    note = (
        f"Mean and standard deviation of {len(SEEDS)} seeds; {settings['passes']} passes, batches "
        f"of {settings['batch']}. The runs without a warm-up: {machine(after)}"
    )
    return "\n".join((*lines, "", note, ""))


def _accuracy(run: dict[str, Any]) -> str:
    words = f"{100 * run['mean']:.1f} ± {100 * run['deviation']:.1f} %"
    stuck = sum(share < 0.2 for share in run["accuracies"])  # chance is 0.1
    return f"{words}<br>{stuck} of {run['n']} seeds at chance" if stuck else words


if __name__ == "__main__":
    run()
