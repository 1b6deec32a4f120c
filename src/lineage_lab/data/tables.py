"""Labels in a table: CSV, TSV, JSON Lines or Parquet, with the images in folders beside it.

Columns are found by their usual names, or named. A file is looked for where the table says, then
by its name, then by its name without an ending, in all folders beside the table. Every row ends
in an image, or is told.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from lineage_lab.data.folders import Scan, assembled
from lineage_lab.data.kinds import shown
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

__all__ = ["ENDINGS", "find", "scan"]

ENDINGS = frozenset({".csv", ".jsonl", ".parquet", ".tsv", ".txt"})
# Names that columns usually have, in the order in which they are preferred.
USUAL = {
    "image": ("file_name", "filename", "file", "image", "image_path", "img_path", "filepath",
              "file_path", "path", "image_name", "img_name", "img", "image_file", "image_id",
              "img_id", "imageid", "id_code", "id", "isic_id", "name", "images", "filenames",
              "image index", "picture", "photo", "new_filename"),
    "label": ("label", "labels", "class", "category", "target", "class_name", "label_name",
              "class_label", "classname", "breed", "species", "diagnosis", "dx", "variety", "kind",
              "type", "tag", "category_name", "y", "emotion", "finding labels", "whaleid",
              "category_id", "class_id", "label_id", "classes", "ground_truth", "level"),
    "split": ("split", "set", "part", "subset", "partition", "usage", "fold", "data_set",
              "data set", "dataset", "phase", "stage"),
}  # fmt: skip
# A table that tells what was answered, not what is true.
ANSWERS = ("submission", "submit", "predict", "prediction")
# Names that say that a table is about the images of a folder.
METADATA = ("metadata", "labels", "label", "annotations", "train", "train_labels", "data", "index",
            "classes", "ground_truth", "trainlabels", "images", "meta")  # fmt: skip
EXTRA = 'pip install "lineage-lab[parquet]" (from the repository: pip install -e ".[parquet]")'


@dataclass(slots=True)
class _Table:
    """Rows of one table, as text."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)


def find(folder: Path) -> list[Path]:
    """Tables in a folder that give its images labels; several are its parts.

    Args:
        folder: A folder, or one whose parts hold a table each.

    Returns:
        Tables with a column of images and one of labels, by name; none of answers.
    """
    found = []
    places = [folder, *(p for p in sorted(folder.iterdir()) if p.is_dir() and part_of(p.name)[0])]
    for place in places:
        for path in sorted(place.iterdir()):
            if path.suffix.lower() not in ENDINGS - {".txt"} or not path.is_file():
                continue
            stem = path.stem.lower()
            if stem.startswith(".") or any(word in stem for word in ANSWERS):
                continue
            last = re.split(r"[-_ ]", stem)[-1]  # HAM10000_metadata, _classes
            if not ({stem, last} & set(METADATA) or part_of(path.stem)[0]
                    or stem == place.name.lower()):  # fmt: skip
                continue
            try:
                table = _read(path, head=True)
            except (ValueError, OSError, ModuleNotFoundError):
                continue
            if _column(table.header, "image") is not None and (
                _column(table.header, "label") is not None or _one_hot(table, None)
            ):
                found.append(path)
    named = [path for path in found if path.stem.lower() == "metadata"]
    return named or found


def scan(paths: Sequence[Path], source: Source, root: Path | None = None) -> tuple[Listing, Report]:
    """Find a table's images; none is decoded.

    Args:
        paths: A table, or several that are parts by their names or their folders' names.
        source: Columns, and the rest of what the reader said.
        root: Folder that nothing outside is read from; the first table's if ``None``.

    Returns:
        What there is to decode, and what is wrong; where something is, the first is not whole.

    Raises:
        FileNotFoundError: There is no such table.
        ValueError: It can't be read, or has no such columns.
        ModuleNotFoundError: It is Parquet, and the extra ``parquet`` is not installed.
    """
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"there is no table {path}")
    title = None if root else paths[0]
    root = root or paths[0].absolute().parent
    look = Scan(root, source)
    rows = _Rows(look, title)
    for path in paths:
        rows.take(path, several=len(paths) > 1)
    return rows.joined()


