"""One layer, as the page on receptive fields shows it."""

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One layer, as the page shows it.

    Attributes:
        name: Its path in the network.
        what: The layer in words.
        units: Units of its map along the width, as many as along the height.
        size: Side of the field; ``None`` where each unit sees the whole picture.
        left: First pixel that the first unit sees, or its patch where it sees the whole picture.
        stride: Pixels from one unit to the next.
        whole: The unit depends on the whole picture too, through gates or through attention.
        patch: Side of the unit's own patch, where it sees the whole picture; else ``None``.
    """

    name: str
    what: str
    units: int
    size: int | None
    left: int
    stride: int
    whole: bool
    patch: int | None = None
