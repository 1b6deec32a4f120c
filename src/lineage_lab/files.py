"""Writing files so that nobody ever finds half of one."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["write_whole", "writing"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, sync it, and rename it.

    Args:
        path: Where to; missing folders are made.
        content: Bytes, or a text that is stored as UTF-8.

    Raises:
        OSError: See `writing`.
    """
    with writing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def writing(path: Path, *, previous: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when all of it is on the disk.

    Until then it stands beside its place under a name of its own that begins with a dot. If
    anything fails, it is removed, and what had the name before still has it.

    Args:
        path: Where to; missing folders are made.
        previous: What has the name now is renamed to this; ``None`` to replace it.

    Yields:
        The open file.

    Raises:
        OSError: It can't be written, because the disk is full, say; the message names the path.
    """
    partial: Path | None = None
    try:
        if path.is_dir():  # a rename would move it away, with all that is in it
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        partial = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        if previous is not None and path.exists():
            path.replace(previous)
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} could not be written: {error.strerror or error}. Nothing of it was left "
            "behind, and an older file of this name is as it was. Make room or choose another "
            "folder, then try again",
        ) from error
    finally:
        if partial is not None:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Puts the new name itself on the disk, where the system lets a folder be opened."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(OSError):  # some network file systems can't
                os.fsync(handle)
        finally:
            os.close(handle)
