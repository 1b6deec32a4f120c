"""A folder of images: what its maker meant by it, and what is wrong with it.

A folder holds one folder a class, whose inner folders belong to it; or images with the label in
their names; or parts (``train``, ``val``, ``test`` under their usual names) that do. A folder
around a single such folder is passed through. Classes are ordered by name, whatever order the
file system has; names in two Unicode forms are one name. What begins with a dot, and what
systems leave behind, is not looked at. No link to a folder is followed below a class folder, so
that a circle of links ends; none that leads out is. Nothing is ever written.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lineage_lab.data.kinds import is_image, shown
from lineage_lab.data.listing import (
    TEST,
    TRAIN,
    VAL,
    Listing,
    Part,
    Problem,
    Report,
    Source,
    part_of,
)

__all__ = [
    "Listing",
    "Problem",
    "Report",
    "Scan",
    "assembled",
    "label_in_name",
    "leads_out",
    "scan",
]

# What systems and notebooks leave in a folder; what begins with a dot is passed over anyway.
DEBRIS = {"__macosx", "__pycache__", "@eadir", "$recycle.bin", "lost+found", "thumbs.db",
          "desktop.ini", "system volume information"}  # fmt: skip
# Beginnings of names that cameras and programs give: no label.
NO_LABEL = {"", "img", "image", "images", "dsc", "dscn", "dscf", "pic", "picture", "photo", "p",
            "frame", "scan", "screenshot", "wp", "vid", "mvi", "pano", "dji", "gopr", "pxl", "file",
            "sample", "untitled", "im", "id", "ilsvrc2012_val", "ilsvrc2012_test", "wa",
            "slice", "page", "crop", "tile", "patch", "capture", "snapshot"}  # fmt: skip
_LABEL_FIRST = re.compile(r"(.*[^\W\d_].*?)[\s._-]*[(\[]?\d+[)\]]?")
_NUMBER_FIRST = re.compile(r"\d+[\s._-]+(.*[^\W\d_].*)")
# The kingdoms and classes that iNaturalist's sets of 2017 to 2019 have above their species.
INATURALIST = {"actinopterygii", "amphibia", "animalia", "arachnida", "aves", "bacteria",
               "chromista", "fungi", "insecta", "mammalia", "mollusca", "plantae", "protozoa",
               "reptilia"}  # fmt: skip
LINK_NOWHERE = "is a link that leads nowhere, or in a circle"
NO_CLASS_FOLDER = "is not in a class folder"


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


@dataclass(slots=True)
class Scan:
    """One look at a folder, and what was noted so far."""

    root: Path
    source: Source
    problems: list[Problem] = field(default_factory=list)
    ignored: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    links: set[Path] = field(default_factory=set)
    _listed: dict[Path, tuple[list[Path], list[Path]]] = field(default_factory=dict)

    def inside(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Folders and files in a folder, by name; links to folders count as folders."""
        if folder not in self._listed:
            folders: list[Path] = []
            files: list[Path] = []
            try:
                with os.scandir(folder) as found:
                    entries = [
                        entry
                        for entry in found
                        if not entry.name.startswith(".") and entry.name.lower() not in DEBRIS
                    ]
            except OSError as error:
                self.problems.append(Problem(folder, f"can't be listed: {error.strerror}"))
                entries = []
            entries.sort(key=lambda entry: (unicodedata.normalize("NFC", entry.name), entry.name))
            for entry in entries:  # which know their kind: no file is asked again
                path = folder / entry.name
                (folders if _is_folder(entry) else files).append(path)
                if entry.is_symlink():
                    self.links.add(path)
            self._listed[folder] = folders, files
        return self._listed[folder]

    def images(self, folder: Path, *, tell: bool = True, deep: bool = True) -> Iterator[Path]:
        """Images in a folder and its inner folders; what is none is told."""
        folders, files = self.inside(folder)
        for path in files:
            linked = path in self.links
            if linked and not path.exists():
                if tell:
                    self.problems.append(Problem(path, LINK_NOWHERE))
            elif linked and (out := leads_out(path, self.root)):
                if tell:
                    self.problems.append(out)
            elif is_image(path):
                yield path
            elif tell:
                self.ignored.append(Problem(path, "is no image, by its ending and its content"))
        for path in folders if deep else ():
            if path.is_symlink():
                if tell:
                    what = "is a link to a folder inside a class folder, which is not followed"
                    self.ignored.append(Problem(path, what))
            else:
                yield from self.images(path, tell=tell)

    def holds_images(self, folder: Path) -> bool:
        """Whether there is an image in it, however deep."""
        return next(self.images(folder, tell=False), None) is not None

    def through(self, folder: Path, *, whole: bool = True) -> Path:
        """The folder itself, or the single one inside that is all it has.

        Args:
            folder: The folder.
            whole: Whether it is the whole set: then a single part that is there to validate or
                to test with is not taken for all of it.
        """
        for _ in range(8):
            folders, files = self.inside(folder)
            full = [f for f in folders if f.is_symlink() or self.holds_images(f)]
            if len(full) != 1 or full[0].is_symlink() or any(map(is_image, files)):
                return folder
            if whole and part_of(full[0].name)[0] in (VAL, TEST):
                return folder
            below, flat = self.inside(full[0])
            inner = [f for f in below if self.holds_images(f)]
            if not inner and not (part_of(full[0].name)[0] and label_in_name(flat)):
                return folder
            for path in (*files, *(f for f in folders if f != full[0])):
                self.ignored.append(Problem(path, "is beside the folder that holds the images"))
            folder = full[0]
        return folder


