"""A data set before it is trained on: every file opened and decoded, all that is wrong at once.

Large sets are shared out to processes of their own, which know neither torch nor the caller's
program. Of each file a few numbers are kept, no pixels, so that memory grows little with the set.
"""

import gc
import hashlib
import os
import pickle
import queue
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from PIL import Image

from lineage_lab.data import duplicates, places
from lineage_lab.data.decoding import Facts, Reading, Unreadable, inspect
from lineage_lab.data.kinds import shown
from lineage_lab.data.listing import Listing, Problem, Report, Source
from lineage_lab.data.sampling import unused_range
from lineage_lab.data.scans import proposed

__all__ = ["Examination", "Look", "check", "examine", "serve"]

AT_ONCE = 250  # files that a process looks at before it reports
ALONE = 1000  # files from which on processes are started
FAILED = "can't be read as an image: the decoder itself failed. Remove the file"
SERVE = "from lineage_lab.data.checking import serve; serve()"
DARKER = 5.0  # robust standard deviations that a picture is from the rest
OnImage = Callable[[int, int], None]


class Look(NamedTuple):
    """What is kept of a file.

    Attributes:
        error: Why it can't be read; empty if it was.
        digest: BLAKE2 of its bytes.
        perceptual: Perceptual hash, 64 bits.
        mean: Mean of its grey values, 0 to 255.
        spread: Standard deviation of its grey values.
        facts: What the file was.
        limits: Smallest and largest value, where a stated range is missing.
    """

    error: str = ""
    digest: bytes = b""
    perceptual: int = 0
    mean: float = 0.0
    spread: float = 0.0
    facts: Facts = Facts()
    limits: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A report, and what it was made from.

    Attributes:
        report: What is in the set and what is wrong.
        listing: Its files.
        twins: Pairs of files that are the same or nearly, by where they were found.
        odd: Files far darker, brighter or flatter than the rest, with what they are.
    """

    report: Report
    listing: Listing
    twins: tuple[duplicates.Twins, ...] = ()
    odd: tuple[tuple[Path, str], ...] = ()


def check(place: str | Path | Source) -> Report:
    """Look at a folder of images before it is trained on: all that is wrong, at once.

    Every file is opened and decoded, as `lineage_lab.data.sets.load` would; nothing is written.

    Args:
        place: A folder, a table, or a `Source` that says more of one.

    Returns:
        What is in it and what is wrong.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: A table that can't be read.
    """
    return examine(place if isinstance(place, Source) else Source(place)).report


def examine(source: Source, *, on_image: OnImage | None = None) -> Examination:
    """As `check`, with what a contact sheet needs.

    Args:
        source: A folder or a table.
        on_image: Called with the number of files that are done, and of all.

    Returns:
        The report with its files.

    Raises:
        FileNotFoundError: As by `check`.
        ValueError: As by `check`.
    """
    listing, report = places.look(source)
    files = (*listing.files, *listing.test_files)
    looks: list[Look] = []
    for some in _looked(files, source.reading):
        looks += some
        if on_image:
            on_image(len(looks), len(files))
    broken = [
        Problem(file, look.error) for file, look in zip(files, looks, strict=True) if look.error
    ]
    notes = list(report.notes)
    if limits := [look.limits for look in looks if look.limits is not None]:
        low, high = min(a for a, _ in limits), max(b for _, b in limits)
        notes.append(
            f"{len(limits):,} files have numbers of no known range, from {low:g} to {high:g}: "
            f"--range={proposed(low, high)} reads them all"
        )
    facts = [look.facts for look in looks if not look.error]
    problems = [*report.problems, *broken]
    if source.reading.pixel_range is None and (words := unused_range(facts)):
        problems.append(Problem(report.folder, f"can't be used as it is: {words}"))
    pages = [fact.pages for fact in facts if fact.pages > 1]
    if pages and source.reading.page is None:
        notes.append(
            f"{len(pages):,} files have several pages (up to {max(pages)}), and the first of each "
            "is read; another by --page N"
        )
    twins = _twins(listing, looks)
    notes += [found.words for found in twins]
    odd = _odd(files, looks)
    for kind in dict.fromkeys(kind for _, kind in odd):
        paths = [shown(path) for path, what in odd if what == kind]
        rest = ", …" if len(paths) > 3 else ""
        notes.append(f"{len(paths):,} pictures are {kind}: {', '.join(paths[:3])}{rest}")
    whole = replace(report, problems=tuple(problems), notes=tuple(notes))
    return Examination(report=whole, listing=listing, twins=twins, odd=odd)


def _twins(listing: Listing, looks: Sequence[Look]) -> tuple[duplicates.Twins, ...]:
    test = len(listing.test_files)
    train = len(listing.files) - listing.validation
    parts = np.repeat((0, 1, 2), (train, listing.validation, test))
    return duplicates.twins(
        (*listing.files, *listing.test_files),
        labels=np.array((*listing.labels, *listing.test_labels), np.int64),
        parts=parts,
        digests=[look.digest for look in looks],
        hashes=np.array([look.perceptual for look in looks], np.uint64),
        flat=np.array([look.spread < 4 for look in looks], bool),
    )


def _odd(files: Sequence[Path], looks: Sequence[Look]) -> tuple[tuple[Path, str], ...]:
    """Files far from the others in their brightness or their contrast."""
    read = [place for place, look in enumerate(looks) if not look.error]
    if len(read) < 8:
        return ()
    means = np.array([looks[place].mean for place in read])
    spreads = np.array([looks[place].spread for place in read])
    found: dict[int, str] = {}
    for values, below, above in (
        (means, "far darker than the rest", "far brighter than the rest"),
        (spreads, "far flatter than the rest", ""),
    ):
        middle = float(np.median(values))
        scale = max(1.4826 * float(np.median(np.abs(values - middle))), 4.0)
        for place in np.flatnonzero(values < middle - DARKER * scale):
            found.setdefault(read[place], below)
        for place in np.flatnonzero(values > middle + DARKER * scale) if above else ():
            found.setdefault(read[place], above)
    if float(np.median(spreads)) > 8:
        for place in np.flatnonzero(spreads < 1):
            found[read[place]] = "of one value"
    return tuple((files[place], words) for place, words in sorted(found.items()))


# -- the files themselves ------------------------------------------------------------------------


def look_at(files: Sequence[Path], reading: Reading) -> list[Look]:
    """Decode files, and keep a few numbers of each."""
    side = duplicates.SIDE
    small = np.zeros((len(files), side, side), np.float32)
    looks: list[Look] = []
    for place, file in enumerate(files):
        try:
            data = _bytes_of(file)
            image, facts = inspect(
                file, size=side, mode="L", reading=reading, data=data, rough=True
            )
            if image.size != (side, side):
                image = image.resize((side, side), Image.Resampling.BILINEAR)
            small[place] = np.asarray(image)
        except Unreadable as error:
            words = str(error).removeprefix(f"{shown(file)} ")
            looks.append(Look(error=words, limits=error.limits))
        except OSError as error:
            looks.append(Look(error=f"can't be read: {error.strerror}"))
        else:
            digest = b"" if data is None else hashlib.blake2b(data, digest_size=16).digest()
            looks.append(Look(digest=digest, facts=facts))
    hashes = duplicates.perceptual(small)
    means, spreads = small.mean(axis=(1, 2)), small.std(axis=(1, 2))
    return [
        look if look.error else look._replace(perceptual=int(h), mean=float(m), spread=float(s))
        for look, h, m, s in zip(looks, hashes, means, spreads, strict=True)
    ]


def _bytes_of(file: Path) -> bytes | None:
    """All of a regular file; ``None`` if it is none, which `inspect` then tells."""
    try:
        handle = os.open(
            file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except OSError:
        return None
    with open(handle, "rb", buffering=0) as opened:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return opened.readall()


def _looked(files: Sequence[Path], reading: Reading) -> Iterator[list[Look]]:
    """What is kept of the files, in their order, some at a time."""
    chunks = [files[i : i + AT_ONCE] for i in range(0, len(files), AT_ONCE)]
    count = min(8, os.cpu_count() or 1)
    if len(files) < ALONE:
        with ThreadPoolExecutor(count) as pool:
            yield from pool.map(lambda some: look_at(some, reading), chunks)
        return
    helpers = _Helpers(count)
    try:
        with ThreadPoolExecutor(count) as pool:
            waiting = [pool.submit(helpers.ask, some, reading) for some in chunks[: 2 * count]]
            for place in range(len(chunks)):
                yield waiting[place].result()
                waiting[place] = None  # type: ignore[call-overload]
                if place + 2 * count < len(chunks):
                    waiting.append(pool.submit(helpers.ask, chunks[place + 2 * count], reading))
    finally:
        helpers.end()


@dataclass(slots=True)
class _Helpers:
    """Processes that look at files."""

    count: int
    free: "queue.Queue[subprocess.Popen[bytes]]" = field(default_factory=queue.Queue)
    all: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def __post_init__(self) -> None:
        for _ in range(self.count):
            self.all.append(_helper())
            self.free.put(self.all[-1])

    def ask(self, files: Sequence[Path], reading: Reading) -> list[Look]:
        """What is kept of some files; a file that ends its process is found and told."""
        process = self.free.get()
        if (found := _answer(process, files, reading)) is not None:
            self.free.put(process)
            return found
        looks: list[Look] = []
        self.all.append(process := _helper())
        for file in files:
            own = _answer(process, [file], reading)
            looks += own or [Look(error=FAILED)]
            if own is None:
                self.all.append(process := _helper())
        self.free.put(process)
        return looks

    def end(self) -> None:
        """End the processes."""
        for process in self.all:
            process.kill()
            process.communicate()


def _helper() -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )


def _answer(
    process: "subprocess.Popen[bytes]", files: Sequence[Path], reading: Reading
) -> list[Look] | None:
    """What a process says of files; ``None`` if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        _send(process.stdin, ([os.fspath(file) for file in files], reading))
        found = _received(process.stdout)
    except OSError:
        return None
    return None if found is None else [Look(*row) for row in found]


def serve() -> None:
    """Look at files for another process: names come on stdin, answers go to stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asks ends this process
    gc.disable()  # nothing here is a circle, and the search for some would take a tenth
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints does not go between the answers
    while (asked := _received(sys.stdin.buffer)) is not None:
        files, reading = asked
        _send(answers, [tuple(look) for look in look_at([Path(f) for f in files], reading)])


def _send(stream: IO[bytes], content: object) -> None:
    data = pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def _received(stream: IO[bytes]) -> Any:
    head = stream.read(8)
    if len(head) < 8:
        return None
    data = stream.read(struct.unpack("<Q", head)[0])
    return None if not data else pickle.loads(data)
