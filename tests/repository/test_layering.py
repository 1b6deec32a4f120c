"""Imports go one way, and what is heavy stays where it belongs."""

import ast
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lineage_site.facts.rooms import HANDS_ON, LIBRARY, SITE

SOURCE = Path(__file__).parents[2] / "src"
# The site stands above the library.
ORDER = (
    *(f"lineage_lab.{room.name}" for room in LIBRARY),
    *(f"lineage_site.{room.name}" for room in SITE),
)
# Third parties that only some rooms may import.
ONLY_IN: dict[str, set[str]] = {
    "click": {"lineage_lab.cli"},
    "rich": {"lineage_lab.cli"},
    "matplotlib": {"lineage_site.drawing", "lineage_site.chapters", "lineage_site.pages"},
    "mkdocs": {"lineage_site.mkdocs"},
    "mkdocstrings": {"lineage_site.mkdocs"},
    "torchvision": {"lineage_lab.data"},
}
# Third parties that are imported in functions only: whoever doesn't need them doesn't wait.
IN_FUNCTIONS = {"torchvision"}
# These know no network by name.
NO_MODELS = {"files", "heads", "anatomy", "data"}
NO_MODELS_BUT = "lineage_lab.training.pretrained"  # which starts from a name
# These start without waiting for torch.
DOCTOR = "lineage_lab.cli.doctor"  # except for this, which asks torch what it has
NO_TORCH = (
    "lineage_lab.__init__.",
    "lineage_lab.__main__.",
    "lineage_lab.chapters.lineage.",
    "lineage_lab.cli.",
    "lineage_lab.files.",
    "lineage_lab.moved.",
    "lineage_lab.training.recipe.",
    "lineage_lab.weights.download.",
    "lineage_site.facts.",
)


def sources() -> dict[str, str]:
    """Whole name of each module -> its text; a package is its ``__init__``."""
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*.py")
    }


def room(module: str) -> str:
    """``lineage_lab.models.lenet`` stands in ``lineage_lab.models``."""
    return ".".join(module.split(".")[:2])


