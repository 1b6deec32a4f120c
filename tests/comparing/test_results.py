"""What is kept of a comparison: its table, its numbers, its file, and older files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn import metrics

from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import Row, to_text
from lineage_lab.files import write_whole
from lineage_lab.training.history import Epoch, History

TRUTHS = ((0, 0, 1, 1, 2, 2, 2, 1), (0, 1, 1, 1, 2, 2, 0, 0))
ANSWERS = ((0, 1, 1, 1, 2, 0, 2, 1), (0, 1, 0, 1, 2, 1, 0, 1))


def run(seed: int, answers: tuple[int, ...], **changes: Any) -> History:
    truth = TRUTHS[seed]
    return History(
        **{
            "seed": seed,
            "val_accuracy": sum(t == a for t, a in zip(truth, answers, strict=True)) / 8,
            "truth": truth,
            "answers": answers,
            "losses": (1.5, 0.25),
            "epochs": (Epoch(train_loss=0.875, val_accuracy=0.5, seconds=3.5),),
            "train_seconds": 4.0 + seed,
            "warmup_seconds": 1.0,
            "images_trained": 20,
            "peak_memory": 2**30 + seed,
            "memory_kind": "resident",
            "energy_joules": None,
            "device": "cpu",
            "precision": "fp32",
            "memory_format": "contiguous",
            "compiled": False,
            "provenance": {
                "processor": "P",
                "cores": "2",
                "torch": "2",
                "python": "3",
                "date": "2026-01-01",
            },
        }
        | changes
    )


def row(name: str, *runs: History) -> Row:
    return Row(
        name=name,
        weights="imagenet",
        weights_file=f"{name}.pth (a package)",
        sha256="ab" * 32,
        parameters=1_234_567,
        macs=5_000_000,
        input_size=(3, 32, 32),
        fingerprint="0123456789abcdef",
        recipe={"epochs": 2, "minutes": None, "lr": 0.001, "head_epochs": 1},
        runs=runs,
    )


@pytest.fixture
def result() -> Comparison:
    return Comparison(
        rows=(
            row("a", run(0, ANSWERS[0]), run(1, ANSWERS[1])),
            row("b", run(0, TRUTHS[0]), run(1, ANSWERS[1])),
        ),
        data={
            "name": "shapes",
            "licence": "CC0",
            "classes": ["disc", "square", "star"],
            "train": 24,
            "val": 8,
            "drawn_by_seed": True,
        },
        limit=None,
    )


def test_the_table_is_narrow_and_complete(result: Comparison) -> None:
    lines = result.to_markdown().splitlines()
    assert lines[0] == (
        "shapes: 24 images to train on, 8 to validate with, 2 epoch(s) after 1 of the head alone, "
        "2 seeds (mean ± standard deviation), split by seed."
    )
    assert lines[2].count("|") == lines[3].count("|") == lines[4].count("|") == 10
    assert lines[4] == (
        "| a | 32 px | 68.8 ± 8.8 % | 4.5 ± 0.7 s | 4.5 (fp32) | 1.23 M | 5.00 M | 1.0 GiB | "
        "imagenet |"
    )
    assert lines[7].startswith("- No difference between b and a is shown: b is 12.5 points ahead")
    assert "Weights: a.pth (a package); b.pth (a package). Images: CC0." in lines[-1]


def test_of_many_pairs_only_those_that_differ_are_told(result: Comparison) -> None:
    wrong = tuple(tuple((t + 1) % 3 for t in truth) for truth in TRUTHS)
    runs = [run(i, TRUTHS[i]) for i in range(2)] * 3
    right, bad = row("right", *runs), row("bad", *[run(i, wrong[i]) for i in range(2)] * 3)
    found = replace(result, rows=(right, replace(right, name="too"), bad, replace(bad, name="2")))
    told = found.words
    assert [words.split(" by ")[0] for words in told[:-1]] == [
        "right is better than bad",
        "right is better than 2",
        "too is better than bad",
        "too is better than 2",
    ]
    assert told[-1] == "For the other 2 pairs of networks no difference is shown."
    alike = replace(found, rows=tuple(replace(right, name=name) for name in "abcd"))
    assert alike.words == ("For all 6 pairs of networks no difference is shown.",)
    assert len(result.words) == 1


def test_energy_has_a_column_where_a_gpu_tells_it(result: Comparison) -> None:
    assert "energy" not in result.cells()[0]
    a, b = result.rows
    told = tuple(replace(r, energy_joules=2000.0 + 1000 * r.seed) for r in a.runs)
    found = replace(result, rows=(replace(a, runs=told), b))
    place = found.cells()[0].index("energy")
    assert [line[place] for line in found.cells()[1:]] == ["2.5 ± 0.7 kJ", "–"]


def test_classes_and_confusion_are_scikit_learns(result: Comparison) -> None:
    truth, answers = sum(TRUTHS, ()), sum(ANSWERS, ())
    a = result.rows[0]
    assert result.confusion(a) == tuple(
        map(tuple, metrics.confusion_matrix(truth, answers).tolist())
    )
    precision, recall, _, support = metrics.precision_recall_fscore_support(truth, answers)
    found = result.classes(a)
    assert [c.name for c in found] == ["disc", "square", "star"]
    assert [c.precision for c in found] == pytest.approx(precision)
    assert [c.recall for c in found] == pytest.approx(recall)
    assert [c.support for c in found] == support.tolist()


def test_a_class_that_is_never_named_has_no_precision(result: Comparison) -> None:
    dull = row("dull", run(0, (0,) * 8), run(1, (0,) * 8))
    assert [c.precision for c in result.classes(dull)] == [5 / 16, None, None]
    assert [c.recall for c in result.classes(dull)] == [1, 0, 0]


def test_json_goes_there_and_back(result: Comparison, tmp_path: Path) -> None:
    result.save(tmp_path / "new" / "result.json")
    assert Comparison.load(tmp_path / "new" / "result.json") == result
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["result.json"]


def test_what_is_computed_is_in_the_file_for_other_programs(result: Comparison) -> None:
    derived = json.loads(result.to_json())["derived"]
    assert derived["seeds"] == [0, 1]
    assert derived["rows"][0]["accuracy"] == {
        "mean": 0.6875,
        "sd": pytest.approx(0.0883883),
    }
    assert derived["rows"][0]["confusion"] == [[3, 2, 0], [1, 5, 0], [1, 1, 3]]
    assert derived["rows"][0]["classes"][0]["recall"] == 3 / 5
    assert derived["differences"][0]["words"] == result.differences[0].words


def test_lists_of_numbers_stay_on_one_line() -> None:
    found = {
        "a": [1, 2.5e-7, -3],
        "b": ["x, \n y", "1"],
        "c": [[1, 2], [3, 4]],
        "d": [],
        "e": [None],
    }
    text = to_text(found)
    assert json.loads(text) == found
    assert '"a": [1, 2.5e-07, -3],' in text
    assert "    [1, 2],\n" in text


def test_several_machines_are_all_named(result: Comparison) -> None:
    a, b = result.rows
    other = replace(b.runs[0], device="A GPU", provenance=b.runs[0].provenance | {"processor": "Q"})
    found = replace(result, rows=(a, replace(b, runs=(other, b.runs[1]))))
    assert found.footnote.startswith("P / Q, 2 cores, cpu / A GPU; torch 2, Python 3, 2026-01-01.")


def with_runs(found: Comparison, **changes: Any) -> Comparison:
    return replace(found, rows=tuple(
        replace(r, runs=tuple(replace(one, **changes) for one in r.runs)) for r in found.rows
    ))  # fmt: skip


def unrecorded(found: Comparison) -> Comparison:
    """The same of runs that kept no answers and no curves, as the page's copy of the reference."""
    return with_runs(found, truth=(), answers=(), losses=(), epochs=())


