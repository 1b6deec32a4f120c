"""The facts of each chapter, each with the place where it can be checked.

They stand in the chapter's folder, in ``facts.py``, as a tuple ``FACTS``. A chapter's fact table is
generated from it, and a test holds each number of the chapter's prose to it (or to an output
that the page asserts). Standard library only.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

__all__ = ["Fact", "facts"]

SITE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact and the place where it can be checked.

    Attributes:
        name: What the number or the word is of.
        value: The value, as the chapter writes it.
        source: Paper, section, table or figure; or a DOI or an address.
        shown: Whether it stands in the table at the top of the chapter.
    """

    name: str
    value: str | int | float
    source: str
    shown: bool = True


def facts(key: str) -> tuple[Fact, ...]:
    """The facts of one chapter.

    Args:
        key: The chapter's slug, such as ``lenet5``.

    Returns:
        The facts, in the order of the table.

    Raises:
        KeyError: No such chapter.

    Examples:
        >>> facts("lenet5")[2].value
        340908
    """
    room = "chapters" if (SITE / "chapters" / key).is_dir() else "pages"
    if not (SITE / room / key / "facts.py").is_file():
        raise KeyError(key)
    found: tuple[Fact, ...] = import_module(f"lineage_site.{room}.{key}.facts").FACTS
    return found
