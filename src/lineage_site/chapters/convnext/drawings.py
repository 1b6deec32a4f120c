"""The ConvNeXt chapter's figures and tables, drawn from the road's networks and the results."""

from itertools import pairwise

import torch

from lineage_lab.anatomy.network import Anatomy, Layer
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.convnext import VARIANTS, ConvNeXt
from lineage_lab.models.convnext_steps import ROAD
from lineage_site.chapters.convnext import waking, warmup
from lineage_site.chapters.convnext.blocks import blocks
from lineage_site.chapters.convnext.charts import fields, kernels, rates, scales
from lineage_site.chapters.convnext.facts import OLD_RECIPE
from lineage_site.chapters.convnext.quiz import step, tiny
from lineage_site.drawing.chapter import count_macs, fact_table, quiz
from lineage_site.facts.ledger import facts
from lineage_site.facts.printed import CONVNEXT_ROAD, PRINTED

__all__ = ["draw"]

# What a step changes decides its colour.
KINDS = {
    "stage_ratio": "ink",
    "inverted": "dense",
    "gelu": "act",
    "fewer_activations": "act",
    "fewer_norms": "norm",
    "layer_norm": "norm",
    "separate_downsampling": "pool",
}
SWIN = 81.3


def _size(name: str) -> tuple[int, int]:
    """Parameters and multiply-adds of a variant."""
    with torch.device("meta"):
        model = ConvNeXt(config=VARIANTS[name]).eval()
    return sum(p.numel() for p in model.parameters()), count_macs(model)


def draw() -> dict[str, str]:
    """All of the chapter's figures and tables."""
    return {
        "road.svg": _road(),
        "blocks.svg": blocks(),
        "architecture.svg": _architecture(),
        "fields.svg": fields({key: step(key) for key in ("move_up", "kernel_5", "kernel_7")}),
        "cost.svg": _cost(),
        "kernels.svg": kernels(),
        "rates.svg": rates(),
        "scales.md": scales(),
        "road.md": _road_table(),
        "within.md": _within(),
        "warmup.md": warmup.table(),
        "waking.svg": waking.chart(),
        "waking.md": waking.numbers(),
        "variants.md": _variants(),
        "stages.md": _stages(),
        "facts.md": fact_table("convnext"),
        "quiz.md": quiz("convnext"),
    }


def _road() -> str:
    """Each step: what changes, the accuracy as printed, our multiply-adds, our field."""
    top, row, left, right = 74, 27, 252, 508
    steps = [("", "ResNet-50, its first recipe", OLD_RECIPE, 0.0)]
    steps += [(s.key, s.change, s.top1, s.deviation) for s in CONVNEXT_ROAD]
    d = Drawing(
        "convnext-road",
        width=760,
        height=top + row * len(steps) + 26,
        title="The road from ResNet-50 to ConvNeXt-T",
        description="One row a step, with the paper's accuracy and its standard deviation over "
        "three seeds, the multiply-adds of the network built here, and the pixels that one unit "
        "of its last map sees. "
        + "; ".join(
            f"{words}: {top1} %"
            + (f" ± {deviation}, {step(key).macs / 1e9:.2f} G, " if key else "")
            + (f"{step(key).receptive_field} pixels" if key else "")
            for key, words, top1, deviation in steps
        )
        + f". Swin-T stands at {SWIN} %.",
    )

    def x(accuracy: float) -> float:
        return left + (accuracy - 76) / (82.2 - 76) * (right - left)

    bottom = top + row * len(steps) - 8
    d.text(left, 18, "top-1 accuracy, %", size=12, weight=650)
    d.text(left, 34, "as printed in Table 10", size=11.5, fill="muted")
    d.text(556, 18, "multiply-adds", size=12, weight=650)
    d.text(556, 34, "ours, 10⁹", size=11.5, fill="muted")
    d.text(752, 18, "sees", size=12, weight=650, anchor="end")
    d.text(752, 34, "pixels", size=11.5, fill="muted", anchor="end")
    for value in (76, 78, 80, 82):
        d.line(x(value), top - 14, x(value), bottom, dash="2 4")
        d.text(x(value), top - 20, str(value), size=11.5, anchor="middle", fill="muted")
    d.line(x(SWIN), top - 14, x(SWIN), bottom, stroke="ink", dash="6 3")
    d.text(x(SWIN), bottom + 16, f"Swin-T {SWIN}", size=11.5, anchor="middle", fill="ink")
    before = OLD_RECIPE
    for index, (key, words, top1, deviation) in enumerate(steps):
        y = top + row * index
        kind = KINDS.get(key, "conv") if index > 1 else "output"
        d.text(left - 14, y + 4, words, size=12, anchor="end")
        if index:
            d.line(x(before), y - row, x(before), y, stroke="line")
            d.line(x(before), y, x(top1), y, stroke=kind, stroke_width=3)
        if deviation:  # one standard deviation to either side
            around = (x(top1 - deviation), x(top1 + deviation))
            fill = "paper" if kind == "ink" else f"{kind}-soft"
            d.rect(around[0], y - 7, around[1] - around[0], 14, fill=fill, stroke=kind, radius=1.5)
        d.circle(x(top1), y, 2.6 if deviation else 4.5, fill=kind)
        falls = top1 < before or x(top1) + 4 < x(SWIN) < x(top1) + 44
        d.text(
            x(min(before, top1)) - 12 if falls else x(top1) + 12,
            y + 4,
            f"{top1:.2f}",
            size=11.5,
            anchor="end" if falls else "start",
        )
        if key:
            anatomy = step(key)
            length = anatomy.macs / 1e9 * 21
            d.rect(556, y - 6, length, 12, fill="conv-soft", stroke="conv", radius=1.5)
            d.text(556 + length + 6, y + 4, f"{anatomy.macs / 1e9:.2f}", size=11.5)
            d.text(752, y + 4, str(anatomy.receptive_field), size=11.5, anchor="end")
        before = top1
    return d.svg()


