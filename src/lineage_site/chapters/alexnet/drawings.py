"""The AlexNet chapter's figures and tables, drawn from the networks."""

from functools import cache

import torch
from torch import nn

from lineage_lab.anatomy.network import Anatomy, Layer, describe
from lineage_lab.chapters.alexnet import photograph
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.alexnet import (
    ONE_TOWER,
    PAPER,
    PAPER_UNGROUPED,
    AlexNet,
    AlexNetConfig,
    conv_layer,
)
from lineage_site.chapters.alexnet.charts import charts
from lineage_site.chapters.alexnet.facts import IDEAS
from lineage_site.drawing.chapter import fact_table, quiz

__all__ = ["draw"]

FORMS = {
    "the paper’s": ("alexnet_paper", PAPER),
    "the paper’s, without groups": ("alexnet_paper_ungrouped", PAPER_UNGROUPED),
    "torchvision’s": ("alexnet", ONE_TOWER),
}
# What the figures call the layers that have weights.
NAMES = {"hidden.0": "fc 6", "hidden.1": "fc 6", "hidden.3": "fc 7", "hidden.4": "fc 7"} | {
    f"stages.{i}.0": f"conv {i + 1}" for i in range(5)
} | {"head": "fc 8"}  # fmt: skip


def draw() -> dict[str, str]:
    """All of the chapter's figures and tables."""
    paper = anatomy(PAPER)
    return {
        "architecture.svg": _architecture(paper),
        "block.svg": _block(paper),
        "facts.md": fact_table("alexnet"),
        "quiz.md": quiz("alexnet"),
        "ideas.md": _ideas(),
        "layers.md": _layers(paper, anatomy(ONE_TOWER)),
        "forms.md": _forms(),
        **charts(weighted(paper), photograph(227)),
    }


@cache
def anatomy(config: AlexNetConfig) -> Anatomy:
    """A form at its own resolution; the meta device spares it its first weights."""
    with torch.device("meta"):
        return describe(AlexNet(config=config), (3, config.resolution, config.resolution))


def weighted(found: Anatomy) -> dict[str, Layer]:
    """The eight layers that have weights, by the names of the figures."""
    return {NAMES[layer.name]: layer for layer in found.layers if layer.parameters}


def _architecture(found: Anatomy) -> str:
    """Two towers: each slab is half a layer; crossing lines where the halves exchange maps."""
    layers = weighted(found)
    width, height, scale = 760.0, 408.0, 1.9
    rows = (156.0, 284.0)  # the middles of the two towers
    d = Drawing(
        "alexnet-architecture",
        width=width,
        height=height,
        title="AlexNet on two graphics cards",
        description="Two towers of equal layers, one for each card. Both start from the whole "
        "photograph. In the second, fourth and fifth convolution a card sees its own half of the "
        "maps only; at the third convolution and in the fully connected layers each half sees "
        "both. "
        + "; ".join(
            f"{name}: {'×'.join(map(str, layer.output_shape))}, {layer.parameters:,} weights, "
            f"{layer.macs:,} multiply-adds"
            for name, layer in layers.items()
        )
        + ".",
    )
    for middle, words in zip(rows, ("GPU 1", "GPU 2"), strict=True):
        d.text(14, middle + (-44 if middle == rows[0] else 52), words, size=12.5, weight=650)
    side = 84.0
    d.photo(14, sum(rows) / 2 - side / 2, side, photograph(168))
    d.text(14 + side / 2, 18, "input", anchor="middle", weight=700, fill="input")
    d.text(14 + side / 2, 35, "3 colours", anchor="middle", size=11.5, fill="muted")
    d.text(14 + side / 2, 51, "227×227", anchor="middle", size=11.5, fill="muted")
    d.line(8, 362, width - 8, 362)
    d.text(14, 380, "weights", size=11.5, fill="muted")
    d.text(14, 400, "MACs, millions", size=11.5, fill="muted")
    sides = {row.name: row.output_shape[-1] for row in found.layers}
    # Where the lines of the next layer start: x, and for each tower its middle.
    before: tuple[float, tuple[float, float]] = (14 + side, (sum(rows) / 2,) * 2)
    x = 138.0
    with torch.device("meta"):
        stages = list(AlexNet(config=PAPER).stages.children())
    for number, (name, layer) in enumerate(layers.items()):
        flat = len(layer.output_shape) == 1
        last = name == "fc 8"
        kind = "output" if last else "dense" if flat else "conv"
        tall = (100.0 if not last else 60.0) if flat else layer.output_shape[-1] * scale
        half = layer.output_shape[0] // 2
        wide = 11.0 if flat else 10 + half * 0.15
        crossing = flat or PAPER.layers[number].groups == 1
        middles = (sum(rows) / 2,) if last else rows
        for tower, middle in enumerate(middles):
            sources = (0, 1) if crossing and number else (tower,)
            for source in sources:
                stroke = "output" if source != tower and not last else "muted"
                d.line(before[0], before[1][source], x, middle, stroke=stroke, stroke_width=1.3)
        end = x + wide
        for middle in middles:
            d.rect(x, middle - tall / 2, wide, tall, fill=f"{kind}-soft", stroke=kind, radius=2)
            end = x + wide
            if not flat:
                kinds = [type(part) for part in stages[number].children()]
                pooled = nn.MaxPool2d in kinds
                if len(kinds) - pooled > 2:  # convolution, ReLU and the normalisation
                    d.rect(end + 2, middle - tall / 2, 5, tall, fill="norm-soft", stroke="norm")
                    end += 7
                if pooled:
                    small = sides[f"stages.{number}.{kinds.index(nn.MaxPool2d)}"]
                    d.rect(
                        end + 3,
                        middle - small * scale / 2,
                        10,
                        small * scale,
                        fill="pool-soft",
                        stroke="pool",
                        radius=1,
                    )
                    end += 13
        centre = x + wide / 2
        d.text(centre, 18, name, anchor="middle", weight=700, fill=kind)
        shape = layer.output_shape
        size = [] if flat else [f"{shape[-1]}×{shape[-1]}"]
        for line, said in enumerate([f"{shape[0]:,} {'units' if flat else 'maps'}", *size]):
            d.text(centre, 35 + 16 * line, said, anchor="middle", size=11.5, fill="muted")
        thousands = f"{layer.parameters / 1e6:.1f} M" if flat else f"{layer.parameters / 1e3:.0f} k"
        d.text(centre, 380, thousands, anchor="middle", size=11.5)
        d.text(centre, 400, f"{layer.macs / 1e6:.0f}", anchor="middle", size=11.5)
        before = (end, (rows[0], rows[1]))
        x += 84.0 if not flat else 70.0
    return d.svg()


