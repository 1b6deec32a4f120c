"""Between the epochs: what the validation images say, and what is chosen by it.

Chosen are the checkpoint to keep, when to stop, and how answers follow from scores. All of that
makes the validation part kinder than the world. A number to rely on comes from a part that
nothing has chosen by: the recipe's ``test`` keeps one.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineage_lab.data.sets import ImageSet, split
from lineage_lab.heads import scores
from lineage_lab.training.decision import Decision, choose_temperature, choose_threshold, scaled
from lineage_lab.training.device import autocast
from lineage_lab.training.metrics import FEW, LOWER_IS_BETTER, score, wilson
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe

__all__ = [
    "BY_PROBABILITY",
    "Validation",
    "check_threshold",
    "decision_for",
    "metric_for",
    "probabilities",
    "small_parts",
    "split_for",
    "validate",
]

logger = logging.getLogger(__name__)

BY_PROBABILITY = ("auroc", "average_precision", "log_loss", "calibration_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One look at the validation images.

    Attributes:
        accuracy: Share that is named rightly.
        score: Value of the metric that the checkpoint is chosen by; ``None`` if undefined.
        rank: Larger for a better network: the metric, among equals the log loss.
        probabilities: ``float [images, classes]``.
    """

    accuracy: float
    score: float | None
    rank: tuple[float, float]
    probabilities: NDArray[np.float64]

    @property
    def answers(self) -> tuple[int, ...]:
        """The likeliest class of each image."""
        return tuple(self.probabilities.argmax(axis=1).tolist())


def split_for(data: ImageSet, recipe: Recipe, *, limit: int | None = None) -> tuple[ImageSet, ...]:
    """The parts that a recipe asks for.

    Args:
        data: All images.
        recipe: Its seed, its share to test on, and whether groups are kept whole.
        limit: As for `lineage_lab.data.sets.split`.

    Returns:
        The part to train on, the part to validate with, and the part to test on if there is one.

    Raises:
        ValueError: See `lineage_lab.data.sets.split`.
    """
    groups = None if recipe.grouped else ()
    if recipe.test:
        return split(data, seed=recipe.seed, limit=limit, groups=groups, test=recipe.test)
    return split(data, seed=recipe.seed, limit=limit, groups=groups)


def metric_for(recipe: Recipe, train: ImageSet) -> str:
    """The metric that the best checkpoint is chosen by.

    Args:
        recipe: Its ``metric``.
        train: Images to train on.

    Returns:
        The recipe's; for ``auto`` balanced accuracy where the smallest class has less than half
        of the largest one's images, else accuracy.
    """
    if recipe.metric != "auto":
        return recipe.metric
    counts = train.labels.bincount(minlength=len(train.classes))
    return "balanced_accuracy" if 2 * int(counts.min()) < int(counts.max()) else "accuracy"


def small_parts(train: ImageSet, val: ImageSet, metric: str, recipe: Recipe) -> Iterator[str]:
    """What a reader should know of the images before the numbers come, a sentence each.

    Args:
        train: Images to train on.
        val: Images to validate with.
        metric: What `metric_for` gave.
        recipe: The recipe.
    """
    if recipe.metric == "auto" and metric != "accuracy":
        counts = train.labels.bincount(minlength=len(train.classes))
        yield (
            f"the smallest class has {int(counts.min())} images to train on, the largest "
            f"{int(counts.max())}: the best checkpoint is chosen by balanced accuracy "
            "(metric=accuracy for accuracy)"
        )
    counts = val.labels.bincount(minlength=len(val.classes))
    few = [(int(n), name) for n, name in zip(counts, val.classes, strict=True) if n < FEW]
    if few:
        number, name = min(few)
        what = f"{number} of {name!r}"
        ends = ""
        if number:
            low, high = wilson(number / 2, number)
            ends = f": a recall near one half is known within {100 * low:.0f} to {100 * high:.0f} %"
        yield (
            f"{len(few)} of {len(val.classes)} classes have fewer than {FEW} images to validate "
            f"with, the fewest {what}{ends}"
        )


