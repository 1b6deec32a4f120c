"""Our routine beside fastai's, Hugging Face's and PyTorch's, our networks beside torchvision's."""

import math
from statistics import geometric_mean, mean, median, stdev
from typing import Any

from lineage_site.drawing.records import machine, read

__all__ = ["draw"]

SYSTEMS = {
    "ours": "ours",
    "fastai": "fastai",
    "trainer": "Trainer",
    "tutorial": "tutorial",
}

RIVALS = {
    "fastai, head first": "fastai",
    "trainer": "Trainer",
    "tutorial": "tutorial",
    "fastai tuned, head first": "fastai, tuned",
    "trainer tuned": "Trainer, tuned",
    "tutorial tuned": "tutorial, tuned",
    "synthetic": "the step alone",
}

NAMES = {
    "timm/mobilenetv3_large_100": "MobileNetV3-L (timm)",
    "resnet50": "ResNet-50",
    "convnext_tiny": "ConvNeXt-T",
    "efficientnet_b0": "EfficientNet-B0",
    "efficientnet_lite0": "EfficientNet-Lite0",
}


def draw() -> dict[str, str]:
    """What the benchmarks found of speed, of accuracy and of memory, as Markdown."""
    return {
        "speed.md": speed(read("finetune-speed")),
        "machines.md": machines([read("finetune-speed"), read("finetune-speed-xeon")]),
        "accuracy.md": accuracy(read("finetune-elpv")),
        "memory.md": memory(read("finetune-memory")),
        "paper.md": paper(read("finetune-paper")),
        "depthwise.md": depthwise(read("depthwise")),
        "networks.md": networks(read("models-all")),
    }


def speed(found: dict[str, Any]) -> str:
    """One row a rival: how many times as many images a second ours trains, by network."""
    runs, summary, settings = found["runs"], found["summary"], found["settings"]
    networks = settings["networks"]
    rounds = len(summary["synthetic"]["rounds"])
    rates = [
        median(runs[f"round {lap}, {network}, ours"]["rate"] for lap in range(rounds))
        for network in networks
    ]
    rows = [
        f"| | together | {' | '.join(NAMES[network] for network in networks)} |",
        f"| --- |{' --: |' * (len(networks) + 1)}",
        f"| ours, images a second | | {' | '.join(f'{rate:.1f}' for rate in rates)} |",
    ]
    for name, words in RIVALS.items():
        each = summary[name]
        cells = [f"{median(each['networks'][network]):.2f}×" for network in networks]
        low, high = min(each["rounds"]), max(each["rounds"])
        whole = f"**{each['median']:.2f}×**<br>{low:.2f} to {high:.2f}"
        rows.append(f"| {words} | {whole} | {' | '.join(cells)} |")
    forms: dict[str, list[str]] = {}
    for network in networks:
        precision = runs[f"round 0, {network}, ours"]["precision"]
        forms.setdefault(precision, []).append(NAMES[network])
    chosen = "; ".join(
        f"{precision} for {'all' if len(forms) == 1 else ', '.join(of)}"
        for precision, of in forms.items()
    )
    return _with_note(rows, found,
        f"{settings['images']} photographs of ELPV for one pass, every pass counted, training",
        f"alone. Medians of {rounds} rounds, in which the systems took turns; *together* is the",
        "geometric mean over the networks, with its lowest and highest round. *Tuned*: with our",
        "batch, precision and memory format, and images decoded before. Beside fastai, ours",
        f"trains the head first too. Our trial took {chosen}.")  # fmt: skip


def machines(measured: list[dict[str, Any]]) -> str:
    """One row a rival, one column a machine: the networks together."""
    here = [found["provenance"] for found in measured]
    heads = [f"{where['processor']}<br>{where['bf16_instructions']}" for where in here]
    rows = [f"| together | {' | '.join(heads)} |", f"| --- |{' --: |' * len(heads)}"]
    for name, words in RIVALS.items():
        each = [found["summary"][name] for found in measured]
        cells = [_times(one["median"], min(one["rounds"]), max(one["rounds"])) for one in each]
        rows.append(f"| {words} | {' | '.join(cells)} |")
    runs = [
        f"{found['settings']['images']} photographs, "
        f"{len(found['summary']['synthetic']['rounds'])} rounds: {machine(found)}"
        for found in measured
    ]
    note = " ".join(("Each ratio with its lowest and highest round.", *runs))
    return "\n".join((*rows, "", note, ""))


def accuracy(found: dict[str, Any]) -> str:
    """One row a split: ours and fastai's, and the seconds that the training took."""
    runs, summary = found["runs"], found["summary"]["fastai"]
    splits = list(dict.fromkeys(key.split(", ")[0] for key in runs))
    rows = [
        "| | ours | fastai | ours, seconds | fastai, seconds |",
        "| --- | --: | --: | --: | --: |",
    ]
    for split in splits:
        both = [runs[f"{split}, {system}"] for system in ("ours", "fastai")]
        shares = " | ".join(f"{run['accuracy']:.1%}" for run in both)
        seconds = " | ".join(f"{run['seconds']:,.0f}" for run in both)
        rows.append(f"| {split} | {shares} | {seconds} |")
    points, half = summary["points"], summary["half_interval"]
    return _with_note(rows, found,
        f"{NAMES[found['settings']['network']]} with its ImageNet weights, all of ELPV, three",
        "quarters to train on. *fastai* is its `fine_tune(1)`. Ours is ahead by",
        f"{points:.1f} points, with a 95 % interval from {points - half:.1f} to",
        f"{points + half:.1f} ({len(splits)} splits, corrected for the images that they share),",
        f"in {summary['time_ratio']:.0%} of the time (median).")  # fmt: skip


