"""timm's networks by our names: an optional guest, and the weights that it finds."""

import json
import logging
import sys
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file

from lineage_lab import create_model, list_models
from lineage_lab.registry import entry
from lineage_lab.weights.published import WeightsUnavailable

SMALL = "timm/test_resnet.r160_in1k"  # half a million weights; timm's own tests use it
HUB = "models--timm--test_resnet.r160_in1k"


def test_a_row_has_timms_input_and_the_mean_and_deviation_of_its_weights() -> None:
    row = entry("timm/vit_base_patch16_224.augreg_in21k_ft_in1k")
    assert (row.name, row.family) == ("timm/vit_base_patch16_224.augreg_in21k_ft_in1k", "timm")
    assert (row.input_size, row.num_classes) == ((3, 224, 224), 1000)
    assert row.mean == row.std == (0.5, 0.5, 0.5)
    assert entry("timm/resnet18").mean == (0.485, 0.456, 0.406)
    assert entry("timm/vit_small_patch14_dinov2.lvd142m").num_classes == 0
    assert (entry("resnet18").mean, entry("resnet18").std) == (None, None)
    assert not any(name.startswith("timm/") for name in list_models())


def test_every_name_of_timm_is_a_row() -> None:
    for name in (*timm.list_models(), *timm.list_pretrained()):
        row = entry(f"timm/{name}")
        assert len(row.input_size) == 3
        assert len(row.mean or ()) == len(row.std or ()) == row.input_size[0]


def test_a_network_of_timm_is_built_with_as_many_classes_as_asked() -> None:
    row = entry(SMALL)
    images = torch.zeros(1, *row.input_size)
    assert create_model(SMALL).eval()(images).shape == (1, row.num_classes)
    assert create_model(SMALL, num_classes=3).eval()(images).shape == (1, 3)
    with pytest.raises(ValueError, match="must be 1 or more, not 0"):
        create_model(SMALL, num_classes=0)


def test_a_network_without_a_head_is_built_with_one_or_says_so() -> None:
    name = "timm/vit_small_patch14_dinov2.lvd142m"
    with pytest.raises(ValueError, match="has no head of its own: say how many classes"):
        create_model(name)
    with torch.device("meta"):
        assert create_model(name, num_classes=3).head.out_features == 3
        with pytest.raises(ValueError, match="no form of this encoder with a head"):
            create_model("timm/qwen3_vit_88m_enc", num_classes=3)


def test_a_wrong_name_or_tag_is_met_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'resnet19': did you mean .*timm/resnet"):
        entry("timm/resnet19")
    with pytest.raises(ValueError, match=r"'resnet18.a1': did you mean timm/resnet18"):
        create_model("timm/resnet18.a1")
    with pytest.raises(ValueError, match=r"called '\?': timm.list_models\(\) gives all names"):
        entry("timm/?")


def test_without_timm_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModuleNotFoundError, match="Install it with: pip install timm"):
        create_model("timm/resnet18")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def put(hub: Path) -> dict[str, torch.Tensor]:
    """A stand-in for the published file, laid as the hub's client lays it."""
    torch.manual_seed(1)
    state = timm.create_model(SMALL.removeprefix("timm/")).state_dict()
    snapshot = hub / HUB / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    save_file(state, snapshot / "model.safetensors")
    (snapshot / "config.json").write_text(json.dumps({"architecture": "test_resnet"}))
    refs = hub / HUB / "refs"
    refs.mkdir()
    (refs / "main").write_text("0123abc")
    return dict(state)


def test_timms_own_loader_brings_its_weights(hub: Path) -> None:
    state = put(hub)
    loaded = create_model(SMALL, weights="imagenet").state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_with_other_classes_the_body_is_loaded_the_head_is_new_and_the_log_says_so(
    hub: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = put(hub)
    with caplog.at_level(logging.WARNING, logger="lineage_lab.registry"):
        loaded = create_model(SMALL, num_classes=3, weights="imagenet").state_dict()
    assert "the head, 3 classes in place of 1000, is new" in caplog.text
    same = {name for name in state if torch.equal(loaded[name], state[name])}
    assert set(state) - same == {"fc.weight", "fc.bias"}
    assert loaded["fc.weight"].shape[0] == 3


def test_offline_the_error_says_what_was_tried_and_what_to_do(hub: Path) -> None:
    with pytest.raises(WeightsUnavailable, match=r"hf download timm/test_resnet.r160_in1k") as info:
        create_model(SMALL, weights="imagenet")
    assert info.value.path == hub / HUB
    assert str(hub / HUB) in str(info.value)
    # What it advises works.
    put(hub)
    create_model(SMALL, weights="imagenet")


def test_weights_that_timm_does_not_have_are_an_error_that_names_those_it_has() -> None:
    with pytest.raises(ValueError, match=r"no weights named 'imagenet-v1': timm's are 'imagenet'"):
        create_model(SMALL, weights="imagenet-v1")
    with pytest.raises(ValueError, match="timm has no published weights for coatnet_0_224"):
        create_model("timm/coatnet_0_224", weights="imagenet")