def _block(found: Anatomy) -> str:
    """The first layer as boxes, in the order in which `conv_layer` puts its modules."""
    row = PAPER.layers[0]
    modules = list(conv_layer(3, row))
    shapes = {layer.name: layer.output_shape for layer in found.layers}
    titles: dict[str, tuple[str, str, str]] = {
        "Conv2d": ("conv", "convolution", f"{row.kernel}×{row.kernel}, stride {row.stride}"),
        "ReLU": ("act", "ReLU", "max(0, x)"),
        "LocalResponseNorm": ("norm", "normalisation", "over five maps"),
        "MaxPool2d": ("pool", "max pooling", "3×3, stride 2"),
    }
    words = [titles[type(m).__name__] for m in modules]
    d = Drawing(
        "alexnet-block",
        width=760,
        height=120,
        title="One layer of AlexNet: the first",
        description="The photograph passes through "
        + ", then ".join(f"{name} ({detail})" for _, name, detail in words)
        + ". The layers 3, 4 and 5 have no normalisation, and 3 and 4 no pooling.",
    )
    d.text(8, 52, "photograph", size=12)
    d.text(8, 70, "3 @ 227×227", size=11.5, fill="muted")
    x, before = 116.0, 88.0
    for index, (kind, name, detail) in enumerate(words):
        d.arrow([(before, 56), (x - 2, 56)])
        d.box(x, 30, 118, 52, (name, detail), kind)
        shape = shapes[f"stages.0.{index}"]
        d.text(
            x + 59,
            102,
            f"{shape[0]} @ {shape[1]}×{shape[2]}",
            anchor="middle",
            size=11.5,
            fill="muted",
        )
        before, x = x + 118, x + 150
    d.arrow([(before, 56), (before + 30, 56)])
    return d.svg()


def _ideas() -> str:
    """What stood in the way, what was done, what the paper measured."""
    rows = (f"| {w} | {i} | {g} | {s} |" for w, i, g, s in IDEAS)
    head = "| what it is against | idea | what the paper says it brought | section |"
    return "\n".join((head, "| --- | --- | --- | --- |", *rows, ""))


def _layers(paper: Anatomy, tower: Anatomy) -> str:
    """The paper's eight layers beside torchvision's."""
    other = weighted(tower)
    lines = [
        "| layer | output | weights | MACs, M | torchvision’s | weights | MACs, M |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for name, layer in weighted(paper).items():
        theirs = other[name]
        cells = (
            name.replace(" ", "\u00a0"),
            "×".join(map(str, layer.output_shape)),
            f"{layer.parameters:,}",
            f"{layer.macs / 1e6:.1f}",
            f"{theirs.output_shape[0]} {'maps' if theirs.receptive_field else 'units'}",
            f"{theirs.parameters:,}",
            f"{theirs.macs / 1e6:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(
        f"| **all** | | **{paper.parameters:,}** | **{paper.macs / 1e6:.1f}** | "
        f"| **{tower.parameters:,}** | **{tower.macs / 1e6:.1f}** |"
    )
    return "\n".join((*lines, ""))


def _forms() -> str:
    """The three forms, side by side."""
    found = {name: anatomy(config) for name, config in FORMS.values()}
    configs = [config for _, config in FORMS.values()]
    rows: dict[str, list[str]] = {
        "name here": [f"`{name}`" for name in found],
        "input, pixels": [f"{c.resolution}" for c in configs],
        "groups": [f"{max(row.groups for row in c.layers)}" for c in configs],
        "layers normalised": [f"{sum(row.normalised for row in c.layers)}" for c in configs],
        "parameters": [f"{a.parameters:,}" for a in found.values()],
        "MACs, million": [f"{a.macs / 1e6:,.1f}" for a in found.values()],
        "units of all layers": [f"{a.activations:,}" for a in found.values()],
        "receptive field": [f"{a.receptive_field}" for a in found.values()],
    }
    head = f"| | {' | '.join(FORMS)} |"
    lines = (f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())
    return "\n".join((head, "| --- | --: | --: | --: |", *lines, ""))