def memory(found: dict[str, Any]) -> str:
    """One row a network; decoded images, which the system can drop at any time, left out."""
    rows = [f"| MiB | {' | '.join(SYSTEMS.values())} |", f"| --- |{' --: |' * len(SYSTEMS)}"]
    for network, systems in found["summary"].items():
        laps = [systems[system] for system in SYSTEMS]
        cells = [f"{median(each):,.0f}<br>{min(each):,.0f} to {max(each):,.0f}" for each in laps]
        rows.append(f"| {NAMES[network]} | {' | '.join(cells)} |")
    rounds = len(laps[0])
    settings = found["settings"]
    return _with_note(rows, found,
        "*fastai* is its `fine_tune(1)`, *Trainer* that of Hugging Face, *tutorial* PyTorch's on",
        "transfer learning.",
        f"Peak of memory while {settings['images']} photographs of ELPV are trained on, at",
        f"{settings['batch']} an optimizer step for all, decoded images left out. Medians of",
        f"{rounds} runs, with the lowest and the highest.")  # fmt: skip


def depthwise(found: dict[str, Any]) -> str:
    """One row a network: how many times as fast a step in bf16 is as in two other forms."""
    runs, settings = found["runs"], found["settings"]
    rows = ["| | images/s | vs all in bf16 | vs fp32 |", "| --- | --: | --: | --: |"]
    for network, run in runs.items():
        cells = [
            _times(run[form]["median"], run[form]["q1"], run[form]["q3"])
            for form in ("all in bf16", "fp32")
        ]
        rate = run["ours"]["images_per_second"]
        rows.append(f"| {NAMES[network]} | {rate:.1f} | {' | '.join(cells)} |")
    return _with_note(rows, found,
        f"A training step of {settings['batch']} images in bf16 by the routine's kernels, beside",
        "the same step with PyTorch's alone, in bf16 and in fp32. Medians of",
        f"{settings['rounds']} rounds, in which the forms took turns, with the",
        "quartiles.")  # fmt: skip


def networks(found: dict[str, Any]) -> str:
    """One row a way to run a network: how many times our time torchvision and timm take."""
    settings = found["settings"]
    beside = {
        other: [run for run in found["runs"].values() if other in run.get("forward", {})]
        for other in ("torchvision", "timm")
    }
    rows = [f"| their time / ours | {' | '.join(beside)} |", "| --- | --: | --: |"]
    for form in ("forward", "step", "compiled forward", "compiled step"):
        cells = []
        for other, runs in beside.items():
            each = [run[form][other]["median"] for run in runs]
            cells.append(_times(geometric_mean(each), min(each), max(each)))
        rows.append(f"| {form.replace('step', 'training step')} | {' | '.join(cells)} |")
    return _with_note(rows, found,
        f"Geometric mean over {len(beside['torchvision'])} networks, {len(beside['timm'])} of",
        "which timm has too, with the lowest and the highest network. Batches of",
        f"{settings['batch']}, each network at its own resolution, fp32; of each network",
        f"the median of {settings['rounds']} rounds, in which the forms took turns.")  # fmt: skip


def paper(found: dict[str, Any]) -> str:
    """The long recipe on the protocol of ELPV's paper, beside the paper's own network."""
    runs, recipe = list(found["runs"].values()), found["settings"]["recipe"]
    shares = [run["accuracy"] for run in runs]
    tested = runs[0]["tested"]
    error = math.sqrt(mean(shares) * (1 - mean(shares)) / tested)
    minutes = [run["seconds"] / 60 for run in runs]
    votes = "" if found["settings"]["hard"] else ", each cell three times a pass"
    return " ".join((
        f"{NAMES['efficientnet_lite0']}, {recipe['epochs']} passes{votes}:",
        f"**{100 * mean(shares):.1f} ± {100 * stdev(shares):.1f} %** of {tested} test cells",
        f"({len(runs)} splits, {min(minutes):.0f} to {max(minutes):.0f} minutes each; so few cells",
        f"alone make for a standard error of {100 * error:.1f} points on one split). The paper's",
        f"CNN, a VGG-19: {found['summary']['wanted']} %.",
        machine(found),
    )) + "\n"  # fmt: skip


def _times(middle: float, low: float, high: float) -> str:
    """A cell: how many times, and below it from where to where."""
    return f"{middle:.2f}×<br>{low:.2f} to {high:.2f}"


def _with_note(rows: list[str], found: dict[str, Any], *words: str) -> str:
    """A table, and below it what it shows and where it was measured."""
    return "\n".join((*rows, "", " ".join((*words, machine(found))), ""))
