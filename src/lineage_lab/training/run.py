"""A run between its first step and its last: how far it is, and what its steps work with.

`Progress` is plain data, which checkpoints hold. `Run` is the network with all that trains it.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from lineage_lab.data.sets import ImageSet
from lineage_lab.heads import find_head
from lineage_lab.training.batches import Prepare
from lineage_lab.training.device import Form
from lineage_lab.training.history import Epoch
from lineage_lab.training.loss import balanced_weights, log_priors
from lineage_lab.training.optim import batch_norms, factor, frozen, optimizer, parts
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe

__all__ = ["Progress", "Run", "Statistics"]

logger = logging.getLogger(__name__)

FEW_IMAGES = 8  # a batch norm's statistics from fewer are rough


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes:
        accumulate: Parts in which a step's images go through the network: the recipe's, or more
            once memory ran out.
        epoch: Epochs that are done.
        batch: Batches of the present epoch that are done.
        seconds: Training so far.
        images_trained: Images that went through training steps, each pass counted.
        best: Rank of the best validation so far, see
            `lineage_lab.training.validation.Validation`; ``None`` before the first.
        best_epoch: Epochs that were done then.
        losses: Training loss at each step.
        curve: Learning curve, a point an epoch.
    """

    accumulate: int
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    images_trained: int = 0
    best: tuple[float, float] | None = None
    best_epoch: int = 0
    losses: list[float] = field(default_factory=list)
    curve: list[Epoch] = field(default_factory=list)


class Statistics:
    """A network's running statistics, and how they were when the loss was last seen finite.

    Args:
        model: The network.
    """

    def __init__(self, model: nn.Module) -> None:
        self._values = [b for b in model.buffers() if b.is_floating_point()]
        self._sound = [b.clone() for b in self._values]

    def note(self) -> None:
        """Remember them as they are now, since a bad batch would spoil them."""
        if self._values:
            torch._foreach_copy_(self._sound, self._values)

    def undo(self) -> None:
        """Set them back to what was noted."""
        if self._values:
            torch._foreach_copy_(self._values, self._sound)


