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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lineage_lab.data.sets import ImageSet
from lineage_lab.heads import find_head, scores, unwrapped
from lineage_lab.training import device as devices
from lineage_lab.training.batches import Batches, Prepare
from lineage_lab.training.device import autocast, finish
from lineage_lab.training.pretrained import default_recipe, recorded_name
from lineage_lab.training.processes import Group, joined
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.run import Epoch, Run, step
from lineage_lab.training.warmup import check_device, check_group, check_images, choose_form

__all__ = ["Epoch", "History", "Interrupted", "evaluate", "finetune"]

logger = logging.getLogger(__name__)

HALF = (0.5, 0.5, 0.5)
SHOWN_EVERY = 0.25  # seconds between two looks at a GPU's results
SAVED_EVERY = 60.0  # seconds between two checkpoints
LOOKED_AT = ("cpu",)  # devices that give each loss without a wait

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
        peak_memory: Bytes, or ``None`` where the system doesn't tell; since the warm-up, which
            holds the weights once more.
        memory_kind: What `peak_memory` is of.
        energy_joules: Of the GPU, training and validation; ``None`` where it doesn't tell.
        device: Where it ran.
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        memory_format: ``channels_last`` or ``contiguous``.
        compiled: Whether ``torch.compile`` was used.
        processes: How many shared the run.

    Examples:
        >>> from lineage_lab import create_model
        >>> from lineage_lab.data.sets import load, split
        >>> train, val = split(load("digits", size=32), limit=40, seed=0)
        >>> model = create_model("lenet5_modern")
        >>> history = finetune(model, train, val, mean=(0.5,), std=(0.5,))
        >>> history.images_trained, len(history.answers), len(history.epochs)
        (30, 20, 1)
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
        recipe: How; the recipe of the network's family if ``None``.
        mean: Of each channel, which the published weights were trained with; pixels 0 to 1.
        std: Likewise.
        name: The registry's name of the network, for the checkpoint; or what builds it by import
            path and plain arguments (`lineage_lab.builders`). Where it is empty and the network
            tells it, it is found.
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
    recipe = recipe or default_recipe(model)
    if isinstance(model, nn.DataParallel) and torch.cuda.device_count() > 1:
        logger.warning(
            "the network inside DataParallel is trained on one device; for several: torchrun "
            "--nproc-per-node N -m lineage_lab finetune …"
        )
    model = unwrapped(model)
    if folder is not None:
        name = recorded_name(model, name)
    path, head = find_head(model)
    if head.weight.shape[0] != len(train.classes):
        raise ValueError(
            f"the head gives {head.weight.shape[0]} scores, but {train.name} has "
            f"{len(train.classes)} classes: replace_head(model, {len(train.classes)})"
        )
    device = devices.pick_device(recipe.device)
    check_device(recipe, device)
    with joined(device) as group, devices.memory_reused(device):
        check_group(recipe, group, len(train))
        check_images(group, train, val)
        model.to(device)
        prepare = Prepare(mean, std, device)
        start = time.perf_counter()
        form = choose_form(model, path, train, recipe, prepare, group)
        warmup_seconds = time.perf_counter() - start
        devices.forget_peak_memory(device)
        run = Run(model, path, recipe, form, prepare, group, train, name=name, folder=folder)
        if resume and folder is not None:
            run.restore()
        if group.leads:
            run.tell_few()
        before = devices.energy(device)
        with devices.matmul_precision(device, form.precision), _signals(run):
            answers = _train(run, val, on_step)
        after = devices.energy(device)
        run.net = run.model  # lets go of the group before it ends
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
                answers.append(scores(model(x)).argmax(dim=1))
    found: list[int] = torch.cat(answers).tolist() if answers else []
    return tuple(group.all_of(found, len(data)))


def _train(run: Run, val: ImageSet, on_step: OnStep | None) -> tuple[int, ...]:
    """The loop: epochs of steps, with a look at the loss, a validation, and checkpoints."""
    recipe, device = run.recipe, run.device
    answers: tuple[int, ...] = ()
    pending: list[Tensor] = []  # losses that are on the device still
    places = torch.empty(0, dtype=torch.int64)
    while run.epoch < run.epochs and not _time_is_over(run):
        batches = Batches(run.train, recipe, run.epoch, run.group)
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
            pending.append(step(run, images, labels, draws))
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
        accuracy = int((torch.tensor(answers) == val.labels).sum()) / len(val)
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
    for group in run.optimizer.param_groups:  # not what was frozen before
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    return answers


def _time_is_over(run: Run) -> bool:
    return run.recipe.minutes is not None and run.seconds >= 60 * run.recipe.minutes


def _look(run: Run, pending: list[Tensor], places: Tensor) -> None:
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
    batches = Batches(run.train, run.recipe, run.epoch, run.group)
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


@contextmanager
def _signals(run: Run) -> Iterator[None]:
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
