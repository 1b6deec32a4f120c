"""The trial of forms: which precision and memory format a network trains fastest in, here.

It depends on the network and on the processor, so that a few steps of each form on a copy of the
network decide. The choice is cached, so that the next run on this machine starts at once.
"""

import copy
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab import __version__
from lineage_lab.data.sets import ImageSet
from lineage_lab.files import write_whole
from lineage_lab.training.batches import DRAWS, Prepare
from lineage_lab.training.device import LAYOUTS, Form, device_name, finish, matmul_precision
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import CHOICES, Recipe
from lineage_lab.training.run import Run
from lineage_lab.training.step import step

__all__ = ["choice_kept", "choose_form", "fastest_form", "keep_choice"]

logger = logging.getLogger(__name__)

LAPS = 2  # of a form, the better one counts
CLOSE = 1.5  # a form that took less than so many times the fastest's time runs once more
WARMUP = 1  # where nothing has to be chosen
EARNS_BACK = 600.0  # compiling is tried for runs that take longer, in seconds
# In the order in which they are tried; the first is what is taken where nothing was measured.
CANDIDATES = {
    "cpu": (("bf16", "channels_last"), ("fp32", "channels_last")),
    "cuda": (("bf16", "channels_last"), ("fp16", "channels_last"), ("tf32", "channels_last")),
    "mps": (("fp32", "contiguous"), ("fp16", "contiguous")),
}


