"""The learning-rate range test finds where training is quick, and leaves no trace."""

import math

import pytest
import torch

from lineage_lab import create_model
from lineage_lab.data.sets import load, split
from lineage_lab.training.lr_finder import RateCurve, lr_find
from lineage_lab.training.recipe import Recipe

RECIPE = Recipe(lr=5e-3, head_lr=5e-3, batch_size=32, precision="fp32", device="cpu")
GREY = {"mean": (0.1,), "std": (0.3,)}


@pytest.fixture(scope="module")
def curve() -> RateCurve:
    torch.manual_seed(0)
    train, _ = split(load("digits", size=32), seed=0, limit=1000)
    model = create_model("lenet5_modern")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    found = lr_find(model, train, RECIPE, **GREY, highest=10.0)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    return found


def test_the_rates_rise_evenly_on_a_logarithmic_scale(curve: RateCurve) -> None:
    ratios = [b / a for a, b in zip(curve.rates, curve.rates[1:], strict=False)]
    assert max(ratios) / min(ratios) == pytest.approx(1, abs=1e-6)
    assert curve.rates[0] == 1e-7


def test_the_loss_starts_at_chance_falls_and_diverges(curve: RateCurve) -> None:
    assert curve.losses[0] == pytest.approx(math.log(10), abs=0.1)
    assert min(curve.losses) < 1.8
    assert curve.rates[-1] < 10.0 or curve.losses[-1] > min(curve.losses)
    assert curve.losses[-1] > min(curve.losses)


def test_the_rate_that_it_names_is_one_that_trains(curve: RateCurve) -> None:
    assert 1e-4 < curve.steepest < 1e-1
    assert curve.highest < curve.rates[curve.losses.index(min(curve.losses))]


def test_steepest_is_where_a_known_curve_falls_fastest() -> None:
    rates = tuple(10.0**k for k in range(-6, 1))
    assert RateCurve(rates, (2.3, 2.3, 2.2, 1.6, 1.2, 1.1, 5.0)).steepest == pytest.approx(1e-3)


def test_a_range_that_is_none_is_refused() -> None:
    train, _ = split(load("digits", size=32), seed=0, limit=200)
    with pytest.raises(ValueError, match="needs 0 < lowest < highest"):
        lr_find(create_model("lenet5_modern"), train, RECIPE, **GREY, lowest=1.0, highest=0.1)


def test_the_picture_marks_the_rate_and_says_the_same_in_words(curve: RateCurve) -> None:
    import xml.etree.ElementTree as ElementTree

    from lineage_lab.cli.rates import rate_curve

    svg = rate_curve(curve)
    ElementTree.fromstring(svg)
    assert f"falls fastest: {curve.steepest:.1e}" in svg
    assert f"falls fastest at a rate of {curve.steepest:.1e}" in svg
