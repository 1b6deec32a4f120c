"""Long lists that are tried in parts: the gate takes a sample of them, each night all are tried.

``LINEAGE_LAB_ALL=1`` is the night (.github/workflows/nightly.yml). What stands in a sample is
chosen by the test that takes it, so that each kind of row is in the gate.
"""

import os
from collections.abc import Iterable
from typing import TypeVar

EVERYTHING = bool(os.environ.get("LINEAGE_LAB_ALL"))
Row = TypeVar("Row")


def some(rows: Iterable[Row], gate: Iterable[Row]) -> list[Row]:
    """All rows at night, those of `gate` else; each of these must be a row."""
    every, few = list(rows), list(gate)
    assert not [row for row in few if row not in every]
    return every if EVERYTHING else few


def each(rows: Iterable[Row], step: int) -> list[Row]:
    """All rows at night, else the first and each `step`-th after it."""
    return list(rows)[:: 1 if EVERYTHING else step]
