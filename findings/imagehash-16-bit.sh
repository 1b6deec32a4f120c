#!/usr/bin/env bash
# ImageHash 4.3.2 with Pillow 13.0.0 gives different 16-bit grey pictures the same perceptual hash:
# phash turns a picture to 8 bits by convert("L"), which cuts every value above 255 to 255, so that
# pictures of ordinary brightness are white sheets to it. A search for duplicates among 16-bit
# scans then calls all of them the same. Nothing is said.
# Seen: distance 0 between two pictures of random patches; 28 as 8-bit pictures.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q pillow==13.0.0 imagehash==4.3.2 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PY'
import imagehash
import numpy as np
from PIL import Image

generator = np.random.default_rng(0)
patches = [generator.integers(1000, 60000, (8, 8), np.uint16) for _ in range(2)]
pictures = [np.kron(patch, np.ones((8, 8), np.uint16)) for patch in patches]
wide = [imagehash.phash(Image.fromarray(values)) for values in pictures]
narrow = [imagehash.phash(Image.fromarray((v // 257).astype(np.uint8))) for v in pictures]
found = int(wide[0] - wide[1]), int(narrow[0] - narrow[1])
print("distance of the hashes, of 64 bits: as 16-bit pictures, as 8-bit pictures:", found)
assert found[0] == 0
assert found[1] > 10
PY
