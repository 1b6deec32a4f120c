"""The exercises of the ConvNeXt chapter."""

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from lineage_lab.anatomy.network import describe
from lineage_lab.exercises import Wrong, function, number
from lineage_lab.models.convnext_steps import ROAD, Step, SteppedNet

__all__ = ["CHECKS"]


def field_of_fives(answer: Any) -> str:
    """What a unit at the end of ConvNeXt-T's first stage sees if the kernels are 5 × 5."""
    if isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    number(answer, "a number of pixels")
    if answer == 76:
        raise Wrong("That is the paper's network, with its windows of 7×7.")
    if answer == 28:
        raise Wrong("Either that is three blocks of 3×3, or one block of 7×7.")
    if answer == 16:
        raise Wrong("After the stem, neighbouring units stand four pixels apart, not one.")
    if answer == 48:
        raise Wrong("That is what the blocks add. What does a unit of the stem see?")
    if answer == 52**2:
        raise Wrong("That is the area. Give the side of the square.")
    if answer != 52:
        raise Wrong("Go from layer to layer: field + (kernel - 1) · (product of earlier strides).")
    return "The stem sees 4 pixels; each of three blocks adds 4 units, 4 pixels apart."


def pixel_norm(answer: Any) -> str:
    """Layer norm over the channels of each pixel of ``[batch, channels, height, width]``."""
    answer = function(answer)
    maps = 3 * torch.randn(3, 8, 5, 6, generator=torch.Generator().manual_seed(22)) + 1
    given = answer(maps.clone())
    if not isinstance(given, Tensor):
        raise Wrong("Return a tensor of the normalised map.")
    if given.shape != maps.shape:
        raise Wrong(
            f"The shape should stay {list(maps.shape)}: batch, channels, height, width. "
            f"This gives {list(given.shape)}."
        )
    other_image, other_pixel = maps.clone(), maps.clone()
    other_image[1:] *= 2
    other_pixel[0, :, 1:] *= 2
    if not torch.allclose(answer(other_image)[0], given[0], atol=1e-4):
        raise Wrong("A pixel's answer changes when other images in the batch change.")
    if not torch.allclose(answer(other_pixel)[0, :, 0], given[0, :, 0], atol=1e-4):
        raise Wrong("A pixel's answer changes when other pixels of its image change.")
    if given.mean(dim=1).abs().max() > 1e-3:
        raise Wrong("The mean over a pixel's channels should be 0.")
    if (given.square().mean(dim=1) - 1).abs().max() > 1e-2:
        raise Wrong(
            "The variance over a pixel's channels should be 1, the sum of squares divided by "
            f"their number. Here it is {given.square().mean().item():.3f}."
        )
    if not torch.isfinite(answer(torch.ones(1, 8, 2, 2))).all():
        raise Wrong("Where all channels are equal it gives no number: something is divided by 0.")
    return "Each pixel by itself: no other pixel and no other image has a say."


def stochastic_depth(answer: Any) -> str:
    """A branch left out for some of the images, the mean kept."""
    answer = function(answer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2016)
        given = answer(torch.ones(4000, 3, 2, 2), 0.25)
        if not isinstance(given, Tensor) or given.shape != (4000, 3, 2, 2):
            raise Wrong("Return a tensor of the shape that came in.")
        images = given.flatten(1)
        if not torch.allclose(images, images[:, :1].expand_as(images)):
            raise Wrong("It leaves out part of an image. The branch goes or stays as a whole.")
        share = (images[:, 0] != 0).float().mean().item()
        if share in (0.0, 1.0):
            raise Wrong("All images of the batch meet the same fate. Draw for each of them.")
        if abs(share - 0.75) > 0.04:
            raise Wrong(
                f"With the probability 0.25 of leaving out, {share:.0%} of the images were kept."
            )
        if abs(images.mean().item() - 1) > 0.05:
            raise Wrong(
                f"The mean over many images falls from 1 to {images.mean().item():.2f}. In `eval` "
                "nothing is left out, so that the next layer would meet larger values there."
            )
    return "Whole images, drawn one by one, and the mean over many draws is what came in."


def dense_sevens(answer: Any) -> str:
    """ResNet-50 with 7 × 7 in place of its dense 3 × 3, as a row of the road."""
    if not isinstance(answer, Step):
        raise Wrong(f"The exercise asks for a Step; this is a {type(answer).__name__}.")
    if answer.depthwise:
        raise Wrong("These windows are depthwise. The question is what dense ones would cost.")
    if answer.kernel != 7:
        raise Wrong(f"The kernel is {answer.kernel} × {answer.kernel}, not 7 × 7.")
    start = ROAD["resnet50"]
    changed = [
        f.name
        for f in fields(Step)
        if f.name != "kernel" and getattr(answer, f.name) != getattr(start, f.name)
    ]
    if changed:
        raise Wrong(f"Change the kernel alone. Here {', '.join(changed)} differ from ResNet-50.")
    with torch.device("meta"):
        small, large = (describe(SteppedNet(step=s)).macs for s in (start, answer))
    costs = f"From {small / 1e9:.2f} to {large / 1e9:.2f} billion multiply-adds"
    return f"{costs}: dense windows are dear."


CHECKS = {
    "convnext-1": field_of_fives,
    "convnext-2": pixel_norm,
    "convnext-3": stochastic_depth,
    "convnext-4": dense_sevens,
}
