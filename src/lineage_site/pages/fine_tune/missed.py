"""What is missed, and is the network sure of itself: ELPV's lines by what a job asks for.

`benchmarks/elpv_groups.py` makes the runs, ``docs/results/elpv-imbalance.json`` holds every
probability of them; all numbers here are computed from these. `benchmarks/elpv_rows.py` looks at
how alike the rows are, ``docs/results/elpv-rows.json`` holds what it found.
"""

from statistics import mean, stdev
from typing import Any

import numpy as np
from PIL import Image

from lineage_lab.comparing.significance import half_interval
from lineage_lab.comparing.svg import Drawing
from lineage_lab.training.decision import choose_temperature, choose_threshold, scaled
from lineage_lab.training.metrics import score
from lineage_site.drawing.records import machine, read

__all__ = ["calibration", "likeness", "lines", "rows_in_words"]

PLAIN = "default"
LINES = (
    "default",
    "class_weights=balanced",
    "unfreeze=none, class_weights=balanced",
    "logit_adjustment=1",
    "sampling=balanced",
    "focal=2",
)
PRECISION = 0.65
FEWEST_SEEDS = 2
BINS = 10
SIDE = 352.0  # of the picture


def _runs() -> dict[str, dict[int, dict[str, Any]]]:
    """Line -> seed -> its run with grouped parts; lines that have several seeds."""
    found: dict[str, dict[int, dict[str, Any]]] = {line: {} for line in LINES}
    for key, run in read("elpv-imbalance")["runs"].items():
        kind, line, seed = key.split("; ")
        if kind == "blocks":
            found[line][int(seed.removeprefix("seed "))] = run
    return {line: runs for line, runs in found.items() if len(runs) >= FEWEST_SEEDS}


