"""The training step as a GPU would meet it, on a machine that has none, by torch's fake tensors.

A fake tensor has a shape, a type and a device, and no values. torch refuses an operation on two
devices, as a GPU does, and refuses to tell a value, which is where a host waits for its GPU. What
this can't show is what the kernels calculate, how fast, and the backward pass: autograd's engine
wants a real GPU for it, and a stand-in gives each weight a gradient.
"""

from collections.abc import Iterator

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from lineage_lab import create_model
from lineage_lab.data.sets import ImageSet
from lineage_lab.training.batches import DRAWS, Prepare
from lineage_lab.training.device import Form, pick_device
from lineage_lab.training.loop import _look
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.run import Run
from lineage_lab.training.step import step

CUDA = torch.device("cuda", 0)
BATCH = 8


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A GPU of fake tensors; what asks the driver for one is told that there is one."""
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    # Both read values, once, before the first step.
    monkeypatch.setattr("lineage_lab.training.run.batch_norms", lambda model: [])
    monkeypatch.setattr(torch.nn.init, "trunc_normal_", lambda tensor, **_: tensor)
    monkeypatch.setattr(torch.Tensor, "backward", backward)
    with FakeTensorMode():
        yield


def backward(loss: torch.Tensor) -> None:
    """What a backward pass leaves: a gradient beside each weight that the loss comes from."""
    assert loss.device == CUDA
    seen, nodes = set(), [loss.grad_fn]
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        nodes += [following for following, _ in node.next_functions]
        if (weight := getattr(node, "variable", None)) is not None:
            weight.grad = torch.zeros_like(weight)


def begun(name: str, precision: str, **changes: object) -> Run:
    recipe = Recipe(batch_size=BATCH, device="cuda", precision=precision, **changes)
    with torch.device(CUDA):
        model = create_model(name, num_classes=2)
    images = torch.zeros(2 * BATCH, 3, 224, 224, dtype=torch.uint8)
    data = ImageSet(images=images, labels=torch.zeros(2 * BATCH, dtype=torch.int64),
                    classes=("a", "b"), name="", licence="")  # fmt: skip
    form = Form(precision=precision, memory_format="channels_last")
    prepare = Prepare((0.5,) * 3, (0.5,) * 3, CUDA, layout=form.layout)
    return Run(model=model, train=data, recipe=recipe, form=form, prepare=prepare)


@pytest.mark.parametrize(
    ("name", "precision", "changes"),
    [
        ("resnet50", "fp32", {}),
        ("resnet50", "bf16", {"clip_norm": 1.0, "flips": "both", "unfreeze": "gradual"}),
        ("efficientnet_b0", "fp16", {"accumulate": 2, "clip_norm": 1.0}),
        ("convnext_tiny", "fp16", {"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1}),
        ("convnext_tiny", "tf32", {"crop": 0.5, "head_epochs": 1}),
        ("vit_b_16", "bf16", {"norms": "frozen", "layer_decay": 0.7}),
    ],
)
def test_a_step_stays_on_the_gpu_and_waits_for_nothing(fake, name, precision, changes) -> None:
    run = begun(name, precision, **changes)
    images, labels = run.train.images[:BATCH], run.train.labels[:BATCH]
    losses = []
    for _ in range(2):
        run.set_rates()
        run.unfreeze(run.pieces_due())
        losses.append(step(run, images, labels, torch.rand(BATCH, DRAWS)))
        run.progress.batch += 1
    assert all(loss.device == CUDA and loss.dtype == torch.float32 for loss in losses)
    assert run.scaler.is_enabled() == (precision == "fp16")
    assert all(p.device == CUDA and p.dtype == torch.float32 for p in run.parameters)
    moments = [t for state in run.optimizer.state.values() for t in state.values()]
    assert moments
    assert all(t.device == CUDA for t in moments)
    # At the next display the host looks, and that is where it waits.
    with pytest.raises(DataDependentOutputException):
        _look(run, losses)


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert pick_device() == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match=r"process 3 .* no GPU of its own"):
        pick_device()
