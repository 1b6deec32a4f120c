"""The fine-tune routine: one straight training step, in plain PyTorch.

Precision and memory format are chosen once, before the first step. What is timed is the
training alone: the trial that warms up the kernels runs before, on a copy; validation runs
after. Neighbours: `lineage_lab.recipe` says how, `lineage_lab.data` gives the images,
`lineage_lab.comparison` runs several networks one after the other. No network is known here
by its name.
"""

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.data import ImageSet
from lineage_lab.heads import find_head
from lineage_lab.recipe import Recipe

__all__ = ["History", "evaluate", "finetune"]

WARMUP_STEPS = 3
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What came of a run.

    Attributes:
        val_accuracy: Share of the validation images that are named rightly, from 0 to 1.
        correct: For each validation image, whether it was named rightly.
        losses: Training loss at each step.
        train_seconds: Training alone: all steps of all epochs; neither the warm-up before
            nor the validation after.
        warmup_seconds: The trial before the first step.
        images_trained: Images that went through training steps, each pass counted.
        peak_memory: Bytes, or ``None`` where the system doesn't tell.
        memory_kind: What `peak_memory` is of.
        device: Where it ran.
        precision: ``fp32`` or ``bf16``.
        memory_format: ``channels_last`` or ``contiguous``.
    """

    val_accuracy: float
    correct: tuple[bool, ...]
    losses: tuple[float, ...]
    train_seconds: float
    warmup_seconds: float
    images_trained: int
    peak_memory: int | None
    memory_kind: str
    device: str
    precision: str
    memory_format: str

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
    on_step: Callable[[int, int, float], None] | None = None,
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
        on_step: Called after each step with the step's number from 1, the number of steps,
            and the loss.

    Returns:
        What came of it.

    Raises:
        ValueError: The head does not fit the classes, or the loss is not finite; then the
            message names the step, and the network holds the weights from before it.
    """
    recipe = recipe or Recipe()
    head = find_head(model)[1]
    if head.weight.shape[0] != len(train.classes):
        raise ValueError(
            f"the head gives {head.weight.shape[0]} scores, but {train.name} has "
            f"{len(train.classes)} classes: replace_head(model, {len(train.classes)})"
        )
    device = torch.device(_device(recipe.device))
    layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
    model.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    prepare = _Preparation(mean, std, device, layout)
    _forget_peak_memory(device)

    start = time.perf_counter()
    precision = _warm_up(model, train, recipe, prepare, device)
    warmup_seconds = time.perf_counter() - start

    torch.manual_seed(recipe.seed)
    batches = math.ceil(len(train) / recipe.batch_size)
    steps = recipe.epochs * batches
    optimizer = _optimizer(model, head, recipe, device)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _schedule(step, steps, recipe.warmup)
    )
    flips = train.flips if recipe.flips == "auto" else recipe.flips
    losses: list[float] = []
    model.train()
    _finish(device)
    start = time.perf_counter()
    for epoch in range(recipe.epochs):
        generator = torch.Generator().manual_seed(recipe.seed * 10_007 + epoch)
        order = torch.randperm(len(train), generator=generator)
        for batch in order.tensor_split(batches):  # sizes differ by one at most: none of 1
            images = prepare(_mirrored(train.images[batch], flips, generator))
            labels = train.labels[batch].to(device, non_blocking=True)
            loss = _step(model, images, labels, optimizer, recipe, precision, device)
            schedule.step()
            losses.append(loss)
            if not math.isfinite(loss):
                raise ValueError(
                    f"the loss is {loss} at step {len(losses)} of {steps}: lower the learning "
                    f"rate (lr={recipe.lr}, head_lr={recipe.head_lr}) or take precision='fp32'"
                )
            if on_step:
                on_step(len(losses), steps, loss)
    _finish(device)
    train_seconds = time.perf_counter() - start
    peak, kind = _peak_memory(device)
    correct = evaluate(model, val, prepare=prepare, precision=precision)
    return History(
        val_accuracy=sum(correct) / len(correct),
        correct=correct,
        losses=tuple(losses),
        train_seconds=train_seconds,
        warmup_seconds=warmup_seconds,
        images_trained=recipe.epochs * len(train),
        peak_memory=peak,
        memory_kind=kind,
        device=_device_name(device),
        precision=precision,
        memory_format="channels_last" if recipe.channels_last else "contiguous",
    )


def _step(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    precision: str,
    device: torch.device,
) -> float:
    """One training step; a loss that is not finite changes no weight."""
    with _autocast(device, precision):
        scores = model(images)
    loss = F.cross_entropy(scores.float(), labels, label_smoothing=recipe.label_smoothing)
    value = loss.item()
    if math.isfinite(value):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return value


