"""The EfficientNet chapter's chart and table of the small network, scaled at equal cost."""

from math import ceil, floor
from statistics import mean, stdev
from typing import Any

from lineage_lab.anatomy import Anatomy, describe
from lineage_lab.chapters.efficientnet import shrunk, small
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data import split_digits
from lineage_site.chapters.efficientnet.runs import PARTS
from lineage_site.drawing.records import read

__all__ = ["digits"]

# Network -> the one that it is compared with, on the same seeds.
RIVALS = {
    "deeper": "base",
    "wider": "base",
    "finer": "base",
    "all three": "wider",
    "all three, no gates": "all three",
    "all three, no gates, full convolutions": "all three, no gates",
}


def digits() -> dict[str, str]:
    """The experiment's figure and its table."""
    found = read("efficientnet")
    anatomies = {}
    for name in found["rows"]:
        width, depth, side, form = PARTS[name]
        anatomies[name] = describe(small(width, depth, form), (1, side, side))
    return {"digits.svg": _digits(found, anatomies), "digits.md": _table(found, anatomies)}


def _table(found: dict[str, Any], anatomies: dict[str, Anatomy]) -> str:
    """Each network, and how it does beside another with the same seeds."""
    lines = [
        "| network | weights | MACs | accuracy | difference, seed by seed |",
        "| --- | --: | --: | --: | --- |",
    ]
    for name, accuracies in found["rows"].items():
        anatomy, percent = anatomies[name], [100 * a for a in accuracies]
        beside = RIVALS.get(name, "")
        words = ""
        if beside:
            pairs = zip(percent, found["rows"][beside], strict=True)
            ahead = [mine - 100 * theirs for mine, theirs in pairs]
            words = (
                f"{mean(ahead):+.1f} ± {stdev(ahead):.1f} points beside *{beside}*; higher in "
                f"{sum(value > 0 for value in ahead)} of {len(ahead)}"
            )
        cells = (
            name,
            f"{anatomy.parameters:,}",
            f"{anatomy.macs / 1000:.0f} K",
            f"{mean(percent):.1f} ± {stdev(percent):.1f} %",
            words,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join((*lines, ""))


def _digits(found: dict[str, Any], anatomies: dict[str, Anatomy]) -> str:
    """What each network is given and sees, and how it does with each seed."""
    names = [name for name in found["rows"] if "," not in name]
    _, (images, labels) = split_digits(0)
    digit = images[labels == 5][:1]
    cases = [(name, *PARTS[name][:3], found["rows"][name]) for name in names]
    rows = []
    for name, width, depth, side, accuracies in cases:
        rows.append((name, width, depth, side, anatomies[name], [100 * a for a in accuracies]))
    step, left, picture = 138.0, 52.0, 96.0
    d = Drawing(
        "efficientnet-digits",
        width=left + step * len(rows) + 8,
        height=456,
        title="A small network, four times its cost, spent in four ways",
        description=" ".join(
            f"{name}: {2 * depth} blocks, width {width:.2f}, {side} by {side} pixels, a local "
            f"field of {anatomy.receptive_field} pixels, {anatomy.macs:,} multiply-adds; "
            f"{len(values)} seeds, mean accuracy {mean(values):.1f} percent, from "
            f"{min(values):.1f} to {max(values):.1f}."
            for name, width, depth, side, anatomy, values in rows
        ),
    )
    every = [v for row in rows for v in row[-1]]
    low, high, top, bottom = min(every) - 0.5, max(every) + 0.5, 236.0, 442.0

    def level(value: float) -> float:
        return float(bottom - (value - low) / (high - low) * (bottom - top))

    d.text(12, top - 14, "accuracy, %", size=12, fill="muted")
    for tick in range(ceil(low), floor(high) + 1):
        d.line(left, level(tick), left + step * len(rows), level(tick), dash="2 4")
        d.text(left - 10, level(tick) + 4, str(tick), size=12, anchor="end", fill="muted")
    for index, (name, width, depth, side, anatomy, values) in enumerate(rows):
        x = left + step * (index + 0.5)
        colour = "output" if name == "all three" else "conv"
        d.text(x, 18, name, anchor="middle", weight=650, fill=colour)
        d.text(
            x,
            36,
            f"{2 * depth} blocks · width {width:.2f}",
            anchor="middle",
            size=11.5,
            fill="muted",
        )
        cell = picture / side
        corner = x - picture / 2
        levels = (shrunk(digit, side)[0, 0] * 0.31 + 0.13).clamp(0, 1)
        d.picture(corner, 58, cell, levels.tolist())
        seen = min(anatomy.receptive_field or 0, side) * cell
        inset = (picture - seen) / 2
        d.rect(corner + inset, 58 + inset, seen, seen, stroke=colour, stroke_width=2.5)
        d.text(
            x,
            174,
            f"{side} × {side}, sees {anatomy.receptive_field}",
            anchor="middle",
            size=11.5,
            fill="muted",
        )
        d.text(
            x, 192, f"{anatomy.macs / 1000:.0f} K MACs", anchor="middle", size=11.5, fill="muted"
        )
        for place, value in enumerate(values):
            d.circle(x - 36 + 6.5 * place, level(value), 3, fill=f"{colour}-soft", stroke=colour)
        middle = level(mean(values))
        d.line(x - 44, middle, x + 30, middle, stroke="ink", stroke_width=2)
        d.text(x + 35, middle + 4, f"{mean(values):.1f}", size=12)
    return d.svg()