@dataclass(slots=True)
class _Row:
    file: Path
    label: str
    part: str
    group: str


class _Rows:
    """Rows of all tables, each with its file."""

    def __init__(self, look: Scan, title: Path | None) -> None:
        self.look, self.title = look, title
        self.files = _Files(look)
        self.rows: list[_Row] = []
        self.labelled = self.empty = 0
        self.tables: list[Path] = []

    def take(self, path: Path, *, several: bool) -> None:
        """Read one table."""
        look, source = self.look, self.look.source
        table = _read(path)
        self.tables.append(path)
        look.notes += table.notes
        columns = _columns(table, source, look, self.files)
        own = part_of(path.stem)[0] or (part_of(path.parent.name)[0] if several else "")
        hot = _one_hot(table, columns["image"]) if columns["label"] is None else []
        if columns["label"] is None and not hot:
            raise ValueError(
                f"{path} has no column that is known to hold labels, only {_few(table.header)}: "
                "say which by --columns label=NAME"
            )
        if hot:
            names = _few([table.header[place] for place in hot])
            look.notes.append(f"the labels are the columns that hold a 1: {names}")
        for number, row in enumerate(table.rows, start=2):
            if not any(row):
                continue
            name = row[columns["image"]].strip()  # type: ignore[index]
            if hot:
                ones = [p for p in hot if float(row[p] or 0) == 1]
                label = table.header[ones[0]] if len(ones) == 1 else ""
            else:
                label = row[columns["label"]].strip()  # type: ignore[index]
            part = row[columns["split"]].strip() if columns["split"] is not None else own
            group = row[columns["group"]].strip() if columns["group"] is not None else ""
            if not label:
                self.empty += 1
                where = Problem(path, f"has no label in row {number}, for {name}")
                look.ignored.append(where)
                continue
            file = self.files.named(name, path, part or own)
            if file is not None:
                place = part_of(part)[0] or own or self.files.part(file) or TRAIN
                self.rows.append(_Row(file, label, place, group))

    def joined(self) -> tuple[Listing, Report]:
        """The listing of all rows."""
        look, seen = self.look, dict[Path, _Row]()
        rows: list[_Row] = []
        for row in self.rows:
            other = seen.setdefault(row.file, row)
            if other is row:
                rows.append(row)
            elif (other.label, other.part) == (row.label, row.part):
                look.ignored.append(Problem(row.file, "stands in two rows alike; one is used"))
            else:
                what = (
                    f"stands in two rows that contradict each other: {other.label!r} in "
                    f"{other.part}, {row.label!r} in {row.part}. Keep one of them"
                )
                look.problems.append(Problem(row.file, what))
        for file in self.files.rest(seen):
            look.ignored.append(Problem(file, "stands in no row of the table"))
        labels = sorted({row.label for row in rows}, key=_order)
        many = len(labels) > 2 and len(labels) > len(rows) / 2
        if many:
            what = (
                f"has {len(labels):,} labels for {len(rows):,} images, nearly one each "
                f"({_few(labels)}): is it the right column? Say which by --columns label=NAME"
            )
            look.problems.append(Problem(self.tables[0], what))
        parts = {}
        for name in (TRAIN, VAL, TEST):
            own = [row for row in rows if row.part == name]
            if not own:
                continue
            part = parts[name] = Part(name, self.look.root, {}, {})
            for label in labels:
                part.classes[label] = [row.file for row in own if row.label == label]
                part.places[label] = self.tables[0]
                if not part.classes[label]:
                    del part.classes[label]
        listing, report = assembled(
            look, list(parts.values()), look.root, order=_order, title=self.title,
            groups={row.file: row.group for row in rows},
        )  # fmt: skip
        return listing, report


