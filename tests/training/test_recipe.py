"""Each line of the recipe does what it says, and nothing when it is off."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lineage_lab import finetune
from lineage_lab.data.augment import blended, cropped, mirrored, uniform
from lineage_lab.training.recipe import FAMILIES, Recipe, recipe_for
from tests.small import GREY, PLAIN, lenet, run, same, small, weights

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_recipe_goes_to_json_and_back() -> None:
    recipe = Recipe(mixup=0.2, minutes=3, unfreeze="gradual", ema=0.99)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    for wrong in ({"lr": "fast"}, {"epochs": 1.5}, {"epochs": True}, {"speed": 1}, {"lr": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Recipe.from_dict(wrong)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": 0}, "minutes must be above 0"),
        ({"crop": 0.0}, "crop must be above 0"),
        ({"lr": float("nan")}, "lr must be a finite number, not nan"),
        ({"accumulate": 9}, "would be single images"),
        ({"layer_decay": 1.5}, "layer_decay must be above 0, up to 1"),
        ({"unfreeze": "some"}, "unfreeze is one of all, gradual, none"),
    ],
)
def test_a_value_out_of_range_is_named(changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)


def test_families_have_defaults_of_their_own() -> None:
    assert recipe_for("convnext").lr < recipe_for("resnet").lr == Recipe().lr
    assert recipe_for("vit", epochs=3, lr=1e-6) == Recipe(**{**FAMILIES["vit"], "epochs": 3,
                                                              "lr": 1e-6})  # fmt: skip


def test_the_head_learns_alone_first(digits) -> None:
    model = small()
    before = dict(copy.deepcopy(model).named_parameters())
    moved: list[set[str]] = []

    def look(step: int, steps: int, loss: float) -> None:
        moved.append({n for n, p in model.named_parameters() if not torch.equal(p, before[n])})

    history = finetune(model, *digits, replace(PLAIN, head_epochs=1), **GREY, on_step=look)
    batches = len(moved) // 2
    assert moved[0] == moved[batches - 1] == {"head.weight", "head.bias"}
    assert moved[-1] == set(before)
    assert len(history.epochs) == 2
    assert history.images_trained == 2 * len(digits[0])
    assert all(p.requires_grad for p in model.parameters())


def test_a_frozen_body_keeps_its_statistics_too(digits) -> None:
    model = small()
    body = {n: t.clone() for n, t in model.state_dict().items() if not n.startswith("head")}
    run(model, digits, unfreeze="none")
    state = model.state_dict()
    assert all(torch.equal(state[n], t) for n, t in body.items())
    assert not torch.equal(state["head.weight"], small().head.weight)


def test_gradual_unfreezing_goes_from_the_head_down(digits) -> None:
    model = small()
    learning: list[int] = []

    def look(step: int, steps: int, loss: float) -> None:
        learning.append(sum(p.requires_grad for p in model.parameters()))

    finetune(model, *digits, replace(PLAIN, unfreeze="gradual", epochs=2), **GREY, on_step=look)
    assert learning == sorted(learning)
    assert learning[0] < learning[-1] == len(list(model.parameters()))
    assert learning[len(learning) // 2] == learning[-1]


@pytest.mark.parametrize(
    ("changes", "trained", "moves"),
    [
        ({}, True, True),
        ({"norms": "frozen"}, True, False),
        ({"batch_size": 8, "accumulate": 4}, True, True),
        ({"batch_size": 8, "accumulate": 2, "norms": "train"}, True, True),
        ({"unfreeze": "none"}, True, False),
        ({"unfreeze": "none", "norms": "train"}, True, True),
        ({"norms": "frozen"}, False, True),  # there is nothing worth keeping
    ],
)
def test_batch_norms_learn_where_they_should(digits, changes, trained: bool, moves: bool) -> None:
    model = small(trained=trained)
    before = model.stem[1].running_mean.clone()
    run(model, digits, **changes)
    assert torch.equal(model.stem[1].running_mean, before) != moves


@pytest.mark.parametrize(
    ("changes", "trained", "said"),
    [
        ({}, True, False),
        ({"batch_size": 4}, True, True),
        ({"accumulate": 8}, True, True),
        ({"batch_size": 4, "norms": "frozen"}, True, False),
        ({"batch_size": 4, "unfreeze": "none"}, True, False),
        ({"batch_size": 4}, False, False),  # there are no statistics to keep
    ],
)
def test_few_images_for_a_batch_norm_are_told(
    digits, changes, trained: bool, said: bool, caplog
) -> None:
    run(small(trained=trained), digits, **changes)
    assert ("the batch norms learn from" in caplog.text) == said


def test_no_part_of_a_step_is_a_single_image(digits) -> None:
    model, sizes = small(), []
    train, val = digits
    few = train.take(torch.arange(7))  # a step of four and one of three
    model.register_forward_pre_hook(
        lambda module, inputs: sizes.append(len(inputs[0])) if module.training else None
    )
    run(model, (few, val), batch_size=4, accumulate=2)
    assert sorted(sizes[-3:]) == [2, 2, 3]


def test_accumulation_is_the_same_step_in_parts(digits) -> None:
    whole, parted = lenet(), lenet()
    a = run(whole, digits, epochs=2)
    b = run(parted, digits, epochs=2, accumulate=4)
    torch.testing.assert_close(a.losses, b.losses, atol=1e-4, rtol=1e-3)
    for x, y in zip(weights(whole), weights(parted), strict=True):
        torch.testing.assert_close(x, y, atol=2e-3, rtol=1e-2)


def test_a_long_gradient_is_shortened(digits) -> None:
    """Plain SGD: the step's length is the rate times the gradient's length, clipped."""
    train, val = digits
    train = train.take(torch.arange(32))
    lengths = {}
    for clip in (0.0, 0.01):
        model = lenet()
        before = torch.cat([p.flatten() for p in model.parameters()]).detach()
        recipe = replace(PLAIN, optimizer="sgd", momentum=0.0, weight_decay=0.0, clip_norm=clip,
                         warmup=0.0, flips="none")  # fmt: skip
        finetune(model, train, val, recipe, **GREY)
        after = torch.cat([p.flatten() for p in model.parameters()]).detach()
        lengths[clip] = (after - before).norm().item() / (5e-3 * 0.5)  # half way down the cosine
    assert lengths[0.01] == pytest.approx(0.01, rel=1e-2)
    assert lengths[0.0] > 0.1


def test_label_smoothing_is_torchs(digits) -> None:
    train, val = digits
    train = train.take(torch.arange(32))
    loss = run(lenet(), (train, val), label_smoothing=0.2, flips="none").losses[0]
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    images = (train.images[order].float() / 255 - 0.1) / 0.3
    expected = F.cross_entropy(lenet()(images), train.labels[order], label_smoothing=0.2)
    assert loss == pytest.approx(expected.item(), rel=1e-5)


def test_the_moving_average_is_that_of_the_steps(digits) -> None:
    model = lenet()
    seen: list[list[torch.Tensor]] = []

    def look(step: int, steps: int, loss: float) -> None:
        seen.append([p.detach().clone() for p in model.parameters()])

    finetune(model, *digits, replace(PLAIN, ema=0.8), **GREY, on_step=look)
    average = seen[0]
    for done, later in enumerate(seen[1:], start=1):
        decay = min(0.8, (1 + done) / (10 + done))  # warmed up
        average = [decay * a + (1 - decay) * b for a, b in zip(average, later, strict=True)]
    for mine, theirs in zip(model.parameters(), average, strict=True):
        torch.testing.assert_close(mine.detach(), theirs, atol=1e-5, rtol=1e-4)


def test_mixed_images_and_targets_are_in_proportion() -> None:
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 10, 10).contiguous()
    targets = torch.eye(4)
    for seed in range(20):
        x, y = blended(images, targets, np.random.default_rng(seed), mixup=0.4, cutmix=0.0)
        share = y[0, 0].item()
        torch.testing.assert_close(x[0], share * images[0] + (1 - share) * images[3])
        x, y = blended(images, targets, np.random.default_rng(seed), mixup=0.0, cutmix=1.0)
        assert (x[0] == 0).float().mean().item() == pytest.approx(y[0, 0].item(), abs=1e-6)
        torch.testing.assert_close(y.sum(dim=1), torch.ones(4))
        assert set(x[0].unique().tolist()) <= {0.0, 3.0}
    both = [blended(images, targets, np.random.default_rng(s), mixup=1.0, cutmix=1.0)[0]
            for s in range(40)]  # fmt: skip
    cuts = sum(set(x.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0} for x in both)
    assert 8 < cuts < 32


def test_a_run_with_mixing_trains(digits) -> None:
    plain, mixed = run(lenet(), digits), run(lenet(), digits, mixup=0.2, cutmix=1.0)
    assert plain.losses != mixed.losses
    assert all(np.isfinite(mixed.losses))


def test_draws_are_even_and_depend_on_seed_epoch_and_place_only() -> None:
    places = torch.arange(20_000)
    draws = uniform(0, 0, places, count=2)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(draws.mean().item() - 0.5) < 0.01
    assert np.abs(np.histogram(draws, bins=10, range=(0, 1))[0] / 40_000 - 0.1).max() < 0.01
    assert abs(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1]) < 0.03
    assert abs(np.corrcoef(draws[1:, 0], draws[:-1, 0])[0, 1]) < 0.03
    some = torch.tensor([7, 3])
    assert torch.equal(uniform(0, 0, some, count=2), draws[some])
    for seed, epoch in ((1, 0), (0, 1), (-1, 0)):
        assert not torch.equal(uniform(seed, epoch, places, count=2), draws)


def test_a_crop_of_everything_is_the_image_and_a_crop_is_part_of_it() -> None:
    ramp = torch.linspace(0, 1, 16).view(1, 1, 1, 16).expand(64, 1, 16, 16)
    whole = cropped(ramp, torch.tensor([[1.0, 0.5, 0.5, 0.5]]).expand(64, 4), least=0.5)
    torch.testing.assert_close(whole, ramp, atol=1e-5, rtol=0)
    part = cropped(ramp, torch.rand(64, 4, generator=torch.Generator().manual_seed(0)), least=0.2)
    widths = part[:, 0, 0, -1] - part[:, 0, 0, 0]
    assert (widths <= 1.0001).all()
    assert widths.min() < 0.7
    assert (part >= -1e-5).all()
    assert (part <= 1.00001).all()


def test_mirrors_are_of_the_kinds_asked_for() -> None:
    image = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).view(1, 1, 2, 2).expand(200, 1, 2, 2)
    draws = uniform(0, 0, torch.arange(200), count=2)
    for flips, number in {"none": 1, "horizontal": 2, "both": 4}.items():
        turned = mirrored(image, draws, flips=flips)
        assert len({tuple(m.flatten().tolist()) for m in turned}) == number


def test_workers_change_nothing(digits) -> None:
    runs = []
    for workers in (0, 2):
        model = small()
        losses = run(model, digits, workers=workers, crop=0.5, mixup=0.2, epochs=2).losses
        runs.append((losses, weights(model)))
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])


def test_a_budget_of_minutes_is_kept(digits) -> None:
    recipe = replace(PLAIN, minutes=1.0 / 60)
    steps: list[int] = []
    history = finetune(lenet(), *digits, recipe, **GREY, on_step=lambda i, n, loss: steps.append(n))
    assert 0.8 < history.train_seconds < 2.5
    assert len(history.epochs) > 1
    assert set(steps) == {0}
