"""The VGG chapter's figures and tables, drawn from the networks and from recorded runs."""

from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.vgg import VGG
from lineage_lab.registry import create_model
from lineage_site.chapters.vgg.charts import field, pairs, signals, towers, windows
from lineage_site.drawing.chapter import fact_table, quiz
from lineage_site.facts.ledger import facts

__all__ = ["draw"]

NAMES = {"A": "vgg11", "B": "vgg13", "C": "vgg16c", "D": "vgg16", "E": "vgg19"}


def draw() -> dict[str, str]:
    """All of the chapter's figures; nothing is trained here."""
    return {
        "network.svg": _architecture(),
        "stack.svg": _stack(),
        "columns.svg": _columns(),
        "block.svg": _block(),
        "cost.svg": _cost(),
        "signals.svg": signals(),
        "windows.svg": windows(),
        "towers.svg": towers(),
        "field.svg": field(),
        "pairs.md": pairs(),
        "facts.md": fact_table("vgg"),
        "quiz.md": quiz("vgg"),
        "columns.md": _table(),
    }


@cache
def _network(name: str) -> VGG:
    """On the meta device: shapes, no memory."""
    with torch.device("meta"):
        model = create_model(name)
    assert isinstance(model, VGG)
    return model


def _stages(name: str) -> list[nn.Sequential]:
    return [part for part in _network(name).stages if isinstance(part, nn.Sequential)]


@cache
def _anatomy(name: str) -> Anatomy:
    return describe(_network(name))


def _parts(name: str = "vgg16") -> dict[str, tuple[int, int]]:
    """Parameters and MACs of each stage and of each fully connected layer."""
    found: dict[str, tuple[int, int]] = {}
    names = {"hidden.0": "fc6", "hidden.3": "fc7", "head": "fc8"}
    for layer in _anatomy(name).layers:
        head, _, rest = layer.name.partition(".")
        key = f"stage {int(rest[0]) + 1}" if head == "stages" else names.get(layer.name, "")
        if key:
            weights, macs = found.get(key, (0, 0))
            found[key] = (weights + layer.parameters, macs + layer.macs)
    return found


def _architecture() -> str:
    """VGG-16 as slabs: as high as the map, as wide as its channels."""
    layers = [
        layer
        for layer in _anatomy("vgg16").layers
        if layer.kind in ("Conv2d", "MaxPool2d", "Linear")
    ]
    width, height, middle = 760, 296, 142
    d = Drawing(
        "vgg-architecture",
        width=width,
        height=height,
        title="VGG-16, layer by layer",
        description="Five groups of blue slabs, each ended by an orange one that halves height: "
        + ", ".join(f"{x.kind} {'×'.join(map(str, x.output_shape))}" for x in layers)
        + ". The slabs get lower and wider to the right; three teal bars end the network.",
    )
    d.rect(16, middle - 224 * 0.45, 5, 224 * 0.9, fill="input", radius=1)
    d.text(8, 262, "image", size=12)
    d.text(8, 280, "3", size=12, fill="muted")
    x, start, stage = 76.0, 76.0, 0
    convs = 0
    for layer in layers:
        if layer.kind == "Linear":
            tall = {4096: 150.0}.get(layer.output_shape[0], 70.0)
            kind = "output" if layer.name == "head" else "dense"
            d.rect(x, middle - tall / 2, 12, tall, fill=f"{kind}-soft", stroke=kind, radius=2)
            x += 24
            continue
        channels, side = layer.output_shape[0], layer.output_shape[-1]
        tall = side * 0.9
        if layer.kind == "MaxPool2d":
            d.rect(x, middle - tall / 2, 6, tall, fill="pool-soft", stroke="pool", radius=1)
            stage += 1
            centre = (start + x + 6) / 2
            d.text(centre, 24, f"stage {stage}", anchor="middle", size=12, weight=700, fill="conv")
            d.text(centre, 262, f"{convs} × 3×3", anchor="middle", size=12)
            d.text(centre, 280, f"{channels} maps", anchor="middle", size=12, fill="muted")
            x += 50
            start, convs = x, 0
            continue
        convs += 1
        if convs == 1:
            d.text(start - 5, middle + 4, f"{side}", size=11.5, anchor="end", fill="muted")
        thick = channels / 15
        d.rect(x, middle - tall / 2, thick, tall, fill="conv-soft", stroke="conv", radius=1.5)
        x += thick + 3
    centre = (start + x - 12) / 2
    d.text(centre, 24, "fc6 fc7 fc8", anchor="middle", size=12, weight=700, fill="dense")
    d.text(centre, 262, "4,096 · 4,096", anchor="middle", size=12)
    d.text(centre, 280, "1,000 scores", anchor="middle", size=12, fill="muted")
    return d.svg()


