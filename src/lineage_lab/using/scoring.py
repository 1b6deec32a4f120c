"""A trained network on labelled images: what it gets right, how sure that is, and on whom."""

import csv
import io
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lineage_lab.comparing.provenance import provenance
from lineage_lab.comparing.runs import to_text
from lineage_lab.data import named, places
from lineage_lab.data.listing import Listing, Source
from lineage_lab.data.sets import ImageSet, load, numbered, read_image, split
from lineage_lab.training.metrics import Metrics, measure
from lineage_lab.using.predictor import Predictor

__all__ = ["Evaluation", "Part", "evaluate"]

PARTS = ("all", "train", "val", "test")
BATCH = 32
FEWEST = 2  # kinds or groups that are worth a table

OnImages = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The images of one kind or of one group.

    Attributes:
        name: Its name.
        metrics: Its numbers.
    """

    name: str
    metrics: Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        network: The registry's name of the network.
        data: The data set's name, and which part of it.
        classes: The network's classes, in the order of the probabilities.
        metrics: The numbers of all images together.
        kinds: The numbers of each kind of image, where the set has kinds.
        groups: The numbers of each group, without intervals, where the set has groups.
        paths: The file of each image; of a set that comes decoded the file and the image's number.
        truth: Class of each image, ``int [images]``.
        answers: Class that each was named.
        probabilities: ``float [images, classes]``.
        group_of: Group of each image; empty where there are none.
        kind_of: Kind of each image; empty where there are none.
        threshold: The rule by which the answers were chosen, in words.
        notes: What was left out, and what the numbers don't say: a sentence each.
        unread: File -> why it can't be read.
        pixels: Gives an image's decoded pixels by its place, for the report.
    """

    network: str
    data: str
    classes: tuple[str, ...]
    metrics: Metrics
    kinds: tuple[Part, ...]
    groups: tuple[Part, ...]
    paths: tuple[str, ...]
    truth: NDArray[np.int64]
    answers: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    group_of: tuple[str, ...]
    kind_of: tuple[str, ...]
    threshold: str
    notes: tuple[str, ...]
    unread: dict[str, str]
    pixels: Callable[[int], Tensor] = field(repr=False)

    def to_json(self) -> str:
        """All numbers, and how they came about."""
        return to_text(
            {
                "schema": 1,
                "network": self.network,
                "data": self.data,
                "classes": self.classes,
                "answers_by": self.threshold,
                "notes": self.notes,
                "unread": self.unread,
                "metrics": self.metrics.to_dict(),
                "kinds": [{"name": p.name, **p.metrics.to_dict()} for p in self.kinds],
                "groups": [{"name": p.name, **p.metrics.to_dict()} for p in self.groups],
                "provenance": provenance(),
            }
        )

    def to_csv(self) -> bytes:
        """A line an image: its file, true class, answer, and the probabilities of all classes."""
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        both = {"group": self.group_of, "kind": self.kind_of}
        extra = {name: found for name, found in both.items() if found}
        rows.writerow(["image", "label", "answer", *extra, *map(column, self.classes)])
        for i, path in enumerate(self.paths):
            more = [found[i] for found in extra.values()]
            rows.writerow(
                [path, self.classes[self.truth[i]], self.classes[self.answers[i]], *more,
                 *map(repr, self.probabilities[i].tolist())]
            )  # fmt: skip
        return text.getvalue().encode("utf-8", "surrogateescape")

    def worst(self, number: int) -> list[int]:
        """The wrong answers that the network was surest of, each true class in turn."""
        sure = self.probabilities[np.arange(len(self.truth)), self.answers]
        queues = []
        for label in range(len(self.classes)):
            wrong = np.flatnonzero((self.truth == label) & (self.answers != label))
            queues.append(wrong[np.argsort(-sure[wrong], kind="stable")].tolist())
        found: list[int] = []
        while len(found) < number and any(queues):
            found += [queue.pop(0) for queue in queues if queue]
        return found[:number]


def column(name: str) -> str:
    """Name of a class's column in the tables of probabilities."""
    return f"probability of {name}"


