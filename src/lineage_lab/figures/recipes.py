"""The recipe as a table: each line, what it does, and what it changed in a measured run.

Neighbours: `benchmarks/recipe_lines.py` makes the run, ``docs/fine-tune.md`` shows the table.
"""

import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from lineage_lab.exercises import check
from lineage_lab.results import Comparison

__all__ = ["RESULTS", "draw"]

RESULTS = Path(__file__).parents[3] / "docs" / "results"

# In the order of the page; the words say what the line does, the run what came of it.
WORDS = {
    "head_epochs=1": "The new head learns alone for a pass, then all for another.",
    "unfreeze=none": "Only the head learns. The body and its batch norms stay as they were.",
    "unfreeze=gradual": "The parts of the body join in one by one, from the head down.",
    "optimizer=sgd, lr=0.01, head_lr=0.05": "SGD with momentum in place of AdamW.",
    "lr=0.01": "The body learns ten times as fast.",
    "layer_decay=0.7": "Each part further from the head learns at 0.7 times the rate.",
    "warmup=0": "The rates start at their highest.",
    "clip_norm=1": "A gradient longer than 1 is shortened to 1.",
    "label_smoothing=0.1": "A tenth of the target is spread over all classes.",
    "mixup=0.2": "Images are blended in pairs, and so are their targets.",
    "cutmix=1": "A rectangle of another image is pasted in.",
    "ema=0.9": "A moving average of the weights is kept and validated.",
    "accumulate=2": "A step's images go through in two halves: less memory, the same step.",
    "norms=frozen": "Batch norms keep the statistics of ImageNet.",
    "flips=none": "No mirror images.",
    "crop=0.5": "Random crops of at least half of the area.",
    "batch_size=64": "Four times as many images a step, a quarter of the steps.",
}


def draw() -> dict[str, str]:
    """The table of the recipe's lines, that of the exercise, and what its checker says of it."""
    found = json.loads((RESULTS / "recipe-lines.json").read_text(encoding="utf-8"))
    exercise = Comparison.load(RESULTS / "elpv-lite.json")
    return {
        "lines.md": lines(found),
        "exercise.md": exercise.to_markdown(),
        "check.md": f"{check('finetune-1', exercise)}\n",
    }


def lines(found: dict[str, Any]) -> str:
    """The table, its caption and where it was measured."""
    plain = [100 * a for a in found["accuracies"]]
    rows = [
        "| line | what it does | accuracy | beside the default |",
        "| --- | --- | --: | --: |",
        f"| (the default) | | {mean(plain):.1f} ± {stdev(plain):.1f} % | |",
    ]
    for name, line in found["lines"].items():
        values = [100 * a for a in line["accuracies"]]
        rows.append(
            f"| `{name}` | {WORDS[name]} | {mean(values):.1f} ± {stdev(values):.1f} % | "
            f"{_signed(line['points'])} ({_signed(line['low'])} to {_signed(line['high'])}) |"
        )
    here = found["provenance"]
    rows.append("")
    rows.append(
        f"`{found['network']}` with its ImageNet weights, one epoch on {found['train']} "
        f"photographs of ELPV, validated on {found['val']} others; {len(plain)} seeds, mean ± "
        "standard deviation; the difference is paired, in points, with its 95 % interval. "
        f"{here['processor']}, torch {here['torch']}, {here['date']}. Photographs: CC BY-NC-SA 4.0."
    )
    return "\n".join(rows) + "\n"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
