"""What is verified: the record of each page's run, and docs/verified.json that keeps them.

A test run writes `.cache/verified/<page>.json`. `python -m tests.docs.harness verified` gathers
these into the committed docs/verified.json after a green run; `accept` renews the entry of its
page. An entry holds a digest of the page's outputs: a digit that was changed by hand, even within
a tolerance, is found out by `stale`. `before_filling` shows the data on the site.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from tests.docs.harness.compare import count_numbers
from tests.docs.harness.grammar import ROOT, Sheet, read_page
from tests.docs.harness.page import Page

FILE = ROOT / "docs" / "verified.json"
CACHE = ROOT / ".cache" / "verified"


def site_pages() -> tuple[pathlib.Path, ...]:
    """Every Markdown page that the harness answers for."""
    pages = [p for p in sorted((ROOT / "docs").rglob("*.md")) if "generated" not in p.parts]
    return (*pages, *(p for p in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if p.is_file()))


def has_fences(sheet: Sheet) -> bool:
    return any(fence.action != "prose" for fence in sheet.fences)


def session_outputs(body: str) -> str:
    """What a session or a console shows, without what was typed."""
    typed = (">>>", "...", "$ ", "> ")
    return "".join(line for line in body.splitlines(True) if not line.startswith(typed))


def contents(sheet: Sheet) -> dict[str, Any]:
    """What a page holds, as far as its text tells: the part of an entry that can go stale."""
    fences = sheet.fences
    outputs = [f.output.body for f in fences if f.output is not None and f.action == "run"]
    sessions = [f.body for f in fences if f.action == "run" and f.language in ("pycon", "console")]
    shown = [*outputs, *map(session_outputs, sessions)]
    outputs += sessions
    return {
        "fences": len(fences),
        "run": sum(f.action == "run" for f in fences),
        "parsed": sum(f.action == "parse" for f in fences),
        "covered": sorted(f.options["data-by"] for f in fences if f.action == "covered"),
        "included": sum(f.action == "include" for f in fences),
        "outputs": len(outputs),
        "skips": [
            {"line": f.line, "reason": f.options["data-reason"]}
            for f in fences
            if f.action == "skip"
        ],
        "numbers": sum(map(count_numbers, shown)),
        "digest": hashlib.sha256("\0".join(outputs).encode()).hexdigest()[:16],
    }


def labs() -> tuple[pathlib.Path, ...]:
    """The notebooks, which the site's build executes."""
    return tuple(sorted((ROOT / "docs" / "labs").glob("*.ipynb")))


def lab_contents(path: pathlib.Path) -> dict[str, Any]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    digest = hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]
    return {"cells": len(code), "digest": digest}


def stale_lab(path: pathlib.Path, entry: Mapping[str, Any] | None) -> bool:
    return entry is None or any(entry.get(k) != v for k, v in lab_contents(path).items())


def environment() -> dict[str, str]:
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "torchvision": importlib.metadata.version("torchvision"),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def record(page: Page, seconds: float | None = None) -> dict[str, Any]:
    """The entry of a page that was run, in `seconds` if it was another `Page` of it that ran."""
    if seconds is None:
        seconds = sum(result.seconds for result in page.results.values())
    return {
        **contents(page.sheet),
        "seconds": round(seconds, 1),
        **environment(),
    }


def write_cache(page: Page) -> None:
    """Writes the result of a page once all of its fences were run."""
    wanted = {f.line for f in page.sheet.fences if f.action in ("run", "parse")}
    if not wanted <= set(page.results) or not page.path.is_relative_to(ROOT):
        return
    green = not page.sheet.problems and all(r.wrong is None for r in page.results.values())
    write_result(page.name, {"green": green, **record(page)})


def write_result(name: str, entry: Mapping[str, Any]) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"page": name, **entry}, indent=2) + "\n"
    (CACHE / f"{name.replace('/', '.')}.json").write_text(text, encoding="utf-8")


def committed() -> dict[str, Any]:
    """The pages of docs/verified.json; none if there is no such file."""
    return json.loads(FILE.read_text(encoding="utf-8"))["pages"] if FILE.is_file() else {}


def write(pages: Mapping[str, Any]) -> None:
    """Writes docs/verified.json: pages by name, without those that are gone."""
    kept = {name: pages[name] for name in sorted(pages) if (ROOT / name).is_file()}
    text = json.dumps({"format": 1, "pages": kept}, indent=2, ensure_ascii=False) + "\n"
    FILE.write_text(text, encoding="utf-8")


def stale(text: str, entry: Mapping[str, Any] | None) -> str | None:
    """How a page's text differs from its entry, or None."""
    if entry is None:
        return "is not in docs/verified.json"
    for key, value in contents(read_page(text)).items():
        if key == "skips":
            value, kept = [s["reason"] for s in value], [s["reason"] for s in entry[key]]
        else:
            kept = entry[key]
        if value != kept:
            what = (
                "its outputs were changed by hand"
                if key == "digest"
                else f"{key}: {kept} -> {value}"
            )
            return f"is not as docs/verified.json has it ({what})"
    return None


def main(arguments: Sequence[str]) -> int:
    """Gathers the last run's results into docs/verified.json; refuses what is red or missing."""
    pages, wrong = {}, []
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(CACHE.glob("*.json"))]
    entries = {entry.pop("page"): entry for entry in found}
    for path in site_pages():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if not has_fences(read_page(text)):
            continue
        runs = any(fence.action in ("run", "parse") for fence in read_page(text).fences)
        # A page whose fences are all run by tests of their own has no run of its own.
        entry = entries.get(name)
        if not runs:
            new = {**contents(read_page(text)), "seconds": 0.0, **environment()}
            entry = {**committed().get(name, new), "green": True}
        reason = stale(text, entry)
        if entry is None:
            wrong.append(f"{name}: was not run; run pytest")
        elif not entry.pop("green"):
            wrong.append(f"{name}: its last run was red")
        elif reason:
            wrong.append(f"{name}: changed since its last run; run pytest")
        else:
            pages[name] = entry
    for path in labs():
        name = path.relative_to(ROOT).as_posix()
        entry = entries.get(name)
        if entry is None or not entry.pop("green") or stale_lab(path, entry):
            wrong.append(f"{name}: was not executed as it stands; run pytest")
        else:
            pages[name] = entry
    for line in wrong:
        print(line)
    if not wrong:
        write(pages)
        print(f"docs/verified.json: {len(pages)} pages")
    return 1 if wrong else 0
