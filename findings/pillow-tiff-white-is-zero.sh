#!/usr/bin/env bash
# Pillow 13.0.0 inverts a TIFF whose PhotometricInterpretation is 0 (WhiteIsZero) at 8 bits a
# sample, and does not at 16 bits, nor for 32-bit floats: the same picture is right in one file
# and a negative in the others, without a word. TIFF 6.0 (section 4) gives the tag the same meaning
# for every depth. Written with tifffile 2026.3.3, which keeps the values as they are.
# Seen: the value 0 comes back as 255 (uint8), 0 (uint16), 0.0 (float32).
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

first = []
for kind in (np.uint8, np.uint16, np.float32):
    ramp = np.arange(256, dtype=kind).reshape(16, 16)
    tifffile.imwrite("x.tif", ramp, photometric="miniswhite")
    with Image.open("x.tif") as image:
        first.append(float(np.asarray(image)[0, 0]))
print("the value 0, which is white, as uint8, uint16, float32:", first)
assert first == [255.0, 0.0, 0.0], first
PY
