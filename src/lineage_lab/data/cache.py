"""Decoded pixels kept on disk and mapped into memory: decoding is paid once.

An entry is one file: the pixels of all images, then the SHA-256 of them. Its name is a hash
of what it was made from: path, size, and times of every file, the decoder's version, and the
options. So a file that was touched makes a new entry; a content that changed with its size
and times kept would not be seen, but the time that is compared is also the one that no
program can set back (``ctime``).

An entry is written under another name, synced, and renamed: a killed process leaves nothing
that is taken for whole. One process decodes, others that want the same wait for it. The
folder is ``LINEAGE_LAB_CACHE`` (``~/.cache/lineage-lab``), and its entries take at most
``LINEAGE_LAB_CACHE_GIB`` (10) GiB: those that were used longest ago go first, never one that a
process is using.
"""

import hashlib
import logging
import math
import mmap
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from torch import Tensor

from lineage_lab.data import decoding as decode

if sys.platform != "win32":
    import fcntl

__all__ = [
    "Cached",
    "cached",
    "check_whole",
    "folder",
    "gathered",
    "in_order",
    "limit",
    "locked",
    "make_room",
    "middles",
    "reader",
]

logger = logging.getLogger(__name__)

_verified: set[tuple[str, int]] = set()  # entries whose pixels this process has hashed
_maps: WeakValueDictionary[int, mmap.mmap] = WeakValueDictionary()  # by the address of the pixels

DIGEST = hashlib.sha256().digest_size
AT_ONCE = 64  # images that are decoded before they are written
LARGE = 2**30  # bytes of a selection that is kept in a file instead of in memory
GIB = 2**30
CHUNK = 2**20

Shape = tuple[int, int, int, int]


class Cached(NamedTuple):
    """Decoded images.

    Attributes:
        images: ``uint8`` of the shape that was asked for.
        pixels: SHA-256 of the pixels in hexadecimal digits.
        file: File that begins with the pixels, or ``None`` where they are in memory.
    """

    images: Tensor
    pixels: str
    file: Path | None


def folder() -> Path:
    """Where downloaded and decoded data are kept: ``LINEAGE_LAB_CACHE``, or a default."""
    return Path(os.environ.get("LINEAGE_LAB_CACHE") or Path.home() / ".cache" / "lineage-lab")


def limit() -> int:
    """How many bytes the decoded entries may take together.

    Raises:
        ValueError: ``LINEAGE_LAB_CACHE_GIB`` is no positive number.
    """
    said = os.environ.get("LINEAGE_LAB_CACHE_GIB") or "10"
    try:
        gib = float(said)
    except ValueError:
        gib = math.nan
    if not 0 < gib < math.inf:
        raise ValueError(
            f"LINEAGE_LAB_CACHE_GIB is {said!r}: it must be a positive number of GiB, such as 10"
        )
    return int(gib * GIB)


def cached(
    files: Sequence[Path],
    read: Callable[[int], NDArray[np.uint8]],
    *,
    shape: Shape,
    options: str,
) -> Cached:
    """All images as one tensor over a memory map, decoded only if they are not kept yet.

    Args:
        files: What the pixels depend on.
        read: Gives the pixels of the image with this index, ``uint8 [channels, side, side]``.
            Called from several threads.
        shape: Images, channels, height, width.
        options: What else the pixels depend on.

    Returns:
        The images. Writing to the tensor changes nothing on disk.

    Raises:
        FileNotFoundError: One of the files is gone.
        ValueError: What ``read`` raised, or the entry alone would take more than the limit.
    """
    name = _key(files, shape, options)
    entry = folder() / "decoded" / f"{name}.pixels"
    size = math.prod(shape) + DIGEST
    most = limit()
    if size > most:
        raise ValueError(
            f"decoded, the images take {size / GIB:.1f} GiB, but the cache {entry.parent} may "
            f"take {most / GIB:g}: set LINEAGE_LAB_CACHE_GIB to more, or take smaller images"
        )
    if found := _opened(entry, shape):
        return found
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with locked(entry.with_suffix(".lock")):
            if found := _opened(entry, shape):  # another process was quicker
                return found
            make_room(entry.parent, most - size)
            _write(entry, in_order(read, shape[0]))
            if found := _opened(entry, shape):
                return found
    except OSError as error:  # a cache that can't be written costs time, not the run
        warnings.warn(
            f"the decoded images can't be kept in {entry.parent} ({error.strerror or error}): "
            "they are decoded into memory, each time anew. LINEAGE_LAB_CACHE names another folder",
            stacklevel=2,
        )
    return _in_memory(read, shape)


