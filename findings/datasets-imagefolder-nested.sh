#!/usr/bin/env bash
# Hugging Face datasets 5.2.0, "imagefolder": one folder inside a class folder takes away all labels.
# cat/0.jpg, dog/0.jpg, ... give the classes cat and dog. Add cat/siamese/0.jpg, and the set that
# comes back has no column "label" at all; nothing is said. torchvision's ImageFolder and Keras
# take such images for cats.
# Seen: columns ['image', 'label'] without the inner folder, ['image'] with it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q datasets==5.2.0 pillow==13.0.0
cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1
venv/bin/python - <<'PY'
from pathlib import Path

from datasets import load_dataset
from PIL import Image

found = []
for name, inner in (("flat", False), ("nested", True)):
    for label in ("cat", "dog", *(("cat/siamese",) if inner else ())):
        folder = Path(name, label)
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(3):
            Image.new("RGB", (8, 8)).save(folder / f"{number}.jpg")
    data = load_dataset("imagefolder", data_dir=name, split="train")
    found.append((data.column_names, len(data)))
print(found)
assert found[0] == (["image", "label"], 6), found
assert found[1] == (["image"], 9), found
PY
