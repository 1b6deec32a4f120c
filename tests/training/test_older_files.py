"""Files that an earlier version wrote still load: they were written by commit 49b0dba.

The checkpoints are of a run that SIGTERM stopped at its sixth step of eight; ``whole.json`` is what
the same run came to without a stop.
"""

import json
import shutil
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lineage_lab import finetune
from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import read_run, run_record, to_text
from lineage_lab.data.sets import load, split
from lineage_lab.training import checkpoint, trial
from lineage_lab.training.device import Form
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.run import Run

FILES = Path(__file__).parent / "files"
RECIPE = Recipe(epochs=2, batch_size=16, lr=5e-3, head_lr=5e-3, precision="fp32",
                memory_format="channels_last", device="cpu", ema=0.9, flips="horizontal",
                mixup=0.2)  # fmt: skip


def network() -> nn.Module:
    body = nn.Sequential(
        nn.Conv2d(1, 4, 5, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    )
    return nn.Sequential(OrderedDict(body=body, head=nn.Linear(16, 10)))


@pytest.mark.usefixtures("one_thread")
def test_an_older_run_goes_on_to_what_it_would_have_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Moving averages were not warmed up then; all else is as it was.
    average = get_ema_multi_avg_fn(RECIPE.ema)
    monkeypatch.setattr(Run, "_move_average", lambda _, *tensors: average(*tensors))
    shutil.copy(FILES / "last.checkpoint", tmp_path / "last.ckpt")
    whole = json.loads((FILES / "whole.json").read_text())
    model = network()
    digits = split(load("digits", size=32), seed=0, limit=80)
    history = finetune(model, *digits, RECIPE, mean=(0.1,), std=(0.3,), folder=tmp_path,
                       resume=True)  # fmt: skip
    assert history.losses[:6] == tuple(whole["losses"][:6])  # those that the file holds
    assert history.losses == pytest.approx(whole["losses"], rel=1e-4)
    assert history.answers == tuple(whole["answers"])
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(
            tensor.flatten(), torch.tensor(whole["state"][name], dtype=tensor.dtype),
            atol=1e-5, rtol=1e-4,
        )  # fmt: skip


def test_an_older_best_checkpoint_loads() -> None:
    found = checkpoint.load(FILES / "best.checkpoint")
    assert Recipe.from_dict(found.recipe) == RECIPE
    assert found.training is None
    network().load_state_dict(found.state)


def test_an_older_comparison_is_read_and_written_byte_for_byte() -> None:
    text = (FILES / "comparison.json").read_text(encoding="utf-8")
    assert Comparison.load(FILES / "comparison.json").to_json() == text


def test_an_older_run_of_a_comparison_is_read_and_written_byte_for_byte() -> None:
    text = (FILES / "run.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert to_text(record | {"run": run_record(read_run(record["run"]))}) == text


def test_the_cached_choice_of_an_older_trial_is_taken(tmp_path: Path) -> None:
    entry = {"precision": "bf16", "memory_format": "contiguous", "compiled": False,
             "images_per_second": [["bf16, contiguous", 450.5]]}  # fmt: skip
    file = tmp_path / "trials.json"
    file.write_text(json.dumps({"b6ecae7618ef8f42ca4ee877": entry}))
    rates = (("bf16, contiguous", 450.5),)
    wanted = Form(precision="bf16", memory_format="contiguous", images_per_second=rates)
    assert trial._cached(file, "b6ecae7618ef8f42ca4ee877") == wanted
