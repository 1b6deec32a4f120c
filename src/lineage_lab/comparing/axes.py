"""Axes, lines and labels of the charts: one look for all of them.

Each line has a colour and a dash, each point a label, since colour alone is not for everybody.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, floor, log10

from lineage_lab.comparing.svg import Drawing

__all__ = ["COLOURS", "DASHES", "LETTER", "Axes", "Box", "place_label", "polyline", "room"]

COLOURS = ("conv", "output", "dense", "pool", "act", "norm")
DASHES = ("", "8 3", "2 3", "10 3 2 3", "5 2", "1 4")
LETTER = 6.6  # mean width of a letter at 12 units
MOST_TICKS = 12  # of a logarithmic axis

Box = tuple[float, float, float, float]


class Axes:
    """A frame with two scales, drawn with its ticks.

    Args:
        drawing: To draw on.
        box: Left, top, right and bottom of the frame.
        x: Lowest and highest value across.
        y: Lowest and highest value upwards.
        words: What the two axes are of.
        logarithmic: Whether x is.
        logarithmic_y: Whether y is.
        grouped: Whether the thousands of x are set apart; years are not.
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
        logarithmic_y: bool = False,
        grouped: bool = True,
    ) -> None:
        self.box, self.logarithmic = box, (logarithmic, logarithmic_y)
        self.ends = (self._scaled(x[0], 0), self._scaled(x[1], 0))
        self.y_ends = (self._scaled(y[0], 1), self._scaled(y[1], 1))
        left, top, right, bottom = box
        for value in _decades(*y) if logarithmic_y else _steps(*y):
            level = self.y(value)
            drawing.line(left, level, right, level, dash="2 4")
            drawing.text(left - 8, level + 4, f"{value:,g}", size=12, anchor="end", fill="muted")
        drawing.line(left, bottom, right, bottom, stroke="muted")
        for value in _decades(*x) if logarithmic else _steps(*x):
            place = self.x(value)
            drawing.line(place, bottom, place, bottom + 5, stroke="muted")
            words_x = f"{value:,g}" if grouped else f"{value:g}"
            drawing.text(place, bottom + 20, words_x, size=12, anchor="middle", fill="muted")
        drawing.text(right, bottom + 40, words[0], size=12, anchor="end", fill="muted")
        drawing.text(left - 44, top - 12, words[1], size=12, fill="muted")

    def _scaled(self, value: float, axis: int) -> float:
        return log10(value) if self.logarithmic[axis] else value

    def x(self, value: float) -> float:
        """Place of a value on the axis across, in units of the picture."""
        share = (self._scaled(value, 0) - self.ends[0]) / (self.ends[1] - self.ends[0])
        return self.box[0] + share * (self.box[2] - self.box[0])

    def y(self, value: float) -> float:
        """Place of a value on the axis upwards, in units of the picture."""
        share = (self._scaled(value, 1) - self.y_ends[0]) / (self.y_ends[1] - self.y_ends[0])
        return self.box[3] - share * (self.box[3] - self.box[1])


def polyline(d: Drawing, points: Sequence[tuple[float, float]], index: int) -> None:
    """Points joined, in the colour and the dash of a series."""
    stroke, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
    for (x1, y1), (x2, y2) in pairwise(points):
        d.line(x1, y1, x2, y2, stroke=stroke, stroke_width=1.8, dash=dash)


def place_label(
    x: float, y: float, width: float, frame: Box, taken: list[Box]
) -> tuple[float, float]:
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


def room(values: Sequence[float], *, top: float = float("inf")) -> tuple[float, float]:
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
    """1, 2 and 5 times the powers of ten from low to high; more where those are few, or fewer."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = [s * 10.0**p for p in powers for s in steps if low <= s * 10.0**p <= high]
        if len(ticks) > 2:
            break
    if len(ticks) > MOST_TICKS:
        ticks = [10.0**p for p in powers if low <= 10.0**p <= high]
        ticks = ticks[:: ceil(len(ticks) / MOST_TICKS)]
    return ticks
