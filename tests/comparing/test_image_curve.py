"""Would more images help? A curve over nested parts of the same images."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from lineage_lab.cli import cli
from lineage_lab.comparing.image_curve import ImageCurve, image_curve, nested
from lineage_lab.training.pretrained import starting_point
from tests.small import PLAIN


@pytest.fixture(scope="module")
def curve(digits) -> ImageCurve:
    return image_curve(starting_point("lenet5_modern", random=True), *digits, PLAIN)


def test_a_part_is_in_the_next_and_has_each_class_in_proportion(digits) -> None:
    train, _ = digits
    small, large = (nested(train, share, seed=0) for share in (0.1, 0.3))
    pixels = [{image.numpy().tobytes() for image in part.images} for part in (small, large)]
    assert pixels[0] < pixels[1]
    assert small.labels.bincount().tolist() == [3] * 10


def test_each_part_has_as_many_steps(curve: ImageCurve, digits) -> None:
    assert curve.images == (30, 90, len(digits[0]))
    seen = [run.images_trained for run in curve.runs]
    assert max(seen) - min(seen) <= 30
    assert all(run.truth == curve.runs[0].truth for run in curve.runs)


def test_the_words_follow_the_interval(curve: ImageCurve) -> None:
    assert "From 90 to 300 images accuracy changes by" in curve.words
    best = curve.runs[-1]
    right = replace(best, answers=best.truth, val_accuracy=1.0)
    wrong = replace(best, answers=tuple((t + 1) % 10 for t in best.truth), val_accuracy=0.0)
    rising = replace(curve, runs=(wrong, wrong, right))
    assert "more images would probably help" in rising.words
    assert "no rise is shown" in replace(curve, runs=(wrong, right, right)).words


def test_minutes_are_refused() -> None:
    with pytest.raises(ValueError, match="use epochs in place of minutes"):
        image_curve(
            starting_point("lenet5_modern", random=True), None, None, replace(PLAIN, minutes=1.0)
        )  # type: ignore[arg-type]


def test_the_command_draws_it(tmp_path: Path) -> None:
    words = ["finetune", "lenet5_modern", "--data", "digits", "--random-weights", "--limit", "100",
             "--curve", "--out", str(tmp_path)]  # fmt: skip
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "images to train on" in done.output
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")
