"""What a fine-tune starts from: a network by its name, its weights, its normalisation."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from lineage_lab import registry
from lineage_lab.heads import find_head
from lineage_lab.training.recipe import Recipe, recipe_for
from lineage_lab.weights import published
from lineage_lab.weights.builders import Unknown, is_expression
from lineage_lab.weights.download import sha256_of
from lineage_lab.weights.forms import form_of

__all__ = ["StartingPoint", "default_recipe", "recorded_form", "recorded_name", "starting_point"]

logger = logging.getLogger(__name__)

HALF = (0.5, 0.5, 0.5)
AS_BUILT = "as built"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """A network before its fine-tune.

    Attributes:
        entry: Row of the network.
        weights: Name or file of the weights, ``as built`` for those that the network's builder
            gives, or ``None`` for random ones.
        file: Where they come from, in words; empty if random.
        sha256: Hash of the file (of timm's: of the tensors); empty if random.
        mean: Mean of each channel that the weights were trained with; pixels from 0 to 1.
        std: Standard deviation of each channel, also theirs.
    """

    entry: registry.Entry
    weights: str | None
    file: str
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def model(self, classes: int, *, seed: int) -> nn.Module:
        """The network with a new head, whose first weights the seed decides.

        A file's own head is taken where it has as many classes.
        """
        torch.manual_seed(seed)
        weights = None if self.weights == AS_BUILT else self.weights
        return registry.create_model(self.entry.name, num_classes=classes, weights=weights)


def starting_point(
    name: str, *, random: bool = False, weights_file: Path | None = None
) -> StartingPoint:
    """Find a network and the weights that it starts from.

    Args:
        name: One of `lineage_lab.list_models`, ``timm/NAME``, or what builds any other network:
            ``torchvision.models.swin_t(weights='DEFAULT')``, which then has the weights that its
            builder gives.
        random: Start from random weights.
        weights_file: File of weights to start from, in place of the published ones.

    Raises:
        ValueError: There is no such network, or it has no such weights.
        WeightsUnavailable: The weights can't be had; the message says what to do.
    """
    entry = registry.entry(name)
    mean, std = entry.mean or HALF, entry.std or HALF
    file = sha256 = ""
    weights = None if random else "imagenet"
    if weights_file is not None:
        model = registry.create_model(name, weights=weights_file)  # found out now if it can't be
        mean, std = _normalisation(entry, mean, std)
        weights, file, sha256 = str(weights_file), weights_file.name, _digest(model)
    elif is_expression(name):
        weights = None if random else AS_BUILT
        file, sha256 = (name, _digest(entry.build(num_classes=entry.num_classes))) if weights else (
            "", "")  # fmt: skip
    elif weights and name.startswith("timm/"):
        # A headless network gets a head that the digest leaves out.
        classes = entry.num_classes or 1
        model = registry.create_model(name, num_classes=classes, weights=weights)
        file, sha256 = name, _digest(model)
    elif weights:
        row = published.find(name, weights)
        sha256 = sha256_of(published.locate(row))
        file = f"{row.filename} ({row.package or 'torchvision'})"
        mean, std = row.mean, row.std
    return StartingPoint(entry=entry, weights=weights, file=file, sha256=sha256, mean=mean, std=std)


def _normalisation(
    entry: registry.Entry, mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What the published weights of this network want, which a file of its own is taken to want."""
    row = next(iter(entry.weights), None)
    return (row.mean, row.std) if row else (mean, std)


def recorded_name(model: nn.Module, name: str) -> str:
    """The name that a checkpoint holds, by which `predict` builds the network in a new process.

    Args:
        model: The network.
        name: What the caller calls it; may be empty.

    Returns:
        The name, or what builds the network. The log says so where neither is known.
    """
    if name and not is_expression(name):
        return name
    try:
        return registry.name_of(model)
    except Unknown as error:
        if name:
            return name
        logger.warning("%s", error)
        return type(model).__name__


def recorded_form(model: nn.Module) -> dict[str, float | str | bool]:
    """What a checkpoint holds of a network's form, which its tensors don't tell."""
    return form_of(model).to_dict()


def default_recipe(model: nn.Module) -> Recipe:
    """The recipe of a network's kind, whoever made it."""
    return recipe_for(registry.family_of(model))


def _digest(model: nn.Module) -> str:
    """SHA-256 over the body's tensors with their names, where no file is known."""
    digest = hashlib.sha256()
    head = f"{find_head(model)[0]}."
    for name, tensor in model.state_dict().items():
        if not name.startswith(head):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
