"""A folder of images: what is in it, in which order, and what is wrong with it.

A folder holds one folder a class, or ``train`` and one of ``val``, ``valid``, ``test`` that
do. Classes are ordered by name, whatever order the file system has; names in two Unicode
forms are one name. What begins with a dot is not looked at. Nothing is followed deeper than
a class folder, so that a circle of links ends. Nothing is ever written.
"""

import os
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineage_lab.data.decoding import ENDINGS, Unreadable, decode, shown

__all__ = ["Listing", "Problem", "Report", "check", "scan"]

VALIDATION = ("val", "valid", "test")


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
        groups: Name of each image's group, which no split parts; empty where none is known.
        kinds: Name of each image's kind, for the report; empty where none is known.
        pixels: ``uint8 [n, side, side]`` or ``[n, side, side, 3]`` of a set that comes decoded.
    """

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    name: str
    licence: str
    mode: str = "RGB"
    flips: str = "horizontal"
    validation: int = 0
    groups: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    pixels: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps a folder from being used.

    Attributes:
        path: Where.
        what: What is wrong there, and what to do.
    """

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{shown(self.path)} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `check` found.

    Attributes:
        folder: What was checked.
        counts: For each class its name and its images: in all, or in each of the two parts.
        problems: What must be mended before the folder can be used.
        ignored: What is not looked at, and why. No fault.
    """

    folder: Path
    counts: tuple[tuple[str, tuple[int, ...]], ...]
    problems: tuple[Problem, ...]
    ignored: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether the folder can be used as it is."""
        return not self.problems

    def __str__(self) -> str:
        images = sum(sum(numbers) for _, numbers in self.counts)
        lines = [f"{self.folder}: {images:,} images in {len(self.counts)} classes"]
        lines += [f"  {name}: {' + '.join(map(str, numbers))}" for name, numbers in self.counts]
        lines += [f"ignored: {item}" for item in self.ignored]
        lines += [f"problem: {item}" for item in self.problems]
        lines.append(f"{len(self.problems)} problems" if self.problems else "no problems")
        return "\n".join(lines)


def scan(folder: Path) -> tuple[Listing, Report]:
    """Find a folder's classes and image files without opening any.

    Args:
        folder: The folder.

    Returns:
        What there is to decode, and what is wrong; where something is, the first is not whole.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    parts = [folder]
    own = [folder / name for name in VALIDATION if (folder / name).is_dir()]
    if own and (folder / "train").is_dir():
        parts = [folder / "train", own[0]]
    problems: list[Problem] = []
    ignored: list[Problem] = []
    if len(parts) == 2:
        ignored += [
            Problem(path, f"is neither {parts[0].name} nor {parts[1].name}")
            for path in _inside(folder, problems)
            if path not in parts
        ]
    of_parts = [_classes(part, folder, problems, ignored) for part in parts]
    classes = tuple(sorted({name for found in of_parts for name in found}))
    files: list[Path] = []
    labels: list[int] = []
    counts: dict[str, tuple[int, ...]] = dict.fromkeys(classes, ())
    start = 0  # of the last part
    for part, found in zip(parts, of_parts, strict=True):
        start = len(files)
        for label, name in enumerate(classes):
            images: list[Path] = []
            if name not in found:
                problems.append(Problem(part / name, f"is missing, but {name!r} is a class"))
            else:
                images = list(_images(found[name], folder, problems, ignored))
                if not images:
                    problems.append(
                        Problem(found[name], "holds no images: fill the class folder or remove it")
                    )
            files += images
            labels += [label] * len(images)
            counts[name] += (len(images),)
    if not files:
        problems.insert(
            0, Problem(folder, f"holds no images in class folders: {_expected(folder)}")
        )
    elif len(classes) == 1:
        what = f"has one class only, {classes[0]!r}, and nothing to tell it from: "
        problems.append(Problem(folder, what + _expected(folder)))
    listing = Listing(
        files=tuple(files),
        labels=tuple(labels),
        classes=classes,
        name=folder.absolute().name,
        licence="the folder's own",
        validation=len(files) - start if len(parts) == 2 else 0,
    )
    report = Report(
        folder=folder,
        counts=tuple(counts.items()),
        problems=tuple(problems),
        ignored=tuple(ignored),
    )
    return listing, report


def check(folder: str | Path) -> Report:
    """Look at a folder of images before it is trained on: all that is wrong, at once.

    Every file is opened and decoded, as `load` would; nothing is written.

    Args:
        folder: The folder.

    Returns:
        What is in it and what is wrong.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    listing, report = scan(Path(folder))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        broken = [problem for problem in pool.map(_trial, listing.files) if problem]
    return Report(
        folder=report.folder,
        counts=report.counts,
        problems=(*report.problems, *broken),
        ignored=report.ignored,
    )


def _trial(file: Path) -> Problem | None:
    try:
        decode(file, size=32, mode="RGB")
    except Unreadable as error:
        return Problem(file, str(error).removeprefix(f"{shown(file)} "))
    return None


def _expected(folder: Path) -> str:
    return (
        f"expected {folder}/<class>/<image> for two classes or more, or train/ and one of "
        f"{', '.join(VALIDATION)}/ that hold such folders; endings {', '.join(sorted(ENDINGS))}"
    )


def _classes(
    part: Path, root: Path, problems: list[Problem], ignored: list[Problem]
) -> dict[str, Path]:
    """The class folders by their names in Unicode's composed form (NFC)."""
    found: dict[str, Path] = {}
    for path in _inside(part, problems):
        name = unicodedata.normalize("NFC", path.name)
        if not path.is_dir():
            if _leads_nowhere(path):
                problems.append(Problem(path, "is a link that leads nowhere, or in a circle"))
            else:
                ignored.append(Problem(path, "is not in a class folder"))
        elif out := _leads_out(path, root):
            problems.append(out)
        elif name in found:
            what = (
                "has the same name as another class folder, in another Unicode form: join the two"
            )
            problems.append(Problem(path, what))
        elif not name.isprintable():
            what = "is no name that can be printed: rename the class folder"
            problems.append(Problem(path, what))
        else:
            found[name] = path
    return found


def _images(
    of_class: Path, root: Path, problems: list[Problem], ignored: list[Problem]
) -> Iterator[Path]:
    for path in _inside(of_class, problems):
        if path.suffix.lower() not in ENDINGS:
            inner = path.is_dir()
            what = "is a folder inside a class folder" if inner else "has no ending of an image"
            ignored.append(Problem(path, what))
        elif _leads_nowhere(path):
            problems.append(Problem(path, "is a link that leads nowhere, or in a circle"))
        elif out := _leads_out(path, root):
            problems.append(out)
        else:
            yield path


def _inside(folder: Path, problems: list[Problem]) -> list[Path]:
    """What a folder holds, by name; what begins with a dot apart."""
    try:
        paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        problems.append(Problem(folder, f"can't be listed: {error.strerror}"))
        return []
    return sorted(paths, key=lambda path: (unicodedata.normalize("NFC", path.name), path.name))


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _leads_out(path: Path, root: Path) -> Problem | None:
    """A set from a stranger must not show files of this machine that are none of its own."""
    if not path.is_symlink() or path.resolve().is_relative_to(root.resolve()):
        return None
    return Problem(
        path,
        f"is a link that leads out of the data folder, to {shown(path.resolve())}. Put "
        "a copy of the file in its place, or remove the link",
    )
