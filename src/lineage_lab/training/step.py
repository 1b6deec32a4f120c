"""The training step: images and labels in, weights changed, the loss out.

No network is known here by its name. One that gives several scores in training says itself how
much each counts, by its attribute ``output_weights``: a number for each output.
"""

import logging

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.data.augment import blended, cropped, mirrored
from lineage_lab.heads import outputs as outputs_of
from lineage_lab.training.device import autocast
from lineage_lab.training.loss import classification_loss
from lineage_lab.training.run import Run

__all__ = ["output_weights", "step"]

logger = logging.getLogger(__name__)


def step(run: Run, images: Tensor, labels: Tensor, draws: Tensor) -> Tensor:
    """One training step; returns its loss, on the device.

    A step whose loss or gradient is not finite changes no weight, and nor does any after it.
    The device decides that by itself; the host learns of it when it next looks.

    Args:
        run: What is trained, and how.
        images: Images of the step, ``uint8 [n, channels, side, side]``.
        labels: Class of each, ``int64 [n]``.
        draws: Random numbers for each, ``float32 [n, DRAWS]``, from 0 to 1.

    Raises:
        ValueError: The network gives several outputs and doesn't say how much each counts.
        TypeError: It gives something in which no scores are found.
        OutOfMemoryError: Memory does not suffice for two images at once.
    """
    while True:
        try:
            loss, norm = _backward(run, images, labels, draws)
            break
        except (torch.OutOfMemoryError, RuntimeError) as error:
            progress = run.progress
            if not _is_memory(error) or run.group.size > 1:
                raise
            if 2 * progress.accumulate > len(images) // 2:
                raise
            progress.accumulate *= 2
            logger.warning(
                "out of memory: the %d images of a step now go through in %d parts",
                len(images),
                progress.accumulate,
            )
            run.warn_of_few_images()
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
        _update_unless(run.bad, run.optimizer)
    if run.average is not None:
        run.average.update_parameters(run.model)
        for theirs, mine in zip(run.average.module.buffers(), run.model.buffers(), strict=True):
            theirs.copy_(mine)
    run.optimizer.zero_grad(set_to_none=True)
    return loss


def output_weights(model: nn.Module, outputs: int) -> tuple[float, ...]:
    """How much each output of a network counts in its loss.

    Args:
        model: The network.
        outputs: How many outputs it gives in training.

    Returns:
        1 for a single output; for several what the network's ``output_weights`` says.

    Raises:
        ValueError: It gives several, and has no such attribute or one of another length.
    """
    if outputs == 1:
        return (1.0,)
    weights = getattr(model, "output_weights", None)
    if weights is None or len(weights) != outputs:
        says = "does not say" if weights is None else f"says for {len(weights)}"
        raise ValueError(
            f"{type(model).__name__} gives {outputs} outputs in training and {says} how much each "
            f"counts in the loss: set model.output_weights to {outputs} numbers, the first 1 for "
            "the main output"
        )
    return tuple(weights)


def _backward(run: Run, images: Tensor, labels: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Forward and backward in as many parts as asked for: the loss and the gradient's length."""
    recipe, progress, device = run.recipe, run.progress, run.device
    draws = draws.to(device, non_blocking=True)
    x = mirrored(images.to(device, non_blocking=True), draws[:, :2], flips=run.flips)
    x = run.prepare(x)
    if recipe.crop < 1:
        x = cropped(x, draws[:, 2:], least=recipe.crop).contiguous(memory_format=run.form.layout)
    targets = labels.to(device, non_blocking=True)
    if recipe.mixup or recipe.cutmix:
        one_hot = F.one_hot(targets, len(run.train.classes)).float()
        seeds = (recipe.seed, progress.epoch, progress.batch, run.group.rank)
        generator = np.random.default_rng(seeds)
        x, targets = blended(x, one_hot, generator, mixup=recipe.mixup, cutmix=recipe.cutmix)
    total = torch.zeros((), device=device)
    # The mean over the images of all processes, whatever each one's share: DDP takes the mean
    # over the processes of what each gives.
    count = len(images) if run.group.size == 1 else _images_of_all(run)
    # A batch norm can't learn from a single image whose map is a single place.
    pieces = max(1, min(progress.accumulate, len(images) // 2))
    for part, wanted in zip(x.tensor_split(pieces), targets.tensor_split(pieces), strict=True):
        with autocast(device, run.form.precision):
            outputs = outputs_of(run.net(part))
        loss = torch.zeros((), device=device)
        for weight, out in zip(output_weights(run.model, len(outputs)), outputs, strict=True):
            loss = loss + weight * classification_loss(
                out.float(),
                wanted,
                weights=run.class_weights,
                smoothing=recipe.label_smoothing,
                focal=recipe.focal,
                shift=run.shift,
            )
        loss = loss / count
        if run.scaler.is_enabled():  # which decides by the gradient: after a bad step, none counts
            loss = loss * torch.where(run.bad > 0, torch.nan, 1.0)
        run.scaler.scale(loss * run.group.size).backward()  # type: ignore[no-untyped-call]
        total += loss.detach()
    run.scaler.unscale_(run.optimizer)
    learning = [p for p in run.parameters if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for p in learning if p.grad is not None])
    if recipe.clip_norm:
        nn.utils.clip_grads_with_norm_(learning, recipe.clip_norm, norm)
    return total, norm


def _images_of_all(run: Run) -> int:
    """Images of the present batch in all processes."""
    sizes = torch.arange(len(run.train)).tensor_split(run.batches)
    return len(sizes[run.progress.batch])


def _update_unless(bad: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """``optimizer.step()``, left out on the device if ``bad`` is not 0.

    Fused optimizers read `found_inf`, which mixed precision's scaler was made for. Others
    (MPS has none) have to wait for the answer.
    """
    if optimizer.defaults.get("fused"):
        optimizer.found_inf = bad  # type: ignore[attr-defined]
        optimizer.step()
    elif not bad.item():
        optimizer.step()


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
