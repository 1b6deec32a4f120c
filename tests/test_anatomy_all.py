"""`describe` on all of torchvision's classifiers and on each family of timm's networks.

With LINEAGE_LAB_ALL=1 every architecture of both is taken apart, which takes about an hour.
"""

import os

import pytest
import timm
import torch
import torchvision.models as tvm
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import describe

EVERYTHING = bool(os.environ.get("LINEAGE_LAB_ALL"))
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
# convolutions, structural re-parametrisation, several branches.
FAMILIES = ("resnet18", "resnetv2_50", "seresnext26t_32x4d", "ecaresnet26t", "densenet121",
            "dpn48b", "dla34", "res2net50_14w_8s", "skresnet18", "resnest14d", "hrnet_w18_small",
            "mobilenetv4_conv_small", "mixnet_s", "ghostnet_100", "mnasnet_small", "repvgg_a0",
            "inception_next_atto", "xception41", "vovnet39a", "selecsls42", "regnetx_002",
            "nfnet_f0", "convnext_atto", "convnextv2_atto", "edgenext_xx_small", "poolformer_s12",
            "mobilevit_xxs", "halonet26t", "botnet26t_256", "lambda_resnet26t", "gcresnext26ts",
            "vit_tiny_patch16_224", "deit_tiny_distilled_patch16_224", "levit_128s",
            "swin_tiny_patch4_window7_224", "twins_pcpvt_small", "pvt_v2_b0", "crossvit_tiny_240",
            "xcit_nano_12_p16_224", "mixer_s32_224", "gmlp_ti16_224", "maxvit_rmlp_pico_rw_256",
            "coatnet_pico_rw_224", "mvitv2_tiny", "efficientformer_l1", "tiny_vit_5m_224",
            "fastvit_t8", "mambaout_femto")  # fmt: skip


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


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_classifiers(name: str) -> None:
    size = (3, 299, 299) if name == "inception_v3" else (3, 224, 224)
    # RegNet counts with tensors while it is built, so it can't be built on the meta device.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model = getattr(tvm, name)(**({"init_weights": False} if "ception" in name or
                                      name == "googlenet" else {})).eval()  # fmt: skip
    held_to_pytorchs_counter(model.to("meta"), size)


@pytest.mark.parametrize("name", timm.list_models() if EVERYTHING else FAMILIES)
def test_timms_networks(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name).eval()
    held_to_pytorchs_counter(model, model.pretrained_cfg["input_size"])
