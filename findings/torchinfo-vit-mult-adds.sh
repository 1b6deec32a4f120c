#!/usr/bin/env bash
# torchinfo 1.8.0 with torch 2.14.1, torchvision 0.29.1: mult-adds of ViT-B/16 are 101 times too
# low, those of ConvNeXt-T 14 times, without a warning.
#
# Seen: summary(vit_b_16).total_mult_adds is 173,232,616 and summary(convnext_tiny)'s 322,371,592.
# FlopCounterMode with gradients finds 33,697,001,472 and 8,911,062,528 FLOPs, two a mult-add. A
# linear layer is counted once for the batch, not once for each token or place; the weights inside
# nn.MultiheadAttention are not counted.
#
# Exits 0 while this is so, 1 once it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.14.1 torchvision==0.29.1 torchinfo==1.8.0
"$folder/venv/bin/python" - <<'PY'
import torch
import torchvision.models as tvm
from torch.utils.flop_counter import FlopCounterMode
from torchinfo import summary

for name, seen in (("vit_b_16", 173_232_616), ("convnext_tiny", 322_371_592)):
    model = getattr(tvm, name)().eval()
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 224, 224))
    count = summary(model, input_size=(1, 3, 224, 224), verbose=0).total_mult_adds
    ratio = counter.get_total_flops() / 2 / count
    print(f"{name}: torchinfo {count:,} mult-adds, PyTorch's counter {ratio:.1f} times as many")
    assert count == seen
    assert ratio > 10
PY
