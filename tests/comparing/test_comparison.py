"""The exercise: what is compared, what is kept of it, and what is refused."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lineage_lab import compare
from lineage_lab.comparing.comparison import Comparison, compare_part
from lineage_lab.data.sets import ImageSet, load
from lineage_lab.training.history import Epoch, History
from lineage_lab.training.recipe import Recipe, recipe_for
from lineage_lab.weights import published
from lineage_lab.weights.published import WeightsUnavailable

FAST = Recipe(precision="fp32", batch_size=8, device="cpu")
LENETS = {"data": "digits", "limit": 80, "random_weights": True}


class Routine:
    """Stands for the fine-tune routine: gives answers at once, and remembers what it was told.

    Args:
        stops_at: The run at which it is interrupted, from 1.
        share: Share of right answers.
    """

    def __init__(self, stops_at: int = 0, share: float = 0.8) -> None:
        self.stops_at, self.share = stops_at, share
        self.recipes: list[Recipe] = []
        self.told: list[dict[str, Any]] = []

    def __call__(
        self, model: Any, train: ImageSet, val: ImageSet, recipe: Recipe, **told: Any
    ) -> History:
        self.recipes.append(recipe)
        self.told.append(told)
        if told["folder"]:
            told["folder"].mkdir(parents=True, exist_ok=True)
        if len(self.recipes) == self.stops_at:
            raise KeyboardInterrupt
        luck = random.Random(recipe.seed)
        labels: Sequence[int] = val.labels.tolist()
        answers = tuple(t if luck.random() < self.share else 0 for t in labels)
        accuracy = sum(a == t for a, t in zip(answers, labels, strict=True)) / len(labels)
        return History(
            seed=recipe.seed,
            val_accuracy=accuracy,
            truth=tuple(labels),
            answers=answers,
            losses=(2.25, 1.5),
            epochs=(Epoch(train_loss=1.875, val_accuracy=accuracy, seconds=2.0),),
            train_seconds=2.0 + recipe.seed,
            warmup_seconds=100.0,
            images_trained=len(train),
            peak_memory=2**30,
            memory_kind="of a stand-in",
            energy_joules=None,
            device="cpu",
            precision="fp32",
            memory_format="contiguous",
            compiled=False,
        )


@pytest.fixture
def routine(monkeypatch: pytest.MonkeyPatch) -> Routine:
    return use(Routine(), monkeypatch)


def use(routine: Routine, monkeypatch: pytest.MonkeyPatch) -> Routine:
    monkeypatch.setattr("lineage_lab.comparing.comparison.finetune", routine)
    return routine


@pytest.fixture(scope="module")
def result() -> Comparison:
    return compare(["efficientnet_lite0"], "elpv", FAST, seeds=2, limit=24)


def test_a_row_says_all_that_the_table_needs(result: Comparison) -> None:
    (row,) = result.rows
    assert len(row.accuracies) == len(row.seconds) == 2
    assert row.input_size == (3, 224, 224)
    assert row.parameters == 4_652_008 - 998 * (1280 + 1)  # two classes in place of 1,000
    assert row.weights == "imagenet"
    assert row.weights_file.startswith("efficientnet-lite0-57934424.pth (")
    assert row.sha256 == published.find("efficientnet_lite0", "imagenet").sha256
    assert row.precision == ("fp32", "fp32")
    assert row.peak_memory is None or row.peak_memory > 2**27
    assert "seed" not in row.recipe
    assert result.data["licence"] == "CC BY-NC-SA 4.0"
    assert result.data["train"] + result.data["val"] == 24


def test_a_run_says_all_that_was_measured(result: Comparison) -> None:
    for seed, run in enumerate(result.rows[0].runs):
        assert run.seed == seed
        assert len(run.truth) == len(run.answers) == result.data["val"]
        assert run.val_accuracy == sum(run.correct) / len(run.correct)
        assert len(run.losses) == 3  # 18 images, 8 a step
        assert run.epochs[-1].val_accuracy == pytest.approx(run.val_accuracy)
        assert run.images_trained == 18
        assert {"processor", "torch", "python", "date"} <= set(run.provenance)
    assert result.data["drawn_by_seed"]


def test_the_table_says_where_and_of_what_it_is(result: Comparison) -> None:
    text = result.to_markdown()
    assert text.startswith("elpv: 18 images to train on, 6 to validate with, 1 epoch(s), 2 seeds")
    assert "A limited run, not the whole set." in text
    assert "pretrained" not in text
    assert "| efficientnet_lite0 | 224 px |" in text
    assert "Images: CC BY-NC-SA 4.0" in text
    assert result.provenance["processor"] in text


def test_warm_up_is_not_in_the_table(routine: Routine) -> None:
    found = compare(["lenet5_modern"], recipe=FAST, **LENETS)
    assert "| 3.0 ± 1.0 s |" in found.to_markdown()
    assert found.rows[0].runs[0].warmup_seconds == 100


def test_random_weights_are_said_in_every_row_and_in_the_caption(routine: Routine) -> None:
    found = compare(["lenet5_modern"], recipe=FAST, **LENETS)
    assert found.caption.endswith("Random weights, not pretrained.")
    assert [line[-1] for line in found.cells()[1:]] == ["random weights, not pretrained"]


def test_three_seeds_are_the_default(routine: Routine) -> None:
    found = compare(["lenet5_modern"], recipe=FAST, **LENETS)
    assert found.seeds == (0, 1, 2)
    assert [recipe.seed for recipe in routine.recipes] == [0, 1, 2]


def test_each_family_has_its_own_recipe_unless_one_is_given(routine: Routine) -> None:
    names = ["lenet5_modern", "resnet20_cifar"]
    own = compare(names, **LENETS, epochs=4, device="cpu")
    assert [row.recipe["lr"] for row in own.rows] == [
        recipe_for("lenet").lr,
        recipe_for("resnet").lr,
    ]
    assert [row.recipe["epochs"] for row in own.rows] == [4, 4]
    assert own.recipe == {}
    assert "Each family with its own recipe." in own.caption
    one = compare(names, recipe=FAST, **LENETS)
    assert one.rows[0].recipe == one.rows[1].recipe == one.recipe
    assert "recipe" not in one.caption


def test_a_network_of_timm_is_compared_with_its_own_preprocessing(routine: Routine) -> None:
    pytest.importorskip("timm")
    found = compare(["timm/resnet18.a1_in1k"], "digits", FAST, 1, limit=40, random_weights=True)
    assert found.rows[0].name == "timm/resnet18.a1_in1k"
    assert routine.told[0]["mean"] == (0.485, 0.456, 0.406)


def test_our_networks_have_their_weights_preprocessing(routine: Routine) -> None:
    compare(["efficientnet_lite0"], "digits", FAST, 1, limit=40)
    assert (routine.told[0]["mean"], routine.told[0]["std"]) == ((0.5,) * 3, (0.5,) * 3)
    compare(["lenet5_modern"], recipe=FAST, seeds=1, **LENETS)
    paper = (0 - routine.told[1]["mean"][0]) / routine.told[1]["std"][0]
    assert paper == pytest.approx(-0.1)  # what LeNet-5's paper gives to white


def test_a_budget_of_minutes_is_said(routine: Routine) -> None:
    found = compare(["lenet5_modern"], recipe=replace(FAST, minutes=2.5), **LENETS)
    assert ", 2.5 minute(s), 3 seeds" in found.caption


def test_two_networks_meet_the_same_images_and_get_a_word_on_their_difference(
    routine: Routine,
) -> None:
    found = compare(["lenet5_modern", "resnet20_cifar"], recipe=FAST, **LENETS)
    a, b = found.rows
    assert [run.truth for run in a.runs] == [run.truth for run in b.runs]
    assert found.to_markdown().count("No difference between") == 1
    assert compare(["lenet5_modern"], recipe=FAST, **LENETS).differences == ()


def test_a_folder_with_its_own_validation_part_is_said_to_be_so(
    routine: Routine, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(load("digits", size=32), validation=2500)
    order = list(range(0, 5000, 2)) + list(range(1, 5000, 2))  # each class in both parts
    own = replace(own, images=own.images[order], labels=own.labels[order], pixels="")
    monkeypatch.setattr("lineage_lab.comparing.comparison.load", lambda *_, **__: own)
    found = compare(["lenet5_modern"], "x", FAST, random_weights=True)
    assert found.data["drawn_by_seed"] is False
    assert "the data set's own split" in found.caption
    assert found.rows[0].runs[0].truth == found.rows[0].runs[1].truth
    assert compare(["lenet5_modern"], recipe=FAST, **LENETS).data["drawn_by_seed"] is True


def runs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "runs").iterdir())


def test_an_interrupted_comparison_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["lenet5_modern", "resnet20_cifar"]
    first = use(Routine(stops_at=4), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        compare(names, recipe=FAST, out=tmp_path, **LENETS)
    finished = [name for name in runs(tmp_path) if name.endswith(".json")]
    assert [name[:19] for name in finished] == [f"lenet5_modern-seed{i}" for i in range(3)]
    second = use(Routine(), monkeypatch)
    found = compare(names, recipe=FAST, out=tmp_path, resume=True, **LENETS)
    assert [recipe.seed for recipe in second.recipes] == [0, 1, 2]
    # the fourth goes on from its own checkpoint
    assert second.told[0]["folder"] == first.told[3]["folder"]
    assert second.told[0]["resume"] is True
    third = use(Routine(), monkeypatch)
    assert compare(names, recipe=FAST, out=tmp_path, resume=True, **LENETS) == found
    assert third.recipes == []
    assert len(runs(tmp_path)) == 6  # no checkpoint of a finished run is left


def test_parts_in_one_folder_make_the_table_that_one_run_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["lenet5_modern", "resnet20_cifar"]
    settings: dict[str, Any] = {"recipe": FAST, "seeds": 2, **LENETS}
    use(Routine(), monkeypatch)
    whole = compare(names, out=tmp_path / "alone", **settings)
    made, found = [], []
    for part in (2, 3, 1):
        routine = use(Routine(), monkeypatch)
        found.append(compare_part(names, part=(part, 3), out=tmp_path / "shared", **settings))
        made.append([recipe.seed for recipe in routine.recipes])
    assert made == [[1], [0], [0, 1]]  # the seeds: lenet5_modern's 0 and 1, then resnet20's
    assert found == [None, None, whole]
    assert runs(tmp_path / "shared") == runs(tmp_path / "alone")
    routine = use(Routine(), monkeypatch)
    assert compare(names, out=tmp_path / "shared", resume=True, **settings) == whole
    assert routine.recipes == []
    with pytest.raises(ValueError, match="part 4 of 3: parts are counted from 1"):
        compare_part(names, part=(4, 3), out=tmp_path, **settings)


def test_without_resume_everything_is_trained_again(tmp_path: Path, routine: Routine) -> None:
    for _ in range(2):
        compare(["lenet5_modern"], recipe=FAST, seeds=1, out=tmp_path, overwrite=True, **LENETS)
    assert len(routine.recipes) == 2
    assert len(runs(tmp_path)) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": replace(FAST, lr=1e-4)},
        {"limit": 120},
        {"seeds": (7,)},
        {"names": ["lenet5_modern", "resnet20_cifar"], "new": 1},
    ],
    ids=str,
)
def test_a_run_that_was_made_otherwise_is_never_taken(
    other: dict[str, Any], tmp_path: Path, routine: Routine
) -> None:
    settings: dict[str, Any] = {"names": ["lenet5_modern"], "recipe": FAST, "seeds": 1, **LENETS}
    compare(**settings, out=tmp_path)
    new = other.pop("new", 1)
    routine.recipes.clear()
    compare(**settings | other, out=tmp_path, resume=True)
    assert len(routine.recipes) == new


@pytest.mark.parametrize("package", ["torch", "lineage_lab"])
def test_a_run_of_another_version_is_never_taken(
    package: str, tmp_path: Path, routine: Routine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lineage_lab.comparing.provenance import provenance

    compare(["lenet5_modern"], recipe=FAST, seeds=1, out=tmp_path, **LENETS)
    monkeypatch.setattr(
        "lineage_lab.comparing.comparison.provenance", lambda: {**provenance(), package: "0.0"}
    )
    compare(["lenet5_modern"], recipe=FAST, seeds=1, out=tmp_path, resume=True, **LENETS)
    assert len(routine.recipes) == 2


def test_the_same_run_of_another_machine_is_taken_and_both_are_named(
    tmp_path: Path, routine: Routine
) -> None:
    compare(["lenet5_modern"], recipe=FAST, seeds=1, out=tmp_path, **LENETS)
    (file,) = (tmp_path / "runs").iterdir()
    kept = json.loads(file.read_text())
    kept["run"]["provenance"]["processor"] = "Another processor"
    file.write_text(json.dumps(kept))
    found = compare(["lenet5_modern"], recipe=FAST, seeds=2, out=tmp_path, resume=True, **LENETS)
    assert len(routine.recipes) == 2
    assert found.footnote.startswith("Another processor / ")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: text.replace('"accuracy": ', '"accuracy": 1'),
        lambda text: text.replace('"limit": 80', '"limit": 81'),
        lambda text: text.replace('"losses"', '"lossy"'),
    ],
    ids=["cut", "accuracy", "key", "field"],
)
def test_a_damaged_run_is_refused_with_its_path_and_what_to_do(
    damage: Any, tmp_path: Path, routine: Routine
) -> None:
    compare(["lenet5_modern"], recipe=FAST, seeds=1, out=tmp_path, **LENETS)
    (file,) = (tmp_path / "runs").iterdir()
    file.write_text(damage(file.read_text()))
    with pytest.raises(ValueError, match=r"seed0-.*\.json is no run .* Delete it"):
        compare(["lenet5_modern"], recipe=FAST, seeds=1, out=tmp_path, resume=True, **LENETS)


def test_a_folder_that_cannot_be_made_stops_it_before_anything_is_trained(
    tmp_path: Path, routine: Routine
) -> None:
    (tmp_path / "runs").write_text("a file in its place")
    with pytest.raises(FileExistsError):
        compare(["lenet5_modern"], recipe=FAST, out=tmp_path, **LENETS)
    assert routine.recipes == []


def test_colour_for_a_grey_network_stops_it_before_anything_is_trained(
    routine: Routine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def colourful(*_: object, size: int, channels: int | None) -> ImageSet:
        grey = load("digits", size=size)
        return replace(grey, images=grey.images.expand(-1, 3, -1, -1))

    monkeypatch.setattr("lineage_lab.comparing.comparison.load", colourful)
    with pytest.raises(ValueError, match="lenet5_modern takes grey images, but digits is in"):
        compare(["resnet20_cifar", "lenet5_modern"], recipe=FAST, **LENETS)
    assert routine.recipes == []


def test_missing_weights_stop_it_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", _unreachable)
    monkeypatch.setattr("lineage_lab.comparing.comparison.finetune", None)
    with pytest.raises(WeightsUnavailable, match="resnet50"):
        compare(["efficientnet_lite0", "resnet50"], "elpv", FAST, limit=24)


def _unreachable(*_: object, **__: object) -> None:
    raise OSError("Name or service not known")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seeds": 0}, "one seed or more"),
        ({"names": []}, "one network or more"),
        ({"names": ["lenet5_modern"] * 2}, "each network and each seed once: lenet5_modern"),
        ({"seeds": (1, 1)}, "each network and each seed once: 1, 1"),
        ({"resume": True}, "give it as out=FOLDER"),
    ],
)
def test_what_makes_no_comparison_is_refused(
    settings: dict[str, Any], words: str, routine: Routine
) -> None:
    with pytest.raises(ValueError, match=words):
        compare(**{"names": ["lenet5_modern"], "recipe": FAST, **LENETS, **settings})
    assert routine.recipes == []
