"""A file of weights from anywhere: what it is wrapped in, what its head is, what is refused."""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lineage_lab import create_model, replace_head
from lineage_lab.weights.naming import to_torchvision
from lineage_lab.weights.reading import read

State = dict[str, Tensor]
NAME = "resnet20_cifar"  # small, with the names of torchvision


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return create_model(NAME, num_classes=7).eval()


def state(model: nn.Module) -> State:
    return {name: tensor.clone() for name, tensor in to_torchvision(model).items()}


def same(model: nn.Module, path: Path, **options: Any) -> nn.Module:
    """The network from a file, which gives the scores of the one that was saved."""
    found = create_model(NAME, weights=path, **options).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(found(images), model(images), rtol=1e-3, atol=1e-3)
    return found


def prefixed(prefix: str) -> Callable[[State], Any]:
    return lambda state: {f"{prefix}{name}": tensor for name, tensor in state.items()}


WRAPPINGS: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "DataParallel": prefixed("module."),
    "compiled": prefixed("_orig_mod."),
    "compiled DataParallel": prefixed("_orig_mod.module."),
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "Facebook's": lambda state: {"model": state, "args": argparse.Namespace(lr=0.1)},
    "Lightning's": lambda state: {
        "state_dict": {
            **prefixed("model.")(state), "criterion.weight": torch.ones(7)
        },
        "pytorch-lightning_version": "2.5",
    },
    "AveragedModel": lambda state: {**prefixed("module.")(state), "n_averaged": torch.tensor(3)},
    "timm's training": lambda state: {
        "epoch": 1,
        "arch": "resnet20",
        "state_dict": {name: torch.zeros_like(t) for name, t in state.items()},
        "optimizer": {"state": {0: {"step": torch.ones(())}}, "param_groups": []},
        "version": 2,
        "args": argparse.Namespace(model="resnet20", output=Path("out")),
        "state_dict_ema": prefixed("module.")(state),
        "metric": np.float64(71.2),
    },
}  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_what_is_around_the_tensors_is_taken_off(
    model: nn.Module, wrap: Callable[[State], Any], tmp_path: Path
) -> None:
    torch.save(wrap(state(model)), tmp_path / "x.pth")
    same(model, tmp_path / "x.pth")


