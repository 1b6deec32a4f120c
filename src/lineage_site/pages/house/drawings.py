"""The picture of the package for its contributors: rooms of modules, and who imports whom.

Read from the imports themselves. A module that is in no room, or an import that goes upwards, is
an error here, so that the picture can't fall behind the code. Neighbours: the page
``docs/contributing/house.md`` shows it; ``tests/test_layering.py`` holds each import to its layer.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from lineage_lab.figures.kept import RESULTS, so_far
from lineage_lab.figures.style import Drawing

__all__ = ["draw"]

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Room:
    """Modules with one job.

    Attributes:
        name: What they are for.
        kind: Of the picture's colours.
        modules: Their names, folders among them.
    """

    name: str
    kind: str
    modules: str


# From the top: a room imports from rooms below it only.
FLOORS: tuple[tuple[Room, ...], ...] = (
    (Room("The command", "output", "cli __main__ doctor"),),
    (Room("The pages", "output", "figures exercises quizzes experiments"),),
    (
        Room("Comparing", "pool", "comparison results significance starting beside choosing "
             "provenance"),
        Room("After training", "pool", "predict export gradcam"),
    ),
    (
        Room("The routine", "dense", "finetuning training warmup runs batches recipe optim "
             "lr_finder device kernels distributed checkpoint"),
    ),
    (
        Room("Networks", "conv", "registry weights interchange models blocks heads shapes"),
        Room("Pictures in", "input", "data datasets folders cache decode augment"),
    ),
    (
        Room("Measuring", "norm", "anatomy operators probe shadow"),
        Room("Files", "act", "files download faults"),
        Room("Facts", "act", "lineage ledger printed references"),
    ),
)  # fmt: skip


def draw() -> dict[str, str]:
    """The picture, the modules with what each says of itself, and two kept measurements."""
    return {
        "house.svg": _picture(),
        "modules.md": _table(),
        "proof.md": _proof(),
        "growth.md": _growth(),
    }


def _rooms() -> dict[str, Room]:
    return {module: room for floor in FLOORS for room in floor for module in room.modules.split()}


def _files() -> Iterator[tuple[str, Path]]:
    """Each file with the name of its module or, for a file of a folder, the folder's."""
    for path in sorted(PACKAGE.rglob("*.py")):
        unit = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if unit != "__init__":
            yield unit, path


def _imported(path: Path) -> set[str]:
    """The modules of this package that a file names in its imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, *rest = node.module.split(".")
            if package == "lineage_lab":
                found |= {rest[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            parts = (alias.name.split(".") for alias in node.names)
            found |= {p[1] for p in parts if p[0] == "lineage_lab" and len(p) > 1}
    return found


def _imports() -> dict[Room, set[Room]]:
    """Which rooms each room imports from."""
    rooms = _rooms()
    floor = {room: level for level, floor in enumerate(FLOORS) for room in floor}
    found: dict[Room, set[Room]] = {room: set() for room in floor}
    for unit, path in _files():
        if unit not in rooms:
            raise ValueError(f"{path}: {unit} is in no room of {__name__}.FLOORS")
        for module in _imported(path):
            here, there = rooms[unit], rooms.get(module)
            if there is None or there is here:
                continue  # a public name, from the package itself
            if floor[there] <= floor[here]:
                raise ValueError(f"{path} imports {module}, which is no floor below it")
            found[here].add(there)
    return found


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
    arrows = _direct(_imports())
    boxes: dict[Room, tuple[float, float, float, float, list[str]]] = {}
    y = 10.0
    for floor in FLOORS:
        wide = (width - 20 - 24 * (len(floor) - 1)) / len(floor)
        lines = [wrap(room.modules.replace(" ", ", "), int((wide - 24) / 7.0)) for room in floor]
        high = 34.0 + 18 * max(map(len, lines))
        for i, room in enumerate(floor):
            boxes[room] = (10 + i * (wide + 24), y, wide, high, lines[i])
        y += high + gap
    told = "; ".join(
        f"{room.name} ({room.modules.replace(' ', ', ')})"
        + (f" from {', '.join(sorted(r.name for r in down))}" if down else " from none")
        for room, down in arrows.items()
    )
    d = Drawing(
        "house",
        width=width,
        height=y - gap + 10,
        title="The rooms of the package, and which imports from which",
        description=f"Six floors, imports go down only. Each room with its modules: {told}.",
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
    for floor in FLOORS:
        for room in floor:
            for module in room.modules.split():
                path = PACKAGE / f"{module}.py"
                path = path if path.is_file() else PACKAGE / module / "__init__.py"
                doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                first = " ".join(doc.split("\n\n")[0].split())
                rows.append(f"| {room.name} | `{module}` | {first} |")
    return "\n".join((*rows, ""))


def _proof() -> str:
    """What `make prove` found."""
    found = so_far("proof")
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
    found = so_far("growth")  # measured on a site that shows it
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