def test_of_answers_that_were_not_recorded_nothing_is_said(
    result: Comparison, tmp_path: Path
) -> None:
    found = unrecorded(result)
    found.save(tmp_path / "x.json")
    assert Comparison.load(tmp_path / "x.json") == found
    assert (found.differences, found.words) == ((), ())
    assert [found.classes(r) for r in found.rows] == [(), ()]
    assert found.cells() == result.cells()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 3}',
        '{"schema": 1, "rows": [{"name": "x"}], "data": {}, "limit": null}',
        '{"schema": 2, "rows": [], "data": {}, "limit": null}',
        '{"schema": 2, "rows": NaN, "data": {}, "limit": null}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_comparison_is_refused_with_its_path(text: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is no comparison"):
        Comparison.load(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.update(evil=1), "its fields are data, evil"),
        (lambda f: f["rows"][0]["runs"].pop(), "have not the same seeds"),
        (lambda f: f["rows"][0]["runs"][0].update(accuracy=0.99), "is not that of its answers"),
        (lambda f: f["rows"][0]["runs"][0]["answers"].pop(), "7 answers, not 8"),
        (lambda f: f["rows"][0]["runs"][0].update(answers=[]), "0 answers, not 8"),
        (lambda f: f["rows"][0].update(recipe={}), "epochs"),
        (lambda f: f["rows"][0]["runs"][0]["provenance"].update(torch=5), "expected str"),
        (lambda f: f["rows"][0].update(macs="many"), "not supported"),
        (lambda f: f["rows"][0]["runs"][0].update(seconds=0), "out of range"),
        (lambda f: f["rows"][0]["runs"][0].update(seconds=float("inf")), "holds Infinity"),
        (lambda f: f["rows"][0]["runs"][0].update(seconds=-1.5), "out of range"),
        (lambda f: f["rows"][0]["runs"][0].update(accuracy=-0.5), "out of range"),
        (lambda f: f["rows"][0].update(name=5), "expected str"),
        (lambda f: f["rows"][1].update(name="a"), "a network twice"),
        (
            lambda f: [
                r.update(truth=[1] * 8, answers=[1] * 8, accuracy=1.0) for r in f["rows"][0]["runs"]
            ],
            "not the same validation images",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    change: Any, words: str, result: Comparison, tmp_path: Path
) -> None:
    found = json.loads(result.to_json())
    change(found)
    (tmp_path / "x.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match=words):
        Comparison.load(tmp_path / "x.json")


def test_writing_fails_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    target.write_text("before")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        write_whole(target, "after")
    assert target.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