def scan(folder: Path, source: Source | None = None) -> tuple[Listing, Report]:
    """Find a folder's parts, classes and image files; none is decoded.

    Args:
        folder: The folder.
        source: How labels and groups are found, where not by folders and plain names.

    Returns:
        What there is to decode, and what is wrong; where something is, the first is not whole.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    look = Scan(folder, source or Source(folder))
    base = look.through(folder)
    if base != folder:
        look.notes.append(f"the images are in {shown(base.relative_to(folder))}/")
    parts = _parts(look, base)
    return assembled(look, parts, base)


def assembled(
    look: Scan,
    parts: list[Part],
    base: Path,
    *,
    order: Callable[[str], Any] | None = None,
    title: Path | None = None,
    groups: Mapping[Path, str] | None = None,
) -> tuple[Listing, Report]:
    """Join parts to a listing: their classes agree, or what does not is told.

    Args:
        look: The look at a folder, with what was noted on the way.
        parts: Parts, the one to train on first.
        base: Folder that holds them.
        order: Key that classes are sorted by; ``None`` for their names.
        title: What was looked at, if it is a table.
        groups: Group of each file, from a table.

    Returns:
        What there is to decode, and what is wrong.
    """
    named = {part.name: part for part in parts}
    train = named.get(TRAIN)
    if train is None:
        if parts:
            have = " and ".join(f"{part.folder.name}/" for part in parts)
            look.problems.append(
                Problem(base, f"holds {have}, but nothing to train on: {_expected(base)}")
            )
        train = Part(TRAIN, base, {}, {})
    classes = tuple(sorted(train.classes, key=order))
    for name in classes:
        if not train.classes[name]:
            what = "holds no images: fill the class folder or remove it"
            look.problems.append(Problem(train.places[name], what))
    val, test = named.get(VAL), named.get(TEST)
    if val is not None:
        val = _validation(look, train, val)
    if test is not None:
        test = _test(look, train, test)
    if not any(train.classes.values()):
        if TRAIN in named or not parts:
            look.problems.insert(0, _nothing(base, train))
    elif len(classes) == 1:
        what = f"has one class only, {classes[0]!r}, and nothing to tell it from: "
        look.problems.append(Problem(train.folder, what + _expected(base)))
    used = [train, *([val] if val is not None else [])]
    pairs = [
        (file, label)
        for part in used
        for label, name in enumerate(classes)
        for file in part.classes.get(name, ())
    ]
    held = [
        (file, label)
        for label, name in enumerate(classes)
        for file in (test.classes.get(name, ()) if test is not None else ())
    ]
    validation = sum(len(val.classes.get(name, ())) for name in classes) if val is not None else 0
    if test is not None or val is not None:
        _tell_parts(look, val, test, validation, len(held))
    shown_parts = [part for part in (train, val, test) if part is not None]
    counts = tuple(
        (name, tuple(len(part.classes.get(name, ())) for part in shown_parts)) for name in classes
    )
    found = _groups(look, [file for file, _ in pairs], groups)
    _tell_groups(look, found, validation)
    listing = Listing(
        files=tuple(file for file, _ in pairs),
        labels=tuple(label for _, label in pairs),
        classes=classes,
        name=look.root.absolute().name if title is None else title.stem,
        licence="the folder's own",
        validation=validation,
        groups=found,
        grouped_by=look.source.group if found else "",
        test_files=tuple(file for file, _ in held),
        test_labels=tuple(label for _, label in held),
        reading=look.source.reading,
        notes=tuple(look.notes),
    )
    report = Report(
        folder=title or look.root,
        parts=tuple(part.name for part in shown_parts) if len(shown_parts) > 1 else (),
        counts=counts,
        problems=tuple(look.problems),
        ignored=tuple(look.ignored),
        notes=tuple(look.notes),
    )
    return listing, report


def _groups(look: Scan, files: list[Path], known: Mapping[Path, str] | None) -> tuple[str, ...]:
    """The group of each file: by the rule on its path, or from a table's column."""
    rule = look.source.group
    if look.source.grouped_by_path:
        return tuple(_matched(look, rule, "group", file) or "" for file in files)
    if rule and known is None:
        what = (
            f"is a folder and has no column {rule!r}: give a table by --data, or a rule on the "
            "path, which is a regular expression with a group, such as '(patient[0-9]+)'"
        )
        look.problems.append(Problem(look.root, what))
        return ()
    if known is None or not (rule or "group" in look.source.columns):
        return ()
    for file in files:
        if not known[file]:
            look.problems.append(Problem(file, "has no group in the table"))
    return tuple(known[file] for file in files)


