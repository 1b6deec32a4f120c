"""The learning-rate range test: raise the rate at each step and watch the loss.

L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017,
arXiv:1506.01186, section 3.3.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from lineage_lab.data.sets import ImageSet
from lineage_lab.training.batches import Batches, Prepare
from lineage_lab.training.device import Form, matmul_precision, pick_device
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.run import Run
from lineage_lab.training.step import step

__all__ = ["RateCurve", "lr_find"]

SMOOTHED = 0.8  # weight of the past in the running mean of the loss
DIVERGED = 4.0  # times the lowest loss: there is nothing more to learn


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Loss against learning rate.

    Attributes:
        rates: Learning rate of the body at each step, rising; the head's keeps its ratio.
        losses: Loss at each step, smoothed.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest: a rate to start from."""
        logs = [math.log(rate) for rate in self.rates]
        lowest = min(range(len(self.losses)), key=self.losses.__getitem__)
        # The slope over three steps, up to the lowest point.
        span = range(1, max(2, min(lowest, len(logs) - 1)))
        slopes = {
            i: (self.losses[i + 1] - self.losses[i - 1]) / (logs[i + 1] - logs[i - 1]) for i in span
        }
        return self.rates[min(slopes, key=slopes.__getitem__)]

    @property
    def highest(self) -> float:
        """A tenth of the rate of the lowest loss: beyond it training is at risk."""
        return self.rates[min(range(len(self.losses)), key=self.losses.__getitem__)] / 10


def lr_find(
    model: nn.Module,
    train: ImageSet,
    recipe: Recipe | None = None,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    lowest: float = 1e-7,
    highest: float = 1.0,
    steps: int = 80,
) -> RateCurve:
    """Train a copy of the network for a few steps, each at a higher rate.

    Args:
        model: A classifier whose head fits the classes; not changed.
        train: Images to train on.
        recipe: Batch size, optimizer, and the ratio of the head's rate to the body's.
        mean: Mean of each channel; see `lineage_lab.training.loop.finetune`.
        std: Standard deviation of each channel.
        lowest: First rate of the body.
        highest: Last rate, if the loss has not diverged before.
        steps: How many.

    Returns:
        The curve.

    Raises:
        ValueError: ``lowest`` is not below ``highest``, or there are fewer than ten steps.
    """
    if not 0 < lowest < highest or steps < 10:
        raise ValueError(
            f"lr_find needs 0 < lowest < highest and 10 steps or more, not {lowest}, {highest}, "
            f"{steps}"
        )
    recipe = replace(recipe or Recipe(), head_epochs=0, unfreeze="all", ema=0.0, minutes=None)
    device = pick_device(recipe.device)
    precision = "fp32" if recipe.precision == "auto" else recipe.precision
    layout = "contiguous" if device.type == "mps" else "channels_last"
    form = Form(precision=precision, memory_format=layout)
    random = torch.get_rng_state()
    run = Run(
        model=copy.deepcopy(model).to(device).to(memory_format=form.layout),
        train=train,
        recipe=recipe,
        form=form,
        prepare=Prepare(mean, std, device, layout=form.layout),
    )
    torch.manual_seed(recipe.seed)
    run.unfreeze(len(run.pieces))
    progress = run.progress
    ratio = recipe.lr or 1.0
    peaks = [group["peak"] / ratio for group in run.optimizer.param_groups]
    rates: list[float] = []
    losses: list[float] = []
    mean_loss = 0.0
    batches = Batches(train, recipe, 0, Group())
    with matmul_precision(device, precision):
        for number in range(steps):
            progress.batch = number % len(batches)
            if number and progress.batch == 0:
                progress.epoch += 1
                batches = Batches(train, recipe, progress.epoch, Group())
            images, labels, draws, _ = batches[progress.batch]
            rate = lowest * (highest / lowest) ** (number / (steps - 1))
            for group, peak in zip(run.optimizer.param_groups, peaks, strict=True):
                group["lr"] = rate * peak
            loss = step(run, images, labels, draws).item()
            if not math.isfinite(loss):
                break
            mean_loss = SMOOTHED * mean_loss + (1 - SMOOTHED) * loss
            rates.append(rate)
            losses.append(mean_loss / (1 - SMOOTHED ** (number + 1)))
            if number > 5 and losses[-1] > DIVERGED * min(losses):
                break
    torch.set_rng_state(random)
    return RateCurve(tuple(rates), tuple(losses))
