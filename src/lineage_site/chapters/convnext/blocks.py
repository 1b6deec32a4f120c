"""The three blocks of the ConvNeXt chapter side by side, drawn from the package's own blocks."""

import torch
from torch import nn

from lineage_lab.anatomy.network import Layer, describe
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.convnext import ConvNeXtBlock
from lineage_lab.models.resnet import Bottleneck, ResNetConfig
from lineage_lab.models.vit import EncoderBlock, ViTConfig

__all__ = ["blocks"]

CENTRES = (126.0, 380.0, 634.0)
TOP = 66.0
GAP = 13.0


def blocks() -> str:
    """ResNet's bottleneck, a transformer's block and ConvNeXt's: wide boxes have many channels."""
    # The places of the images are counted out of the batch: a token is a pixel's vector.
    transformer = ViTConfig(patch=4, layers=1, dim=96, mlp_dim=384, heads=3)
    with torch.device("meta"):
        found: tuple[tuple[str, nn.Module, tuple[int, ...]], ...] = (
            ("ResNet’s bottleneck", _bottleneck(), (256, 56, 56)),
            ("a transformer’s block", EncoderBlock(transformer), (49, 96)),
            ("ConvNeXt’s block", ConvNeXtBlock(96, drop=0.1), (96, 56, 56)),
        )
        columns = [(words, _steps(describe(block, size))) for words, block, size in found]
    d = Drawing(
        "convnext-blocks",
        width=760,
        height=428,
        title="Three blocks",
        description=" ".join(
            f"{words}: "
            + ", ".join(f"{w[0]} ({c} channels)" if c else w[0] for w, _, c in steps)
            + "."
            for words, steps in columns
        ),
    )
    for centre, (words, steps) in zip(CENTRES, columns, strict=True):
        _column(d, centre, words, steps)
    return d.svg()


Step = tuple[tuple[str, ...], str, int]  # words, kind, channels


def _bottleneck() -> nn.Module:
    config = ResNetConfig(blocks=(1, 1, 1, 1), bottleneck=True)
    return Bottleneck(256, 64, stride=1, config=config)


def _steps(anatomy: object) -> list[Step]:
    """The layers of a block in the order in which they run, with the sums between them."""
    layers: tuple[Layer, ...] = anatomy.layers  # type: ignore[attr-defined]
    steps: list[Step] = []
    for layer in layers:
        tokens = layer.kind in ("LayerNorm", "Linear", "GELU", "Attention")
        channels = layer.output_shape[-1] if tokens else layer.output_shape[0]
        leaf = layer.name.rpartition(".")[2]
        if layer.kind == "Conv2d":
            side = 7 if leaf == "depthwise" else 3 if "filter" in layer.name else 1
            name = f"{side}×{side}" + (" depthwise" if side == 7 else "")
            steps.append(((f"{name}, {channels}",), "conv" if side > 1 else "dense", channels))
        elif layer.kind == "Linear" and layer.name != "attention.project":
            words = "1×1" if leaf in ("expand", "project") else "linear"
            steps.append(((f"{words}, {channels}",), "dense", channels))
        elif layer.kind == "Attention":
            steps.append(((f"attention, {channels}",), "output", channels))
            steps.append((("+ input",), "ink", 0))
        elif layer.kind == "BatchNorm2d":
            steps.append((("batch norm",), "norm", 0))
        elif layer.kind == "LayerNorm":
            steps.append((("layer norm",), "norm", 0))
        elif layer.kind in ("ReLU", "GELU"):
            steps.append(((layer.kind,), "act", 0))
        elif layer.kind == "ConvNeXtBlock":
            steps.append((("× scale",), "norm", 0))
            steps.append((("drop path",), "pool", 0))
            steps.append((("+ input",), "ink", 0))
    if layers[-1].name == "mlp.2":
        steps.append((("+ input",), "ink", 0))
    elif steps[-1][0] == ("ReLU",):
        steps.insert(len(steps) - 1, (("+ input",), "ink", 0))
    return steps


def _column(d: Drawing, centre: float, words: str, steps: list[Step]) -> None:
    d.text(centre, 20, words, anchor="middle", weight=650)
    y = TOP - 26
    d.line(centre, y, centre, y + GAP, stroke="muted")
    d.circle(centre, y, 3, fill="ink")
    tap = y + 5
    for (text, *_), kind, channels in steps:
        y += GAP
        if kind == "ink":  # the sum, and the way past the block that leads to it
            side = centre + 116
            d.arrow([(centre, tap), (side, tap), (side, y + 10), (centre + 12, y + 10)])
            d.circle(centre, y + 10, 10, fill="paper", stroke="ink")
            d.text(centre, y + 14.5, "+", anchor="middle", weight=700)
            height = 20.0
            tap = y + height + 5
        else:
            height = 32.0 if channels else 20.0
            width = 118 + 0.25 * channels if channels else 92.0
            d.rect(centre - width / 2, y, width, height, fill=f"{kind}-soft", stroke=kind, radius=3)
            d.text(
                centre,
                y + height / 2 + 4.5,
                text,
                anchor="middle",
                size=12.5,
                weight=650 if channels else 400,
            )
        y += height
        d.line(centre, y, centre, y + GAP, stroke="muted")