def _tell_groups(look: Scan, groups: tuple[str, ...], validation: int) -> None:
    both = set(groups[: len(groups) - validation]) & set(groups[len(groups) - validation :])
    if validation and both:
        look.notes.append(
            f"{len(both):,} groups are both in the part to train on and in the one to validate "
            f"with, such as {min(both)!r}: the accuracy will be too high"
        )


def _matched(look: Scan, rule: str, kind: str, file: Path) -> str | None:
    path = file.relative_to(look.root) if file.is_relative_to(look.root) else file
    found = re.search(rule, path.as_posix())
    if found is None:
        what = f"has no {kind}: the rule {rule!r} finds nothing in its path"
        look.problems.append(Problem(file, what))
        return None
    return found[1] if found.re.groups and found[1] is not None else found[0]


def _parts(look: Scan, base: Path) -> list[Part]:
    folders, files = look.inside(base)
    found: dict[tuple[str, ...], dict[str, list[Path]]] = {}
    for folder in folders:
        part, rest = part_of(folder.name)
        if part:
            found.setdefault(rest, {}).setdefault(part, []).append(folder)
    usable = [group for group in found.values() if TRAIN in group]
    whole = [group for group in usable if len(group) > 1] or [
        group for group in usable if _is_alone(look, base, group[TRAIN][0])
    ]
    if not whole:
        lone = next(iter(found.values()), {})
        if found and TRAIN not in lone and all(part_of(f.name)[0] for f in folders):
            return [
                _part(look, name, paths[0])
                for name, paths in lone.items()
                if any(look.holds_images(path) for path in paths)
            ]
        return _inverse(look, base, folders) or [_part(look, TRAIN, base)]
    group = max(whole, key=len)
    parts = []
    for name, paths in group.items():
        for path in paths[1:]:
            what = f"is a second part of the kind {name!r}, beside {paths[0].name}/: join the two"
            (look.ignored if name == TEST else look.problems).append(Problem(path, what))
        if out := leads_out(paths[0], look.root):
            look.problems.append(out)
        else:
            parts.append(_part(look, name, paths[0]))
    chosen = {path for paths in group.values() for path in paths}
    known = {name for part in parts for name in part.classes}
    order = {TRAIN: 0, VAL: 1, TEST: 2}
    names = " nor ".join(group[name][0].name for name in sorted(group, key=order.__getitem__))
    for path in (*folders, *files):
        if path in chosen:
            continue
        if path in folders and unicodedata.normalize("NFC", path.name) in known:
            what = (
                "is a class folder beside the parts, two layouts at once: move its images into "
                "the parts, or remove it"
            )
            look.problems.append(Problem(path, what))
        else:
            count = sum(1 for _ in look.images(path, tell=False)) if path in folders else 0
            words = f"is neither {names}" if len(group) > 1 else f"is not {names}"
            words += f", and its {count:,} images are not used" if count else ""
            look.ignored.append(Problem(path, words))
    return sorted(parts, key=lambda part: order[part.name])


