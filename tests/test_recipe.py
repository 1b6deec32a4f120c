"""Each line of the recipe does what it says, and nothing when it is off."""

import copy
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lineage_lab import create_model, finetune
from lineage_lab import finetuning as routine
from lineage_lab.augment import blended, cropped, mirrored, uniform
from lineage_lab.data import ImageSet, load, split
from lineage_lab.device import LAPS, Form, trial
from lineage_lab.finetuning import Interrupted
from lineage_lab.recipe import FAMILIES, Recipe, recipe_for

PLAIN = Recipe(lr=5e-3, head_lr=5e-3, batch_size=32, precision="fp32",
               memory_format="contiguous", device="cpu")  # fmt: skip
GREY = {"mean": (0.1,), "std": (0.3,)}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> tuple[ImageSet, ImageSet]:
    return split(load("digits", size=32), seed=0, limit=400)


class Small(nn.Module):
    """Two convolutions with batch norm and dropout, a hidden layer, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU())
        self.stages = nn.Sequential(
            nn.Sequential(nn.Conv2d(8, 8, 3, 2), nn.Sequential(nn.BatchNorm2d(8), nn.ReLU())),
            nn.Sequential(nn.Conv2d(8, 16, 3, 2), nn.Sequential(nn.ReLU(), nn.Dropout(0.1))),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.stages(self.stem(x))).flatten(1))


def small(*, trained: bool = True) -> Small:
    torch.manual_seed(0)
    model = Small()
    if trained:  # statistics that a training has filled
        for norm in (model.stem[1], model.stages[0][1][0]):
            norm.running_mean.normal_(std=0.1)
    return model


def lenet() -> nn.Module:
    torch.manual_seed(0)
    return create_model("lenet5_modern")


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [t.detach().clone() for t in model.state_dict().values()]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def run(model: nn.Module, digits, **changes):
    return finetune(model, *digits, replace(PLAIN, **changes), **GREY)


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
        ({"lr": float("nan")}, "lr must be at least 0"),
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
        ({"batch_size": 8, "accumulate": 2}, True, False),  # four images at once are too few
        ({"batch_size": 8, "accumulate": 2, "norms": "train"}, True, True),
        ({"norms": "frozen"}, False, True),  # there is nothing worth keeping
    ],
)
def test_batch_norms_learn_where_they_should(digits, changes, trained: bool, moves: bool) -> None:
    model = small(trained=trained)
    before = model.stem[1].running_mean.clone()
    run(model, digits, **changes)
    assert torch.equal(model.stem[1].running_mean, before) != moves


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
    for later in seen[1:]:
        average = [0.8 * a + 0.2 * b for a, b in zip(average, later, strict=True)]
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


def test_a_gradient_that_is_not_finite_changes_nothing_and_nor_does_what_follows(digits) -> None:
    """The loss is finite, its gradient is not: the update is masked, and the run stops."""
    train, val = digits
    model = small()
    calls = 0

    class Poison(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            nonlocal calls
            calls += 1
            return grad * float("nan") if calls > LAPS + 4 else grad

    model.pool.register_forward_hook(lambda module, inputs, output: Poison.apply(output))
    kept: list[list[torch.Tensor]] = []
    with pytest.raises(ValueError, match="the gradient is not finite at step 5 of"):
        finetune(model, train, val, PLAIN, **GREY, on_step=lambda *_: kept.append(weights(model)))
    assert len(kept) == 4
    assert all(torch.equal(a, b) for a, b in zip(kept[-1], weights(model), strict=True)
               if a.is_floating_point())  # fmt: skip


def test_the_device_masks_by_itself_what_the_host_sees_later(digits, monkeypatch) -> None:
    """As on a GPU: the host looks at the end only, and all steps from the bad one on are void."""
    monkeypatch.setattr(routine, "LOOKED_AT", ())
    monkeypatch.setattr(routine, "SHOWN_EVERY", 1e9)

    def weights_before_step_4(*, poisoned: bool) -> list[torch.Tensor]:
        model, calls, kept = small(), 0, []

        def look(module: nn.Module, inputs, output):
            nonlocal calls
            calls += 1
            if calls != LAPS + 4:
                return None
            kept.append([p.detach().clone() for p in model.parameters()])
            return output * float("inf") if poisoned else None

        model.register_forward_hook(look)
        if not poisoned:
            run(model, digits)
            return kept[0]
        with pytest.raises(ValueError, match="the loss is nan at step 4 of"):
            run(model, digits)
        assert all(b.isfinite().all() for b in model.buffers())
        return [p.detach().clone() for p in model.parameters()]

    assert same(weights_before_step_4(poisoned=False), weights_before_step_4(poisoned=True))


@pytest.mark.fault("out-of-memory")
def test_running_out_of_memory_halves_what_goes_through_at_once(digits, caplog) -> None:
    model, sizes = lenet(), []

    def limit(module: nn.Module, inputs) -> None:
        if module.training:
            sizes.append(len(inputs[0]))
            if len(inputs[0]) > 10:
                raise torch.OutOfMemoryError("CUDA out of memory")

    model.register_forward_pre_hook(limit)
    plenty, scarce = run(lenet(), digits), run(model, digits)
    assert "now go through in 4 parts" in caplog.text
    assert max(sizes[-8:]) <= 10
    torch.testing.assert_close(plenty.losses, scarce.losses, atol=1e-3, rtol=1e-2)


def interrupted(folder: Path, digits, at: int, recipe: Recipe) -> list[torch.Tensor]:
    """A run that SIGTERM stops at a step, and that goes on in a new network."""

    def stop(step: int, steps: int, loss: float) -> None:
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="stopped by SIGTERM") as caught:
        finetune(small(), *digits, recipe, **GREY, folder=folder, on_step=stop)
    assert caught.value.path == folder / "last.ckpt"
    torch.manual_seed(99)
    again = small()
    finetune(again, *digits, recipe, **GREY, folder=folder, resume=True)
    return weights(again)


@pytest.mark.parametrize("changes", [
    {}, {"workers": 2, "ema": 0.9, "crop": 0.6}, {"optimizer": "sgd", "mixup": 0.3},
    {"head_epochs": 1, "unfreeze": "gradual"}])  # fmt: skip
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path: Path, digits, changes) -> None:
    recipe = replace(PLAIN, epochs=2, **changes)
    whole = small()
    finetune(whole, *digits, recipe, **GREY)
    for at in (3, 12, 14):
        assert same(interrupted(tmp_path / str(at), digits, at, recipe), weights(whole))
    other = small()
    finetune(other, *digits, replace(recipe, seed=1), **GREY)
    assert not same(weights(other), weights(whole))


def test_a_run_of_another_recipe_or_other_images_is_not_gone_on_with(tmp_path, digits) -> None:
    train, val = digits
    finetune(small(), train, val, PLAIN, **GREY, folder=tmp_path)
    assert {p.name for p in tmp_path.iterdir()} >= {"best.ckpt", "last.ckpt"}
    with pytest.raises(ValueError, match="of another run: the recipe's lr differ"):
        finetune(small(), train, val, replace(PLAIN, lr=1e-3), **GREY, folder=tmp_path, resume=True)
    fewer = train.take(torch.arange(len(train) - 1))
    with pytest.raises(ValueError, match="the images to train on differ"):
        finetune(small(), fewer, val, PLAIN, **GREY, folder=tmp_path, resume=True)


def test_the_trial_takes_the_fastest_and_remembers_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path))
    import time

    slowness = {"bf16": 0.03, "fp32": 0.01}
    ran: list[Form] = []

    def step(form: Form) -> None:
        ran.append(form)
        time.sleep(slowness[form.precision] + 0.02 * (form.memory_format == "contiguous"))

    def choose(**changes) -> Form:
        ran.clear()
        options = {"precision": "auto", "memory_format": "auto", "compiling": "off", **changes}
        return trial(lenet(), torch.zeros(4, 1, 32, 32), step, **options, steps=10,
                     device=torch.device("cpu"))  # fmt: skip

    form = choose()
    assert str(form) == "fp32, channels_last"
    assert len(ran) == 3 * LAPS
    assert dict(form.images_per_second)["fp32, channels_last"] < 4 / 0.01
    assert choose() == form
    assert len(ran) == LAPS  # a warm-up, no trial
    (tmp_path / "trials.json").write_text('{"broken')
    assert str(choose()) == "fp32, channels_last"
    assert len(ran) == 3 * LAPS
    assert str(choose(precision="bf16", memory_format="contiguous")) == "bf16, contiguous"


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"precision": "tf32"}, "a form of CUDA's"), ({"precision": "fp16"}, "is for GPUs")],
)
def test_a_precision_that_the_device_has_not_is_refused(digits, changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(lenet(), digits, **changes)


def test_a_device_that_is_not_there_is_refused(digits) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device='cuda' is not on this machine; there is cpu"):
            run(lenet(), digits, device="cuda")


SHARED = """
import sys, torch
from pathlib import Path
from lineage_lab import create_model, finetune
from lineage_lab.data import load, split
from lineage_lab.recipe import Recipe
torch.set_num_threads(1)
torch.manual_seed(0)
digits = split(load("digits", size=32), seed=0, limit=403)
model = create_model("lenet5_modern")
history = finetune(model, *digits, Recipe(lr=5e-3, head_lr=5e-3, batch_size=33, epochs=2,
    precision="fp32", memory_format="contiguous", device="cpu", flips="horizontal", clip_norm=1.0),
    mean=(0.1,), std=(0.3,))
torch.save({"weights": model.state_dict(), "answers": list(history.answers),
            "losses": list(history.losses), "processes": history.processes},
           Path(sys.argv[1]) / f"{history.processes}-{__import__('os').environ.get('RANK', 0)}.pt")
"""


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    """Uneven shares (33 images a step), 81 validation images: each is answered once."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, env=environment)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*launch, str(script), str(tmp_path)], check=True, env=environment)
    one, first, second = (
        torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1-0", "2-0", "2-1")
    )
    assert (one["processes"], first["processes"]) == (1, 2)
    assert first["answers"] == second["answers"]
    assert len(first["answers"]) == len(one["answers"])
    agree = sum(a == b for a, b in zip(one["answers"], first["answers"], strict=True))
    assert agree >= len(one["answers"]) - 1
    for name, tensor in one["weights"].items():
        torch.testing.assert_close(first["weights"][name], tensor, atol=2e-3, rtol=1e-2)
        assert torch.equal(first["weights"][name], second["weights"][name])
