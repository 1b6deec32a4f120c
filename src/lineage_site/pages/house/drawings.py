"""The picture of both packages for their contributors: the rooms, and which imports from which.

The rooms and their order are those of `lineage_site.facts.rooms`, the arrows come from the imports
themselves. An import that goes the other way is an error here, so that the picture can't be wrong.
"""

import ast
import json
from pathlib import Path
from textwrap import wrap

from lineage_lab.comparing.svg import Drawing
from lineage_site.drawing.build import SOURCE, imported
from lineage_site.drawing.records import RESULTS, read_or_empty
from lineage_site.facts.rooms import LIBRARY, SITE, Room

__all__ = ["draw"]

PACKAGE = {
    **dict.fromkeys(LIBRARY, "lineage_lab"),
    **{Room(f"site: {room.name}", room.kind): "lineage_site" for room in SITE},
}


def draw() -> dict[str, str]:
    """The picture, the modules with what each says of itself, and two recorded measurements."""
    return {
        "house.svg": _picture(),
        "modules.md": _table(),
        "proof.md": _proof(),
        "growth.md": _growth(),
    }


def _folder(room: Room) -> Path:
    return SOURCE / PACKAGE[room] / room.name.removeprefix("site: ")


def _files(room: Room) -> list[Path]:
    """The files of a room: its own if it is a module, else its folder's."""
    folder = _folder(room)
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _modules(room: Room) -> list[str]:
    """What is in a room: names of modules and of folders."""
    folder = _folder(room)
    if not folder.is_dir():
        return []
    inside = (p for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file())
    return sorted(p.stem for p in inside if p.stem != "__init__")


def _imports() -> dict[Room, set[Room]]:
    """Which rooms each room imports from."""
    of = {_folder(room).relative_to(SOURCE).parts: room for room in PACKAGE}
    rank = {room: number for number, room in enumerate(PACKAGE)}
    arrows: dict[Room, set[Room]] = {room: set() for room in PACKAGE}
    for room in PACKAGE:
        for file in _files(room):
            parts = file.relative_to(SOURCE).with_suffix("").parts
            for module in imported(".".join(p for p in parts if p != "__init__")):
                there = of.get(tuple(module.split(".")[:2]))
                if there is None or there is room:
                    continue  # a public name, from the package itself
                if rank[there] > rank[room]:
                    raise ValueError(f"{file} imports {module}, which is no room before its own")
                arrows[room].add(there)
    return arrows


def _floors(arrows: dict[Room, set[Room]]) -> list[list[Room]]:
    """The rooms by floors, the top floor first: a room stands above all that it imports from."""
    height: dict[Room, int] = {}
    for room in PACKAGE:  # in their order: what a room imports from comes before it
        height[room] = 1 + max((height[below] for below in arrows[room]), default=0)
    return [[r for r in PACKAGE if height[r] == h] for h in range(max(height.values()), 0, -1)]


def _direct(imports: dict[Room, set[Room]]) -> dict[Room, set[Room]]:
    """Without what can be reached by way of another room."""

    def below(room: Room) -> set[Room]:
        return imports[room].union(*(below(r) for r in imports[room]))

    return {
        room: {r for r in down if not any(r in below(other) for other in down - {r})}
        for room, down in imports.items()
    }