def _paths(count: int) -> list[list[float]]:
    """Ways from each pixel to one unit through `count` convolutions of 3×3, on a 7×7 window."""
    side = 2 * count + 1
    image = torch.zeros(1, 1, side, side, requires_grad=True)
    x: torch.Tensor = image
    for _ in range(count):
        x = F.conv2d(x, torch.ones(1, 1, 3, 3))
    (grad,) = torch.autograd.grad(x.sum(), image)
    margin = (7 - side) // 2
    ways: list[list[float]] = F.pad(grad[0, 0], (margin,) * 4).tolist()
    return ways


def _stack() -> str:
    """One, two, three layers of 3×3: the pixels that one unit sees, and in how many ways."""
    cell, left, gap, top = 26, 20, 60, 66
    d = Drawing(
        "vgg-stack",
        width=left * 2 + 3 * 7 * cell + 2 * gap,
        height=top + 7 * cell + 62,
        title="What one unit sees through one, two and three layers of 3 by 3",
        description="Three grids of 7 by 7 pixels. Through one layer a unit sees 3 by 3 of them, "
        "through two 5 by 5, through three 7 by 7. A number in each pixel says by how many ways "
        "it reaches the unit: from 1 in the corners to "
        + ", ".join(f"{int(_paths(n)[3][3])}" for n in (1, 2, 3))
        + " in the middle.",
    )
    for index, count in enumerate((1, 2, 3)):
        ways, side = _paths(count), 2 * count + 1
        x = left + index * (7 * cell + gap)
        centre = x + 3.5 * cell
        words = ("one layer", "two layers", "three layers")[index]
        d.text(centre, 20, words, anchor="middle", weight=700, fill="conv")
        d.text(centre, 40, f"sees {side} × {side}", anchor="middle", size=12.5, fill="muted")
        most = max(max(row) for row in ways)
        d.picture(
            x, top, cell, [[0.5 * v / most for v in row] for row in ways], ink="conv", frame="none"
        )
        for line in range(8):
            d.line(x, top + line * cell, x + 7 * cell, top + line * cell)
            d.line(x + line * cell, top, x + line * cell, top + 7 * cell)
        inset = (7 - side) / 2 * cell
        d.rect(x + inset, top + inset, side * cell, side * cell, stroke="conv", stroke_width=3)
        for row in range(7):
            for column in range(7):
                if ways[row][column]:
                    d.text(
                        x + (column + 0.5) * cell,
                        top + (row + 0.5) * cell + 4.5,
                        f"{ways[row][column]:.0f}",
                        anchor="middle",
                        size=12,
                        fill="ink",
                    )
        bottom = top + 7 * cell
        d.text(centre, bottom + 24, f"{9 * count} · C · C weights", anchor="middle")
        d.text(
            centre,
            bottom + 44,
            f"one {side}×{side} has {side * side} · C · C",
            anchor="middle",
            size=12.5,
            fill="muted",
        )
    return d.svg()


