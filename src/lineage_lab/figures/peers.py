"""Our routine beside fastai, Hugging Face's Trainer and PyTorch's tutorial, as a table.

Neighbours: `benchmarks/finetune.py` makes the runs, ``docs/fine-tune.md`` shows the table.
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
    """The peak of memory by network and system, as Markdown."""
    return {"memory.md": memory(recorded("finetune-memory"))}


def memory(found: dict[str, Any]) -> str:
    """One row a network; decoded images, which the system can drop at any time, left out."""
    runs = found["runs"]
    rows = [f"| MiB | {' | '.join(SYSTEMS.values())} |", f"| --- |{' --: |' * len(SYSTEMS)}"]
    for network in dict.fromkeys(key.split(", ")[0] for key in runs):
        each = [runs[f"{network}, {system}"] for system in SYSTEMS]
        sizes = [(run["peak_memory"] - run.get("cache_bytes", 0)) / 2**20 for run in each]
        rows.append(f"| {NAMES[network]} | {' | '.join(f'{size:,.0f}' for size in sizes)} |")
    here, settings = found["provenance"], found["settings"]
    versions = {name: number for run in runs.values() for name, number in run["versions"].items()}
    tools = "".join(f", {name} {number}" for name, number in sorted(versions.items()))
    rows += ["", " ".join((
        "*fastai* is its `fine_tune(1)`, *Trainer* that of Hugging Face, *tutorial* PyTorch's on",
        "transfer learning.",
        f"Peak of memory while {settings['images']} photographs of ELPV are trained on, at",
        f"{settings['batch']} an optimizer step for all, decoded images left out, one run each.",
        f"{here['processor']} with {here['cores']} cores, bf16 instructions:",
        f"{here['bf16_instructions']}; torch {here['torch']}{tools}; {here['date']}.",
    ))]  # fmt: skip
    return "\n".join(rows) + "\n"
