"""The routine when something goes wrong, is interrupted, or is shared by processes."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from lineage_lab import finetune
from lineage_lab.training import loop as routine
from lineage_lab.training import run as training
from lineage_lab.training import trial
from lineage_lab.training.device import Form
from lineage_lab.training.loop import Interrupted
from lineage_lab.training.optim import optimizer
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.trial import LAPS, WARMUP, fastest_form
from tests.small import GREY, PLAIN, lenet, run, same, small, weights

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def fp16_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """fp16 on a processor: too slow to be offered, the same arithmetic and scaler as a GPU's."""
    monkeypatch.setattr(routine, "check_device", lambda recipe, device: None)


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
            return grad * float("nan") if calls > WARMUP + 4 else grad

    model.pool.register_forward_hook(lambda module, inputs, output: Poison.apply(output))
    kept: list[list[torch.Tensor]] = []
    with pytest.raises(ValueError, match="the gradient is not finite at step 5 of"):
        finetune(model, train, val, PLAIN, **GREY, on_step=lambda *_: kept.append(weights(model)))
    assert len(kept) == 4
    assert all(torch.equal(a, b) for a, b in zip(kept[-1], weights(model), strict=True)
               if a.is_floating_point())  # fmt: skip


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("fused", [True, False])
def test_the_device_masks_by_itself_what_the_host_sees_later(
    digits, monkeypatch, fp16_taken, precision: str, fused: bool
) -> None:
    """As on a GPU: the host looks at the end only, and all steps from the bad one on are void."""

    def as_on_mps(*given: object) -> torch.optim.Optimizer:  # it has no fused optimizer
        found = optimizer(*given)
        for options in (found.defaults, *found.param_groups):
            options["fused"] = False
        found._step_supports_amp_scaling = False
        return found

    if not fused:
        monkeypatch.setattr(training, "optimizer", as_on_mps)
    monkeypatch.setattr(routine, "LOOKED_AT", ())
    monkeypatch.setattr(routine, "SHOWN_EVERY", 1e9)

    def weights_before_step_4(*, poisoned: bool) -> list[torch.Tensor]:
        model, calls, kept = small(), 0, []

        def look(module: nn.Module, inputs, output):
            nonlocal calls
            calls += module.training  # the noise that finds the head is none of the steps
            if calls != WARMUP + 4 or not module.training:
                return None
            kept.append([p.detach().clone() for p in model.parameters()])
            return output * float("inf") if poisoned else None

        model.register_forward_hook(look)
        if not poisoned:
            run(model, digits, precision=precision)
            return kept[0]
        with pytest.raises(ValueError, match="the loss is nan at step 4 of"):
            run(model, digits, precision=precision)
        assert all(b.isfinite().all() for b in model.buffers())
        return [p.detach().clone() for p in model.parameters()]

    assert same(weights_before_step_4(poisoned=False), weights_before_step_4(poisoned=True))


def test_in_fp16_a_network_learns_as_in_fp32(digits, fp16_taken) -> None:
    exact, half = (
        run(small(), digits, epochs=6, lr=5e-3, head_lr=5e-3, precision=precision)
        for precision in ("fp32", "fp16")
    )
    assert half.precision == "fp16"
    assert half.losses != exact.losses
    torch.testing.assert_close(half.losses[:8], exact.losses[:8], atol=0.02, rtol=0)
    assert half.val_accuracy == pytest.approx(exact.val_accuracy, abs=0.1)


def test_in_fp16_a_gradient_that_overflows_is_left_out_and_the_run_goes_on(
    digits, monkeypatch, fp16_taken
) -> None:
    """The scaler's own business: it lowers its scale, and says nothing."""
    scales: list[float] = []
    kept: list[list[torch.Tensor]] = []
    model = small()
    stepped = routine.step

    def step(state, images, *rest):
        if len(kept) == 3:
            state.scaler.update(2.0**120)
        loss = stepped(state, images, *rest)
        scales.append(state.scaler.get_scale())
        kept.append([p.detach().clone() for p in model.parameters()])
        return loss

    monkeypatch.setattr(routine, "step", step)
    history = run(model, digits, precision="fp16")
    assert scales[2] == 2.0**16
    assert scales[3] == 2.0**119
    assert same(kept[2], kept[3])
    assert not same(kept[1], kept[2])
    assert len(history.losses) == len(kept)
    assert all(map(math.isfinite, history.losses))


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
    {"head_epochs": 1, "unfreeze": "gradual"}, {"precision": "fp16"}])  # fmt: skip
def test_an_interrupted_run_goes_on_to_the_same_bits(
    tmp_path: Path, digits, fp16_taken, changes
) -> None:
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
    with pytest.raises(
        ValueError, match=r"of another run: the recipe \(lr 0\.005 there, 0\.001 here\) differs"
    ):
        finetune(small(), train, val, replace(PLAIN, lr=1e-3), **GREY, folder=tmp_path, resume=True)
    fewer = train.take(torch.arange(len(train) - 1))
    with pytest.raises(ValueError, match="the images to train on differ"):
        finetune(small(), fewer, val, PLAIN, **GREY, folder=tmp_path, resume=True)


