"""Grad-CAM pictures of right and wrong answers, drawn from a checkpoint.

``python -m lineage_lab.using.answers run/best.ckpt FILE.svg`` takes the images that the run
validated on and draws, for each class, the one named rightly with the highest probability and
the one of another class that was taken for it with the highest.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import ImageSet, load
from lineage_lab.files import write_whole
from lineage_lab.heads import scores
from lineage_lab.training import checkpoint
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.validation import split_for
from lineage_lab.using.gradcam import heatmap
from lineage_lab.using.predictor import Predictor

__all__ = ["answers"]

SIDE, GAP, TOP = 168.0, 12.0, 24.0
SHOWN = 168  # pixels of a picture in the file
SURE = 2  # pictures of a kind and class
PALE = (255, 196, 61)


def answers(predictor: Predictor, images: ImageSet) -> str:
    """The surest right and the surest wrong answers, and where the evidence for them lies.

    Args:
        predictor: The network.
        images: What it did not train on, decoded at its size.

    Returns:
        An SVG. Each image stands above the same image with the evidence for the answer given.
    """
    batches = range(0, len(images), 32)
    with torch.inference_mode():
        chances = torch.cat(
            [scores(predictor.model(predictor.prepare(images.images[i : i + 32]))) for i in batches]
        ).softmax(dim=1)
    sure, given = chances.max(dim=1)
    right = given == images.labels
    columns: list[tuple[int, str]] = []
    for kind, wanted in (("right", right), ("wrong", ~right)):
        for label in range(len(predictor.classes)):
            of_class = (wanted & (given == label)).nonzero().flatten()
            order = sure[of_class].argsort(descending=True)
            columns += [(int(i), kind) for i in islice(of_class[order].tolist(), SURE)]
    told = [
        f"{kind}: {predictor.classes[images.labels[i]]}, named {predictor.classes[given[i]]} "
        f"with {100 * sure[i]:.0f} percent"
        for i, kind in columns
    ]
    per_row = len(columns) // 2
    width = per_row * (SIDE + GAP) + GAP
    row_height = TOP + 2 * SIDE + 58
    d = Drawing(
        "gradcam",
        width=width,
        height=2 * row_height,
        title=f"Where {predictor.name} found its evidence on {images.name}",
        description="Photographs that the network did not train on, each above the same "
        "photograph with the places that speak for the answer lit. " + "; ".join(told) + ".",
    )
    for place, (index, kind) in enumerate(columns):
        x = GAP + (place % per_row) * (SIDE + GAP)
        y = (place // per_row) * row_height
        if place % per_row == 0:
            words = "named rightly" if kind == "right" else "named wrongly"
            d.text(x, y + 16, words, weight=700, fill="dense" if kind == "right" else "output")
        pixels = images.images[index]
        light = heatmap(predictor.model, predictor.prepare(pixels[None])[0], int(given[index]))
        d.photo(x, y + TOP, SIDE, _photograph(pixels))
        d.photo(x, y + TOP + SIDE + 4, SIDE, _lit(pixels, light.detach().cpu()))
        foot = y + TOP + 2 * SIDE + 22
        d.text(x, foot, f"{predictor.classes[given[index]]}, {100 * sure[index]:.0f} %", size=12.5)
        if kind == "wrong":
            real = predictor.classes[images.labels[index]]
            d.text(x, foot + 17, f"is {real}", size=12, fill="muted")
    return d.svg()


def _photograph(pixels: Tensor) -> Image.Image:
    rgb = pixels.expand(3, -1, -1).permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(rgb)).resize((SHOWN, SHOWN))


def _lit(pixels: Tensor, light: Tensor) -> Image.Image:
    """The photograph dimmed, and lit where the evidence lies."""
    grey = pixels.float().mean(dim=0, keepdim=True) / 255
    colour = torch.tensor(PALE).view(3, 1, 1) / 255
    lit = grey * (0.35 + 0.65 * light) * (1 - 0.55 * light) + 0.55 * light * colour * (
        0.35 + 0.65 * grey
    )
    rgb = (255 * lit.clamp(0, 1)).byte().permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(rgb)).resize((SHOWN, SHOWN))


def main(path: Path, out: Path, data: str) -> None:
    """Draws the picture of a run that was trained on a data set's own split by its seed."""
    predictor = Predictor.load(path)
    # A checkpoint from before there were groups was trained on a split without.
    recipe = Recipe.from_dict({"grouped": False, **checkpoint.load(path).recipe})
    _, held_out, *_ = split_for(load(data, size=predictor.preprocessing.size), recipe)
    write_whole(out, answers(predictor, held_out))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "elpv")
