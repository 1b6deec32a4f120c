"""How alike ELPV's rows are, for the page on fine-tuning.

`benchmarks/elpv_rows.py` looks at them; ``docs/results/elpv-rows.json`` holds what it found.
"""

import numpy as np
from PIL import Image

from lineage_lab.comparing.svg import Drawing
from lineage_site.drawing.records import read

__all__ = ["likeness", "rows_in_words"]

SIDE = 352.0  # of the picture


def likeness() -> str:
    """How alike the blocks of rows are: a picture, the lighter the more alike."""
    found = read("elpv-rows")
    table = np.array(found["likeness"])
    low, high = table.min(), table.max()
    grey = (255 * (table - low) / (high - low)).clip(0, 255).astype(np.uint8)
    left, top = 60.0, 30.0
    d = Drawing(
        "elpv-rows",
        width=left + SIDE + 170,
        height=top + SIDE + 40,
        title="How alike the blocks of ELPV's rows are",
        description=(
            f"{len(table)} blocks of rows against each other. Within a block cells correlate by "
            f"{np.diag(table).mean():.2f} in the mean, between blocks by "
            f"{(table.sum() - np.trace(table)) / (table.size - len(table)):.2f}."
        ),
    )
    image = Image.fromarray(grey).resize((8 * len(table), 8 * len(table)), Image.Resampling.NEAREST)
    d.photo(left, top, SIDE, image)
    kinds = [name.split()[0] for name in found["blocks"]]
    start = 0
    for end in range(1, len(kinds) + 1):
        if end == len(kinds) or kinds[end] != kinds[start]:
            middle = top + SIDE * (start + end) / 2 / len(kinds)
            if end - start > 1:
                d.text(left - 8, middle + 4, kinds[start], fill="muted", anchor="end")
            start = end
    d.text(left, top - 10, "blocks in the order of the rows", fill="muted")
    d.text(left + SIDE + 14, top + 14, f"white: correlation {high:.2f}", fill="muted")
    d.text(left + SIDE + 14, top + 34, f"black: {low:.2f}", fill="muted")
    return d.svg()


def rows_in_words() -> str:
    """What the picture and the ends of the blocks say, in a paragraph."""
    found = read("elpv-rows")
    near, chance = found["nearest within"]["10"], found["by chance"]["10"]
    ends = found["ends"]["44"]
    at, inside = ends["blocks"]["at ends"], ends["blocks"]["inside"]
    moved = ends["moved by half"]["at ends"]
    return (
        f"For {100 * near:.0f} % of the cells the most similar other one is within ten rows; by "
        f"chance it would be for {100 * chance:.1f} %. So neighbours are alike, and a random split "
        "lets a network meet the like of a test cell in training. Whether our blocks begin where a "
        f"module begins is less sure. Where a block ends, two neighbouring rows correlate by "
        f"{at:.2f}, inside it by {inside:.2f}. But blocks moved by half their length end at places "
        f"with {moved:.2f}: what breaks there may be a row of a module as well as a module. Sure "
        "are the two cell types, and that the blocks are as many of each type as the authors state "
        "modules.\n"
    )
