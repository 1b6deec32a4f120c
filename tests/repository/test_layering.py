"""Imports go one way, and what is heavy stays where it belongs."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lineage_lab"

# A module may import from its own layer's left only; a name with a dot stands for a folder's files.
LAYERS = (
    {
        "__init__",
        "download",
        "faults",
        "files",
        "ledger",
        "lineage",
        "printed",
        "references",
        "shadow",
        "shapes",
    },
    {"decode", "operators"},
    {"cache", "folders"},
    {"datasets", "kernels"},
    {
        "augment",
        "blocks",
        "device",
        "distributed",
        "heads",
        "recipe",
        "data",
        "probe",
        "checkpoint",
        "provenance",
        "significance",
    },
    {"batches", "optim"},
    {"training"},
    {"runs", "warmup"},
    {"anatomy", "models"},
    {"interchange"},
    {"weights"},
    {"registry", "finetuning", "lr_finder"},
    {"choosing", "predict", "results", "starting"},
    {"export", "gradcam"},
    {"beside", "comparison", "doctor", "experiments"},
    {"exercises", "quizzes"},
    {"figures"},
    {"cli"},
    {"__main__"},
)
# Third parties that only some modules may import.
KEPT_IN: dict[str, set[str]] = {
    "click": {"cli"},
    "rich": {"cli"},
    "matplotlib": {"figures"},
    "torchvision": {"datasets"},
}
# Third parties that are imported in functions only: whoever doesn't need them doesn't wait.
IN_FUNCTIONS = {"torchvision"}
NO_MODELS = {
    "anatomy",
    "batches",
    "data",
    "device",
    "finetuning",
    "heads",
    "optim",
    "recipe",
    "runs",
    "training",
    "warmup",
}
NO_TORCH = {
    "download",
    "faults",
    "ledger",
    "lineage",
    "printed",
    "references",
    "recipe",
    "cli",
    "__init__",
    "__main__",
}


def sources() -> dict[str, str]:
    return {
        path.relative_to(SOURCE).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
        for path in SOURCE.rglob("*.py")
    }


def unit(path: str) -> str:
    """The layer's name of a file: ``models/lenet`` belongs to ``models``."""
    return path.split("/")[0]


def imports(path: str, text: str) -> set[tuple[str, bool]]:
    """Modules that a file imports, and whether at its top (not in a function or for types only)."""
    tree = ast.parse(text)
    package = ("lineage_lab", *path.split("/")[:-1])
    found: set[tuple[str, bool]] = set()
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            found |= {(alias.name, top) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # `from . import x` and `from ..y import z` count as what they mean.
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            found.add((module, top))
            if module in ("lineage_lab", "lineage_lab.models"):
                found |= {(f"{module}.{alias.name}", top) for alias in node.names}
    return found


def is_part(path: str, module: list[str]) -> bool:
    """``models/lenet`` is split: it may import ``lenet_layers``, and no other way round."""
    return len(module) == 1 and module[0].startswith(f"{path.rpartition('/')[2]}_")


def violations(files: Mapping[str, str]) -> list[str]:
    rank = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    wrong: list[str] = []
    for path, text in files.items():
        here = unit(path)
        if here not in rank:
            wrong.append(f"{path} has no layer")
            continue
        for module, top in imports(path, text):
            first, *rest = module.split(".")
            if first == "lineage_lab" and rest and rest[0] in rank:
                there = rest[0]
                same_folder = here == there and here != "models"
                ours = path.endswith("__init__") and here == there
                if path == "__init__" or same_folder or ours or there == "__init__":
                    continue
                if there == here and is_part(path, rest[1:]):
                    continue
                if rank[there] >= rank[here] or (there == "models" and here in NO_MODELS):
                    wrong.append(f"{path} imports {module}")
            elif first in KEPT_IN and (
                here not in KEPT_IN[first] or (first in IN_FUNCTIONS and top)
            ):
                wrong.append(f"{path} imports {first}")
            elif first == "torch" and here in NO_TORCH and top:
                wrong.append(f"{path} imports torch")
    return wrong


def test_imports_go_one_way() -> None:
    assert violations(sources()) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("models/alexnet", "from lineage_lab.models.lenet import LeNet5"),
        ("models/alexnet", "from .lenet import LeNet5"),
        ("models/lenet_layers", "from lineage_lab.models.lenet import LeNet5"),
        ("models/lenet_layers", "from lineage_lab.models.lenet_modern import LeNet5Modern"),
        ("models/vit", "from lineage_lab.models.lenet_layers import RBFOutput"),
        ("models/convnext", "from lineage_lab.models import convnext_steps"),
        ("finetuning", "from .models import LENET"),
        ("anatomy", "import lineage_lab.models.lenet"),
        ("anatomy", "from lineage_lab import registry"),
        ("lineage", "import torch"),
        ("weights", "def f():\n    from lineage_lab.registry import entry"),
        ("models/alexnet", "import torchvision.models"),
        ("datasets", "from torchvision.datasets import CIFAR10"),
        ("data", "def f():\n    import torchvision"),
        ("comparison", "import matplotlib.pyplot"),
        ("comparison", "from rich.table import Table"),
        ("heads", "from lineage_lab.cli import main"),
        ("surprise", ""),
    ],
)
def test_a_planted_violation_is_found(path: str, text: str) -> None:
    assert violations({path: text})


def test_a_split_architecture_may_import_its_own_parts() -> None:
    own = "from lineage_lab.models.lenet_layers import RBFOutput"
    assert violations({"models/lenet": own}) == []
    assert violations({"models/net": own}) == ["models/net imports lineage_lab.models.lenet_layers"]


def test_each_module_tells_its_job_and_its_neighbours() -> None:
    files = sources()
    for path, text in files.items():
        if path.endswith("__"):
            continue
        docstring = ast.get_docstring(ast.parse(text)) or ""
        assert len(docstring.split()) > 12, path
        assert "eighbour" in docstring, path
        for name in re.findall(r"`lineage_lab\.([\w.]+)`", docstring):
            parts = name.split(".")
            places = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
            found = any(place in files or f"{place}/__init__" in files for place in places)
            assert found, f"{path} names {name}"
