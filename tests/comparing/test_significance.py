"""The statistical word: against scipy, against definitions, and on simulated luck."""

from itertools import combinations
from math import comb, sqrt

import numpy as np
import pytest
from scipy import stats

from lineage_lab.comparing.significance import (
    Difference,
    differ,
    differences,
    half_interval,
    holm,
    mcnemar,
)

Seeds = list[list[bool]]


def with_discordant(only_first: int, only_second: int, both: int = 50) -> tuple[Seeds, Seeds]:
    """One seed in which the two differ on so many images."""
    a = [True] * both + [True] * only_first + [False] * only_second
    b = [True] * both + [False] * only_first + [True] * only_second
    return [a], [b]


@pytest.mark.parametrize(
    "table", [(0, 0), (0, 1), (3, 3), (1, 9), (12, 30), (400, 350), (0, 1200), (5000, 5200)]
)
def test_mcnemar_is_scipys_binomial_test(table: tuple[int, int]) -> None:
    b, c = table
    wanted = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar(b, c) == pytest.approx(wanted, rel=1e-12, abs=0)


def test_mcnemar_is_exact_where_the_chance_is_tiny() -> None:
    """The definition in whole numbers; far out scipy itself is off by 9e-13."""
    number, fewer = 10_200, 3_667
    term = tail = comb(number, fewer)
    for k in range(fewer, fewer - 1_000, -1):
        term = term * k // (number - k + 1)
        tail += term
    assert mcnemar(fewer, number - fewer) == pytest.approx(2 * tail / 2**number, rel=1e-14, abs=0)


def test_holm_is_the_closed_test_of_bonferroni() -> None:
    values = [0.04, 0.001, 0.03, 0.2, 0.011]
    numbers = range(len(values))
    sets = [s for size in range(1, 6) for s in combinations(numbers, size)]
    wanted = [
        max(min(1.0, len(s) * min(values[j] for j in s)) for s in sets if i in s) for i in numbers
    ]
    assert holm(values) == pytest.approx(wanted)


@pytest.mark.parametrize("seeds", [2, 3, 4, 5, 10])
def test_several_splits_have_the_corrected_resampled_t_test(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    a = (rng.random((seeds, 200)) < np.linspace(0.7, 0.95, seeds)[:, None]).tolist()
    b = (rng.random((seeds, 200)) < 0.6).tolist()
    found = differ(a, b, names=("a", "b"), trained=600)
    d = np.mean(a, axis=1) - np.mean(b, axis=1)
    error = sqrt((1 / seeds + 200 / 600) * d.var(ddof=1))  # Nadeau and Bengio, equation 13
    t = stats.t(df=seeds - 1)
    assert found.p == pytest.approx(2 * t.sf(d.mean() / error), rel=1e-9)
    assert found.low == pytest.approx(max(-100, 100 * (d.mean() - t.ppf(0.975) * error)))
    assert found.high == pytest.approx(min(100, 100 * (d.mean() + t.ppf(0.975) * error)))
    half = half_interval(d.tolist(), validated=200, trained=600)
    assert half == pytest.approx(t.ppf(0.975) * error, rel=1e-9)


def test_seeds_that_agree_by_chance_do_not_make_certainty() -> None:
    a, b = with_discordant(5, 3)
    found = differ(a * 3, b * 3, trained=150)  # no spread at all between the seeds
    assert found.p > 0.3
    assert found.low < 0 < found.high


def test_two_that_answer_alike_are_level() -> None:
    a, b = with_discordant(0, 0)
    for seeds in (1, 3):
        found = differ(a * seeds, b * seeds, names=("a", "b"), trained=150)
        assert (found.points, found.p) == (0, 1)
        assert found.low == pytest.approx(-found.high)
        assert found.high > 0
        assert "they are level" in found.words


def test_fixed_images_do_not_average_out_over_the_seeds() -> None:
    a, b = with_discordant(20, 8)
    few = differ(a * 2, b * 2, trained=9, drawn_by_seed=False)
    many = differ(a * 50, b * 50, trained=9, drawn_by_seed=False)
    assert many.high - many.low == pytest.approx(few.high - few.low)  # the same 78 images
    assert many.p == pytest.approx(differ(a, b, trained=9).p, abs=0.02)  # McNemar's


def test_the_one_that_is_ahead_comes_first() -> None:
    a, b = with_discordant(2, 30)
    found = differ(a, b, names=("a", "b"), trained=9)
    assert (found.first, found.second) == ("b", "a")
    assert found.points == pytest.approx(100 * 28 / 82)
    assert found == differ(b, a, names=("b", "a"), trained=9)


def test_a_shown_difference_is_said_so() -> None:
    a, b = with_discordant(2, 30)
    words = differ(a * 3, b * 3, names=("small", "large"), trained=250).words
    assert words.startswith("large is better than small by 34.1 points (95 % interval +")
    assert ", p = 0.0" in words


def test_pairs_are_corrected_for_their_number() -> None:
    rng = np.random.default_rng(0)
    correct: dict[str, Seeds] = {
        name: (rng.random((3, 300)) < share).tolist()
        for name, share in (("a", 0.9), ("b", 0.85), ("c", 0.6))
    }
    found = differences(correct, trained=900)
    assert [{d.first, d.second} for d in found] == [{"a", "b"}, {"a", "c"}, {"b", "c"}]
    assert [d.p_holm for d in found] == list(holm([d.p for d in found]))
    assert all(d.pairs == 3 and "corrected for 3 pairs" in d.words for d in found)


@pytest.mark.parametrize("second", [[[True]], [[True, False], [True]], []])
def test_other_seeds_or_images_are_refused(second: Seeds) -> None:
    with pytest.raises(ValueError, match="a and b have not the same seeds and images"):
        differ([[True, False], [True, True]], second, names=("a", "b"), trained=3)


def luck(drawn_by_seed: bool, seeds: int, trials: int = 400) -> list[Difference]:
    """Two networks that are equally good, tried again and again on images drawn anew."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(trials):
        ease = rng.normal(1.5, 1.5, 400)  # of each image of the data set
        own = rng.normal(0, 0.7, (2, 400))  # what suits one of the networks more
        first, second = [], []
        fixed = rng.choice(400, 100, replace=False)
        for _ in range(seeds):
            chosen = rng.choice(400, 100, replace=False) if drawn_by_seed else fixed
            for k, into in enumerate((first, second)):
                training = rng.normal(0, 0.3) + rng.normal(0, 0.5, 100)
                into.append((ease[chosen] + own[k, chosen] + training > 0).tolist())
        found.append(differ(first, second, trained=300, drawn_by_seed=drawn_by_seed))
    return found


@pytest.mark.parametrize(("drawn", "seeds"), [(True, 3), (True, 10), (False, 3)])
def test_luck_is_called_a_difference_no_more_often_than_in_one_of_twenty(
    drawn: bool, seeds: int
) -> None:
    wrong = sum(d.p < 0.05 for d in luck(drawn, seeds)) / 400
    assert wrong < 0.05 + 2 * sqrt(0.05 * 0.95 / 400)


def test_the_images_of_one_training_alone_would_call_luck_a_difference() -> None:
    found = luck(drawn_by_seed=True, seeds=1)
    assert sum(d.p < 0.05 for d in found) / 400 > 0.15  # so several seeds are the default
    assert all("one training of each, so another may differ" in d.words for d in found)
