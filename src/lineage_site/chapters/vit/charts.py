"""The ViT chapter's charts: what a unit sees, what resolution costs, what examples bring."""

from statistics import mean, stdev
from typing import Any

from lineage_lab.anatomy.network import Anatomy
from lineage_lab.chapters.experiments import spread
from lineage_lab.chapters.photos import middle_square, sample
from lineage_lab.comparing.axes import COLOURS, Axes, polyline
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.vit import BASE_16
from lineage_site.chapters.vit.quiz import described, on_meta
from lineage_site.drawing.chapter import count_macs

__all__ = ["cost", "data", "depth", "fields", "shuffles", "source"]

SIDE = 224
# Name, registry's name, and the layers of its stem and first block.
NETWORKS = (
    ("VGG-16", "vgg16", ("stages.0.",)),
    ("ResNet-50", "resnet50", ("stem.", "stages.0.0.")),
    ("ConvNeXt-T", "convnext_tiny", ("stem.", "stages.0.block_0.")),
)


def _growth(anatomy: Anatomy) -> list[int]:
    """The field after each layer with weights, one after the other, the shortcuts' left out."""
    return [
        layer.receptive_field
        for layer in anatomy.layers
        if layer.macs and layer.receptive_field and "shortcut" not in layer.name
    ]


def depth() -> str:
    """The receptive field against the number of layers; one attention sees everything."""
    growth = {name: _growth(described(key)) for name, key, _ in NETWORKS}
    reach = {
        name: next((i for i, field in enumerate(fields, 1) if field >= SIDE), None)
        for name, fields in growth.items()
    }
    d = Drawing(
        "vit-depth",
        width=740,
        height=360,
        title="How many layers until a unit's window is as wide as the picture",
        description=f"The side of a unit's window in pixels against the number of layers with "
        f"weights before it; the picture is {SIDE} pixels wide. "
        + " ".join(
            f"{name} reaches {SIDE} after {at} layers."
            if (at := reach[name])
            else f"{name} ends at {fields[-1]} after its {len(fields)} convolutions."
            for name, fields in growth.items()
        )
        + " ViT-B/16 sees everything in its first attention.",
    )
    top = 320
    axes = Axes(
        d,
        (64, 40, 724, 300),
        (0, 50),
        (0, top),
        ("layers with weights", "side of what a unit sees, in pixels"),
    )
    level = axes.y(SIDE)
    d.line(64, level, 724, level, stroke="ink", dash="6 4")
    d.text(720, level - 8, "the whole picture", anchor="end", size=12)
    for index, (name, fields) in enumerate(growth.items()):
        inside = [f for f in fields if f <= top][:50]
        points = [(axes.x(i), axes.y(f)) for i, f in enumerate((1, *inside))]
        polyline(d, points, index)
        x, y = points[-1]
        if name == "VGG-16":
            x, y, anchor = x - 10, y + 4, "end"
        elif name == "ResNet-50":
            x, y, anchor = axes.x(38.5), axes.y(278), "end"
        else:
            x, y, anchor = x + 8, y - 2, "start"
        d.text(x, y, name, size=12.5, anchor=anchor, fill=COLOURS[index], weight=650)
        if at := reach[name]:
            d.circle(axes.x(at), axes.y(fields[at - 1]), 5, fill=COLOURS[index], stroke="paper")
    points = [(axes.x(0), axes.y(1)), (axes.x(1), axes.y(BASE_16.patch)), (axes.x(2), level)]
    polyline(d, points, 3)
    d.circle(*points[-1], 6, fill=COLOURS[3], stroke="paper")
    d.text(
        points[-1][0] + 10,
        level - 10,
        "ViT-B/16: its first attention",
        size=12.5,
        fill=COLOURS[3],
        weight=650,
    )
    return d.svg()


def fields() -> str:
    """What one unit sees after the first block of each network, on a photograph."""
    sees = {
        name: max(
            layer.receptive_field or 0
            for layer in described(key).layers
            if layer.name.startswith(first)
        )
        for name, key, first in NETWORKS
    }
    side, gap = 170, 20
    names = (*sees, "ViT-B/16")
    d = Drawing(
        "vit-fields",
        width=4 * side + 3 * gap + 4,
        height=side + 62,
        title="What one unit sees after the first block",
        description="The same photograph four times, with what one unit in its middle sees after "
        "the network's first block: "
        + ", ".join(f"{name} a square of {field} pixels" for name, field in sees.items())
        + f". ViT-B/16: all of its {SIDE} pixels, in patches of {BASE_16.patch}.",
    )
    picture = middle_square(sample("china.jpg")).resize((SIDE, SIDE))
    for index, name in enumerate(names):
        x, y = 2 + index * (side + gap), 28
        colour = COLOURS[index]
        d.text(x + side / 2, 17, name, anchor="middle", weight=650, fill=colour)
        d.photo(x, y, side, picture)
        scale = side / SIDE
        if name == "ViT-B/16":
            cells = SIDE // BASE_16.patch
            for line in range(1, cells):
                at = line * side / cells
                d.line(x + at, y, x + at, y + side, stroke="paper", stroke_width=0.8)
                d.line(x, y + at, x + side, y + at, stroke="paper", stroke_width=0.8)
            d.rect(x, y, side, side, stroke=colour, stroke_width=3)
            corner = cells // 2 * side / cells
            d.rect(
                x + corner, y + corner, side / cells, side / cells, stroke=colour, stroke_width=3
            )
            words = f"all {SIDE} × {SIDE}"
        else:
            size = sees[name] * scale
            start = side / 2 - size / 2
            d.rect(x + start, y + start, size, size, stroke="paper", stroke_width=5)
            d.rect(x + start, y + start, size, size, stroke=colour, stroke_width=2.5)
            words = f"{sees[name]} × {sees[name]}"
        d.text(x + side / 2, y + side + 22, words, anchor="middle")
    return d.svg()