def imports(module: str, text: str) -> Iterator[tuple[str, bool]]:
    """Whole names that a file imports, and whether at its top (not in a function)."""
    tree = ast.parse(text)
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            yield from ((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # `from . import x` and `from ..y import z` count as what they mean.
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join((*base, *filter(None, [node.module])))
            yield name, top
            yield from ((f"{name}.{alias.name}", top) for alias in node.names)


def is_part(module: str, other: str) -> bool:
    """``lenet`` is split: it may import ``lenet_layers``, and no other way round."""
    return other.startswith(f"{module}_")


def allowed(module: str, other: str) -> bool:
    """Whether a module may import this name of ours."""
    here, there = room(module), room(other)
    if there not in ORDER:  # a public name, from the package itself
        return other.split(".")[0] == "lineage_lab"
    if here not in ORDER:
        return module.split(".")[1] in HANDS_ON
    if here == there == "lineage_lab.models":
        return other.startswith("lineage_lab.models.blocks") or is_part(module, other)
    return ORDER.index(there) <= ORDER.index(here)


def violations(files: Mapping[str, str]) -> list[str]:
    wrong: list[str] = []
    for module, text in files.items():
        if room(module) not in ORDER and module.split(".")[1] not in HANDS_ON:
            wrong.append(f"{module} stands in no room")
        for name, top in imports(module, text):
            first = name.split(".")[0]
            if first in ("lineage_lab", "lineage_site"):
                if "." in name and not allowed(module, name):
                    wrong.append(f"{module} imports {name}")
            elif first in ONLY_IN:
                if room(module) not in ONLY_IN[first] or (first in IN_FUNCTIONS and top):
                    wrong.append(f"{module} imports {first}")
            elif (
                first == "torch" and top and f"{module}.".startswith(NO_TORCH) and module != DOCTOR
            ):
                wrong.append(f"{module} imports torch")
    return wrong


def circles(files: Mapping[str, str]) -> list[str]:
    """Modules that import one another in a loop; an ``__init__`` that hands on is none."""
    arrows = {
        module: {n for n, _ in imports(module, text) if n in files and n != module}
        for module, text in files.items()
        if not module.endswith("__init__")
    }
    done: set[str] = set()
    found: list[str] = []

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            found.append(" -> ".join((*path[path.index(module) :], module)))
        elif module not in done:
            for other in sorted(arrows.get(module, ())):
                visit(other, (*path, module))
            done.add(module)

    for module in sorted(arrows):
        visit(module, ())
    return found


def test_imports_go_one_way() -> None:
    assert violations(sources()) == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    assert circles(sources()) == []
    planted = {"a": "import b", "b": "from c import x", "c": "def f():\n    import a"}
    assert circles(planted) == ["a -> b -> c -> a"]


def test_the_list_of_rooms_is_the_folders() -> None:
    for package, rooms in (("lineage_lab", LIBRARY), ("lineage_site", SITE)):
        inside = {
            path.stem
            for path in (SOURCE / package).iterdir()
            if path.suffix == ".py" or (path / "__init__.py").is_file()
        }
        assert inside - {*HANDS_ON} == {room.name for room in rooms}
        assert not [p for p in (SOURCE / package).iterdir() if p.is_dir() and p.stem not in inside
                    and p.stem != "__pycache__"]  # fmt: skip


def test_what_knows_no_network_imports_none() -> None:
    networks = ("lineage_lab.models", "lineage_lab.registry", "lineage_lab.weights")
    wrong = [
        f"{module} imports {name}"
        for module, text in sources().items()
        for name, _ in imports(module, text)
        if module.split(".")[0] == "lineage_lab"
        and (module.split(".")[1] in NO_MODELS or room(module) == "lineage_lab.training")
        and module != NO_MODELS_BUT
        and name.startswith(networks)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("lineage_lab.models.alexnet", "from lineage_lab.models.lenet import LeNet5"),
        ("lineage_lab.models.alexnet", "from .lenet import LeNet5"),
        ("lineage_lab.models.lenet_layers", "from lineage_lab.models.lenet import LeNet5"),
        ("lineage_lab.models.lenet_layers", "from lineage_lab.models.lenet_modern import LeNet5"),
        ("lineage_lab.models.vit", "from lineage_lab.models.lenet_layers import RBFOutput"),
        ("lineage_lab.models.convnext", "from lineage_lab.models import convnext_steps"),
        ("lineage_lab.models.vgg", "from lineage_lab.weights.published import entry"),
        ("lineage_lab.data.sets", "from ..training import recipe"),
        ("lineage_lab.anatomy.network", "import lineage_lab.models.lenet"),
        ("lineage_lab.anatomy.network", "from lineage_lab import registry"),
        ("lineage_lab.chapters.lineage", "import torch"),
        ("lineage_lab.weights.published", "def f():\n    from lineage_lab.registry import entry"),
        ("lineage_lab.using.predictor", "from lineage_site.facts.ledger import facts"),
        ("lineage_lab.cli.looking", "def f():\n    import lineage_site.drawing.build"),
        ("lineage_site.facts.ledger", "from lineage_site.drawing.records import read"),
        ("lineage_lab.models.alexnet", "import torchvision.models"),
        ("lineage_lab.data.named", "from torchvision.datasets import CIFAR10"),
        ("lineage_lab.comparing.comparison", "import matplotlib.pyplot"),
        ("lineage_lab.comparing.comparison", "from rich.table import Table"),
        ("lineage_lab.heads", "from lineage_lab.cli import main"),
        ("lineage_lab.surprise", ""),
        ("lineage_site.drawing.build", "from mkdocs.config import config_options"),
    ],
)
def test_a_planted_violation_is_found(module: str, text: str) -> None:
    assert violations({module: text})


def test_a_split_architecture_may_import_its_own_parts() -> None:
    own = "from lineage_lab.models.lenet_layers import RBFOutput"
    assert violations({"lineage_lab.models.lenet": own}) == []
    assert violations({"lineage_lab.models.net": own})


def test_each_folder_and_module_tells_its_job() -> None:
    for module, text in sources().items():
        if not module.endswith("__main__"):
            assert ast.get_docstring(ast.parse(text)), module


def test_names_in_docstrings_are_there() -> None:
    """A module that a docstring names in backticks exists; a test can't see whether it is true."""
    files = sources()
    names = {name.removesuffix(".__init__") for name in files}
    for module, text in files.items():
        doc = ast.get_docstring(ast.parse(text)) or ""
        for word in doc.split("`")[1::2]:
            if word.startswith(("lineage_lab.", "lineage_site.")) and word.isidentifier() is False:
                parts = word.split(".")
                if all(part.isidentifier() for part in parts):
                    heads = {".".join(parts[:n]) for n in range(2, len(parts) + 1)}
                    assert heads & names, f"{module} names {word}"


def test_every_room_is_listed_once() -> None:
    for rooms in (LIBRARY, SITE):
        assert not [a for a, b in itertools.combinations(rooms, 2) if a.name == b.name]
