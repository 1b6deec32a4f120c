"""The recipe as a table: each line, what it does, and what it changed in a measured run."""

from dataclasses import replace
from statistics import mean, median, stdev
from typing import Any

from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.significance import Difference, differ, holm
from lineage_lab.exercises import check
from lineage_site.drawing.records import RESULTS, machine, read
from lineage_site.pages.fine_tune import blocks, rows

__all__ = ["draw"]

PLAIN = "default"

# In the order of the page; the words say what the line does, the run what came of it.
WORDS = {
    "head_epochs=1": "The new head learns alone for a pass, then all for another.",
    "unfreeze=none": "Only the head learns. The body and its batch norms stay as they were.",
    "unfreeze=gradual": "The parts of the body join in one by one, from the head down.",
    "optimizer=sgd, lr=0.01, head_lr=0.05": "SGD with momentum in place of AdamW.",
    "lr=0.01": "The body learns ten times as fast.",
    "lr=0.0001, head_lr=0.001": "Body and head learn more slowly.",
    "layer_decay=0.7": "Each part further from the head learns at 0.7 times the rate.",
    "warmup=0": "The rates start at their highest.",
    "clip_norm=1": "A gradient longer than 1 is shortened to 1.",
    "label_smoothing=0.1": "A tenth of the target is spread over all classes.",
    "mixup=0.2": "Images are blended in pairs, and so are their targets.",
    "cutmix=1": "A rectangle of another image is pasted in.",
    "ema=0.9": "A moving average of the weights is kept and validated.",
    "accumulate=2": "A step's images go through in two halves: less memory, the same step.",
    "norms=frozen": "Batch norms keep the statistics of ImageNet.",
    "norms=frozen, lr=0.0001, head_lr=0.001": "The same, learning more slowly.",
    "flips=none": "No mirror images.",
    "crop=0.5": "Random crops of at least half of the area.",
    "batch_size=64": "Four times as many images a step, a quarter of the steps.",
    "batch_size=4": "A quarter of the images a step: batch norms learn from four.",
    "batch_size=4, norms=frozen, lr=0.0001, head_lr=0.001": "The same, with the batch norms' "
    "statistics kept, learning more slowly.",
}


def draw() -> dict[str, str]:
    """The recipe's lines; the exercise's table, its classes, and what its checker says of it."""
    exercise = Comparison.load(RESULTS / "elpv-lite.json")
    return {
        "lines.md": lines(read("recipe-lines")),
        "exercise.md": exercise.to_markdown(),
        "classes.md": classes(exercise),
        "check.md": f"{check('finetune-1', exercise)}\n",
        "caution.md": blocks.caution(),
        "blocks.md": blocks.table(),
        "rows.svg": rows.likeness(),
        "rows.md": rows.rows_in_words(),
    }


def lines(found: dict[str, Any]) -> str:
    """The table, its caption and where it was measured."""
    settings = found["settings"]
    runs: dict[str, list[dict[str, Any]]] = {}
    for key, run in found["runs"].items():
        runs.setdefault(key.partition("; ")[0], []).append(run)
    plain = runs[PLAIN]
    rows = [
        "| line, and what it does | accuracy | beside the default | time |",
        "| --- | --: | --: | --: |",
        f"| (the default) | {_accuracy(plain)} | | |",
    ]
    beside = {name: _beside(name, runs, trained=settings["train"]) for name in WORDS}
    for name, words in WORDS.items():
        sign = -1 if beside[name].first == PLAIN else 1
        points = sign * beside[name].points
        low, high = sorted((sign * beside[name].low, sign * beside[name].high))
        times = [a["seconds"] / b["seconds"] for a, b in zip(runs[name], plain, strict=True)]
        codes = " ".join(f"`{setting}`" for setting in name.split(", "))
        rows.append(
            f"| {codes}<br>{words} | {_accuracy(runs[name])} | {_signed(points)}<br>"
            f"({_signed(low)} to {_signed(high)}) | {median(times):.1f} × |"
        )
    corrected = zip(WORDS, holm([one.p for one in beside.values()]), strict=True)
    shown = [
        f"`{name}` (p = {p:.3f})"
        for name, p in corrected
        if replace(beside[name], p_holm=p).is_shown
    ]
    rows += ["", " ".join((
        f"`{settings['network']}` with its ImageNet weights, one epoch on {settings['train']:,}",
        f"photographs of ELPV of {settings['size']} pixels a side, validated on",
        f"{settings['val']} others; {len(plain)} seeds, each with a split of its own; mean ±",
        "standard deviation. The difference is in points, with its 95 % interval, corrected for",
        "the images that the splits share. Corrected for the number of lines too (Holm), the",
        f"difference is shown for {', '.join(shown) or 'none'}. The time is that of training, as",
        f"a multiple of the default's (median). {machine(found)}",
        "Photographs: CC BY-NC-SA 4.0.",
    ))]  # fmt: skip
    return "\n".join(rows) + "\n"


def classes(found: Comparison) -> str:
    """One row a network: the share of each class that is found, and how often its name is right."""
    names = found.data["classes"]
    head = [*(f"{name} found" for name in names), *(f"“{name}” is right" for name in names)]
    rows = [f"| network | {' | '.join(head)} |", f"| --- |{' --: |' * len(head)}"]
    for row in found.rows:
        each = found.classes(row)
        shares = [*(c.recall for c in each), *(c.precision for c in each)]
        cells = ("–" if share is None else f"{share:.0%}" for share in shares)
        rows.append(f"| {row.name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _beside(name: str, runs: dict[str, list[dict[str, Any]]], *, trained: int) -> Difference:
    """A line and the default, on the same images."""
    line, plain = ([[m == "1" for m in r["correct"]] for r in runs[n]] for n in (name, PLAIN))
    return differ(line, plain, names=(name, PLAIN), trained=trained)


def _accuracy(runs: list[dict[str, Any]]) -> str:
    shares = [100 * run["correct"].count("1") / len(run["correct"]) for run in runs]
    return f"{mean(shares):.1f} ± {stdev(shares):.1f} %"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
