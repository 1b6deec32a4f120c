"""The ConvNeXt chapter's charts: fields over a photograph, and the recorded experiments."""

from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

from PIL import Image
from sklearn.datasets import load_sample_image

from lineage_lab.anatomy import Anatomy
from lineage_lab.figures.charts import COLOURS, Axes, polyline
from lineage_lab.figures.convnext_runs import recorded
from lineage_lab.figures.style import Drawing

__all__ = ["batches", "fields", "kernels", "rates", "scales"]


def _results(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = recorded().get("results", {}).get(name, {})
    return found


def fields(steps: Mapping[str, Anatomy]) -> str:
    """What one unit at the end of the first two stages sees of a photograph."""
    photo = Image.fromarray(load_sample_image("china.jpg")).crop((20, 20, 420, 420))
    photo = photo.resize((224, 224))
    titles = {"move_up": "windows of 3×3", "kernel_5": "5×5", "kernel_7": "7×7"}
    seen = {
        key: [
            max(
                layer.receptive_field or 0
                for layer in anatomy.layers
                if layer.name.startswith(f"stages.{stage}.")
            )
            for stage in range(4)
        ]
        for key, anatomy in steps.items()
    }
    d = Drawing(
        "convnext-fields",
        width=760,
        height=322,
        title="What one unit sees, with three sizes of the window",
        description="The same photograph of 224 by 224 pixels three times, with the squares that "
        "one unit in its middle sees at the end of the first and of the second stage. "
        + "; ".join(
            f"{titles[key]}: {', '.join(map(str, sizes))} pixels after the four stages"
            for key, sizes in seen.items()
        )
        + ".",
    )
    for index, (key, sizes) in enumerate(seen.items()):
        x, y = 18.0 + 250 * index, 30.0
        d.text(x + 112, 19, titles[key], anchor="middle", weight=650)
        d.photo(x, y, 224, photo)
        for size, kind in zip(sizes[:2], ("pool", "conv"), strict=True):
            corner = 112 - size / 2
            d.rect(x + corner, y + corner, size, size, stroke="paper", stroke_width=5)
            d.rect(x + corner, y + corner, size, size, stroke=kind, stroke_width=2.6)
        d.text(x, 274, f"stage 1: {sizes[0]}", size=12, weight=650, fill="pool")
        d.text(x + 112, 274, f"stage 2: {sizes[1]}", size=12, weight=650, fill="conv")
        d.text(x, 292, f"stage 3: {sizes[2]}", size=12, fill="muted")
        d.text(x + 112, 292, f"stage 4: {sizes[3]}", size=12, fill="muted")
    d.text(18, 314, "pixels; the photograph has 224", size=11.5, fill="muted")
    return d.svg()


def kernels() -> str:
    """Accuracy on digits against the side of the windows, each seed a point."""
    rows = _results("kernels")
    d = Drawing(
        "convnext-kernels",
        width=560,
        height=300,
        title="Accuracy against the size of the window",
        description="A small ConvNeXt on digits, five seeds each: "
        + "; ".join(
            f"{k}×{k} {100 * row['mean']:.1f} ± {100 * row['deviation']:.1f} %"
            for k, row in rows.items()
        )
        + ".",
    )
    axes = Axes(d, (64, 40, 540, 246), (0, 12), (40, 90), ("side of the window", "accuracy, %"))
    line = [(axes.x(int(k)), axes.y(100 * row["mean"])) for k, row in rows.items()]
    polyline(d, line, 0)
    for k, row in rows.items():
        for accuracy in row["accuracies"]:
            d.circle(axes.x(int(k)), axes.y(100 * accuracy), 3, fill="conv-soft", stroke="conv")
        d.text(axes.x(int(k)) + 8, axes.y(100 * row["mean"]) + 18, f"{100 * row['mean']:.1f}",
               size=11.5)  # fmt: skip
    return d.svg()


def rates() -> str:
    """Three networks, two optimizers, four rates each."""
    names = ("batch norm", "layer norm", "ConvNeXt")
    titles = ("batch norm", "layer norm", "layer norm and layer scale")
    d = Drawing(
        "convnext-rates",
        width=760,
        height=300,
        title="Accuracy against the learning rate",
        description="Three small networks, each trained with SGD and with AdamW, mean of five "
        "seeds. "
        + " ".join(
            f"{title}: "
            + ", ".join(
                f"{row} {100 * found['mean']:.0f} %"
                for row, found in _results(f"rates, {name}").items()
            )
            + "."
            for name, title in zip(names, titles, strict=True)
        ),
    )
    for index, (name, title) in enumerate(zip(names, titles, strict=True)):
        left = 52.0 + 244 * index
        words = ("learning rate", "accuracy, %" if index == 0 else "")
        axes = Axes(d, (left, 52, left + 196, 244), (0.0007, 0.45), (0, 100), words,
                    logarithmic=True)  # fmt: skip
        d.text(left + 98, 18, title, anchor="middle", weight=650)
        for series, optimizer in enumerate(("SGD", "AdamW")):
            points = [
                (axes.x(float(row.split(", ")[1])), axes.y(100 * found["mean"]),
                 100 * found["deviation"])
                for row, found in _results(f"rates, {name}").items()
                if row.startswith(optimizer)
            ]  # fmt: skip
            polyline(d, [(x, y) for x, y, _ in points], series)
            for x, y, deviation in points:
                reach = deviation * (244 - 52) / 100
                d.line(x, max(52, y - reach), x, min(244, y + reach), stroke=COLOURS[series])
                d.circle(x, y, 3.4, fill=COLOURS[series])
    for series, (optimizer, x) in enumerate((("SGD, momentum 0.9", 470.0), ("AdamW", 640.0))):
        d.circle(x, 292, 4, fill=COLOURS[series])
        d.text(x + 9, 296, optimizer, size=12)
    return d.svg()


def batches() -> str:
    """Batch norm and layer norm at small batches."""
    rows = _results("batches")
    d = Drawing(
        "convnext-batches",
        width=560,
        height=300,
        title="Accuracy against the size of the batch",
        description="One pass over the digits, five seeds each: "
        + "; ".join(
            f"{row} images: {100 * found['mean']:.1f} ± {100 * found['deviation']:.1f} %"
            for row, found in rows.items()
        )
        + ".",
    )
    axes = Axes(d, (64, 40, 540, 246), (1.5, 45), (60, 100), ("images in a batch", "accuracy, %"),
                logarithmic=True)  # fmt: skip
    for series, name in enumerate(("layer norm", "batch norm")):
        points = [
            (axes.x(int(row.split(", ")[1])), axes.y(100 * found["mean"]), found)
            for row, found in rows.items()
            if row.startswith(name)
        ]
        polyline(d, [(x, y) for x, y, _ in points], series)
        for x, y, found in points:
            d.circle(x, y, 4, fill=COLOURS[series])
            for accuracy in found["accuracies"]:
                d.circle(x, axes.y(100 * accuracy), 2.4, fill=COLOURS[series])
        d.text(300, 180 + 20 * series, name, size=12, fill=COLOURS[series], weight=650)
    return d.svg()


def scales() -> str:
    """How large the layer scales of the small ConvNeXt become."""
    lines = [
        "| optimizer | rate | mean size of the layer scale | accuracy | with its blocks asleep |",
        "| --- | --: | --: | --: | --: |",
    ]
    for row, found in _results("rates, ConvNeXt").items():
        optimizer, rate = row.split(", ")
        lost = found.get("layer_scale") == "nan"
        scale = "lost: not a number" if lost else found["layer_scale"]
        lines.append(
            f"| {optimizer} | {rate} | {scale} "
            f"| {100 * found['mean']:.1f} ± {100 * found['deviation']:.1f} % "
            f"| {100 * mean(found['asleep']):.1f} ± {100 * stdev(found['asleep']):.1f} % |"
        )
    return "\n".join((*lines, ""))
