"""What stands at a place: a table, a folder with a table that labels it, or a folder alone."""

from dataclasses import replace
from pathlib import Path

from lineage_lab.data import folders, tables
from lineage_lab.data.listing import Listing, Problem, Report, Source

__all__ = ["look"]


def look(source: Source) -> tuple[Listing, Report]:
    """Find the images of a source; none is decoded.

    Args:
        source: A folder or a table, and what the reader said of it.

    Returns:
        What there is to decode, and what is wrong; where something is, the first is not whole.

    Raises:
        FileNotFoundError: There is no such folder or table.
        ValueError: The table can't be read, or lacks a column.
        ModuleNotFoundError: The table is Parquet, and the extra ``parquet`` is not installed.
    """
    place = Path(source.place)
    if place.is_file():
        if place.suffix.lower() not in tables.ENDINGS:
            raise ValueError(
                f"{place} is a file, and no table of a known ending: give a folder of images, or "
                f"a table, {', '.join(sorted(tables.ENDINGS))}"
            )
        return tables.scan([place], source)
    if not place.is_dir():
        raise FileNotFoundError(f"there is no folder {place}")
    by_folder = folders.scan(place, source)
    if source.label or not (found := tables.find(place)):
        if source.columns:
            raise ValueError(
                f"{place} holds no table that could have columns, such as metadata.csv or "
                "labels.csv: give the table itself in place of the folder"
            )
        return by_folder
    by_table = tables.scan(found, source, place)
    return _chosen(place, found, source, by_folder, by_table)


def _chosen(
    place: Path,
    found: list[Path],
    source: Source,
    by_folder: tuple[Listing, Report],
    by_table: tuple[Listing, Report],
) -> tuple[Listing, Report]:
    """Where a folder holds a table too: the one that has labels, if they don't contradict."""
    folder, table = by_folder[0], by_table[0]
    names = ", ".join(path.relative_to(place).as_posix() for path in found)
    if len(folder.classes) < 2 or not any(folder.labels) or source.columns:
        return by_table
    if not table.files:
        return by_folder
    theirs = dict(zip(table.files, (table.classes[i] for i in table.labels), strict=True))
    pairs = {
        (folder.classes[label], theirs[file])
        for file, label in zip(folder.files, folder.labels, strict=True)
        if file in theirs
    }
    if len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}):
        if source.group and not source.grouped_by_path:
            return by_table
        return by_folder
    words = f"gives other labels than the folders: give it by --data {found[0]} to go by it"
    if found[0].stem.lower() == "metadata":  # as Hugging Face means it, it goes before folders
        problem = Problem(found[0], f"{words}, or remove it to go by the folders")
        return folder, replace(by_folder[1], problems=(problem, *by_folder[1].problems))
    note = f"{names} {words}; here the folders are used"
    notes = (*folder.notes, note)
    return replace(folder, notes=notes), replace(by_folder[1], notes=notes)
