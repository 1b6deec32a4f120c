"""The pictures of a comparison: accuracy against time, and the learning curves.

Each network has a colour and a second sign (a label at its point, a dash of its line), since
colour alone is not for everybody.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import mean, stdev

from lineage_lab.comparing.axes import (
    COLOURS,
    DASHES,
    LETTER,
    Axes,
    Box,
    place_label,
    polyline,
    room,
)
from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import Row
from lineage_lab.comparing.svg import Drawing

__all__ = ["curves", "scatter"]

WIDTH = 720
BINS = 40  # points of a loss curve
LONGEST = 32  # letters of a name in the picture; the table has them all


def scatter(result: Comparison) -> str:
    """Accuracy against training time: a point a network, with a standard deviation each way.

    Args:
        result: The comparison.

    Returns:
        An SVG that stands alone and takes its colours from a page that has it inside.
    """
    times = [_middle(row.seconds) for row in result.rows]
    percents = [_middle([100 * a for a in row.accuracies]) for row in result.rows]
    points = list(zip(times, percents, strict=True))
    several = len(result.seeds) > 1
    d = Drawing(
        "comparison-scatter",
        width=WIDTH,
        height=420,
        title=f"Accuracy against training time on {result.data['name']}",
        description="A point for each network"
        + (", with a standard deviation each way" if several else "")
        + ": "
        + "; ".join(
            f"{row.name}, {y:.1f} percent in {x:.1f} seconds"
            for row, ((x, _), (y, _)) in zip(result.rows, points, strict=True)
        )
        + ".",
    )
    d.rect(0, 0, WIDTH, 420, fill="paper")
    lowest = min(max(x - s, x / 3) for (x, s), _ in points)
    axes = Axes(
        d,
        (64, 34, WIDTH - 16, 360),
        (lowest / 1.5, max(x + s for (x, s), _ in points) * 1.5),
        room([v for _, (y, s) in points for v in (y - s, y + s)], top=100),
        ("training time in seconds, logarithmic", "accuracy in percent"),
        logarithmic=True,
    )
    places = [(axes.x(x), axes.y(y)) for (x, _), (y, _) in points]
    taken: list[Box] = [(x - 7, y - 7, x + 7, y + 7) for x, y in places]
    for ((x, sx), (y, sy)), (px, py) in zip(points, places, strict=True):
        taken += [
            (axes.x(max(x - sx, lowest)), py - 1, axes.x(x + sx), py + 1),
            (px - 1, axes.y(y + sy), px + 1, axes.y(y - sy)),
        ]
    for index, (row, ((x, sx), (y, sy))) in enumerate(zip(result.rows, points, strict=True)):
        colour = COLOURS[index % len(COLOURS)]
        px, py = places[index]
        if several:
            d.line(axes.x(max(x - sx, lowest)), py, axes.x(x + sx), py, stroke=colour)
            d.line(px, axes.y(max(y - sy, 0)), px, axes.y(min(y + sy, 100)), stroke=colour)
        d.circle(px, py, 6, fill=colour, stroke="paper")
        name = row.name if len(row.name) <= LONGEST else f"{row.name[: LONGEST - 1]}…"
        left, baseline = place_label(px, py, len(name) * LETTER, axes.box, taken)
        d.text(left, baseline, name, size=12, weight=600)
    return d.svg()


def curves(result: Comparison) -> str:
    """The learning curves: training loss by passes, validation accuracy by training time.

    Args:
        result: The comparison.

    Returns:
        An SVG as `scatter` gives, or an empty text if the curves were not recorded.
    """
    runs = [run for row in result.rows for run in row.runs]
    if not all(run.losses and run.epochs for run in runs):
        return ""
    d = Drawing(
        "comparison-curves",
        width=WIDTH,
        height=400,
        title=f"Learning curves on {result.data['name']}",
        description="Left, the training loss, mean over the seeds; right, the validation "
        "accuracy after each epoch, a line for each seed. At the end: "
        + "; ".join(
            f"{row.name}, loss {_losses(row)[-1]:.2f}, accuracy "
            f"{100 * mean(r.epochs[-1].val_accuracy for r in row.runs):.1f} percent after "
            f"{mean(r.epochs[-1].seconds for r in row.runs):.1f} seconds"
            for row in result.rows
        )
        + ".",
    )
    d.rect(0, 0, WIDTH, 400, fill="paper")
    bottom = _legend(d, result.rows)
    images = result.data["train"]
    losses = [_losses(row) for row in result.rows]
    passes = [mean(run.images_trained for run in row.runs) / images for row in result.rows]
    left = Axes(
        d,
        (56, bottom + 36, 340, 340),
        (0, max(passes)),
        room([0, *(value for line in losses for value in line)]),
        ("passes over the images", "training loss"),
    )
    right = Axes(
        d,
        (420, bottom + 36, WIDTH - 16, 340),
        (0, max(epoch.seconds for run in runs for epoch in run.epochs) * 1.03),
        room([100 * epoch.val_accuracy for run in runs for epoch in run.epochs], top=100),
        ("training time in seconds", "validation accuracy in percent"),
    )
    for index, (row, line, end) in enumerate(zip(result.rows, losses, passes, strict=True)):
        polyline(
            d,
            [(left.x(end * (i + 0.5) / len(line)), left.y(v)) for i, v in enumerate(line)],
            index,
        )
        for run in row.runs:
            points = [(right.x(e.seconds), right.y(100 * e.val_accuracy)) for e in run.epochs]
            polyline(d, points, index)
            for x, y in points:
                d.circle(x, y, 3, fill=COLOURS[index % len(COLOURS)])
    return d.svg()


def _legend(d: Drawing, rows: Sequence[Row]) -> float:
    """Each network's line and name, above the panels; gives where it ends."""
    x, y = 12.0, 16.0
    for index, row in enumerate(rows):
        width = 40 + len(row.name) * LETTER + 20
        if x + width > WIDTH and x > 12:
            x, y = 12.0, y + 20
        stroke, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        d.line(x, y - 4, x + 32, y - 4, stroke=stroke, stroke_width=2.5, dash=dash)
        d.text(x + 40, y, row.name, size=12)
        x += width
    return y


def _losses(row: Row) -> list[float]:
    """The loss, smoothed: means over stretches of a run, then over the seeds."""
    bins = min(BINS, *(len(run.losses) for run in row.runs))

    def smooth(losses: Sequence[float]) -> list[float]:
        cuts = [round(i * len(losses) / bins) for i in range(bins + 1)]
        return [mean(losses[a:b]) for a, b in pairwise(cuts)]

    return [mean(values) for values in zip(*(smooth(r.losses) for r in row.runs), strict=True)]


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation, 0 for a single value."""
    return mean(values), stdev(values) if len(values) > 1 else 0.0
