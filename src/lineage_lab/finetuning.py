"""The fine-tune routine: one straight training step, in plain PyTorch.

Precision and memory format are chosen once, before the first step. What is timed is the
training alone: the trial that warms up the kernels runs before, on a copy; validation and the
writing of checkpoints are not counted. No network is known here by its name.

Read from the bottom: `_step` is the training step, `_train` the loop around it, `finetune` what
goes before and after. Neighbours: `lineage_lab.recipe` says how, `lineage_lab.device` in which
form, `lineage_lab.optim` with which rates, `lineage_lab.augment` changes the images,
`lineage_lab.distributed` shares them out; `lineage_lab.comparison` runs several networks.
"""

import copy
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from lineage_lab import checkpoint
from lineage_lab import device as devices
from lineage_lab.augment import blended, cropped, mirrored, uniform
from lineage_lab.data import ImageSet
from lineage_lab.device import Form, autocast, finish
from lineage_lab.distributed import Group, joined
from lineage_lab.heads import find_head
from lineage_lab.optim import batch_norms, factor, optimizer, parts
from lineage_lab.recipe import Recipe

__all__ = ["Epoch", "History", "Interrupted", "Prepare", "evaluate", "finetune"]

logger = logging.getLogger(__name__)

HALF = (0.5, 0.5, 0.5)
DRAWS = 6  # random numbers an image: two mirrors, a crop's area, aspect, and place
AUXILIARY = 0.3  # weight of GoogLeNet's auxiliary classifiers (arXiv:1409.4842, section 5)
SHOWN_EVERY = 0.25  # seconds between two looks at a GPU's results
SAVED_EVERY = 60.0  # seconds between two checkpoints
LOOKED_AT = ("cpu",)  # devices that give each loss without a wait
FEW_IMAGES = 8  # a batch norm's statistics from fewer are too rough to learn from

OnStep = Callable[[int, int, float], None]


class Interrupted(RuntimeError):  # noqa: N818  (says what happened)
    """The run was asked to stop, and its state was saved.

    Attributes:
        signal: The signal's number.
        path: The checkpoint.
    """

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; the run is kept in {path}")
        self.signal = number
        self.path = path


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the images: a point of the learning curve.

    Attributes:
        train_loss: Mean over the steps.
        val_accuracy: From 0 to 1.
        seconds: Training so far, from the run's first step.
    """

    train_loss: float
    val_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What came of a run.

    Attributes:
        val_accuracy: Share of the validation images that are named rightly, from 0 to 1.
        answers: For each validation image, the class that it was given.
        correct: For each validation image, whether it was named rightly.
        losses: Training loss at each step.
        epochs: The learning curve.
        train_seconds: Training alone: all steps of all epochs; neither the warm-up before,
            nor validation, nor the writing of checkpoints.
        warmup_seconds: The trial before the first step.
        images_trained: Images that went through training steps, each pass counted.
        peak_memory: Bytes, or ``None`` where the system doesn't tell.
        memory_kind: What `peak_memory` is of.
        energy_joules: Of the GPU, training and validation; ``None`` where it doesn't tell.
        device: Where it ran.
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        memory_format: ``channels_last`` or ``contiguous``.
        compiled: Whether ``torch.compile`` was used.
        processes: How many shared the run.
    """

    val_accuracy: float
    answers: tuple[int, ...]
    correct: tuple[bool, ...]
    losses: tuple[float, ...]
    epochs: tuple[Epoch, ...]
    train_seconds: float
    warmup_seconds: float
    images_trained: int
    peak_memory: int | None
    memory_kind: str
    energy_joules: float | None
    device: str
    precision: str
    memory_format: str
    compiled: bool
    processes: int = 1

    @property
    def images_per_second(self) -> float:
        """Images trained a second."""
        return self.images_trained / self.train_seconds


