"""The ResNet chapter's figures and tables: the network and its blocks, drawn from the modules."""

from math import sqrt

from torch import nn

from lineage_lab.anatomy.network import Anatomy, Layer, describe
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.resnet import (
    IMAGENET,
    BasicBlock,
    Bottleneck,
    ResNet,
    cifar,
    paper,
    plain,
)
from lineage_site.chapters.resnet import charts as resnet_charts
from lineage_site.chapters.resnet import idea as resnet_idea
from lineage_site.chapters.resnet.facts import CIFAR_ERRORS, ERRORS
from lineage_site.chapters.resnet.idea import net
from lineage_site.drawing.chapter import fact_table, quiz
from lineage_site.facts.printed import PRINTED

__all__ = ["draw"]


def draw() -> dict[str, str]:
    """All of the chapter's figures; nothing is trained, the trainings' results are read."""
    return {
        "architecture.svg": _architecture(),
        "block.svg": _block(),
        **resnet_idea.draw(),
        **resnet_charts.draw(),
        "facts.md": fact_table("resnet"),
        "quiz.md": quiz("resnet"),
        "table1.md": _table_1(),
        "cifar.md": _cifar(),
    }


def _within(anatomy: Anatomy, name: str) -> list[Layer]:
    return [layer for layer in anatomy.layers if layer.name.startswith(name)]


def _architecture() -> str:
    """ResNet-50: a box a block, as high as its map, as wide as the root of its channels."""
    config = paper(50)
    model, anatomy = ResNet(config=config), net(config)
    stages = [_within(anatomy, f"stages.{index}.") for index in range(4)]
    shapes = [layers[-1].output_shape for layers in stages]
    d = Drawing(
        "resnet-architecture",
        width=760,
        height=232,
        title="ResNet-50, block by block",
        description="A stem with a 7 by 7 convolution and a pooling, then four stages of blocks: "
        + "; ".join(
            f"{count} blocks giving {'×'.join(map(str, shape))}"
            for count, shape in zip(config.blocks, shapes, strict=True)
        )
        + ". A shortcut leads around each block; the four that change the shape, dashed, are "
        "projections. Then global average pooling and one linear layer of 1,000 outputs.",
    )
    middle, x = 104.0, 20.0

    def sheet(kind: str, side: int, channels: int) -> float:
        nonlocal x
        wide, high = 1 + 0.5 * sqrt(channels), 10 + 0.72 * side
        d.rect(x, middle - high / 2, wide, high, fill=f"{kind}-soft", stroke=kind, radius=1.5)
        x += wide
        return middle - high / 2

    stem = _within(anatomy, "stem")
    for layer, words in ((stem[0], "7×7"), (stem[-1], "3×3 max")):
        start = x
        kind = "conv" if layer.kind == "Conv2d" else "pool"
        top = sheet(kind, layer.output_shape[-1], layer.output_shape[0])
        d.text((start + x) / 2, top - 8, words, anchor="middle", size=11.5, fill=kind)
        d.line(x, middle, x + 38, middle, stroke="muted")
        x += 38
    for index, layers in enumerate(stages):
        first, blocks = x, list(model.stages[index].children())
        side, channels = shapes[index][-1], shapes[index][0]
        for number, block in enumerate(blocks):
            projected = not isinstance(block.shortcut, nn.Identity)
            left = x - 8
            top = sheet("conv", side, channels)
            d.arrow(
                [(left, middle), (left, top - 13), (x + 9, top - 13), (x + 9, middle - 2)],
                stroke="output",
                dash="4 3" if projected else "",
            )
            d.line(x, middle, x + 17, middle, stroke="muted")
            x += 17 if number < len(blocks) - 1 else 29
        centre = (first + x - 29) / 2
        d.line(x - 12, middle, x, middle, stroke="muted")
        d.text(centre, 174, f"stage {index + 1}", anchor="middle", weight=700, fill="conv")
        d.text(
            centre, 191, f"{channels:,} @ {side}×{side}", anchor="middle", size=11.5, fill="muted"
        )
        weights = sum(layer.parameters for layer in layers) / 1e6
        d.text(centre, 208, f"{len(blocks)} blocks", anchor="middle", size=11.5)
        d.text(centre, 225, f"{weights:.1f} M weights", anchor="middle", size=11.5)
    d.rect(x, middle - 5, 24, 10, fill="pool-soft", stroke="pool", radius=1.5)
    d.text(x + 12, middle - 14, "mean", anchor="middle", size=11.5, fill="pool")
    d.line(x + 24, middle, x + 40, middle, stroke="muted")
    d.rect(x + 40, middle - 38, 14, 76, fill="output-soft", stroke="output", radius=1.5)
    d.text(x + 47, middle - 46, "1,000", anchor="middle", size=11.5, fill="output")
    d.text(44, 174, "stem", anchor="middle", weight=700, fill="conv")
    d.text(44, 191, "64 @ 56×56", anchor="middle", size=11.5, fill="muted")
    return d.svg()


