"""Thresholds against scikit-learn's curves, the temperature against a plain search."""

import numpy as np
import pytest
from sklearn import metrics as theirs
from sklearn.linear_model import LogisticRegression

from lineage_lab.training.decision import (
    Decision,
    choose_temperature,
    choose_threshold,
    fitted_odds,
    scaled,
)
from tests.training.test_metrics import made


@pytest.mark.parametrize("ties", [False, True])
def test_a_wanted_recall_is_had_with_as_few_false_alarms_as_can_be(ties: bool) -> None:
    truth, probabilities = made(2, ties=ties)
    chance = probabilities[:, 1]
    alarms, recalls, _ = theirs.roc_curve(truth, chance, drop_intermediate=False)
    for wanted in (0.5, 0.9, 0.97, 1.0):
        named = chance >= choose_threshold(truth, chance, f"recall={wanted}")
        assert theirs.recall_score(truth, named) >= wanted
        assert (named & (truth == 0)).sum() == round(
            alarms[recalls >= wanted].min() * (truth == 0).sum()
        )


def test_the_fitted_odds_are_those_of_scikit_learns_logistic_regression() -> None:
    truth, probabilities = made(2)
    chance = probabilities[:, 1]
    odds = np.log(chance / (1 - chance))[:, None]
    model = LogisticRegression(C=1e6, tol=1e-8).fit(odds, truth)
    slope, shift = fitted_odds(truth.astype(bool), chance)
    assert slope == pytest.approx(model.coef_[0, 0], abs=0.01)
    assert shift == pytest.approx(model.intercept_[0], abs=0.01)
    # Classes that don't overlap: finite, and in between.
    threshold = choose_threshold([0, 0, 1, 1], [0.01, 0.02, 0.3, 0.4], "balanced")
    assert 0.02 < threshold < 0.3


def test_a_balanced_threshold_is_as_good_on_other_images_as_the_best_of_these() -> None:
    """On average over draws; a single gap between two images is luck."""
    fitted, counted = [], []
    for seed in range(40):
        truth, probabilities = made(2, 100, seed=seed)
        others, chances = made(2, 2000, seed=1000 + seed)
        chance = probabilities[:, 1]
        at = np.unique(chance)
        best = at[np.argmax([theirs.balanced_accuracy_score(truth, chance >= t) for t in at])]
        for found, threshold in (
            (fitted, choose_threshold(truth, chance, "balanced")),
            (counted, best),
        ):
            named = chances[:, 1] >= threshold
            found.append(theirs.balanced_accuracy_score(others, named))
    assert np.mean(fitted) > np.mean(counted)


def test_a_cost_is_near_the_least_of_all_and_a_precision_has_the_highest_recall() -> None:
    truth, probabilities = made(2, 4000)
    chance = probabilities[:, 1]

    def cost(threshold: float) -> float:
        named = chance >= threshold
        return 5 * ((truth == 1) & ~named).sum() + ((truth == 0) & named).sum()

    chosen = choose_threshold(truth, chance, "cost=5")
    assert cost(chosen) <= 1.05 * min(map(cost, [*np.unique(chance), 2]))
    named = chance >= choose_threshold(truth, chance, "precision=0.9")
    precisions, recalls, _ = theirs.precision_recall_curve(truth, chance)
    assert theirs.precision_score(truth, named) >= 0.9
    assert theirs.recall_score(truth, named) == recalls[precisions >= 0.9].max()


def test_the_temperature_has_the_lowest_log_loss_and_changes_no_answer() -> None:
    truth, probabilities = made(4)
    bold = scaled(probabilities, 0.4)  # too sure of itself
    found = choose_temperature(truth, bold)
    losses = {t: theirs.log_loss(truth, scaled(bold, t)) for t in np.geomspace(0.1, 10, 401)}
    assert found == pytest.approx(min(losses, key=losses.__getitem__), rel=0.02)
    assert found > 1.5
    assert (scaled(bold, found).argmax(1) == bold.argmax(1)).all()


def test_a_threshold_names_its_class_first_and_else_the_likeliest_other() -> None:
    decision = Decision(positive="b", threshold=0.2)
    rows = [[0.7, 0.25, 0.05], [0.1, 0.15, 0.75], [0.8, 0.19, 0.01]]
    assert decision.answers(rows, ("a", "b", "c")).tolist() == [1, 2, 0]
    assert Decision().answers(rows, ("a", "b", "c")).tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    ("aim", "words"),
    [("recall=2", "not 'recall=2'"), ("often", "not 'often'"), ("cost=-1", "what a missed image")],
)
def test_an_aim_that_can_t_be_read_is_refused(aim: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        choose_threshold([0, 1], [0.1, 0.9], aim)


def test_a_threshold_needs_images_of_both_kinds() -> None:
    with pytest.raises(ValueError, match="add images, or"):
        choose_threshold([1, 1], [0.1, 0.9], "balanced")


def test_a_decision_comes_back_from_plain_values_or_is_refused() -> None:
    one = Decision(temperature=2.0, positive="b", threshold=0.25, aim="recall=0.9")
    assert Decision.from_dict(one.to_dict(), ("a", "b")) == one
    for wrong in ({"positive": "z"}, {"temperature": 0.0}, {"threshold": 2.0}, {"heat": 1}):
        with pytest.raises(ValueError, match=r"threshold|temperature|decision"):
            Decision.from_dict(wrong, ("a", "b"))
