"""What a training step eats: an epoch's batches, and what makes a network's input of them."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from lineage_lab.data import cache
from lineage_lab.data.augment import uniform
from lineage_lab.data.sets import ImageSet
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe

__all__ = ["DRAWS", "Batches", "Prepare"]

DRAWS = 6  # random numbers an image: two mirrors, a crop's area, aspect, and place


class Prepare:
    """``uint8`` images to what the network takes: on the device, normalised, in its layout.

    Args:
        mean: Mean of each channel that is subtracted; pixels from 0 to 1.
        std: Standard deviation of each channel that is divided by.
        device: Device that the images go to.
        layout: Memory format of the result.

    Attributes:
        mean: Mean of each channel, as it was given.
        std: Standard deviation of each channel, as it was given.
        device: Device that the images go to.
        layout: Memory format of the result.
    """

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        *,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.mean, self.std = tuple(mean), tuple(std)
        self.device, self.layout = device, layout
        self._shift = 255 * torch.tensor(mean, device=device).view(1, -1, 1, 1)
        self._scale = 1 / (255 * torch.tensor(std, device=device).view(1, -1, 1, 1))

    def __call__(self, images: Tensor) -> Tensor:
        """``uint8 [n, channels or 1, side, side]`` to ``float32 [n, channels, side, side]``."""
        x = images.to(self.device, non_blocking=True).float()
        # A grey image becomes one of three equal channels by broadcasting against the mean.
        return ((x - self._shift) * self._scale).contiguous(memory_format=self.layout)


def balanced_order(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """An epoch's images, as many of each class: small classes come again, large ones in part.

    Args:
        labels: ``int64 [n]``.
        classes: How many there are.
        generator: Decides which, and their order.

    Returns:
        ``int64 [n]``: indices, each class within one image of the others.
    """
    of_class = [(labels == label).nonzero().flatten() for label in range(classes)]
    of_class = [indices for indices in of_class if len(indices)]
    sizes = [len(part) for part in torch.arange(len(labels)).tensor_split(len(of_class))]
    chosen = []
    for indices, size in zip(of_class, sizes, strict=True):
        rounds = -(-size // len(indices))
        drawn = [indices[torch.randperm(len(indices), generator=generator)] for _ in range(rounds)]
        chosen.append(torch.cat(drawn)[:size])
    order = torch.cat(chosen)
    return order[torch.randperm(len(order), generator=generator)]


class Batches(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """The batches of one epoch, this process's share of each, gathered when they are asked for."""

    def __init__(self, data: ImageSet, recipe: Recipe, epoch: int, group: Group) -> None:
        generator = torch.Generator().manual_seed(recipe.seed * 10_007 + epoch)
        if recipe.sampling == "balanced":
            order = balanced_order(data.labels, len(data.classes), generator)
        else:
            order = torch.randperm(len(data), generator=generator)
        # Sizes differ by one at most: none is a single image.
        self.batches = order.tensor_split(math.ceil(len(data) / recipe.batch_size))
        self.data, self.group = data, group
        self.seed, self.epoch = recipe.seed, epoch

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        places = self.group.share(self.batches[number])
        draws = uniform(self.seed, self.epoch, places, count=DRAWS)
        cache.check_whole(self.data.images)
        return self.data.images[places], self.data.labels[places], draws, places
