#!/usr/bin/env bash
# thop 0.1.1.post2209072238 with torch 2.14.1, torchvision 0.29.1: counting a network leaves its
# counters behind as buffers, so that its state dict has new keys and a strict load fails.
#
# Seen: after thop.profile(resnet18) the state dict holds 18 keys more ("total_ops" and
# "total_params" of modules that have children), and load_state_dict into a fresh
# resnet18 raises "Unexpected key(s) in state_dict".
#
# Exits 0 while this is so, 1 once it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet \
  torch==2.14.1 torchvision==0.29.1 thop==0.1.1.post2209072238
"$folder/venv/bin/python" - <<'PY'
import torch
import torchvision.models as tvm
from thop import profile

model = tvm.resnet18()
before = set(model.state_dict())
profile(model, inputs=(torch.zeros(1, 3, 224, 224),), verbose=False)
new = sorted(set(model.state_dict()) - before)
print(len(new), "new keys:", ", ".join(new[:4]), "…")
assert len(new) == 18
try:
    tvm.resnet18().load_state_dict(model.state_dict())
except RuntimeError as error:
    print(str(error)[:120])
else:
    raise SystemExit("the strict load went through")
PY