def test_a_moving_average_is_taken_and_what_is_not_is_named(
    model: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(WRAPPINGS["timm's training"](state(model)), tmp_path / "x.pth")
    same(model, tmp_path / "x.pth")
    assert "inside state_dict_ema, module." in caplog.text
    assert "not taken: state_dict" in caplog.text
    caplog.clear()
    torch.save(WRAPPINGS["Lightning's"](state(model)), tmp_path / "x.ckpt")
    same(model, tmp_path / "x.ckpt")
    assert "not taken: criterion.weight" in caplog.text


def test_shards_in_half_precision_are_put_together(model: nn.Module, tmp_path: Path) -> None:
    half = {name: t.half() if t.is_floating_point() else t for name, t in state(model).items()}
    names = list(half)
    parts = {"model-00001-of-00002.safetensors": names[:40],
             "model-00002-of-00002.safetensors": names[40:]}  # fmt: skip
    for file, inside in parts.items():
        save_file({name: half[name] for name in inside}, tmp_path / file)
    index = {"weight_map": {name: file for file, inside in parts.items() for name in inside}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in (tmp_path, tmp_path / "model.safetensors.index.json", tmp_path / names_of(parts)):
        found = same(model, path)
        assert all(p.dtype == torch.float32 for p in found.parameters())


def names_of(parts: dict[str, Any]) -> str:
    return next(iter(parts))


@pytest.mark.fault("shard-outside")
@pytest.mark.parametrize(
    "way_out", ["../x.safetensors", "/etc/passwd", "a/../../x", "..\\x", "C:\\x"]
)
def test_an_index_that_leads_out_of_its_folder_is_refused(way_out: str, tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors")
    (tmp_path / "in").mkdir()
    index = tmp_path / "in" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": way_out}}))
    with pytest.raises(ValueError, match="leads out of its folder"):
        read(index)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"fc.weight": Hostile()}, tmp_path / "x.pth")
    np.savez(tmp_path / "x.npz", cls=np.array([Hostile()], dtype=object))
    torch.save(create_model(NAME), tmp_path / "whole.pt")  # a pickled network
    for file in ("x.pth", "x.npz", "whole.pt"):
        with pytest.raises(ValueError, match="was refused"):
            create_model(NAME, weights=tmp_path / file)
    assert not (tmp_path / "ran").exists()


def test_a_head_of_another_size_comes_with_the_network_or_is_new_and_said(
    model: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(state(model), tmp_path / "x.pth")
    assert same(model, tmp_path / "x.pth").head.out_features == 7
    assert "the head of 7 classes is the file's" in caplog.text
    caplog.clear()
    found = create_model(NAME, weights=tmp_path / "x.pth", num_classes=3)
    assert found.head.out_features == 3
    assert "the head, 3 classes, is new (7 in the file)" in caplog.text
    assert torch.equal(found.stem[0].weight, model.stem[0].weight)


@pytest.mark.parametrize("name", ["last_linear", "head.fc", "classifier.1", "fc.1"])
def test_a_renamed_head_is_taken_and_said(
    name: str, model: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    renamed = {re.sub(r"^fc\.", f"{name}.", key): t for key, t in state(model).items()}
    torch.save(renamed, tmp_path / "x.pth")
    same(model, tmp_path / "x.pth")
    assert f"(called {name} there)" in caplog.text


def test_a_head_of_several_layers_is_left_and_named(
    model: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = state(model)
    del tensors["fc.weight"], tensors["fc.bias"]
    tensors |= {"fc.0.weight": torch.ones(16, 64), "fc.0.bias": torch.ones(16),
                "fc.3.weight": torch.ones(7, 16), "fc.3.bias": torch.ones(7)}  # fmt: skip
    torch.save(tensors, tmp_path / "x.pth")
    create_model(NAME, weights=tmp_path / "x.pth")
    assert "is new (the file has none that fits)" in caplog.text
    assert "not taken: fc.0.weight, fc.0.bias, fc.3.weight, fc.3.bias" in caplog.text


def test_a_body_without_a_head_is_loaded_and_said(
    model: nn.Module, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tensors = {name: t for name, t in state(model).items() if not name.startswith("fc.")}
    torch.save(tensors, tmp_path / "x.pth")
    found = create_model(NAME, weights=tmp_path / "x.pth", num_classes=2)
    assert torch.equal(found.stem[0].weight, model.stem[0].weight)
    assert bool(torch.isfinite(found.head.weight).all())
    assert "the head, 2 classes, is new (the file has none that fits)" in caplog.text


REFUSED: dict[str, tuple[Callable[[State], State], str]] = {
    "a tensor is missing": (
        lambda s: {k: t for k, t in s.items() if k != "layer1.0.conv1.weight"},
        r"1 tensor\(s\) are missing, layer1.0.conv1.weight",
    ),
    "one too many in the body": (
        lambda s: {**s, "layer3.9.conv1.weight": torch.ones(2)},
        r"1 are not of this network, layer3.9.conv1.weight",
    ),
    "a norm more": (
        lambda s: {**s, "norm_pre.weight": torch.ones(64), "norm_pre.bias": torch.ones(64)},
        "2 are not of this network, norm_pre",
    ),
    "another shape": (
        lambda s: {**s, "conv1.weight": torch.ones(16, 1, 3, 3)},
        r"1 have another shape, conv1.weight \[16, 1, 3, 3\], not \[16, 3, 3, 3\]",
    ),
    "another network": (
        lambda s: {f"encoder.{i}.w": torch.ones(1) for i in range(9)},
        "have the names of no library that is known for it",
    ),
}  # fmt: skip


@pytest.mark.fault("weights-of-another")
@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_nothing_is_loaded_in_part(
    change: Callable[[State], State], message: str, model: nn.Module, tmp_path: Path
) -> None:
    torch.save(change(state(model)), tmp_path / "x.pth")
    with pytest.raises(ValueError, match=message):
        create_model(NAME, weights=tmp_path / "x.pth")


def test_a_deeper_networks_weights_are_not_taken_for_a_shallower_ones(tmp_path: Path) -> None:
    torch.save(to_torchvision(create_model("resnet32_cifar")), tmp_path / "x.pth")
    with pytest.raises(ValueError, match="are not of this network, layer1"):
        create_model(NAME, weights=tmp_path / "x.pth")


@pytest.mark.fault("weights-cut")
def test_what_is_no_file_of_weights_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no file of weights"):
        create_model(NAME, weights=tmp_path / "x.pth")
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        create_model(NAME, weights=tmp_path / "x.pth")
    (tmp_path / "x.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ValueError, match="no whole safetensors file"):
        create_model(NAME, weights=tmp_path / "x.safetensors")
    (tmp_path / "y.pth").write_bytes(b"not a file of torch's")
    with pytest.raises(ValueError, match=r"y\.pth (can't be read|was refused)"):
        create_model(NAME, weights=tmp_path / "y.pth")
    with pytest.raises(FileNotFoundError, match="holds"):
        create_model(NAME, weights=tmp_path)
    torch.save({"epoch": 3}, tmp_path / "z.pth")
    with pytest.raises(ValueError, match="holds no tensors: only epoch"):
        create_model(NAME, weights=tmp_path / "z.pth")


@pytest.mark.fault("two-forms")
def test_timms_two_forms_under_one_set_of_names_are_told_or_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model("tf_efficientnet_b0", num_classes=3).eval()
    images = torch.randn(1, 3, 64, 64)
    for file in ("tf_efficientnet_b0.safetensors", "x.safetensors"):
        save_file(theirs.state_dict(), tmp_path / file)
        found = create_model("efficientnet_b0", weights=tmp_path / file).eval()
        with torch.no_grad():
            equal = torch.allclose(found(images), theirs(images), atol=1e-5)
        if file == "x.safetensors":
            assert "its names don't tell whether it is of timm's tf_ form" in caplog.text
        else:
            assert equal
            assert "epsilon 0.001 (else 1e-05), padding TensorFlow's" in caplog.text
            caplog.clear()


def test_a_network_of_timm_takes_a_file_of_timms(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    theirs = timm.create_model("resnet10t", num_classes=4).eval()
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "x.pth")
    found = create_model("timm/resnet10t", weights=tmp_path / "x.pth").eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(found(images), theirs(images))
    replace_head(found, 2)