@dataclass(kw_only=True, eq=False)
class Run:
    """What the training step and the loop work with. Making one changes none of its arguments.

    Attributes:
        model: Network, on its device and in the form's memory format.
        train: Images to train on.
        recipe: How.
        form: Precision and memory format.
        prepare: Makes the network's input of images, in the form's memory format.
        group: Processes that share the run.
        progress: How far it is.
        parameters: All parameters, in the network's order.
        pieces: The network's body in pieces, which are unfrozen one by one.
        frozen: Modules that were given with frozen parameters; they stay so.
        norms: Batch norms with statistics that an earlier training has filled.
        optimizer: Optimizer of all parameters.
        scaler: Loss scaler; idle but in ``fp16``.
        average: Moving average of the weights, if the recipe asks for one.
        class_weights: Weight of each class in the loss, if the recipe asks for any.
        shift: What is added to the scores while training, if the recipe asks for any.
        statistics: Running statistics, and a sound copy of them.
        bad: Whether a step went wrong; on the device, so that the host need not wait to know.
        net: Network that the images go through: the model, compiled or shared with the group.
    """

    model: nn.Module
    train: ImageSet
    recipe: Recipe
    form: Form
    prepare: Prepare
    group: Group = field(default_factory=Group)
    progress: Progress = field(init=False)
    parameters: tuple[nn.Parameter, ...] = field(init=False)
    pieces: tuple[nn.Module, ...] = field(init=False)
    frozen: frozenset[nn.Module] = field(init=False)
    norms: list[nn.Module] = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)
    scaler: torch.amp.GradScaler = field(init=False)
    average: AveragedModel | None = field(init=False, default=None)
    class_weights: Tensor | None = field(init=False, default=None)
    shift: Tensor | None = field(init=False, default=None)
    statistics: Statistics = field(init=False)
    bad: Tensor = field(init=False)
    net: Callable[[Tensor], Any] = field(init=False)

    def __post_init__(self) -> None:
        recipe, model, device = self.recipe, self.model, self.device
        _, head = find_head(model)
        self.progress = Progress(accumulate=recipe.accumulate)
        self.parameters = tuple(model.parameters())
        self.pieces = parts(model, head)
        self.frozen = frozen(model)
        self.norms = batch_norms(model)
        self.optimizer = optimizer(model, head, recipe, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.form.precision == "fp16")
        if recipe.ema:
            self.average = AveragedModel(model, multi_avg_fn=self._move_average)
        if recipe.class_weights == "balanced":
            self.class_weights = balanced_weights(self._counts).to(device)
        if recipe.logit_adjustment:
            self.shift = recipe.logit_adjustment * log_priors(self._counts).to(device)
        self.statistics = Statistics(model)
        self.bad = torch.zeros((), device=device)
        self.net = model

    @property
    def _counts(self) -> list[int]:
        labels = self.train.labels
        counts: list[int] = labels.bincount(minlength=len(self.train.classes)).tolist()
        return counts

    @property
    def device(self) -> torch.device:
        """Device that it runs on."""
        return self.prepare.device

    @property
    def flips(self) -> str:
        """Mirror images that are made: the recipe's, or those that the images allow."""
        return self.train.flips if self.recipe.flips == "auto" else self.recipe.flips

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return math.ceil(len(self.train) / self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Steps in all, 0 where the clock decides."""
        recipe = self.recipe
        return 0 if recipe.minutes else (recipe.head_epochs + recipe.epochs) * self.batches

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, the time is up, or nothing got better for too long."""
        recipe = self.recipe
        if recipe.minutes is not None:
            return self.progress.seconds >= 60 * recipe.minutes
        since = self.progress.epoch - max(self.progress.best_epoch, recipe.head_epochs)
        if recipe.patience and since >= recipe.patience:
            return True
        return self.progress.epoch >= recipe.head_epochs + recipe.epochs

    @property
    def result(self) -> nn.Module:
        """The network that is validated and saved: the moving average if there is one."""
        return self.average.module if self.average is not None else self.model

    def _move_average(
        self, averages: Sequence[Tensor], weights: Sequence[Tensor], _: Tensor | int
    ) -> None:
        """One step of the moving average.

        It is warmed up: early on its memory is short. Else a run that is shorter than the memory
        would end near the weights that it began with.
        """
        done = self.progress.epoch * self.batches + self.progress.batch
        decay = min(self.recipe.ema, (1 + done) / (10 + done))
        kinds: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        for average, weight in zip(averages, weights, strict=True):
            pair = kinds.setdefault(average.dtype, ([], []))
            pair[0].append(average)
            pair[1].append(weight)
        for dtype, (of_run, of_step) in kinds.items():
            if dtype.is_floating_point:
                torch._foreach_lerp_(of_run, of_step, 1 - decay)
            else:
                torch._foreach_copy_(of_run, of_step)

    def warn_of_few_images(self) -> None:
        """Say so if batch norms learn from few images at once, and what is better."""
        recipe = self.recipe
        fixed = recipe.norms == "frozen" or (recipe.norms == "auto" and recipe.unfreeze == "none")
        at_once = recipe.batch_size // self.progress.accumulate // self.group.size
        if self.norms and not fixed and at_once < FEW_IMAGES:
            logger.warning(
                "the batch norms learn from %d images at once, which is few: norms=frozen with "
                "lower rates (lr=0.0001, head_lr=0.001) may do better",
                at_once,
            )

    def share_done(self) -> float:
        """How much of the present phase (head alone, or all) will be done after this step."""
        head = self.recipe.head_epochs * self.batches
        step = self.progress.epoch * self.batches + self.progress.batch
        if step < head:
            return (step + 1) / (head + 1)
        if self.recipe.minutes:
            return min(1.0, self.progress.seconds / (60 * self.recipe.minutes))
        return (step - head + 1) / (self.recipe.epochs * self.batches + 1)

    def set_rates(self) -> None:
        """Set each learning rate to what the schedule says for this step."""
        rate = factor(self.share_done(), self.recipe.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate

    def pieces_due(self) -> int:
        """How many pieces of the body learn in this step, counted from the head down."""
        recipe = self.recipe
        if self.progress.epoch < recipe.head_epochs or recipe.unfreeze == "none":
            return 0
        if recipe.unfreeze == "gradual":
            return min(len(self.pieces), math.ceil(2 * self.share_done() * len(self.pieces)))
        return len(self.pieces)

    def unfreeze(self, pieces: int) -> None:
        """Let the head and so many pieces above it learn, and nothing else; in ``train`` mode.

        Args:
            pieces: How many, from the head down.
        """
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(group["depth"] <= pieces)
                if not parameter.requires_grad:
                    parameter.grad = None
        self.model.train()
        resting = {m for piece in self.pieces[: len(self.pieces) - pieces] for m in piece.modules()}
        for norm in self.norms:
            is_fixed = self.recipe.norms != "train" and norm in resting
            norm.train(not (is_fixed or self.recipe.norms == "frozen"))
        for module in self.frozen:
            if hasattr(module, "running_mean"):  # also one that nobody has trained yet
                module.eval()
        self.net = self.model
        if self.group.size > 1:
            ids = [self.device.index] if self.device.type == "cuda" else None
            self.net = DistributedDataParallel(self.model, device_ids=ids)
        elif self.form.compiled:
            self.net = torch.compile(self.model)
