"""The head swap, on networks of torchvision and timm."""

import pytest
import timm
import torch
import torchvision.models as tvm
from torch import nn

from lineage_lab import create_model, replace_head
from lineage_lab.heads import find_head

TORCHVISION = ("resnet50", "convnext_tiny", "efficientnet_b0", "vit_b_16", "vgg16", "alexnet",
               "squeezenet1_0", "densenet121", "swin_t", "mobilenet_v3_small")  # fmt: skip
TIMM = ("resnet18", "convnext_atto", "vit_tiny_patch16_224", "efficientnet_b0", "mixer_s16_224")


def check(model: nn.Module, shape: tuple[int, ...] = (2, 3, 224, 224)) -> None:
    path, old = find_head(model)
    body = {n: p for n, p in model.named_parameters() if not n.startswith(path + ".")}
    assert replace_head(model, 5) is model
    assert all(p is body[n] for n, p in model.named_parameters() if n in body)
    new = model.get_submodule(path)
    assert (new.bias is None) == (old.bias is None)
    assert (new.weight.dtype, new.weight.device) == (old.weight.dtype, old.weight.device)
    assert model.eval()(torch.empty(*shape, device="meta")).shape == (2, 5)


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_networks(name: str) -> None:
    with torch.device("meta"):
        check(getattr(tvm, name)())


@pytest.mark.parametrize("name", TIMM)
def test_timms_networks(name: str) -> None:
    with torch.device("meta"):
        check(timm.create_model(name))


def test_dtype_is_kept_and_bias_stays_absent() -> None:
    model = nn.Sequential()
    model.fc = nn.Linear(8, 10, bias=False, dtype=torch.bfloat16)
    replace_head(model, 3)
    assert model.fc.bias is None
    assert model.fc.weight.dtype == torch.bfloat16
    assert model.fc.weight.shape == (3, 8)


def test_no_head_is_an_error_that_names_the_candidates() -> None:
    with pytest.raises(ValueError, match=r"Its last linear layers are: 0, 2"):
        replace_head(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), 2)


def test_lenet5s_fixed_codes_are_no_head() -> None:
    with pytest.raises(TypeError, match="has no head to replace"):
        replace_head(create_model("lenet5"), 3)


def test_less_than_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more, not 0"):
        replace_head(create_model("lenet5_modern"), 0)