def _key(files: Sequence[Path], shape: Shape, options: str) -> str:
    digest = hashlib.sha256(f"{decode.VERSION} {PIL.__version__} {shape} {options}\n".encode())
    for file in files:
        status = file.stat()
        digest.update(os.fsencode(file.absolute()))
        times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
        digest.update(f"\0{status.st_size} {times}\n".encode())
    return digest.hexdigest()[:32]


def in_order(read: Callable[[int], NDArray[np.uint8]], count: int) -> Iterator[NDArray[np.uint8]]:
    """The images one after the other, a few decoded at once in threads.

    Args:
        read: Gives the pixels of the image with this index.
        count: How many images.

    Yields:
        ``uint8 [channels, side, side]``. No more than `AT_ONCE` are in memory.
    """
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, count, AT_ONCE):
            yield from pool.map(read, range(start, min(start + AT_ONCE, count)))


def _write(entry: Path, images: Iterator[NDArray[np.uint8]]) -> None:
    """Write an entry image by image, in a file beside it that is renamed at the end."""
    beside = entry.with_suffix(".partial")
    digest = hashlib.sha256()
    try:
        with beside.open("wb") as file:
            _in_use(file)
            for pixels in images:
                digest.update(pixels.data)
                file.write(pixels.data)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(entry)
    finally:
        beside.unlink(missing_ok=True)


def _opened(entry: Path, shape: Shape) -> Cached | None:
    """A whole entry, marked as used now and as in use while the tensor lives."""
    size = math.prod(shape)
    try:
        with entry.open("rb") as file:
            if os.fstat(file.fileno()).st_size != size + DIGEST:
                return None
            _in_use(file)
            file.seek(size)
            digest = file.read(DIGEST).hex()
            # The map has a descriptor of its own, and with it the lock, until the tensor goes.
            # "c": copy on write, since torch wants writable memory; nothing reaches the file.
            array = np.memmap(file, np.uint8, mode="c", shape=shape)
            if not _is_sound(entry, file, size, digest):
                return None
    except OSError:
        return None
    _maps[array.ctypes.data] = array._mmap  # type: ignore[attr-defined]
    with suppress(OSError):  # a cache of somebody else's is used as it is
        os.utime(entry)
    return Cached(torch.from_numpy(array), digest, entry)


def _is_sound(entry: Path, file: IO[bytes], size: int, digest: str) -> bool:
    """Whether the pixels are those that were written; hashed once a process.

    They are read from the file: what is read through its map stays in memory.
    """
    key = str(entry), os.fstat(file.fileno()).st_ino
    if key in _verified:
        return True
    found = hashlib.sha256()
    file.seek(0)
    for start in range(0, size, CHUNK):
        found.update(file.read(min(CHUNK, size - start)))
    if found.hexdigest() != digest:
        logger.warning("%s has changed since it was written: the images are decoded again", entry)
        return False
    _verified.add(key)
    return True


def check_whole(images: Tensor) -> None:
    """A check that cached pixels have not been cut off while they are in use.

    Reading beyond the end of a mapped file ends the process without a word.

    Args:
        images: What `cached` gave, or a view of it; others are taken as they are.

    Raises:
        ValueError: The file under them is shorter than it was.
    """
    pixels = _maps.get(images.untyped_storage().data_ptr())
    if pixels is not None and pixels.size() < len(pixels):
        raise ValueError(
            f"the decoded images in {folder()} were cut off while they were in use: leave that "
            "folder alone during a run. The same command with --resume goes on, and decodes them "
            "again"
        )


