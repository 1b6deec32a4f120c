"""The fine-tune routine: one straight training step, in plain PyTorch.

Precision and memory format are chosen once, before the first step. What is timed is the
training alone: the trial that warms up the kernels runs before, on a copy; validation and the
writing of checkpoints are not counted. No network is known here by its name.

`finetune` does what goes before and after, `_train` is the loop.
"""

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lineage_lab.data.sets import ImageSet, as_images
from lineage_lab.files import alone
from lineage_lab.heads import unwrapped
from lineage_lab.training import checkpoint
from lineage_lab.training.batches import Batches, Prepare
from lineage_lab.training.checks import check_device, check_group, check_head, check_images
from lineage_lab.training.device import (
    device_name,
    energy,
    finish,
    forget_peak_memory,
    matmul_precision,
    memory_reused,
    peak_memory,
    pick_device,
)
from lineage_lab.training.history import Epoch, History
from lineage_lab.training.pretrained import default_recipe, recorded_name
from lineage_lab.training.processes import Group, joined
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.resume import (
    find_checkpoint,
    recipe_in_its_form,
    refuse_earlier_run,
    restore,
    save,
)
from lineage_lab.training.run import Run
from lineage_lab.training.step import step
from lineage_lab.training.trial import choose_form
from lineage_lab.training.validation import (
    BY_PROBABILITY,
    Validation,
    check_threshold,
    decision_for,
    metric_for,
    probabilities,
    small_parts,
    validate,
)

__all__ = ["Interrupted", "evaluate", "finetune"]

logger = logging.getLogger(__name__)

HALF = (0.5, 0.5, 0.5)
SHOWN_EVERY = 0.25  # seconds between two looks at a GPU's results
SAVED_EVERY = 60.0  # seconds between two checkpoints
LOOKED_AT = ("cpu",)  # devices that give each loss without a wait

OnStep = Callable[[int, int, float], None]


class Interrupted(RuntimeError):  # noqa: N818  (says what happened)
    """The run was asked to stop, and its state was saved.

    Attributes:
        signal: Number of the signal.
        path: Path of the checkpoint.
    """

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}; the run is kept in {path}")
        self.signal = number
        self.path = path


