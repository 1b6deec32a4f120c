"""The quiz of the ConvNeXt chapter."""

from functools import cache

import torch

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.models.convnext import VARIANTS, ConvNeXt
from lineage_lab.models.convnext_steps import ROAD, SteppedNet
from lineage_site.chapters.convnext.facts import OLD_RECIPE
from lineage_site.drawing.quiz import Choice, Question
from lineage_site.facts.printed import CONVNEXT_ROAD

__all__ = ["questions"]


@cache
def step(key: str) -> Anatomy:
    """A network of the road at 224 pixels; the figures use it too."""
    with torch.device("meta"):
        model = SteppedNet(step=ROAD[key])
    return describe(model)


@cache
def tiny() -> Anatomy:
    """ConvNeXt-T at 224 pixels; the figures use it too."""
    with torch.device("meta"):
        model = ConvNeXt(config=VARIANTS["convnext_tiny"])
    return describe(model)


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the networks' own."""
    three, seven = step("move_up"), step("kernel_7")
    return (_recipe(), _kernel(three, seven), _norm(), _scale(), _cost(tiny()))


def _recipe() -> Question:
    new = next(step.top1 for step in CONVNEXT_ROAD if step.key == "resnet50")
    end = CONVNEXT_ROAD[-1].top1
    old = OLD_RECIPE
    return Question(
        "From ResNet-50 as it was first trained to ConvNeXt-T: which single step gains most?",
        (
            Choice(
                "The 7×7 windows.",
                "From 3×3 to 7×7 the paper gains "
                f"{_top1('kernel_7') - _top1('move_up'):.2f} points, which also make good what "
                "moving the convolution up had cost.",
            ),
            Choice(
                "The training recipe.",
                f"{old} → {new}: {new - old:.2f} of the {end - old:.2f} points, and not one "
                "layer is changed.",
                right=True,
            ),
            Choice(
                "Layer norm in place of batch norm.",
                f"{_top1('layer_norm') - _top1('fewer_norms'):.2f} points, within the "
                "spread of the paper's three seeds.",
            ),
            Choice(
                "The wider network.",
                f"{_top1('width') - _top1('depthwise'):.2f} points from the step before, but that "
                "step had just lost "
                f"{_top1('patchify_stem') - _top1('depthwise'):.2f}: the two belong together.",
            ),
        ),
    )


def _top1(key: str) -> float:
    return next(step.top1 for step in CONVNEXT_ROAD if step.key == key)


def _kernel(three: Anatomy, seven: Anatomy) -> Question:
    more = seven.macs / three.macs - 1
    return Question(
        "On the road, 3×3 becomes 7×7: 49 weights in place of 9. What does the whole network cost "
        "more?",
        (
            Choice(
                f"{49 / 9:.1f} times as much.",
                "That is the depthwise convolution alone. Nearly all of the cost lies in the 1×1 "
                "convolutions, which don't change.",
            ),
            Choice(
                f"{more:.1%} more.",
                f"{three.macs / 1e9:.2f} → {seven.macs / 1e9:.2f} billion multiply-adds. Each "
                "channel filters itself alone, so that a window is cheap.",
                right=True,
            ),
            Choice(
                "About twice as much.",
                "It would be that and more for a dense convolution, where each output channel "
                "filters all input channels.",
            ),
        ),
    )


def _norm() -> Question:
    return Question(
        "A map has the shape [32, 96, 56, 56]. How many means does ConvNeXt's layer norm take?",
        (
            Choice(
                f"{96}",
                "One a channel, over all images and pixels: that is batch norm.",
            ),
            Choice(
                f"{32}",
                "One an image, over channels and pixels together: `nn.LayerNorm` can do that, "
                "but ConvNeXt does not ask for it.",
            ),
            Choice(
                f"{32 * 56 * 56:,}",
                f"One for each pixel of each image, over its {96} channels.",
                right=True,
            ),
            Choice(
                f"{32 * 96:,}",
                "One for each channel of each image: that is instance norm.",
            ),
        ),
    )


def _scale() -> Question:
    return Question(
        "At the start each block's output is multiplied by 0.000001. What does the network "
        "compute then?",
        (
            Choice(
                "Almost what it would compute without its blocks.",
                "That is stem, downsamplings and head, until the blocks wake up as their scale "
                "grows.",
                right=True,
            ),
            Choice(
                "Almost 0 everywhere.",
                "The input of each block goes past it and is added, so that the signal arrives "
                "whole.",
            ),
            Choice(
                "The same as with a scale of 1, since the norms undo it.",
                "There is no norm between the scale and the sum. Only a norm after the sum could "
                "see it, and there the input has swallowed it.",
            ),
        ),
    )


def _cost(network: Anatomy) -> Question:
    layers = {layer.name: layer for layer in network.layers}
    first, last = (layers[f"stages.{s}.block_0.expand"] for s in (0, 3))
    return Question(
        f"The first 1×1 convolution of a block has {first.parameters:,} weights in the first stage "
        f"of ConvNeXt-T and {last.parameters:,} in the last. What about its multiply-adds?",
        (
            Choice(
                f"About {last.parameters // first.parameters} times as many in the last.",
                "The weights are, but there are fewer pixels to apply them to.",
            ),
            Choice(
                "Four times as many in the first, whose map is larger.",
                "The map has 64 times as many pixels, but 8 times fewer channels on either side.",
            ),
            Choice(
                f"The same: {first.macs:,}.",
                "Each stage has a quarter of the pixels and twice the channels on both sides, so "
                "that the two cancel.",
                right=True,
            ),
        ),
    )
