"""The fine-tune routine on real images: it learns, repeats itself, and stops at a bad loss."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lineage_lab import create_model, finetune
from lineage_lab.data.sets import ImageSet, load, split
from lineage_lab.training import loop as finetuning
from lineage_lab.training.batches import Prepare
from lineage_lab.training.device import Form
from lineage_lab.training.optim import factor, optimizer, parts
from lineage_lab.training.recipe import Recipe, recipe_for
from lineage_lab.training.trial import WARMUP

DIGITS = Recipe(lr=5e-3, head_lr=5e-3, batch_size=32, precision="fp32",
                memory_format="contiguous", device="cpu")  # fmt: skip

GREY = {"mean": (0.1,), "std": (0.3,)}  # one channel in, one channel on


@pytest.fixture(scope="module")
def digits() -> tuple[ImageSet, ImageSet]:
    return split(load("digits", size=32), seed=0, limit=1000)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return create_model("lenet5_modern")


def test_it_learns_real_digits(digits) -> None:
    history = finetune(network(), *digits, replace(DIGITS, epochs=6), **GREY)
    assert history.val_accuracy > 0.85
    assert history.val_accuracy == sum(history.correct) / len(digits[1])
    assert len(history.losses) == 6 * 24
    assert history.images_trained == 6 * len(digits[0])
    assert history.images_per_second == history.images_trained / history.train_seconds
    assert (history.device, history.precision) == ("cpu", "fp32")


def test_the_same_seed_gives_the_same_run_and_another_seed_another(digits) -> None:
    runs = [finetune(network(), *digits, replace(DIGITS, seed=s), **GREY).losses for s in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_step_is_adamws_on_the_cross_entropy(digits) -> None:
    """One step by hand, with torch's own optimiser and loss."""
    train, val = digits
    train = train.take(torch.arange(32))
    ours = network()
    finetune(ours, train, val, replace(DIGITS, flips="none"), **GREY)
    by_hand = network()
    decaying = [p for p in by_hand.parameters() if p.dim() > 1]
    others = [p for p in by_hand.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decaying, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
        lr=5e-3 * factor(1 / 2, 0.1),
    )
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    images = (train.images[order].float() / 255 - 0.1) / 0.3
    F.cross_entropy(by_hand.train()(images), train.labels[order]).backward()
    optimizer.step()
    for mine, theirs in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.fault("last-single")
def test_every_image_is_used_once_an_epoch_and_no_batch_is_a_single_image() -> None:
    data = ImageSet(
        images=torch.arange(33, dtype=torch.uint8).view(33, 1, 1, 1).expand(33, 1, 32, 32),
        labels=torch.arange(33) % 10,
        classes=tuple("0123456789"),
        name="count",
        licence="none",
        flips="none",
    )
    seen: list[torch.Tensor] = []
    model = network()
    model.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0][:, 0, 0, 0]) if module.training else None
    )
    finetune(model, data, data, DIGITS, mean=(0.0,), std=(1 / 255,))
    seen = seen[WARMUP:]  # what came before is the warm-up, on a copy
    assert [len(batch) for batch in seen] == [17, 16]
    assert torch.cat(seen).round().long().sort().values.tolist() == list(range(33))


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    factors = [factor((step + 1) / 101, 0.1) for step in range(100)]
    assert factors[:10] == sorted(factors[:10])
    assert max(factors) > 0.999
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert 0 < factors[-1] < 1e-3


