"""The records of long runs in ``docs/results``: figures read them, ``run`` and benchmarks write."""

import json
from pathlib import Path
from typing import Any

from lineage_lab.comparing.provenance import provenance
from lineage_lab.files import write_whole

__all__ = ["RESULTS", "machine", "once", "read", "read_or_empty", "write"]

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def read(name: str) -> dict[str, Any]:
    """The record of a name.

    Args:
        name: The file's name without ending, such as ``vgg``.

    Raises:
        FileNotFoundError: No record has this name.
    """
    record: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return record


def read_or_empty(name: str) -> dict[str, Any]:
    """The same, for a run that goes on where it was; empty where there is no record yet."""
    return read(name) if (RESULTS / f"{name}.json").is_file() else {}


def write(name: str, record: dict[str, Any]) -> None:
    """Write a record and where it was made; who is interrupted finds the file as it was before.

    Args:
        name: The file's name without ending.
        record: What the file is to hold, all of it measured here; ``provenance`` is added.
    """
    record = record | {"provenance": provenance()}
    parts = (f" {json.dumps(key)}: {_lines(value)}" for key, value in record.items())
    write_whole(RESULTS / f"{name}.json", "{\n" + ",\n".join(parts) + "\n}\n")


def _lines(value: Any) -> str:
    """JSON with a line for each entry of a list or an object."""
    if not value or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        entries, ends = [json.dumps(entry, ensure_ascii=False) for entry in value], "[]"
    else:
        entries = [
            f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(entry, ensure_ascii=False)}"
            for key, entry in value.items()
        ]
        ends = "{}"
    return f"{ends[0]}\n  " + ",\n  ".join(entries) + f"\n {ends[1]}"


def machine(record: dict[str, Any]) -> str:
    """Where and with what the runs were made, in a sentence."""
    here = record["provenance"]
    runs = record["runs"].values()
    tools = {pair for run in runs for pair in run.get("versions", {}).items()}
    names = "".join(f", {name} {number}" for name, number in sorted(tools))
    return (
        f"{here['processor']} with {here['cores']} cores, bf16 instructions: "
        f"{here['bf16_instructions']}; torch {here['torch']}{names}; {here['date']}."
    )


def once(name: str) -> str:
    """When, by which command and with what a chapter's record was made, in Markdown."""
    record = read(name)
    here = record["provenance"]
    return (
        f"*Run once, on {here['date']}, by `python -m lineage_site run {name}`: "
        f"{len(record['about']['seeds'])} seeds, PyTorch {here['torch'].split('+')[0]}, "
        f"{here['processor']}, one thread"
    )