def evaluate(
    predictor: Predictor,
    source: str | Path | Source,
    *,
    part: str | None = None,
    seed: int = 0,
    test: float | None = None,
    grouped: bool = True,
    limit: int | None = None,
    resamples: int = 1000,
    batch_size: int = BATCH,
    on_images: OnImages | None = None,
) -> Evaluation:
    """Score a network on labelled images.

    Args:
        predictor: The network.
        source: One of `lineage_lab.data.named.DATASETS`, a folder, a table, or a
            `lineage_lab.data.listing.Source` that says more of one of these.
        part: ``all`` images but those of a test part of the data's own; or ``train``, ``val`` or
            ``test`` of the split. ``None`` for the data's own test part, or all if it has none.
        seed: Seed of that split.
        test: Share of the test part of that split.
        grouped: Whether that split kept groups whole.
        limit: As for `lineage_lab.data.sets.split`.
        resamples: Draws of the bootstrap for the intervals.
        batch_size: Images at once.
        on_images: Called with the number of images done and the number of all.

    Returns:
        All numbers, and what they were computed from.

    Raises:
        FileNotFoundError: No such data.
        ValueError: The data has no class that the network knows, no image can be read, or the
            split has no such part.
    """
    if part is not None and part not in PARTS:
        raise ValueError(f"part is one of {', '.join(PARTS)}, not {part!r}")
    source = source if isinstance(source, Source) else Source(source)
    listing, chosen = _listing(source, part, seed=seed, test=test, grouped=grouped, limit=limit)
    matched, notes = _matched(listing.classes, predictor.classes)
    labels = np.array([matched[label] for label in listing.labels])
    known = [i for i in chosen if labels[i] >= 0]
    if len(known) < len(chosen):
        unknown = Counter(listing.classes[listing.labels[i]] for i in chosen if labels[i] < 0)
        told = ", ".join(f"{name!r} ({n})" for name, n in unknown.most_common(5))
        more = f" and {len(unknown) - 5} more classes" if len(unknown) > 5 else ""
        notes.append(
            f"{unknown.total()} of {len(chosen)} images are left out, since the network does not "
            f"know their classes: {told}{more}."
        )
    read = _reader(listing, source, predictor)
    indices, probabilities, unread = _answered(
        predictor, listing, known, read, batch_size=batch_size, on_images=on_images
    )
    if unread:
        notes.append(f"{len(unread)} of {len(known)} files can't be read and are left out.")
    if not indices:
        raise ValueError(
            f"no image of {source.place} could be scored. {' '.join(notes)} First: "
            + next(iter(unread.values()), "there is none")
        )
    truth = labels[indices]
    answers = predictor.decide(probabilities)
    group_of = tuple(listing.groups[i] for i in indices) if listing.groups else ()
    kind_of = tuple(listing.kinds[i] for i in indices) if listing.kinds else ()

    def scored(rows: NDArray[np.intp], draws: int) -> Metrics:
        groups = [group_of[i] for i in rows] if group_of else None
        return measure(
            truth[rows], probabilities[rows], predictor.classes,
            answers=answers[rows], groups=groups, resamples=draws,
        )  # fmt: skip

    def parts(of: Sequence[str], draws: int) -> tuple[Part, ...]:
        names = sorted(set(of))
        array = np.array(of)
        if len(names) < FEWEST:
            return ()
        return tuple(Part(name=n, metrics=scored(np.flatnonzero(array == n), draws)) for n in names)

    where = "" if part in (None, "all") else f", {part} part of seed {seed}"
    return Evaluation(
        network=predictor.name,
        data=f"{listing.name}{where}",
        classes=predictor.classes,
        metrics=scored(np.arange(len(indices)), resamples),
        kinds=parts(kind_of, resamples),
        groups=parts(group_of, 0),
        paths=tuple(_path(listing, i) for i in indices),
        truth=truth,
        answers=answers,
        probabilities=probabilities,
        group_of=group_of,
        kind_of=kind_of,
        threshold=predictor.rule,
        notes=tuple(notes),
        unread=unread,
        pixels=lambda place: read(indices[place]),
    )


def _listing(
    source: Source,
    part: str | None,
    *,
    seed: int,
    test: float | None,
    grouped: bool,
    limit: int | None,
) -> tuple[Listing, list[int]]:
    """The files with their classes, and the indices of those that are asked for."""
    place = source.place
    if str(place) in named.DATASETS:
        listing = named.listing(str(place))
    else:
        if not isinstance(place, str | Path) or not Path(place).exists():
            raise FileNotFoundError(
                f"no data set and no folder is called {str(place)!r}. Give a path of a folder or "
                f"of a table, or one of the data sets: {', '.join(named.DATASETS)}"
            )
        listing, report = places.look(source)
        # One class alone can't be learned, but it can be scored.
        problems = [p for p in report.problems if not p.what.startswith("has one class only")]
        if problems:
            raise ValueError(
                f'{problems[0]}\nTo list all that is wrong: lineage-lab data check "{place}"'
            )
    if part == "test" or (part is None and listing.test_files):
        if listing.test_files:
            listing = listing.test()
            return listing, list(range(len(listing.labels)))
        if not test:
            raise ValueError(
                "neither has the data a test part, nor was the network trained with one: train "
                "with --test 0.2, or score images that it has not seen"
            )
    if part in (None, "all"):
        return listing, list(range(len(listing.labels)))
    # What is split are places, not pixels.
    parted = _split_places(listing, seed=seed, test=test, grouped=grouped, limit=limit)
    return listing, parted[("train", "val", "test").index(part or "")]


