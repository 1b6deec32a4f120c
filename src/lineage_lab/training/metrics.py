"""What a network gets right and what it misses, and how sure each number is.

All is computed from the classes and the probabilities of one part of a data set. Each number
has a 95 % interval from a bootstrap: the same number over and over, of as many images drawn with
replacement. Where images belong together (one module, one patient), whole groups are drawn, since
the images of a group are right or wrong together, and an interval from single images would be
too narrow.

A number that can't be computed, such as the recall of a class that the part does not have, is
``None`` and shown as "–". It is left out of the mean over the classes, and `Metrics.notes` says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "METRICS",
    "Answered",
    "Bin",
    "ClassMetrics",
    "Measure",
    "Metrics",
    "measure",
    "pooled_interval",
    "score",
    "wilson",
]

BINS = 15  # of the calibration error
RESAMPLES = 1000
FEW = 30  # images of a class; from fewer, a share is known roughly
AT_ONCE = 100_000  # numbers in one step of the bootstrap: they stay in the processor's cache
Z = 1.959963984540054  # 97.5 % of a normal distribution lie below

Numbers = NDArray[np.float64]

# Name -> words: one number for the whole part each.
METRICS: dict[str, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
}
LOWER_IS_BETTER = ("log_loss", "calibration_error")
PER_CLASS = ("recall", "precision", "f1", "auroc", "average_precision")


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its 95 % interval.

    Attributes:
        value: The number; ``None`` if it is not defined.
        low: Lower end of the interval; ``None`` if there is none.
        high: Upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def percent(self) -> str:
        """In percent, for people: ``81.2 % (78.9 to 83.4)``.

        Examples:
            >>> Measure(0.5, 0.25, 0.75).percent(), Measure(None).percent()
            ('50.0 % (25.0 to 75.0)', '–')
        """
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{100 * self.value:.1f} %"
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"

    def plain(self) -> str:
        """With three decimals, for people: ``0.812 (0.789 to 0.834)``."""
        if self.value is None:
            return "–"
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetrics:
    """What became of the images of one class.

    Attributes:
        name: The class.
        images: Images of it.
        named: Images that were named so, rightly or wrongly.
        recall: Share of its images that were named so.
        precision: Share of the images named so that are of it.
        f1: Harmonic mean of the two.
        auroc: Chance that an image of it has a higher probability of it than an image of
            another class has; ties count one half.
        average_precision: Mean precision over its images, each at its own probability.
    """

    name: str
    images: int
    named: int
    recall: Measure
    precision: Measure
    f1: Measure
    auroc: Measure
    average_precision: Measure


@dataclass(frozen=True, slots=True)
class Bin:
    """A point of the reliability curve: images of about the same confidence.

    Attributes:
        confidence: Mean probability of the class that is likeliest.
        accuracy: Share of them for which that class is right.
        images: How many.
    """

    confidence: float
    accuracy: float
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All numbers of one part.

    Attributes:
        images: Images scored.
        groups: Groups that the bootstrap drew from, 0 if it drew single images.
        resamples: How often it drew.
        bins: Bins of equal mass that the calibration error was asked for with.
        accuracy: Share of the images that were named rightly.
        balanced_accuracy: Mean recall over the classes.
        precision: Mean over the classes.
        f1: Mean over the classes.
        auroc: Mean over the classes, each against the rest.
        average_precision: Mean over the classes.
        log_loss: Mean of −log of the probability of the true class, in nats.
        calibration_error: Mean distance between confidence and share right, over the bins.
        classes: The classes, in their order.
        confusion: Images of each class (a line) by the class that they were named (a column).
        reliability: The reliability curve; bins without images are left out.
        notes: What is undefined, left out, or known roughly: a sentence each.
    """

    images: int
    groups: int
    resamples: int
    bins: int
    accuracy: Measure
    balanced_accuracy: Measure
    precision: Measure
    f1: Measure
    auroc: Measure
    average_precision: Measure
    log_loss: Measure
    calibration_error: Measure
    classes: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[Bin, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is undefined is ``null``."""
        return asdict(self)


def measure(
    truth: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    *,
    answers: ArrayLike | None = None,
    groups: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    bins: int = BINS,
    seed: int = 0,
) -> Metrics:
    """Score the answers to one part of a data set.

    Args:
        truth: True class of each image, ``int [images]``.
        probabilities: Of all classes, ``float [images, classes]``.
        classes: Their names.
        answers: Class that each image was named, where a threshold decided; ``None`` for the
            likeliest class.
        groups: Group of each image; whole groups are then drawn for the intervals.
        resamples: Draws of the bootstrap; 0 for no intervals.
        bins: Bins of the calibration error, each of as many images as far as ties allow.
        seed: Decides the draws.

    Returns:
        All numbers, with 95 % intervals: the 2.5th to the 97.5th percentile of the draws in
        which the number is defined. Resampling adds noise to a calibration error, so that its
        interval is reflected at the value (the basic bootstrap). Where all draws agree, as for
        four right answers of four, a share has Wilson's interval, of the groups where there
        are any, and other numbers have none.

    Raises:
        ValueError: The lengths differ, there is no image, a class has no name, or a
            probability is not a finite number from 0 to 1.

    Examples:
        >>> found = measure([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], ["no", "yes"])
        >>> [round(one.recall.value, 2) for one in found.classes]
        [1.0, 0.5]
    """
    sample = _Sample(truth, probabilities, classes, answers=answers, bins=bins)
    whole = sample.values(np.ones((1, sample.images)))
    drawn = _concatenated(sample.values(c) for c in _draws(sample.images, groups, resamples, seed))
    number = len(set(groups)) if groups else 0
    units = sample.units(groups)

    def interval(name: str, place: int | None = None) -> Measure:
        value = float(whole[name][0] if place is None else whole[name][0, place])
        found = drawn.get(name)
        if not np.isfinite(value) or found is None:
            return Measure(value if np.isfinite(value) else None)
        found = found if place is None else found[:, place]
        found = found[np.isfinite(found)]
        if not len(found) or np.ptp(found) <= 1e-12:
            return Measure(value, *_certain(name, value, place, sample, units))
        low, high = (float(edge) for edge in np.percentile(found, (2.5, 97.5)))
        if name == "calibration_error":
            low, high = max(0.0, 2 * value - high), min(1.0, 2 * value - low)
        return Measure(value, low, high)

    confusion = whole["confusion"][0].reshape(len(classes), -1).astype(int)
    overall = {name: interval(name) for name in METRICS}
    rows = tuple(
        ClassMetrics(
            name=name,
            images=int(confusion[i].sum()),
            named=int(confusion[:, i].sum()),
            **{which: interval(f"{which} of each", i) for which in PER_CLASS},
        )
        for i, name in enumerate(classes)
    )
    return Metrics(
        images=sample.images,
        groups=number,
        resamples=resamples,
        bins=bins,
        classes=rows,
        confusion=tuple(map(tuple, confusion.tolist())),
        reliability=sample.reliability(),
        notes=tuple(_notes(rows, overall, sample.images, number)),
        **overall,
    )


def score(
    name: str,
    truth: ArrayLike,
    probabilities: ArrayLike,
    *,
    answers: ArrayLike | None = None,
    bins: int = BINS,
) -> float | None:
    """One number of `METRICS`, or ``recall:CLASS`` by the class's index, without an interval.

    Args:
        name: Which.
        truth: As for `measure`.
        probabilities: As for `measure`.
        answers: As for `measure`.
        bins: As for `measure`.

    Returns:
        The number; ``None`` if it is not defined.

    Raises:
        ValueError: No number has that name; what `measure` raises.

    Examples:
        >>> score("balanced_accuracy", [0, 0, 1], [[1, 0], [1, 0], [1, 0]])
        0.5
    """
    sample = _Sample(truth, probabilities, None, answers=answers, bins=bins)
    which, place = _of_name(name, sample.classes)
    found = sample.values(np.ones((1, sample.images)), only=which)[which][0]
    value = float(found if place is None else found[place])
    return value if np.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers of one network to one part.

    Attributes:
        truth: Class of each image, ``int [images]``.
        probabilities: ``float [images, classes]``.
        groups: Group of each image; empty where there are none.
    """

    truth: ArrayLike
    probabilities: ArrayLike
    groups: Sequence[object] = ()


def pooled_interval(
    name: str,
    runs: Sequence[Answered],
    against: Sequence[Answered] = (),
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Measure, float]:
    """The mean of a number over several runs, or how far it is ahead of another network's.

    The images are drawn anew within each run, the same ones of both networks. The interval is as
    wide as that of one run, though the mean is of several: runs of one data set share images.

    Args:
        name: As for `score`.
        runs: Runs of one network.
        against: Runs of another on the same images, to take the difference; empty for none.
        resamples: Draws of each run.
        seed: Decides them.

    Returns:
        The mean with its interval, and of a difference the two-sided p: twice the smaller share of
        draws on either side of zero, one draw added to both; else 1.

    Raises:
        ValueError: The two have not the same images; what `score` raises.
    """
    values, spreads = [], []
    for i, run in enumerate(runs):
        pair = [_Sample(run.truth, run.probabilities, None, answers=None, bins=BINS)]
        if against:
            pair.append(_Sample(run.truth, against[i].probabilities, None, answers=None, bins=BINS))
            if not np.array_equal(run.truth, against[i].truth):
                raise ValueError("the two networks have not the same images")
        which, place = _of_name(name, pair[0].classes)

        def value_of(
            counts: Numbers, which: str = which, place: int | None = place,
            pair: Sequence[_Sample] = tuple(pair),
        ) -> Numbers:  # fmt: skip
            found = [sample.values(counts, only=which)[which] for sample in pair]
            gap: Numbers = found[0] - found[1] if len(found) > 1 else found[0]
            return gap if place is None else gap[:, place]

        value = float(value_of(np.ones((1, pair[0].images)))[0])
        drawn = [value_of(c) for c in _draws(pair[0].images, run.groups, resamples, seed + i)]
        values.append(value)
        spreads.append(np.concatenate(drawn) - value)
    mean = float(np.mean(values))
    pooled = mean + np.concatenate(spreads)
    pooled = pooled[np.isfinite(pooled)]
    if not np.isfinite(mean) or not len(pooled):
        return Measure(None), 1.0
    low, high = (float(edge) for edge in np.percentile(pooled, (2.5, 97.5)))
    # A draw that is level counts half on either side.
    below = (pooled < 0).sum() + (pooled == 0).sum() / 2
    side = min(below, len(pooled) - below)
    p = min(1.0, 2 * (side + 1) / (len(pooled) + 1)) if against else 1.0
    return Measure(mean, low, high), float(p)


def wilson(right: float, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Journal of the American Statistical Association, 1927).

    Args:
        right: How many.
        images: Of how many, 1 or more.

    Returns:
        Its ends, from 0 to 1.

    Examples:
        >>> [round(end, 3) for end in wilson(4, 4)]
        [0.51, 1.0]
    """
    share, spread = right / images, Z**2 / images
    middle = (share + spread / 2) / (1 + spread)
    half = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


class _Cells:
    """Images sorted into cells; sums over each cell for many draws at once."""

    def __init__(self, codes: NDArray[np.int64]) -> None:
        self.order = np.argsort(codes, kind="stable")
        in_order = codes[self.order]
        self.starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
        self.codes = in_order[self.starts]
        self.is_sorted = bool((self.order == np.arange(len(codes))).all())

    def sums(self, numbers: Numbers) -> Numbers:
        """``[draws, images]`` to ``[draws, cells]``."""
        return self.joined(numbers if self.is_sorted else numbers.take(self.order, axis=1))

    def joined(self, in_order: Numbers) -> Numbers:
        """The same of numbers that are in the cells' order."""
        if len(self.starts) == in_order.shape[1]:
            return in_order
        found: Numbers = np.add.reduceat(in_order, self.starts, axis=1)
        return found


class _Sample:
    """Images, their classes and probabilities, sorted once for all draws."""

    def __init__(
        self,
        truth: ArrayLike,
        probabilities: ArrayLike,
        names: Sequence[str] | None,
        *,
        answers: ArrayLike | None,
        bins: int,
    ) -> None:
        self.truth = np.asarray(truth, dtype=np.int64)
        self.probabilities = np.asarray(probabilities, dtype=np.float64)
        if self.probabilities.ndim != 2 or self.truth.shape != self.probabilities.shape[:1]:
            raise ValueError(
                f"expected one class an image and the probabilities of all classes: "
                f"{self.truth.shape} and {self.probabilities.shape}"
            )
        self.images, self.classes = self.probabilities.shape
        if not self.images:
            raise ValueError("there is no image to score")
        if names is not None and len(names) != self.classes:
            raise ValueError(f"{self.classes} probabilities an image, but {len(names)} names")
        if not ((self.probabilities >= 0) & (self.probabilities <= 1)).all():
            raise ValueError("probabilities must be finite numbers from 0 to 1")
        if self.truth.min() < 0 or self.truth.max() >= self.classes:
            raise ValueError(f"classes must be numbered from 0 to {self.classes - 1}")
        likeliest = self.probabilities.argmax(axis=1)
        self.answers = likeliest if answers is None else np.asarray(answers, dtype=np.int64)
        if self.answers.shape != self.truth.shape:
            raise ValueError(f"{len(self.truth)} images, but {len(self.answers)} answers")
        self._cells_of_confusion = _Cells(self.truth * self.classes + self.answers)
        eps = np.finfo(np.float64).eps  # as scikit-learn's log_loss
        of_truth = self.probabilities[np.arange(self.images), self.truth]
        self._losses = -np.log(np.clip(of_truth, eps, 1.0))
        self._confidence = self.probabilities.max(axis=1)
        self._is_right = (likeliest == self.truth).astype(np.float64)
        # As scikit-learn's calibration_curve(strategy="quantile").
        edges = np.percentile(self._confidence, np.linspace(0, 1, bins + 1) * 100)
        self._bins = _Cells(np.searchsorted(edges[1:-1], self._confidence))
        self._curves: list[tuple[_Cells, Numbers]] | None = None  # sorted when first asked for

    def units(self, groups: Sequence[str] | None) -> tuple[int, list[int], list[int]]:
        """What Wilson's interval counts: images, or groups that have any of them.

        Returns:
            In all, for each class by the truth, for each class by the answers.
        """
        if not groups:
            by_truth = np.bincount(self.truth, minlength=self.classes)
            by_answer = np.bincount(self.answers, minlength=self.classes)
            return self.images, by_truth.tolist(), by_answer.tolist()
        names = np.asarray(groups)
        each = range(self.classes)
        return (
            len(np.unique(names)),
            [len(np.unique(names[self.truth == c])) for c in each],
            [len(np.unique(names[self.answers == c])) for c in each],
        )

    def reliability(self) -> tuple[Bin, ...]:
        ones = np.ones((1, self.images))
        images = self._bins.sums(ones)[0]
        confidence = self._bins.sums(self._confidence[None])[0] / images
        right = self._bins.sums(self._is_right[None])[0] / images
        return tuple(
            Bin(float(c), float(r), int(n))
            for c, r, n in zip(confidence, right, images, strict=True)
        )

    def values(self, counts: Numbers, *, only: str = "") -> dict[str, Numbers]:
        """Every number of every draw.

        Args:
            counts: How often each draw has each image, ``[draws, images]``.
            only: Compute what this one needs.

        Returns:
            Name -> ``[draws]``; with " of each" ``[draws, classes]``. NaN where undefined.
        """
        found: dict[str, Numbers] = {}
        wanted = only.removesuffix(" of each")
        with np.errstate(divide="ignore", invalid="ignore"):
            if wanted not in ("auroc", "average_precision", "log_loss", "calibration_error"):
                self._by_answers(counts, found)
            if wanted in ("", "auroc", "average_precision"):
                self._by_order(counts, found, wanted)
            total = counts.sum(axis=1)
            if wanted in ("", "log_loss"):
                found["log_loss"] = counts @ self._losses / total
            if wanted in ("", "calibration_error"):
                gap = self._bins.sums(counts * (self._is_right - self._confidence))
                found["calibration_error"] = np.abs(gap).sum(axis=1) / total
        return found

    def _by_answers(self, counts: Numbers, found: dict[str, Numbers]) -> None:
        cells = np.zeros((len(counts), self.classes**2))
        cells[:, self._cells_of_confusion.codes] = self._cells_of_confusion.sums(counts)
        table = cells.reshape(-1, self.classes, self.classes)
        right = np.diagonal(table, axis1=1, axis2=2)
        of_class, named = table.sum(axis=2), table.sum(axis=1)
        recall = right / of_class
        found |= {
            "confusion": cells,
            "accuracy": right.sum(axis=1) / of_class.sum(axis=1),
            "balanced_accuracy": _mean(recall),
            "recall of each": recall,
            "precision of each": right / named,
            "f1 of each": 2 * right / (of_class + named),
        }
        found["precision"] = _mean(found["precision of each"])
        found["f1"] = _mean(found["f1 of each"])

    def _by_order(self, counts: Numbers, found: dict[str, Numbers], wanted: str) -> None:
        """AUROC and average precision of each class against the rest, ties and all."""
        if self._curves is None:
            self._curves = [self._curve(place) for place in range(self.classes)]
        shape = (len(counts), self.classes)
        auroc, average = np.empty(shape), np.empty(shape)
        every = positive = np.empty((0, 0))
        for place, (cells, is_of_class) in enumerate(self._curves):
            if place and self._are_mirrored:  # two classes: the same order from its other end
                every, positive = every[:, ::-1], (every - positive)[:, ::-1]
            else:
                in_order = counts if cells.is_sorted else counts.take(cells.order, axis=1)
                every, positive = cells.joined(in_order), cells.joined(in_order * is_of_class)
            above = np.cumsum(positive, axis=1)  # from the highest probability down
            positives = above[:, -1].copy()
            if wanted != "average_precision":
                negatives = every.sum(axis=1) - positives
                area = np.einsum("ij,ij->i", every - positive, above - positive / 2)
                auroc[:, place] = area / (positives * negatives)
            if wanted != "auroc":
                all_above = np.cumsum(every, axis=1)
                # Where nothing was drawn yet, 0 / 0: it has no positives to count either.
                np.maximum(all_above, 1, out=all_above)
                np.divide(above, all_above, out=above)
                average[:, place] = np.einsum("ij,ij->i", positive, above) / positives
        found |= {"auroc of each": auroc, "average_precision of each": average}
        found |= {"auroc": _mean(auroc), "average_precision": _mean(average)}

    def _curve(self, place: int) -> tuple[_Cells, Numbers]:
        cells = _Cells(_ranks(self.probabilities[:, place]))
        return cells, (self.truth == place)[cells.order].astype(np.float64)

    @cached_property
    def _are_mirrored(self) -> bool:
        """Whether two classes order the images alike, ties too, but for the direction."""
        if self.classes != 2:
            return False
        first, second = (_ranks(self.probabilities[:, place]) for place in (0, 1))
        return bool((first + second == first.max()).all())


def _ranks(probabilities: Numbers) -> NDArray[np.int64]:
    """0 for the highest; equal ones share a rank."""
    ranks: NDArray[np.int64] = np.unique(-probabilities, return_inverse=True)[1]
    return ranks


def _draws(
    images: int, groups: Sequence[object] | None, resamples: int, seed: int
) -> Iterator[Numbers]:
    """How often each draw has each image, some draws at a time: ``[draws, images]``."""
    generator = np.random.default_rng(seed)
    units, place = images, None
    if groups:
        if len(groups) != images:
            raise ValueError(f"{images} images, but {len(groups)} groups: one an image")
        names, place = np.unique(np.asarray(groups), return_inverse=True)
        units = len(names)
    step = max(1, AT_ONCE // images)
    for start in range(0, resamples, step):
        draws = min(step, resamples - start)
        chosen = generator.integers(0, units, (draws, units))
        chosen += np.arange(draws)[:, None] * units
        counts = np.bincount(chosen.ravel(), minlength=draws * units).reshape(draws, units)
        yield (counts if place is None else counts[:, place]).astype(np.float64)


def _concatenated(found: Iterator[dict[str, Numbers]]) -> dict[str, Numbers]:
    chunks = list(found)
    if not chunks:
        return {}
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def _mean(of_each: Numbers) -> Numbers:
    """Over the classes for which it is defined; NaN if it is for none."""
    defined = np.isfinite(of_each)
    total: Numbers = np.where(defined, of_each, 0).sum(axis=1) / defined.sum(axis=1)
    return total


def _of_name(name: str, classes: int) -> tuple[str, int | None]:
    which, _, of = name.partition(":")
    if of and which in PER_CLASS and of.isdecimal() and int(of) < classes:
        return f"{which} of each", int(of)
    if name not in METRICS:
        raise ValueError(
            f"no metric is called {name!r}: {', '.join(METRICS)}, or one of "
            f"{', '.join(PER_CLASS)} with a class's number, such as recall:1"
        )
    return name, None


def _certain(
    name: str,
    value: float,
    place: int | None,
    sample: _Sample,
    units: tuple[int, list[int], list[int]],
) -> tuple[float | None, float | None]:
    """The interval of a number on which all draws agree: of a share Wilson's, else none."""
    every, by_truth, by_answer = units
    numbers = {"recall of each": by_truth, "precision of each": by_answer}
    if name == "accuracy":
        return wilson(value * every, every)
    if place is not None and name in numbers:
        number = numbers[name][place]
        return wilson(value * number, number)
    if name == "balanced_accuracy":
        recall = sample.values(np.ones((1, sample.images)), only=name)["recall of each"][0]
        ends = [wilson(r * n, n) for r, n in zip(recall, by_truth, strict=True) if n]
        low, high = (float(np.mean([end[side] for end in ends])) for side in (0, 1))
        return low, high
    return None, None


def _notes(
    rows: Sequence[ClassMetrics], overall: dict[str, Measure], images: int, groups: int
) -> Iterator[str]:
    absent = [row.name for row in rows if not row.images]
    if absent:
        yield (
            f"No image is of {_listed(absent)}: recall, F1, AUROC and average precision of "
            f"{'it' if len(absent) == 1 else 'them'} are not defined and left out of the means."
        )
    unnamed = [row.name for row in rows if not row.named and row.images]
    if len(rows) - len(unnamed) - sum(not row.named and not row.images for row in rows) == 1:
        only = next(row.name for row in rows if row.named)
        present = len(rows) - len(absent)
        yield (
            f"Every image was named {only!r}: the network tells nothing apart. A balanced "
            f"accuracy of {100 / present:.0f} % is what such a network has."
        )
    if unnamed:
        yield (
            f"No image was named {_listed(unnamed)}: the precision of "
            f"{'it' if len(unnamed) == 1 else 'them'} is not defined and left out of the mean."
        )
    for row in rows:
        if 0 < row.images < FEW:
            low, high = wilson(row.images / 2, row.images)
            yield (
                f"Only {row.images} image(s) of {row.name!r}: a recall near one half is known "
                f"within {100 * low:.0f} to {100 * high:.0f} % at best. From {FEW} on it is "
                "known better."
            )
    if 0 < groups < FEW:
        yield (
            f"The intervals are drawn from {groups} groups only, and so are rough themselves: "
            "take them for the least that is unsure."
        )
    without = [METRICS[name] for name, found in overall.items()
               if found.value is not None and found.low is None]  # fmt: skip
    if without and len(without) < len(METRICS):
        yield (
            f"No interval for {', '.join(without)}: all draws from these {images} images give "
            "the same number, which is no sign that it is sure."
        )


def _listed(names: Sequence[str], most: int = 5) -> str:
    words = ", ".join(map(repr, names[:most]))
    return words if len(names) <= most else f"{words} and {len(names) - most} more"
