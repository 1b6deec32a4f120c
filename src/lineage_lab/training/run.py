"""A run between its first step and its last: its state, and its one training step.

Read from the bottom: `step` is the training step. Above it stands what it works on: `Run`, which
holds all that a checkpoint must hold.
"""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lineage_lab.data.augment import blended, cropped, mirrored
from lineage_lab.data.sets import ImageSet, Preprocessing
from lineage_lab.heads import outputs, plain_names
from lineage_lab.training import checkpoint
from lineage_lab.training.batches import Batches, Prepare
from lineage_lab.training.device import Form, autocast
from lineage_lab.training.optim import batch_norms, factor, frozen, optimizer, parts
from lineage_lab.training.pretrained import recorded_form
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe

__all__ = ["Batches", "Epoch", "Prepare", "Run", "step"]

logger = logging.getLogger(__name__)

AUXILIARY = 0.3  # weight of GoogLeNet's auxiliary classifiers (arXiv:1409.4842, section 5)
FEW_IMAGES = 8  # a batch norm's statistics from fewer are rough


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


@dataclass
class Run:
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
        self.frozen = frozen(self.model)
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

    @property
    def at_once(self) -> int:
        """Images that go through the network at once, at most."""
        return self.recipe.batch_size // self.accumulate // self.group.size

    def tell_few(self) -> None:
        """Say so if batch norms learn from few images at once, and what is better."""
        recipe = self.recipe
        kept = recipe.norms == "frozen" or (recipe.norms == "auto" and recipe.unfreeze == "none")
        if self.norms and not kept and self.at_once < FEW_IMAGES:
            logger.warning(
                "the batch norms learn from %d images at once, which is few: norms=frozen with "
                "lower rates (lr=0.0001, head_lr=0.001) may do better",
                self.at_once,
            )

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
        resting = {m for piece in self.pieces[: len(self.pieces) - pieces] for m in piece.modules()}
        for norm in self.norms:
            keeps = recipe.norms != "train" and norm in resting
            norm.train(not (keeps or recipe.norms == "frozen" or norm in self.frozen))
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
        preprocessing = Preprocessing(
            size=self.train.images.shape[-1],
            mean=self.prepare.mean_and_std[0],
            std=self.prepare.mean_and_std[1],
            channels=self.train.images.shape[1],
        )
        metrics = {"val_accuracy": self.curve[-1].val_accuracy if self.curve else None}
        written = checkpoint.Checkpoint(
            model=self.name or type(self.model).__name__,
            classes=tuple(self.train.classes),
            preprocessing=preprocessing.to_dict(),
            recipe=self.recipe.to_dict(),
            state=named_state(self.kept if best else self.model),
            training=None if best else self.state(),
            metrics=metrics,
            form=recorded_form(self.model),
        )
        checkpoint.save(path, written, keep_previous=not best)
        if best:
            checkpoint.save_safetensors(path.with_suffix(".safetensors"), written)
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
        names = plain_names(self.model)
        self.model.load_state_dict({mine: found.state[name] for mine, name in names.items()})
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


def named_state(model: nn.Module) -> dict[str, Tensor]:
    """A network's tensors, without the names of wrappers inside it."""
    state, names = model.state_dict(), plain_names(model)
    return {names[name]: tensor for name, tensor in state.items()}


def step(run: Run, images: Tensor, labels: Tensor, draws: Tensor) -> Tensor:
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
            logger.warning(
                "out of memory: the %d images of a step now go through in %d parts",
                len(images),
                run.accumulate,
            )
            run.tell_few()
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


def _backward(run: Run, images: Tensor, labels: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
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
    # A batch norm can't learn from a single image whose map is a single place.
    pieces = max(1, min(run.accumulate, len(images) // 2))
    for part, wanted in zip(x.tensor_split(pieces), targets.tensor_split(pieces), strict=True):
        with autocast(device, run.form.precision):
            scores = run.net(part)
        losses = [
            F.cross_entropy(
                out.float(), wanted, reduction="sum", label_smoothing=recipe.label_smoothing
            )
            for out in outputs(scores)
        ]
        loss = (losses[0] + AUXILIARY * sum(losses[1:])) / count
        if run.scaler.is_enabled():  # which decides by the gradient: after a bad step, none counts
            loss = loss * torch.where(run.bad > 0, torch.nan, 1.0)
        run.scaler.scale(loss * run.group.size).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    run.scaler.unscale_(run.optimizer)
    grads = [p.grad for p in run.parameters if p.grad is not None]
    norm = nn.utils.get_total_norm(grads)
    if recipe.clip_norm:
        learning = [p for p in run.parameters if p.grad is not None]
        nn.utils.clip_grads_with_norm_(learning, recipe.clip_norm, norm)
    return total, norm


def _whole(run: Run) -> int:
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
