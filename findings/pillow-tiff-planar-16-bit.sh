#!/usr/bin/env bash
# Pillow 13.0.0 opens a 16-bit RGB TIFF stored plane by plane (PlanarConfiguration 2) as if its
# planes had 8 bits: the mode is RGB, nothing is said, and the pixels are single bytes of the
# 16-bit numbers, of the upper part of the picture alone. The same picture stored pixel by pixel
# (PlanarConfiguration 1) is read rightly, as the high bytes.
# Seen: a plane that is 4096 (0x1000) everywhere comes back as bytes 0, 16, 0, 16; not as 16.
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

planes = np.full((3, 16, 16), 4096, np.uint16)
tifffile.imwrite("planes.tif", planes, photometric="rgb", planarconfig="separate")
tifffile.imwrite("pixels.tif", planes.transpose(1, 2, 0), photometric="rgb")
found = {}
for name in ("planes", "pixels"):
    with Image.open(f"{name}.tif") as image:
        found[name] = image.mode, np.asarray(image)[0, :4, 0].tolist()
print(found)
assert found == {"planes": ("RGB", [0, 16, 0, 16]), "pixels": ("RGB", [16, 16, 16, 16])}
assert (tifffile.imread("planes.tif") == 4096).all()
PY