class _Files:
    """All images beside a table, to be found by what a row calls them."""

    def __init__(self, look: Scan) -> None:
        self.look = look
        self.root = look.root
        self.every = list(look.images(look.root, tell=False))
        self.names: dict[str, list[Path]] = defaultdict(list)
        for path in self.every:
            self.names[path.name.lower()].append(path)
            self.names[path.stem.lower()].append(path)

    def exists(self, name: str, table: Path) -> bool:
        """Whether a cell names a file."""
        return bool(name) and self._exact(name, table) is not None

    def _exact(self, name: str, table: Path) -> Path | None:
        path = table.absolute().parent / name.replace("\\", "/").removeprefix("./")
        try:
            inside = path.resolve().is_relative_to(self.root.resolve())
            return path if inside and path.is_file() else None
        except (OSError, ValueError):  # a cell that can be no path
            return None

    def named(self, name: str, table: Path, part: str) -> Path | None:
        """The file that a row means; what can't be found is told."""
        look = self.look
        if not name:
            look.ignored.append(Problem(table, "has a row without a file"))
            return None
        if (exact := self._exact(name, table)) is not None:
            return exact
        wanted = PurePosixPath(name.replace("\\", "/"))
        key = wanted.name.lower()
        found = list(dict.fromkeys(self.names.get(key, ()))) or self.names.get(
            PurePosixPath(key).stem, []
        )
        if len(found) > 1:  # the same name in several folders: the one with most of the path
            depth = {path: _agreement(path, wanted) for path in found}
            most = max(depth.values())
            found = [path for path in found if depth[path] == most]
        if len(found) > 1:
            meant = part_of(part)[0]
            parts = {path: self.part(path) for path in found}
            # A table of no part is of what is trained on: what is tested with has no labels.
            own = [p for p in found if parts[p] == meant or (not meant and parts[p] != TEST)]
            found = own or found
        if len(found) == 1:
            return found[0]
        at = Path(table.absolute().parent, *wanted.parts) if not wanted.is_absolute() else wanted
        if found:
            what = (
                f"is the name of {len(found)} files, such as {shown(found[0])} and "
                f"{shown(found[1])}: write their folder into the table"
            )
            look.problems.append(Problem(Path(name), what))
        elif Path(at).exists() and not Path(at).resolve().is_relative_to(self.root.resolve()):
            what = "is a path that leads out of the table's folder: put the images beside the table"
            look.problems.append(Problem(Path(name), what))
        else:
            look.ignored.append(Problem(Path(at), "is in the table, and no such file is there"))
        return None

    def part(self, file: Path) -> str:
        """The part that a file's folders tell."""
        inside = file.relative_to(self.root) if file.is_relative_to(self.root) else file
        return next((found for p in inside.parts[:-1] if (found := part_of(p)[0])), "")

    def rest(self, used: Iterable[Path]) -> list[Path]:
        """Images in folders that the table takes some from, and that it does not name."""
        known = {path.absolute() for path in used}
        homes = {path.parent for path in known}
        return [p for p in self.every if p.absolute().parent in homes and p.absolute() not in known]


def _agreement(path: Path, wanted: PurePosixPath) -> int:
    ends = zip(reversed(path.parts[:-1]), reversed(wanted.parts[:-1]), strict=False)
    count = 0
    for mine, theirs in ends:
        if mine.lower() != theirs.lower():
            break
        count += 1
    return count


def _read(path: Path, *, head: bool = False) -> _Table:
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _parquet(path)
    notes: list[str] = []
    data = path.read_bytes() if not head else _beginning(path)
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        notes.append(f"{path.name} is no UTF-8, and was read as Windows-1252")
    if ending == ".jsonl":
        return _json_lines(path, text)
    first = text.split("\n", 1)[0]
    marks = ("\t",) if ending == ".tsv" else (",", ";", "\t", "|")
    delimiter = max(marks, key=first.count)
    if not first.count(delimiter) and " " in first.strip():
        delimiter = " "
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    if not rows:
        raise ValueError(f"{path} is empty: a table has a header and a row an image")
    width = max(map(len, rows))
    rows = [row + [""] * (width - len(row)) for row in rows]
    return _Table(path, [name.strip() for name in rows[0]], rows[1:], notes)


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return b"".join(line for line, _ in zip(file, range(20), strict=False))