def finetune(
    model: nn.Module,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe | None = None,
    *,
    mean: Sequence[float] = HALF,
    std: Sequence[float] = HALF,
    name: str = "",
    folder: str | Path | None = None,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> History:
    """Fine-tune a network whose head fits the classes, and validate it.

    Args:
        model: A classifier with a head of as many scores as there are classes (see
            `lineage_lab.heads.replace_head`); changed in place, left on the device.
        train: Images to train on.
        val: Images to validate with.
        recipe: How; the default recipe if ``None``.
        mean: Of each channel, which the published weights were trained with; pixels 0 to 1.
        std: Likewise.
        name: The registry's name of the network, for the checkpoint.
        folder: Where to keep ``last.ckpt`` (each minute and each epoch) and ``best.ckpt``;
            ``None`` to keep none. With it, SIGTERM and Ctrl-C save before they stop the run.
        resume: Go on from the newest checkpoint in ``folder``, if there is one.
        on_step: Called with the step's number from 1, the number of steps (0 if the recipe
            has ``minutes``), and the loss: after each step on a CPU, a few times a second on
            a GPU, always after the last step.

    Returns:
        What came of it.

    Raises:
        ValueError: The head does not fit the classes, the recipe can't be followed here, or
            the loss is not finite; then the message names the batch, and the network holds
            the weights from before it.
        Interrupted: A signal came, and the state was saved.
    """
    recipe = recipe or Recipe()
    path, head = find_head(model)
    if head.weight.shape[0] != len(train.classes):
        raise ValueError(
            f"the head gives {head.weight.shape[0]} scores, but {train.name} has "
            f"{len(train.classes)} classes: replace_head(model, {len(train.classes)})"
        )
    device = devices.pick_device(recipe.device)
    _check_device(recipe, device)
    with joined(device) as group:
        _check_group(recipe, group, len(train))
        model.to(device)
        prepare = Prepare(mean, std, device)
        devices.forget_peak_memory(device)
        start = time.perf_counter()
        form = _choose_form(model, path, train, recipe, prepare, group)
        warmup_seconds = time.perf_counter() - start
        run = _Run(model, path, recipe, form, prepare, group, train, name=name, folder=folder)
        if resume and folder is not None:
            run.restore()
        before = devices.energy(device)
        with devices.matmul_precision(device, form.precision), _signals(run):
            answers = _train(run, val, on_step)
        after = devices.energy(device)
    peak, kind = devices.peak_memory(device)
    correct = tuple((torch.tensor(answers) == val.labels).tolist())
    return History(
        val_accuracy=sum(correct) / len(correct),
        answers=answers,
        correct=correct,
        losses=tuple(run.losses),
        epochs=tuple(run.curve),
        train_seconds=run.seconds,
        warmup_seconds=warmup_seconds,
        images_trained=run.images_trained,
        peak_memory=peak,
        memory_kind=kind,
        energy_joules=None if before is None or after is None else after - before,
        device=devices.device_name(device),
        precision=form.precision,
        memory_format=form.memory_format,
        compiled=form.compiled,
        processes=group.size,
    )


def evaluate(
    model: nn.Module,
    data: ImageSet,
    *,
    prepare: Callable[[Tensor], Tensor],
    precision: str = "fp32",
    batch_size: int = 64,
    group: Group | None = None,
) -> tuple[int, ...]:
    """For each image, the class that the network gives it.

    Args:
        model: The network; left in ``eval`` mode.
        data: Images.
        prepare: Turns ``uint8`` images into the network's input, on its device.
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        batch_size: Images at once.
        group: The processes that share the work: each image is seen by one of them.

    Returns:
        One class an image, in the set's order.
    """
    group = group or Group()
    model.eval()
    mine = torch.arange(group.rank, len(data), group.size)
    answers: list[Tensor] = []
    with torch.inference_mode():
        for places in mine.split(batch_size):  # type: ignore[no-untyped-call]
            x = prepare(data.images[places])
            with autocast(x.device, precision):
                answers.append(model(x).argmax(dim=1))
    found: list[int] = torch.cat(answers).tolist() if answers else []
    return tuple(group.all_of(found, len(data)))


class Prepare:
    """``uint8`` images to what the network takes: on the device, normalised, in its layout.

    Args:
        mean: Of each channel; pixels from 0 to 1.
        std: Likewise.
        device: Where to.

    Attributes:
        layout: The memory format of what it gives.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self.mean = 255 * torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self.scale = 1 / (255 * torch.tensor(std, device=device).view(1, -1, 1, 1))
        self.device = device
        self.layout = torch.contiguous_format

    def __call__(self, images: Tensor) -> Tensor:
        """``uint8 [n, channels or 1, side, side]`` to ``float32 [n, channels, side, side]``."""
        x = images.to(self.device, non_blocking=True).float()
        # A grey image becomes one of three equal channels by broadcasting against the mean.
        return ((x - self.mean) * self.scale).contiguous(memory_format=self.layout)


class _Batches(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """The batches of one epoch, this process's share of each, gathered when they are asked for."""

    def __init__(self, data: ImageSet, recipe: Recipe, epoch: int, group: Group) -> None:
        generator = torch.Generator().manual_seed(recipe.seed * 10_007 + epoch)
        order = torch.randperm(len(data), generator=generator)
        # Sizes differ by one at most: none is a single image.
        self.batches = order.tensor_split(math.ceil(len(data) / recipe.batch_size))
        self.data, self.group = data, group
        self.seed, self.epoch = recipe.seed, epoch

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        places = self.group.share(self.batches[number])
        draws = uniform(self.seed, self.epoch, places, count=DRAWS)
        return self.data.images[places], self.data.labels[places], draws, places


@dataclass
class _Run:
    """A run between its first step and its last: everything that a checkpoint must hold."""

    model: nn.Module
    head_path: str
    recipe: Recipe
    form: Form
    prepare: Prepare
    group: Group
    train: ImageSet
    name: str = ""
    folder: str | Path | None = None
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    images_trained: int = 0
    accumulate: int = 1
    best: float = -1.0
    losses: list[float] = field(default_factory=list)
    curve: list[Epoch] = field(default_factory=list)
    stopped_by: int = 0

    def __post_init__(self) -> None:
        recipe, device = self.recipe, self.prepare.device
        self.device = device
        self.accumulate = recipe.accumulate
        self.prepare.layout = self.form.layout
        self.model.to(memory_format=self.form.layout)
        self.head = self.model.get_submodule(self.head_path)
        self.norms = batch_norms(self.model)
        if recipe.sync_norms and self.group.size > 1:
            self.model = nn.SyncBatchNorm.convert_sync_batchnorm(  # type: ignore[no-untyped-call]
                self.model
            )
        self.pieces = parts(self.model, self.head)
        self.parameters = list(self.model.parameters())
        self.optimizer = optimizer(self.model, self.head, recipe, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.form.precision == "fp16")
        self.average: AveragedModel | None = None
        if recipe.ema:
            multi = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(self.model, multi_avg_fn=multi)
        # On the device: whether a step went wrong, so that the host need not wait to know.
        self.bad = torch.zeros((), device=device)
        self.statistics = [b for b in self.model.buffers() if b.is_floating_point()]
        self.safe_statistics = [b.clone() for b in self.statistics]
        self.batches = math.ceil(len(self.train) / recipe.batch_size)
        torch.manual_seed(recipe.seed)
        self.learning = -1
        self.net: Callable[[Tensor], Any] = self.model
        flips = self.train.flips if recipe.flips == "auto" else recipe.flips
        self.flips = flips

    @property
    def epochs(self) -> int:
        """Passes in all; with a budget of minutes as many as it takes."""
        recipe = self.recipe
        return 10**9 if recipe.minutes else recipe.head_epochs + recipe.epochs

    @property
    def steps(self) -> int:
        """Steps in all, 0 where the clock decides."""
        return 0 if self.recipe.minutes else self.epochs * self.batches

    @property
    def kept(self) -> nn.Module:
        """The network that is validated and kept: the moving average if there is one."""
        return self.average.module if self.average is not None else self.model

    def share_done(self) -> float:
        """How much of the present phase (head alone, or all) will be done after this step."""
        head = self.recipe.head_epochs * self.batches
        step = self.epoch * self.batches + self.batch
        if step < head:
            return (step + 1) / (head + 1)
        if self.recipe.minutes:
            return min(1.0, self.seconds / (60 * self.recipe.minutes))
        return (step - head + 1) / (self.recipe.epochs * self.batches + 1)

    def set_learning(self) -> None:
        """What learns in this step, and at what rates."""
        recipe, share = self.recipe, self.share_done()
        if self.epoch < recipe.head_epochs or recipe.unfreeze == "none":
            pieces = 0
        elif recipe.unfreeze == "gradual":
            pieces = min(len(self.pieces), math.ceil(2 * share * len(self.pieces)))
        else:
            pieces = len(self.pieces)
        rate = factor(share, recipe.warmup)
        for rates in self.optimizer.param_groups:
            rates["lr"] = rates["peak"] * rate
        if pieces == self.learning:
            return
        self.learning = pieces
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.requires_grad_(group["depth"] <= pieces)
                if not parameter.requires_grad:
                    parameter.grad = None
        self.model.train()
        frozen = {m for piece in self.pieces[: len(self.pieces) - pieces] for m in piece.modules()}
        size = recipe.batch_size // self.accumulate // self.group.size
        small = recipe.norms == "auto" and size < FEW_IMAGES
        for norm in self.norms:
            keeps = recipe.norms != "train" and norm in frozen
            norm.train(not (keeps or small or recipe.norms == "frozen"))
        self.net = self.model
        if self.group.size > 1:
            ids = [self.device.index] if self.device.type == "cuda" else None
            self.net = DistributedDataParallel(self.model, device_ids=ids)
        elif self.form.compiled:
            self.net = torch.compile(self.model)

    def note_safe(self) -> None:
        """Keep the running statistics, which a bad batch would spoil."""
        if self.statistics:
            torch._foreach_copy_(self.safe_statistics, self.statistics)

    def undo_statistics(self) -> None:
        """Running statistics as they were when the loss was last seen to be finite."""
        if self.statistics:
            torch._foreach_copy_(self.statistics, self.safe_statistics)

    def save(self, *, best: bool = False) -> Path | None:
        """Write ``last.ckpt``, or ``best.ckpt``; only the leading process does."""
        if self.folder is None or not self.group.leads:
            return None
        path = Path(self.folder) / ("best.ckpt" if best else "last.ckpt")
        side = self.train.images.shape[-1]
        mean = (self.prepare.mean / 255).flatten().tolist()
        std = (1 / (255 * self.prepare.scale)).flatten().tolist()
        metrics = {"val_accuracy": self.curve[-1].val_accuracy if self.curve else None}
        checkpoint.save(
            path,
            checkpoint.Checkpoint(
                model=self.name or type(self.model).__name__,
                classes=tuple(self.train.classes),
                preprocessing={"size": side, "mean": mean, "std": std, "channels": len(mean)},
                recipe=self.recipe.to_dict(),
                state=self.kept.state_dict() if best else self.model.state_dict(),
                training=None if best else self.state(),
                metrics=metrics,
            ),
            keep_previous=not best,
        )
        return path

    def state(self) -> dict[str, Any]:
        """What `restore` needs beside the network's tensors."""
        cuda = [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
        return {
            "step": self.epoch * self.batches + self.batch,
            "epoch": self.epoch,
            "batch": self.batch,
            "seconds": self.seconds,
            "images_trained": self.images_trained,
            "accumulate": self.accumulate,
            "best": self.best,
            "losses": list(self.losses),
            "curve": [(e.train_loss, e.val_accuracy, e.seconds) for e in self.curve],
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "random": [torch.get_rng_state(), *cuda],
            "form": [self.form.precision, self.form.memory_format, self.form.compiled],
            "data": self.train.fingerprint,
        }

    def restore(self) -> None:
        """Go on from the newest checkpoint; if there is none, from the start.

        Raises:
            ValueError: It is of another network, other classes, another recipe or other images.
        """
        try:
            path = checkpoint.newest(Path(self.folder or "."))
        except FileNotFoundError:
            return
        name = self.name or type(self.model).__name__
        found = checkpoint.load(path, model=name, classes=self.train.classes)
        wanted = self.recipe.to_dict()
        other = [k for k, v in found.recipe.items() if wanted.get(k, v) != v]
        state = found.training
        if other or state is None or state["data"] != self.train.fingerprint:
            what = f"the recipe's {', '.join(other)}" if other else "the images to train on"
            raise ValueError(
                f"{path} is of another run: {what} differ. Resume with what that run had, or "
                "choose another folder"
            )
        self.model.load_state_dict(found.state)
        self.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self.seconds, self.images_trained = state["seconds"], state["images_trained"]
        self.accumulate, self.best = state["accumulate"], state["best"]
        self.losses = list(state["losses"])
        self.curve = [Epoch(*values) for values in state["curve"]]
        torch.set_rng_state(state["random"][0])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random"][1], self.device)
        precision, memory_format, compiled = state["form"]
        self.form = replace(
            self.form, precision=precision, memory_format=memory_format, compiled=compiled
        )
        self.prepare.layout = self.form.layout
        self.model.to(memory_format=self.form.layout)
        self.note_safe()


def _train(run: _Run, val: ImageSet, on_step: OnStep | None) -> tuple[int, ...]:
    """The loop: epochs of steps, with a look at the loss, a validation, and checkpoints."""
    recipe, device = run.recipe, run.device
    answers: tuple[int, ...] = ()
    pending: list[Tensor] = []  # losses that are on the device still
    places = torch.empty(0, dtype=torch.int64)
    while run.epoch < run.epochs and not _time_is_over(run):
        batches = _Batches(run.train, recipe, run.epoch, run.group)
        loader = DataLoader(
            batches, batch_size=None, sampler=range(run.batch, len(batches)),
            num_workers=recipe.workers, pin_memory=device.type == "cuda",
            generator=torch.Generator(),
        )  # fmt: skip
        finish(device)
        start = shown = time.perf_counter()
        saved = start
        for images, labels, draws, places in loader:
            run.set_learning()
            pending.append(_step(run, images, labels, draws))
            run.batch += 1
            run.images_trained += len(batches.batches[run.batch - 1])
            now = time.perf_counter()
            over = recipe.minutes is not None and run.seconds + now - start > 60 * recipe.minutes
            is_last = run.batch == run.batches or over
            if device.type in LOOKED_AT or is_last or now - shown > SHOWN_EVERY or run.stopped_by:
                shown = now
                _look(run, pending, places)
                if on_step and run.group.leads:
                    on_step(len(run.losses), run.steps, run.losses[-1])
                stops = run.group.agree(bool(run.stopped_by), device)
                if stops or (run.folder is not None and now - saved > SAVED_EVERY):
                    finish(device)
                    run.seconds += time.perf_counter() - start
                    path = run.save()
                    if stops:
                        raise Interrupted(run.stopped_by or signal.SIGTERM, path or Path())
                    start = saved = time.perf_counter()
            if recipe.minutes is not None:
                run.seconds += now - start
                start = now
            if over:
                break
        finish(device)
        run.seconds += time.perf_counter() - start
        answers = evaluate(
            run.kept, val, prepare=run.prepare, precision=run.form.precision, group=run.group
        )
        run.learning = -1  # `evaluate` left the network in `eval`
        accuracy = float((torch.tensor(answers) == val.labels).float().mean())
        steps = run.losses[-run.batch :]
        run.curve.append(Epoch(sum(steps) / len(steps), accuracy, run.seconds))
        run.epoch, run.batch = run.epoch + 1, 0
        if accuracy > run.best:
            run.best = accuracy
            run.save(best=True)
        run.save()
    if not answers:  # a finished run was resumed
        answers = evaluate(
            run.kept, val, prepare=run.prepare, precision=run.form.precision, group=run.group
        )
    if run.average is not None:
        run.model.load_state_dict(run.average.module.state_dict())
    for parameter in run.parameters:
        parameter.requires_grad_(True)
    return answers


def _time_is_over(run: _Run) -> bool:
    return run.recipe.minutes is not None and run.seconds >= 60 * run.recipe.minutes


def _look(run: _Run, pending: list[Tensor], places: Tensor) -> None:
    """Fetch the losses from the device; stop if one of the steps went wrong."""
    losses: list[float] = torch.stack(pending).tolist()
    pending.clear()
    if not run.bad.item():
        run.losses += losses
        run.note_safe()
        return
    run.undo_statistics()
    first = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), len(losses) - 1)
    step = len(run.losses) + first + 1
    number = (step - 1) % run.batches
    batches = _Batches(run.train, run.recipe, run.epoch, run.group)
    shown = ", ".join(map(str, batches.batches[number][:8].tolist()))
    of = f" of {run.steps}" if run.steps else ""
    what = (
        f"the loss is {losses[first]}"
        if first < len(losses) and not math.isfinite(losses[first])
        else "the gradient is not finite"
    )
    raise ValueError(
        f"{what} at step {step}{of} (epoch {run.epoch + 1}, batch {number + 1}, images {shown}, …):"
        f" lower the learning rate (lr={run.recipe.lr}, head_lr={run.recipe.head_lr}), set "
        "clip_norm=1, or take precision='fp32'; if it is always the same batch, look at its "
        "images. The network holds the weights from before that step"
    )


