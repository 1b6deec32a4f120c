"""The tables of the page on other counters, from the run of ``benchmarks/counters.py``."""

from typing import Any

from lineage_site.drawing.records import read

__all__ = ["draw"]

NETWORKS = {
    "resnet50": "ResNet-50",
    "vit_b_16": "ViT-B/16",
    "convnext_tiny": "ConvNeXt-T",
    "efficientnet_b0": "EfficientNet-B0",
    "googlenet": "GoogLeNet",
}
TOOLS = {
    "ours": "`describe`",
    "fvcore": "fvcore, with gradients",
    "fvcore, no_grad": "fvcore, in `no_grad`",
    "ptflops, pytorch": "ptflops, backend `pytorch`",
    "ptflops, aten": "ptflops, backend `aten`",
    "thop": "thop",
    "ultralytics-thop": "ultralytics-thop",
    "torchinfo": "torchinfo",
    "calflops": "calflops",
    "FlopCounterMode": "`FlopCounterMode`, with gradients",
    "FlopCounterMode, no_grad": "`FlopCounterMode`, in `no_grad`",
    "FlopCounterMode, math attention": "`FlopCounterMode`, math attention",
}
FAR = 0.5  # of our count: less is written as a divisor, which says more than 0.010


def draw() -> dict[str, str]:
    """The tables of networks, of their parameters, of single layers and of what is left behind."""
    record = read("counters")
    image = "One 3 × 224 × 224 image"
    tables = {
        "figures.md": (_costs(record), image),
        "parameters.md": (_parameters(record), image),
        "layers.md": (_layers(record), "One map of 8 × 16 × 16"),
        "left.md": (_left(record), f"ResNet-18, {image[0].lower()}{image[1:]}"),
    }
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    where = f"on a processor, {record['date']}: {versions}."
    return {
        name: "\n".join((*rows, "", f"{what} {where}")) + "\n"
        for name, (rows, what) in tables.items()
    }


def _units(record: dict[str, Any], name: str) -> int:
    """Number of a counter's units that one multiply-add is."""
    return 2 if record["named"][name] == "FLOPs" else 1


def _costs(record: dict[str, Any]) -> list[str]:
    """The figures as they are printed, and their ratios to our count, both as multiply-adds."""
    ours = record["counters"]["ours"]["networks"]
    rows = [
        f"| counter | its word | {' | '.join(NETWORKS.values())} |",
        f"| --- | --- |{' --: |' * len(NETWORKS)}",
    ]
    for name, words in TOOLS.items():
        cells = []
        for network in NETWORKS:
            printed = record["counters"][name]["networks"][network]
            if isinstance(printed, dict):
                cells.append("fails")
                continue
            ratio = printed[0] / _units(record, name) / ours[network][0]
            times = f"{ratio:.3f} ×" if ratio > FAR else f"1/{1 / ratio:.1f}"
            cells.append(f"{printed[0]:,}" + ("" if name == "ours" else f"<br>{times}"))
        rows.append(f"| {words} | {record['named'][name]} | {' | '.join(cells)} |")
    return rows


def _parameters(record: dict[str, Any]) -> list[str]:
    """The parameters that each counter prints, where it prints any."""
    rows = [f"| counter | {' | '.join(NETWORKS.values())} |", f"| --- |{' --: |' * len(NETWORKS)}"]
    for name, words in TOOLS.items():
        printed = [record["counters"][name]["networks"][network] for network in NETWORKS]
        numbers = ["fails" if isinstance(pair, dict) else pair[1] for pair in printed]
        if any(isinstance(number, int) for number in numbers):
            cells = (n if isinstance(n, str) else f"{n:,}" for n in numbers)
            rows.append(f"| {words} | {' | '.join(cells)} |")
    return rows


def _layers(record: dict[str, Any]) -> list[str]:
    """Single layers: the multiply-adds by hand, and those of each counter where it differs."""
    # Gradients change what is counted of networks, but nothing of a single layer.
    names = [name for name in TOOLS if name != "ours" and "no_grad" not in name]
    head = [TOOLS[name].replace(", backend", ",").replace(", with gradients", "") for name in names]
    rows = [
        f"| layer | by hand | {' | '.join(head)} |",
        f"| --- | --: |{' --: |' * len(names)}",
    ]
    for layer, by_hand in record["by_hand"].items():
        cells = []
        for name in names:
            printed = record["counters"][name]["layers"][layer]
            if isinstance(printed, dict):
                cells.append("fails")
                continue
            macs = printed / _units(record, name)
            cells.append("=" if macs == by_hand else f"{macs:,.0f}")
        rows.append(f"| {layer} | {by_hand:,} | {' | '.join(cells)} |")
    return rows


def _left(record: dict[str, Any]) -> list[str]:
    """What differs in a network after it was counted."""
    frozen = {None: "prints none", True: "counted", False: "left out"}
    rows = [
        "| counter | mode afterwards | new keys | tensors changed | hooks | frozen parameters |",
        "| --- | --- | --: | --: | --: | --- |",
    ]
    for name, words in TOOLS.items():
        left = record["counters"][name]["left"]
        if "fails" in left:
            rows.append(f"| {words} | fails | | | | |")
            continue
        rows.append(
            f"| {words} | {left['mode']} | {left['keys']} | {left['changed']} | {left['hooks']} | "
            f"{frozen[left['frozen_counted']]} |"
        )
    return rows
