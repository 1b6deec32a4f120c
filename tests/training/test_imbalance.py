"""Classes of unequal size: what the recipe's lines do to the loss, the batches and the answers."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional as F

from lineage_lab import create_model, finetune
from lineage_lab.data.sets import ImageSet
from lineage_lab.training.batches import Batches
from lineage_lab.training.checkpoint import load
from lineage_lab.training.decision import Decision
from lineage_lab.training.loss import balanced_weights, classification_loss, log_priors
from lineage_lab.training.processes import Group
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.validation import (
    decision_for,
    metric_for,
    small_parts,
    split_for,
    validate,
)
from lineage_lab.using.predictor import Predictor
from tests.small import GREY, PLAIN, lenet


def of_two() -> torch.nn.Module:
    torch.manual_seed(0)
    return create_model("lenet5_modern", num_classes=2)


def scores_and_targets() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 3, generator=generator), torch.randint(3, (40,), generator=generator)


@pytest.fixture(scope="module")
def unequal(digits) -> tuple[ImageSet, ImageSet]:
    """The digits as zeros, few, and others, many."""
    train, val = (
        replace(part, labels=(part.labels != 0).long(), classes=("zero", "other"))
        for part in digits
    )
    return train, val


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.array([0] * 30 + [1] * 8 + [2] * 2)
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert balanced_weights([30, 8, 2]).numpy() == pytest.approx(wanted)
    assert balanced_weights([3, 0]).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_focal_loss_of_gamma_zero_is_cross_entropy(smoothing: float) -> None:
    scores, targets = scores_and_targets()
    weights = torch.tensor([0.5, 2.0, 1.0])
    plain = classification_loss(scores, targets, weights=weights, smoothing=smoothing)
    tiny = classification_loss(scores, targets, weights=weights, smoothing=smoothing, focal=1e-9)
    expected = F.cross_entropy(
        scores, targets, weight=weights, label_smoothing=smoothing, reduction="sum"
    )
    torch.testing.assert_close(plain, expected)
    torch.testing.assert_close(tiny, expected)


def test_the_focal_loss_is_torchvisions_for_two_classes() -> None:
    """torchvision's is of the sigmoid: with scores (0, x) the two are the same."""
    from torchvision.ops import sigmoid_focal_loss

    x = torch.linspace(-4, 4, 50)
    labels = (torch.arange(50) % 3 == 0).long()
    mine = classification_loss(torch.stack((torch.zeros(50), x), 1), labels, focal=2.0)
    theirs = sigmoid_focal_loss(x, labels.float(), alpha=-1, gamma=2.0, reduction="sum")
    torch.testing.assert_close(mine, theirs)


def test_logit_adjustment_trains_to_the_balanced_odds() -> None:
    """arXiv:2007.07314, section 4: without inputs the best scores are all equal, so that no class
    is preferred; plain cross-entropy learns the shares.
    """
    targets = torch.tensor([0] * 90 + [1] * 10)
    for shift, wanted in ((None, np.log(9)), (log_priors([90, 10]), 0.0)):
        score = torch.zeros(1, 2, requires_grad=True)
        optimizer = torch.optim.LBFGS([score], max_iter=100)

        def closure(score=score, optimizer=optimizer, shift=shift):
            optimizer.zero_grad()
            loss = classification_loss(score.expand(100, 2), targets, shift=shift)
            loss.backward()
            return loss

        optimizer.step(closure)
        assert (score[0, 0] - score[0, 1]).item() == pytest.approx(wanted, abs=1e-2)


def test_balanced_sampling_shows_as_many_of_each_class(unequal) -> None:
    train, _ = unequal
    recipe = replace(PLAIN, sampling="balanced")
    epochs = [torch.cat(Batches(train, recipe, epoch, Group()).batches) for epoch in (0, 1)]
    for places in epochs:
        counts = train.labels[places].bincount()
        assert len(places) == len(train)
        assert abs(int(counts[0]) - int(counts[1])) <= 1
        # Of the small class each image comes, before any comes once more.
        often = places[train.labels[places] == 0].bincount()
        often = often[often > 0]
        assert len(often) == int((train.labels == 0).sum())
        assert int(often.max()) - int(often.min()) <= 1
    assert not torch.equal(*epochs)


def test_the_metric_is_balanced_accuracy_where_classes_are_unequal_and_it_is_said(
    digits, unequal
) -> None:
    assert metric_for(Recipe(), digits[0]) == "accuracy"
    assert metric_for(Recipe(), unequal[0]) == "balanced_accuracy"
    assert metric_for(Recipe(metric="auroc"), unequal[0]) == "auroc"
    words = list(small_parts(*unequal, "balanced_accuracy", Recipe()))
    assert "chosen by balanced accuracy" in words[0]
    assert "1 of 2 classes have fewer than 30 images to validate with, the fewest 10" in words[1]
    assert "24 to 76 %" in words[1]


