"""Pictures that are the same, byte by byte, or to the eye.

The perceptual hash is that of ImageHash's ``phash`` (N. Krawetz, "Looks Like It", 2011): the
picture as 32 × 32 grey values, their cosine transform, and of its 8 × 8 lowest frequencies one
bit each, above their median or not. Recompressed and resized copies differ in a few of 64 bits.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineage_lab.data.kinds import shown

__all__ = ["NEAR", "SIDE", "Twins", "near", "perceptual", "twins"]

SIDE, LOWEST = 32, 8
NEAR = 3  # bits of 64 in which near duplicates differ at most
BESIDE = 2000  # of hashes that share a quarter, so many are compared with each
MANY = 1_000_000  # pairs: a set of which more is alike is known well enough

# The type-II cosine transform's lowest frequencies, scaled as SciPy's dct.
_COSINES = 2 * np.cos(
    np.pi * np.arange(LOWEST)[:, None] * (2 * np.arange(SIDE) + 1)[None] / (2 * SIDE)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Pairs of files that show the same picture.

    Attributes:
        words: What they are, in a sentence.
        pairs: Two files each.
    """

    words: str
    pairs: tuple[tuple[Path, Path], ...]


def perceptual(small: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Perceptual hashes.

    Args:
        small: Grey pictures, ``[n, 32, 32]``.

    Returns:
        ``uint64 [n]``.
    """
    lowest = (_COSINES @ small.astype(np.float64) @ _COSINES.T).reshape(len(small), -1)
    bits = lowest > np.median(lowest, axis=1, keepdims=True) if len(small) else lowest > 0
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()


def near(
    hashes: NDArray[np.uint64], labels: NDArray[np.int64], parts: NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Pairs of different classes or parts whose hashes are at most `NEAR` bits apart.

    Of four quarters of two such hashes one is the same, so only those that share one are compared.

    Args:
        hashes: ``uint64 [n]``.
        labels: Class of each.
        parts: Part of each.

    Yields:
        Two places each, the smaller first, each pair once.
    """
    found: list[NDArray[np.int64]] = []
    for quarter in range(4):
        key = (hashes >> np.uint64(16 * quarter)).astype(np.uint16)
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.arange(len(key))  # each beside its next neighbour, the next but one, and so on
        for distance in range(1, BESIDE):
            first = first[: np.searchsorted(first, len(key) - distance)]
            first = first[key[first] == key[first + distance]]
            if not len(first) or sum(map(len, found)) > MANY:
                break
            a, b = order[first], order[first + distance]
            across = (labels[a] != labels[b]) | (parts[a] != parts[b])
            a, b = a[across], b[across]
            close = _bits(hashes[a] ^ hashes[b]) <= NEAR
            found.append(np.minimum(a, b)[close] * len(key) + np.maximum(a, b)[close])
    for pair in np.unique(np.concatenate(found)).tolist() if found else ():
        yield divmod(pair, len(hashes))


_COUNTS = np.array([bin(value).count("1") for value in range(2**16)], np.uint8)


def _bits(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Number of ones in each."""
    count: NDArray[np.uint8] = _COUNTS[values.view(np.uint16).reshape(-1, 4)].sum(axis=1)
    return count


def twins(
    files: Sequence[Path],
    *,
    labels: NDArray[np.int64],
    parts: NDArray[np.int64],
    digests: Sequence[bytes],
    hashes: NDArray[np.uint64],
    flat: NDArray[np.bool_],
) -> tuple[Twins, ...]:
    """Pairs of files that are the same, or nearly, by what they are spread over.

    Args:
        files: One an image.
        labels: Class of each.
        parts: Part of each.
        digests: Hash of each one's bytes; empty for one that can't be read.
        hashes: Perceptual hash of each.
        flat: Whether a picture has nothing to be seen, so that its perceptual hash is chance.

    Returns:
        One for each kind that was found.
    """
    same: dict[bytes, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests):
        if digest:
            same[digest].append(place)
    exact = [(places[0], other) for places in same.values() for other in places[1:]]
    known = set(exact)
    kinds: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for places in same.values():
        first = places[0]
        for other in places[1:]:
            kinds[_spread(first, other, labels, parts, "the same")].append((first, other))
    able = np.flatnonzero(~flat & np.array([bool(digest) for digest in digests], bool))
    for a, b in near(hashes[able], labels[able], parts[able]):
        pair = (int(able[a]), int(able[b]))
        if pair not in known and digests[pair[0]] != digests[pair[1]]:
            kinds[_spread(*pair, labels, parts, "nearly the same")].append(pair)
    found = []
    for kind in sorted(kinds):
        pairs = [(files[a], files[b]) for a, b in kinds[kind]]
        few = "; ".join(f"{shown(a)} and {shown(b)}" for a, b in pairs[:3])
        rest = "; …" if len(pairs) > 3 else ""
        count = (
            "1 pair of pictures is" if len(pairs) == 1 else f"{len(pairs):,} pairs of pictures are"
        )
        words = f"{count} {kind}: {few}{rest}"
        found.append(Twins(words=words, pairs=tuple(pairs)))
    return tuple(found)


def _spread(a: int, b: int, labels: NDArray[np.int64], parts: NDArray[np.int64], how: str) -> str:
    if labels[a] != labels[b]:
        return f"{how} in two classes"
    if parts[a] != parts[b]:
        return f"{how} in two parts"
    return f"{how} in one class"