def _split_places(
    listing: Listing, *, seed: int, test: float | None, grouped: bool, limit: int | None
) -> list[list[int]]:
    """The split of a listing as `lineage_lab.data.sets.split` makes it, as indices."""
    number = len(listing.labels)
    empty = ImageSet(
        images=torch.arange(number).view(-1, 1, 1, 1),
        labels=torch.tensor(listing.labels),
        classes=listing.classes,
        name=listing.name,
        licence=listing.licence,
        validation=listing.validation,
        groups=numbered(listing.groups) if listing.groups and grouped else None,
    )
    return [
        found.images.flatten().tolist() for found in split(empty, seed=seed, test=test, limit=limit)
    ]


def _matched(of_data: Sequence[str], of_network: Sequence[str]) -> tuple[list[int], list[str]]:
    """For each class of the data its place among the network's, −1 for one that it lacks."""

    def plain(name: str) -> str:
        return unicodedata.normalize("NFC", name)

    exact = {plain(name): place for place, name in enumerate(of_network)}
    folded: dict[str, int] = {}
    for name, place in exact.items():
        folded[name.casefold()] = -1 if name.casefold() in folded else place
    found: list[int] = []
    notes: list[str] = []
    for name in map(plain, of_data):
        place = exact.get(name, folded.get(name.casefold(), -1))
        if place in found:  # of two classes here the first has it
            place = -1
        if place >= 0 and name not in exact:
            own = of_network[place]
            notes.append(f"The class {name!r} is taken for the network's {own!r}.")
        found.append(place)
    if max(found, default=-1) < 0:
        raise ValueError(
            f"no class of the data is one that the network knows: {_few(of_data)} here, and it "
            f"knows {_few(of_network)}. Name the folders as the network's classes are named"
        )
    lacking = [name for place, name in enumerate(of_network) if place not in found]
    if lacking:
        notes.append(f"The data has no class for {_few(lacking)}, which the network knows.")
    return found, notes


def _few(names: Sequence[str], most: int = 5) -> str:
    words = ", ".join(map(repr, names[:most]))
    return words if len(names) <= most else f"{words} and {len(names) - most} more"


def _path(listing: Listing, index: int) -> str:
    if listing.pixels is None:
        return os.fspath(listing.files[index])
    return f"{listing.name} {index}"


def _reader(listing: Listing, source: Source, predictor: Predictor) -> Callable[[int], Tensor]:
    """Reads an image as a file is read for `lineage_lab.using.predictor.Predictor.predict`."""
    if listing.pixels is None:
        return lambda index: read_image(listing.files[index], predictor.preprocessing)
    packed = load(source, size=predictor.preprocessing.size)
    return lambda index: packed.images[index]


def _answered(
    predictor: Predictor,
    listing: Listing,
    known: Sequence[int],
    read: Callable[[int], Tensor],
    *,
    batch_size: int,
    on_images: OnImages | None,
) -> tuple[list[int], NDArray[np.float64], dict[str, str]]:
    """Indices of the images that could be read, their probabilities, and the others' errors."""
    indices: list[int] = []
    found: list[NDArray[np.float64]] = []
    unread: dict[str, str] = {}
    for batch in _batches(known, batch_size):
        waiting = []
        for index in batch:
            try:
                waiting.append((index, read(index)))
            except (ValueError, OSError) as error:
                unread[_path(listing, index)] = str(error)
        if waiting:
            indices += [index for index, _ in waiting]
            found.append(predictor.probabilities(torch.stack([x for _, x in waiting])).numpy())
        if on_images:
            on_images(len(indices) + len(unread), len(known))
    empty = np.zeros((0, len(predictor.classes)))
    return indices, np.concatenate(found) if found else empty, unread


def _batches(indices: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]