def _is_alone(look: Scan, base: Path, train: Path) -> bool:
    """Whether a folder ``train`` with no other part is one, and no class of vehicles."""
    inner, _ = look.inside(train)
    others = [f for f in look.inside(base)[0] if f != train and look.holds_images(f)]
    return not others or any(look.holds_images(folder) for folder in inner)


def _inverse(look: Scan, base: Path, folders: list[Path]) -> list[Part]:
    """Parts inside each class folder, as ``cat/train`` and ``cat/val``."""
    within: dict[Path, dict[str, Path]] = {}
    for folder in folders:
        parts = {part_of(f.name)[0]: f for f in look.inside(folder)[0] if not f.is_symlink()}
        parts.pop("", None)
        if TRAIN in parts and len(parts) > 1:
            within[folder] = parts
    if len(within) < 2:
        return []
    if len(within) < len(folders):
        for folder in folders:
            if folder not in within:
                what = (
                    "has no parts inside, as other class folders do, two layouts at once: give "
                    "each class folder train/ and val/, or none"
                )
                look.problems.append(Problem(folder, what))
    look.notes.append("each class folder holds the parts")
    made: dict[str, Part] = {}
    for folder, parts in within.items():
        name = unicodedata.normalize("NFC", folder.name)
        for part, path in parts.items():
            own = made.setdefault(part, Part(part, base, {}, {}))
            own.classes[name], own.places[name] = list(look.images(path)), path
    order = {TRAIN: 0, VAL: 1, TEST: 2}
    return sorted(made.values(), key=lambda part: order[part.name])


def _part(look: Scan, name: str, folder: Path) -> Part:
    """Classes of one part."""
    base = look.through(folder, whole=False) if folder != look.root else folder
    part = Part(name, folder, {}, {})
    if look.source.label:
        for file in look.images(base):
            label = _matched(look, look.source.label, "label", file)
            if label is not None:
                part.classes.setdefault(label, []).append(file)
                part.places.setdefault(label, folder)
        return part
    folders, files = look.inside(base)
    flat = list(look.images(base, tell=False, deep=False))
    if flat and not any(map(look.holds_images, folders)):
        list(look.images(base, deep=False))  # tells what is no image
        for path in folders:
            look.ignored.append(Problem(path, "holds no images"))
        _by_name(look, part, flat)
        return part
    if flat and len(label_in_name(flat)) > 1:
        what = (
            "is an image with its label in its name beside class folders, two layouts at once: "
            "move these images into the class folders, or elsewhere"
        )
        look.problems += [Problem(file, what) for file in flat]
    else:
        part.unlabelled = flat if name != TRAIN else []
        look.ignored += [Problem(file, NO_CLASS_FOLDER) for file in flat if name == TRAIN]
    for path in files:
        if path.is_symlink() and not path.exists():
            look.problems.append(Problem(path, LINK_NOWHERE))
        elif path not in set(flat):
            look.ignored.append(Problem(path, NO_CLASS_FOLDER))
    _by_folder(look, part, folders)
    return part


