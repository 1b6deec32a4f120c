"""The page "Draw a digit": a trained LeNet-5 as data for its script, and one digit all the way.

The network is the paper's, trained as the LeNet-5 chapter trains it but for `PASSES` passes. Its
numbers are written as one file of 32-bit floats in the order of the JSON beside it, where also
stands how well it reads.
"""

import json
from typing import cast

import numpy as np
import torch
from torch import Tensor

from lineage_lab.chapters.experiments import train_digits
from lineage_lab.comparing.svg import Drawing
from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import C3_TABLE, LeNet5, normalize_ink, rbf_loss

__all__ = ["PASSES", "draw"]

PASSES = 8  # about a second of one core each
QUIET = 0.05  # share of the held-out digits that the network would keep silent on
STILL = 4  # the digit that goes through all maps in the picture
GREATEST = 250  # where the bars of distances end


def draw() -> dict[str, str | bytes]:
    """The script's data and the picture for readers without scripts; trains one network."""
    model = train_digits(LeNet5, loss=rbf_loss, lr=0.005, epochs=PASSES).model
    assert isinstance(model, LeNet5)
    _, (images, labels) = split_digits(0)
    with torch.no_grad():
        distances = model.distances(normalize_ink(images))
    nearest, answers = distances.min(dim=1)
    wrong = answers != labels
    limit = round(torch.quantile(nearest, 1 - QUIET).item(), 1)
    firsts = [int((labels == digit).nonzero()[0]) for digit in range(10)]
    sure = [i for i in nearest.argsort().tolist() if wrong[i]][:3]  # nearest to a wrong code
    state = model.state_dict()
    numbers = np.concatenate([tensor.numpy().ravel() for tensor in state.values()]).astype("<f4")
    samples = images[firsts + sure, 0, 2:30, 2:30].contiguous().numpy().tobytes()
    facts = {
        "digits": len(labels),
        "right": int((~wrong).sum()),
        "limit": limit,
        "silent": int((nearest > limit).sum()),
        "silent_wrong": int((wrong & (nearest > limit)).sum()),
        "median": round(nearest.median().item(), 1),
    }
    data = {
        "arrays": [{"name": name, "shape": list(array.shape)} for name, array in state.items()],
        "table": C3_TABLE,
        "greatest": GREATEST,
        "samples": [{"label": int(labels[i]), "answer": int(answers[i])} for i in firsts + sure],
        "facts": facts,
    }
    return {
        "data/lenet5.json": json.dumps(data) + "\n",
        "data/lenet5.bin": numbers.tobytes(),
        "data/samples.bin": samples,
        "facts.md": _facts(facts, numbers.nbytes + len(samples)),
        "still.svg": _still(model, images[firsts[STILL]]),
    }


def _facts(facts: dict[str, float], size: int) -> str:
    wrong = facts["digits"] - facts["right"]
    return (
        f"The network in this page learnt from 4,000 real MNIST digits, in {PASSES} passes, while "
        f"the page was built. Of {facts['digits']:,} others it reads {facts['right']:,} rightly, "
        f"or {facts['right'] / facts['digits']:.1%}. Its numbers and the sample digits are "
        f"{round(size / 1000)} kB; they are loaded when the drawing comes into view. What you "
        "draw stays on your device.\n"
        "\n"
        f"For a held-out digit, the nearest code lies at {facts['median']} in the median. Beyond "
        f"{facts['limit']} lie only {facts['silent']} of the {facts['digits']:,}: that is where "
        "this page begins to say *far from every code*. If the network kept silent on those, "
        f"{facts['silent_wrong']} of its {wrong} mistakes would be gone.\n"
    )


