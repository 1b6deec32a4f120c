#!/usr/bin/env bash
# torch 2.14.1: F.interpolate(mode="bilinear", antialias=True) of a map that is one pixel wide gives
# another result than the same column in a map two pixels wide.
#
# Seen: a column of 20 rows scaled to 7. In a map of width 2 (and in one of width 5 or 20) each of
# the inner outputs takes 6 rows, as a filter of that scale does; in a map of width 1 it takes 4.
# The values differ as well. Both axes are filtered separately, so the width should not matter.
#
# Exits 0 while this is so, 1 once it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.14.1 numpy
"$folder/venv/bin/python" - <<'PY'
import torch
import torch.nn.functional as F


def rows_taken(width: int) -> list[int]:
    one = torch.eye(20, dtype=torch.float64).view(20, 1, 20, 1).expand(20, 1, 20, width)
    scaled = F.interpolate(one.contiguous(), size=(7, width), mode="bilinear", antialias=True)
    return (scaled[..., 0].reshape(20, 7) != 0).sum(0).tolist()


seen = {width: rows_taken(width) for width in (1, 2, 5)}
print(seen)
assert seen[2] == seen[5] == [4, 6, 6, 6, 6, 6, 4]
assert seen[1] == [4] * 7
column = torch.rand(1, 1, 20, 1, generator=torch.Generator().manual_seed(0))
one, two = (
    F.interpolate(column.expand(1, 1, 20, n).contiguous(), size=(7, n), mode="bilinear",
                  antialias=True)[0, 0, :, 0]
    for n in (1, 2)
)  # fmt: skip
print("largest difference of a value:", float((one - two).abs().max()))
assert (one - two).abs().max() > 0.01
PY