def _columns() -> str:
    """Table 1: the columns as stacks of layers, read off the modules."""
    left, step, cell, tall = 84, 132, 112, 19
    columns = {key: _stages(name) for key, name in NAMES.items()}
    counts = [
        max(sum(isinstance(m, nn.Conv2d) for m in net[i]) for net in columns.values())
        for i in range(5)
    ]
    height = 56 + sum(counts) * (tall + 3) + 5 * 15 + 3 * (tall + 3) + 44
    d = Drawing(
        "vgg-columns",
        width=left + 5 * step,
        height=height,
        title="The columns A to E of Table 1",
        description="Five columns of layers. "
        + " ".join(
            f"Column {key}: "
            + "; ".join(
                ", ".join(
                    f"{m.kernel_size[0]}×{m.kernel_size[0]}"
                    for m in part
                    if isinstance(m, nn.Conv2d)
                )
                for part in net
            )
            + "."
            for key, net in columns.items()
        )
        + " Each stage ends with max pooling; three fully connected layers end each column.",
    )
    for index, (key, name) in enumerate(NAMES.items()):
        x = left + index * step
        layers = sum(isinstance(m, nn.Conv2d | nn.Linear) for m in _network(name).modules())
        d.text(x + cell / 2, 18, f"{key}", anchor="middle", size=15, weight=700)
        d.text(
            x + cell / 2, 38, f"{layers} layers · {name}", anchor="middle", size=11.5, fill="muted"
        )
        y = 50.0
        for i, part in enumerate(columns[key]):
            convs = [m for m in part if isinstance(m, nn.Conv2d)]
            if index == 0:
                d.text(left - 12, y + 14, f"stage {i + 1}", size=12, anchor="end", fill="muted")
                d.text(
                    left - 12,
                    y + 30,
                    f"{convs[0].out_channels} maps",
                    size=11.5,
                    anchor="end",
                    fill="muted",
                )
            for number, conv in enumerate(convs):
                kernel = conv.kernel_size[0]
                place = y + number * (tall + 3)
                d.rect(
                    x,
                    place,
                    cell,
                    tall,
                    fill="conv-soft" if kernel == 3 else "act-soft",
                    stroke="conv" if kernel == 3 else "act",
                    radius=3,
                )
                d.text(x + cell / 2, place + 13.5, f"{kernel}×{kernel}", anchor="middle", size=11.5)
            y += counts[i] * (tall + 3)
            d.rect(x, y + 2, cell, 6, fill="pool", radius=3)
            y += 15
        for layer in (m for m in _network(name).modules() if isinstance(m, nn.Linear)):
            d.rect(x, y, cell, tall, fill="dense-soft", stroke="dense", radius=3)
            d.text(x + cell / 2, y + 13.5, f"{layer.out_features:,}", anchor="middle", size=11.5)
            y += tall + 3
        millions = _anatomy(name).parameters / 1e6
        d.text(x + cell / 2, y + 20, f"{millions:.1f} million", anchor="middle", size=12)
    d.text(left - 12, y + 20, "parameters", size=12, anchor="end", fill="muted")
    return d.svg()