def choose_form(
    model: nn.Module,
    train: ImageSet,
    recipe: Recipe,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    device: torch.device,
    group: Group,
) -> Form:
    """The form of the run, by a trial on a copy of the network; random states stay as they are.

    Args:
        model: The network, on its device.
        train: Images to train on.
        recipe: How.
        mean: Mean of each channel of the images.
        std: Standard deviation of each channel.
        device: Device that the network is on.
        group: The processes that share the run; the leading one decides.
    """
    images = train.images[: max(2, min(recipe.batch_size, len(train)) // group.size)]
    few = replace(train, images=images, labels=train.labels[: len(images)], validation=0)
    batches = math.ceil(len(train) / recipe.batch_size)
    numbers = torch.get_rng_state()
    form = fastest_form(
        model,
        images,
        _Copy(model, few, recipe, Prepare(mean, std, device)).step,
        recipe=recipe if group.size == 1 else replace(recipe, compile="off"),
        steps=None if recipe.minutes else (recipe.head_epochs + recipe.epochs) * batches,
        device=device,
    )
    torch.set_rng_state(numbers)
    form = group.as_leader(form)  # each process timed its own trial
    if group.leads:
        rates = ", ".join(f"{name} {rate:.1f}" for name, rate in form.images_per_second)
        trial = f" (images a second in the trial: {rates})" if rates else ""
        logger.info("%s runs as %s%s", type(model).__name__, form, trial)
    return form


class _Copy:
    """A copy of the network that takes training steps in one form after another."""

    def __init__(self, model: nn.Module, few: ImageSet, recipe: Recipe, prepare: Prepare) -> None:
        self._model, self._few, self._prepare = model, few, prepare
        # What is timed is the whole network learning, in one process.
        self._recipe = replace(recipe, head_epochs=0, unfreeze="all", ema=0.0, sync_norms=False)
        self._run: Run | None = None

    def step(self, form: Form) -> None:
        """One training step in a form; waits for the device."""
        if self._run is None or self._run.form != form:
            self._run = None  # one copy at a time
            self._run = self._begun(form)
        images, labels = self._few.images, self._few.labels
        draws = torch.full((len(images), DRAWS), 0.25)
        with matmul_precision(self._prepare.device, form.precision):
            step(self._run, images, labels, draws)
        finish(self._prepare.device)

    def _begun(self, form: Form) -> Run:
        mean, std, device = self._prepare.mean, self._prepare.std, self._prepare.device
        run = Run(
            model=copy.deepcopy(self._model).to(memory_format=form.layout),
            train=self._few,
            recipe=self._recipe,
            form=form,
            prepare=Prepare(mean, std, device, layout=form.layout),
        )
        torch.manual_seed(self._recipe.seed)
        run.set_rates()
        run.unfreeze(len(run.pieces))
        return run


def fastest_form(
    model: nn.Module,
    images: Tensor,
    train_step: Callable[[Form], object],
    *,
    recipe: Recipe,
    steps: int | None,
    device: torch.device,
) -> Form:
    """The form that a recipe asks for, and of what it leaves open the fastest.

    Args:
        model: The network; its class, its size and the images decide where the choice is cached.
        images: A batch as it will come, ``uint8 [n, channels, side, side]``.
        train_step: Takes one training step in a form, and waits for the device.
        recipe: How; of its lines ``precision``, ``memory_format`` and ``compile`` are read.
        steps: Steps of the whole run, or ``None`` if it is not known.
        device: Where.

    Returns:
        The form, after a warm-up in it.
    """
    forms = _candidates(recipe, device)
    tries_contiguous = recipe.memory_format == "auto" and device.type != "mps"
    if len(forms) == 1 and not tries_contiguous:
        for _ in range(WARMUP):
            train_step(forms[0])
        return forms[0]
    question = (
        type(model).__name__,
        sum(p.numel() for p in model.parameters()),
        tuple(images.shape),
        [str(form) for form in forms],
        recipe.compile,
        device_name(device),
        _processor(),
        torch.get_num_threads(),
        torch.__version__,
        torch.version.cuda,
        __version__,
    )
    if form := _cached(_cache_file(), _key(question)):
        for _ in range(WARMUP):
            train_step(form)
        return form
    seconds: dict[Form, float] = {}

    def measure(form: Form) -> None:
        for _ in range(LAPS):
            start = time.perf_counter()
            train_step(form)
            lap = time.perf_counter() - start
            seconds[form] = min(lap, seconds.get(form, lap))

    for form in forms:
        measure(form)
    best = min(seconds, key=seconds.__getitem__)
    if tries_contiguous:
        measure(replace(best, memory_format="contiguous"))
    # A slow moment of the machine may have met one form alone, and the choice is cached for good.
    first, *others = sorted(seconds, key=seconds.__getitem__)
    if others and seconds[others[0]] < CLOSE * seconds[first]:
        measure(others[0])
    best = min(seconds, key=seconds.__getitem__)
    if recipe.compile == "auto" and steps and steps * seconds[best] > EARNS_BACK:
        measure(replace(best, compiled=True))
        best = min(seconds, key=seconds.__getitem__)
    rates = tuple((str(form), len(images) / s) for form, s in seconds.items())
    best = replace(best, images_per_second=rates)
    keep_choice(question, asdict(best))
    return best


def _candidates(recipe: Recipe, device: torch.device) -> list[Form]:
    """The forms that the recipe leaves open, in the order in which they are tried."""
    pairs = CANDIDATES[device.type]
    if device.type == "cpu" and not _has_bf16():
        pairs = tuple((p, m) for p, m in pairs if p != "bf16")
    if recipe.precision != "auto":
        pairs = ((recipe.precision, "contiguous" if device.type == "mps" else "channels_last"),)
    if recipe.memory_format != "auto":
        pairs = tuple(dict.fromkeys((p, recipe.memory_format) for p, _ in pairs))
    compiled = recipe.compile == "on"
    return [Form(precision=p, memory_format=m, compiled=compiled) for p, m in pairs]


def _has_bf16() -> bool:
    """Whether torch's kernels of this processor take bf16.

    Without them (AVX2 and older) a convolution in bf16 is some 15 times as slow as in fp32: one
    step of ResNet-50, tried in vain, would take minutes.
    """
    # A torch that was built without oneDNN, as for a Mac, has no such operator.
    known = hasattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
    return known and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _cache_file() -> Path:
    folder = os.environ.get("LINEAGE_LAB_CACHE") or Path.home() / ".cache" / "lineage-lab"
    return Path(folder) / "trials.json"


def _key(question: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(question).encode()).hexdigest()[:24]


def choice_kept(question: tuple[object, ...]) -> dict[str, Any] | None:
    """What an earlier trial chose.

    Args:
        question: All that the choice depends on.

    Returns:
        What `keep_choice` was given; ``None`` if there is nothing, or the file can't be read.
    """
    return _entry(_cache_file(), _key(question))


def keep_choice(question: tuple[object, ...], choice: dict[str, Any]) -> None:
    """Keep what a trial chose, for the next run on this machine.

    Args:
        question: All that the choice depends on.
        choice: Plain values.
    """
    file = _cache_file()
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        entries = entries if isinstance(entries, dict) else {}
    except (OSError, ValueError):
        entries = {}
    try:
        write_whole(file, json.dumps({**entries, _key(question): choice}, indent=1) + "\n")
    except OSError:  # a cache that can't be written costs time, not the run
        return


def _entry(file: Path, key: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))[key]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entry if isinstance(entry, dict) else None


def _cached(file: Path, key: str) -> Form | None:
    """The form that an earlier trial chose; a file that can't be read is as if it weren't there."""
    entry = _entry(file, key) or {}
    try:
        form = Form(
            precision=entry["precision"],
            memory_format=entry["memory_format"],
            compiled=entry["compiled"] is True,
            images_per_second=tuple((str(n), float(r)) for n, r in entry["images_per_second"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
    is_known = form.precision in CHOICES["precision"][1:] and form.memory_format in LAYOUTS
    return form if is_known else None


def _processor() -> str:
    """The processor's model and the instructions that decide how fast half precision is."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    lines = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in lines.items()}
    flags = [f for f in ("avx512_bf16", "amx_bf16", "avx2") if f in facts.get("flags", "").split()]
    return " ".join((facts.get("model name", ""), *flags))
