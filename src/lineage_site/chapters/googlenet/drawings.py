"""The GoogLeNet chapter's figures and tables: the network, its module, what it costs and sees."""

import torch
from torch import nn

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.chapters.googlenet import INPUTS
from lineage_lab.chapters.photos import sample
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.googlenet import PAPER, TABLE_1, TORCHVISION, GoogLeNet, Inception
from lineage_site.chapters.googlenet.charts import charts
from lineage_site.chapters.googlenet.cost import (
    BRANCHES,
    PRINTED,
    cost,
    in_table_1,
    paper_anatomy,
)
from lineage_site.drawing.chapter import fact_table, quiz

__all__ = ["draw"]

# Of each branch: fill and outline.
STRIPES = {
    "branch_1x1": ("dense-soft", "dense"),
    "branch_3x3": ("conv-soft", "conv"),
    "branch_5x5": ("conv", "conv"),
    "branch_pool": ("pool-soft", "pool"),
}


def draw() -> dict[str, str]:
    """All of the chapter's figures and tables; nothing is trained."""
    anatomy = paper_anatomy()
    return {
        "architecture.svg": _architecture(anatomy),
        "module.svg": _module(),
        "cost.svg": cost(),
        "fields.svg": _fields(anatomy),
        "layers.md": _layers(anatomy),
        "forms.md": _forms(),
        "facts.md": fact_table("googlenet"),
        "quiz.md": quiz("googlenet"),
        **charts(),
    }


def _rows(anatomy: Anatomy) -> dict[str, dict[str, int]]:
    """Channels of each branch, by module; of a layer outside the modules, its channels."""
    last: dict[str, dict[str, int]] = {}
    for layer in anatomy.layers:
        if layer.kind != "Conv2d":
            continue
        if layer.name.startswith("inception"):
            _, module, branch, *_ = layer.name.split(".")
            last.setdefault(module, {})[branch] = layer.output_shape[0]
    return last


def _architecture(anatomy: Anatomy) -> str:
    """A rectangle for each map: as wide as its channels, as high as the root of its resolution."""
    layers = {layer.name: layer for layer in anatomy.layers}
    counts = in_table_1(anatomy)
    modules = _rows(anatomy)
    # Name of the figure, name of the layer, kind.
    columns: list[tuple[str, str, str]] = [
        ("input", "", "input"),
        ("7×7", "stem.0.0", "conv"),
        ("", "stem.1", "pool"),
        ("1×1", "stem.3.0", "dense"),
        ("3×3", "stem.4.0", "conv"),
        ("", "stem.6", "pool"),
    ]
    for name in modules:
        if name in ("4a", "5a"):
            columns.append(("", f"pool_{int(name[0]) - 1}", "pool"))
        columns.append((name, f"inception.{name}", "module"))
    columns += [("mean", "pool", "pool"), ("linear", "head", "dense")]
    width, middle = 760, 150
    d = Drawing(
        "googlenet-architecture",
        width=width,
        height=392,
        title="GoogLeNet, layer by layer",
        description="A stem of three convolutions takes the picture from 224 to 28 pixels a side. "
        "Nine inception modules follow, with the channels of their four branches: "
        + "; ".join(f"{n} {' + '.join(map(str, b.values()))}" for n, b in modules.items())
        + ". Pooling halves the map before 4a and 5a. The mean over the last map and one linear "
        "layer give the classes. Auxiliary classifiers branch off behind 4a and 4d.",
    )
    scale, x = 0.0545, 84.0
    places: dict[str, float] = {}
    sides: dict[int, list[float]] = {}
    for label, name, kind in columns:
        if kind == "module":
            stripes = list(modules[label].items())
            channels, side = sum(modules[label].values()), 28 if label[0] == "3" else 14
            side = 7 if label[0] == "5" else side
        else:
            shape = layers[name].output_shape if name else anatomy.input_size
            channels, side = shape[0], shape[-1] if len(shape) == 3 else 1
            stripes = []
        size = max(channels * scale, 4.0) if kind != "pool" else 7.0
        column = max(size + 9, {"": 16.0, "input": 38.0}.get(label, 30.0))
        tall = 14.0 * side**0.5
        left, top = x + (column - size) / 2, middle - tall / 2
        centre = x + column / 2
        for branch, share in stripes:
            fill, stroke = STRIPES[branch]
            d.rect(left, top, share * scale, tall, fill=fill, stroke=stroke, stroke_width=0.8)
            left += share * scale
        if not stripes:
            d.rect(left, top, size, tall, fill=f"{kind}-soft", stroke=kind)
        if label:
            places[label] = centre
            d.text(centre, 24, label, anchor="middle", size=12, weight=650)
            if label not in ("mean",):
                d.text(centre, 300, f"{channels}", anchor="middle", size=11.5)
        if side > 1:
            sides.setdefault(side, []).extend((x + 2, x + column - 2))
        x += column
    for side, ends in sides.items():
        d.line(min(ends), 264, max(ends), 264, stroke="muted")
        d.text(
            (min(ends) + max(ends)) / 2, 280, str(side), anchor="middle", size=11.5, fill="muted"
        )
    names = {"7×7": "conv 7×7", "3×3": "conv 3×3"}
    for label, centre in places.items():
        row = counts.get(names.get(label, label))
        if row:
            centre = (centre + places["1×1"]) / 2 if label == "3×3" else centre
            d.text(centre, 344, f"{row[2] / 1e6:.0f}", anchor="middle", size=11.5)
            d.text(centre, 322, f"{(row[0] + row[1]) / 1e3:.0f}", anchor="middle", size=11.5)
    for name in ("4a", "4d"):
        d.arrow([(places[name], middle - 27), (places[name], 60)], stroke="output")
        d.text(places[name], 52, "auxiliary", anchor="middle", size=11.5, fill="output")
    left = 12.0
    for words, (fill, stroke) in zip(
        ("1×1", "1×1, then 3×3", "1×1, then 5×5", "pool, then 1×1"), STRIPES.values(), strict=True
    ):
        d.rect(left, 368, 12, 12, fill=fill, stroke=stroke)
        d.text(left + 18, 378.5, words, size=12, fill="muted")
        left += 46 + 6.6 * len(words)
    for baseline, words in ((280, "side"), (300, "channels"), (322, "K weights"), (344, "M MACs")):
        d.text(12, baseline, words, size=11.5, fill="muted")
    return d.svg()


