"""What is said when a network or a file from elsewhere can't be had."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

from lineage_lab import compare, create_model
from lineage_lab.cli import cli
from lineage_lab.data.sets import Preprocessing
from lineage_lab.training.checkpoint import Checkpoint, save
from lineage_lab.using.predictor import Predictor
from lineage_lab.weights.builders import build
from lineage_lab.weights.forms import Form


@pytest.mark.parametrize(
    ("expression", "allow", "message"),
    [
        ("timm.create_model(", (), "is no expression of a builder: "),
        ("1 + 1", (), "is no expression of a builder: dotted names, called with numbers"),
        ("(lambda: 1)()", (), "a builder is a dotted name, not"),
        ("nosuch.Net()", ("nosuch",), "can't be imported: is its package installed"),
        ("collections.OrderedDict()", ("collections",), "builds a OrderedDict, not a network"),
        ("transformers.NoForImageClassification(config={})", (), "transformers has no NoFor"),
        (
            "transformers.ResNetForImageClassification(config={'auto_map': 'a'})",
            (),
            "auto_map in its config: refused",
        ),
    ],
)
def test_an_expression_that_builds_no_network(
    expression: str, allow: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build(expression, allow=allow)


def shards(folder: Path, index: object) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    return path


def two_files(folder: Path) -> Path:
    for name in ("a.safetensors", "b.safetensors"):
        (folder / name).touch()
    return folder


def of_no_library(folder: Path) -> Path:
    torch.save({"this": torch.zeros(2)}, folder / "x.pth")
    return folder / "x.pth"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (two_files, "a.safetensors, b.safetensors: give the path of one file"),
        (
            lambda folder: shards(folder, {"weight_map": {}}),
            "is no index of shards: .*weight_map is empty",
        ),
        pytest.param(
            lambda folder: shards(folder, {"weight_map": {"x": "1.safetensors"}}),
            "names the shard 1.safetensors, which is not there: bring it",
            marks=pytest.mark.fault("shard-missing"),
        ),
        (of_no_library, "x.pth is not of lenet5_modern: .*Nothing was loaded"),
    ],
)
def test_a_file_of_weights_that_is_none(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        create_model("lenet5_modern", weights=make(tmp_path))


def test_what_a_checkpoint_may_not_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="padding is same or centred, not 'reflect'"):
        Form.from_dict({"padding": "reflect"})
    how = Preprocessing(size=8, mean=(0.5,), std=(0.5,), channels=1)
    told = how.to_dict()
    changed = next(key for key in told if key not in ("size", "mean", "std", "channels"))
    with pytest.raises(ValueError, match=f"{changed} can only be "):
        Preprocessing.from_dict({**told, changed: "else"})
    saved = Checkpoint(
        model="elsewhere.Net()", classes=("a", "b"), preprocessing=told, recipe={},
        state=nn.Linear(1, 2).state_dict(), training=None, metrics={},
    )  # fmt: skip
    save(tmp_path / "x.ckpt", saved)
    with pytest.raises(ValueError, match=r"x\.ckpt was not loaded: "):
        Predictor.load(tmp_path / "x.ckpt")


def test_weights_for_a_network_that_is_not_compared() -> None:
    with pytest.raises(ValueError, match="weights are given for vgg11, which is not among"):
        compare(["lenet5_modern"], "digits", weights={"vgg11": "x.pth"})


@pytest.mark.parametrize(
    "line",
    [
        "lr-find lenet5_modern --data digits --weights none.pth",
        "evaluate lenet5_modern digits --weights none.pth --allow mynets --out found",
        "embed lenet5_modern . --weights none.pth --out x.npy",
        "export lenet5_modern x.onnx --weights none.pth --allow mynets --opset 18 --force",
    ],
)
def test_a_file_of_weights_that_is_not_there(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, line.split())
    assert "there is no file of weights none.pth" in str(done.exception)


def test_too_few_images_to_compare_an_export_on(tmp_path: Path) -> None:
    model = create_model("lenet5_modern", num_classes=2)
    how = Preprocessing(size=32, mean=(0.5,), std=(0.5,), channels=1)
    saved = Checkpoint(
        model="lenet5_modern", classes=("a", "b"), preprocessing=how.to_dict(), recipe={},
        state=model.state_dict(), training=None, metrics={},
    )  # fmt: skip
    save(tmp_path / "best.ckpt", saved)
    (tmp_path / "photos").mkdir()
    Image.new("L", (32, 32)).save(tmp_path / "photos" / "one.png")
    words = ["export", str(tmp_path / "best.ckpt"), str(tmp_path / "x.onnx"), "--int8"]
    done = CliRunner().invoke(cli, [*words, "--images", str(tmp_path / "photos")])
    assert done.exit_code == 2
    assert "holds 1 readable image(s): 4 at least" in done.output
    assert not (tmp_path / "x.onnx").exists()
