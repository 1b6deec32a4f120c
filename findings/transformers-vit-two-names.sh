#!/usr/bin/env bash
# transformers 5.24.0: a ViT has other names in memory than in its files. save_pretrained writes
# vit.encoder.layer.0.attention.attention.query.weight where model.state_dict() has
# vit.layers.0.attention.q_proj.weight, so that safetensors.torch.save_file(model.state_dict())
# and save_pretrained of the same model make two files with different tensor names. Whoever reads a
# ViT's weights without transformers has to know both. ConvNeXt, ResNet and EfficientNet have one.
#
# Seen: vit: 128 of 200 names differ between the state dict and the file; the others: 0 differ.
# (with 2 layers: see the output)
#
# Exits with 0 while this is so, and with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q torch==2.14.1 transformers==5.24.0 safetensors==0.8.0
cat > "$folder/try.py" <<'PY'
import tempfile

import transformers as hf
from safetensors import safe_open

KINDS = {
    "ViT": dict(num_hidden_layers=2, hidden_size=32, num_attention_heads=4, intermediate_size=64),
    "ResNet": dict(depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 8, 8], embedding_size=8),
    "ConvNext": dict(depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 8, 8]),
}
seen = {}
for kind, lines in KINDS.items():
    config = getattr(hf, f"{kind}Config")(**lines)
    model = getattr(hf, f"{kind}ForImageClassification")(config)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        with safe_open(f"{folder}/model.safetensors", "pt") as file:
            inside = set(file.keys())
    names = set(model.state_dict())
    seen[kind] = len(names - inside)
    print(f"{kind}: {len(names - inside)} of {len(names)} names differ", sorted(names - inside)[:1],
          sorted(inside - names)[:1])
raise SystemExit(0 if seen["ViT"] > 0 and seen["ResNet"] == seen["ConvNext"] == 0 else 1)
PY
"$folder/venv/bin/python" "$folder/try.py" 2> /dev/null
