"""The same weights in another library, and in fewer bits: how far the scores move, as Markdown."""

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
    return {
        "libraries.md": libraries(found),
        "vgg.md": vgg(found["vgg_away"]),
        "int8.md": int8(read("int8")),
    }


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


def int8(found: dict[str, Any]) -> str:
    """A row a way to fewer bits: answers that stay, size and speed beside float32."""
    lines = ["| | same answers | size | speed |", "| --- | --: | --: | --: |"]
    for name, row in found["rows"].items():
        cells = f"{row['agreement']:.1%} | {row['size_ratio']:.2f} | {row['speed_ratio']:.2f}×"
        lines.append(f"| {name} | {cells.replace('%', ' %')} |")
    lines.append(
        f"\n`{found['network']}`, {found['crops']} crops of photographs, calibrated on "
        f"{found['calibrated_on']} others. Size and speed are those of float32 in ONNX Runtime "
        f"{found['provenance']['onnxruntime']}, one image at a time; for speed, more is faster. "
        f"{machine(found | {'runs': {}})} `python -m benchmarks.int8` makes the run."
    )
    return "\n".join(lines) + "\n"
