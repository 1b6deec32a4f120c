"""A data set before it is decoded: files with labels, and what was seen on the way to them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineage_lab.data.decoding import DEFAULT, Reading
from lineage_lab.data.kinds import shown

__all__ = ["Listing", "Part", "Problem", "Report", "Source", "by_kind", "in_words", "part_of"]

FIRST = 3  # paths that stand for all of a kind
TRAIN, VAL, TEST = "train", "val", "test"
_WORDS = {
    TRAIN: {"train", "training", "trn", "trainset", "traindata"},
    VAL: {"val", "valid", "validation", "dev", "eval", "valset", "validate"},
    TEST: {"test", "testing", "tst", "testset", "privatetest", "publictest", "testdata"},
}
# Words that a part's name may have beside the one that tells which it is.
_PADDING = {"set", "data", "dataset", "images", "image", "imgs", "img", "split", "folder", "part",
            "photos", "pictures", "pics", "subset", "files", "samples", "ds"}  # fmt: skip


def part_of(name: str) -> tuple[str, tuple[str, ...]]:
    """Which part a name is of, whatever its case, and the words that say nothing of it.

    Args:
        name: A folder's name or a table's value, such as ``Training`` or ``seg_test``.

    Returns:
        ``train``, ``val``, ``test``, or an empty text; and the other words, in lower case.

    Examples:
        >>> part_of("Validation"), part_of("test1"), part_of("seg_train"), part_of("cats")
        (('val', ()), ('test', ()), ('train', ('seg',)), ('', ()))
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    joined = spaced.replace(" ", "")
    words = [joined] if any(joined in known for known in _WORDS.values()) else []
    words = words or [re.sub(r"\d+$", "", word) for word in re.split(r"[\s_.-]+", spaced)]
    found = {part for word in words for part, known in _WORDS.items() if word in known}
    if len(found) != 1:
        return "", ()
    (part,) = found
    rest = tuple(w for w in words if w and w not in _WORDS[part] and w not in _PADDING)
    return part, rest