def _arrays(run: dict[str, Any], part: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Classes and probabilities of both classes."""
    truth = np.array(list(run[f"{part}_truth"]), dtype=int)
    chance = np.array(run[part])
    return truth, np.stack((1 - chance, chance), axis=1)


def _numbers(run: dict[str, Any], *, threshold: bool) -> dict[str, float]:
    truth, chances = _arrays(run, "test")
    at = 0.5
    if threshold:
        of_val, val = _arrays(run, "val")
        at = choose_threshold(of_val == 1, val[:, 1], "balanced")
    answers = (chances[:, 1] >= at).astype(int)
    names = ("accuracy", "balanced_accuracy", "recall:1", "precision:1", "auroc")
    found = {name: score(name, truth, chances, answers=answers) or 0.0 for name in names}
    # What could be had at this precision if the threshold were known: of the order alone.
    best = choose_threshold(truth == 1, chances[:, 1], f"precision={PRECISION}")
    return found | {"at precision": float((chances[truth == 1, 1] >= best).mean())}


def lines() -> str:
    """The lines of the recipe for unequal classes, on parts that nothing was chosen by."""
    found, runs = read("elpv-imbalance"), _runs()
    plain = {seed: _numbers(run, threshold=False) for seed, run in runs[PLAIN].items()}
    body = [
        (
            "| line | accuracy | defective found | precision | balanced accuracy "
            "| beside the default | AUROC | found at 65 % precision | processor time |"
        ),
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for line, own in runs.items():
        for threshold in (False, True):
            by_seed = {seed: _numbers(run, threshold=threshold) for seed, run in own.items()}
            numbers, both = list(by_seed.values()), sorted(set(own) & set(plain))
            gaps = [
                100 * (by_seed[seed]["balanced_accuracy"] - plain[seed]["balanced_accuracy"])
                for seed in both
            ]
            run = own[both[0]]
            half = half_interval(gaps, validated=len(run["test"]), trained=run["train"])
            beside = (
                ""
                if line == PLAIN and not threshold
                else f"{mean(gaps):+.1f}<br>({mean(gaps) - half:+.1f} to {mean(gaps) + half:+.1f})"
            ).replace("-", "−")
            times = [
                own[seed]["processor_seconds"] / runs[PLAIN][seed]["processor_seconds"]
                for seed in both
            ]
            name = f"`{line}`" if line != PLAIN else "(the default)"
            cells = [
                _percent([n[key] for n in numbers])
                for key in ("accuracy", "recall:1", "precision:1", "balanced_accuracy")
            ]
            auroc = mean(n["auroc"] for n in numbers)
            body.append(
                f"| {name}{' with a threshold' if threshold else ''} | {' | '.join(cells)} "
                f"| {beside} | {auroc:.3f} | {_percent([n['at precision'] for n in numbers])} "
                f"| {mean(times):.2f} × |"
            )
    settings = found["settings"]
    seeds = "".join(f", {len(own)} of `{line}`" for line, own in runs.items() if line != PLAIN)
    note = (
        f"`{settings['network']}` with its ImageNet weights, one epoch at {settings['size']} "
        f"pixels; ELPV's {settings['blocks']} blocks kept whole, three parts; all numbers are of "
        f"the part to test on. {len(plain)} seeds of the default{seeds}; mean ± standard "
        "deviation. The threshold is chosen on the part to validate with, for balanced accuracy. "
        "The difference is in points, over the seeds that both have, with its 95 % interval, "
        f"corrected for the images that the splits share. {machine(found)} Photographs: CC "
        "BY-NC-SA 4.0. `python benchmarks/elpv_groups.py docs/results/elpv-imbalance.json --size "
        f"{settings['size']}` makes the runs."
    )
    return "\n".join((*body, "", note, ""))


def calibration() -> str:
    """The calibration error before and after temperature scaling, of all test parts together."""
    rows = [
        "| line | calibration error | after scaling | temperature |",
        "| --- | --: | --: | --: |",
    ]
    for line, own in _runs().items():
        truths, before, after, temperatures = [], [], [], []
        for run in own.values():
            temperature = choose_temperature(*_arrays(run, "val"))
            truth, chances = _arrays(run, "test")
            truths.append(truth)
            before.append(chances)
            after.append(scaled(chances, temperature))
            temperatures.append(temperature)
        truth = np.concatenate(truths)
        errors = [
            score("calibration_error", truth, np.concatenate(chances), bins=BINS) or 0.0
            for chances in (before, after)
        ]
        name = f"`{line}`" if line != PLAIN else "(the default)"
        spread = f"{min(temperatures):.2f} to {max(temperatures):.2f}"
        rows.append(f"| {name} | {errors[0]:.3f} | {errors[1]:.3f} | {spread} |")
    note = (
        f"The same runs. {BINS} bins of equal mass, the test parts of all seeds together; the "
        "temperature is chosen on the part to validate with."
    )
    return "\n".join((*rows, "", note, ""))


def likeness() -> str:
    """How alike the blocks of rows are: a picture, the lighter the more alike."""
    found = read("elpv-rows")
    table = np.array(found["likeness"])
    low, high = table.min(), table.max()
    grey = (255 * (table - low) / (high - low)).clip(0, 255).astype(np.uint8)
    left, top = 60.0, 30.0
    d = Drawing(
        "elpv-rows",
        width=left + SIDE + 170,
        height=top + SIDE + 40,
        title="How alike the blocks of ELPV's rows are",
        description=(
            f"{len(table)} blocks of rows against each other. Within a block cells correlate by "
            f"{np.diag(table).mean():.2f} in the mean, between blocks by "
            f"{(table.sum() - np.trace(table)) / (table.size - len(table)):.2f}."
        ),
    )
    image = Image.fromarray(grey).resize((8 * len(table), 8 * len(table)), Image.Resampling.NEAREST)
    d.photo(left, top, SIDE, image)
    kinds = [name.split()[0] for name in found["blocks"]]
    start = 0
    for end in range(1, len(kinds) + 1):
        if end == len(kinds) or kinds[end] != kinds[start]:
            middle = top + SIDE * (start + end) / 2 / len(kinds)
            if end - start > 1:
                d.text(left - 8, middle + 4, kinds[start], fill="muted", anchor="end")
            start = end
    d.text(left, top - 10, "blocks in the order of the rows", fill="muted")
    d.text(left + SIDE + 14, top + 14, f"white: correlation {high:.2f}", fill="muted")
    d.text(left + SIDE + 14, top + 34, f"black: {low:.2f}", fill="muted")
    return d.svg()


def rows_in_words() -> str:
    """What the picture and the ends of the blocks say, in a paragraph."""
    found = read("elpv-rows")
    near, chance = found["nearest within"]["10"], found["by chance"]["10"]
    ends = found["ends"]["44"]
    at, inside = ends["blocks"]["at ends"], ends["blocks"]["inside"]
    moved = ends["moved by half"]["at ends"]
    return (
        f"For {100 * near:.0f} % of the cells the most similar other one is within ten rows; by "
        f"chance it would be for {100 * chance:.1f} %. So neighbours are alike, and a random split "
        "lets a network meet the like of a test cell in training. Whether our blocks begin where a "
        f"module begins is less sure. Where a block ends, two neighbouring rows correlate by "
        f"{at:.2f}, inside it by {inside:.2f}. But blocks moved by half their length end at places "
        f"with {moved:.2f}: what breaks there may be a row of a module as well as a module. Sure "
        "are the two cell types, and that the blocks are as many of each type as the authors state "
        "modules.\n"
    )


def _percent(values: list[float]) -> str:
    return f"{100 * mean(values):.1f} ± {100 * stdev(values):.1f} %"
