"""The picture of both packages for their contributors: the rooms, and which imports from which.

The rooms and their order are those of `lineage_site.facts.rooms`, the arrows come from the imports
themselves. An import that goes the other way is an error here, so that the picture can't be wrong.
"""

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from lineage_lab.comparing.svg import Drawing
from lineage_site.drawing.build import SOURCE, imported
from lineage_site.drawing.records import RESULTS, read_or_empty
from lineage_site.facts.rooms import LIBRARY, SITE

__all__ = ["draw"]

# Whole name of each room -> the room, those that are imported from first.
ROOMS = {f"lineage_lab.{room.name}": room for room in LIBRARY} | {
    f"lineage_site.{room.name}": room for room in SITE
}
BANDS = {
    "lineage_site": "lineage_site makes the site, and is in no wheel",
    "lineage_lab": "lineage_lab is the library, and the wheel",
}


def draw() -> dict[str, str]:
    """The picture, the modules with what each says of itself, and two recorded measurements."""
    return {
        "house.svg": _picture(),
        "modules.md": _table(),
        "proof.md": _proof(),
        "growth.md": _growth(),
    }


def _files(room: str) -> list[Path]:
    """The files of a room: its own if it is a module, else its folder's."""
    path = SOURCE.joinpath(*room.split("."))
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def _modules(room: str) -> list[str]:
    """What is in a room: names of modules and of folders."""
    path = SOURCE.joinpath(*room.split("."))
    if not path.is_dir():
        return []
    inside = (p for p in path.iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file())
    return sorted(p.stem for p in inside if p.stem != "__init__")


def _imports() -> dict[str, set[str]]:
    """Which rooms each room imports from."""
    rank = {room: number for number, room in enumerate(ROOMS)}
    arrows: dict[str, set[str]] = {room: set() for room in ROOMS}
    for room in ROOMS:
        for file in _files(room):
            parts = file.relative_to(SOURCE).with_suffix("").parts
            for module in imported(".".join(p for p in parts if p != "__init__")):
                other = ".".join(module.split(".")[:2])
                if other not in ROOMS or other == room:
                    continue  # a public name, from the package itself
                if rank[other] > rank[room]:
                    raise ValueError(f"{file} imports {module}, which is no room before its own")
                arrows[room].add(other)
    return arrows


def _floors(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The rooms by floors, the top floor first: each right below what imports from it."""
    depth: dict[str, int] = {}
    site = 0  # floors of the site, which stand above all of the library's
    for room in reversed(ROOMS):  # what imports from a room comes before it here
        library = room.startswith("lineage_lab.")
        users = [depth[user] for user in depth if room in arrows[user]]
        depth[room] = 1 + max(site if library else 0, *users, 0)
        site = site if library else max(site, depth[room])
    return [[r for r in ROOMS if depth[r] == d] for d in range(1, max(depth.values()) + 1)]


def _direct(imports: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without what can be reached by way of another room."""

    def below(room: str) -> set[str]:
        return imports[room].union(*(below(r) for r in imports[room]))

    return {
        room: {r for r in down if not any(r in below(other) for other in down - {r})}
        for room, down in imports.items()
    }


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a room stands, and the lines with the names of its modules."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]


def _boxes(floors: list[list[str]], width: float) -> tuple[dict[str, _Box], dict[str, float]]:
    """The boxes of all rooms, as wide as they have names; the baseline of each package's title."""
    gap, margin, between = 32.0, 10.0, 20.0
    boxes: dict[str, _Box] = {}
    titles: dict[str, float] = {}
    y = margin
    for floor in floors:
        package = floor[0].split(".")[0]
        if package not in titles:
            y += 14
            titles[package] = y
            y += 14
        words = {room: ", ".join(_modules(room)) for room in floor}
        shares = {room: 16 + min(len(text), 130) ** 0.8 for room, text in words.items()}
        unit = (width - 2 * margin - between * (len(floor) - 1)) / sum(shares.values())
        lines = {r: tuple(wrap(words[r], int((unit * shares[r] - 26) / 6.6))) for r in floor}
        height = 32.0 + 17 * max(map(len, lines.values()))
        x = margin
        for room in floor:
            boxes[room] = _Box(x, y, unit * shares[room], height, lines[room])
            x += unit * shares[room] + between
        y += height + gap
    return boxes, titles


def _picture() -> str:
    """The site's floors above the library's; an arrow from each room to those it imports from."""
    width = 760.0
    imports = _imports()
    arrows, floors = _direct(imports), _floors(imports)
    boxes, titles = _boxes(floors, width)
    rooms = "; ".join(
        f"{room} ({', '.join(_modules(room)) or 'one module'}) from "
        f"{', '.join(sorted(down)) or 'none'}"
        for room, down in arrows.items()
    )
    d = Drawing(
        "house",
        width=width,
        height=max(box.y + box.height for box in boxes.values()) + 10,
        title="The rooms of both packages, and which imports from which",
        description=f"{len(floors)} floors, imports go down only. Rooms and modules: {rooms}.",
    )
    for room, down in arrows.items():
        box = boxes[room]
        for other in down:
            below = boxes[other]
            left, right = box.x + 24, box.x + box.width - 24
            start = min(max(below.x + below.width / 2, left), right)
            end = min(max(start, below.x + 24), below.x + below.width - 24)
            d.arrow([(start, box.y + box.height), (end, below.y - 2)])
    for room, box in boxes.items():
        kind = ROOMS[room].kind
        d.rect(box.x, box.y, box.width, box.height, fill="paper", radius=6)
        d.rect(box.x, box.y, box.width, box.height, fill=f"{kind}-soft", stroke=kind, radius=6)
        d.text(box.x + 12, box.y + 20, room.split(".")[1], fill=kind, weight=650)
        for number, line in enumerate(box.lines):
            d.text(box.x + 12, box.y + 39 + 17 * number, line, size=12)
    for package, y in titles.items():
        d.rect(8, y - 15, 8.2 * len(BANDS[package]), 20, fill="paper")
        d.text(10, y, BANDS[package], weight=700)
    return d.svg()


def _table() -> str:
    """A row a module: the first sentence of its docstring."""
    rows = ["| room | module | its job |", "| --- | --- | --- |"]
    for room in ROOMS:
        for path in _files(room):
            doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            first = " ".join(doc.split("\n\n")[0].split())
            parts = path.relative_to(SOURCE).with_suffix("").parts[1:]
            name = "/".join(p for p in parts if p != "__init__")
            rows.append(f"| {room} | `{name}` | {first} |")
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
