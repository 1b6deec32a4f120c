"""The learning-rate range test as a picture."""

import math
from itertools import pairwise

from lineage_lab.comparing.svg import Drawing
from lineage_lab.training.lr_finder import RateCurve

__all__ = ["rate_curve"]

WIDTH, HEIGHT = 640.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 24.0, 48.0


def rate_curve(curve: RateCurve) -> str:
    """Loss against the body's learning rate, with the rate of the steepest fall marked."""
    d = Drawing(
        "rate-curve",
        width=WIDTH,
        height=HEIGHT,
        title="Learning-rate range test",
        description=(
            f"The loss starts at {curve.losses[0]:.2f}, falls fastest at a rate of "
            f"{curve.steepest:.1e}, reaches {min(curve.losses):.2f} and ends at "
            f"{curve.losses[-1]:.2f} at a rate of {curve.rates[-1]:.1e}."
        ),
    )
    low, high = math.log10(curve.rates[0]), math.log10(curve.rates[-1])
    top = min(max(curve.losses), 1.6 * curve.losses[0])
    floor = min(0.0, min(curve.losses))

    def x(rate: float) -> float:
        return LEFT + (math.log10(rate) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(loss: float) -> float:
        share = (min(loss, top) - floor) / (top - floor)
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)

    for power in range(math.ceil(low), math.floor(high) + 1):
        d.line(x(10.0**power), TOP, x(10.0**power), HEIGHT - BOTTOM)
        words = f"10{str(power).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
        d.text(x(10.0**power), HEIGHT - BOTTOM + 18, words, fill="muted", anchor="middle")
    for number in range(math.floor(top) + 1):
        d.line(LEFT, y(number), WIDTH - RIGHT, y(number))
        d.text(LEFT - 8, y(number) + 4, str(number), fill="muted", anchor="end")
    points = list(zip(curve.rates, curve.losses, strict=True))
    for (r1, l1), (r2, l2) in pairwise(points):
        if min(l1, l2) < top:
            d.line(x(r1), y(l1), x(r2), y(l2), stroke="conv", stroke_width=2)
    at = curve.rates.index(curve.steepest)
    d.circle(x(curve.steepest), y(curve.losses[at]), 5, fill="output", stroke="paper")
    d.text(x(curve.steepest), y(curve.losses[at]) - 12, f"falls fastest: {curve.steepest:.1e}",
           anchor="end", weight=600)  # fmt: skip
    d.text(LEFT, 14, "loss, smoothed", fill="muted")
    d.text(WIDTH - RIGHT, HEIGHT - 10, "learning rate of the body", fill="muted", anchor="end")
    return d.svg()
