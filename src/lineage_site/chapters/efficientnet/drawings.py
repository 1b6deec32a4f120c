"""The EfficientNet chapter's figures and tables, drawn from the networks."""

import torch

from lineage_lab.anatomy.network import Anatomy, Layer
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.efficientnet import STAGES, MBConv, Scaling
from lineage_lab.registry import create_model
from lineage_site.chapters.efficientnet.charts import digits
from lineage_site.chapters.efficientnet.photos import photographs
from lineage_site.chapters.efficientnet.quiz import anatomy as anatomy_of
from lineage_site.chapters.efficientnet.tables import counted, tables
from lineage_site.drawing.chapter import fact_table, quiz

__all__ = ["draw"]

# The networks of the paper's Table 7: each costs about four times B0.
SCALED = (
    ("B0", Scaling(1.0, 1.0, 224, 0.2)),
    ("deeper", Scaling(1.0, 4.0, 224, 0.2)),
    ("wider", Scaling(2.0, 1.0, 224, 0.2)),
    ("finer", Scaling(1.0, 1.0, 448, 0.2)),
    ("all three", Scaling(1.2, 1.4, round(1.3 * 224), 0.2)),
)
KINDS = (
    ("stem", "input"),
    ("expand", "conv"),
    ("depthwise", "pool"),
    ("squeeze_excitation", "act"),
    ("project", "dense"),
    ("last", "norm"),
    ("head", "output"),
)
WORDS = {
    "squeeze_excitation": "squeeze-and-excitation",
    "expand": "expand 1×1",
    "depthwise": "depthwise",
    "project": "project 1×1",
    "last": "last 1×1",
}


def draw() -> dict[str, str]:
    """All of the chapter's figures and tables."""
    b0 = anatomy_of("efficientnet_b0")
    return {
        "scaling.svg": _scaling(),
        "block.svg": _block(),
        "cost.svg": _cost(b0),
        **digits(),
        **photographs(),
        "facts.md": fact_table("efficientnet"),
        "quiz.md": quiz("efficientnet"),
        **tables(b0),
    }


def _scaling() -> str:
    """Five networks as rows of blocks: as wide as the channels, as high as the map."""
    rows = [(name, scaling, *counted(scaling)) for name, scaling in SCALED]
    base = rows[0][3]
    across, up, left = 0.079, 0.5, 104.0
    heights = [max(side for _, side in blocks) * up for *_, blocks in rows]
    d = Drawing(
        "efficientnet-scaling",
        width=760,
        height=sum(heights) + 34 * len(rows) + 12,
        title="Four ways to spend four times the multiply-adds",
        description="Five rows of blocks, each block as wide as its channels and as high as its "
        "map. "
        + " ".join(
            f"{name}: {len(blocks)} blocks, up to {max(c for c, _ in blocks)} channels, image of "
            f"{s.resolution} pixels, {macs / base:.2f} times B0's multiply-adds."
            for name, s, _, macs, blocks in rows
        ),
    )
    y = 12.0
    for (name, s, weights, macs, blocks), height in zip(rows, heights, strict=True):
        kind = "output" if name == "all three" else "conv"
        middle = y + height / 2
        d.text(12, middle - 4, name, weight=650, fill=kind)
        d.text(12, middle + 14, f"{macs / 1e9:.2f} G MACs", size=11.5, fill="muted")
        x = left
        for channels, side in blocks:
            tall = side * up
            d.rect(
                x,
                middle - tall / 2,
                channels * across,
                tall,
                fill=f"{kind}-soft",
                stroke=kind,
                stroke_width=0.8,
            )
            x += channels * across + 1
        words = (
            f"{len(blocks)} blocks · up to {max(c for c, _ in blocks)} channels · "
            f"{s.resolution} pixels · {weights / 1e6:.1f} M weights"
        )
        d.text(left, y + height + 16, words, size=11.5, fill="muted")
        y += height + 34
    return d.svg()


