"""What a few files of a set tell of all, before and after they are decoded, a sentence each."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineage_lab.data.decoding import Facts, Unreadable, inspect
from lineage_lab.data.kinds import is_narrow, shown
from lineage_lab.data.listing import Listing
from lineage_lab.data.scans import proposed

__all__ = ["colour_note", "same_twice", "unstated", "unused_range"]

LOOKED_AT = 32  # files of a set
MANY = 2**14  # values below which a 16-bit file keeps at most 64 of 256 levels
WIDE = {".tif", ".tiff", ".png", ".jp2", ".j2k"}  # endings that may hold more than 8 bits


def _some(files: tuple[Path, ...]) -> list[Path]:
    step = max(1, len(files) // LOOKED_AT)
    return list(files[::step][: LOOKED_AT + 1])


def unused_range(facts: list[Facts]) -> str:
    """A sentence if 16-bit files use so little of their range that few grey levels are kept.

    Args:
        facts: What files were, of any kind.

    Returns:
        The sentence, or an empty text.
    """
    wide = [fact for fact in facts if fact.limits is not None and fact.top > 255]
    if not wide:
        return ""
    low = min(fact.limits[0] for fact in wide if fact.limits)
    high = max(fact.limits[1] for fact in wide if fact.limits)
    top = max(fact.top for fact in wide)
    if high >= min(MANY, top / 4):
        return ""
    levels = round(high / top * 255) + 1
    return (
        f"its images of more than 8 bits hold values from {low:g} to {high:g} of {top:,}, so only "
        f"{levels} of 256 grey levels are kept. Say what is white: --range {proposed(low, high)} "
        f"keeps them all; --range 0:{top} keeps it so, without this word"
    )


def unstated(listing: Listing) -> list[str]:
    """Say what was not stated of files with more than 8 bits, or with several pages.

    Args:
        listing: A set; a few of its files are opened.

    Raises:
        ValueError: The files keep few grey levels, or have no range: a stated one is needed.
    """
    reading = listing.reading
    files = [file for file in listing.files if file.suffix.lower() in WIDE or not file.suffix]
    if not files or (reading.pixel_range is not None and reading.page is not None):
        return []
    facts, limits = [], []
    for file in _some(tuple(files)):
        if is_narrow(file):
            continue
        try:
            facts.append(inspect(file, size=32, mode="L", reading=reading)[1])
        except Unreadable as error:
            if error.limits is not None:
                limits.append(error.limits)
    notes = []
    if reading.pixel_range is None:
        if limits:
            low, high = min(low for low, _ in limits), max(high for _, high in limits)
            raise ValueError(
                f"{listing.name} holds images whose numbers have no known range: in "
                f"{len(limits)} files that were looked at they go from {low:g} to {high:g}. State "
                f"what is black and what is white: --range={proposed(low, high)}"
            )
        if words := unused_range(facts):
            raise ValueError(f"{listing.name}: {words}")
    pages = [fact.pages for fact in facts if fact.pages > 1]
    if pages and reading.page is None:
        notes.append(
            f"{len(pages)} of {len(facts)} files that were looked at have several pages (up to "
            f"{max(pages)}), and the first of each is read; another by --page N"
        )
    return notes


def colour_note(listing: Listing) -> list[str]:
    """Say if images are in colour that a network takes as grey.

    Args:
        listing: A set; a few of its files are opened.
    """
    coloured = looked = 0
    for file in _some(listing.files):
        try:
            image, _ = inspect(file, size=32, mode="RGB", reading=listing.reading)
        except Unreadable:
            continue
        small: NDArray[Any] = np.asarray(image.resize((32, 32))).astype(np.int16)
        looked += 1
        coloured += int((small.max(axis=2) - small.min(axis=2)).max() > 24)
    if not coloured:
        return []
    words = (
        f"{coloured} of {looked} images that were looked at are in colour; the network takes one "
        "channel, and sees them in grey"
    )
    return [words]


def same_twice(
    images: Callable[[int], NDArray[np.uint8]], few: NDArray[np.uint8], listing: Listing
) -> list[str]:
    """Say if the same picture is in two parts or in two classes.

    Args:
        images: Pixels of the image with this number, in one row.
        few: Some bytes of each, ``uint8 [n, bytes]``: only where these agree all are compared.
        listing: The set, whose paths are named.
    """
    if len(few) < 2:
        return []
    _, group, count = np.unique(
        few.view(np.dtype((np.void, few.shape[1]))).ravel(), return_inverse=True, return_counts=True
    )
    alike: dict[bytes, list[int]] = defaultdict(list)
    for place in np.flatnonzero(count[group] > 1):
        row = images(int(place))
        if row.min() != row.max():  # of one colour: the same, and no picture
            alike[_digest(row)].append(int(place))
    start = len(few) - listing.validation
    parts, classes = [], []
    for same in alike.values():
        if len({place >= start for place in same}) > 1:
            parts.append((same[0], next(p for p in same if (p >= start) != (same[0] >= start))))
        if len({listing.labels[place] for place in same}) > 1:
            first = listing.labels[same[0]]
            classes.append((same[0], next(p for p in same if listing.labels[p] != first)))
    return [
        ("1 picture is the same" if len(pairs) == 1 else f"{len(pairs):,} pictures are the same")
        + f" in {where}: "
        + "; ".join(f"{_path(listing, a)} and {_path(listing, b)}" for a, b in pairs[:3])
        + ("; …" if len(pairs) > 3 else "")
        + f". {so}"
        for pairs, where, so in (
            (parts, "the part to train on and the one to validate with",
             "The accuracy will be too high: remove them from one"),
            (classes, "two classes", "One of the labels is wrong: remove it"),
        )
        if pairs
    ]  # fmt: skip


def _digest(row: NDArray[np.uint8]) -> bytes:
    import hashlib

    return hashlib.blake2b(np.ascontiguousarray(row).data, digest_size=16).digest()


def _path(listing: Listing, place: int) -> str:
    return shown(listing.files[place])
