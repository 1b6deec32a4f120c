"""The exercises of the AlexNet chapter."""

from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.exercises import Wrong, function, number
from lineage_lab.models.blocks import LocalResponseNorm

__all__ = ["CHECKS"]


def two_towers(answer: Any) -> str:
    """The second layer on two GPUs: each half of its maps sees one half of the input."""
    if not isinstance(answer, nn.Module):
        raise Wrong(f"The exercise asks for a layer; this is a {type(answer).__name__}.")
    maps = torch.randn(1, 96, 27, 27, requires_grad=True)
    try:
        out = answer.eval()(maps)
    except RuntimeError as error:
        raise Wrong(f"It must take 96 maps of 27 × 27. It stopped with: {error}") from error
    if not isinstance(out, Tensor):
        raise Wrong("Return one tensor with the maps of both GPUs, the first half first.")
    if out.shape != (1, 256, 27, 27):
        raise Wrong(f"It gives {tuple(out.shape[1:])}; the layer has 256 maps of 27 × 27.")
    for half in (slice(0, 128), slice(128, 256)):
        (seen,) = torch.autograd.grad(out[:, half].square().sum(), maps, retain_graph=True)
        halves = [bool(seen[:, part].any()) for part in (slice(0, 48), slice(48, 96))]
        if all(halves):
            raise Wrong(
                f"Each half of its maps sees all {maps.shape[1]} maps of the first layer. A GPU "
                "has only the half that lies in its own memory."
            )
        if halves[0] != (half.start == 0):
            raise Wrong("One half of its maps looks at the maps of the other half's GPU.")
    count = sum(p.numel() for p in answer.parameters())
    paper = 256 * (48 * 5 * 5 + 1)
    if count != paper:
        raise Wrong(
            f"It has {count:,} weights. A map of the paper's layer looks at 48 maps through "
            "5 × 5 windows, and has a bias."
        )
    return f"{paper:,} weights, and no map sees what lies on the other GPU."


def normalisation(answer: Any) -> str:
    """The formula of section 3.3."""
    answer = function(answer)
    generator = torch.Generator().manual_seed(33)
    maps = 100 * torch.rand(2, 12, 5, 5, generator=generator)
    theirs = answer(maps)
    if not isinstance(theirs, Tensor) or theirs.shape != maps.shape:
        raise Wrong("It must return maps of the same shape as it was given.")
    right = LocalResponseNorm()
    if torch.allclose(theirs, right(maps), rtol=1e-4):
        return "It is the paper's formula, at the first and at the last maps too."
    small = answer(maps / 1e4) / (maps / 1e4)
    if not torch.allclose(small, torch.full_like(small, 2**-0.75), rtol=1e-3):
        raise Wrong(
            "Look at very small activities: there only k and β count, and what comes out is the "
            "activity divided by k to the power β."
        )
    far = maps.clone()
    far[:, 9] += 500
    if not torch.equal(answer(far)[:, 0], theirs[:, 0]):
        raise Wrong("Map 0 changes when map 9 does. The sum runs over five maps, not all.")
    near = maps.clone()
    near[:, 1] += 500
    if torch.equal(answer(near)[:, 0], theirs[:, 0]):
        raise Wrong("Map 0 does not notice map 1. The sum runs over neighbouring maps.")
    raise Wrong(
        "The right maps are seen, but the sum weighs too little or too much. PyTorch's function "
        "divides its alpha by something; the paper's α is not divided."
    )


def crops(answer: Any) -> str:
    """How many different training pictures section 4.1's crops and mirror images give."""
    number(answer)
    places = 256 - 224 + 1
    if answer in (places, places - 1, 2 * places, 2 * (places - 1)):
        raise Wrong("The crop can move in both directions.")
    if answer == places**2:
        raise Wrong("Those are the crops. Each of them has a mirror image too.")
    if answer in (2048, 1024):
        raise Wrong("Count the positions again: the first one is at 0, and the last one?")
    if answer != 2 * places**2:
        raise Wrong("Positions across, times positions down, times two for the mirror images.")
    return f"{places} · {places} · 2. The paper says 2048, which is 32 · 32 · 2."


def dropping(answer: Any) -> str:
    """Dropout as today's libraries have it."""
    answer = function(answer)
    torch.manual_seed(42)
    x = torch.ones(64, 1000)
    if not torch.equal(answer(x, 0.5, False), x):
        raise Wrong("In evaluation it must give back its input, nothing more and nothing less.")
    for p in (0.5, 0.2):
        y = answer(x, p, True)
        if y.shape != x.shape:
            raise Wrong(f"It gives {tuple(y.shape)} for {tuple(x.shape)}.")
        dropped = y == 0
        if bool((dropped == dropped[:1]).all()):
            raise Wrong("The same units are dropped everywhere. Draw anew for each image.")
        if bool((dropped == dropped[:, :1]).all()):
            raise Wrong("It drops all of an image or nothing. Draw unit by unit.")
        if abs(dropped.float().mean().item() - p) > 0.01:
            share = dropped.float().mean().item()
            raise Wrong(f"With p = {p} it drops {share:.0%} of the units.")
        if abs(y.mean().item() - 1) > 0.02:
            raise Wrong(
                f"With p = {p} the mean of many ones becomes {y.mean().item():.2f}. The next layer "
                "must get the same mean in training as in evaluation."
            )
    return "It drops the right share, and the mean stays what it was."


CHECKS = {
    "alexnet-1": two_towers,
    "alexnet-2": normalisation,
    "alexnet-3": crops,
    "alexnet-4": dropping,
}
