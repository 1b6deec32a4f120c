"""Options of the commands that choose by a metric, score, and take a network apart."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from lineage_lab.comparing.runs import read_run
from lineage_lab.data.listing import Source
from lineage_lab.data.sets import Preprocessing, as_images, load, split
from lineage_lab.training.decision import choose_threshold
from lineage_lab.training.metrics import measure
from lineage_lab.training.recipe import Recipe
from tests.cli.test_own_images import QUICK, run  # noqa: F401  (a fixture)
from tests.data.pictures import fill, picture


def test_describe_takes_a_size_and_a_number_of_classes(run) -> None:  # noqa: F811
    code, said = run("describe", "resnet18", "--size", "64", "--num-classes", "7")
    assert code == 0, said
    assert "64" in said
    assert "11,180,103" in said  # 11,689,512 less 993 classes of 513 weights each


@pytest.mark.parametrize("command", ["compare", "finetune", "lr-find"])
def test_what_is_chosen_by_reaches_the_recipe(run, tmp_path: Path, command: str) -> None:  # noqa: F811
    root = fill(tmp_path / "set", {"a": 30, "b": 12})
    more = ("--seeds", "1") if command == "compare" else ()
    options = ("--metric", "balanced_accuracy", "--patience", "1", "--threshold", "balanced",
               "--test", "0.2")  # fmt: skip
    code, said = run(command, "lenet5_modern", "--data", root, *QUICK, *more, *options)
    assert code == 0, said
    code, said = run(command, "lenet5_modern", "--data", root, *QUICK, "--metric", "luck")
    assert code == 2
    assert "Recipe.metric is one of accuracy" in said or "Recipe.metric is one of auto" in said


def test_evaluate_takes_what_is_said_of_the_images(run, tmp_path: Path) -> None:  # noqa: F811
    root = tmp_path / "set"
    rows = ["file,kind,patient"]
    for number in range(24):
        picture(root / "images" / f"{number}.png")
        rows.append(f"images/{number}.png,{'ab'[number % 2]},p{number // 4}")
    (root / "x.csv").write_text("\n".join(rows))
    columns = ("--columns", "image=file,label=kind", "--group", "patient")
    code, said = run("finetune", "lenet5_modern", "--data", root / "x.csv", *columns, *QUICK,
                     "--out", tmp_path / "run")  # fmt: skip
    assert code == 0, said
    scored = ("evaluate", tmp_path / "run" / "best.ckpt", root / "x.csv", *columns, "--json",
              "--device", "cpu", "--batch-size", "5", "--resamples", "20",
              "--out", tmp_path / "out")  # fmt: skip
    code, said = run(*scored)
    assert code == 0, said
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert run(*scored)[0] == 2
    assert run(*scored, "--overwrite")[0] == 0
    checkpoint = tmp_path / "run" / "best.ckpt"
    for option, value in (("--label", "(nowhere)"), ("--range", "1"), ("--page", "0")):
        code, said = run("evaluate", checkpoint, root / "images", option, value)
        assert code == 2, said
    code, said = run("evaluate", tmp_path / "run" / "best.ckpt", root / "x.csv", "--columns",
                     "image=file,label=kind", "--part", "test")  # fmt: skip
    assert code == 2
    assert "neither has the data a test part" in said


def test_probe_takes_what_is_said_of_the_images(run, tmp_path: Path) -> None:  # noqa: F811
    root = tmp_path / "set"
    rows = ["file,kind,patient"]
    for number in range(40):
        picture(root / "images" / f"{number}.png")
        rows.append(f"images/{number}.png,{'ab'[number % 2]},p{number // 4}")
    (root / "x.csv").write_text("\n".join(rows))
    columns = ("--columns", "image=file,label=kind", "--group", "patient")
    probed = ("probe", "lenet5_modern", "--data", root / "x.csv", *columns, "--random-weights",
              "--device", "cpu", "--precision", "bf16", "--metric", "auroc", "--test", "0.2",
              "--way", "folded", "--out", tmp_path / "run")  # fmt: skip
    code, said = run(*probed)
    assert code == 0, said
    assert "AUROC" in said
    assert "evaluate" in said
    for option, value in (("--label", "(nowhere)"), ("--range", "1"), ("--page", "0")):
        code, said = run("probe", "lenet5_modern", "--data", root / "images", option, value)
        assert code == 2, said


def test_what_can_not_be_chosen_or_read_is_said() -> None:
    with pytest.raises(ValueError, match="is the class of a threshold: set threshold too"):
        Recipe(positive="a")
    is_of, chance = np.array([True, False, False]), np.array([0.1, 0.9, 0.8])
    with pytest.raises(ValueError, match="no threshold gives a precision of"):
        choose_threshold(is_of, chance, "precision=0.9")
    with pytest.raises(ValueError, match="probabilities an image, but"):
        measure([0, 1], np.full((2, 2), 0.5), classes=("a", "b", "c"))
    with pytest.raises(ValueError, match="part must be 'test' or empty: "):
        load("digits", size=8, part="nothing")
    own = Preprocessing(size=8, mean=(0.5,), std=(0.5,), channels=1).to_dict()
    with pytest.raises(ValueError, match="preprocessing: pixel_range must be two numbers"):
        Preprocessing.from_dict({**own, "pixel_range": [1]})
    with pytest.raises(ValueError, match="has its own files and labels: leave out"):
        load(Source("digits", group="patient"), size=8)
    five = TensorDataset(torch.zeros(4, 5, 8, 8), torch.tensor([0, 1, 0, 1]))
    five.classes = ["a", "b"]
    with pytest.raises(ValueError, match="channels: one or three are needed"):
        as_images(five, size=8)
    with pytest.raises(ValueError, match="a Dataset decides by itself what"):
        load(Source(five, group="patient"), size=8)
    with pytest.raises(ValueError, match="a run has not the fields of one: "):
        read_run({"seed": 0})


def test_three_parts_are_asked_for_by_test() -> None:
    assert len(split(load("digits", size=8), seed=0, test=0.2)) == 3
