#!/usr/bin/env bash
# Pillow 13.0.0 shows the first slice of a volumetric TIFF (ImageDepth, tag 32997, as tifffile's
# volumetric=True writes it) and says that the file has one frame: the other slices can't be
# reached, and a stack that begins in the dark is a black picture without a word.
# Seen: n_frames 1, largest pixel 0; the volume holds 20 slices with values up to 250.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PY'
import numpy as np
import tifffile
from PIL import Image

stack = np.zeros((20, 64, 64), np.uint8)
stack[10] = 250
tifffile.imwrite("x.tif", stack, photometric="minisblack", volumetric=True, tile=(1, 64, 64))
with Image.open("x.tif") as image:
    found = image.n_frames, int(np.asarray(image).max())
print("frames and largest value:", found, "of", tifffile.imread("x.tif").shape)
assert found == (1, 0), found
PY