def _block() -> str:
    """MBConv from top to bottom, beside the names that `forward` calls."""
    name = "stages.2.1"
    layers = {layer.name: layer for layer in anatomy_of("efficientnet_b0").layers}
    with torch.device("meta"):
        model = create_model("efficientnet_b0")
    block = model.get_submodule(name)
    assert isinstance(block, MBConv)
    assert block.has_shortcut

    def of(part: str) -> Layer:
        return layers[f"{name}.{part}"]

    def shape(part: str) -> str:
        return "×".join(map(str, of(part).output_shape))

    kernel = STAGES[2].kernel
    inputs = shape("project.0")
    height = 560
    d = Drawing(
        "efficientnet-block",
        width=760,
        height=height,
        title="MBConv, the second block of B0’s third stage",
        description=f"From top to bottom: the input of {inputs}; expand, a 1 by 1 convolution to "
        f"{shape('expand.0')}; a depthwise {kernel} by {kernel} convolution that keeps it; "
        "squeeze-and-excitation, which averages each channel over the map, makes "
        f"{of('squeeze_excitation.reduce').output_shape[0]} numbers of these and a gate for each "
        f"channel, and multiplies; project, a 1 by 1 convolution back to {shape('project.0')}; "
        "then the input is added by a shortcut.",
    )
    left, wide, narrow = 130.0, 244.0, 90.0
    middle = left + wide / 2

    def bar(y: float, width: float, words: str, kind: str) -> None:
        d.rect(middle - width / 2, y, width, 24, fill=f"{kind}-soft", stroke=kind, radius=2)
        d.text(middle, y + 16.5, words, anchor="middle", size=12)

    def down(y1: float, y2: float) -> None:
        d.arrow([(middle, y1), (middle, y2)])

    bar(16, narrow, inputs, "input")
    down(40, 66)
    d.box(left, 66, wide, 52, ("expand: 1×1 convolution", "batch norm, swish"), "conv")
    down(118, 134)
    bar(134, wide, shape("expand.0"), "input")
    down(158, 174)
    d.box(
        left,
        174,
        wide,
        52,
        (f"depthwise: {kernel}×{kernel} convolution", "each channel alone; batch norm, swish"),
        "pool",
    )
    down(226, 242)
    bar(242, wide, shape("depthwise.0"), "input")
    down(266, 356)
    # The gate: out to the right, and back.
    gate = left + wide + 54
    d.box(gate, 236, 244, 36, ("squeeze: mean over the map",), "act")
    d.arrow([(left + wide, 254), (gate, 254)], stroke="act")
    steps = (
        ("squeeze_excitation.reduce", "reduce", "swish"),
        ("squeeze_excitation.expand", "expand", "sigmoid"),
    )
    y = 272.0
    for part, word, act in steps:
        d.arrow([(gate + 122, y), (gate + 122, y + 14)], stroke="act")
        count = of(part).output_shape[0]
        d.box(gate, y + 14, 244, 36, (f"{word}: to {count} numbers, {act}",), "act")
        y += 50
    d.circle(middle, 369, 13, fill="act-soft", stroke="act")
    d.text(middle, 373.5, "×", anchor="middle", size=14, weight=650)
    d.arrow(
        [
            (gate + 122, y),
            (gate + 122, 388),
            (left + wide + 26, 388),
            (left + wide + 26, 369),
            (middle + 13, 369),
        ],
        stroke="act",
    )
    d.text(gate, 408, "a gate for each channel,", size=11.5, fill="muted")
    d.text(gate, 424, "from 0 (shut) to 1 (open)", size=11.5, fill="muted")
    down(382, 404)
    d.box(left, 404, wide, 52, ("project: 1×1 convolution", "batch norm, nothing else"), "dense")
    down(456, 478)
    d.circle(middle, 491, 13, fill="input-soft", stroke="input")
    d.text(middle, 495.5, "+", anchor="middle", size=14, weight=650)
    d.arrow([(middle - narrow / 2, 28), (left - 40, 28), (left - 40, 491), (middle - 13, 491)])
    d.text(left - 48, 262, "shortcut", size=12, anchor="end", fill="muted")
    down(504, 524)
    bar(524, narrow, inputs, "input")
    return d.svg()


def _kind(name: str) -> str:
    parts = name.split(".")
    known = {kind for kind, _ in KINDS}
    return next((part for part in parts if part in known), "")


def _cost(anatomy: Anatomy) -> str:
    """Where B0's weights, multiply-adds and activations are, by the kind of layer."""
    counted = [layer for layer in anatomy.layers if layer.macs]
    measures = (
        (
            "weights",
            {
                k: sum(layer.parameters for layer in anatomy.layers if _kind(layer.name) == k)
                for k, _ in KINDS
            },
        ),
        (
            "multiply-adds",
            {k: sum(layer.macs for layer in counted if _kind(layer.name) == k) for k, _ in KINDS},
        ),
        (
            "activations",
            {k: sum(_size(layer) for layer in counted if _kind(layer.name) == k) for k, _ in KINDS},
        ),
    )
    d = Drawing(
        "efficientnet-cost",
        width=760,
        height=250,
        title="Where B0’s weights, multiply-adds and activations are",
        description="Three bars, each parted by the kind of layer. "
        + " ".join(
            f"{word}: "
            + ", ".join(
                f"{WORDS.get(k, k)} {100 * v / sum(parts.values()):.0f} percent"
                for k, v in parts.items()
            )
            + "."
            for word, parts in measures
        ),
    )
    left, right = 126.0, 748.0
    x, y = left, 12.0
    for key, colour in KINDS:
        words = WORDS.get(key, key)
        span = 34 + 6.5 * len(words)
        if x + span > right:
            x, y = left, y + 20
        d.rect(x, y, 12, 12, fill=colour)
        d.text(x + 18, y + 10.5, words, size=12, fill="muted")
        x += span
    for index, (word, parts) in enumerate(measures):
        y, total = 64 + 62 * index, sum(parts.values())
        d.text(12, y + 17, word, weight=650)
        d.text(12, y + 34, f"{total / 1e6:,.1f} M", size=11.5, fill="muted")
        x = left
        for key, colour in KINDS:
            width = (right - left) * parts[key] / total
            d.rect(x, y, width, 40, fill=f"{colour}-soft", stroke=colour)
            if width > 30:
                d.text(
                    x + width / 2,
                    y + 25,
                    f"{100 * parts[key] / total:.0f} %",
                    size=12,
                    anchor="middle",
                )
            x += width
    return d.svg()


def _size(layer: Layer) -> int:
    count = 1
    for side in layer.output_shape:
        count *= side
    return count
