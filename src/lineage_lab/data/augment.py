"""Random changes to a batch of images, on its device, each image by draws of its own.

A draw depends on the seed, the epoch and the image's place in the set, and on nothing else:
how many workers gathered the batch, or whether the run was interrupted, changes nothing.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["blended", "cropped", "mirrored", "uniform"]

_AXES = {"none": (), "horizontal": (3,), "both": (3, 2)}


def uniform(seed: int, epoch: int, places: Tensor, *, count: int) -> Tensor:
    """Numbers from 0 to below 1, ``count`` of them for each place.

    SplitMix64 of a counter (Steele, Lea, Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014): any number can be had without those before it.

    Args:
        seed: Of the run.
        epoch: From 0.
        places: Places in the set, ``int64 [n]``.
        count: Draws for each.

    Returns:
        ``float32 [n, count]``.
    """
    with np.errstate(over="ignore"):
        start = _mix(_mix(np.uint64(seed % 2**64)) ^ np.uint64(epoch))
        keys = _mix(start ^ places.numpy().astype(np.uint64))[:, None]
        bits = _mix(keys + np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN)
    return torch.from_numpy((bits >> np.uint64(40)).astype(np.float32) / np.float32(2**24))


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(value: np.uint64 | NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = np.asarray(value + _GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def mirrored(images: Tensor, draws: Tensor, *, flips: str) -> Tensor:
    """Each image mirrored or not, by a coin of its own for each direction.

    Args:
        images: ``[n, channels, height, width]``.
        draws: ``[n, 2]``, from 0 to 1: left-right, up-down.
        flips: ``none``, ``horizontal`` or ``both``.
    """
    for number, axis in enumerate(_AXES[flips]):
        coin = (draws[:, number] < 0.5).view(-1, 1, 1, 1)
        images = torch.where(coin, images.flip(axis), images)
    return images


def cropped(images: Tensor, draws: Tensor, *, least: float) -> Tensor:
    """From each image a random rectangle, scaled to the whole size.

    Inception's crop (arXiv:1409.4842, section 6): a share of the area from ``least`` to 1, an
    aspect from 3/4 to 4/3.

    Args:
        images: ``float [n, channels, side, side]``.
        draws: ``[n, 4]``, from 0 to 1: area, aspect, and the rectangle's place.
        least: Smallest share of the area.
    """
    area = least + (1 - least) * draws[:, 0]
    aspect = (0.75 * (16 / 9) ** draws[:, 1]).sqrt()
    sides = torch.stack((area.sqrt() * aspect, area.sqrt() / aspect), dim=1).clamp(max=1)
    centre = (2 * draws[:, 2:4] - 1) * (1 - sides)
    theta = torch.cat((torch.diag_embed(sides), centre[:, :, None]), dim=2).to(images.dtype)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def blended(
    images: Tensor, targets: Tensor, generator: np.random.Generator, *, mixup: float, cutmix: float
) -> tuple[Tensor, Tensor]:
    """A batch with its images mixed in pairs, and their targets in the same proportion.

    Args:
        images: ``float [n, channels, height, width]``; not changed.
        targets: Probabilities ``[n, classes]``.
        generator: Decides between the two if both are on, the proportion and the rectangle.
        mixup: Parameter of the Beta distribution that the proportion comes from; 0 for off.
        cutmix: Likewise.

    Returns:
        Images and targets of the same shapes.
    """
    if not mixup and not cutmix:
        return images, targets
    by_cut = bool(cutmix) and (not mixup or generator.random() < 0.5)
    alpha = cutmix if by_cut else mixup
    kept = float(generator.beta(alpha, alpha))
    other = images.flip(0)
    if by_cut:
        height, width = images.shape[-2:]
        rows, columns = (round(side * (1 - kept) ** 0.5) for side in (height, width))
        top = int(generator.integers(height - rows + 1))
        left = int(generator.integers(width - columns + 1))
        images = images.clone()
        window = (..., slice(top, top + rows), slice(left, left + columns))
        images[window] = other[window]
        kept = 1 - rows * columns / (height * width)
    else:
        images = kept * images + (1 - kept) * other
    return images, kept * targets + (1 - kept) * targets.flip(0)