def _by_name(look: Scan, part: Part, flat: list[Path]) -> None:
    labels = label_in_name(flat)
    if not labels:
        part.unlabelled = flat
        return
    for label, files in labels.items():
        part.classes[label], part.places[label] = files, part.folder
    counts = ", ".join(f"{label} ({len(files):,})" for label, files in list(labels.items())[:8])
    rest = ", …" if len(labels) > 8 else ""
    look.notes.append(
        f"the labels in {shown(part.folder.name)}/ are read from the file names: {counts}{rest}"
    )


def label_in_name(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Labels that stand plainly in file names, as in ``cat.0.jpg`` or ``12_dog.png``.

    Args:
        files: Images of one folder.

    Returns:
        Files by label, or nothing unless each name has a label and a number, and there are two
        labels or more, each with two files or more.
    """
    every = list(files)
    for pattern in (_LABEL_FIRST, _NUMBER_FIRST):
        labels: dict[str, list[Path]] = {}
        for file in every:
            found = pattern.fullmatch(unicodedata.normalize("NFC", file.stem))
            if found is None:
                break
            labels.setdefault(found[1].strip(" ._-"), []).append(file)
        else:
            plain = not any(
                label.lower() in NO_LABEL or part_of(label)[0] or not label.isprintable()
                for label in labels
            )
            if plain and len(labels) > 1 and min(map(len, labels.values())) > 1:
                return dict(sorted(labels.items()))
    return {}


def _by_folder(look: Scan, part: Part, folders: list[Path]) -> None:
    """Class folders by their names in Unicode's composed form (NFC)."""
    labelled = _deeper(look, folders)
    nested = 0
    for path, name in labelled:
        if out := leads_out(path, look.root):
            look.problems.append(out)
        elif name in part.classes:
            what = (
                "has the same name as another class folder, in another Unicode form: join the two"
            )
            look.problems.append(Problem(path, what))
        elif not name.isprintable():
            what = "is no name that can be printed: rename the class folder"
            look.problems.append(Problem(path, what))
        else:
            images = list(look.images(path, deep=not path.is_symlink()))
            part.classes[name], part.places[name] = images, path
            nested += sum(image.parent != path for image in images)
    if nested:
        where = f" of {part.folder.name}/" if part.folder != look.root else ""
        look.notes.append(
            f"{nested:,} images are in folders inside class folders{where}, and are of that "
            "class. If the inner folders are the classes: --label '([^/]+)/[^/]+$'"
        )


def _deeper(look: Scan, folders: list[Path]) -> list[tuple[Path, str]]:
    """Class folders with their names; two levels down where the maker of the set means it so."""
    plain = [(path, unicodedata.normalize("NFC", path.name)) for path in folders]
    inner = {path: look.inside(path)[0] for path in folders}
    flat = any(next(look.images(p, tell=False, deep=False), None) is not None for p in folders)
    if flat or not folders or not all(inner.values()):
        return plain
    letters = all(
        len(path.name) == 1 and all(i.name.lower().startswith(path.name.lower()) for i in below)
        for path, below in inner.items()
    )
    kingdoms = all(
        path.name.lower() in INATURALIST and all(i.name.isdigit() for i in below)
        for path, below in inner.items()
    )
    if kingdoms:
        look.notes.append("classes are the numbered folders inside, as iNaturalist means it")
        return [(below, below.name) for path in folders for below in inner[path]]
    if not letters:
        return plain
    look.notes.append("classes are the folders inside those of one letter, as Places365 means it")
    found = []
    for path in folders:
        for below in inner[path]:
            indoor = [
                f for f in look.inside(below)[0] if not f.is_symlink() and look.holds_images(f)
            ]
            direct = next(look.images(below, tell=False, deep=False), None)
            leaves = indoor if indoor and direct is None else [below]
            found += [(leaf, leaf.relative_to(path).as_posix()) for leaf in leaves]
    return found


def _validation(look: Scan, train: Part, val: Part) -> Part | None:
    """The validation part, unless it has no labels."""
    strange = [name for name in val.classes if name not in train.classes]
    labelled = any(val.classes[name] for name in val.classes if name in train.classes)
    single = len(val.classes) <= 1 and not labelled
    if not any(train.classes.values()):
        return val
    if single:
        count = len(val.unlabelled) + sum(map(len, val.classes.values()))
        look.notes.append(
            f"{val.folder.name}/ holds {count:,} images without labels of {train.folder.name}/: "
            "it is not used, and each seed draws images of its own to validate with"
        )
        return None
    for name in strange:
        what = (
            f"is missing, but {name!r} is a class of {val.folder.name}/ "
            f"({len(val.classes[name]):,} images): each class that is validated must be trained on"
        )
        look.problems.append(Problem(train.folder / name, what))
    for file in val.unlabelled:
        look.ignored.append(Problem(file, NO_CLASS_FOLDER))
    lacking = [name for name in sorted(train.classes) if not val.classes.get(name)]
    if lacking:
        names = ", ".join(map(repr, lacking[:3])) + (", …" if len(lacking) > 3 else "")
        look.notes.append(
            f"{val.folder.name}/ has no images of {len(lacking)} of {len(train.classes)} classes, "
            f"so nothing is measured of them: {names}"
        )
    return val


def _test(look: Scan, train: Part, test: Part) -> Part | None:
    """The test part, as far as it has labels that are trained on."""
    strange = [name for name in test.classes if name not in train.classes]
    count = sum(len(test.classes[name]) for name in strange) + len(test.unlabelled)
    if not any(train.classes.values()):
        return test
    if count and not any(test.classes[name] for name in test.classes if name in train.classes):
        look.notes.append(
            f"{test.folder.name}/ holds {count:,} images without labels of {train.folder.name}/: "
            "predict can name them, nothing else uses them"
        )
        return None
    for file in test.unlabelled:
        look.ignored.append(Problem(file, NO_CLASS_FOLDER))
    if strange:
        count -= len(test.unlabelled)
        names = ", ".join(map(repr, strange[:3])) + (", …" if len(strange) > 3 else "")
        look.notes.append(
            f"{test.folder.name}/ has classes that {train.folder.name}/ lacks, whose {count:,} "
            f"images are left out: {names}"
        )
    return test


def _tell_parts(
    look: Scan, val: Part | None, test: Part | None, validation: int, held: int
) -> None:
    if test is not None and held:
        kept = f"{test.folder.name}/ ({held:,} images) is kept apart for evaluate"
        if test.folder == look.root or (val is not None and val.folder == test.folder):
            kept = f"the test part ({held:,} images) is kept apart for evaluate"
        words = "" if val is not None else "; each seed draws images of its own to validate with"
        look.notes.append(f"{kept}: nothing is chosen by it{words}")
    if val is not None and 0 < validation < 30:
        low = 100 / (1 + 1.96**2 / validation)
        more = f", fewer than the {held:,} to test with" if held > validation else ""
        look.notes.append(
            f"{validation} images to validate with are few{more}: were all of them named rightly, "
            f"the accuracy would lie between {low:.0f} and 100 % (95 % interval)"
        )


def _nothing(base: Path, train: Part) -> Problem:
    where = train.folder if train.folder.is_dir() else base
    if train.unlabelled:
        count = len(train.unlabelled)
        few = ", ".join(shown(Path(file.name)) for file in train.unlabelled[:3])
        what = (
            f"holds no images in class folders, but {count:,} beside one another ({few}"
            f"{', …' if count > 3 else ''}), whose names hold no plain label such as cat.0.jpg: "
            "give a table by --data FILE.csv, or a rule by --label, which is a regular "
            f"expression on the path, such as '([a-z]+)_[^/]*$'; or {_expected(base)}"
        )
        return Problem(where, what)
    return Problem(where, f"holds no images in class folders: {_expected(base)}")


def _expected(folder: Path) -> str:
    return (
        f"expected {folder}/<class>/<image> for two classes or more, or train/, and if there are "
        "such val/ and test/, that hold class folders. Images are known by their content"
    )


def leads_out(path: Path, root: Path) -> Problem | None:
    """A set from a stranger must not show files of this machine that are none of its own."""
    if not path.is_symlink() or path.resolve().is_relative_to(root.resolve()):
        return None
    return Problem(
        path,
        f"is a link that leads out of the data folder, to {shown(path.resolve())}. Put "
        "a copy of the file in its place, or remove the link",
    )
