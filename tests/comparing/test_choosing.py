"""The rule that picks a backbone, and the costs that it goes by."""

import random

import pytest
import torch
import torchvision

from lineage_lab import create_model, describe
from lineage_lab.chapters.lineage import NETWORKS
from lineage_lab.comparing.choosing import (
    CAUTIONS,
    COSTS,
    GOALS,
    PICKS,
    Candidate,
    candidates,
    pick,
)
from lineage_lab.models.googlenet import GoogLeNet
from lineage_lab.weights.published import WEIGHTS
from tests.rows import each

NETS = candidates({name: 10.0 + index for index, name in enumerate(COSTS)})
LIMITS = ("megabytes", "gmacs", "gib", "milliseconds")


@pytest.mark.parametrize("name", each(COSTS, 3))
def test_the_costs_are_those_that_describe_counts(name: str) -> None:
    side = next(c.side for c in NETS if c.name == name)
    with torch.device("meta"):
        model = create_model(name)
    if isinstance(model, GoogLeNet):
        model.auxiliary_4a = model.auxiliary_4d = None
    found = describe(model, (3, side, side))
    assert COSTS[name] == (found.parameters, found.macs, found.saved_bytes)
    candidate = next(c for c in NETS if c.name == name)
    assert candidate.gib == pytest.approx(found.training_memory(32) / 2**30, abs=0.05)


def test_every_published_file_is_a_candidate_once() -> None:
    assert len(NETS) == len({entry.filename for entry in WEIGHTS})
    assert {c.name for c in NETS} == set(COSTS) == {entry.model for entry in WEIGHTS}
    assert {c.family for c in NETS} == set(CAUTIONS) == {n.key for n in NETWORKS} - {"lenet5"}


def test_names_accuracies_and_macs_are_torchvisions_own() -> None:
    for c in NETS:
        if "lite" in c.name:
            continue
        model = c.name.removesuffix("_384")
        weights = torchvision.models.get_model_weights(model)[c.published]
        assert weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] == c.top1
        assert weights.meta["_file_size"] == pytest.approx(c.megabytes, abs=0.051)
        assert weights.meta["_ops"] == pytest.approx(c.gmacs, abs=0.006)
        assert weights.meta["num_params"] == c.parameters
        assert weights.transforms().crop_size == [c.side]


def test_the_line_of_code_builds_it() -> None:
    for c in NETS:
        assert (c.name, c.weights) in {(entry.model, entry.name) for entry in WEIGHTS}
        assert c.code == f'create_model("{c.name}", weights="{c.weights}")'


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({}, "resnet50"),
        ({"gmacs": 1}, "efficientnet_b0"),
        ({"megabytes": 50}, "efficientnet_b0"),
        ({"top1": 82}, "convnext_tiny"),
        ({"kind": "transformer"}, "vit_b_16"),
        ({"top1": 84.2}, "vit_b_16_384"),
        ({"top1": 84.2, "commercial": True}, "convnext_large"),
        ({"first": "accuracy", "gmacs": 5, "gib": 4}, "convnext_tiny"),
        ({"first": "accuracy", "gmacs": 5}, "efficientnet_b4"),
        ({"first": "macs", "top1": 75}, "efficientnet_b0"),
        ({"first": "size"}, "efficientnet_lite0"),
        ({"first": "size", "top1": 81, "kind": "convnet"}, "efficientnet_b3"),
        ({"first": "latency"}, "efficientnet_lite0"),
    ],
)
def test_what_it_answers(asked: dict[str, object], name: str) -> None:
    assert pick(NETS, **asked)[0].candidate.name == name  # type: ignore[arg-type]


def test_the_courses_four_picks_come_out_as_the_course_has_them() -> None:
    assert list(PICKS) == ["resnet50", "convnext_tiny", "efficientnet_b0", "vit_b_16"]