def _module() -> str:
    """Module 3a, branch by branch, as `forward` runs it."""
    module = Inception(INPUTS, width=TABLE_1["3a"], config=PAPER)
    found = describe(module, (INPUTS, 28, 28))
    sizes = {n: layer.output_shape for n, layer in ((x.name, x) for x in found.layers)}
    outs = {name: module_out(module.get_submodule(name)) for name in BRANCHES}
    d = Drawing(
        "googlenet-module",
        width=760,
        height=372,
        title="The inception module 3a",
        description=f"The map of {INPUTS} channels goes into four branches at once: a 1×1 "
        "convolution; a 1×1 and a 3×3 convolution; a 1×1 and a 5×5 convolution; a 3×3 maximum "
        "pooling and a 1×1 convolution. Their outputs, "
        + " + ".join(map(str, outs.values()))
        + f" channels, are laid side by side: {sum(outs.values())} channels.",
    )
    d.box(290, 10, 180, 42, ["x", f"{INPUTS} channels, 28×28"], "input")
    bar, unit = 316.0, 640 / sum(outs.values())
    left = 60.0
    for column, name in enumerate(BRANCHES):
        centre = 103 + column * 185
        d.arrow([(380, 52), (380, 70), (centre, 70), (centre, 104)])
        d.text(centre - 8, 90, name, size=12, weight=650, anchor="end")
        y = 104.0
        ends: list[str] = []
        for path, layer in module.get_submodule(name).named_modules():
            full = f"{name}.{path}" if path else name
            if isinstance(layer, nn.Conv2d):
                kernel = layer.kernel_size[0]
                kind = "dense" if kernel == 1 else "conv"
                words = [
                    f"{kernel}×{kernel}, {sizes[full][0]}",
                    f"{sum(p.numel() for p in layer.parameters()):,} weights",
                ]
            elif isinstance(layer, nn.MaxPool2d):
                kind, words = "pool", ["max 3×3, stride 1", f"{sizes[full][0]} channels"]
            else:
                continue
            if ends:
                d.arrow([(centre, y - 24), (centre, y)])
            d.box(centre - 72, y, 144, 44, words, kind)
            ends.append(full)
            y += 68
        share = outs[name] * unit
        d.arrow([(centre, y - 24), (centre, 268), (left + share / 2, 288), (left + share / 2, bar)])
        fill, stroke = STRIPES[name]
        d.rect(left, bar, share, 26, fill=fill, stroke=stroke)
        d.text(left + share / 2, bar + 44, str(outs[name]), anchor="middle", size=12)
        left += share
    d.text(52, bar + 18, "cat", anchor="end", size=12, weight=650)
    d.text(708, bar + 18, f"{sum(outs.values())}", size=12, weight=650)
    return d.svg()


