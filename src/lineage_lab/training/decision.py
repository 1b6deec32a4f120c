"""From scores to answers: how sure the network says it is, and from where a class is named.

Both are chosen on validation images after the training and kept with the checkpoint: a
temperature, which makes the probabilities honest and changes no answer, and a threshold for one
class, which changes the answers where missing that class costs more than a false alarm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Decision", "choose_temperature", "choose_threshold", "fitted_odds",
           "read_aim", "scaled"]  # fmt: skip

COLDEST, HOTTEST = 0.1, 10.0  # temperatures: a few images could ask for any
TINY = 1e-12
RIDGE = 1e-2  # weight of the wish for a slope of 1 and no shift, in images

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How answers follow from scores.

    Attributes:
        temperature: What the scores are divided by before they become probabilities.
        positive: The class that has a threshold; empty for none, and the likeliest is named.
        threshold: The probability from which `positive` is named.
        aim: What the threshold was chosen for, such as ``recall=0.9``.

    Raises:
        ValueError: A value is out of its range.
    """

    temperature: float = 1.0
    positive: str = ""
    threshold: float = 0.5
    aim: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"a temperature is a number above 0, not {self.temperature!r}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"a threshold is a number from 0 to 1, not {self.threshold!r}")

    def answers(self, probabilities: ArrayLike, classes: Sequence[str]) -> NDArray[np.int64]:
        """The class that each image is named.

        Args:
            probabilities: ``float [images, classes]``, at this temperature.
            classes: Their names.

        Returns:
            ``int [images]``.
        """
        found = np.array(probabilities, dtype=np.float64)
        likeliest: NDArray[np.int64] = found.argmax(axis=1)
        if not self.positive:
            return likeliest
        place = list(classes).index(self.positive)
        is_named = found[:, place] >= self.threshold
        found[:, place] = -1
        return np.where(is_named, place, found.argmax(axis=1))

    @property
    def words(self) -> str:
        """The rule in words."""
        if not self.positive:
            return "the likeliest class"
        aim = f", chosen on validation images for {self.aim}" if self.aim else ""
        return (
            f"{self.positive!r} from a probability of {self.threshold:.3f} on{aim}; else the "
            "likeliest of the others"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the checkpoint; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any], classes: Sequence[str]) -> "Decision":
        """Read what `to_dict` gave.

        Raises:
            ValueError: A field is unknown or of another kind, or the class is none of these.
        """
        try:
            decision = cls(**found)
        except TypeError as error:
            raise ValueError(f"its decision can't be read: {error}") from error
        if decision.positive and decision.positive not in classes:
            raise ValueError(f"its threshold is for {decision.positive!r}, which is no class of it")
        return decision


def scaled(probabilities: ArrayLike, temperature: float) -> Numbers:
    """Probabilities as another temperature would have given them.

    Args:
        probabilities: ``float [images, classes]`` at a temperature of 1.
        temperature: The other.

    Returns:
        ``float [images, classes]``.
    """
    logs = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), TINY, 1)) / temperature
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Numbers = found / found.sum(axis=1, keepdims=True)
    return shares


def choose_temperature(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """The temperature with the lowest log loss (Guo and others, arXiv:1706.04599, section 4.2).

    Args:
        truth: Class of each image, ``int [images]``.
        probabilities: ``float [images, classes]`` at a temperature of 1.

    Returns:
        From 0.1 to 10. The log loss is convex in its inverse, so that halving finds it.

    Examples:
        >>> choose_temperature([0, 0, 0, 1], [[0.999, 0.001]] * 4) > 5
        True
    """
    wanted = np.asarray(truth, dtype=np.int64)
    logs = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), TINY, 1))

    def slope(inverse: float) -> float:
        shares = scaled(np.exp(logs), 1 / inverse)
        mean = (shares * logs).sum(axis=1)
        return float((mean - logs[np.arange(len(wanted)), wanted]).mean())

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / low


