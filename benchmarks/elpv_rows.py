"""How alike ELPV's rows are, and whether blocks of 60 rows begin where the likeness breaks.

Each cell is made small (16 × 16), its brightness and contrast are taken out, and two cells are as
alike as their correlation. Kept are the mean likeness between the blocks, how many rows away the
most similar cell is, and how alike two neighbouring rows are where a block ends, beside those
inside the blocks. The blocks moved by half a block are the control: they should show nothing.

    python benchmarks/elpv_rows.py docs/results/elpv-rows.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from torch.nn import functional as F

from lineage_lab.comparing.provenance import provenance
from lineage_lab.data import load
from lineage_lab.data.named import blocks_of_rows
from lineage_lab.files import write_whole

SIZE, SMALL, NEAR = 96, 16, 10
DRAWS = 2000


def likeness() -> tuple[np.ndarray, tuple[str, ...]]:
    """Correlation of each cell with each, ``[n, n]``, and the cells' kinds."""
    cells = load("elpv", size=SIZE)
    x = F.adaptive_avg_pool2d(cells.images.float(), SMALL).flatten(1)
    x = x - x.mean(dim=1, keepdim=True)
    x = x / x.norm(dim=1, keepdim=True)
    return (x @ x.T).numpy(), cells.kinds


def edges(alike: np.ndarray, blocks: np.ndarray) -> tuple[float, float, float]:
    """Mean likeness of neighbouring rows where a block ends, inside, and the share of random
    choices of as many places of which the mean is as low.
    """
    next_to = np.diagonal(alike, offset=1)
    ends = np.flatnonzero(blocks[1:] != blocks[:-1])
    generator = np.random.default_rng(0)
    at_ends = float(next_to[ends].mean())
    drawn = [next_to[generator.choice(len(next_to), len(ends), False)].mean() for _ in range(DRAWS)]
    inside = float(np.delete(next_to, ends).mean())
    return at_ends, inside, float(np.mean(np.array(drawn) <= at_ends))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("json", type=Path)
    options = parser.parse_args()

    alike, kinds = likeness()
    rows = np.arange(len(alike))
    others = alike.copy()
    np.fill_diagonal(others, -2)
    away = np.abs(others.argmax(axis=1) - rows)
    found = {}
    for cells in (30, 60, 130):
        names = blocks_of_rows(kinds, cells=cells)
        number = np.unique(names, return_inverse=True)[1]
        # Ends within a run of one kind alone: that kinds differ is no news.
        of_kind = np.array(kinds)
        moved = np.roll(number, cells // 2)
        result = {}
        for what, blocks in (("blocks", number), ("moved by half", moved)):
            keep = blocks.copy()
            change = np.flatnonzero(of_kind[1:] != of_kind[:-1])
            for place in change:  # such an end is taken for no end
                keep[place + 1 :] += keep[place] - keep[place + 1]
            result[what] = dict(zip(("at ends", "inside", "as low by chance"), edges(alike, keep),
                                    strict=True))  # fmt: skip
        found[str(len(set(names)))] = result
    first = list(dict.fromkeys(blocks_of_rows(kinds)))
    place = np.array([first.index(name) for name in blocks_of_rows(kinds)])
    sums = np.zeros((44, 44))
    np.add.at(sums, (place[:, None], place[None]), others.clip(-1))
    counts = np.bincount(place)
    pairs = np.outer(counts, counts) - np.diag(counts)
    # A cell and itself, which stands as -1 after the clip, is no pair.
    sums[np.diag_indices(44)] += counts
    write_whole(options.json, json.dumps({
        "settings": {"size": SIZE, "small": SMALL, "near": NEAR, "draws": DRAWS},
        "provenance": provenance(),
        "cells": len(alike),
        "nearest within": {str(n): float((away <= n).mean()) for n in (1, NEAR, 72)},
        "by chance": {str(n): float(np.mean([min(n, i) + min(n, len(rows) - 1 - i) for i in rows])
                                    / (len(rows) - 1)) for n in (1, NEAR, 72)},
        "ends": found,
        "blocks": first,
        "likeness": np.round(sums / pairs, 3).tolist(),
    }, indent=None) + "\n")  # fmt: skip


if __name__ == "__main__":
    main()
