"""What one unit of each layer sees, for the page on receptive fields."""

import json
from dataclasses import asdict
from html import escape
from io import BytesIO

import torch
from PIL import Image
from torch import nn

from lineage_lab.anatomy.network import Field, describe
from lineage_lab.chapters.photos import middle_square, sample
from lineage_lab.data.sets import split_digits
from lineage_lab.registry import create_model, entry
from lineage_site.drawing.tables import table, table_row
from lineage_site.pages.receptive_fields.row import Row
from lineage_site.pages.receptive_fields.still import effective, still

__all__ = ["NETWORKS", "draw", "rows"]

# Name -> what the page calls it.
NETWORKS = {
    "lenet5_modern": "LeNet-5, modern (1998)",
    "alexnet": "AlexNet (2012)",
    "vgg16": "VGG-16 (2014)",
    "googlenet": "GoogLeNet (2014)",
    "resnet18": "ResNet-18 (2015)",
    "resnet34": "ResNet-34 (2015)",
    "resnet50": "ResNet-50, v1.5 (2015)",
    "resnet50_paper": "ResNet-50, the paper’s (2015)",
    "efficientnet_b0": "EfficientNet-B0 (2019)",
    "vit_b_16": "ViT-B/16 (2020)",
    "convnext_tiny": "ConvNeXt-Tiny (2022)",
}
DIGIT = 7


def draw() -> dict[str, str | bytes]:
    """The pictures, the numbers for the page's script, and the table for a page without one."""
    found = {name: rows(name) for name in NETWORKS}
    networks = [
        {
            "name": name,
            "title": title,
            "side": entry(name).input_size[-1],
            "picture": "digit.png" if entry(name).input_size[0] == 1 else "cat.jpg",
            "layers": [asdict(row) for row in found[name]],
        }
        for name, title in NETWORKS.items()
    ]
    cat = middle_square(sample("chelsea.png", package="skimage"))
    cat = cat.resize((224, 224), Image.Resampling.BICUBIC)
    return {
        "data/fields.json": json.dumps(networks, separators=(",", ":"), ensure_ascii=False),
        "data/cat.jpg": _file(cat, "JPEG", quality=88),
        "data/digit.png": _file(_digit(), "PNG"),
        "still.svg": still(cat, found["vgg16"]),
        "effective.svg": effective(cat),
        "layers.md": "".join(_table(name, found[name]) for name in NETWORKS),
    }


def rows(name: str) -> tuple[Row, ...]:
    """The layers of a network that move a window, or that look at all places."""
    with torch.device("meta"):
        model = create_model(name)
    modules = dict(model.named_modules())
    found: list[Row] = []
    own = Field()  # of the last map that has places: a token's patch
    for layer in describe(model, entry(name).input_size).layers:
        module = modules.get(layer.name)
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)) and layer.field:
            own, units = layer.field, layer.output_shape[-1]
            found.append(
                Row(layer.name, _words(module), units, own.size, own.left, own.stride, own.whole)
            )
        elif layer.kind == "Attention":
            found.append(
                Row(
                    layer.name,
                    "attention over all patches",
                    found[0].units,
                    None,
                    own.left,
                    own.stride,
                    True,
                    own.size,
                )
            )
    return tuple(found)


def _words(module: nn.Conv2d | nn.MaxPool2d) -> str:
    def one(given: int | tuple[int, ...] | str) -> int:
        return given if isinstance(given, int) else int(given[0])

    kernel, stride = one(module.kernel_size), one(module.stride)
    kind = "max pooling"
    if isinstance(module, nn.Conv2d):
        alone = module.groups == module.in_channels > 1
        kind = "depthwise convolution" if alone else "convolution"
    return f"{kernel}×{kernel} {kind}" + (f", stride {stride}" if stride > 1 else "")


def _digit() -> Image.Image:
    _, (images, labels) = split_digits(0)
    return Image.fromarray(images[labels == DIGIT][0, 0].numpy())


def _file(image: Image.Image, form: str, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, form, optimize=True, **options)
    return file.getvalue()


def _table(name: str, layers: tuple[Row, ...]) -> str:
    """A network's layers, folded, for those who read and those without scripts."""
    head = ("Layer", "What it is", "Units", "Sees, px", "Step, px", "The first begins at")
    right = (2, 3, 4, 5)
    lines = []
    for row in layers:
        sees = "the whole picture" if row.size is None else str(row.size)
        sees += "; its gates: all" if row.whole and row.size else ""
        left = str(row.left).replace("-", "−")
        cells = (
            f"<code>{escape(row.name)}</code>",
            row.what,
            f"{row.units}×{row.units}",
            sees,
            str(row.stride),
            left,
        )
        lines.append(table_row(tuple((cell, cell) for cell in cells), {}, right))
    title = f"{NETWORKS[name]}: {len(layers)} layers"
    return (
        f'<details class="ll-more" data-search-exclude data-network="{name}">'
        f"<summary>{title}</summary>\n"
        + table(f"ll-{name}", f"Layers of {NETWORKS[name]}", head, lines, right).rstrip()
        + "\n</details>\n"
    )