def test_the_best_is_by_the_metric_and_of_equals_by_the_log_loss() -> None:
    val = ImageSet(
        images=torch.zeros(4, 1, 2, 2, dtype=torch.uint8), labels=torch.tensor([0, 0, 0, 1]),
        classes=("a", "b"), name="four", licence="",
    )  # fmt: skip
    all_a = np.tile([0.9, 0.1], (4, 1))
    finds_b = np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.1, 0.9]])
    by_accuracy = [validate(x, val, "accuracy") for x in (all_a, finds_b)]
    by_balanced = [validate(x, val, "balanced_accuracy") for x in (all_a, finds_b)]
    assert by_accuracy[0].rank > by_accuracy[1].rank
    assert by_balanced[0].rank < by_balanced[1].rank
    assert by_balanced[0].score == 0.5
    surer = np.array([[0.95, 0.05]] * 3 + [[0.95, 0.05]])
    wiser = np.array([[0.95, 0.05]] * 3 + [[0.6, 0.4]])
    assert validate(surer, val, "accuracy").rank < validate(wiser, val, "accuracy").rank


def test_the_kept_file_is_of_the_best_epoch_and_the_run_stops_by_patience(
    unequal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = replace(PLAIN, epochs=30, patience=2, threshold="recall=1", calibrate=True)
    with caplog.at_level(logging.WARNING):
        history = finetune(
            of_two(), *unequal, recipe, **GREY, name="lenet5_modern", folder=tmp_path
        )
    assert "balanced accuracy" in caplog.text
    assert history.metric == "balanced_accuracy"
    assert len(history.epochs) == history.best_epoch + 2 < 30
    scores = [epoch.val_score for epoch in history.epochs]
    assert scores[history.best_epoch - 1] == max(scores)
    saved = load(tmp_path / "best.ckpt")
    assert saved.metrics["epoch"] == history.best_epoch
    assert saved.metrics["val_score"] == max(scores)
    decision = Decision.from_dict(saved.metrics["decision"], saved.classes)
    assert (decision.positive, decision.aim) == ("zero", "recall=1")
    predictor = Predictor.load(tmp_path / "best.ckpt")
    assert predictor.decision == decision
    chances = predictor.probabilities(unequal[1].images).numpy()
    named = predictor.decide(chances)
    assert (named[unequal[1].labels.numpy() == 0] == 0).all()  # the recall that was asked for


@pytest.mark.fault("threshold-needs-both")
def test_a_threshold_that_can_t_be_chosen_is_refused_before_the_training(unequal) -> None:
    train, val = unequal
    only = val.take((val.labels == 1).nonzero().flatten())
    with pytest.raises(ValueError, match="a threshold needs validation images of the class"):
        finetune(of_two(), train, only, replace(PLAIN, threshold="balanced"), **GREY)
    with pytest.raises(ValueError, match=r"Recipe\.positive='one' is no class"):
        finetune(of_two(), train, val, replace(PLAIN, threshold="balanced", positive="one"), **GREY)
    # One that only the answers show to be out of reach costs the threshold, not the run.
    chances = np.tile([0.5, 0.5], (len(val), 1))
    kept = decision_for(Recipe(threshold="precision=0.9"), val, chances)
    assert kept == Decision()


@pytest.mark.parametrize("wrong", [{"threshold": "often"}, {"positive": "a"}, {"focal": -1.0},
                                   {"class_weights": "some"}, {"test": 1.0}])  # fmt: skip
def test_a_line_that_can_t_be_followed_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).split("_")[0]):
        Recipe(**wrong)  # type: ignore[arg-type]


def test_a_moving_average_with_a_long_memory_follows_a_short_run(digits) -> None:
    """Ten steps at a decay of 0.999 would keep 99 % of the first weights."""
    changed = {}
    for ema in (0.0, 0.999):
        model = lenet()
        before = [p.detach().clone() for p in model.parameters()]
        finetune(model, *digits, replace(PLAIN, ema=ema, lr=1e-3, head_lr=1e-3), **GREY)
        pairs = zip(before, model.parameters(), strict=True)
        changed[ema] = sum(float((a - b.detach()).square().sum()) for a, b in pairs) ** 0.5
    assert changed[0.999] > 0.4 * changed[0.0]


def test_the_recipe_decides_the_parts() -> None:
    data = ImageSet(
        images=torch.arange(60).view(-1, 1, 1, 1), labels=torch.arange(60) % 2,
        classes=("a", "b"), name="sixty", licence="", groups=torch.arange(60) // 6,
    )  # fmt: skip
    assert len(split_for(data, Recipe())) == 2
    parts = split_for(data, Recipe(test=0.2))
    assert len(parts) == 3
    assert not set(parts[0].groups.tolist()) & set(parts[2].groups.tolist())
    mixed = split_for(data, Recipe(grouped=False))
    assert set(mixed[0].groups.tolist()) & set(mixed[1].groups.tolist())
