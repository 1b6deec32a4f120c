"""Pictures and tables of what the GoogLeNet chapter's experiments found.

Everything here is read from docs/results/googlenet.json, which the module beside it, `runs`,
writes; nothing is trained.
"""

from collections.abc import Sequence
from math import log10
from statistics import mean, stdev
from typing import Any

import torch

from lineage_lab.chapters.googlenet import SCALES, SIZES
from lineage_lab.comparing.axes import COLOURS, Axes, polyline
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import split_digits
from lineage_site.chapters.googlenet.cost import BRANCHES
from lineage_site.drawing.records import once, read

__all__ = ["charts"]


def charts() -> dict[str, str]:
    """Three pictures, two tables."""
    found = read("googlenet")
    return {
        "gradients.svg": _gradients(found["gradients"]),
        "squeeze.svg": _squeeze(found["squeeze"]),
        "squeeze.md": _trade(found["squeeze"]),
        "scales.svg": _scales({name: found[name] for name in SCALES}),
        "silenced.md": _silenced(found["several scales"]),
        "about.md": f"{once('googlenet')}; digits: {found['about']['digits']}.*\n",
    }


def _percent(values: Sequence[float]) -> str:
    return f"{100 * mean(values):.1f} ± {100 * stdev(values):.1f}"


def _gradients(forms: dict[str, list[dict[str, list[float]]]]) -> str:
    """How many times stronger the gradient is with the auxiliary classifiers, by module."""
    names = list(forms["paper"][0])
    ratios = {f: [[r[n][1] / r[n][0] for n in names] for r in rs] for f, rs in forms.items()}
    means = {
        form: [mean(column) for column in zip(*rows, strict=True)] for form, rows in ratios.items()
    }
    left, right, top, bottom = 64, 736, 44, 264
    d = Drawing(
        "googlenet-gradients",
        width=760,
        height=330,
        title="What the auxiliary classifiers add to the gradient",
        description="By module, how many times as strong the gradient is with both auxiliary "
        "classifiers as without; one dot a seed, a line through the means. "
        + "; ".join(
            f"{form}: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(names, values, strict=True))
            for form, values in means.items()
        )
        + ".",
    )
    highest = max(max(row) for rows in ratios.values() for row in rows)

    def y(value: float) -> float:
        return bottom - log10(value / 0.8) / log10(1.15 * highest / 0.8) * (bottom - top)

    def x(index: int) -> float:
        return left + 36 + index * (right - left - 64) / (len(names) - 1)

    d.text(left - 44, top - 22, "times the gradient without", size=12, fill="muted")
    for tick in (1, 2, 3, 5, 7, 10):
        if y(tick) > top:
            d.line(left, y(tick), right, y(tick), dash="2 4")
            d.text(left - 8, y(tick) + 4, f"{tick}", size=12, anchor="end", fill="muted")
    for index, name in enumerate(names):
        d.text(x(index), bottom + 20, name, size=12, anchor="middle", fill="muted")
        if name in ("4a", "4d"):
            place = x(index) + (x(1) - x(0)) / 2
            d.line(place, top, place, bottom, stroke="output", dash="4 3")
            d.text(place + 6, top + 10, f"auxiliary {name}", size=12, fill="output")
    for series, (form, rows) in enumerate(ratios.items()):
        for row in rows:
            for index, value in enumerate(row):
                shift = 5 if series else -5
                d.circle(x(index) + shift, y(value), 2.6, fill=COLOURS[series])
        polyline(d, [(x(i), y(v)) for i, v in enumerate(means[form])], series)
    d.line(left, bottom + 46, left + 30, bottom + 46, stroke=COLOURS[0], stroke_width=1.8)
    d.text(left + 38, bottom + 50, "the paper’s form", size=12)
    polyline(d, [(left + 170, bottom + 46), (left + 200, bottom + 46)], 1)
    d.text(left + 208, bottom + 50, "the same with batch norm", size=12)
    return d.svg()


def _squeeze(rows: list[dict[str, Any]]) -> str:
    """Accuracy against cost, by how many channels the 1×1 leaves."""
    d = Drawing(
        "googlenet-squeeze",
        width=640,
        height=330,
        title="How far a 1×1 convolution can squeeze",
        description="Accuracy on held-out digits against multiply-adds, mean and standard "
        "deviation of five seeds: "
        + "; ".join(
            f"{_words(r['channels'])}: {r['macs']:,} MACs, {_percent(r['accuracies'])} %"
            for r in rows
        )
        + ".",
    )
    axes = Axes(
        d,
        (70, 44, 610, 270),
        (80, 2200),
        (45, 100),
        ("thousand multiply-adds", "accuracy in %"),
        logarithmic=True,
    )
    points = [(axes.x(r["macs"] / 1e3), axes.y(100 * mean(r["accuracies"]))) for r in rows]
    polyline(d, points, 0)
    for row, (x, y) in zip(rows, points, strict=True):
        centre, deviation = 100 * mean(row["accuracies"]), 100 * stdev(row["accuracies"])
        d.line(x, axes.y(centre - deviation), x, axes.y(centre + deviation), stroke="conv")
        d.circle(x, y, 5, fill="conv")
        end = row["channels"] is None
        d.text(
            x + (8 if end else 10),
            y + (30 if end else 22),
            _words(row["channels"]),
            size=12,
            anchor="middle" if end else "start",
        )
    return d.svg()


