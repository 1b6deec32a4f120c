"""A block's shapes and costs, expression by expression, for the page on the anatomy of blocks."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from html import escape
from inspect import getsourcefile, getsourcelines, unwrap
from pathlib import Path
from typing import Any

import torch
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES
from torch import Tensor, nn

import lineage_lab
from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models import alexnet, vgg
from lineage_lab.registry import create_model, entry
from lineage_site.drawing.tables import table, table_row
from lineage_site.pages.block_anatomy.steps import Step, made, source, walk

__all__ = ["BLOCKS", "QUANTITIES", "Block", "Measured", "colour", "draw", "measured"]

PACKAGE = Path(lineage_lab.__file__).parent
QUANTITIES = ("parameters", "macs", "activations")
HEADS = {"parameters": "Parameters", "macs": "MACs", "activations": "Activations"}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a network.

    Attributes:
        title: What the page calls it.
        network: The network that it is taken from.
        path: Its place there; empty for the whole network.
        built_by: The function that makes it, where it has no forward of its own.
    """

    title: str
    network: str
    path: str
    built_by: Callable[..., Any] | None = None


BLOCKS = (
    Block("LeNet-5, modern: the whole network", "lenet5_modern", ""),
    Block("AlexNet: a layer with its normalisation", "alexnet_paper", "stages.0",
          alexnet.conv_layer),
    Block("VGG-16: the third stage", "vgg16", "stages.2", vgg.stage),
    Block("GoogLeNet, the paper’s: inception 3a", "googlenet_paper", "inception.3a"),
    Block("GoogLeNet, torchvision’s: inception 3a", "googlenet", "inception.3a"),
    Block("ResNet-50: a bottleneck that halves the map", "resnet50", "stages.1.0"),
    Block("EfficientNet-B0: an MBConv block", "efficientnet_b0", "stages.2.1"),
    Block("EfficientNet-B0: its squeeze-and-excitation", "efficientnet_b0",
          "stages.2.1.squeeze_excitation"),
    Block("ViT-B/16: an encoder block", "vit_b_16", "blocks.0"),
    Block("ViT-B/16: its attention", "vit_b_16", "blocks.0.attention"),
    Block("ConvNeXt-Tiny: a block", "convnext_tiny", "stages.1.block_0"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """A block that was run.

    Attributes:
        block: Which.
        shown: The function whose source is shown.
        inputs: Shape of what it takes in its network, the batch of one included.
        steps: What ran, in order.
        anatomy: What `describe` says of the whole block.
    """

    block: Block
    shown: Callable[..., Any]
    inputs: tuple[int, ...]
    steps: list[Step]
    anatomy: Anatomy


def draw() -> dict[str, str | bytes]:
    """The steps for the page's script, as tables for a page without one, and the summary."""
    found = [measured(block) for block in BLOCKS]
    told = json.dumps([_told(m) for m in found], separators=(",", ":"), ensure_ascii=False)
    return {
        "data/blocks.json": told,
        "steps.md": "".join(_table(m) for m in found),
        "shares.svg": _shares(found),
    }


def measured(block: Block) -> Measured:
    """Run a block as its network does, and measure it."""
    with torch.device("meta"):
        if block.built_by:
            model, places = made(lambda: create_model(block.network), block.built_by)
        else:
            model, places = create_model(block.network), None
    part = model.get_submodule(block.path)
    inputs = _inputs(model, part, (1, *entry(block.network).input_size))
    shown = block.built_by or type(part).forward
    steps = walk(part, inputs, shown=shown, places=places)
    return Measured(block, shown, inputs, steps, describe(part, inputs[1:]))


def _inputs(model: nn.Module, part: nn.Module, images: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of what a part of a network is given."""
    shapes: list[tuple[int, ...]] = []

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        shapes.append(tuple(given[0].shape))

    with part.register_forward_pre_hook(note), torch.no_grad():
        model.eval()(torch.empty(images, device="meta"))
    return shapes[0]


# The classes of the summary, by their colours in the style sheet.
CLASSES = {
    "conv": "k×k convolution",
    "pool": "depthwise convolution",
    "dense": "1×1 convolution, linear layer",
    "output": "token by token",
    "norm": "norm",
    "act": "the rest",
}


def colour(kind: str) -> str:
    """The class of a kind of operation, named by its colour in the style sheet."""
    if kind.endswith("convolution"):
        names = {"1×1": "dense"}
        return "pool" if "depthwise" in kind else names.get(kind.split()[0], "conv")
    ends = {"linear layer": "dense", "matrix product": "output", "norm": "norm"}
    return next((name for end, name in ends.items() if kind.endswith(end)), "act")


def _told(m: Measured) -> dict[str, Any]:
    lines, _ = source(m.shown)
    plain = unwrap(m.shown)
    file = Path(getsourcefile(plain) or "").relative_to(PACKAGE)
    return {
        "title": m.block.title,
        "network": m.block.network,
        "path": m.block.path,
        "built": m.block.built_by is not None,
        "inputs": m.inputs,
        "file": file.as_posix(),
        "line": getsourcelines(plain)[1],
        "function": plain.__qualname__,
        "lines": _tokens(lines),
        "steps": [
            {
                "line": step.place[0],
                "columns": step.place[1:],
                "module": step.module,
                "shape": step.shape,
                "parts": [{**asdict(part), "colour": colour(part.kind)} for part in step.parts],
            }
            for step in m.steps
        ],
        "total": {quantity: getattr(m.anatomy, quantity) for quantity in QUANTITIES},
    }


def _tokens(lines: list[str]) -> list[list[tuple[str, str]]]:
    """Each line's words with their class in the site's style sheet."""
    found: list[list[tuple[str, str]]] = [[]]
    for token, text in PythonLexer(stripnl=False).get_tokens("\n".join(lines)):
        name = STANDARD_TYPES.get(token, "")
        for number, piece in enumerate(text.split("\n")):
            if number:
                found.append([])
            if piece:
                found[-1].append((name, piece))
    return found[: len(lines)]


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def expression(m: Measured, step: Step) -> str:
    """The code of a step."""
    line, first, last = step.place
    return source(m.shown)[0][line][first:last]


def _table(m: Measured) -> str:
    """A block's steps, folded, for those who read and those without scripts."""
    head = ("Code", "What runs", "Gives", *HEADS.values())
    right = (3, 4, 5)
    lines = []
    for step in m.steps:
        name = f"<small>{escape(step.module)}</small>" if step.module else ""
        code = f"<code>{escape(expression(m, step))}</code>{name}"
        kinds = ", ".join(part.kind for part in step.parts)
        costs = (f"{step.total(quantity):,}" for quantity in QUANTITIES)
        cells = (code, kinds, _shape(step.shape), *costs)
        lines.append(table_row(tuple((cell, cell) for cell in cells), {}, right))
    total = ("the block", "", "", *(f"{getattr(m.anatomy, q):,}" for q in QUANTITIES))
    lines.append(table_row(tuple((cell, cell) for cell in total), {}, right))
    place = f"{m.block.network}, {m.block.path or 'whole'}; takes {_shape(m.inputs)}"
    key = f"{m.block.network}/{m.block.path}"
    return (
        f'<details class="ll-more" data-search-exclude data-block="{key}">'
        f"<summary>{m.block.title}: {len(m.steps)} steps</summary>\n"
        + table(f"ll-{key}".replace("/", "-"), place, head, lines, right).rstrip()
        + "\n</details>\n"
    )


WIDTH, ROW, BAR = 664, 48, 132.0  # of the summary


def _shares(found: list[Measured]) -> str:
    """A row for each block: how its parameters, MACs and activations part among the classes."""
    told = []
    for m in found:
        shares = {name: costs["macs"] / m.anatomy.macs for name, costs in by_class(m).items()}
        top = max(shares, key=lambda name: shares[name])
        told.append(f"{m.block.title}, {shares[top]:.0%} of the MACs: {CLASSES[top]}")
    d = Drawing(
        "anatomy-shares",
        width=WIDTH,
        height=ROW * len(found) + 62,
        title="Where the parameters, the MACs and the activations of eleven blocks are",
        description="Three bars a block, each cut by kind of operation. " + "; ".join(told) + ".",
    )
    starts = [238 + i * (BAR + 14) for i in range(3)]
    for x, words in zip(starts, HEADS.values(), strict=True):
        d.text(x, 14, words, weight=650)
    for number, m in enumerate(found):
        y = 26 + number * ROW
        name, _, rest = m.block.title.partition(": ")
        d.text(2, y + 14, name, weight=650)
        d.text(2, y + 30, rest, fill="muted", size=12)
        for x, quantity in zip(starts, QUANTITIES, strict=True):
            total = getattr(m.anatomy, quantity)
            at = x
            for key, costs in by_class(m).items():
                width = BAR * costs[quantity] / total
                if width > 0.3:
                    d.rect(at, y + 3, width, 17, fill=f"{key}-soft", stroke=key)
                if width > 28:
                    share = f"{costs[quantity] / total:.0%}"
                    d.text(at + width / 2, y + 15.5, share, size=11, anchor="middle")
                at += width
            d.text(x, y + 34, _short(total), size=11.5, fill="muted")
    x, y = 2.0, 26 + ROW * len(found) + 16
    for key, words in CLASSES.items():
        d.rect(x, y, 13, 12, fill=f"{key}-soft", stroke=key)
        d.text(x + 18, y + 10.5, words, size=12)
        x += 34 + 6.1 * len(words)
    return d.svg()


def by_class(m: Measured) -> dict[str, dict[str, int]]:
    """What a block's operations of each class cost together."""
    found = {key: dict.fromkeys(QUANTITIES, 0) for key in CLASSES}
    for step in m.steps:
        for part in step.parts:
            for quantity in QUANTITIES:
                found[colour(part.kind)][quantity] += getattr(part, quantity)
    return found


def _short(number: int) -> str:
    """Three digits and a unit."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            value = number / size
            return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f} {unit}"
    return str(number)
