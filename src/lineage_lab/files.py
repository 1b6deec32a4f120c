"""Writing files so that nobody ever finds half of one, and seals that tell whether one is whole.

A sealed file begins with three lines: what it is, the SHA-256 of all that follows them, and its
length in bytes. A run's checkpoints are sealed, since torch loads flipped bits without a word.
"""

import errno
import hashlib
import logging
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "HEADER_LENGTH",
    "MAGIC",
    "Hashed",
    "alone",
    "check_name",
    "drop_partial_files",
    "header",
    "is_sealed",
    "one_line",
    "refuse_to_replace",
    "unseal",
    "write_whole",
    "writing",
    "written",
]

logger = logging.getLogger(__name__)

FORMATS = (1, 2)  # that are read; the last is written
MAGIC = b"lineage-lab checkpoint "
_HEADER = re.compile(rb"lineage-lab checkpoint (\d+)\n([0-9a-f]{64})\n(\d{20})\n")
HEADER_LENGTH = len(MAGIC) + 1 + 1 + 64 + 1 + 20 + 1

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


class Hashed:
    """A file to write to that notes the hash and the length of what passes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = 0
        self.failed: OSError | KeyboardInterrupt | None = None
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write on, and note."""
        try:
            self._digest.update(data)
            self.length += len(data)
            return self.file.write(data)
        except (OSError, KeyboardInterrupt) as error:
            self.failed = error
            raise

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()

    def hex(self) -> bytes:
        """SHA-256 of what has passed, 64 digits."""
        return self._digest.hexdigest().encode()


def header(payload: Hashed) -> bytes:
    """The three lines of what was written."""
    return MAGIC + b"%d\n%s\n%020d\n" % (FORMATS[-1], payload.hex(), payload.length)


def is_sealed(path: Path) -> bool:
    """Whether a file begins as a sealed one does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def unseal(file: BufferedReader, path: Path) -> None:
    """Compare length and hash; the file is left at the first byte of what is sealed.

    Args:
        file: The file, open at its beginning.
        path: Its path, for the message.

    Raises:
        ValueError: It is not whole, or not sealed; the message says what it is and what to do.
    """
    head = file.read(HEADER_LENGTH)
    again = "Go on from an older checkpoint of the same run, or copy the file again"
    if not head:
        raise ValueError(f"{path} is empty: it was never written, or lost later. {again}")
    if not head.startswith(MAGIC):
        if MAGIC.startswith(head[: len(MAGIC)]):
            raise ValueError(f"{path} is cut off after {len(head)} bytes. {again}")
        raise ValueError(
            f"{path} is not a checkpoint of Lineage Lab, or its beginning is damaged. Give a "
            "file that a run wrote into its --out folder, such as last.ckpt; published weights are "
            "loaded by create_model(name, weights=...)"
        )
    version = head[len(MAGIC) :].split(b"\n")[0]
    if version.isdigit() and int(version) not in FORMATS:
        raise ValueError(
            f"{path} has format {int(version)}, and this version of Lineage Lab reads the formats "
            f"{' and '.join(map(str, FORMATS))}: use the version that wrote it (or the file is "
            "damaged)"
        )
    if len(head) < HEADER_LENGTH:
        raise ValueError(f"{path} is cut off after {len(head)} bytes. {again}")
    match = _HEADER.fullmatch(head)
    if match is None:
        raise ValueError(f"{path} is damaged: its first lines can't be read. {again}")
    wanted, length = match[2].decode(), int(match[3])
    there = path.stat().st_size - HEADER_LENGTH
    if there < length:
        raise ValueError(
            f"{path} is cut off: {there:,} of {length:,} bytes are there. The disk was full, or "
            f"a copy was broken off. {again}"
        )
    if there > length:
        raise ValueError(
            f"{path} is damaged: it has {there:,} bytes, not the {length:,} that were written. "
            f"{again}"
        )
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wanted:
        raise ValueError(
            f"{path} is damaged: the SHA-256 of its content begins with {digest[:8]}, not with "
            f"{wanted[:8]} as when it was written. Some of its bits have changed. {again}"
        )
    file.seek(HEADER_LENGTH)
