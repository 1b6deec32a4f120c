"""`describe` on all of torchvision's classifiers and on each family of timm's networks.

With LINEAGE_LAB_ALL=1 every architecture of both is taken apart, which takes about an hour.
"""

import pytest
import timm
import torch
import torchvision.models as tvm
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import describe
from tests.rows import EVERYTHING, each, some

# The larger of a kind have the same operators, only more of them.
LARGER = ("vgg13", "vgg16", "resnet101", "resnet152", "resnext101", "densenet161", "densenet169",
          "densenet201", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4", "efficientnet_b5",
          "efficientnet_b6", "efficientnet_v2_m", "efficientnet_v2_l", "mnasnet0_75", "mnasnet1_0",
          "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "convnext_small", "convnext_base",
          "swin_s", "swin_b", "swin_v2_s", "swin_v2_b", "vit_b_32", "vit_l_32",
          "vit_h")  # fmt: skip
TORCHVISION = sorted(
    n for n in tvm.list_models(module=tvm) if EVERYTHING or not n.startswith(("regnet", *LARGER))
)
# One of each kind: convolutions, gates, shuffles, windows, pyramids, mixers, attention with
# convolutions, several branches. At night, every one.
FAMILIES = ("resnetv2_50", "seresnext26t_32x4d", "densenet121", "skresnet18", "hrnet_w18_small",
            "mobilenetv4_conv_small", "ghostnet_100", "inception_next_atto", "selecsls42",
            "nfnet_f0", "convnextv2_atto", "mobilevit_xxs", "halonet26t", "gcresnext26ts",
            "deit_tiny_distilled_patch16_224", "levit_128s", "swin_tiny_patch4_window7_224",
            "crossvit_tiny_240", "xcit_nano_12_p16_224", "mixer_s32_224", "coatnet_pico_rw_224",
            "fastvit_t8")  # fmt: skip


def held_to_pytorchs_counter(model: nn.Module, size: tuple[int, ...]) -> None:
    # With gradients on: without them, the counter itself fails on some forms of attention.
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *size, device="meta"))
    anatomy = describe(model, size)
    assert anatomy.flops == 2 * anatomy.macs == counter.get_total_flops()
    assert sum(layer.macs for layer in anatomy.layers) == anatomy.macs
    assert anatomy.parameters == sum(p.numel() for p in model.parameters())
    assert anatomy.receptive_field is not None
    assert anatomy.field is not None


@pytest.mark.parametrize("name", each(TORCHVISION, 2))
def test_torchvisions_classifiers(name: str) -> None:
    size = (3, 299, 299) if name == "inception_v3" else (3, 224, 224)
    # RegNet counts with tensors while it is built, so it can't be built on the meta device.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model = getattr(tvm, name)(**({"init_weights": False} if "ception" in name or
                                      name == "googlenet" else {})).eval()  # fmt: skip
    held_to_pytorchs_counter(model.to("meta"), size)


@pytest.mark.parametrize("name", some(timm.list_models(), FAMILIES))
def test_timms_networks(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name).eval()
    held_to_pytorchs_counter(model, model.pretrained_cfg["input_size"])
