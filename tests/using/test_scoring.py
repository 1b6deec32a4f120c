"""Evaluation of labelled images; every number again by scikit-learn, from the files written."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from sklearn import metrics as theirs
from torch import nn

from lineage_lab.cli import cli
from lineage_lab.data.sets import Preprocessing
from lineage_lab.registry import create_model
from lineage_lab.training.checkpoint import Checkpoint, save
from lineage_lab.training.decision import Decision
from lineage_lab.using.predictor import Predictor
from lineage_lab.using.scoring import evaluate
from lineage_lab.using.scoring_report import answer_in_words, report

GREY = Preprocessing(size=32, mean=(0.5,), std=(0.5,), channels=1)


class Bright(nn.Module):
    """Calls an image the more a 'defect' the brighter it is."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = self.scale * x.mean(dim=(1, 2, 3))
        return torch.stack((-score, score), dim=1)


@pytest.fixture(scope="module")
def bright() -> Predictor:
    return Predictor(
        model=Bright().eval(), name="bright", classes=("fine", "defect"), preprocessing=GREY
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 grey images, one in twenty a defect, brighter than the others on the whole."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for i in range(120):
        name = "defect" if i % 20 == 0 else "fine"
        level = generator.normal(150 if name == "defect" else 110, 30)
        (folder / name).mkdir(exist_ok=True)
        noise = generator.normal(level, 5, (32, 32)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).save(folder / name / f"{i:03}.png")
    return folder


def test_every_number_is_scikit_learns_from_the_table(bright: Predictor, photos: Path) -> None:
    found = evaluate(bright, photos, resamples=50)
    rows = list(csv.DictReader(found.to_csv().decode().splitlines()))
    assert len(rows) == 120
    truth = np.array([row["label"] == "defect" for row in rows])
    named = np.array([row["answer"] == "defect" for row in rows])
    chance = np.array([float(row["probability of defect"]) for row in rows])
    numbers = json.loads(found.to_json())["metrics"]
    defect = numbers["classes"][1]
    for mine, wanted in (
        (numbers["accuracy"], theirs.accuracy_score(truth, named)),
        (numbers["balanced_accuracy"], theirs.balanced_accuracy_score(truth, named)),
        (numbers["log_loss"], theirs.log_loss(truth, chance)),
        (defect["recall"], theirs.recall_score(truth, named)),
        (defect["precision"], theirs.precision_score(truth, named)),
        (defect["f1"], theirs.f1_score(truth, named)),
        (defect["auroc"], theirs.roc_auc_score(truth, chance)),
        (defect["average_precision"], theirs.average_precision_score(truth, chance)),
    ):
        assert mine["value"] == pytest.approx(wanted, abs=1e-6)
        assert mine["low"] <= mine["value"] <= mine["high"]


def test_the_words_tell_what_is_missed_and_what_no_look_would_give(
    bright: Predictor, photos: Path
) -> None:
    found = evaluate(bright, photos, resamples=50)
    words = " ".join(answer_in_words(found))
    missed = int(((found.truth == 1) & (found.answers == 0)).sum())
    assert f"Of 6 images of 'defect' it finds {6 - missed} and misses {missed}" in words
    assert "To answer 'fine' each time, without looking, would have 95.0 %" in words
    assert any("Only 6 image(s) of 'defect'" in note for note in found.metrics.notes)


def test_the_report_shows_the_worst_mistakes_and_asks_nobody(
    bright: Predictor, photos: Path
) -> None:
    found = evaluate(bright, photos, resamples=50)
    page = report(found)
    wrong = int((found.truth != found.answers).sum())
    assert page.count("<img ") == min(12, wrong) > 0
    assert "http:" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    first = found.worst(1)[0]
    assert found.truth[first] != found.answers[first]
    assert found.paths[first] in page
    # The surest mistake on its true class.
    alike = (found.truth == found.truth[first]) & (found.truth != found.answers)
    sure = found.probabilities[np.arange(120), found.answers]
    assert sure[first] == sure[alike].max()


@pytest.mark.fault("no-class-known")
def test_classes_are_matched_by_name_and_the_others_told(
    bright: Predictor, photos: Path, tmp_path: Path
) -> None:
    for name, source in (("Defect", "defect"), ("cat", "fine")):
        (tmp_path / name).symlink_to(photos / source)
    inside = tmp_path / "own"
    inside.mkdir()
    for name in ("Defect", "cat"):
        (inside / name).mkdir()
        for file in (tmp_path / name).iterdir():
            (inside / name / file.name).write_bytes(file.read_bytes())
    found = evaluate(bright, inside, resamples=0)
    assert found.metrics.images == 6
    assert (found.truth == 1).all()  # by name, not by place
    notes = " ".join(found.notes)
    assert "114 of 120 images are left out" in notes
    assert "'cat' (114)" in notes
    assert "'Defect' is taken for the network's 'defect'" in notes
    assert "no class for 'fine'" in notes
    assert found.metrics.classes[0].recall.value is None
    (inside / "Defect").rename(inside / "dog")
    with pytest.raises(ValueError, match=r"'cat', 'dog' here, and it knows 'fine', 'defect'"):
        evaluate(bright, inside)


def test_a_file_that_can_t_be_read_is_counted_and_left_out(
    bright: Predictor, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "fine").mkdir()
    (tmp_path / "fine" / "bad.png").write_bytes(b"no image at all")
    (tmp_path / "fine" / "good.png").write_bytes((photos / "fine" / "001.png").read_bytes())
    found = evaluate(bright, tmp_path, resamples=0)
    assert found.metrics.images == 1
    assert "1 of 2 files can't be read" in " ".join(found.notes)
    assert list(found.unread) == [str(tmp_path / "fine" / "bad.png")]


def test_a_threshold_and_a_temperature_of_the_checkpoint_are_used(photos: Path) -> None:
    warm = Predictor(
        model=Bright().eval(), name="bright", classes=("fine", "defect"), preprocessing=GREY,
        decision=Decision(temperature=2.0, positive="defect", threshold=0.3),
    )  # fmt: skip
    cold = evaluate(
        Predictor(model=warm.model, name="b", classes=warm.classes, preprocessing=GREY),
        photos,
        resamples=0,
    )
    found = evaluate(warm, photos, resamples=0)
    logits = np.log(cold.probabilities)
    halved = np.exp(logits / 2) / np.exp(logits / 2).sum(1, keepdims=True)
    np.testing.assert_allclose(found.probabilities, halved, atol=1e-9)
    assert (found.answers == (found.probabilities[:, 1] >= 0.3)).all()
    assert "from a probability of 0.300" in found.threshold
    one = warm.predict([found.paths[0]])[0]
    assert one.label == found.classes[found.answers[0]]
    assert one.probabilities == pytest.approx(found.probabilities[0].tolist())


def test_elpv_is_scored_by_its_blocks_and_cell_types(tmp_path: Path) -> None:
    pytest.importorskip("elpv_dataset")
    blind = Predictor(
        model=Bright().eval(), name="bright", classes=("functional", "defective"),
        preprocessing=GREY,
    )  # fmt: skip
    found = evaluate(blind, "elpv", part="test", test=0.2, limit=200, resamples=20)
    assert {part.name for part in found.kinds} == {"mono", "poly"}
    assert found.metrics.groups == len(found.groups) > 5
    assert "Group by group" in report(found)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.ckpt"
    model = create_model("lenet5_modern", num_classes=2)
    made = Checkpoint(
        model="lenet5_modern", classes=("fine", "defect"), preprocessing=GREY.to_dict(), recipe={},
        state=model.state_dict(), training=None,
        metrics={"decision": Decision(positive="defect", threshold=0.4).to_dict()},
    )  # fmt: skip
    save(path, made)
    return path


def test_the_command_writes_three_whole_files(
    checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", str(checkpoint), str(photos), "--out", str(out), "--resamples", "20"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "balanced accuracy" in done.output
    assert sorted(path.name for path in out.iterdir()) == [
        "evaluation.json", "predictions.csv", "report.html",
    ]  # fmt: skip
    found = json.loads((out / "evaluation.json").read_text())
    assert found["metrics"]["images"] == 120
    assert found["answers_by"].startswith("'defect' from a probability of 0.400")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_writes_the_probabilities_of_all_classes(
    checkpoint: Path, photos: Path, tmp_path: Path, ending: str
) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"table.{ending}"
    words = ["predict", str(checkpoint), str(photos), "--out", str(out), "--batch-size", "7"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    if ending == "csv":
        rows = list(csv.DictReader(out.read_text().splitlines()))
    else:
        from pyarrow import parquet

        rows = parquet.read_table(out).to_pylist()
    assert len(rows) == 120
    for row in rows:
        fine, defect = float(row["probability of fine"]), float(row["probability of defect"])
        assert fine + defect == pytest.approx(1)
        assert row["answer"] == ("defect" if defect >= 0.4 else "fine")


def test_a_table_of_another_ending_is_refused_before_the_work(
    checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    words = ["predict", str(checkpoint), str(photos), "--out", str(tmp_path / "table.txt")]
    done = CliRunner().invoke(cli, words)
    assert "ends in .csv or .parquet" in str(done.exception)