def choose_threshold(truth: ArrayLike, probability: ArrayLike, aim: str) -> float:
    """The probability from which a class should be named.

    Args:
        truth: Whether each image is of the class.
        probability: Of the class, for each image.
        aim: ``recall=0.9``: the highest threshold that finds nine of ten. ``precision=0.65``: the
            lowest from which so many of the images named are of it, that is the highest recall
            there. ``cost=5``: a missed image costs as much as five false alarms. ``balanced``: a
            miss costs as many false alarms as make both classes weigh the same. For these two the
            log odds are fitted first, see `fitted_odds`.

    Returns:
        From 0 to 1; of a recall or a precision half way between two probabilities, or an end.

    Raises:
        ValueError: The aim can't be read or can't be had, or all images are of one kind.

    Examples:
        >>> choose_threshold([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.9], "recall=1")
        0.2
    """
    is_of = np.asarray(truth, dtype=bool)
    chance = np.asarray(probability, dtype=np.float64)
    kind, number = read_aim(aim)
    if is_of.all() or not is_of.any():
        raise ValueError(
            "a threshold needs validation images of the class and of the others: add images, or "
            "leave the threshold out"
        )
    levels, place = np.unique(chance, return_inverse=True)
    at = np.r_[0.0, (levels[1:] + levels[:-1]) / 2, np.nextafter(levels[-1], 2)]
    # Of each level: what is named from there on.
    hits = np.r_[np.bincount(place, is_of)[::-1].cumsum()[::-1], 0]
    named = np.r_[np.bincount(place)[::-1].cumsum()[::-1], 0]
    misses, alarms = is_of.sum() - hits, named - hits
    if kind == "recall":
        chosen = np.flatnonzero(hits >= number * is_of.sum() - 1e-9)[-1]
    elif kind == "precision":
        fits = np.flatnonzero(hits >= number * named - 1e-9)
        fits = fits[hits[fits] > 0]
        if not len(fits):
            raise ValueError(f"no threshold gives a precision of {number} on the validation images")
        chosen = fits[0]
    else:
        # What a missed image costs in false alarms; the odds from which naming it is cheaper.
        cost = (~is_of).sum() / is_of.sum() if kind == "balanced" else number
        slope, shift = fitted_odds(is_of, chance)
        if slope > 0:
            return float(1 / (1 + np.exp((shift + np.log(cost)) / slope)))
        chosen = np.argmin(cost * misses + alarms)
    return float(min(1.0, at[chosen]))


def fitted_odds(is_of: NDArray[np.bool_], chance: Numbers) -> tuple[float, float]:
    """Slope and shift that make log odds honest (Platt, 1999), by Newton's method.

    Two numbers for all images are surer than the one gap between two images at which a count of
    mistakes happens to be least.

    Args:
        is_of: Whether each image is of the class.
        chance: Probability of the class, for each image.

    Returns:
        a and b of the log odds a · log(p / (1 − p)) + b.
    """
    clipped = np.clip(chance, TINY, 1 - TINY)
    inputs = np.stack((np.log(clipped / (1 - clipped)), np.ones(len(clipped))), axis=1)
    found = np.array([1.0, 0.0])
    for _ in range(100):
        shares = 1 / (1 + np.exp(-np.clip(inputs @ found, -700, 700)))
        # The ridge keeps two classes that don't overlap from asking for infinite odds.
        gradient = inputs.T @ (shares - is_of) + RIDGE * (found - [1, 0])
        curvature = (inputs * (shares * (1 - shares))[:, None]).T @ inputs + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        found = found - step * min(1.0, 2 / (np.abs(step).max() + TINY))
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), float(found[1])


def read_aim(aim: str) -> tuple[str, float]:
    """Kind and number of a threshold's aim.

    Args:
        aim: As for `choose_threshold`.

    Raises:
        ValueError: It is none that `choose_threshold` knows.
    """
    kind, sign, text = aim.partition("=")
    if kind == "balanced" and not sign:
        return kind, 0.0
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if kind in ("recall", "precision") and 0 < number <= 1:
        return kind, number
    if kind == "cost" and 0 < number < float("inf"):
        return kind, number
    raise ValueError(
        f"a threshold is chosen for balanced, recall=SHARE, precision=SHARE or cost=NUMBER (what "
        f"a missed image costs in false alarms), not {aim!r}"
    )