def module_out(branch: nn.Module) -> int:
    """Channels of a branch's last convolution."""
    return [m for m in branch.modules() if isinstance(m, nn.Conv2d)][-1].out_channels


def _fields(anatomy: Anatomy) -> str:
    """What a unit of each branch sees of a photograph, in the first modules."""
    found: dict[str, dict[str, int]] = {}
    for layer in anatomy.layers:
        if layer.kind == "Conv2d" and layer.name.startswith("inception"):
            _, module, branch, *_ = layer.name.split(".")
            found.setdefault(module, {})[branch] = layer.receptive_field or 0
    shown = ("3a", "3b", "4a")
    photo = sample("flower.jpg").crop((110, 8, 510, 408))
    side, gap = 224, 24
    d = Drawing(
        "googlenet-fields",
        width=3 * side + 2 * gap + 16,
        height=side + 62,
        title="Several receptive fields at once",
        description="A photograph of a flower three times. In it squares of what one unit sees, "
        "in pixels of an input of 224: "
        + "; ".join(
            f"module {m}: 1×1 {found[m]['branch_1x1']}, 3×3 {found[m]['branch_3x3']}, "
            f"5×5 {found[m]['branch_5x5']}"
            for m in shown
        )
        + ".",
    )
    for index, name in enumerate(shown):
        x, y = 8.0 + index * (side + gap), 28.0
        d.text(x + side / 2, 18, name, anchor="middle", weight=650)
        d.photo(x, y, side, photo.resize((side, side)))
        for branch, kind in (
            ("branch_5x5", "conv"),
            ("branch_3x3", "output"),
            ("branch_1x1", "dense"),
        ):
            size = float(found[name][branch])
            corner = (side - size) / 2
            d.rect(x + corner, y + corner, size, size, stroke="paper", stroke_width=4.5)
            d.rect(x + corner, y + corner, size, size, stroke=kind, stroke_width=2.5)
        words = " · ".join(f"{b[-3:].replace('x', '×')}: {found[name][b]}" for b in BRANCHES[:3])
        d.text(x + side / 2, y + side + 22, words, anchor="middle", size=12)
    return d.svg()


def _layers(anatomy: Anatomy) -> str:
    """Table 1 as it is printed, beside what the network has."""
    counts = in_table_1(anatomy)
    lines = [
        "| | weights printed | weights here | operations printed | MACs here |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name, (weights, operations) in PRINTED.items():
        here, _, macs = counts[name]
        known = "1×1 and 3×3" if name == "conv 3×3" else name
        lines.append(f"| {known} | {weights} K | {here:,} | {operations} M | {macs / 1e6:.1f} M |")
    here = sum(row[0] for row in counts.values())
    macs = sum(row[2] for row in counts.values())
    printed = sum(float(w) for w, _ in PRINTED.values())
    millions = sum(int(o) for _, o in PRINTED.values())
    lines.append(
        f"| **sum** | **{printed:,.1f} K** | **{here:,}** | **{millions:,} M** | "
        f"**{macs / 1e6:,.1f} M** |"
    )
    return "\n".join((*lines, ""))


def _forms() -> str:
    """The paper's form and torchvision's, side by side."""
    configs = (PAPER, TORCHVISION)
    with torch.device("meta"):
        ours = [GoogLeNet(config=config) for config in configs]
    full = [sum(p.numel() for p in model.parameters()) for model in ours]
    for model in ours:
        model.auxiliary_4a = model.auxiliary_4d = None
    found = [describe(model) for model in ours]
    rows = (
        ("kernel in `branch_5x5`", *(f"**{c.kernel_5x5}×{c.kernel_5x5}**" for c in configs)),
        ("behind each convolution", "bias, ReLU", "batch norm, ReLU"),
        ("around the stem’s convolutions", "local response normalisation", "nothing"),
        ("pooling before 5a", "3×3, stride 2", "2×2, stride 2"),
        ("auxiliary classifiers’ pooling", "mean 5×5, stride 3", "mean to 4×4"),
        ("dropout before the last layer", *(f"{c.dropout:.0%}" for c in configs)),
        ("input", "mean subtracted", "pixels from −1 to 1 (`transform_input`)"),
        ("parameters in use", *(f"{a.parameters:,}" for a in found)),
        ("with the auxiliary classifiers", *(f"{n:,}" for n in full)),
        ("MACs at 224 × 224", *(f"{a.macs:,}" for a in found)),
        ("receptive field of 5b, pixels", *(f"{a.receptive_field}" for a in found)),
    )
    head = ("| | `googlenet_paper` | `googlenet` (torchvision’s) |", "| --- | --- | --- |")
    return "\n".join((*head, *(f"| {' | '.join(row)} |" for row in rows), ""))
