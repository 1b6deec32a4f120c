"""Writing files so that nobody ever finds half of one."""

import errno
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "alone",
    "check_name",
    "drop_partial_files",
    "one_line",
    "refuse_to_replace",
    "write_whole",
    "writing",
    "written",
]

logger = logging.getLogger(__name__)

_partial_files: set[Path] = set()  # of this process, and not yet whole
_written: dict[Path, None] = {}  # files that this process gave their names, in order


def one_line(text: str) -> str:
    """A text from outside on one line: what can't be printed is written out as its code.

    Args:
        text: Any text, such as the name of a file or of a class.

    Returns:
        The same, with line breaks, control characters and bytes that are not UTF-8 as their
        escapes in Python.

    Examples:
        >>> one_line("two" + chr(10) + "lines") == "two" + chr(92) + "nlines"
        True
    """
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def check_name(path: Path) -> None:
    """A check that a folder's or a file's name is UTF-8, as every file of results is.

    Args:
        path: The path, each part of which counts.

    Raises:
        ValueError: It is not; the message shows the name with its odd bytes as escapes.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the name {one_line(str(path))} is not UTF-8, so no file of results could hold it: "
            "rename it"
        ) from error


def written() -> tuple[Path, ...]:
    """Files that this process has written so far, in the order of their first writing."""
    return tuple(_written)


def drop_partial_files() -> None:
    """Removal of every file that this process has begun and not finished, before it ends."""
    for path in tuple(_partial_files):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def refuse_to_replace(*paths: Path, ways: str) -> None:
    """A check that none of the paths has a file yet.

    Args:
        *paths: Files that are about to be written.
        ways: What to do instead, as the end of the message, such as ``"give --overwrite"``.

    Raises:
        FileExistsError: One is there; the message names it.
    """
    for path in paths:
        if path.exists() and not path.is_dir():
            raise FileExistsError(f"{path} is there already, and nothing was changed: {ways}")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """A folder that no other process writes to until the block, or this process, ends.

    Args:
        folder: The folder; made if it is missing.

    Raises:
        ValueError: Another process has it, and the message names the process; or its name is not
            UTF-8.
        OSError: The folder can't be written to.
    """
    from filelock import FileLock, Timeout

    check_name(folder)
    note = folder / ".lock.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        owner = "another process"
        with suppress(OSError):
            owner = note.read_text(encoding="utf-8", errors="replace").strip() or owner
        raise ValueError(
            f"{folder} is being written to by {owner}, and nothing was changed: wait until it "
            "ends, stop it, or give another folder"
        ) from None
    except NotImplementedError:  # a file system without locks
        logger.warning("%s can't be locked: see to it that one run at a time writes there", folder)
        yield
        return
    except OSError as error:
        raise OSError(
            error.errno,
            f"{folder} can't be written to: {error.strerror or error}. Choose another folder",
        ) from error
    try:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        with suppress(OSError):
            note.write_text(f"process {os.getpid()} on {socket.gethostname()} since {since}\n")
        yield
    finally:
        with suppress(OSError):
            note.unlink(missing_ok=True)
        lock.release()


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
        _partial_files.add(partial)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(0o644)
        if previous is not None and path.exists():
            path.replace(previous)
        partial.replace(path)
        _written[path] = None
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
            _partial_files.discard(partial)


def _sync_folder(folder: Path) -> None:
    """Puts the new name itself on the disk, where the system lets a folder be opened."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with suppress(OSError):  # some network file systems can't
                os.fsync(handle)
        finally:
            os.close(handle)
