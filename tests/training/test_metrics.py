"""The metrics against scikit-learn and torchmetrics; the intervals against a plain bootstrap."""

import numpy as np
import pytest
import torch
from sklearn import metrics as theirs
from sklearn.calibration import calibration_curve
from torchmetrics.functional import classification as torchmetrics

from lineage_lab.training.metrics import (
    METRICS,
    Answered,
    Measure,
    Metrics,
    measure,
    pooled_interval,
    score,
    wilson,
)

NAMES = ("a", "b", "c", "d")


def made(
    classes: int, images: int = 400, *, ties: bool = False, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Answers that know something, of classes of unequal size; with ties, of one decimal."""
    generator = np.random.default_rng(seed)
    shares = np.arange(1, classes + 1) ** 2
    truth = generator.choice(classes, images, p=shares / shares.sum())
    scores = generator.normal(1.5 * np.eye(classes)[truth], 1)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    if ties:  # tenths that still sum to one
        tenths = np.floor(10 * probabilities)
        tenths[np.arange(images), probabilities.argmax(1)] += 10 - tenths.sum(1)
        probabilities = tenths / 10
    return truth, probabilities


def scored(truth: np.ndarray, probabilities: np.ndarray, **more: object) -> Metrics:
    names = NAMES[: probabilities.shape[1]]
    return measure(truth, probabilities, names, **{"resamples": 0, **more})  # type: ignore[arg-type]


KINDS = pytest.mark.parametrize(("classes", "ties"), [(2, False), (2, True), (4, False), (4, True)])


@KINDS
def test_every_number_is_scikit_learns(classes: int, ties: bool) -> None:
    truth, probabilities = made(classes, ties=ties)
    answers = probabilities.argmax(1)
    found = scored(truth, probabilities)
    precision, recall, f1, support = theirs.precision_recall_fscore_support(
        truth, answers, labels=range(classes)
    )
    one_hot = np.eye(classes)[truth]
    for name, wanted in {
        "recall": recall,
        "precision": precision,
        "f1": f1,
        "auroc": theirs.roc_auc_score(one_hot, probabilities, average=None),
        "average_precision": theirs.average_precision_score(one_hot, probabilities, average=None),
    }.items():
        mine = [getattr(row, name).value for row in found.classes]
        np.testing.assert_allclose(mine, wanted, atol=1e-6, err_msg=name)
    assert [row.images for row in found.classes] == support.tolist()
    expected = {
        "accuracy": theirs.accuracy_score(truth, answers),
        "balanced_accuracy": theirs.balanced_accuracy_score(truth, answers),
        "precision": theirs.precision_score(truth, answers, average="macro"),
        "f1": theirs.f1_score(truth, answers, average="macro"),
        "auroc": theirs.roc_auc_score(one_hot, probabilities),
        "average_precision": theirs.average_precision_score(one_hot, probabilities),
        "log_loss": theirs.log_loss(truth, probabilities, labels=range(classes)),
    }
    for name, value in expected.items():
        assert getattr(found, name).value == pytest.approx(value, abs=1e-6), name
        assert score(name, truth, probabilities) == pytest.approx(value, abs=1e-6), name
    assert (np.array(found.confusion) == theirs.confusion_matrix(truth, answers)).all()


@KINDS
def test_every_number_is_torchmetrics(classes: int, ties: bool) -> None:
    truth, probabilities = made(classes, ties=ties, seed=1)
    found = scored(truth, probabilities)
    pair = torch.from_numpy(probabilities), torch.from_numpy(truth)
    each = {"num_classes": classes, "average": "none"}
    for name, wanted in {
        "recall": torchmetrics.multiclass_recall(*pair, **each),
        "precision": torchmetrics.multiclass_precision(*pair, **each),
        "f1": torchmetrics.multiclass_f1_score(*pair, **each),
        "auroc": torchmetrics.multiclass_auroc(*pair, **each),
        "average_precision": torchmetrics.multiclass_average_precision(*pair, **each),
    }.items():
        mine = [getattr(row, name).value for row in found.classes]
        np.testing.assert_allclose(mine, wanted, atol=1e-6, err_msg=name)
    macro = torchmetrics.multiclass_accuracy(*pair, num_classes=classes, average="macro")
    assert found.balanced_accuracy.value == pytest.approx(float(macro), abs=1e-6)


@KINDS
def test_the_calibration_error_is_that_of_scikit_learns_curve(classes: int, ties: bool) -> None:
    truth, probabilities = made(classes, ties=ties, seed=2)
    found = scored(truth, probabilities, bins=10)
    right = probabilities.argmax(1) == truth
    share, confidence = calibration_curve(
        right, probabilities.max(1), n_bins=10, strategy="quantile"
    )
    np.testing.assert_allclose([b.accuracy for b in found.reliability], share, atol=1e-9)
    np.testing.assert_allclose([b.confidence for b in found.reliability], confidence, atol=1e-9)
    images = np.array([b.images for b in found.reliability])
    by_hand = (images * abs(share - confidence)).sum() / len(truth)
    assert found.calibration_error.value == pytest.approx(by_hand, abs=1e-9)
    assert images.sum() == len(truth)


def slow_interval(
    value: object, truth: np.ndarray, probabilities: np.ndarray, units: np.ndarray
) -> np.ndarray:
    """A bootstrap written as a textbook has it: one resample after the other, by scikit-learn."""
    generator, found = np.random.default_rng(7), []
    names = np.unique(units)
    for _ in range(400):
        chosen = generator.choice(names, len(names))
        rows = np.concatenate([np.flatnonzero(units == name) for name in chosen])
        found.append(value(truth[rows], probabilities[rows]))  # type: ignore[operator]
    return np.percentile(found, (2.5, 97.5))


@pytest.mark.parametrize("grouped", [False, True])
def test_the_intervals_are_those_of_a_plain_bootstrap(grouped: bool) -> None:
    truth, probabilities = made(2, 300)
    blocks = np.arange(300) // 15
    # Images of a group are alike, so that drawing groups differs from drawing images.
    truth = np.where(blocks % 4 == 0, 1 - truth, truth)
    units = blocks if grouped else np.arange(300)
    found = scored(
        truth, probabilities, resamples=2000, groups=[str(b) for b in blocks] if grouped else None
    )
    assert found.groups == (20 if grouped else 0)
    for name, theirs_ in {
        "accuracy": lambda t, p: theirs.accuracy_score(t, p.argmax(1)),
        "balanced_accuracy": lambda t, p: theirs.balanced_accuracy_score(t, p.argmax(1)),
        "auroc": lambda t, p: theirs.roc_auc_score(t, p[:, 1]),
        "log_loss": lambda t, p: theirs.log_loss(t, p, labels=[0, 1]),
    }.items():
        low, high = slow_interval(theirs_, truth, probabilities, units)
        mine = getattr(found, name)
        width = high - low
        assert mine.low == pytest.approx(low, abs=0.15 * width), name
        assert mine.high == pytest.approx(high, abs=0.15 * width), name


def test_two_classes_of_mirrored_probabilities_score_as_any_two() -> None:
    """The short way for p and 1 − p gives what the long way gives."""
    truth, probabilities = made(2, 200, ties=True)
    mirrored = scored(truth, probabilities, resamples=50)
    # A third class that nobody has keeps the long way.
    padded = np.c_[probabilities, np.zeros(len(truth))]
    other = measure(truth, padded, NAMES[:3], resamples=50)
    for one, two in zip(mirrored.classes, other.classes, strict=False):
        for name in ("auroc", "average_precision"):
            a, b = getattr(one, name), getattr(two, name)
            assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high)), name


def test_a_class_that_is_absent_is_undefined_left_out_and_said() -> None:
    truth, probabilities = made(4)
    present = truth != 2
    found = scored(truth[present], probabilities[present], resamples=100)
    row = found.classes[2]
    assert (row.images, row.recall, row.auroc) == (0, Measure(None), Measure(None))
    assert row.recall.percent() == "–"
    recalls = [r.recall.value for r in found.classes if r.recall.value is not None]
    assert len(recalls) == 3
    assert found.balanced_accuracy.value == pytest.approx(np.mean(recalls))
    assert any("No image is of 'c'" in note and "left out" in note for note in found.notes)


def test_a_network_that_names_one_class_only_is_told_as_such() -> None:
    found = scored(np.array([0, 0, 0, 1]), np.tile([0.9, 0.1], (4, 1)), resamples=50)
    assert found.balanced_accuracy.value == 0.5
    assert found.classes[1].precision.value is None
    assert found.auroc.value == 0.5
    assert any("tells nothing apart" in note and "50 %" in note for note in found.notes)


def test_four_right_of_four_are_not_sure() -> None:
    truth = np.array([0, 0, 1, 1])
    found = scored(truth, np.eye(2)[truth] * 0.8 + 0.1, resamples=200)
    low, high = wilson(4, 4)
    assert (found.accuracy.value, found.accuracy.low, found.accuracy.high) == (1, low, high)
    assert found.classes[0].recall.low == pytest.approx(wilson(2, 2)[0])
    assert found.balanced_accuracy.low == pytest.approx(wilson(2, 2)[0])
    assert found.auroc == Measure(1.0)  # no interval: all draws agree
    assert any("no sign that it is sure" in note and "AUROC" in note for note in found.notes)
    assert any("Only 2 image(s) of 'a'" in note for note in found.notes)
    groups = scored(truth, np.eye(2)[truth] * 0.8 + 0.1, resamples=200, groups=list("xxyy"))
    assert groups.accuracy.low == pytest.approx(wilson(2, 2)[0])  # two groups, not four images


def test_a_threshold_changes_the_answers_and_not_the_order() -> None:
    truth, probabilities = made(2)
    answers = (probabilities[:, 1] > 0.2).astype(int)
    found = scored(truth, probabilities, answers=answers)
    assert found.accuracy.value == theirs.accuracy_score(truth, answers)
    assert found.auroc.value == scored(truth, probabilities).auroc.value


def test_the_paired_difference_is_that_of_the_numbers_and_knows_when_there_is_none() -> None:
    truth, good = made(2, 300)
    _, other = made(2, 300, seed=5)  # knows nothing of these images
    first, second = [Answered(truth, good)], [Answered(truth, other)]
    for name in ("balanced_accuracy", "auroc", "recall:1"):
        difference, p = pooled_interval(name, first, second, resamples=300)
        one, two = (score(name, truth, x) for x in (good, other))
        assert one is not None
        assert two is not None
        assert difference.value == pytest.approx(one - two)
    assert p < 0.05
    same, p = pooled_interval("balanced_accuracy", first, first, resamples=300)
    assert (same.value, p) == (0, 1)


def test_of_several_runs_the_mean_has_an_interval_as_wide_as_that_of_one() -> None:
    runs = [Answered(*made(2, 300, seed=seed)) for seed in range(4)]
    each = [pooled_interval("balanced_accuracy", [run])[0] for run in runs]
    mean, _ = pooled_interval("balanced_accuracy", runs)
    assert mean.value == pytest.approx(np.mean([one.value for one in each]))
    widths = [one.high - one.low for one in each]
    assert min(widths) * 0.9 < mean.high - mean.low < max(widths) * 1.1


@pytest.mark.parametrize(
    ("truth", "probabilities", "words"),
    [
        ([0, 1], [[0.5, 0.5]], "one class an image"),
        ([], np.zeros((0, 2)), "no image"),
        ([0], [[np.nan, 0.5]], "finite"),
        ([0], [[1.5, 0.5]], "from 0 to 1"),
        ([2], [[0.5, 0.5]], "from 0 to 1"),
    ],
)
def test_what_can_t_be_scored_is_refused(truth: object, probabilities: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        measure(truth, probabilities, ["a", "b"])  # type: ignore[arg-type]


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=f"no metric is called 'acuracy': {', '.join(METRICS)}"):
        score("acuracy", [0], [[1.0, 0.0]])
