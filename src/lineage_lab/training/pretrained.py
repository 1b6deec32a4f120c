"""What a fine-tune starts from: a network by its name, its weights, its normalisation."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn

from lineage_lab import registry
from lineage_lab.heads import find_head
from lineage_lab.weights import published
from lineage_lab.weights.download import sha256_of

__all__ = ["StartingPoint", "starting_point"]

HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingPoint:
    """A network before its fine-tune.

    Attributes:
        entry: Row of the network.
        weights: Name of the weights, or ``None`` for random ones.
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
        """The network with a new head, whose first weights the seed decides."""
        torch.manual_seed(seed)
        return registry.create_model(self.entry.name, num_classes=classes, weights=self.weights)


def starting_point(name: str, *, random: bool = False) -> StartingPoint:
    """Find a network and its ImageNet weights.

    Args:
        name: One of `lineage_lab.list_models`, or ``timm/NAME``.
        random: Start from random weights.

    Raises:
        ValueError: There is no such network, or it has no such weights.
        WeightsUnavailable: The weights can't be had; the message says what to do.
    """
    entry = registry.entry(name)
    mean, std = entry.mean or HALF, entry.std or HALF
    file = sha256 = ""
    weights = None if random else "imagenet"
    if weights and name.startswith("timm/"):
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


def _digest(model: nn.Module) -> str:
    """SHA-256 over the body's tensors with their names, where no file is known."""
    digest = hashlib.sha256()
    head = f"{find_head(model)[0]}."
    for name, tensor in model.state_dict().items():
        if not name.startswith(head):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
