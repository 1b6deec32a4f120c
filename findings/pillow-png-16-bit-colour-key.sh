#!/usr/bin/env bash
# Pillow 13.0.0 drops the transparency of a 16-bit RGB PNG that marks one colour as transparent
# (chunk tRNS): it keeps the 16-bit colour in info["transparency"], but its pixels are the high
# bytes, and convert("RGBA") compares these with the low bytes of the colour: no pixel is
# transparent, unless both bytes happen to be the same. With 8 bits a channel the same picture has
# its transparent pixels. PNG, third edition, 11.3.1.1: the colour is compared at the image's own
# depth.
# Seen: 256 transparent pixels with 8 bits, 0 with 16.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q pillow==13.0.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PY'
import io
import struct
import zlib

import numpy as np
from PIL import Image


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def transparent(bits):
    colour = (200, 100, 50) if bits == 8 else (200 << 8, 100 << 8, 50 << 8)
    form = ">3B" if bits == 8 else ">3H"
    line = b"\0" + struct.pack(form, *colour) * 16
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, bits, 2, 0, 0, 0))
        + chunk(b"tRNS", struct.pack(">3H", *colour))
        + chunk(b"IDAT", zlib.compress(line * 16))
        + chunk(b"IEND", b"")
    )
    with Image.open(io.BytesIO(data)) as image:
        return int((np.asarray(image.convert("RGBA"))[..., 3] == 0).sum())


found = {bits: transparent(bits) for bits in (8, 16)}
print("transparent pixels of 256, by bits a channel:", found)
assert found == {8: 256, 16: 0}, found
PY
