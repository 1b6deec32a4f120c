"""Do two networks differ, or was it luck? Paired tests over the same validation images.

A difference of accuracies has two kinds of luck in it: which images were drawn, and how the
training went (first weights of the head, order, augmentation). `differ` counts with both, and
says what came of it in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import atan, cos, pi, sin, sqrt, tan
from statistics import NormalDist, mean, variance

__all__ = ["Difference", "differ", "differences", "half_interval", "holm", "mcnemar"]

LEVEL = 0.05
MOST_FREEDOM = 1000  # degrees of freedom; above, Student's t is the normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far one network is ahead of another, and how sure that is.

    Attributes:
        first: The network that is ahead, or the first of the two if none is.
        second: The other.
        points: Mean over the seeds of `first`'s accuracy less `second`'s, in percentage points.
        low: Lower end of the 95 % interval of this pair alone, in points.
        high: Upper end.
        p: Two-sided, of this pair alone.
        p_holm: The same, corrected for the `pairs` by Holm's method.
        pairs: How many pairs were tested together.
        mcnemar: McNemar's exact p of each seed alone.
    """

    first: str
    second: str
    points: float
    low: float
    high: float
    p: float
    p_holm: float
    pairs: int
    mcnemar: tuple[float, ...]

    @property
    def is_shown(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.p_holm < LEVEL

    @property
    def words(self) -> str:
        """The finding in a sentence or two."""
        interval = f"(95 % interval {_signed(self.low)} to {_signed(self.high)})"
        p = "p < 0.001" if self.p_holm < 0.0005 else f"p = {self.p_holm:.3f}"
        if self.pairs > 1:
            p += f", corrected for {self.pairs} pairs"
        if len(self.mcnemar) == 1:
            p += "; one training of each, so another may differ"
        if self.is_shown:
            return (
                f"{self.first} is better than {self.second} by {self.points:.1f} points "
                f"{interval}, {p}."
            )
        where = (
            f"{self.first} is {self.points:.1f} points ahead"
            if self.points
            else "they are level in this run"
        )
        return (
            f"No difference between {self.first} and {self.second} is shown: {where} "
            f"{interval}, {p}."
        )


def differ(
    first: Sequence[Sequence[bool]],
    second: Sequence[Sequence[bool]],
    *,
    names: tuple[str, str] = ("first", "second"),
    trained: int,
    drawn_by_seed: bool = True,
) -> Difference:
    """Test whether two networks differ on the images that both were validated with.

    The unit is the seed: one split, one training of each network, one difference of their
    accuracies. A test on the pooled images alone would take the trainings for certain and call
    luck a finding; so would a plain t-test, since splits drawn anew from one data set share
    images. So, with two seeds or more:

    - Each seed has a split of its own: the corrected resampled t-test, in which the variance of
      the mean of n differences is (1/n + validated/trained) times their variance (Nadeau and
      Bengio, Machine Learning 52, 2003, section 4; Bouckaert and Frank, PAKDD 2004, tried it).
      With n − 1 degrees of freedom, and never with less variance than the images alone give:
      three seeds can agree by chance.
    - The set has its own validation images, the same for each seed: their luck does not
      average out over the seeds, so the images' variance is added to that of the trainings,
      with degrees of freedom after Satterthwaite (Biometrics Bulletin 2, 1946), rounded down.

    With one seed: McNemar's exact test, which says nothing of another training; on a handful of
    images its interval, an approximation, can disagree with it: the test decides. The images'
    variance is that of matched proportions with half an image added to each of the four cells
    (Agresti and Min, Statistics in Medicine 24, 2005), so that it is never 0.

    Args:
        first: For each seed, for each validation image, whether it was named rightly.
        second: The same images in the same order.
        names: Names of the two.
        trained: Images that each training had.
        drawn_by_seed: Whether each seed drew its own validation images.

    Returns:
        The difference, the one that is ahead first; not corrected for other pairs.

    Raises:
        ValueError: The two do not have the same seeds and images, or there are none.

    Examples:
        >>> a, b = [True] * 9 + [False], [True] * 5 + [False] * 5
        >>> ahead = differ([a], [b], names=("A", "B"), trained=30)
        >>> f"{ahead.points:.1f} points, p = {ahead.p:.3f}, shown: {ahead.is_shown}"
        '40.0 points, p = 0.125, shown: False'
    """
    if [len(s) for s in first] != [len(s) for s in second] or not first or not all(map(len, first)):
        raise ValueError(
            f"{names[0]} and {names[1]} have not the same seeds and images: compare() gives both "
            "the same; don't mix rows of different runs"
        )
    gains = [mean(a) - mean(b) for a, b in zip(_numbers(first), _numbers(second), strict=True)]
    tables = [_discordant(a, b) for a, b in zip(first, second, strict=True)]
    sizes = [len(seed) for seed in first]
    of_images = mean(_image_variance(b, c, n) for (b, c), n in zip(tables, sizes, strict=True))
    exact = tuple(mcnemar(b, c) for b, c in tables)
    seeds, points = len(gains), mean(gains)
    if seeds == 1:
        half = NormalDist().inv_cdf(1 - LEVEL / 2) * sqrt(of_images)
        (b, c), (n,), p = tables[0], sizes, exact[0]
        low, high = (b - c) / (n + 2) - half, (b - c) / (n + 2) + half
    else:
        spread = variance(gains)
        if drawn_by_seed:
            squared = max((1 / seeds + mean(sizes) / trained) * spread, of_images / seeds)
            freedom = seeds - 1
        else:
            squared = spread / seeds + of_images
            luck = spread / seeds
            exactly = squared**2 / (luck**2 / (seeds - 1)) if luck else MOST_FREEDOM
            freedom = int(min(MOST_FREEDOM, exactly))
        p = 1 - _within(points / sqrt(squared), freedom)
        half = _quantile(freedom) * sqrt(squared)
        low, high = points - half, points + half
    if points < 0:
        names, points, low, high = (names[1], names[0]), -points, -high, -low
    return Difference(
        first=names[0],
        second=names[1],
        points=100 * points,
        low=100 * max(low, -1.0),
        high=100 * min(high, 1.0),
        p=p,
        p_holm=p,
        pairs=1,
        mcnemar=exact,
    )


def differences(
    correct: dict[str, Sequence[Sequence[bool]]], *, trained: int, drawn_by_seed: bool = True
) -> tuple[Difference, ...]:
    """Test each pair of several networks, corrected for the number of pairs.

    Args:
        correct: Name -> for each seed, for each validation image, whether it was right.
        trained: See `differ`.
        drawn_by_seed: See `differ`.

    Returns:
        One for each pair, in the order of the names.
    """
    pairs = [
        differ(correct[a], correct[b], names=(a, b), trained=trained, drawn_by_seed=drawn_by_seed)
        for a, b in combinations(correct, 2)
    ]
    corrected = holm([pair.p for pair in pairs])
    return tuple(
        replace(pair, p_holm=p, pairs=len(pairs)) for pair, p in zip(pairs, corrected, strict=True)
    )


def half_interval(gains: Sequence[float], *, validated: float, trained: float) -> float:
    """Half of the 95 % interval around the mean of paired differences, one a split.

    For two programs of which only the accuracies are known: `differ` says why a plain t-test
    won't do, and uses the images too.

    Args:
        gains: Difference of the two at each split; two or more.
        validated: Images that a split validates with.
        trained: Images that it trains on.

    Returns:
        In the unit of the differences.

    Examples:
        >>> round(half_interval([4.0, 5.0, 6.0], validated=1, trained=3), 2)
        3.51
    """
    squared = (1 / len(gains) + validated / trained) * variance(gains)
    return _quantile(len(gains) - 1) * sqrt(squared)


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test: are right answers of one network alone as likely as the other's?

    The two-sided binomial test with one half, of the images that just one of two networks named
    rightly (McNemar, Psychometrika 12, 1947).

    Args:
        only_first: Images that only the first named rightly.
        only_second: Images that only the second did.

    Returns:
        The p-value; 1 if there is no such image.

    Examples:
        >>> round(mcnemar(1, 9), 9)
        0.021484375
    """
    number, fewer = only_first + only_second, min(only_first, only_second)
    if 2 * fewer + 1 >= number:
        return 1.0
    # The binomial numbers from the middle down, as shares of the one at the middle: each follows
    # from the one above it, and those too small for a float add nothing.
    middle = number // 2
    share, below, tail = 1.0, 0.0, 0.0
    for k in range(middle, 0, -1):
        share *= k / (number - k + 1)  # of k - 1
        if not share:
            break
        below += share
        if k - 1 <= fewer:
            tail += share
    # The upper half mirrors the lower; an even number has one middle, an odd one has two.
    whole = 2 * below + (1 if number % 2 == 0 else 2)
    return min(1.0, 2 * tail / whole)


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Correct p-values for their number (Holm, Scandinavian Journal of Statistics 6, 1979).

    Args:
        values: p-values.

    Returns:
        The corrected ones, in the same order.

    Examples:
        >>> holm([0.01, 0.5, 0.02])
        (0.03, 0.5, 0.04)
    """
    corrected = [1.0] * len(values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = least
    return tuple(corrected)


def _numbers(answers: Sequence[Sequence[bool]]) -> list[list[float]]:
    return [[float(right) for right in seed] for seed in answers]


def _discordant(first: Sequence[bool], second: Sequence[bool]) -> tuple[int, int]:
    pairs = list(zip(first, second, strict=True))
    return sum(a and not b for a, b in pairs), sum(b and not a for a, b in pairs)


def _image_variance(only_first: int, only_second: int, images: int) -> float:
    """Of the difference of two matched proportions, half an image added to each cell."""
    b, c, n = only_first + 0.5, only_second + 0.5, images + 2
    return (b + c - (b - c) ** 2 / n) / n**2


def _within(t: float, freedom: int) -> float:
    """P(|T| <= |t|) of Student's t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = atan(abs(t) / sqrt(freedom))
    term = cos(angle) if freedom % 2 else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= (k - 1) / k * cos(angle) ** 2
        total += term
    share = sin(angle) * total
    return 2 / pi * (angle + share) if freedom % 2 else share


def _quantile(freedom: int) -> float:
    """The t that 95 % of |T| lie within, by halving."""
    low, high = 0.0, pi / 2
    for _ in range(60):
        middle = (low + high) / 2
        if _within(tan(middle), freedom) < 1 - LEVEL:
            low = middle
        else:
            high = middle
    return tan(low)


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