def _picture() -> str:
    width, gap, size = 760.0, 34.0, 12.5
    every = _imports()
    arrows, floors = _direct(every), _floors(every)
    boxes: dict[Room, tuple[float, float, float, float, list[str]]] = {}
    y = 10.0
    for floor in floors:
        wide = (width - 20 - 24 * (len(floor) - 1)) / len(floor)
        lines = [wrap(", ".join(_modules(room)), int((wide - 24) / 7.0)) for room in floor]
        high = 34.0 + 18 * max(map(len, lines))
        for i, room in enumerate(floor):
            boxes[room] = (10 + i * (wide + 24), y, wide, high, lines[i])
        y += high + gap
    told = "; ".join(
        f"{room.name} ({', '.join(_modules(room)) or 'one module'})"
        + (f" from {', '.join(sorted(r.name for r in down))}" if down else " from none")
        for room, down in arrows.items()
    )
    d = Drawing(
        "house",
        width=width,
        height=y - gap + 10,
        title="The rooms of both packages, and which imports from which",
        description=f"{len(floors)} floors, imports go down only. Rooms and modules: {told}.",
    )
    for room, down in arrows.items():
        x, top, wide, high, _ = boxes[room]
        for other in down:
            x2, top2, wide2, *_ = boxes[other]
            left, right = x + 30, x + wide - 30
            start = min(max(x2 + wide2 / 2, left), right)
            end = min(max(start, x2 + 30), x2 + wide2 - 30)
            d.arrow([(start, top + high), (end, top2 - 2)])
    for room, (x, top, wide, high, names) in boxes.items():
        d.rect(x, top, wide, high, fill="paper", radius=6)
        d.rect(x, top, wide, high, fill=f"{room.kind}-soft", stroke=room.kind, radius=6)
        d.text(x + 14, top + 21, room.name, fill=room.kind, weight=600)
        for number, line in enumerate(names):
            d.text(x + 14, top + 42 + 18 * number, line, size=size)
    return d.svg()


def _table() -> str:
    """A row a module: the first sentence of its docstring."""
    rows = ["| room | module | its job |", "| --- | --- | --- |"]
    for room in PACKAGE:
        for path in _files(room):
            doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            first = " ".join(doc.split("\n\n")[0].split())
            name = path.relative_to(_folder(room).parent).with_suffix("").as_posix()
            rows.append(f"| {room.name} | `{name.removesuffix('/__init__')}` | {first} |")
    return "\n".join((*rows, ""))


def _proof() -> str:
    """What `make prove` found."""
    found = read_or_empty("proof")
    if not found:
        return "Not measured yet.\n"
    rows = ["| file | changes tried | noticed |", "| --- | --: | --: |"]
    rows += [f"| `{p}` | {n['tried']} | {n['noticed']} |" for p, n in found["files"].items()]
    noticed = sum(n["noticed"] for n in found["files"].values())
    at = found["provenance"]
    rest = found["tried"] - noticed
    words = (
        f"Of {found['changes']:,} possible changes {found['tried']} were drawn and tried, seed "
        f"{found['seed']}; the tests noticed {noticed} ({noticed / found['tried']:.1%}). Some of "
        f"the other {rest} can't be noticed: another seed, a test image of another size, `<=` "
        f"where no answer lies on the border. {found['explained']} of them are explained so far. "
        f"{found['seconds'] / 60:.0f} minutes beside other work, on {_where(at)}."
    )
    return "\n".join((*rows, "", words, ""))


def _growth() -> str:
    """What `benchmarks/growth.py` found."""
    found = read_or_empty("growth")  # measured on a site that shows it
    if not found:
        return "Not measured yet.\n"
    rows = ["| chapters | the site's build |", "| --: | --: |"]
    rows += [f"| {n} | {seconds:.1f} s |" for n, seconds in found["builds"].items()]
    pages = json.loads((RESULTS.parent / "verified.json").read_text(encoding="utf-8"))["pages"]
    spent = [p["seconds"] for name, p in pages.items() if name.startswith("docs/chapters/")]
    words = (
        f"A chapter more costs the build {found['slope']:.2f} s (least squares over these, one "
        f"build each, figures drawn before, labs not executed; {_where(found['provenance'])}). "
        f"Its snippets cost the gate {sum(spent) / len(spent):.0f} s on one core, from "
        f"{min(spent):.0f} to {max(spent):.0f} s in the chapters of today, as "
        "[What is verified](../verified.md) lists them. Both grow with the number of chapters, "
        "not faster."
    )
    return "\n".join((*rows, "", words, ""))


def _where(at: dict[str, str]) -> str:
    versions = f"torch {at['torch']}, Python {at['python']}"
    return f"{at['processor']}, {at['cores']} cores; {versions}, {at['date']}"