def _road_table() -> str:
    """The road in numbers: printed beside ours."""
    lines = [
        "| step | parameters | multiply-adds, 10⁹ | printed | sees | top-1, printed |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for printed in CONVNEXT_ROAD:
        ours = step(printed.key)
        mark = " [*]" if printed.cause else ""
        lines.append(
            f"| {printed.change} | {ours.parameters:,} | {ours.macs / 1e9:.2f} | "
            f"{printed.gmacs}{mark} | {ours.receptive_field} | "
            f"{printed.top1:.2f} ± {printed.deviation:.2f} |"
        )
    return "\n".join((*lines, ""))


def _variants() -> str:
    """The four variants beside what the paper prints of them."""
    accuracy = dict(
        zip(
            VARIANTS,
            str(next(f.value for f in facts("convnext") if "S, B, L, top-1" in f.name)).split(", "),
            strict=True,
        )
    )
    lines = [
        "| | channels | blocks | parameters | printed | MACs, 10⁹ | printed | top-1 |",
        "| --- | --- | --- | --: | --: | --: | --: | --: |",
    ]
    for name, config in VARIANTS.items():
        parameters, macs = _size(name)
        printed = {
            row.quantity: row.value
            for row in reversed(PRINTED)
            if row.model == name and row.source.endswith("Table 1")
        }
        cells = (
            f"**{name.removeprefix('convnext_')[0].upper()}**",
            ", ".join(map(str, config.channels)),
            ", ".join(map(str, config.blocks)),
            f"{parameters:,}",
            f"{printed['parameters']} M",
            f"{macs / 1e9:.2f}",
            printed["macs"],
            f"{accuracy[name]} %",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join((*lines, ""))


def _of(anatomy: Anatomy, prefix: str) -> list[Layer]:
    return [layer for layer in anatomy.layers if layer.name.startswith(prefix)]


def _stages() -> str:
    """ConvNeXt-T stage by stage."""
    network = tiny()
    lines = [
        "| part | output | parameters | multiply-adds | of these depthwise | sees |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    for name in ("stem", "stages.0", "stages.1", "stages.2", "stages.3", "head"):
        layers = (
            _of(network, name) if name != "head" else _of(network, "norm") + _of(network, "head")
        )
        last = [layer for layer in layers if layer.receptive_field]
        shape = last[-1].output_shape if last else layers[-1].output_shape
        macs = sum(layer.macs for layer in layers)
        window = sum(layer.macs for layer in layers if layer.name.endswith("depthwise"))
        words = name.replace("stages.", "stage ")
        words = f"{words[:-1]}{int(words[-1]) + 1}" if words[-1].isdigit() else words
        cells = (
            words,
            "×".join(map(str, shape)),
            f"{sum(layer.parameters for layer in layers):,}",
            f"{macs:,}",
            f"{window / macs:.1%}" if window else "",
            str(last[-1].receptive_field) if last else "all",
        )
        lines.append(f"| {' | '.join(cells)} |")
    window = sum(layer.macs for layer in network.layers if layer.name.endswith("depthwise"))
    lines.append(
        f"| **all** | | **{network.parameters:,}** | **{network.macs:,}** | "
        f"**{window / network.macs:.1%}** | |"
    )
    return "\n".join((*lines, ""))


def _architecture() -> str:
    """Each block a bar: as high as its map, as wide as its channels allow."""
    network = tiny()
    config = VARIANTS["convnext_tiny"]
    d = Drawing(
        "convnext-architecture",
        width=760,
        height=236,
        title="ConvNeXt-T, block by block",
        description="A stem of 4 by 4 patches, then four stages: "
        + "; ".join(
            f"stage {i + 1} has {config.blocks[i]} blocks of {config.channels[i]} channels"
            for i in range(4)
        )
        + ". Before each stage but the first a layer halves the map. At the end global pooling, a "
        "norm and one linear layer.",
    )
    middle, x = 112.0, 20.0

    def bar(width: float, height: float, kind: str) -> None:
        nonlocal x
        d.rect(x, middle - height / 2, width, height, fill=f"{kind}-soft", stroke=kind, radius=2)
        x += width + 4

    d.text(x + 6, 208, "stem", size=12, anchor="middle")
    bar(12, 56 * 2.3, "pool")
    x += 10
    for number in range(4):
        blocks_ = [
            layer for layer in _of(network, f"stages.{number}.") if layer.kind == "ConvNeXtBlock"
        ]
        channels, side = blocks_[0].output_shape[0], blocks_[0].output_shape[-1]
        x += 8
        if number:
            bar(7, side * 2.3 + 6, "pool")
        start = x
        for _ in blocks_:
            bar(6 + channels / 18, side * 2.3, "conv")
        centre = (start + x - 4) / 2
        d.line(start, 192, x - 4, 192, stroke="muted")
        d.text(centre, 208, f"{len(blocks_)} × {channels}", anchor="middle", size=12)
        d.text(centre, 225, f"{side}×{side}", anchor="middle", size=11.5, fill="muted")
    x += 8
    d.line(x, 192, x + 26, 192, stroke="muted")
    d.text(x + 13, 208, "head", size=12, anchor="middle")
    bar(10, 34, "pool")
    bar(12, 60, "output")
    d.text(250, 18, "orange: the map gets smaller", size=12, fill="pool")
    d.text(470, 18, "blue: ConvNeXt blocks", size=12, fill="conv")
    return d.svg()


def _cost() -> str:
    """Where the multiply-adds are: windows, 1×1 convolutions, the rest."""
    rows = (
        ("ResNet-50", "resnet50"),
        ("3×3, dense → depthwise", "depthwise"),
        ("7×7 depthwise", "kernel_7"),
        ("ConvNeXt-T", ""),
    )
    parts = ("windows", "1×1", "the rest")
    kinds = ("conv", "dense", "muted")
    found: list[tuple[str, list[int]]] = []
    for words, key in rows:
        anatomy = step(key) if key else tiny()
        counts = [0, 0, 0]
        for layer in anatomy.layers:
            counts[_part(layer, key)] += layer.macs
        found.append((words, counts))
    d = Drawing(
        "convnext-cost",
        width=760,
        height=206,
        title="Where the multiply-adds are",
        description="; ".join(
            f"{words}: "
            + ", ".join(
                f"{part} {c / sum(counts):.1%}" for part, c in zip(parts, counts, strict=True)
            )
            for words, counts in found
        )
        + ".",
    )
    left, unit = 190.0, 94.0
    for index, (part, kind) in enumerate(zip(parts, kinds, strict=True)):
        d.rect(left + 150 * index, 8, 12, 12, fill=kind)
        d.text(left + 150 * index + 18, 19, part, size=12)
    for index, (words, counts) in enumerate(found):
        y, x = 40 + 42 * index, left
        d.text(left - 12, y + 17, words, size=12.5, anchor="end")
        for count, kind in zip(counts, kinds, strict=True):
            width = count / 1e9 * unit
            d.rect(x, y, width, 26, fill=kind)
            x += width
        d.text(x + 8, y + 17, f"{counts[0] / sum(counts):.1%} in windows", size=12)
    return d.svg()


def _part(layer: Layer, key: str) -> int:
    """0 a window inside a block, 1 a 1×1 or a linear layer inside a block, 2 the rest."""
    if not layer.name.startswith("stages.") or "downsample" in layer.name:
        return 2
    if not key:
        return 0 if layer.name.endswith("depthwise") else 1
    early = ROAD[key].early
    return 0 if layer.name.endswith("body.0" if early else "body.3") else 1


def _within() -> str:
    """The steps whose gain is no larger than the spread of the seeds on either side of it."""
    small = [
        f"{new.change} ({new.top1 - old.top1:+.2f} points, ± {max(old.deviation, new.deviation)})"
        for old, new in pairwise(CONVNEXT_ROAD)
        if abs(new.top1 - old.top1) < max(old.deviation, new.deviation)
    ]
    low, high = (choose(step.deviation for step in CONVNEXT_ROAD) for choose in (min, max))
    return (
        "The small boxes show by how much three seeds of one network differ: their standard "
        f"deviations go from {low:.2f} to {high:.2f} points. {len(small)} steps gain less than "
        f"that: {'; '.join(small)}. Of these the road can't tell whether they help.\n"
    )
