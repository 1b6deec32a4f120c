"""Predictions as a table for other programs: CSV, or parquet where pyarrow is installed."""

import csv
import io
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from lineage_lab.using.predictor import Prediction
from lineage_lab.using.scoring import column

__all__ = ["check_table", "prediction_table"]


def check_table(path: Path) -> None:
    """Find out before the work, not after, whether a table of this name can be written.

    Args:
        path: The file.

    Raises:
        ValueError: Its ending is neither ``.csv`` nor ``.parquet``, or pyarrow is missing.
        OSError: There is a folder of that name.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise ValueError(f"{path}: the name of a table ends in .csv or .parquet")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise ValueError(
            f"{path}: parquet is written by pyarrow, which is not installed. Install it with: "
            'pip install "lineage-lab[parquet]", or choose a name that ends in .csv'
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a table is a file")


def prediction_table(found: Sequence[Prediction], classes: Sequence[str], ending: str) -> bytes:
    """A line a file: its path, what it is named, the error, and the probabilities of all classes.

    Args:
        found: What `lineage_lab.using.predictor.Predictor.predict` gave.
        classes: The network's classes.
        ending: ``.csv`` or ``.parquet``.

    Returns:
        The file's bytes. Probabilities have all their digits; of a file that can't be read they
        are empty.
    """
    head = ["image", "answer", "error", *map(column, classes)]
    nothing = (None,) * len(classes)
    rows = [
        (os.fspath(one.path), one.label, one.error, *(one.probabilities or nothing))
        for one in found
    ]
    if ending == ".parquet":
        import pyarrow
        from pyarrow import parquet

        types = [pyarrow.string()] * 3 + [pyarrow.float64()] * len(classes)
        readable = [(_readable(path), *rest) for path, *rest in rows]
        arrays = [
            pyarrow.array(values, kind)
            for values, kind in zip(zip(*readable, strict=True), types, strict=True)
        ]
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.table(arrays, names=head), sink)
        return bytes(sink.getvalue().to_pybytes())
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(head)
    table.writerows(
        [*row[:3], *("" if value is None else repr(value) for value in row[3:])] for row in rows
    )
    return text.getvalue().encode("utf-8", "surrogateescape")


def _readable(path: str) -> str:
    """Parquet takes Unicode only."""
    return path.encode("utf-8", "replace").decode()
