"""One change at a time: norm, optimizer, rate and warm-up of the chapter's small networks.

``python -m lineage_site.chapters.convnext.warmup`` repeats the runs of the figure of the rates
without a warm-up and writes ``docs/results/convnext-warmup.json``, row by row, so that a run that
was stopped goes on where it was. The runs with a warm-up are those of ``docs/results/convnext.json``.
"""

from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import torch

from lineage_lab.comparing.axes import COLOURS, DASHES, polyline
from lineage_lab.comparing.provenance import provenance
from lineage_lab.comparing.svg import Drawing
from lineage_site.chapters.convnext.charts import _rate_axes, _rate_x
from lineage_site.chapters.convnext.runs import (
    ADAMW_RATES,
    CONVNEXT,
    NETS,
    RESNET,
    SEEDS,
    SGD_RATES,
    train,
)
from lineage_site.drawing.kept import keep, machine, recorded, so_far

__all__ = ["chart", "table"]

NORMS = ("layer norm", "batch norm")


def run() -> None:
    """Train each row that is not there yet, with each seed."""
    torch.set_num_threads(1)
    for recipe, rates in ((RESNET, SGD_RATES), (CONVNEXT, ADAMW_RATES)):
        for norm in NORMS:
            for rate in rates:
                one = replace(recipe, lr=rate, warmup=0.0)
                row = f"{norm}, {one.optimizer.__name__}, {rate:g}"
                kept: dict[str, Any] = so_far("convnext-warmup")
                if row in kept.get("runs", {}):
                    continue
                shares = [
                    round(train(NETS[norm], one, seed=seed, passes=2, batch=64)[1], 4)
                    for seed in SEEDS
                ]
                kept.setdefault("runs", {})[row] = {
                    "n": len(shares),
                    "mean": round(mean(shares), 4),
                    "deviation": round(stdev(shares), 4),
                    "accuracies": shares,
                }
                kept["settings"] = {"passes": 2, "batch": 64, "warmup": 0}
                kept["provenance"] = provenance()
                keep("convnext-warmup", kept)
                print(f"{row}: {mean(shares):.3f} ± {stdev(shares):.3f}", flush=True)


if __name__ == "__main__":
    run()
