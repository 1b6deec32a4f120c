"""Options that say what the images of a folder or a table are, shared by several commands."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lineage_lab.data.listing import Source

__all__ = ["source_from", "source_options"]

NAMES = ("columns", "label", "group", "pixel_range", "page")


def _columns(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, str]:
    pairs = [part.partition("=") for part in (text or "").split(",") if part]
    if wrong := [name for name, sign, value in pairs if not sign or not value]:
        raise click.BadParameter(
            f"{wrong[0]!r}: expected KIND=NAME, such as image=file,label=breed"
        )
    return {name.strip(): value.strip() for name, _, value in pairs}


def _range(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, sign, high = text.partition(":")
    try:
        if sign:
            return float(low), float(high)
    except ValueError:
        pass
    raise click.BadParameter(f"{text!r}: expected BLACK:WHITE, such as 0:4095")


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which hands their values to `source_from`."""
    for option in reversed(
        [
            click.option("--columns", callback=_columns, metavar="KIND=NAME,…",
                         help="Columns of a table: image=…,label=…,split=…,group=…"),
            click.option("--label", default="", metavar="REGEX",
                         help="Rule that finds the label in an image's path."),
            click.option("--group", default="", metavar="COLUMN or REGEX",
                         help="What belongs together stays on one side of the split."),
            click.option("--range", "pixel_range", callback=_range, metavar="BLACK:WHITE",
                         help="Values that are black and white in files of more than 8 bits."),
            click.option("--page", type=click.IntRange(1),
                         help="Page of TIFF files with several, from 1."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def source_from(place: Any, options: dict[str, Any]) -> "Source":
    """The source that the options describe; they are taken out of ``options``.

    Args:
        place: A folder, a table, or the name of a data set.
        options: Values of all options of a command by their names.
    """
    from lineage_lab.data.decoding import Reading
    from lineage_lab.data.listing import Source

    said = {name: options.pop(name) for name in NAMES}
    reading = Reading(pixel_range=said.pop("pixel_range"), page=said.pop("page"))
    return Source(str(place), reading=reading, **said)
