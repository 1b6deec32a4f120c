"""The facts of each chapter, each with the place where it can be checked.

One module a chapter, named by its slug, with a tuple ``FACTS``. A chapter's fact table is
generated from it, and a test holds each number of the chapter's prose to it (or to an output
that the page asserts). Standard library only. Neighbours: `lineage_lab.lineage` has the papers
themselves, `lineage_lab.printed` the numbers that they print of networks built here.
"""

from dataclasses import dataclass
from importlib import import_module

__all__ = ["Fact", "facts"]


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
    try:
        module = import_module(f"{__name__}.{key}")
    except ModuleNotFoundError as error:
        raise KeyError(key) from error
    found: tuple[Fact, ...] = module.FACTS
    return found