def probabilities(
    model: nn.Module,
    data: ImageSet,
    *,
    prepare: Callable[[Tensor], Tensor],
    precision: str = "fp32",
    batch_size: int = 64,
    group: Group | None = None,
) -> NDArray[np.float64]:
    """What the network gives each class of each image.

    Args:
        model: The network; left in ``eval`` mode.
        data: Images.
        prepare: Turns ``uint8`` images into the network's input, on its device.
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        batch_size: Images at once.
        group: The processes that share the work: each image is seen by one of them.

    Returns:
        ``float [images, classes]``, in the set's order; a row sums to one.
    """
    group = group or Group()
    model.eval()
    mine = torch.arange(group.rank, len(data), group.size)
    found: list[Tensor] = []
    with torch.inference_mode():
        for places in mine.split(batch_size):  # type: ignore[no-untyped-call]
            x = prepare(data.images[places])
            with autocast(x.device, precision):
                given = scores(model(x))
            # On a Mac's GPU there is no float64.
            found.append(given.float().cpu().double().softmax(dim=1))
    rows = torch.cat(found).tolist() if found else []
    return np.array(group.all_of(rows, len(data)))


def validate(chances: NDArray[np.float64], val: ImageSet, metric: str) -> Validation:
    """Judge the answers to the validation images.

    Args:
        chances: ``float [images, classes]``.
        val: The images.
        metric: One of `lineage_lab.training.metrics.METRICS`.

    Returns:
        The numbers; an undefined metric ranks below any that is defined.
    """
    truth = val.labels.numpy()
    value = score(metric, truth, chances)
    loss = score("log_loss", truth, chances) or 0.0
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    return Validation(
        accuracy=int((chances.argmax(axis=1) == truth).sum()) / len(truth),
        score=value,
        rank=(-np.inf if value is None else sign * value, -loss),
        probabilities=chances,
    )


def decision_for(recipe: Recipe, val: ImageSet, chances: NDArray[np.float64]) -> Decision:
    """Temperature and threshold as the recipe asks for, chosen on the validation images.

    Args:
        recipe: Its ``calibrate``, ``threshold`` and ``positive``.
        val: Images to validate with.
        chances: ``float [images, classes]`` of them.

    Returns:
        What the checkpoint keeps. Where the threshold can't be had, as for a precision that is
        never reached, it has none, and a line in the log says so.
    """
    truth = val.labels.numpy()
    temperature = choose_temperature(truth, chances) if recipe.calibrate else 1.0
    if not recipe.threshold:
        return Decision(temperature=temperature)
    place = _positive(recipe, val)
    chance = scaled(chances, temperature)[:, place]
    try:
        threshold = choose_threshold(truth == place, chance, recipe.threshold)
    except ValueError as error:  # the run is not lost for it
        logger.warning("%s: the likeliest class is named", error)
        return Decision(temperature=temperature)
    return Decision(
        temperature=temperature,
        positive=val.classes[place],
        threshold=threshold,
        aim=recipe.threshold,
    )


def check_threshold(recipe: Recipe, val: ImageSet) -> None:
    """Find out before the training whether its threshold can be chosen.

    Args:
        recipe: Its ``threshold`` and ``positive``.
        val: Images to validate with.

    Raises:
        ValueError: The class is none of the data's, or the images are all of it or none is.
    """
    if recipe.positive and recipe.positive not in val.classes:
        raise ValueError(
            f"Recipe.positive={recipe.positive!r} is no class of {val.name}: "
            + ", ".join(map(repr, val.classes))
        )
    if recipe.threshold:
        is_of = val.labels.numpy() == _positive(recipe, val)
        choose_threshold(is_of, np.linspace(0, 1, len(is_of)), "balanced")


def _positive(recipe: Recipe, val: ImageSet) -> int:
    if recipe.positive:
        return val.classes.index(recipe.positive)
    counts = val.labels.bincount(minlength=len(val.classes))
    return int(counts.argmin())
