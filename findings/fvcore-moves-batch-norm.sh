#!/usr/bin/env bash
# fvcore 0.1.5.post20221221 with torch 2.14.1, torchvision 0.29.1: counting a network that is in
# train mode moves the running averages of its batch norms; nothing says so.
#
# Seen: after FlopCountAnalysis(resnet18 in train mode).total() all 20 running means and
# running variances differ, and num_batches_tracked is 1: the tracer ran the network on the example.
#
# Exits 0 while this is so, 1 once it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet \
  torch==2.14.1 torchvision==0.29.1 fvcore==0.1.5.post20221221
"$folder/venv/bin/python" - <<'PY'
import warnings

import torch
import torchvision.models as tvm
from fvcore.nn import FlopCountAnalysis

warnings.simplefilter("ignore")
torch.manual_seed(0)
model = tvm.resnet18().train()
before = {name: buffer.clone() for name, buffer in model.named_buffers()}
FlopCountAnalysis(model, torch.rand(2, 3, 64, 64)).unsupported_ops_warnings(False).total()
moved = [name for name, buffer in model.named_buffers() if not torch.equal(buffer, before[name])]
print(len(moved), "buffers moved; num_batches_tracked:", int(model.bn1.num_batches_tracked))
assert len(moved) == len(before) == 60
PY
