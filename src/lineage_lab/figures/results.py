"""The pictures of a comparison: accuracy against time, and the learning curves.

Each network has a colour and a second sign (a label at its point, a dash of its line), since
colour alone is not for everybody. Neighbours: `lineage_lab.results` has the numbers,
`lineage_lab.figures.report` puts the pictures into a page.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, log10
from statistics import mean, stdev

from lineage_lab.figures.style import Drawing
from lineage_lab.results import Comparison, Row

__all__ = ["curves", "scatter"]

COLOURS = ("conv", "output", "dense", "pool", "var(--ll-act, #6d4bb5)", "var(--ll-norm, #4d6a1d)")
DASHES = ("", "8 3", "2 3", "10 3 2 3", "5 2", "1 4")
WIDTH = 720
LETTER = 6.6  # mean width of a letter at 12 units
BINS = 40  # points of a loss curve

Box = tuple[float, float, float, float]


class _Axes:
    """A frame with two scales, drawn with its ticks.

    Args:
        drawing: To draw on.
        box: Left, top, right and bottom of the frame.
        x: Lowest and highest value.
        y: Likewise.
        words: What the two axes are of.
        logarithmic: Whether x is.
    """

    def __init__(
        self,
        drawing: Drawing,
        box: Box,
        x: tuple[float, float],
        y: tuple[float, float],
        words: tuple[str, str],
        *,
        logarithmic: bool = False,
    ) -> None:
        self.box, self.logarithmic = box, logarithmic
        self.ends = (self._scaled(x[0]), self._scaled(x[1]))
        self.y_ends = y
        left, top, right, bottom = box
        for value in _steps(*y):
            level = self.y(value)
            drawing.line(left, level, right, level, dash="2 4")
            drawing.text(left - 8, level + 4, f"{value:g}", size=12, anchor="end", fill="muted")
        drawing.line(left, bottom, right, bottom, stroke="muted")
        for value in _decades(*x) if logarithmic else _steps(*x):
            place = self.x(value)
            drawing.line(place, bottom, place, bottom + 5, stroke="muted")
            drawing.text(place, bottom + 20, f"{value:,g}", size=12, anchor="middle", fill="muted")
        drawing.text(right, bottom + 40, words[0], size=12, anchor="end", fill="muted")
        drawing.text(left - 44, top - 12, words[1], size=12, fill="muted")

    def _scaled(self, value: float) -> float:
        return log10(value) if self.logarithmic else value

    def x(self, value: float) -> float:
        """Where a value stands."""
        share = (self._scaled(value) - self.ends[0]) / (self.ends[1] - self.ends[0])
        return self.box[0] + share * (self.box[2] - self.box[0])

    def y(self, value: float) -> float:
        """Likewise."""
        share = (value - self.y_ends[0]) / (self.y_ends[1] - self.y_ends[0])
        return self.box[3] - share * (self.box[3] - self.box[1])


def scatter(result: Comparison) -> str:
    """Accuracy against training time: a point a network, with a standard deviation each way.

    Args:
        result: The comparison.

    Returns:
        An SVG that stands alone and takes its colours from a page that has it inside.
    """
    points = [(_middle(row.seconds), _middle([100 * a for a in row.accuracies])) for row in
              result.rows]  # fmt: skip
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
    axes = _Axes(
        d,
        (64, 34, WIDTH - 16, 360),
        (lowest / 1.5, max(x + s for (x, s), _ in points) * 1.5),
        _room([v for _, (y, s) in points for v in (y - s, y + s)], top=100),
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
            d.line(px, axes.y(y - sy), px, axes.y(y + sy), stroke=colour)
        d.circle(px, py, 6, fill=colour, stroke="paper")
        left, baseline = _label(px, py, len(row.name) * LETTER, axes.box, taken)
        d.text(left, baseline, row.name, size=12, weight=600)
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
    left = _Axes(
        d,
        (56, bottom + 36, 340, 340),
        (0, max(passes)),
        _room([0, *(value for line in losses for value in line)]),
        ("passes over the images", "training loss"),
    )
    right = _Axes(
        d,
        (420, bottom + 36, WIDTH - 16, 340),
        (0, max(epoch.seconds for run in runs for epoch in run.epochs) * 1.03),
        _room([100 * epoch.val_accuracy for run in runs for epoch in run.epochs], top=100),
        ("training time in seconds", "validation accuracy in percent"),
    )
    for index, (row, line, end) in enumerate(zip(result.rows, losses, passes, strict=True)):
        _line(
            d,
            [(left.x(end * (i + 0.5) / len(line)), left.y(v)) for i, v in enumerate(line)],
            index,
        )
        for run in row.runs:
            points = [(right.x(e.seconds), right.y(100 * e.val_accuracy)) for e in run.epochs]
            _line(d, points, index)
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
        d.line(x, y - 4, x + 32, y - 4, stroke=COLOURS[index % len(COLOURS)], stroke_width=2.5,
               dash=DASHES[index % len(DASHES)])  # fmt: skip
        d.text(x + 40, y, row.name, size=12)
        x += width
    return y


def _line(d: Drawing, points: Sequence[tuple[float, float]], index: int) -> None:
    for (x1, y1), (x2, y2) in pairwise(points):
        d.line(x1, y1, x2, y2, stroke=COLOURS[index % len(COLOURS)], stroke_width=1.8,
               dash=DASHES[index % len(DASHES)])  # fmt: skip


def _losses(row: Row) -> list[float]:
    """The loss, smoothed: means over stretches of a run, then over the seeds."""
    bins = min(BINS, *(len(run.losses) for run in row.runs))

    def smooth(losses: Sequence[float]) -> list[float]:
        cuts = [round(i * len(losses) / bins) for i in range(bins + 1)]
        return [mean(losses[a:b]) for a, b in pairwise(cuts)]

    return [mean(values) for values in zip(*(smooth(r.losses) for r in row.runs), strict=True)]


def _label(x: float, y: float, width: float, frame: Box, taken: list[Box]) -> tuple[float, float]:
    """Where a name goes beside its point: the first place inside that is free, else the right."""
    places = [(x + 11, y + 4), (x - 11 - width, y + 4)]
    for dy in (-12, 20, -26, 34, -40, 48):
        places += [(left, y + dy) for left in (x + 8, x - 8 - width, x - width / 2)]
    for left, baseline in places:
        box = (left, baseline - 11, left + width, baseline + 3)
        inside = box[0] >= frame[0] and box[2] <= frame[2] and frame[1] - 8 <= box[1]
        free = all(box[2] < t[0] or t[2] < box[0] or box[3] < t[1] or t[3] < box[1] for t in taken)
        if inside and box[3] <= frame[3] and free:
            taken.append(box)
            return left, baseline
    return places[0]


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation, 0 for a single value."""
    return mean(values), stdev(values) if len(values) > 1 else 0.0


def _room(values: Sequence[float], *, top: float = float("inf")) -> tuple[float, float]:
    """From a bit below the lowest to a bit above the highest, never below 0."""
    low, high = min(values), max(values)
    pad = max(0.08 * (high - low), 0.02 * high, 0.01)
    return max(0.0, low - pad), max(min(top, high + pad), low + 0.01)


def _steps(low: float, high: float) -> list[float]:
    """Round values from low to high, three to seven of them."""
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough)
    return [round(i * step, 10) for i in range(ceil(low / step), floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from low to high; more where those are few."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        found = [s * 10.0**p for p in powers for s in steps if low <= s * 10.0**p <= high]
        if len(found) > 2:
            break
    return found