def _activations(model: LeNet5, image: Tensor) -> dict[str, Tensor]:
    """What each layer gives, after squashing, for one picture ``uint8 [1, 32, 32]``."""
    found: dict[str, Tensor] = {}
    # C1, C3, C5 and F6 give sums: what the next layer is given is squashed.
    given = {"S2": "C1", "C3": "S2", "S4": "C3", "C5": "S4", "F6": "C5", "output": "F6"}
    hooks = [
        getattr(model, layer).register_forward_pre_hook(
            lambda _, inputs, name=name: found.update({name: inputs[0][0]})
        )
        for layer, name in given.items()
    ]
    with torch.no_grad():
        found["distances"] = model.distances(normalize_ink(image[None]))[0]
    for hook in hooks:
        hook.remove()
    return found


def _levels(values: Tensor) -> list[list[float]]:
    """From -1.7159 (paper) to 1.7159 (full colour)."""
    return cast("list[list[float]]", (values / (2 * 1.7159) + 0.5).tolist())


def _still(model: LeNet5, image: Tensor) -> str:
    """One digit through every map, down to the ten distances."""
    seen = _activations(model, image)
    distances = seen["distances"].tolist()
    order = sorted(range(10), key=lambda digit: distances[digit])
    codes = model.output.codes.view(10, 12, 7)
    d = Drawing(
        "digit-still",
        width=740,
        height=640,
        title=f"A handwritten {STILL} goes through LeNet-5",
        description="From above: the digit, then every map of C1, S2, C3, S4, C5 and F6 for it, "
        "then its distance to each of the ten codes: "
        + ", ".join(f"{digit}: {distances[digit]:.1f}" for digit in range(10))
        + f". The nearest is {order[0]}, the runner-up {order[1]}.",
    )
    left = 88.0

    def name(y: float, words: str, kind: str, count: str) -> None:
        d.text(8, y, words, weight=700, fill=kind)
        d.text(8, y + 16, count, size=11.5, fill="muted")

    name(60, "input", "input", "32×32")
    d.picture(left, 8, 2.8, (image[0] / 255).tolist())
    rows: tuple[tuple[str, str, float, float, float], ...] = (
        ("C1", "conv", 112, 2.8, 112),
        ("S2", "pool", 204, 2.8, 112),
        ("C3", "conv", 258, 3.4, 40.4),
        ("S4", "pool", 308, 3.4, 40.4),
    )
    for layer, kind, y, cell, step in rows:
        maps = seen[layer]
        side = maps.shape[-1]
        name(y + side * cell / 2, layer, kind, f"{len(maps)} @ {side}×{side}")
        for index, values in enumerate(maps):
            x = left + index * step
            d.picture(x, y, cell, _levels(values), ink=kind)
    name(360, "C5", "conv", "120")
    d.picture(left, 346, 10.66, _levels(seen["C5"].view(2, 60)), ink="conv")
    name(440, "F6", "dense", "84")
    pictures = (
        (seen["F6"].view(12, 7), "dense", "F6, drawn 7×12"),
        (codes[order[0]], "output", f"code of {order[0]}: {distances[order[0]]:.1f}"),
        (codes[order[1]], "output", f"code of {order[1]}: {distances[order[1]]:.1f}"),
    )
    for index, (values, kind, words) in enumerate(pictures):
        x = left + 224 * index
        d.picture(x, 388, 7, _levels(values.clamp(-1, 1) * 1.7159), ink=kind)
        d.text(x + 60, 436, words, size=12.5, fill="muted")
    name(540, "distance", "output", "to each code")
    for digit in range(10):
        column, row = divmod(digit, 5)
        x, y = left + 22 + column * 324, 500 + row * 27
        first = digit == order[0]
        d.text(x, y + 13, str(digit), weight=700 if first else 400)
        length = 190 * min(distances[digit], GREATEST) / GREATEST
        d.rect(
            x + 18,
            y + 2,
            max(length, 1),
            14,
            fill="output" if first else "output-soft",
            stroke="output",
        )
        words = f"{distances[digit]:.1f}"
        words += " nearest" if first else " runner-up" if digit == order[1] else ""
        d.text(x + 26 + length, y + 13, words, size=12.5, weight=700 if first else 400)
    return d.svg()
