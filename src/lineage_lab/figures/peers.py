"""Our routine beside fastai, Hugging Face's Trainer and PyTorch's tutorial, as tables.

Neighbours: `benchmarks/finetune.py` makes the runs, ``docs/fine-tune.md`` shows the tables.
"""

from typing import Any

from lineage_lab.figures.kept import recorded

__all__ = ["draw"]

SYSTEMS = {
    "ours": "ours",
    "fastai": "fastai",
    "trainer": "Trainer",
    "tutorial": "tutorial",
}

NAMES = {
    "resnet50": "ResNet-50",
    "convnext_tiny": "ConvNeXt-T",
    "efficientnet_b0": "EfficientNet-B0",
    "efficientnet_lite0": "EfficientNet-Lite0",
}


def draw() -> dict[str, str]:
    """What the benchmark found of accuracy and of memory, as Markdown."""
    return {
        "accuracy.md": accuracy(recorded("finetune-elpv")),
        "memory.md": memory(recorded("finetune-memory")),
    }


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
    rows += ["", " ".join((
        f"{NAMES[found['settings']['network']]} with its ImageNet weights, all of ELPV, three",
        "quarters to train on. *fastai* is its `fine_tune(1)`. Ours is ahead by",
        f"{points:.1f} points, with a 95 % interval from {points - half:.1f} to",
        f"{points + half:.1f} ({len(splits)} splits, corrected for the images that they share),",
        f"in {summary['time_ratio']:.0%} of the time (median).",
        machine(found),
    ))]  # fmt: skip
    return "\n".join(rows) + "\n"


def memory(found: dict[str, Any]) -> str:
    """One row a network; decoded images, which the system can drop at any time, left out."""
    runs = found["runs"]
    rows = [f"| MiB | {' | '.join(SYSTEMS.values())} |", f"| --- |{' --: |' * len(SYSTEMS)}"]
    for network in dict.fromkeys(key.split(", ")[0] for key in runs):
        each = [runs[f"{network}, {system}"] for system in SYSTEMS]
        sizes = [(run["peak_memory"] - run.get("cache_bytes", 0)) / 2**20 for run in each]
        rows.append(f"| {NAMES[network]} | {' | '.join(f'{size:,.0f}' for size in sizes)} |")
    settings = found["settings"]
    rows += ["", " ".join((
        "*fastai* is its `fine_tune(1)`, *Trainer* that of Hugging Face, *tutorial* PyTorch's on",
        "transfer learning.",
        f"Peak of memory while {settings['images']} photographs of ELPV are trained on, at",
        f"{settings['batch']} an optimizer step for all, decoded images left out, one run each.",
        machine(found),
    ))]  # fmt: skip
    return "\n".join(rows) + "\n"


def machine(found: dict[str, Any]) -> str:
    """Where and with what the runs were made, in a sentence."""
    here = found["provenance"]
    versions = {told for run in found["runs"].values() for told in run["versions"].items()}
    tools = "".join(f", {name} {number}" for name, number in sorted(versions))
    return (
        f"{here['processor']} with {here['cores']} cores, bf16 instructions: "
        f"{here['bf16_instructions']}; torch {here['torch']}{tools}; {here['date']}."
    )
