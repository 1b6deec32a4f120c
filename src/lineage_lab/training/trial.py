"""What happens before a run's first step: what can't be done here is refused, a form is chosen."""

import copy
import logging
import math
from dataclasses import replace

import torch
from torch import nn

from lineage_lab.data.sets import ImageSet
from lineage_lab.training import device as devices
from lineage_lab.training.batches import DRAWS, Prepare
from lineage_lab.training.device import Form, finish
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.run import Run, step

__all__ = ["check_device", "check_group", "check_images", "choose_form"]

logger = logging.getLogger(__name__)


def check_device(recipe: Recipe, device: torch.device) -> None:
    """Refuse a precision that the device does not have.

    Raises:
        ValueError: The message names what to take in its place.
    """
    if recipe.precision == "tf32" and device.type != "cuda":
        raise ValueError(f"precision='tf32' is a form of CUDA's, and the device is {device.type}")
    if recipe.precision == "fp16" and device.type == "cpu":
        raise ValueError("precision='fp16' is for GPUs: on a CPU take 'bf16' or 'fp32'")


def check_group(recipe: Recipe, group: Group, images: int) -> None:
    """Refuse a recipe that these processes can't share.

    Raises:
        ValueError: It has a budget of minutes, or too few images a step.
    """
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


def check_images(group: Group, train: ImageSet, val: ImageSet) -> None:
    """Processes with other images would wait for one another without end: said in each of them.

    Raises:
        ValueError: The message lists what each process has.
    """
    if group.size == 1:
        return
    mine = f"{len(train)} + {len(val)} images, {train.fingerprint} {val.fingerprint}"
    told = group.all_of([mine], group.size)
    if len(set(told)) > 1:
        each = "; ".join(f"process {rank} has {what}" for rank, what in enumerate(told))
        raise ValueError(
            f"the processes do not have the same images: {each}. Give each machine the same data "
            "set, and don't split it by rank: each process takes its share of each batch by itself"
        )


def choose_form(
    model: nn.Module, head: str, train: ImageSet, recipe: Recipe, prepare: Prepare, group: Group
) -> Form:
    """The form of the run, by a trial on a copy of the network; random states stay as they are.

    Args:
        model: The network, on its device.
        head: Path of its last layer.
        train: Images to train on.
        recipe: How.
        prepare: Makes the network's input of them.
        group: The processes that share the run; the leading one decides.
    """
    device = prepare.device
    images = train.images[: max(2, min(recipe.batch_size, len(train)) // group.size)]
    # The trial measures the whole network learning, in one part, and alone.
    alone = replace(recipe, head_epochs=0, unfreeze="all", ema=0.0, sync_norms=False)
    few = replace(train, images=images, labels=train.labels[: len(images)], validation=0)

    def lap(form: Form) -> None:
        if form not in runs:
            runs.clear()  # one copy at a time
            layout = prepare.layout
            runs[form] = Run(copy.deepcopy(model), head, alone, form, prepare, Group(), few)
            prepare.layout = layout
        run = runs[form]
        prepare.layout = form.layout
        run.set_learning()
        run.batch = 0
        draws = torch.full((len(images), DRAWS), 0.25)
        with devices.matmul_precision(device, form.precision):
            step(run, few.images, few.labels, draws)
        finish(device)

    runs: dict[Form, Run] = {}
    numbers = torch.get_rng_state()
    batches = math.ceil(len(train) / recipe.batch_size)
    form = devices.trial(
        model,
        images,
        lap,
        precision=recipe.precision,
        memory_format=recipe.memory_format,
        compiling=recipe.compile if group.size == 1 else "off",
        steps=None if recipe.minutes else (recipe.head_epochs + recipe.epochs) * batches,
        device=device,
    )
    torch.set_rng_state(numbers)
    form = group.as_leader(form)  # each process timed its own trial
    if not group.leads:
        return form
    rates = ", ".join(f"{name} {rate:.1f}" for name, rate in form.images_per_second)
    logger.info("%s runs as %s%s", type(model).__name__, form,
                f" (images a second in the trial: {rates})" if rates else "")  # fmt: skip
    return form