def asked_at_random(number: int) -> dict[str, object]:
    draw = random.Random(number)
    asked: dict[str, object] = {"first": draw.choice(GOALS)}
    for limit, high in zip(LIMITS, (600, 40, 60, 45), strict=True):
        if draw.random() < 0.35:
            asked[limit] = round(draw.uniform(0, high), 1)
    if draw.random() < 0.4:
        asked["top1"] = round(draw.uniform(55, 86), 1)
    asked["commercial"] = draw.random() < 0.3
    asked["kind"] = draw.choice(("any", "any", "convnet", "transformer"))
    return asked


def value(c: Candidate, goal: str) -> float:
    assert c.milliseconds is not None
    return {"accuracy": -c.top1, "size": c.megabytes, "macs": c.gmacs,
            "latency": c.milliseconds}[goal]  # fmt: skip


@pytest.mark.parametrize("number", range(60))
def test_an_answer_is_within_the_limits_and_nothing_within_them_is_better(number: int) -> None:
    asked = asked_at_random(number)
    within = [
        c
        for c in NETS
        if all(getattr(c, limit) <= asked[limit] for limit in LIMITS if limit in asked)  # type: ignore[operator]
        and c.top1 >= asked.get("top1", 0)  # type: ignore[operator]
        and (not asked["commercial"] or c.licence != "CC-BY-NC-4.0")
        and (asked["kind"] == "any" or (asked["kind"] == "transformer") == (c.family == "vit"))
    ]
    answers = pick(NETS, **asked)  # type: ignore[arg-type]
    assert bool(answers) == bool(within)
    if not answers:
        return
    assert {a.candidate for a in answers} <= set(within)
    assert len({a.candidate.name for a in answers}) == len(answers) <= 3
    first, *others = answers
    if asked["first"] != "general":
        best = min(value(c, str(asked["first"])) for c in within)
        assert value(first.candidate, str(asked["first"])) == best
    assert len(first.gains) == 1
    assert first.costs == ()
    assert all(a.gains for a in others)


def test_of_one_networks_weights_the_most_accurate_that_are_allowed_stand_for_it() -> None:
    free = pick(NETS, kind="transformer", gmacs=20)[0].candidate
    sold = pick(NETS, kind="transformer", gmacs=20, commercial=True)[0].candidate
    assert (free.weights, sold.weights) == ("imagenet-swag-linear", "imagenet")


def test_the_others_say_what_they_give_and_what_they_cost() -> None:
    first, second, third = pick(candidates())
    assert first.gains == (PICKS["resnet50"],)
    assert (second.candidate.name, second.gains) == ("convnext_tiny", ("1.7 points more accurate",))
    assert "1.3 times more memory to train" in second.costs
    assert third.candidate.name == "efficientnet_b0"
    assert "4.8 times smaller as a file" in third.gains
    assert third.costs == ("3.2 points less accurate",)


def test_what_was_not_measured_is_not_ranked_by_its_time() -> None:
    some = candidates({"vgg16": 5.0})
    assert [a.candidate.name for a in pick(some, first="latency")] == ["vgg16"]
    assert pick(some, milliseconds=1) == ()
    for asked in ({"first": "latency"}, {"milliseconds": 5.0}):
        with pytest.raises(ValueError, match="no latency was measured"):
            pick(candidates(), **asked)  # type: ignore[arg-type]


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown goal 'speed'"):
        pick(NETS, first="speed")
    with pytest.raises(ValueError, match="unknown kind 'cnn'"):
        pick(NETS, kind="cnn")


def test_the_cautions_hold() -> None:
    rows = {(c.name, c.weights): c for c in NETS}
    alexnet, small = rows["alexnet", "imagenet"], rows["resnet18", "imagenet"]
    assert small.top1 > alexnet.top1
    assert 4.5 < alexnet.megabytes / small.megabytes < 5.5
    resnet = rows["resnet50", "imagenet"]
    for c in NETS:
        if c.family == "vgg":
            assert resnet.top1 > c.top1
            assert 4.5 < c.megabytes / resnet.megabytes < 5.7
    google, b0 = rows["googlenet", "imagenet"], rows["efficientnet_b0", "imagenet"]
    assert b0.top1 > google.top1
    assert 2 < google.megabytes / b0.megabytes < 2.5