def test_head_and_body_have_their_own_learning_rates_and_norms_do_not_decay() -> None:
    model = create_model("efficientnet_lite0", num_classes=2)
    found = optimizer(model, model.head, Recipe(layer_decay=0.5), torch.device("cpu"))
    pieces = parts(model, model.head)
    assert len(pieces) == 1 + 7 + 1  # stem, stages, the last convolution
    rates = {(g["depth"], g["weight_decay"]): g["peak"] for g in found.param_groups}
    assert rates[(0, 0.01)] == rates[(0, 0.0)] == 5e-3
    assert rates[(1, 0.0)] == 1e-3
    assert rates[(9, 0.01)] == 1e-3 * 0.5**8
    assert sum(len(g["params"]) for g in found.param_groups) == len(list(model.parameters()))


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "googlenet", "convnext_tiny"])
def test_the_parts_of_a_body_are_all_of_it_once(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=2)
    found = optimizer(model, model.head, recipe_for("vit"), torch.device("cpu"))
    listed = [id(p) for g in found.param_groups for p in g["params"]]
    assert sorted(listed) == sorted(id(p) for p in model.parameters())
    first = next(p for n, p in model.named_parameters() if n.startswith(("stem", "class_token")))
    depth = next(g["depth"] for g in found.param_groups if any(p is first for p in g["params"]))
    assert depth == max(g["depth"] for g in found.param_groups)


def test_preparation_is_torchvisions_normalize_and_repeats_grey() -> None:
    from torchvision.transforms.v2 import functional as tv

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    grey = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    prepare = Prepare(mean, std, torch.device("cpu"), layout=torch.channels_last)
    ours = prepare(grey)
    theirs = tv.normalize(grey.expand(-1, 3, -1, -1).float() / 255, mean, std)
    torch.testing.assert_close(ours, theirs)
    assert ours.is_contiguous(memory_format=torch.channels_last)


def test_the_warm_up_leaves_no_trace(digits) -> None:
    train, val = digits
    model = network()
    before = [p.clone() for p in model.parameters()]
    finetune(model, train, val, replace(DIGITS, lr=0, head_lr=0, weight_decay=0), **GREY)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems don't set the peak back")
def test_the_peak_of_memory_is_that_of_the_training(digits, monkeypatch) -> None:
    choose, large = finetuning.choose_form, 2**29

    def greedy(*args: object, **options: object) -> Form:
        torch.ones(large // 4).sum()  # half a GiB, for the warm-up alone
        return choose(*args, **options)

    monkeypatch.setattr(finetuning, "choose_form", greedy)
    history = finetune(network(), *digits, DIGITS, **GREY)
    resident = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )
    assert history.peak_memory < resident + large // 2


@pytest.mark.fault("not-finite")
def test_a_loss_that_is_not_finite_stops_before_the_update(digits) -> None:
    train, val = digits
    model = network()
    calls = 0

    def poison(module: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor | None:
        nonlocal calls
        calls += 1
        # the first calls belong to the warm-up, on a copy that has this hook too
        return output * float("nan") if calls == WARMUP + 3 else None

    model.register_forward_hook(poison)
    kept: list[torch.Tensor] = []

    def keep(step: int, steps: int, loss: float) -> None:
        kept[:] = [p.detach().clone() for p in model.parameters()]

    recipe = replace(DIGITS, precision="fp32")
    with pytest.raises(
        ValueError, match=r"the loss is nan at step 3 of 24 \(epoch 1, batch 3, images \d+, "
    ):
        finetune(model, train, val, recipe, **GREY, on_step=keep)
    assert kept
    assert all(torch.equal(a, b) for a, b in zip(kept, model.parameters(), strict=True))


def test_a_head_that_does_not_fit_is_named(digits) -> None:
    with pytest.raises(
        ValueError, match=r"gives 3 scores, but digits has 10 classes: replace_head"
    ):
        finetune(create_model("lenet5_modern", num_classes=3), *digits)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be at least 1"),
        ("batch_size", 1, "batch_size must be at least 2"),
        ("warmup", 1.0, "warmup must be from 0 to below 1"),
        ("precision", "fp64", "precision is one of auto, fp32, tf32, bf16, fp16"),
        ("flips", "up", "flips is one of"),
    ],
)
def test_a_recipe_out_of_range_is_refused(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**{field: value})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda(digits) -> None:
    history = finetune(network(), *digits, replace(DIGITS, device="cuda", epochs=6), **GREY)
    assert history.val_accuracy > 0.85
    assert history.memory_kind == "allocated on the GPU"
