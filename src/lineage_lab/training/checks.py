"""The checks before a run: what can't be done here is refused before anything is trained."""

import torch
from torch import nn

from lineage_lab.data.sets import ImageSet
from lineage_lab.heads import find_head
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe

__all__ = ["check_device", "check_group", "check_head", "check_images"]


def check_head(model: nn.Module, train: ImageSet) -> None:
    """Refuse a network whose head does not fit the classes.

    Raises:
        ValueError: The message says how to replace it; or there is no head.
    """
    _, head = find_head(model)
    if head.weight.shape[0] != len(train.classes):
        raise ValueError(
            f"the head gives {head.weight.shape[0]} scores, but {train.name} has "
            f"{len(train.classes)} classes: replace_head(model, {len(train.classes)})"
        )


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
        raise ValueError(
            f"a budget of minutes can't be shared by {group.size} processes: give epochs"
        )
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
    every = group.all_of([mine], group.size)
    if len(set(every)) > 1:
        each = "; ".join(f"process {rank} has {what}" for rank, what in enumerate(every))
        raise ValueError(
            f"the processes do not have the same images: {each}. Give each machine the same data "
            "set, and don't split it by rank: each process takes its share of each batch by itself"
        )
