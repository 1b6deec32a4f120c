"""Whoever follows an old page is told where a module is now."""

import importlib
import importlib.util
import subprocess
import sys

import pytest

from lineage_lab.moved import MOVED

# Every import, every `python -m` and every `:::` that docs/ or README.md has shown and that is
# none any more: `git log -p -- docs README.md`.
SHOWN = [
    "augment",
    "batches",
    "blocks",
    "cache",
    "checkpoint",
    "choosing",
    "comparison",
    "datasets",
    "decode",
    "device",
    "distributed",
    "experiments",
    "export",
    "faults",
    "figures.alexnet",
    "figures.alexnet_runs",
    "figures.convnext_runs",
    "figures.efficientnet_digits",
    "figures.efficientnet_photos",
    "figures.googlenet_cost",
    "figures.googlenet_runs",
    "figures.gradcam",
    "figures.photos",
    "figures.report",
    "figures.resnet_idea",
    "figures.resnet_runs",
    "figures.results",
    "figures.vgg_runs",
    "finetuning",
    "folders",
    "gradcam",
    "interchange",
    "ledger",
    "lineage",
    "lr_finder",
    "optim",
    "predict",
    "printed",
    "provenance",
    "quizzes",
    "recipe",
    "results",
    "runs",
    "significance",
    "starting",
    "warmup",
]
# Public names of modules of which `:::` showed all, and whose own name is now a room's.
NAMES = [
    "data.DATASETS",
    "training.Batches",
    "training.Epoch",
    "training.Prepare",
    "training.Run",
    "weights.WEIGHTS",
    "weights.WeightsEntry",
    "weights.WeightsUnavailable",
    "weights.find",
    "weights.load",
    "weights.locate",
]


def place(new: str) -> str:
    name = new.split(",")[0]
    return name if name.startswith("lineage_site") else f"lineage_lab.{name}"


@pytest.mark.parametrize("old", SHOWN)
def test_an_old_path_names_the_new_one(old: str) -> None:
    name = f"lineage_lab.{old}"
    with pytest.raises(ModuleNotFoundError, match=rf"^{name} is now {place(MOVED[name])}\b"):
        importlib.import_module(name)


@pytest.mark.parametrize("old", NAMES)
def test_an_old_name_of_a_room_names_its_module(old: str) -> None:
    room, _, name = old.partition(".")
    with pytest.raises(ModuleNotFoundError, match=f"is now {place(MOVED[f'lineage_lab.{old}'])}"):
        exec(f"from lineage_lab.{room} import {name}")


def test_the_table_has_what_was_shown_and_each_new_module_is_there() -> None:
    assert {f"lineage_lab.{old}" for old in (*SHOWN, *NAMES)} == MOVED.keys()
    assert [new for new in MOVED.values() if not importlib.util.find_spec(place(new))] == []


def test_what_a_room_still_hands_on_is_had_where_pages_showed_it() -> None:
    from lineage_lab.anatomy import Anatomy, Field, Layer, describe
    from lineage_lab.data import ImageSet, Preprocessing, digits, load, read_image, split
    from lineage_lab.data import split_digits as split_of_digits

    names = (Anatomy, Field, Layer, describe, ImageSet, Preprocessing, digits, load, read_image)
    assert all(map(callable, (*names, split, split_of_digits)))


def test_other_ways_to_ask() -> None:
    for line in (
        "import lineage_lab.figures.resnet_runs",
        "from lineage_lab.figures import resnet_runs",
        "from lineage_lab.figures.resnet_runs import losses_of",
        "from lineage_lab import experiments",
    ):
        with pytest.raises(ModuleNotFoundError, match=r"is now lineage_lab\.chapters\."):
            exec(line)
    with pytest.raises(ModuleNotFoundError, match="comes with the repository alone"):
        importlib.import_module("lineage_lab.figures.timeline")
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        importlib.import_module("lineage_lab.nothing_of_this_name")
    done = subprocess.run([sys.executable, "-m", "lineage_lab.figures.vgg_runs", "windows"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 1
    assert "is now lineage_site.chapters.vgg.runs" in done.stderr
