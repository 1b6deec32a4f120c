"""The tables of the page on troubleshooting: the ledger of faults, exit codes, hostile images."""

import json
from pathlib import Path
from typing import Any

from lineage_lab.cli.exit_codes import EXIT_CODES
from lineage_site.facts.faults import FAULTS

__all__ = ["RESULTS", "draw"]

RESULTS = Path(__file__).parents[4] / "docs" / "results" / "hostile-images.json"
PARTS = ("runs", "checkpoints", "elsewhere", "data", "images", "processes", "safety")


def draw() -> dict[str, str]:
    """One table a part, one of exit codes, one of measured images."""
    tables = {f"{part}.md": _faults(part) for part in PARTS}
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    return {**tables, "codes.md": _codes(), "hostile.md": _hostile(found)}


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _faults(part: str) -> str:
    rows = ["| id | what you see | why | what to do |", "| --- | --- | --- | --- |"]
    for fault in FAULTS:
        if fault.part == part:
            see = f"`{fault.see}`" if fault.says else fault.see
            rows.append(f"| {fault.id} | {see} | {_cell(fault.why)} | {_cell(fault.do)} |")
    return "\n".join(rows) + "\n"


def _codes() -> str:
    rows = ["| exit code | meaning |", "| --: | --- |"]
    rows += [f"| {code} | {_cell(words)} |" for code, words in EXIT_CODES.items()]
    return "\n".join(rows) + "\n"


def _hostile(found: dict[str, Any]) -> str:
    rows = ["| file | how it fares | memory | time |", "| --- | --- | --: | --: |"]
    for image in found["images"]:
        rows.append(
            f"| {_cell(image['name'])} | {_cell(image['shown'])} | "
            f"{image['mebibytes']:.0f} MiB | {1000 * image['seconds']:.0f} ms |"
        )
    here = found["provenance"]
    rows += [
        "",
        (
            f"Each in a process of its own, decoded to 224 × 224; memory is what the process "
            f"grew by at its peak. {here['processor']}, Pillow {here['pillow']}, "
            f"{here['date']}."
        ),
    ]
    return "\n".join(rows) + "\n"