def _block() -> str:
    """Plain, basic and bottleneck, their attributes' names beside, in the order of `forward`."""
    config = IMAGENET[34]
    blocks = (
        ("plain", BasicBlock(64, 64, stride=1, config=plain(config)), ("first", "second")),
        ("basic", BasicBlock(64, 64, stride=1, config=config), ("first", "second")),
        (
            "bottleneck",
            Bottleneck(256, 64, stride=1, config=paper(50)),
            ("reduce", "filter", "expand"),
        ),
    )
    counts = {name: sum(p.numel() for p in block.parameters()) for name, block, _ in blocks}
    d = Drawing(
        "resnet-block",
        width=760,
        height=486,
        title="A plain block, a basic block and a bottleneck",
        description="Three columns from top to bottom. Plain: two 3 by 3 convolutions with batch "
        "norm, a ReLU after each. Basic: the same, and the block's input is added before the "
        "last ReLU. Bottleneck: a 1 by 1 convolution from 256 to 64 channels, a 3 by 3 on 64, a "
        "1 by 1 back to 256, and the input added. Weights: "
        + ", ".join(f"{name} {count:,}" for name, count in counts.items())
        + ".",
    )
    for column, (name, block, parts) in enumerate(blocks):
        x, wide = 36 + 252 * column, 130
        centre, y = x + wide / 2, 62.0
        d.text(centre, 20, name, anchor="middle", weight=700, size=14)
        inputs = getattr(block, parts[0])[0].in_channels
        d.text(centre + 8, 50, f"x: {inputs} channels", size=11.5, fill="muted")
        d.line(centre, 32, centre, y, stroke="muted")
        for index, part in enumerate(parts):
            conv = getattr(block, part)[0]
            k = conv.kernel_size[0]
            shape = f"{k}×{k}, {conv.in_channels} → {conv.out_channels}"
            d.box(x, y, wide, 46, (shape, "batch norm"), "conv")
            d.text(x + wide + 8, y + 27, part, size=12, fill="conv")
            y += 46
            if index < len(parts) - 1:
                d.arrow([(centre, y), (centre, y + 18)])
                d.box(x + 30, y + 18, wide - 60, 26, ("ReLU",), "act")
                d.text(x + wide + 8, y + 35, "relu", size=12, fill="act")
                d.arrow([(centre, y + 44), (centre, y + 62)])
                y += 62
        if name == "plain":
            d.arrow([(centre, y), (centre, y + 66)])
        else:
            plus = y + 32
            d.arrow([(centre, y), (centre, plus - 11)])
            d.arrow(
                [(centre, 38), (x - 20, 38), (x - 20, plus), (centre - 11, plus)],
                stroke="output",
                stroke_width=2,
            )
            d.circle(centre, plus, 11, fill="output-soft", stroke="output")
            d.line(centre - 6, plus, centre + 6, plus, stroke="output", stroke_width=2)
            d.line(centre, plus - 6, centre, plus + 6, stroke="output", stroke_width=2)
            d.text(x + wide + 8, plus + 4, "+= shortcut", size=12, fill="output")
            d.arrow([(centre, plus + 11), (centre, y + 66)])
        y += 66
        d.box(x + 30, y, wide - 60, 26, ("ReLU",), "act")
        d.text(x + wide + 8, y + 17, "relu", size=12, fill="act")
        d.arrow([(centre, y + 26), (centre, y + 48)])
        d.text(centre, 478, f"{counts[name]:,} weights", anchor="middle", size=12.5)
    return d.svg()


def _printed(model: str, quantity: str) -> str:
    return next(p.value for p in PRINTED if p.model == model and p.quantity == quantity)


def _table_1() -> str:
    """Table 1 with what it leaves out: weights, MACs as they are, the field."""
    lines = [
        "| layers | blocks | kind | weights | 10⁹ MACs | printed | sees | top-1 error |",
        "| --: | --- | --- | --: | --: | --: | --: | --: |",
    ]
    for layers in IMAGENET:
        config = paper(layers)
        anatomy = net(config)
        name = f"resnet{layers}_paper" if config.bottleneck else f"resnet{layers}"
        cells = (
            str(layers),
            ",\u00a0".join(map(str, config.blocks)),
            "bottleneck" if config.bottleneck else "basic",
            f"{anatomy.parameters:,}",
            f"{anatomy.macs / 1e9:.2f}",
            _printed(name, "macs"),
            f"{anatomy.receptive_field:,}",
            f"{ERRORS[layers]} %",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join((*lines, ""))


def _cifar() -> str:
    """Table 6: what is printed beside what is built."""
    lines = [
        "| layers | blocks a stage | weights | printed | 10⁶ MACs | sees | test error (paper) |",
        "| --: | --: | --: | --: | --: | --: | --: |",
    ]
    few, more = (
        describe(ResNet(num_classes=10, config=cifar(6 * n + 2)), (3, 32, 32)) for n in (3, 4)
    )
    sees = [(few.receptive_field or 0), (more.receptive_field or 0)]
    for layers, error in CIFAR_ERRORS.items():
        n = (layers - 2) // 6  # each further block a stage adds the same
        weights = few.parameters + (n - 3) * (more.parameters - few.parameters)
        macs = few.macs + (n - 3) * (more.macs - few.macs)
        lines.append(
            f"| {layers:,} | {n} | {weights:,} | {_printed(f'resnet{layers}_cifar', 'parameters')} "
            f"M | {macs / 1e6:,.0f} | {sees[0] + (n - 3) * (sees[1] - sees[0]):,} | {error} % |"
        )
    return "\n".join((*lines, ""))