def _step(run: _Run, images: Tensor, labels: Tensor, draws: Tensor) -> Tensor:
    """One training step; returns its loss, on the device.

    A step whose loss or gradient is not finite changes no weight, and nor does any after it.
    The device decides that by itself; the host learns of it when it next looks.
    """
    while True:
        try:
            loss, norm = _backward(run, images, labels, draws)
            break
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _is_memory(error) or run.group.size > 1:
                raise
            if 2 * run.accumulate > len(images) // 2:
                raise
            run.accumulate *= 2
            run.learning = -1
            run.set_learning()
            logger.warning(
                "out of memory: the %d images of a step now go through in %d parts",
                len(images),
                run.accumulate,
            )
        run.optimizer.zero_grad(set_to_none=True)
        if run.device.type == "cuda":
            torch.cuda.empty_cache()
    if run.scaler.is_enabled():
        # A gradient that overflows is fp16's own business: the scaler skips the step.
        run.bad.logical_or_(~torch.isfinite(loss))
        run.scaler.step(run.optimizer)
        run.scaler.update()
    else:
        run.bad.logical_or_(~torch.isfinite(norm) | ~torch.isfinite(loss))
        _masked_update(run.optimizer, run.bad)
    if run.average is not None:
        run.average.update_parameters(run.model)
        for theirs, mine in zip(run.average.module.buffers(), run.model.buffers(), strict=True):
            theirs.copy_(mine)
    run.optimizer.zero_grad(set_to_none=True)
    return loss


