"""The runs that are kept in ``docs/results``: read by the figures, written by who ran them."""

import json
from pathlib import Path
from typing import Any

from lineage_lab.files import write_whole

__all__ = ["RESULTS", "keep", "machine", "recorded", "so_far"]

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def recorded(name: str) -> dict[str, Any]:
    """What a file holds.

    Args:
        name: Its name without ending, such as ``vgg``.

    Raises:
        FileNotFoundError: Nothing of this name is kept.
    """
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def so_far(name: str) -> dict[str, Any]:
    """The same, for a run that goes on where it was; empty where nothing is kept yet."""
    return recorded(name) if (RESULTS / f"{name}.json").is_file() else {}


def keep(name: str, found: dict[str, Any], *, text: str = "") -> None:
    """Write a file; who is interrupted finds it as it was before.

    Args:
        name: Its name without ending.
        found: What it is to hold.
        text: The same as JSON, where the lines are to fall otherwise.
    """
    text = text or json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    write_whole(RESULTS / f"{name}.json", text)


def machine(found: dict[str, Any]) -> str:
    """Where and with what the runs were made, in a sentence."""
    here = found["provenance"]
    runs = found["runs"].values()
    versions = {told for run in runs for told in run.get("versions", {}).items()}
    tools = "".join(f", {name} {number}" for name, number in sorted(versions))
    return (
        f"{here['processor']} with {here['cores']} cores, bf16 instructions: "
        f"{here['bf16_instructions']}; torch {here['torch']}{tools}; {here['date']}."
    )