def _words(channels: int | None) -> str:
    if channels is None:
        return "no 1×1"
    return f"{channels} channel{'s' * (channels > 1)}"


def _scales(rows: dict[str, dict[str, Any]]) -> str:
    """Accuracy by the size of the digits, of networks with one scale and with several."""
    d = Drawing(
        "googlenet-scales",
        width=700,
        height=392,
        title="One scale or several, for digits of three sizes",
        description="Accuracy by the size of the digits, mean and standard deviation of five "
        "seeds, at equal cost. "
        + "; ".join(
            f"{name}: "
            + ", ".join(
                f"{side} pixels {_percent([sizes[i] for sizes in row['sizes']])} %"
                for i, side in enumerate(SIZES)
            )
            for name, row in rows.items()
        )
        + ".",
    )
    low = 100 * min(min(sizes) for row in rows.values() for sizes in row["sizes"])
    floor = 5 * int((low - 2) / 5)
    left, right, top, bottom = 64, 676, 44, 256

    def level(value: float) -> float:
        return bottom - (value - floor) / (100 - floor) * (bottom - top)

    d.text(left - 44, top - 22, "accuracy in %", size=12, fill="muted")
    for tick in range(floor, 101, 5 if floor > 60 else 10):
        d.line(left, level(tick), right, level(tick), dash="2 4")
        d.text(left - 8, level(tick) + 4, f"{tick}", size=12, anchor="end", fill="muted")
    _, (images, labels) = split_digits(0)
    inner = images[labels == 5][0, 0, 5:27, 5:27].float()[None, None]
    for index, side in enumerate(SIZES):
        middle = 64 + (index + 0.5) * 204
        small = torch.nn.functional.interpolate(
            inner, size=(side, side), mode="bilinear", antialias=True
        )[0, 0]
        canvas = torch.zeros(32, 32)
        start = (32 - side) // 2
        canvas[start : start + side, start : start + side] = small / 255
        d.picture(middle - 32, 266, 2, canvas.tolist())
        d.text(middle, 348, f"{side} pixels", size=12, anchor="middle", fill="muted")
        for series, row in enumerate(rows.values()):
            values = [100 * sizes[index] for sizes in row["sizes"]]
            x = middle + (series - 1) * 44
            centre, deviation = mean(values), stdev(values)
            d.line(
                x,
                level(centre - deviation),
                x,
                level(min(100, centre + deviation)),
                stroke=COLOURS[series],
                stroke_width=2,
            )
            for value in values:
                d.circle(x + 9, level(value), 2.2, fill=COLOURS[series])
            d.circle(x, level(centre), 5, fill=COLOURS[series])
    for series, (name, row) in enumerate(rows.items()):
        place = left - 40 + 218 * series
        d.circle(place + 6, 376, 5, fill=COLOURS[series])
        d.text(place + 18, 380, f"{name}: {_percent(row['mixed'])} %", size=12)
    return d.svg()


def _silenced(row: dict[str, Any]) -> str:
    """Accuracy by size with one branch silenced."""
    lines = [
        "| branches silenced | " + " | ".join(f"digits of {side} pixels" for side in SIZES) + " |",
        "| --- |" + " --: |" * len(SIZES),
    ]
    table = {"none": row["sizes"], **{f"`{b}`": row["without"][b] for b in BRANCHES}}
    for name, found in table.items():
        cells = [f"{_percent([sizes[i] for sizes in found])} %" for i in range(len(SIZES))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join((*lines, ""))


def _trade(rows: list[dict[str, Any]]) -> str:
    """What a squeeze saves and costs, in two sentences."""
    by_channels = {row["channels"]: row for row in rows}
    whole, eight, one = (by_channels[channels] for channels in (None, 8, 1))
    lost = 100 * (mean(whole["accuracies"]) - mean(eight["accuracies"]))
    return (
        f"With {eight['channels']} channels in place of 32 the network has "
        f"{whole['macs'] / eight['macs']:.1f} times fewer multiply-adds, and loses {lost:.1f} "
        f"points. With {one['channels']} channel it has {whole['macs'] / one['macs']:.0f} times "
        f"fewer, and is wrong for {1 - mean(one['accuracies']):.0%} of the digits.\n"
    )