def test_the_trial_takes_the_fastest_and_remembers_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path))
    monkeypatch.setattr(trial, "_has_bf16", lambda: True)
    import time

    slowness = {"bf16": 0.03, "fp32": 0.01}
    ran: list[Form] = []

    def step(form: Form) -> None:
        ran.append(form)
        time.sleep(slowness[form.precision] + 0.02 * (form.memory_format == "contiguous"))

    def choose(**changes) -> Form:
        ran.clear()
        recipe = Recipe(compile="off", **changes)
        images, cpu = torch.zeros(4, 1, 32, 32), torch.device("cpu")
        return fastest_form(lenet(), images, step, recipe=recipe, steps=10, device=cpu)

    form = choose()
    assert str(form) == "fp32, channels_last"
    assert len(ran) == 3 * LAPS
    assert dict(form.images_per_second)["fp32, channels_last"] < 4 / 0.01
    assert choose() == form
    assert len(ran) == WARMUP  # a warm-up, no trial
    (tmp_path / "trials.json").write_text('{"broken')
    assert str(choose()) == "fp32, channels_last"
    assert len(ran) == 3 * LAPS
    assert str(choose(precision="bf16", memory_format="contiguous")) == "bf16, contiguous"

    # Where the processor has no kernels for it, it is not even tried: that alone takes minutes.
    monkeypatch.setattr(trial, "_has_bf16", lambda: False)
    assert str(choose()) == "fp32, channels_last"
    assert {form.precision for form in ran} == {"fp32"}
    assert len(ran) == 2 * LAPS
    assert str(choose(precision="bf16", memory_format="contiguous")) == "bf16, contiguous"


@pytest.fixture
def clocked(tmp_path, monkeypatch) -> Callable[..., tuple[Form, list[str]]]:
    """A trial on a clock of its own: the form that it chose, and what it ran."""

    def choose(kind: str, seconds: Callable[[Form, int], float]) -> tuple[Form, list[str]]:
        ran: list[str] = []
        clock = 0.0

        def step(form: Form) -> None:
            nonlocal clock
            ran.append(str(form))
            clock += seconds(form, len(ran))

        monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path))
        monkeypatch.setattr(trial, "_has_bf16", lambda: True)
        monkeypatch.setattr(trial, "device_name", lambda _: kind)
        monkeypatch.setattr(trial.time, "perf_counter", lambda: clock)
        images, recipe = torch.zeros(4, 1, 32, 32), Recipe(compile="off")
        here = torch.device(kind)
        return fastest_form(lenet(), images, step, recipe=recipe, steps=10, device=here), ran

    return choose


def test_a_slow_moment_in_the_trial_does_not_decide(clocked) -> None:
    """The choice is kept for good: a form that came close behind runs once more."""

    def seconds(form: Form, lap: int) -> float:
        slow = 1.4 if lap <= LAPS else 1.0
        contiguous = 0.2 * (form.memory_format == "contiguous")
        return slow * {"bf16": 1.0, "fp32": 2.0}[form.precision] + contiguous

    form, ran = clocked("cpu", seconds)
    assert str(form) == "bf16, channels_last"
    assert ran[3 * LAPS :] == ["bf16, channels_last"] * LAPS
    rates = {"bf16, channels_last": 4, "fp32, channels_last": 2, "bf16, contiguous": 4 / 1.2}
    assert dict(form.images_per_second) == pytest.approx(rates)


def test_the_trial_tries_what_a_gpu_has(clocked) -> None:
    def seconds(form: Form, _: int) -> float:
        contiguous = float(form.memory_format == "contiguous")
        return {"bf16": 2.0, "fp16": 1.0, "tf32": 3.0}[form.precision] + contiguous

    form, ran = clocked("cuda", seconds)
    assert str(form) == "fp16, channels_last"
    assert list(dict.fromkeys(ran)) == ["bf16, channels_last", "fp16, channels_last",
                                        "tf32, channels_last", "fp16, contiguous"]  # fmt: skip
    assert len(ran) == 4 * LAPS


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
from lineage_lab.data.sets import load, split
from lineage_lab.training.recipe import Recipe
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


PAGES = """
import resource, sys
from contextlib import nullcontext
import torch
from lineage_lab.training.device import memory_reused

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = torch.ones(2**24)  # 64 MiB
    block.sum()
    del block
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

with memory_reused(torch.device("cpu")) if sys.argv[1] == "reused" else nullcontext():
    # An aligned block needs a little more than it frees: it takes some steps until all fit.
    print([faults() for _ in range(30)][-1])
    inside = resident()
print(inside - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is meant")
def test_memory_that_a_step_frees_serves_the_next_and_goes_back_at_the_end() -> None:
    found = {}
    for how in ("reused", "as it is"):
        done = subprocess.run([sys.executable, "-c", PAGES, how], capture_output=True, text=True,
                              check=True)  # fmt: skip
        found[how] = [int(line) for line in done.stdout.split()]
    pages = 2**26 // 4096
    assert found["as it is"][0] > 0.9 * pages
    assert found["reused"][0] < 0.1 * pages
    assert found["reused"][1] > 0.9 * 2**26  # given back