def _backward(run: _Run, images: Tensor, labels: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward in as many parts as asked for: the loss and the gradient's length."""
    recipe, device = run.recipe, run.device
    draws = draws.to(device, non_blocking=True)
    x = mirrored(images.to(device, non_blocking=True), draws[:, :2], flips=run.flips)
    x = run.prepare(x)
    if recipe.crop < 1:
        x = cropped(x, draws[:, 2:], least=recipe.crop).contiguous(memory_format=run.form.layout)
    targets = labels.to(device, non_blocking=True)
    if recipe.mixup or recipe.cutmix:
        one_hot = F.one_hot(targets, len(run.train.classes)).float()
        generator = np.random.default_rng((recipe.seed, run.epoch, run.batch, run.group.rank))
        x, targets = blended(x, one_hot, generator, mixup=recipe.mixup, cutmix=recipe.cutmix)
    total = torch.zeros((), device=device)
    # The mean over the images of all processes, whatever each one's share: DDP takes the mean
    # over the processes of what each gives.
    count = len(images) if run.group.size == 1 else _whole(run)
    for part, wanted in zip(x.chunk(run.accumulate), targets.chunk(run.accumulate), strict=True):
        with autocast(device, run.form.precision):
            scores = run.net(part)
        outputs = scores if isinstance(scores, tuple) else (scores,)
        losses = [
            F.cross_entropy(
                out.float(), wanted, reduction="sum", label_smoothing=recipe.label_smoothing
            )
            for out in outputs
        ]
        loss = (losses[0] + AUXILIARY * sum(losses[1:])) / count
        if run.scaler.is_enabled():  # which decides by the gradient: after a bad step, none counts
            loss = loss + torch.where(run.bad > 0, torch.nan, 0.0)
        run.scaler.scale(loss * run.group.size).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    run.scaler.unscale_(run.optimizer)
    grads = [p.grad for p in run.parameters if p.grad is not None]
    norm = nn.utils.get_total_norm(grads)
    if recipe.clip_norm:
        learning = [p for p in run.parameters if p.grad is not None]
        nn.utils.clip_grads_with_norm_(learning, recipe.clip_norm, norm)
    return total, norm


def _whole(run: _Run) -> int:
    """Images of the present batch in all processes."""
    sizes = torch.arange(len(run.train)).tensor_split(run.batches)
    return len(sizes[run.batch])


def _masked_update(found: torch.optim.Optimizer, bad: Tensor) -> None:
    """``optimizer.step()``, left out on the device if ``bad`` is not 0.

    Fused optimizers read `found_inf`, which mixed precision's scaler was made for. Others
    (MPS has none) have to wait for the answer.
    """
    if found.defaults.get("fused"):
        found.found_inf = bad  # type: ignore[attr-defined]
        found.step()
    elif not bad.item():
        found.step()


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _choose_form(
    model: nn.Module, head: str, train: ImageSet, recipe: Recipe, prepare: Prepare, group: Group
) -> Form:
    """The form of the run, by a trial on a copy of the network; random states stay as they are."""
    device = prepare.device
    images = train.images[: max(2, min(recipe.batch_size, len(train)) // group.size)]
    # The trial measures the whole network learning, in one part, and alone.
    alone = replace(recipe, head_epochs=0, unfreeze="all", ema=0.0, sync_norms=False)
    few = replace(train, images=images, labels=train.labels[: len(images)], validation=0)

    def step(form: Form) -> None:
        if form not in runs:
            runs.clear()  # one copy at a time
            layout = prepare.layout
            runs[form] = _Run(copy.deepcopy(model), head, alone, form, prepare, Group(), few)
            prepare.layout = layout
        run = runs[form]
        prepare.layout = form.layout
        run.set_learning()
        run.batch = 0
        draws = torch.full((len(images), DRAWS), 0.25)
        with devices.matmul_precision(device, form.precision):
            _step(run, few.images, few.labels, draws)
        finish(device)

    runs: dict[Form, _Run] = {}
    numbers = torch.get_rng_state()
    batches = math.ceil(len(train) / recipe.batch_size)
    form = devices.trial(
        model,
        images,
        step,
        precision=recipe.precision,
        memory_format=recipe.memory_format,
        compiling=recipe.compile if group.size == 1 else "off",
        steps=None if recipe.minutes else (recipe.head_epochs + recipe.epochs) * batches,
        device=device,
    )
    torch.set_rng_state(numbers)
    rates = ", ".join(f"{name} {rate:.1f}" for name, rate in form.images_per_second)
    logger.info("%s runs as %s%s", type(model).__name__, form,
                f" (images a second in the trial: {rates})" if rates else "")  # fmt: skip
    return form


def _check_device(recipe: Recipe, device: torch.device) -> None:
    if recipe.precision == "tf32" and device.type != "cuda":
        raise ValueError(f"precision='tf32' is a form of CUDA's, and the device is {device.type}")
    if recipe.precision == "fp16" and device.type == "cpu":
        raise ValueError("precision='fp16' is for GPUs: on a CPU take 'bf16' or 'fp32'")


def _check_group(recipe: Recipe, group: Group, images: int) -> None:
    if group.size == 1:
        return
    if recipe.minutes:
        raise ValueError(f"a budget of minutes can't be shared by {group.size} processes: "
                         "give epochs")  # fmt: skip
    if min(recipe.batch_size, images) < 2 * group.size * recipe.accumulate:
        raise ValueError(
            f"batch_size={recipe.batch_size} is too small for {group.size} processes with "
            f"accumulate={recipe.accumulate}: each needs two images at a time"
        )


@contextmanager
def _signals(run: _Run) -> Iterator[None]:
    """While a run keeps checkpoints, SIGTERM and Ctrl-C ask it to save and stop."""
    is_main = threading.current_thread() is threading.main_thread()
    if run.folder is None or not is_main:
        yield
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if run.stopped_by:  # asked twice: at once
            raise KeyboardInterrupt
        run.stopped_by = number

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