def _in_memory(read: Callable[[int], NDArray[np.uint8]], shape: Shape) -> Cached:
    array = np.empty(shape, np.uint8)
    for i, pixels in enumerate(in_order(read, len(array))):
        array[i] = pixels
    return Cached(torch.from_numpy(array), hashlib.sha256(array.data).hexdigest(), None)


def middles(images: Tensor, file: Path | None, *, count: int) -> NDArray[np.uint8]:
    """A few bytes from the middle of each image, by which most different ones differ.

    They are read from the file, since what is read through a map stays in memory.

    Args:
        images: ``uint8 [n, channels, height, width]``.
        file: File that begins with them, or ``None``.
        count: Number of bytes, or less where an image has less.

    Returns:
        ``uint8 [n, bytes]``.
    """
    size = images[0].numel()
    count = min(count, size)
    start = (size - count) // 2
    if file is not None:
        try:
            with file.open("rb", buffering=0) as opened:
                found = bytearray()
                for number in range(len(images)):
                    opened.seek(number * size + start)
                    found += opened.read(count)
            if len(found) == count * len(images):
                return np.frombuffer(found, np.uint8).reshape(len(images), count)
        except OSError:  # removed meanwhile; the map lives on
            pass
    return np.ascontiguousarray(images.reshape(len(images), -1)[:, start : start + count].numpy())


def reader(images: Tensor, file: Path | None) -> Callable[[int], NDArray[np.uint8]]:
    """A function that gives an image's pixels in one row, from the file as `middles` does.

    Args:
        images: ``uint8 [n, channels, height, width]``.
        file: File that begins with them, or ``None``.

    Returns:
        The function; it takes an image's number.
    """
    size = images[0].numel()

    def pixels(number: int) -> NDArray[np.uint8]:
        if file is not None:
            try:
                with file.open("rb", buffering=0) as opened:
                    opened.seek(number * size)
                    row = opened.read(size)
                if len(row) == size:
                    return np.frombuffer(row, np.uint8)
            except OSError:  # removed meanwhile; the map lives on
                pass
        return images[number].reshape(-1).numpy()

    return pixels


def make_room(kept: Path, most: int) -> None:
    """Remove what was used longest ago, until the rest takes no more than so many bytes.

    Args:
        kept: A folder of this cache.
        most: Number of bytes.
    """
    used = []
    for path in kept.glob("*"):
        with suppress(OSError):  # removed meanwhile
            used.append((path.stat().st_mtime_ns, path.stat().st_size, path))
    total = sum(size for _, size, _ in used)
    for _, size, path in sorted(used):
        unfinished = path.suffix == ".partial"  # of a process that was killed, or of one at work
        if (total > most or unfinished) and path.suffix != ".lock" and _removed(path):
            total -= size


def _removed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except OSError:  # in use
        return False
    return True


def _in_use(file: IO[bytes]) -> None:
    """Keep a file from being removed by `make_room` until it is closed, or the process ends."""
    if sys.platform != "win32":
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_SH)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with its process, however that ends.

    Args:
        path: A file for it, in a folder that exists; removed at the end.

    Raises:
        OSError: The file can't be made.
    """
    while True:
        with path.open("wb") as file:
            if sys.platform != "win32":
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_still(path, file):  # who had it before has removed it
                continue
            try:
                yield
            finally:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
            return


def _is_still(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def gathered(images: Tensor, rows: Tensor) -> Tensor:
    """Some of the images, in an order, without filling the memory.

    Args:
        images: ``uint8 [n, channels, height, width]``.
        rows: ``int64 [m]``, which of them.

    Returns:
        ``uint8 [m, channels, height, width]``: a view if they follow one another, else a copy;
        a copy of more than 1 GiB is over a file without a name in the cache's folder.
    """
    shape = (len(rows), *images.shape[1:])
    if len(rows) and torch.equal(rows, torch.arange(int(rows[0]), int(rows[0]) + len(rows))):
        return images[int(rows[0]) : int(rows[0]) + len(rows)]
    if math.prod(shape) <= LARGE:
        return images[rows]
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder()) as file:
        for some in torch.split(rows, AT_ONCE):
            file.write(images[some].numpy().data)
        file.flush()
        return torch.from_numpy(np.memmap(file, np.uint8, mode="c", shape=shape))