@dataclass(frozen=True, slots=True)
class Source:
    """Images of the reader's own, and how they are to be read.

    Attributes:
        place: A folder, a table, the name of a data set, or a `torch.utils.data.Dataset` of
            ``(image, label)``.
        columns: Columns of a table by what they hold: ``image``, ``label``, ``split``,
            ``group``; names, or places from 1 where the table has no header.
        label: Regular expression that finds the label in a file's path below the folder; its
            first group, or all that it matches. Empty to go by folders and plain file names.
        group: Column of the table, or regular expression with a group, that tells which files
            belong together and stay on one side of a split. Empty for none.
        reading: How files are read where they don't say so themselves.
        classes: Names of the classes of a `torch.utils.data.Dataset` that has none itself.

    Raises:
        ValueError: A column or an expression that can be none.
    """

    place: Any
    columns: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    label: str = field(default="", kw_only=True)
    group: str = field(default="", kw_only=True)
    reading: Reading = field(default=DEFAULT, kw_only=True)
    classes: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        known = ("image", "label", "split", "group")
        if wrong := [name for name in self.columns if name not in known]:
            raise ValueError(
                f"a table has no column of the kind {wrong[0]!r}: say which column is which by "
                f"{', '.join(known)}, such as image=file,label=breed"
            )
        for name in ("label", "group"):
            try:
                re.compile(getattr(self, name))
            except re.error as error:
                raise ValueError(
                    f"{getattr(self, name)!r} is no regular expression ({error}), by which a "
                    f"{name} could be found in a path"
                ) from error

    def said(self, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
        """What more than the place was stated, by name; what is allowed apart."""
        names = ("columns", "label", "group", "classes")
        found = [name for name in names if name not in allowed and getattr(self, name)]
        return (*found, *(("reading",) if self.reading != DEFAULT else ()))

    @property
    def grouped_by_path(self) -> bool:
        """Whether the group is a rule on the path, not a column."""
        return "(" in self.group

    def __str__(self) -> str:
        return str(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A data set before it is decoded.

    Attributes:
        files: One an image; with `pixels`, the files that those were read from.
        labels: One an image, an index into `classes`.
        classes: Names, in the order of the labels.
        name: The data set's name.
        licence: Under which the images may be used.
        mode: ``RGB``, or ``L`` for grey.
        flips: Which mirror images are as plausible as the original.
        validation: How many of the images, at the end, are the set's own validation part.
        pixels: ``uint8 [n, side, side]`` or ``[n, side, side, 3]`` of a set that comes decoded.
        groups: Name of each image's group, or empty.
        grouped_by: Column or rule that the groups come from, or empty.
        kinds: Name of each image's kind, which the report scores on its own, or empty.
        test_files: Files of the test part, which is kept apart and never chosen by.
        test_labels: Their labels.
        reading: How files are read where they don't say so themselves.
        notes: What was decided or left out on the way here, a sentence each.
    """

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    name: str
    licence: str
    mode: str = "RGB"
    flips: str = "horizontal"
    validation: int = 0
    pixels: NDArray[np.uint8] | None = None
    groups: tuple[str, ...] = ()
    grouped_by: str = ""
    kinds: tuple[str, ...] = ()
    test_files: tuple[Path, ...] = ()
    test_labels: tuple[int, ...] = ()
    reading: Reading = DEFAULT
    notes: tuple[str, ...] = ()

    def test(self) -> "Listing":
        """The test part alone.

        Raises:
            ValueError: There is none.
        """
        if not self.test_files:
            raise ValueError(
                f"{self.name} has no test part with labels: put class folders into test/ beside "
                "train/, or give a table whose column split says test"
            )
        return replace(
            self,
            files=self.test_files,
            labels=self.test_labels,
            validation=0,
            groups=(),
            grouped_by="",
            kinds=(),
            test_files=(),
            test_labels=(),
            notes=(),
        )


@dataclass(slots=True)
class Part:
    """Images of one part.

    Attributes:
        name: ``train``, ``val`` or ``test``.
        folder: Where it was found.
        classes: Files by class.
        places: Folder of each class, which a message names.
        unlabelled: Files beside the class folders.
    """

    name: str
    folder: Path
    classes: dict[str, list[Path]]
    places: dict[str, Path]
    unlabelled: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a folder or a file that its reader should know.

    Attributes:
        path: Where.
        what: What is wrong or left out there, and what to do.
    """

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{shown(self.path)} {self.what}"


def by_kind(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Those that say the same, but for numbers, together; in the order of the first of each."""
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(re.sub(r"-?\d[\d,.e+]*", "0", problem.what), []).append(problem)
    return list(kinds.values())


def in_words(problems: Iterable[Problem], *, below: Path | None = None) -> list[str]:
    """One line a kind, with a count and the first three paths.

    Args:
        problems: Any number.
        below: Folder that paths are shown from; ``None`` to show them whole.
    """
    lines = []
    for kind in by_kind(problems):
        if len(kind) == 1:
            lines.append(str(kind[0]))
            continue
        paths = [
            shown(p.path.relative_to(below) if below and p.path.is_relative_to(below) else p.path)
            for p in kind[:FIRST]
        ]
        rest = ", …" if len(kind) > FIRST else ""
        lines.append(f"{len(kind):,} times: {', '.join(paths)}{rest} – each {kind[0].what}")
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a look at a data set found.

    Attributes:
        folder: Folder or table that was looked at.
        parts: Names of the parts that `counts` are of; empty if there is one.
        counts: Name of each class with its images: in all, or in each of the parts.
        problems: What must be mended before the set can be used.
        ignored: What is left out, and why. No fault.
        notes: What was decided by itself, and what deserves a look; a sentence each.
    """

    folder: Path
    parts: tuple[str, ...] = ()
    counts: tuple[tuple[str, tuple[int, ...]], ...] = ()
    problems: tuple[Problem, ...] = ()
    ignored: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the set can be used as it is."""
        return not self.problems

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is left out, a line a kind."""
        return tuple(in_words(self.ignored, below=self.folder))

    def __str__(self) -> str:
        images = sum(sum(numbers) for _, numbers in self.counts)
        lines = [f"{self.folder}: {images:,} images in {len(self.counts)} classes"]
        if self.parts:
            lines[0] += f" ({' + '.join(self.parts)})"
        lines += [f"  {name}: {' + '.join(map(str, numbers))}" for name, numbers in self.counts]
        lines += [f"note: {words}" for words in self.notes]
        lines += [f"left out: {words}" for words in self.left_out]
        lines += [f"problem: {words}" for words in in_words(self.problems)]
        count = len(self.problems)
        lines.append(f"{count} problem{'s' * (count > 1)}" if count else "no problems")
        return "\n".join(lines)
