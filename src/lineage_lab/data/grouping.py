"""A split that keeps groups whole and classes even: a patient, a module, a video on one side.

Several random splits are each improved by moves of a group and swaps of two, until none makes
the classes' shares more even; the most even one is taken.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["share_out"]

STARTS = 6
SWAPS = 400  # groups of each side that swaps are tried with


def share_out(
    labels: NDArray[np.int64], groups: NDArray[np.int64], *, share: float, seed: int
) -> NDArray[np.bool_]:
    """Choose the images to validate with, whole groups of them.

    Args:
        labels: Class of each image.
        groups: Group of each image, from 0.
        share: Share of each class that should be chosen, between 0 and 1.
        seed: Decides where the search starts, and so which of many even splits it is.

    Returns:
        For each image, whether it is chosen. Each class is on both sides.

    Raises:
        ValueError: A class, whose index is the error's argument, is of one group only, or no
            split was found that has each class on both sides.
    """
    classes = int(labels.max()) + 1
    counts = np.zeros((int(groups.max()) + 1, classes))
    np.add.at(counts, (groups, labels), 1)
    for label in range(classes):
        if np.count_nonzero(counts[:, label]) == 1:
            raise ValueError(label)
    totals = counts.sum(axis=0)
    weights = np.divide(1.0, totals, out=np.zeros(classes), where=totals > 0)
    scaled = np.column_stack((counts * weights, counts.sum(axis=1) / totals.sum()))
    generator = np.random.default_rng(seed)
    best, found = np.inf, None
    for _ in range(STARTS):
        chosen = _improved(scaled, _start(scaled, share, generator), share, generator)
        cost = float(_cost(scaled[chosen].sum(axis=0), share))
        if cost < best:
            best, found = cost, chosen
    assert found is not None
    sums = scaled[found].sum(axis=0)[:-1]
    empty = (totals > 0) & ((sums < weights / 2) | (sums > 1 - weights / 2))
    if empty.any():
        raise ValueError(int(np.argmax(empty)))
    whole: NDArray[np.bool_] = found[groups]
    return whole


# A class that is wholly on one side costs more than any unevenness.
_MISSING = 1e3


def _cost(sums: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Squared distance of the classes' shares from the one wanted; the images' counts little."""
    off = (sums - share) ** 2
    ends = (sums[..., :-1] < 1e-12) | (sums[..., :-1] > 1 - 1e-12)
    cost: NDArray[np.float64] = off[..., :-1].sum(axis=-1) + 0.1 * off[..., -1]
    total: NDArray[np.float64] = cost + _MISSING * ends.sum(axis=-1)
    return total


def _start(
    scaled: NDArray[np.float64], share: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    chosen = np.zeros(len(scaled), bool)
    sums = np.zeros(scaled.shape[1])
    for group in generator.permutation(len(scaled)):
        if _cost(sums + scaled[group], share) < _cost(sums, share):
            chosen[group] = True
            sums = sums + scaled[group]
    return chosen


def _improved(
    scaled: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    share: float,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    sums = scaled[chosen].sum(axis=0)
    while True:
        now = _cost(sums, share)
        moves = np.where(chosen[:, None], -scaled, scaled)
        costs = np.asarray(_cost(sums + moves, share))
        move = int(costs.argmin())
        best, change = float(costs[move]), [move]
        inside, outside = (_some(np.flatnonzero(side), generator) for side in (chosen, ~chosen))
        if len(inside) and len(outside):
            for out in inside:
                swapped = np.asarray(_cost(sums - scaled[out] + scaled[outside], share))
                into = int(swapped.argmin())
                if swapped[into] < best:
                    best, change = float(swapped[into]), [int(out), int(outside[into])]
        if not best < now - 1e-12:
            return chosen
        for group in change:
            sums = sums + (-scaled[group] if chosen[group] else scaled[group])
            chosen[group] = not chosen[group]


def _some(groups: Sequence[int] | NDArray[np.intp], generator: np.random.Generator) -> list[int]:
    if len(groups) <= SWAPS:
        return [int(group) for group in groups]
    return [int(group) for group in generator.choice(groups, SWAPS, replace=False)]
