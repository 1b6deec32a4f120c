"""Nothing untrusted runs: each loader is given a file that would run code."""

import ast
import hashlib
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lineage_lab import create_model
from lineage_lab.comparing import comparison
from lineage_lab.comparing.results import Comparison
from lineage_lab.data import cache
from lineage_lab.data.sets import load
from lineage_lab.training import checkpoint, trial
from lineage_lab.training.recipe import Recipe
from lineage_lab.using.predictor import Predictor
from lineage_lab.weights import published
from lineage_site.facts.faults import find

SOURCE = Path(__file__).parents[2] / "src" / "lineage_lab"


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def saved(thing: object) -> bytes:
    file = io.BytesIO()
    torch.save(thing, file)
    return file.getvalue()


def sealed(payload: bytes) -> bytes:
    digest = hashlib.sha256(payload).hexdigest()
    return f"lineage-lab checkpoint 1\n{digest}\n{len(payload):020}\n".encode() + payload


def from_weights(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(path.parent))
    kept = path.parent / "hub" / "checkpoints" / "x.pth"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(path.read_bytes())
    digest = hashlib.sha256(kept.read_bytes()).hexdigest()
    entry = published.find("resnet50", "imagenet")
    monkeypatch.setattr(published, "WEIGHTS", (replace(entry, filename="x.pth", sha256=digest),))
    create_model("resnet50", weights="imagenet")


def from_trials(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory that can't be read is as if it weren't there; it never raises, so do it here."""
    assert trial._cached(path, "key") is None
    raise ValueError("as if it weren't there")


def from_decoded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded pixels are bytes: whatever they are, they are shown and not run."""
    size = path.stat().st_size - cache.DIGEST
    assert cache._opened(path, (1, 1, 1, size)) is None  # its hash is not that of its bytes
    raise ValueError("bytes are pixels")


def from_image(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (path.parent / "set" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path.parent / "set" / name / "x.png")
    (path.parent / "set" / "a" / "y.png").write_bytes(path.read_bytes())
    load(path.parent / "set", size=8)


LOADERS: dict[str, Callable[[Path, pytest.MonkeyPatch], Any]] = {
    "checkpoint": lambda path, _: checkpoint.load(path),
    "newest checkpoint": lambda path, _: checkpoint.newest(path.parent),
    "predictor": lambda path, _: Predictor.load(path),
    "weights": from_weights,
    "comparison": lambda path, _: Comparison.load(path),
    "finished run": lambda path, _: comparison._read(path, {}),
    "recipe": lambda path, _: Recipe.from_dict(json.loads(path.read_bytes())),
    "trials": from_trials,
    "decoded pixels": from_decoded,
    "image": from_image,
}


@pytest.mark.fault("untrusted")
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch's word, before it refuses
@pytest.mark.parametrize("loader", LOADERS)
def test_a_file_that_would_run_code_is_not_run(
    loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
    trap = Trap(tmp_path / "ran")
    words = "__import__('pathlib').Path('ran').touch()"
    contents = [pickle.dumps(trap), saved({"fc.weight": trap}), sealed(saved(trap)),
                sealed(pickle.dumps(trap)), words.encode(),
                f"!!python/object/apply:os.system ['touch {tmp_path}/ran']".encode()]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for number, content in enumerate(contents):
        path = tmp_path / str(number) / "x.ckpt"
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises(ValueError) as told:  # noqa: PT011  (each has words of its own)
            LOADERS[loader](path, monkeypatch)
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
        assert not (tmp_path / "ran").exists()
        if loader in ("checkpoint", "predictor") and number in (2, 3):
            assert find("untrusted").matches(str(told.value))
    pickle.loads(contents[0])  # the control: these bytes do run
    assert (tmp_path / "ran").exists()


FORBIDDEN_MODULES = {"pickle", "dill", "joblib", "marshal", "shelve", "subprocess", "yaml"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen",
                   "torch.hub.load", "hub.load", "yaml.load", "pickle.loads"}  # fmt: skip


def found_in(text: str) -> list[str]:
    wrong: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            wrong += [a.name for a in node.names if a.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.split(".")[0] in FORBIDDEN_MODULES:
                wrong.append(node.module)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if name in FORBIDDEN_CALLS:
                wrong.append(name)
            if name == "torch.load" and given.get("weights_only") != "True":
                wrong.append("torch.load without weights_only=True")
            if name.endswith("np.load") and given.get("allow_pickle") != "False":
                wrong.append(name)
            if given.get("allow_pickle") == "True":
                wrong.append(name)
            if given.get("shell") == "True" or given.get("weights_only") == "False":
                wrong.append(f"{name} with {given}")
    return wrong


def test_the_package_has_nothing_that_runs_a_file() -> None:
    wrong = {p.name: w for p in SOURCE.rglob("*.py") if (w := found_in(p.read_text("utf-8")))}
    # Helpers look at images in processes of their own; what they say comes back over their pipe.
    assert wrong.pop("checking.py") == ["pickle", "subprocess", "pickle.loads"]
    assert wrong == {}


@pytest.mark.parametrize("text", [
    "import pickle", "from pickle import loads", "eval('1')", "exec('1')", "torch.load(x)",
    "torch.load(x, weights_only=False)", "np.load(x, allow_pickle=True)", "np.load(x)",
    "import subprocess",
    "torch.hub.load('a/b', 'c')", "import yaml", "run(x, shell=True)"])  # fmt: skip
def test_what_is_planted_is_found(text: str) -> None:
    assert found_in(text)
