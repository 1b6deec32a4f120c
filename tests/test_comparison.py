"""The exercise's table: what is in it, how it is kept, and what it refuses."""

import json
from pathlib import Path

import pytest

from lineage_lab import compare
from lineage_lab import weights as published
from lineage_lab.comparison import Comparison, write_whole
from lineage_lab.recipe import Recipe
from lineage_lab.weights import WeightsUnavailable

FAST = Recipe(precision="fp32", batch_size=8, device="cpu")


@pytest.fixture(scope="module")
def result() -> Comparison:
    return compare(["efficientnet_lite0"], "elpv", FAST, seeds=2, limit=24)


def test_a_row_says_all_that_the_table_needs(result: Comparison) -> None:
    (row,) = result.rows
    assert len(row.accuracies) == len(row.seconds) == 2
    assert row.input_size == (3, 224, 224)
    assert row.parameters == 4_652_008 - 998 * (1280 + 1)  # two classes in place of 1,000
    assert row.weights.startswith("imagenet, efficientnet-lite0-57934424.pth")
    assert row.sha256 == published.find("efficientnet_lite0", "imagenet").sha256
    assert row.precision == ("fp32", "fp32")
    assert row.peak_memory is None or row.peak_memory > 2**27
    assert result.data["licence"] == "CC BY-NC-SA 4.0"
    assert result.data["train"] + result.data["val"] == 24
    assert "seed" not in result.recipe
    assert {"processor", "torch", "python", "date"} <= set(result.provenance)


def test_the_table_says_where_and_of_what_it_is(result: Comparison) -> None:
    text = result.to_markdown()
    assert text.startswith("elpv: 18 images to train on, 6 to validate with, 1 epoch(s), 2 seeds")
    assert "A limited run, not the whole set." in text
    assert "pretrained" not in text
    assert "| efficientnet_lite0 | 224 px |" in text
    assert "Images: CC BY-NC-SA 4.0" in text
    assert result.provenance["processor"] in text


def test_random_weights_are_said_in_every_row_and_in_the_caption() -> None:
    found = compare(["lenet5_modern"], "digits", FAST, seeds=1, limit=40, random_weights=True)
    assert found.caption.endswith("Random weights, not pretrained.")
    assert [row.weights for row in found.rows] == ["random weights, not pretrained"]


def test_json_goes_there_and_back(result: Comparison, tmp_path: Path) -> None:
    result.save(tmp_path / "new" / "result.json")
    assert Comparison.load(tmp_path / "new" / "result.json") == result
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "rows": [{"name": "x"}], "seeds": []}'],
)
def test_a_file_that_is_no_comparison_is_refused_with_its_path(text: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is no comparison"):
        Comparison.load(file)


def test_a_field_too_many_is_refused(result: Comparison, tmp_path: Path) -> None:
    found = json.loads(result.to_json())
    (tmp_path / "x.json").write_text(json.dumps(found | {"evil": 1}))
    with pytest.raises(ValueError, match="its fields are data, evil"):
        Comparison.load(tmp_path / "x.json")


def test_writing_fails_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "result.json"
    target.write_text("before")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        write_whole(target, "after")
    assert target.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_missing_weights_stop_it_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", _unreachable)
    monkeypatch.setattr("lineage_lab.comparison.finetune", None)
    with pytest.raises(WeightsUnavailable, match="resnet50"):
        compare(["efficientnet_lite0", "resnet50"], "elpv", FAST, limit=24)


def _unreachable(*_: object, **__: object) -> None:
    raise OSError("Name or service not known")


def test_no_seed_and_colour_for_a_grey_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one seed or more"):
        compare(["lenet5_modern"], "digits", FAST, seeds=0)