def evaluate(
    model: nn.Module,
    data: ImageSet,
    *,
    prepare: Callable[[Tensor], Tensor],
    precision: str = "fp32",
    batch_size: int = 64,
) -> tuple[bool, ...]:
    """For each image, whether the network names it rightly.

    Args:
        model: The network; left in ``eval`` mode.
        data: Images with labels.
        prepare: Turns ``uint8`` images into the network's input, on its device.
        precision: ``fp32`` or ``bf16``.
        batch_size: Images at once.

    Returns:
        One truth value an image, in the set's order.
    """
    model.eval()
    correct: list[bool] = []
    with torch.inference_mode():
        for start in range(0, len(data), batch_size):
            x = prepare(data.images[start : start + batch_size])
            with _autocast(x.device, precision):
                answers = model(x).argmax(dim=1).cpu()
            correct += (answers == data.labels[start : start + batch_size]).tolist()
    return tuple(correct)


class _Preparation:
    """``uint8`` images to what the network takes: on the device, normalised, in its layout."""

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        layout: torch.memory_format,
    ) -> None:
        self.mean = 255 * torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self.scale = 1 / (255 * torch.tensor(std, device=device).view(1, -1, 1, 1))
        self.device = device
        self.layout = layout

    def __call__(self, images: Tensor) -> Tensor:
        x = images.to(self.device, non_blocking=True).float()
        # A grey image becomes one of three equal channels by broadcasting against the mean.
        return ((x - self.mean) * self.scale).contiguous(memory_format=self.layout)


def _mirrored(images: Tensor, flips: str, generator: torch.Generator) -> Tensor:
    """Each image mirrored or not, by a coin of its own for each direction."""
    for axis in {"none": (), "horizontal": (3,), "both": (3, 2)}[flips]:
        coin = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
        images = torch.where(coin, images.flip(axis), images)
    return images


def _warm_up(
    model: nn.Module,
    train: ImageSet,
    recipe: Recipe,
    prepare: _Preparation,
    device: torch.device,
) -> str:
    """A few steps on a copy of the network: warms up, and finds the faster precision."""
    candidates = ("bf16", "fp32") if recipe.precision == "auto" else (recipe.precision,)
    if device.type == "mps":
        candidates = ("fp32",)
    size = min(recipe.batch_size, len(train))
    images = prepare(train.images[:size])
    labels = train.labels[:size].to(device)
    seconds: dict[str, float] = {}
    state = torch.get_rng_state()
    for precision in candidates:
        trial = copy.deepcopy(model).train()
        optimizer = torch.optim.SGD(trial.parameters(), lr=0.0)
        for _ in range(WARMUP_STEPS):
            _finish(device)
            start = time.perf_counter()
            _step(trial, images, labels, optimizer, recipe, precision, device)
            _finish(device)
            lap = time.perf_counter() - start
            seconds[precision] = min(lap, seconds.get(precision, lap))
        del trial, optimizer
    torch.set_rng_state(state)
    return min(seconds, key=lambda name: seconds[name])


def _optimizer(
    model: nn.Module, head: nn.Module, recipe: Recipe, device: torch.device
) -> torch.optim.AdamW:
    """AdamW in four groups: body and head, with and without weight decay."""
    of_head = {id(p) for p in head.parameters()}

    def group(in_head: bool, decays: bool) -> Iterator[nn.Parameter]:
        for parameter in model.parameters():
            matches = (id(parameter) in of_head) == in_head and (parameter.dim() > 1) == decays
            if matches and parameter.requires_grad:
                yield parameter

    groups: list[dict[str, Any]] = [
        {
            "params": list(group(in_head, decays)),
            "lr": recipe.head_lr if in_head else recipe.lr,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for in_head in (False, True)
        for decays in (False, True)
    ]
    return torch.optim.AdamW(
        [g for g in groups if g["params"]], fused=device.type in ("cpu", "cuda")
    )


def _schedule(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rates: a straight rise, then half a cosine down to 0."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1.0, steps - rise)))


def _autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _finish(device: torch.device) -> None:
    """Waits for the device, so that the clock reads what was really done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _forget_peak_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        # 5 sets the process's peak resident memory back to what it has now (man 5 proc).
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return


def _peak_memory(device: torch.device) -> tuple[int | None, str]:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), "allocated on the GPU"
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024, "resident, of the whole process"
    return None, "not known on this system"