def _json_lines(path: Path, text: str) -> _Table:
    try:
        objects = [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON Lines: {error}. Each line is one object") from error
    if not objects or not all(isinstance(found, dict) for found in objects):
        raise ValueError(f"{path} is no JSON Lines: each line is one object")
    header = list(dict.fromkeys(name for found in objects for name in found))
    rows = [["" if (v := o.get(n)) is None else str(v) for n in header] for o in objects]
    return _Table(path, header, rows)


def _parquet(path: Path) -> _Table:
    if find_spec("pyarrow") is None:
        raise ModuleNotFoundError(f"{path} is Parquet, which needs one more package: {EXTRA}")
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(path)
    except Exception as error:
        raise ValueError(f"{path} can't be read as Parquet: {error}") from error
    names = [
        name for name in table.column_names if str(table.schema.field(name).type)[:6] != "struct"
    ]
    if len(names) < len(table.column_names) and _column(names, "image") is None:
        raise ValueError(
            f"{path} holds the images themselves, as sets of the Hugging Face hub do: write them "
            "out first, as by datasets.load_dataset('parquet', data_files=FILE) and image.save(…), "
            "or give them to lineage_lab.finetune as a torch.utils.data.Dataset"
        )
    columns = [table.column(name).to_pylist() for name in names]
    rows = [["" if v is None else str(v) for v in row] for row in zip(*columns, strict=True)]
    return _Table(path, names, rows)


def _column(header: Sequence[str], kind: str) -> int | None:
    lower = [name.strip().lower().replace("-", "_") for name in header]
    return next((lower.index(name) for name in USUAL[kind] if name in lower), None)


def _columns(table: _Table, source: Source, look: Scan, files: _Files) -> dict[str, int | None]:
    said = {**source.columns}
    if source.group and not source.grouped_by_path:
        said["group"] = source.group
    if not all(name.isdecimal() for name in said.values()) or not said:
        if files.exists(table.header[0], table.path) and "image" not in said:
            raise ValueError(
                f"{table.path} has no header: its first row is an image already "
                f"({table.header[0]}). Give the columns by their places: --columns "
                "image=1,label=2"
            )
    elif not any(name in table.header for name in said.values()):
        table.rows.insert(0, table.header)
        table.header = [str(place + 1) for place in range(len(table.header))]
    places: dict[str, int | None] = {"group": None}
    for kind in ("image", "label", "split", "group"):
        if kind in said:
            if said[kind] not in table.header:
                raise ValueError(
                    f"{table.path} has no column {said[kind]!r} for the {kind}: it has "
                    f"{_few(table.header)}"
                )
            places[kind] = table.header.index(said[kind])
        elif kind != "group":
            places[kind] = _column(table.header, kind)
    if places["image"] is None:
        raise ValueError(
            f"{table.path} has no column that is known to name images, only "
            f"{_few(table.header)}: say which by --columns image=NAME,label=NAME"
        )
    if (split := places["split"]) is not None:
        values = sorted({row[split].strip() for row in table.rows if any(row)} - {""})
        unknown = [value for value in values if not part_of(value)[0]]
        if unknown and "split" in said:
            raise ValueError(
                f"{table.path}: the column {said['split']!r} holds {_few(unknown)}, which are no "
                "parts: write train, val or test"
            )
        if unknown:
            look.notes.append(
                f"the column {table.header[split]!r} is not used: {_few(unknown)} are no parts "
                "such as train, val and test"
            )
            places["split"] = None
    chosen = ", ".join(
        f"{kind} {table.header[place]!r}" for kind, place in places.items() if place is not None
    )
    look.notes.append(f"columns of {table.path.name}: {chosen}")
    return places


def _one_hot(table: _Table, image: int | None) -> list[int]:
    """Columns of which each row has a 1 in exactly one, and a 0 in the others."""
    image = _column(table.header, "image") if image is None else image
    zero_one = {"0", "1", "0.0", "1.0"}
    places = [
        place
        for place in range(len(table.header))
        if place != image
        and table.rows
        and all(row[place].strip() in zero_one for row in table.rows)
    ]
    if len(places) < 2:
        return []
    single = all(sum(float(row[p]) for p in places) == 1 for row in table.rows)
    return places if single else []


def _order(label: str) -> tuple[int, int, str]:
    """Numbers by their size, before words."""
    return (0, int(label), label) if label.isdecimal() else (1, 0, label)


def _few(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(map(repr, every[:6])) + (", …" if len(every) > 6 else "")
