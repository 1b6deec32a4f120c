"""The ConvNeXt chapter's charts: fields over a photograph, and the recorded experiments."""

from collections.abc import Mapping
from itertools import pairwise
from math import log10
from statistics import mean, stdev
from typing import Any

from lineage_lab.anatomy.network import Anatomy
from lineage_lab.chapters.photos import sample
from lineage_lab.comparing.axes import COLOURS, Axes, Box, polyline
from lineage_lab.comparing.svg import Drawing
from lineage_site.drawing.records import read_or_empty

__all__ = ["fields", "kernels", "rates", "scales"]


def _results(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_or_empty("convnext").get("results", {}).get(name, {})
    return found


def fields(steps: Mapping[str, Anatomy]) -> str:
    """What one unit at the end of the first two stages sees of a photograph."""
    photo = sample("china.jpg").crop((20, 20, 420, 420))
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
        d.text(
            axes.x(int(k)) + 8,
            axes.y(100 * row["mean"]) + 18,
            f"{100 * row['mean']:.1f}",
            size=11.5,
        )
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
        frame = (52.0 + 244 * index, 52.0, 248.0 + 244 * index, 244.0)
        _rate_axes(d, frame)
        d.text(frame[0] + 98, 18, title, anchor="middle", weight=650)
        for series, optimizer in enumerate(("SGD", "AdamW")):
            points = sorted(
                (
                    _rate_x(float(row.split(", ")[1]), frame),
                    244 - 192 * found["mean"],
                    192 * found["deviation"],
                )
                for row, found in _results(f"rates, {name}").items()
                if row.startswith(optimizer)
            )
            polyline(d, [(x, y) for x, y, _ in points], series)
            for x, y, reach in points:
                d.line(x, max(52, y - reach), x, min(244, y + reach), stroke=COLOURS[series])
                d.circle(x, y, 3.4, fill=COLOURS[series])
            rows = read_or_empty("convnext-warmup").get("runs", {})
            broken = sorted(
                (_rate_x(float(row.rpartition(", ")[2]), frame), 244 - 192 * found["mean"])
                for row, found in rows.items()
                if row.startswith(f"{name}, {optimizer},")
            )
            for (x1, y1), (x2, y2) in pairwise(broken):
                d.line(x1, y1, x2, y2, stroke=COLOURS[series], stroke_width=1.4, dash="2 4")
            for x, y in broken:
                d.circle(x, y, 3.4, fill="paper", stroke=COLOURS[series])
    for series, (optimizer, x) in enumerate((("SGD, momentum 0.9", 56.0), ("AdamW", 226.0))):
        d.circle(x, 292, 4, fill=COLOURS[series])
        d.text(x + 9, 296, optimizer, size=12)
    d.text(8, 40, "accuracy, %", size=12, fill="muted")
    d.text(736, 296, "learning rate", size=12, anchor="end", fill="muted")
    return d.svg()


def _rate_x(rate: float, frame: Box) -> float:
    """Where a learning rate stands: a decade takes 72 units."""
    return frame[0] + 10 + 72 * (log10(rate) + 3)


def _rate_axes(d: Drawing, frame: Box) -> None:
    left, _, right, bottom = frame
    for share in range(0, 101, 25):
        y = bottom - 1.92 * share
        d.line(left, y, right, y, dash="2 4")
        d.text(left - 7, y + 4, str(share), size=11.5, anchor="end", fill="muted")
    d.line(left, bottom, right, bottom, stroke="muted")
    for rate in (0.001, 0.01, 0.1):
        x = _rate_x(rate, frame)
        d.line(x, bottom, x, bottom + 5, stroke="muted")
        d.text(x, bottom + 20, f"{rate:g}", size=11.5, anchor="middle", fill="muted")


def scales() -> str:
    """How large the layer scales of the small ConvNeXt become."""
    lines = [
        "| optimizer | rate | mean size of the layer scale | accuracy | with its blocks asleep |",
        "| --- | --: | --: | --: | --: |",
    ]
    results = _results("rates, ConvNeXt")
    for row in sorted(results, key=lambda row: (row[:3] != "SGD", float(row.split(", ")[1]))):
        found, (optimizer, rate) = results[row], row.split(", ")
        lost = found.get("layer_scale") == "nan"
        scale = "lost: not a number" if lost else found["layer_scale"]
        lines.append(
            f"| {optimizer} | {rate} | {scale} "
            f"| {100 * found['mean']:.1f} ± {100 * found['deviation']:.1f} % "
            f"| {100 * mean(found['asleep']):.1f} ± {100 * stdev(found['asleep']):.1f} % |"
        )
    return "\n".join((*lines, ""))
