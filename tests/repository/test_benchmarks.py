"""What a benchmark keeps: finished runs, of one machine."""

import copy
import importlib
import importlib.util
import json
import math
import statistics
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from lineage_lab import describe

ROOT = Path(__file__).parents[2]
FILE = ROOT / "benchmarks" / "finetune.py"
RESULTS = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def finetune() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_finished_is_kept_at_once_and_gone_on_with(
    finetune: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "runs.json"
    finetune.Record(path, {"images": 4}).keep("one", {"seconds": 1.0})
    again = finetune.Record(path, {"images": 4})
    assert again.runs == {"one": {"seconds": 1.0}}
    assert finetune.run("no-such-python", "one", again) == {"seconds": 1.0}  # not run again


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda kept: kept["settings"].update(images=8), "other settings"),
        (lambda kept: kept["provenance"].update(processor="another"), "another"),
    ],
)
def test_a_file_of_other_settings_or_of_another_machine_is_refused_and_left(
    finetune: ModuleType, tmp_path: Path, change: object, words: str
) -> None:
    path = tmp_path / "runs.json"
    finetune.Record(path, {"images": 4}).keep("one", {"seconds": 1.0})
    kept = json.loads(path.read_text())
    change(kept)
    path.write_text(json.dumps(kept))
    with pytest.raises(SystemExit, match=words):
        finetune.Record(path, {"images": 4})
    assert json.loads(path.read_text()) == kept


def test_a_block_of_rows_is_never_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FILE.parent)
    blocks = importlib.import_module("elpv_blocks")
    labels = np.random.default_rng(0).integers(2, size=2624)
    block = np.arange(2624) * 44 // 2624
    tested = []
    for train, test in blocks.folds(labels, 44, seed=0):
        assert not set(block[train]) & set(block[test])
        tested += list(test)
    assert sorted(tested) == list(range(2624))
    random = blocks.folds(labels, None, seed=0)
    assert all(set(block[train]) == set(block[test]) for train, test in random)


@pytest.mark.parametrize("name", ["finetune-speed", "finetune-speed-xeon"])
def test_the_kept_ratios_are_those_of_the_kept_runs(name: str) -> None:
    found = json.loads((RESULTS / f"{name}.json").read_text())
    runs, networks = found["runs"], found["settings"]["networks"]
    for run in runs.values():
        assert run["rate"] == run["images"] / run["seconds"]
    for rival, kept in found["summary"].items():
        theirs = rival.removesuffix(", head first")
        ours = "ours" if theirs == rival else "ours, head first"
        for lap, ratio in enumerate(kept["rounds"]):
            ratios = [
                runs[f"round {lap}, {network}, {ours}"]["rate"]
                / runs[f"round {lap}, {network}, {theirs}"]["rate"]
                for network in networks
            ]
            assert [kept["networks"][network][lap] for network in networks] == ratios
            assert ratio == pytest.approx(math.prod(ratios) ** (1 / len(ratios)))
        assert kept["median"] == statistics.median(kept["rounds"])


@pytest.fixture(scope="module")
def counters() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FILE.parent)
        return importlib.import_module("counters")


@pytest.mark.parametrize("network", ["resnet50", "vit_b_16"])
def test_the_kept_count_of_ours_is_what_describe_counts_today(
    counters: ModuleType, network: str
) -> None:
    kept = json.loads((RESULTS / "counters.json").read_text())
    with torch.device("meta"):
        model = counters.network(network)
    anatomy = describe(model.eval(), tuple(kept["size"]))
    assert [anatomy.macs, anatomy.parameters] == kept["counters"]["ours"]["networks"][network]


def test_describe_counts_single_layers_as_by_hand(counters: ModuleType) -> None:
    for name, (module, size, by_hand) in counters.layers().items():
        assert describe(module.eval(), size).macs == by_hand, name


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("networks", "googlenet", [1, 2]),
        ("layers", "ReLU", 8),
        ("left", "mode", "eval"),
        ("left", "fails", "RuntimeError: gone"),
    ],
)
def test_a_counter_that_changes_is_said(
    counters: ModuleType, part: str, key: str, value: object
) -> None:
    kept = json.loads((RESULTS / "counters.json").read_text())
    now = copy.deepcopy(kept)
    assert counters.changes(kept, now) == []
    now["counters"]["thop"][part][key] = value
    (line,) = counters.changes(kept, now)
    assert line.startswith(f"thop, {key}: ")
    assert line.endswith(f" is kept, {value} came")


def test_a_figure_that_no_longer_comes_is_said(counters: ModuleType) -> None:
    kept = json.loads((RESULTS / "counters.json").read_text())
    now = copy.deepcopy(kept)
    del now["counters"]["thop"]["layers"]["ReLU"]
    assert counters.changes(kept, now) == ["thop, ReLU: 0 is kept, None came"]
