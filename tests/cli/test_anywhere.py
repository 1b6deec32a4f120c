"""Weights from a file, networks of others and files for other programs, as their page has it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torchvision
from PIL import Image
from safetensors import safe_open
from torch import nn

from lineage_lab import replace_head
from lineage_lab.data.named import mnist_5k
from tests.docs.harness import covered_fences

PAGE = "docs/weights-from-anywhere.md"
ME = "tests/cli/test_anywhere.py::"
FEW = ("--epochs", "1", "--batch-size", "8", "--precision", "fp32", "--random-weights")
NETS = """
from torch import nn


class Net(nn.Module):
    def __init__(self, width, num_classes=10):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.head = nn.Linear(width, num_classes)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))
"""


def run(line: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    words = [
        sys.executable,
        "-m",
        *shlex.split(line.replace("lineage-lab", "lineage_lab", 1)),
        *more,
    ]
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, timeout=300)


def lines(test: str) -> list[str]:
    (fence,) = covered_fences(PAGE, ME + test)
    return fence.strip().splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty threes and twenty eights as files, weights as a training leaves them, a network."""
    folder = tmp_path_factory.mktemp("anywhere")
    _, table = mnist_5k()
    for digit in (3, 8):
        (folder / "photos" / str(digit)).mkdir(parents=True)
        for number, row in enumerate(table[table[:, 784] == digit][:20]):
            image = Image.fromarray(row[:784].reshape(28, 28)).resize((64, 64)).convert("RGB")
            image.save(folder / "photos" / str(digit) / f"{number:02}.png")
    torch.manual_seed(0)
    network = nn.DataParallel(torchvision.models.resnet18(num_classes=7))
    torch.save({"epoch": 3, "model": network.state_dict()}, folder / "run.pt")
    (folder / "mynets.py").write_text(NETS)
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> subprocess.CompletedProcess[str]:
    train, _ = lines("test_a_file_of_weights_to_train_from_and_to_predict_with")
    return run(train, folder, *FEW[:-1])


def test_a_file_of_weights_to_train_from_and_to_predict_with(
    folder: Path, trained: subprocess.CompletedProcess[str]
) -> None:
    assert trained.returncode == 0, trained.stderr
    assert "the names of torchvision" in trained.stderr
    assert "the head, 2 classes, is new (7 in the file)" in trained.stderr
    _, predict = lines("test_a_file_of_weights_to_train_from_and_to_predict_with")
    done = run(predict, folder, "--json")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 40


def test_each_network_of_a_comparison_has_its_own_file(folder: Path) -> None:
    done = run(
        "lineage-lab compare resnet18 lenet5_modern --data photos --weights resnet18=run.pt "
        "--seeds 1 --json found.json", folder, *FEW,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "run.pt" in done.stdout + done.stderr
    wrong = run("lineage-lab compare resnet18 --data photos --weights run.pt", folder)
    assert wrong.returncode == 2
    assert "expected NAME=PATH" in wrong.stderr


def test_any_network_by_its_expression(folder: Path) -> None:
    theirs, mine, predict = lines("test_any_network_by_its_expression")
    done = run(theirs.replace("--out run", "--out theirs"), folder, *FEW)
    assert done.returncode == 0, done.stderr
    done = run(mine, folder, *FEW)
    assert done.returncode == 0, done.stderr
    done = run(predict, folder)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 40
    refused = run(predict.replace(" --allow mynets", ""), folder)
    assert refused.returncode == 2
    assert "mynets" in refused.stderr


def test_out_to_other_programs(folder: Path, trained: subprocess.CompletedProcess[str]) -> None:
    assert trained.returncode == 0, trained.stderr
    names, onnx, half, whole, embed = lines("test_out_to_other_programs")
    done = run(names, folder)
    assert done.returncode == 0, done.stderr
    with safe_open(folder / "weights.safetensors", "pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert "classes" in file.metadata()
    network = replace_head(torchvision.models.resnet18(), 2)
    network.load_state_dict(state)

    # The rest with a network of a few layers, so that it takes seconds.
    small = run("lineage-lab finetune mynets.Net(width=8) --data photos --out small", folder, *FEW)
    assert small.returncode == 0, small.stderr
    onnx, half, whole = (
        f"{line.replace('run/best', 'small/best')} --allow mynets" for line in (onnx, half, whole)
    )
    done = run(onnx, folder, "--opset", "19")
    assert done.returncode == 0, done.stderr
    there = run(half, folder)
    assert there.returncode == 2  # a file of that name is there
    for kind, line in (("fp16", half), ("int8", whole)):
        done = run(line.replace("model.onnx", f"{kind}.onnx"), folder, "--force")
        assert done.returncode == 0, done.stderr
        assert "get the network's own first class" in done.stdout
    session = onnxruntime.InferenceSession(folder / "int8.onnx")
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == ["3", "8"]

    done = run(embed, folder, "--batch-size", "16", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert np.load(folder / "features.npy").shape == (40, 512)
    assert run(embed, folder).returncode == 2
    assert run(embed, folder, "--overwrite").returncode == 0
