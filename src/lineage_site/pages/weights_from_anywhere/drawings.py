"""The same weights in another library: how far its logits are from ours, as Markdown."""

from typing import Any

from lineage_site.drawing.records import machine, read

__all__ = ["draw"]

FAMILIES = {
    "alexnet": "AlexNet",
    "vgg": "VGG-11 with batch norm",
    "googlenet": "GoogLeNet",
    "resnet": "ResNet-18",
    "efficientnet": "EfficientNet-B0",
    "convnext": "ConvNeXt-T",
    "vit": "ViT-B/16",
}
LIBRARIES = ("torchvision", "timm", "transformers")


def draw() -> dict[str, str]:
    """The tables of the page."""
    found = read("same-weights")
    return {"libraries.md": libraries(found), "vgg.md": vgg(found["vgg_away"])}


def libraries(found: dict[str, Any]) -> str:
    """A row a network, a column a library."""
    cells = {(row["family"], row["library"]): _cell(row) for row in found["rows"]}
    lines = [f"| | {' | '.join(LIBRARIES)} |", "| --- |" + " --- |" * len(LIBRARIES)]
    for family, name in FAMILIES.items():
        each = " | ".join(cells.get((family, library), "none") for library in LIBRARIES)
        lines.append(f"| {name} | {each} |")
    versions = ", ".join(f"{name} {version}" for name, version in sorted(found["versions"].items()))
    lines.append(
        "\nLargest difference of a logit, as a share of the logits’ standard deviation; two images "
        f"of noise, random weights. “None”: the library has no such network. {versions}. "
        f"{machine(found | {'runs': {}})} `python benchmarks/same_weights.py` makes the run."
    )
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any]) -> str:
    return "equal" if row["difference"] == 0 else f"{row['difference'] / row['spread']:.0e}"


def vgg(rows: list[dict[str, Any]]) -> str:
    """A row a side of the image, for timm's VGG."""
    lines = ["| side of the image | largest difference, in standard deviations |", "| --- | --: |"]
    lines += [f"| {row['side']} px | {row['difference'] / row['spread']:.2f} |" for row in rows]
    return "\n".join(lines) + "\n"
