"""Bringing a file that is known by its hash: all of it, or nothing.

What comes is written beside its place, verified, and renamed. A broken download is begun
anew: the largest file is below 1 GB, and one that was put together from two answers would be
harder to trust.
"""

import hashlib
import os
import sys
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from filelock import FileLock

__all__ = ["download", "sha256_of"]


def download(
    url: str, path: Path, sha256: str, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Bring a file, unless it is there.

    One process at a time: others that want the same file wait, then find it. What a killed
    process left half is written over. An empty ``.lock`` stays in the folder.

    Args:
        url: Where from; redirections are followed.
        path: Where to; missing folders are made.
        sha256: The file's SHA-256, or as many first digits of it as are known.
        progress: Called with the bytes that came and the bytes in all (0 if unknown);
            ``None`` for a bar on the terminal.

    Raises:
        OSError: The address can't be reached, the disk is full, the connection broke, or
            what came is another file. Nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.is_file():  # another process brought it meanwhile
            return
        try:
            _fetch(url, partial, progress or _Bar(path.name))
            found = sha256_of(partial)
            if not found.startswith(sha256):
                raise OSError(
                    f"another file: {partial.stat().st_size:,} bytes with SHA-256 {found[:8]}…, "
                    f"not {sha256[:8]}…"
                )
            partial.replace(path)
            _remember(path, found)
        finally:
            partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, 64 digits.

    A file is read once a process, and again when its size, its times or its place on the disk
    have changed.
    """
    state = _state(path)
    if known := _HASHES.get(state):
        return known
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if _state(path) == state:  # else it was written to meanwhile
        _remember(path, found)
    return found


_HASHES: dict[tuple[str, int, int, int, int, int], str] = {}
_SETTLED = 50_000_000  # nanoseconds; two changes within a clock's tick have the same time


def _state(path: Path) -> tuple[str, int, int, int, int, int]:
    """What changes when a file is written to or replaced."""
    at = path.stat()
    times = at.st_mtime_ns, at.st_ctime_ns
    return os.path.realpath(path), at.st_dev, at.st_ino, at.st_size, *times


def _remember(path: Path, sha256: str) -> None:
    if time.time_ns() - path.stat().st_mtime_ns > _SETTLED:
        _HASHES[_state(path)] = sha256


def _fetch(url: str, partial: Path, progress: Callable[[int, int], None]) -> None:
    try:
        with urlopen(url, timeout=30) as web, partial.open("wb") as file:
            length = web.headers.get("Content-Length", "")
            size = int(length) if length.isdigit() else 0
            while chunk := web.read(1 << 20):
                file.write(chunk)
                progress(file.tell(), size)
            if size and file.tell() != size:
                raise OSError(f"the connection broke after {file.tell():,} of {size:,} bytes")
            file.flush()
            os.fsync(file.fileno())
    except HTTPError as error:
        error.close()
        raise OSError(f"HTTP status {error.code}, {error.reason}") from error
    except URLError as error:
        raise OSError(str(error.reason)) from error
    except HTTPException as error:
        raise OSError(f"the answer is no HTTP, or broke: {error!r}") from error


class _Bar:
    """A line on the terminal that grows, or one line at the start and one at the end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown = -1

    def __call__(self, done: int, size: int) -> None:
        percent = 100 * done // size if size else 0
        live = sys.stderr.isatty()
        if percent == self.shown or not (live or self.shown < 0 or done == size):
            return
        self.shown = percent
        bar = f"{'█' * (percent // 5):20} {percent:3} % of {size / 1e6:.1f} MB"
        end = "\n" if done == size or not live else ""
        print(f"{chr(13) if live else ''}{self.name} {bar}", end=end, file=sys.stderr, flush=True)
