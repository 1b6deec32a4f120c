"""Two comparisons beside each other: each reason why they may not be compared is found alone."""

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineage_lab.comparing.comparable import comparability
from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import RANDOM
from lineage_lab.training.history import History
from tests.comparing.test_results import ANSWERS, row, run, with_runs
from tests.docs.harness import covered_fences

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "try" / "your-run.md"
KEPT = ROOT / "docs" / "results" / "elpv-lite.json"
FINE = (
    "Accuracies may be compared: the same images, recipe and kind of weights.",
    "Times may be compared: the same images, recipe and machine.",
)


@pytest.fixture
def result() -> Comparison:
    runs = [run(i, ANSWERS[i]) for i in range(2)]
    return Comparison(
        rows=(row("a", *runs), row("b", *runs)),
        data={"name": "shapes", "licence": "CC0", "classes": ["x", "y", "z"], "train": 24_000,
              "val": 8, "drawn_by_seed": True},
        limit=None,
    )  # fmt: skip


def with_data(found: Comparison, **changes: Any) -> Comparison:
    return replace(found, data=found.data | changes)


def with_rows(found: Comparison, **changes: Any) -> Comparison:
    return replace(found, rows=tuple(replace(r, **changes) for r in found.rows))


def made(one: History, **changes: str) -> dict[str, str]:
    return {**one.provenance, **changes}


def test_a_comparison_may_be_compared_with_itself(result: Comparison) -> None:
    assert comparability(result, result) == FINE
    kept = Comparison.load(KEPT)
    assert comparability(kept, kept) == FINE


def test_other_images_forbid_both(result: Comparison) -> None:
    few = (
        "the numbers of images differ (100 and 8 to train on and to validate with, in place of "
        "24,000 and 8)"
    )
    for change, words in (
        ({"name": "signs"}, "the images are others (signs, and shapes)"),
        ({"classes": ["x", "z", "y"]}, "the images are others (shapes, and shapes)"),
        ({"train": 100}, few),
        ({"drawn_by_seed": False}, "the images were split in another way"),
    ):  # fmt: skip
        found = comparability(with_data(result, **change), result)
        assert found == (
            f"Accuracies may not be compared: {words}.",
            "Times may not be compared: the images are not the same.",
        )
    accuracies, _ = comparability(with_rows(result, fingerprint="another"), result)
    assert "their fingerprints differ" in accuracies
    assert comparability(with_rows(result, fingerprint=""), result) == FINE  # not recorded
    assert comparability(with_rows(result, input_size=(3, 64, 64), fingerprint="x"), result) == FINE


def test_another_recipe_is_told_line_by_line(result: Comparison) -> None:
    lines = "lr 0.01 in place of 0.001, minutes 1.5 in place of none"
    own = with_rows(result, recipe=result.rows[0].recipe | {"lr": 0.01, "minutes": 1.5, "x": 1})
    assert comparability(own, result) == (
        f"Accuracies may not be compared: the recipes differ ({lines}).",
        "Times may not be compared: the recipes differ.",
    )
    older = {k: v for k, v in result.rows[0].recipe.items() if k != "minutes"}
    assert comparability(with_rows(result, recipe=older), result) == FINE  # none is its default
    one, two = result.rows
    mixed = replace(result, rows=(one, replace(two, recipe=two.recipe | {"sync_norms": True})))
    assert "(sync_norms no or yes in place of no)" in comparability(mixed, result)[0]


def test_other_weights_forbid_accuracies_alone(result: Comparison) -> None:
    assert comparability(with_rows(result, sha256="other"), result) == (
        "Accuracies may not be compared: the weights to start from are others (a, b).",
        FINE[1],
    )
    assert comparability(with_rows(result, name="c", sha256="other"), result) == FINE
    random = with_rows(result, weights=RANDOM, sha256="")
    assert "only the other started from pretrained" in comparability(random, result)[0]
    assert "only this started from pretrained" in comparability(result, random)[0]


def test_another_machine_forbids_times_alone(result: Comparison) -> None:
    one = result.rows[0].runs[0]
    for change, words in (
        ({"device": "cuda"}, "the devices differ (cuda in place of cpu)"),
        ({"precision": "bf16"}, "the precisions differ (bf16 in place of fp32)"),
        ({"provenance": made(one, processor="Q")}, "the processors differ (Q in place of P)"),
        ({"provenance": made(one, torch="3")}, "the versions of torch differ (3 in place of 2)"),
        ({"provenance": made(one, cores="9")}, "the numbers of cores differ (9 in place of 2)"),
    ):
        own = with_runs(result, **change)
        assert comparability(own, result) == (FINE[0], f"Times may not be compared: {words}.")
    assert (
        comparability(with_runs(result, provenance=made(one, gpu="G")), result) == FINE
    )  # not told


def test_fewer_seeds_are_told_and_more_are_not(result: Comparison) -> None:
    one = replace(result, rows=tuple(replace(r, runs=r.runs[:1]) for r in result.rows))
    three = replace(result, rows=tuple(replace(r, runs=(*r.runs, r.runs[0])) for r in result.rows))
    assert comparability(one, result)[2] == (
        "Fewer seeds, 1 in place of 2: how far another seed would lie from this one is not known."
    )
    assert comparability(result, three)[2] == (
        "Fewer seeds, 2 in place of 3: the means and their spread are less sure."
    )
    assert comparability(three, result) == FINE


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    me = "tests/comparing/test_comparable.py::test_the_commands_of_the_page"
    make, show = (shlex.split(fence) for fence in covered_fences(PAGE, me))
    command = [sys.executable, "-m", "lineage_lab"]
    told = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*command, *make[1:], "--seeds", "1"], env=environment, **told)  # type: ignore[call-overload]
    assert "<svg" in (tmp_path / "mine" / "report.html").read_text(encoding="utf-8")
    shutil.copy(KEPT, tmp_path / show[-1])
    done = subprocess.run([*command, *show[1:]], env=environment, **told)  # type: ignore[call-overload]
    mine = Comparison.load(tmp_path / "mine" / "comparison.json")
    reference = Comparison.load(KEPT)
    plain = " ".join(done.stdout.split())
    for result in (mine, reference):
        assert all(cell in plain for line in result.cells() for cell in line)
        assert " ".join(result.footnote.split()) in plain
    found = comparability(mine, reference)
    assert done.stdout.splitlines()[-len(found) :] == list(found)
    done = subprocess.run([*command, *show[1:], "--markdown"], env=environment, **told)  # type: ignore[call-overload]
    assert mine.to_markdown() in done.stdout
    assert reference.to_markdown() in done.stdout
