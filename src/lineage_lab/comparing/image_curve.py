"""Would more images help? The same training on 10, 30 and 100 % of those that are there."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log

import torch

from lineage_lab.comparing.runs import answered
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import ImageSet
from lineage_lab.training.history import History
from lineage_lab.training.loop import finetune
from lineage_lab.training.metrics import METRICS, Measure, pooled_interval
from lineage_lab.training.pretrained import StartingPoint
from lineage_lab.training.recipe import Recipe

__all__ = ["SHARES", "ImageCurve", "image_curve", "nested"]

SHARES = (0.1, 0.3, 1.0)
FEWEST = 2  # of each class
WIDTH, HEIGHT = 560.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 40.0, 48.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCurve:
    """Trainings on growing parts of the same images.

    Attributes:
        images: How many each training had.
        runs: The trainings; all validated with the same images.
        metric: What is drawn, one of `lineage_lab.training.metrics.METRICS`.
    """

    images: tuple[int, ...]
    runs: tuple[History, ...]
    metric: str

    @property
    def points(self) -> tuple[Measure, ...]:
        """The metric of each training, with its interval."""
        return tuple(pooled_interval(self.metric, [answered(run)])[0] for run in self.runs)

    @property
    def words(self) -> str:
        """Whether more images would help, as far as the curve tells."""
        gap, p = pooled_interval(self.metric, [answered(self.runs[-1])], [answered(self.runs[-2])])
        few, many = self.images[-2:]
        if gap.value is None or gap.low is None or gap.high is None:
            name = METRICS[self.metric]
            return f"Whether more images would help can't be told: {name} is undefined."
        found = (
            f"From {few:,} to {many:,} images {METRICS[self.metric]} changes by {gap.value:+.3f} "
            f"(95 % interval {gap.low:+.3f} to {gap.high:+.3f})"
        )
        if p < 0.05 and gap.value > 0:
            return f"{found}: it still rises, so more images would probably help."
        return (
            f"{found}: no rise is shown, so that more images alone may not help. One training of "
            "each: another seed may differ."
        )

    def svg(self) -> str:
        """The curve, over the number of images on a logarithmic axis."""
        name = METRICS[self.metric]
        points = self.points
        d = Drawing(
            "image-curve",
            width=WIDTH,
            height=HEIGHT,
            title="Would more images help?",
            description="; ".join(
                f"{n:,} images: {name} {point.plain()}"
                for n, point in zip(self.images, points, strict=True)
            ),
        )
        defined = [p for p in points if p.value is not None]
        ends = [e for p in defined for e in (p.value, p.low, p.high) if e is not None]
        low, high = min(ends, default=0.0), max(ends, default=1.0)
        room = max(0.02, 0.1 * (high - low))
        low, high = max(0.0, low - room), high + room
        first, last = log(self.images[0]), log(self.images[-1])

        def x(images: int) -> float:
            share = (log(images) - first) / (last - first or 1)
            return LEFT + 20 + share * (WIDTH - LEFT - RIGHT - 40)

        def y(value: float) -> float:
            return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

        for i in range(5):
            level = low + i * (high - low) / 4
            d.line(LEFT, y(level), WIDTH - RIGHT, y(level))
            d.text(LEFT - 8, y(level) + 4, f"{level:.2f}", fill="muted", anchor="end")
        before: tuple[float, float] | None = None
        for images, point in zip(self.images, points, strict=True):
            d.text(x(images), HEIGHT - BOTTOM + 18, f"{images:,}", fill="muted", anchor="middle")
            if point.value is None:
                before = None
                continue
            here = x(images), y(point.value)
            if point.low is not None and point.high is not None:
                d.line(here[0], y(point.low), here[0], y(point.high), stroke="conv", stroke_width=2)
            if before is not None:
                d.line(*before, *here, stroke="conv", stroke_width=2)
            d.circle(*here, 5, fill="conv", stroke="paper")
            before = here
        d.text(LEFT, 20, f"{name}, with its 95 % interval", fill="muted")
        d.text(WIDTH - RIGHT, HEIGHT - 8, "images to train on", fill="muted", anchor="end")
        return d.svg()


def nested(train: ImageSet, share: float, *, seed: int) -> ImageSet:
    """A part of the images, of each class in proportion; a larger share holds the smaller one.

    Args:
        train: All images.
        share: Share of them, above 0.
        seed: Decides which.

    Returns:
        At least two of each class, where there are two.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label in range(len(train.classes)):
        of_class = (train.labels == label).nonzero().flatten()
        order = torch.randperm(len(of_class), generator=generator)
        chosen.append(of_class[order][: max(FEWEST, round(share * len(of_class)))])
    return train.take(torch.cat(chosen).sort().values)


def image_curve(
    start: StartingPoint,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe,
    *,
    on_step: Callable[[int, int, float], None] | None = None,
) -> ImageCurve:
    """Train on 10, 30 and 100 % of the images, with as many steps each.

    Args:
        start: The network's name, weights and normalisation.
        train: Images to train on.
        val: Images to validate with, the same for all.
        recipe: How; of a smaller part the passes are as many more.
        on_step: As for `lineage_lab.training.loop.finetune`.

    Returns:
        The trainings.

    Raises:
        ValueError: The recipe has ``minutes``, which more passes have no use for; what
            `lineage_lab.training.loop.finetune` raises.
    """
    if recipe.minutes is not None:
        raise ValueError("a curve gives each part as many steps: use epochs in place of minutes")
    images, runs = [], []
    for share in SHARES:
        part = nested(train, share, seed=recipe.seed)
        passes = len(train) / len(part)
        own = replace(
            recipe,
            epochs=max(1, round(recipe.epochs * passes)),
            head_epochs=round(recipe.head_epochs * passes),
        )
        model = start.model(len(train.classes), seed=recipe.seed)
        runs.append(
            finetune(model, part, val, own, mean=start.mean, std=start.std,
                     name=start.entry.name, on_step=on_step)
        )  # fmt: skip
        images.append(len(part))
    metric = runs[-1].metric
    return ImageCurve(images=tuple(images), runs=tuple(runs), metric=metric)