def cost() -> str:
    """Where the multiply-adds go as the picture grows: all of it, and attention's part."""
    sides = (224, 384, 512, 1024)
    rows = []
    for side in sides:
        macs = count_macs(on_meta("vit", side).eval(), side)
        tokens = (side // BASE_16.patch) ** 2 + 1
        rows.append((side, tokens, macs, 2 * BASE_16.layers * tokens**2 * BASE_16.dim))
    d = Drawing(
        "vit-cost",
        width=740,
        height=46 + 44 * len(rows),
        title="What attention costs as the picture grows",
        description="For each side of the picture, the multiply-adds of ViT-B/16 and the share of "
        "them that compares tokens with tokens: "
        + "; ".join(
            f"{side} pixels, {tokens:,} tokens, {macs / 1e9:.1f} G, {part / macs:.0%}"
            for side, tokens, macs, part in rows
        )
        + ".",
    )
    left, width = 196, 420
    d.text(14, 20, "side", size=12, fill="muted")
    d.text(108, 20, "tokens", size=12, fill="muted", anchor="end")
    d.text(left - 14, 20, "MACs", size=12, fill="muted", anchor="end")
    d.text(left, 20, "tokens with tokens", size=12, fill="output", weight=650)
    d.text(left + width, 20, "linear layers", size=12, fill="dense", weight=650, anchor="end")
    for index, (side, tokens, macs, part) in enumerate(rows):
        y = 34 + 44 * index
        d.text(14, y + 20, f"{side}", weight=650)
        d.text(108, y + 20, f"{tokens:,}", anchor="end")
        d.text(left - 14, y + 20, f"{macs / 1e9:,.1f} G", anchor="end")
        cut = width * part / macs
        d.rect(left, y, cut, 28, fill="output-soft", stroke="output")
        d.rect(left + cut, y, width - cut, 28, fill="dense-soft", stroke="dense")
        d.text(left + width + 14, y + 20, f"{part / macs:.1%} attention", size=12.5)
    return d.svg()


def data(results: dict[str, Any]) -> str:
    """Accuracy of both networks against the number of training digits, with the spread."""
    names = list(dict.fromkeys(cell["network"] for cell in results["cells"]))
    rows = {
        name: sorted(
            (cell["digits"], 100 * mean(cell["accuracies"]), 100 * stdev(cell["accuracies"]))
            for cell in results["cells"]
            if cell["network"] == name and cell["order"] == "in order"
        )
        for name in names
    }
    everything = [y for row in rows.values() for _, y, _ in row]
    d = Drawing(
        "vit-data",
        width=720,
        height=340,
        title="What each network makes of few examples",
        description="Accuracy on held-out digits against the number of training digits, mean and "
        f"standard deviation of {results['seeds']} seeds. "
        + " ".join(
            f"{name}: "
            + ", ".join(f"{n:,} digits {y:.1f} ± {s:.1f} percent" for n, y, s in row)
            + "."
            for name, row in rows.items()
        ),
    )
    low = 5 * (int(min(everything)) // 5) - 5
    words = ("training digits, logarithmic", "accuracy in percent")
    axes = Axes(d, (64, 36, 640, 282), (430, 5200), (low, 100), words, logarithmic=True)
    for name, row in rows.items():
        index = ("LeNet-5", "ViT").index(name)
        points = [(axes.x(n), axes.y(y)) for n, y, _ in row]
        polyline(d, points, index)
        for (x, _), (_, y, s) in zip(points, row, strict=True):
            d.line(x, axes.y(y - s), x, axes.y(y + s), stroke=COLOURS[index], stroke_width=1.8)
            d.circle(x, axes.y(y), 5, fill=COLOURS[index], stroke="paper")
            d.text(x, axes.y(y - s) + 16, f"{y:.1f}", size=12, anchor="middle")
        x, y = points[-1]
        d.text(x + 14, y + 4, name, size=12.5, fill=COLOURS[index], weight=650)
    return d.svg()


def shuffles(results: dict[str, Any]) -> str:
    """Both networks on pictures in order, with shuffled patches, and with shuffled pixels."""
    cells = {(c["network"], c["order"]): c for c in results["cells"] if c["digits"] == 4000}
    orders = ("in order", "patches", "pixels")
    lines = [
        "| network | in order | patches shuffled | pixels shuffled |",
        "| --- | --: | --: | --: |",
    ]
    for name in ("LeNet-5", "ViT"):
        values = (spread(cells[name, order]["accuracies"]) for order in orders)
        lines.append(f"| {name} | {' | '.join(value.split(' (')[0] for value in values)} |")
    return "\n".join((*lines, ""))


def source(results: dict[str, Any]) -> str:
    """With what the long experiment was done, in a sentence."""
    where = results["provenance"]
    weights = ", ".join(f"{n} {w:,} weights" for n, w in results["parameters"].items())
    rates = ", ".join(f"{n} {lr:g}" for n, lr in results["learning_rates"].items())
    return (
        f"{weights}; {results['steps']:,} steps of {results['batch']} digits for every network and "
        f"every number of digits; {results['optimizer']}; highest learning rates: {rates}; "
        f"{results['seeds']} seeds, {results['test_digits']:,} held-out digits each. "
        f"{where['processor']}, torch {where['torch']}, {where['date']}.\n"
    )