def _block() -> str:
    """`forward` of VGG-16 above, the third stage opened beneath."""
    net, stages = _network("vgg16"), _stages("vgg16")
    shapes = {
        layer.name: "×".join(map(str, layer.output_shape)) for layer in _anatomy("vgg16").layers
    }
    d = Drawing(
        "vgg-block",
        width=760,
        height=250,
        title="The forward pass of VGG-16, and one stage of it",
        description="Above: images pass through five stages, pool, flatten, hidden and head. "
        "Beneath, the third stage: "
        + ", ".join(type(m).__name__ for m in stages[2])
        + ". Its map has 56 by 56 places until the pooling leaves 28 by 28.",
    )
    boxes = [
        (f"stage {i + 1}", shapes[f"stages.{i}.{len(s) - 1}"], "conv") for i, s in enumerate(stages)
    ]
    boxes += [
        ("pool", f"{net.hidden[0].in_features:,} flat", "pool"),
        ("hidden", f"{net.hidden[3].out_features:,}", "dense"),
        ("head", f"{net.head.out_features:,}", "output"),
    ]
    x, wide, gap = 10.0, 82.0, 12.0
    places = []
    for index, (name, shape, kind) in enumerate(boxes):
        if index:
            d.arrow([(x - gap + 1, 56), (x - 1, 56)])
        d.box(x, 32, wide, 48, [name, shape], kind)
        places.append(x)
        x += wide + gap
    d.text(10, 18, "self.stages", size=12.5, weight=650)
    d.text(places[5], 18, "self.pool, self.hidden, self.head", size=12.5, weight=650)
    opened = list(stages[2])
    left, right = places[2], places[2] + wide
    d.line(left, 82, 10, 150, dash="2 3", stroke="muted")
    d.line(right, 82, 750, 150, dash="2 3", stroke="muted")
    d.text((left + right) / 2, 116, "stage 3", anchor="middle", size=12.5, weight=650)
    step = 756 / len(opened)
    for index, layer in enumerate(opened):
        x = 10 + index * step
        if isinstance(layer, nn.Conv2d):
            words = ["conv 3×3", f"{layer.in_channels} → {layer.out_channels}"]
            kind = "conv"
        elif isinstance(layer, nn.MaxPool2d):
            words, kind = ["max pool", "2×2"], "pool"
        else:
            words, kind = ["ReLU"], "act"
        d.box(x, 160, step - 16, 52, words, kind)
        if index:
            d.arrow([(x - 15, 186), (x - 1, 186)])
    d.text(10, 236, "56 × 56 places, padding 1 keeps them", size=12, fill="muted")
    d.text(750, 236, "28 × 28", size=12, fill="muted", anchor="end")
    return d.svg()


def _cost() -> str:
    """Where the weights are, and where the work is."""
    parts = _parts()
    totals = [sum(v[i] for v in parts.values()) for i in (0, 1)]
    d = Drawing(
        "vgg-cost",
        width=760,
        height=66 + len(parts) * 30,
        title="VGG-16: the weights are at the end, the work is in the convolutions",
        description="Two rows of bars for each part, its share of the parameters and of the MACs: "
        + "; ".join(
            f"{name} {v[0] / totals[0]:.1%} and {v[1] / totals[1]:.1%}" for name, v in parts.items()
        )
        + ".",
    )
    d.text(90, 20, "parameters", weight=700)
    d.text(430, 20, "multiply-adds (MACs)", weight=700)
    for index, (name, values) in enumerate(parts.items()):
        y = 38 + index * 30
        kind = "conv" if name.startswith("stage") else "output" if name == "fc8" else "dense"
        d.text(76, y + 14, name, anchor="end", size=12.5)
        for side, (value, total) in enumerate(zip(values, totals, strict=True)):
            share, x = value / total, 90 + side * 340
            d.rect(x, y, max(1.5, 200 * share / 0.75), 18, fill=kind, radius=2)
            unit = f"{value / 1e6:,.2f} M" if side == 0 else f"{value / 1e6:,.0f} M"
            part = f"{share:.1%}" if share > 0.0005 else f"{share:.2%}"
            d.text(x + max(1.5, 200 * share / 0.75) + 8, y + 14, f"{unit} · {part}", size=12)
    y = 38 + len(parts) * 30
    d.text(76, y + 14, "all", anchor="end", size=12.5, weight=700)
    d.text(90, y + 14, f"{totals[0] / 1e6:,.2f} M", size=12.5, weight=700)
    d.text(430, y + 14, f"{totals[1] / 1e6:,.0f} M", size=12.5, weight=700)
    return d.svg()


def _table() -> str:
    """The columns, counted."""
    errors = next(str(f.value) for f in facts("vgg") if f.name.startswith("Top-1 error at 256"))
    lines = [
        "| column | name | convolutions | parameters | MACs | sees | error, paper |",
        "| --- | --- | --: | --: | --: | --: | --: |",
    ]
    for (key, name), error in zip(NAMES.items(), errors.split(", "), strict=True):
        a = _anatomy(name)
        convs = sum(layer.kind == "Conv2d" for layer in a.layers)
        lines.append(
            f"| {key} | {name} | {convs} | {a.parameters:,} | {a.macs / 1e9:.2f} G "
            f"| {a.receptive_field}×{a.receptive_field} | {error} % |"
        )
    return "\n".join((*lines, ""))