def finetune(
    model: nn.Module,
    train: "ImageSet | Dataset[Any]",
    val: "ImageSet | Dataset[Any]",
    recipe: Recipe | None = None,
    *,
    mean: Sequence[float] = HALF,
    std: Sequence[float] = HALF,
    name: str = "",
    folder: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_step: OnStep | None = None,
) -> History:
    """Fine-tune a network whose head fits the classes, and validate it.

    Args:
        model: A classifier with a head of as many scores as there are classes (see
            `lineage_lab.heads.replace_head`); changed in place, left on the device.
        train: Images to train on; or a `torch.utils.data.Dataset` of ``(image, label)`` with its
            ``classes``, as `lineage_lab.data.sets.as_images` takes it.
        val: Images to validate with; likewise.
        recipe: How; the recipe of the network's family if ``None``.
        mean: Mean of each channel that the published weights were trained with; pixels from
            0 to 1.
        std: Standard deviation of each channel, also theirs.
        name: The registry's name of the network, for the checkpoint; or what builds it by import
            path and plain arguments (`lineage_lab.weights.builders`). Where it is empty and the
            network tells it, it is found.
        folder: Where to keep ``last.ckpt`` (each minute and each epoch) and ``best.ckpt``;
            ``None`` to keep none. With it, SIGTERM and Ctrl-C save before they stop the run.
        resume: Go on from the newest checkpoint in ``folder``, if there is one.
        overwrite: Delete the checkpoints of an earlier run in ``folder`` and begin anew.
        on_step: Called with the step's number from 1, the number of steps (0 if the recipe
            has ``minutes``), and the loss: after each step on a CPU, a few times a second on
            a GPU, always after the last step.

    Returns:
        What came of it.

    Raises:
        ValueError: The head does not fit the classes, the recipe can't be followed here, the
            folder's checkpoint is of another run, or the loss is not finite; then the message
            names the batch, and the network holds the weights from before it.
        FileExistsError: The folder holds the checkpoints of a run, and neither `resume` nor
            `overwrite` says what is to become of it.
        Interrupted: A signal came, and the state was saved.
    """
    if folder is not None and not resume and not overwrite:
        refuse_earlier_run(folder)
    recipe = recipe or default_recipe(model)
    train, val = as_images(train), as_images(val)
    if isinstance(model, nn.DataParallel) and torch.cuda.device_count() > 1:
        logger.warning(
            "the network inside DataParallel is trained on one device; for several: torchrun "
            "--nproc-per-node N -m lineage_lab finetune …"
        )
    model = unwrapped(model)
    if folder is not None:
        name = recorded_name(model, name)
    check_head(model, train)
    device = pick_device(recipe.device)
    check_device(recipe, device)
    check_threshold(recipe, val)
    with joined(device) as group, _for_itself(folder, group), memory_reused(device):
        if overwrite and not resume and folder is not None and group.leads:
            for path in checkpoint.files(folder):
                path.unlink()
        check_group(recipe, group, len(train))
        check_images(group, train, val)
        saved, in_form = None, recipe
        if resume and folder is not None:
            saved = find_checkpoint(folder, name=name, recipe=recipe, train=train)
        if saved is not None:
            in_form = recipe_in_its_form(recipe, saved, device)
        model.to(device)
        start = time.perf_counter()
        form = choose_form(
            model,
            train,
            in_form,
            mean=mean,
            std=std,
            device=device,
            group=group,
        )
        warmup_seconds = time.perf_counter() - start
        forget_peak_memory(device)
        model.to(memory_format=form.layout)
        if recipe.sync_norms and group.size > 1:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        prepare = Prepare(mean, std, device, layout=form.layout)
        run = Run(model=model, train=train, recipe=recipe, form=form, prepare=prepare, group=group)
        torch.manual_seed(recipe.seed)
        if saved is not None and folder is not None:
            restore(run, saved, folder)
        metric = metric_for(recipe, train)
        if group.leads:
            run.warn_of_few_images()
            for words in small_parts(train, val, metric, recipe):
                logger.warning("%s", words)
        before = energy(device)
        with matmul_precision(device, form.precision), _signals(folder) as asked:
            last = _train(run, val, metric, name=name, folder=folder, asked=asked, on_step=on_step)
        after = energy(device)
        run.net = model  # lets go of the group before it ends
    peak, kind = peak_memory(device)
    return History(
        seed=recipe.seed,
        val_accuracy=last.accuracy,
        truth=tuple(val.labels.tolist()),
        answers=last.answers,
        losses=tuple(run.progress.losses),
        epochs=tuple(run.progress.curve),
        train_seconds=run.progress.seconds,
        warmup_seconds=warmup_seconds,
        images_trained=run.progress.images_trained,
        peak_memory=peak,
        memory_kind=kind,
        energy_joules=None if before is None or after is None else after - before,
        device=device_name(device),
        precision=form.precision,
        memory_format=form.memory_format,
        compiled=form.compiled,
        processes=group.size,
        metric=metric,
        best_epoch=run.progress.best_epoch,
        probabilities=(
            tuple(tuple(round(p, 7) for p in row) for row in last.probabilities.tolist())
            if metric in BY_PROBABILITY
            else ()
        ),
        val_groups=() if val.groups is None else tuple(val.groups.tolist()),
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
        data: Images to name.
        prepare: Turns ``uint8`` images into the network's input, on its device.
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        batch_size: Images at once.
        group: The processes that share the work: each image is seen by one of them.

    Returns:
        One class an image, in the set's order.
    """
    found = probabilities(
        model, data, prepare=prepare, precision=precision, batch_size=batch_size, group=group
    )
    return tuple(found.argmax(axis=1).tolist()) if len(data) else ()


@contextmanager
def _for_itself(folder: str | Path | None, group: Group) -> Iterator[None]:
    """The folder locked by the leading process, if there is a folder."""
    with alone(Path(folder)) if folder is not None and group.leads else nullcontext():
        yield


@dataclass(slots=True)
class _Asked:
    """The signal that asked the run to stop; 0 if none came."""

    signal: int = 0


def _train(
    run: Run,
    val: ImageSet,
    metric: str,
    *,
    name: str,
    folder: str | Path | None,
    asked: _Asked,
    on_step: OnStep | None,
) -> Validation:
    """The loop: epochs of steps, with a look at the loss, a validation, and checkpoints."""
    recipe, device, progress = run.recipe, run.device, run.progress
    if not run.group.leads:
        folder = None  # one process writes for all
    last: Validation | None = None
    pending: list[Tensor] = []  # losses that are on the device still
    while not run.is_over:
        pieces = None  # how many learn: after a validation none of them is set to
        batches = Batches(run.train, recipe, progress.epoch, run.group)
        loader = DataLoader(
            batches,
            batch_size=None,
            sampler=range(progress.batch, len(batches)),
            num_workers=recipe.workers,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),
        )
        finish(device)
        start = shown = saved = time.perf_counter()
        for images, labels, draws, _ in loader:
            run.set_rates()
            if pieces != run.pieces_due():
                pieces = run.pieces_due()
                run.unfreeze(pieces)
            pending.append(step(run, images, labels, draws))
            progress.batch += 1
            progress.images_trained += len(batches.batches[progress.batch - 1])
            now = time.perf_counter()
            seconds = progress.seconds + now - start
            over = recipe.minutes is not None and seconds > 60 * recipe.minutes
            is_last = progress.batch == run.batches or over
            if device.type in LOOKED_AT or is_last or now - shown > SHOWN_EVERY or asked.signal:
                shown = now
                _look(run, pending)
                if on_step and run.group.leads:
                    on_step(len(progress.losses), run.steps, progress.losses[-1])
                stops = run.group.agree(bool(asked.signal), device)
                if stops or (folder is not None and now - saved > SAVED_EVERY):
                    finish(device)
                    progress.seconds += time.perf_counter() - start
                    path = save(run, folder, name=name) if folder is not None else Path()
                    if stops:
                        raise Interrupted(asked.signal or signal.SIGTERM, path)
                    start = saved = time.perf_counter()
            if recipe.minutes is not None:
                progress.seconds += now - start
                start = now
            if over:
                break
        finish(device)
        progress.seconds += time.perf_counter() - start
        last = _validated(run, val, metric)
        losses = progress.losses[-progress.batch :]
        progress.curve.append(
            Epoch(sum(losses) / len(losses), last.accuracy, progress.seconds, last.score)
        )
        progress.epoch, progress.batch = progress.epoch + 1, 0
        is_best = progress.best is None or last.rank >= progress.best
        if is_best:
            progress.best, progress.best_epoch = last.rank, progress.epoch
        if folder is not None:
            if is_best:
                decision = decision_for(run.recipe, val, last.probabilities)
                save(run, folder, name=name, best=True, decision=decision)
            save(run, folder, name=name)
    last = last or _validated(run, val, metric)  # a finished run was resumed
    if run.average is not None:
        run.model.load_state_dict(run.average.module.state_dict())
    for group in run.optimizer.param_groups:  # not what was frozen before
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    return last


def _validated(run: Run, val: ImageSet, metric: str) -> Validation:
    chances = probabilities(
        run.result, val, prepare=run.prepare, precision=run.form.precision, group=run.group
    )
    return validate(chances, val, metric)


def _look(run: Run, pending: list[Tensor]) -> None:
    """Fetch the losses from the device; stop if one of the steps went wrong."""
    progress = run.progress
    losses: list[float] = torch.stack(pending).tolist()
    pending.clear()
    if not run.bad.item():
        progress.losses += losses
        run.statistics.note()
        return
    run.statistics.undo()
    first = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), len(losses) - 1)
    number = len(progress.losses) + first + 1
    batch = (number - 1) % run.batches
    batches = Batches(run.train, run.recipe, progress.epoch, run.group)
    places = ", ".join(map(str, batches.batches[batch][:8].tolist()))
    of = f" of {run.steps}" if run.steps else ""
    what = (
        "the gradient is not finite"
        if math.isfinite(losses[first])
        else f"the loss is {losses[first]}"
    )
    raise ValueError(
        f"{what} at step {number}{of} (epoch {progress.epoch + 1}, batch {batch + 1}, images "
        f"{places}, …): lower the learning rate (lr={run.recipe.lr}, "
        f"head_lr={run.recipe.head_lr}), set clip_norm=1, or take precision='fp32'; if it is "
        "always the same batch, look at its images. The network holds the weights from before "
        "that step"
    )


@contextmanager
def _signals(folder: str | Path | None) -> Iterator[_Asked]:
    """While a run keeps checkpoints, SIGTERM and Ctrl-C ask it to save and stop."""
    asked = _Asked()
    is_main = threading.current_thread() is threading.main_thread()
    if folder is None or not is_main:
        yield asked
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.signal:  # asked twice: at once
            raise KeyboardInterrupt
        asked.signal = number

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
