#!/usr/bin/env bash
# Pillow 13.0.0 passes over the sign of integers in TIFF files: signed bytes (SampleFormat 2, 8
# bits) come back as unsigned ones, so that -1 is 255 and -128 is 128, and unsigned 32-bit integers
# above 2,147,483,647 come back negative. 16-bit signed integers are right. Nothing is said.
# Seen: int8 -1 -> 255, int16 -1 -> -1, uint32 3,000,000,000 -> -1,294,967,296.
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

found = {}
for kind, value in (("int8", -1), ("int16", -1), ("uint32", 3_000_000_000)):
    tifffile.imwrite("x.tif", np.full((16, 16), value, kind), photometric="minisblack")
    with Image.open("x.tif") as image:
        found[kind] = int(np.asarray(image)[0, 0])
print(found)
assert found == {"int8": 255, "int16": -1, "uint32": -1_294_967_296}, found
PY
