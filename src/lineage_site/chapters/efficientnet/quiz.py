"""The quiz of the EfficientNet chapter."""

from functools import cache

import torch

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.models.efficientnet import VARIANTS, EfficientNet, Scaling
from lineage_lab.registry import create_model
from lineage_site.drawing.quiz import Choice, Question

__all__ = ["anatomy", "questions"]


@cache
def anatomy(name: str) -> Anatomy:
    """A network of the registry, described once for quiz and figures; no weight is made."""
    with torch.device("meta"):
        model = create_model(name)
    return describe(model)


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the networks' own."""
    b0 = anatomy("efficientnet_b0")
    lite = anatomy("efficientnet_lite0")
    resnet = anatomy("resnet50")
    with torch.device("meta"):
        large = EfficientNet(scaling=Scaling(1.0, 1.0, 448, 0.2))
    finer = describe(large, (3, 448, 448))
    scaling = Scaling(1.1, 1.2, 260, 0.3)
    wide, after = 6 * 40, 28 * 28
    depthwise, full = wide * 25 * after, wide * wide * 25 * after
    b2 = VARIANTS["efficientnet_b2"][0]
    return (
        Question(
            "You double the side of the image and change nothing in B0. What happens to its "
            "multiply-adds and to its weights?",
            (
                Choice(
                    "Both double.",
                    "The map grows in two directions, and a convolution's weights do not depend "
                    "on the map at all.",
                ),
                Choice(
                    f"{finer.macs / b0.macs:.1f} times the multiply-adds, and the same "
                    f"{b0.parameters:,} weights.",
                    "Each filter runs at four times as many places, with the weights that it had.",
                    right=True,
                ),
                Choice(
                    "Four times both.",
                    "That is right for the multiply-adds, but a filter has as many weights on a "
                    "large map as on a small one.",
                ),
            ),
        ),
        Question(
            f"A stage of B0 has 80 channels. How many has it in B2, of width {b2.width:g}?",
            (
                Choice(
                    f"{scaling.channels(80)}",
                    f"80 · {b2.width:g} = {80 * b2.width:g}, which is a multiple of 8 already.",
                    right=True,
                ),
                Choice("80", "Depth and resolution grow in B2, but so does the width."),
                Choice(
                    "96",
                    f"The rule takes the nearest multiple of 8, and goes up only where more than "
                    f"a tenth would be lost. {80 * b2.width:g} is a multiple of 8.",
                ),
            ),
        ),
        Question(
            f"A depthwise 5×5 convolution of {wide} channels on a map of 28 × 28 costs "
            f"{depthwise:,} multiply-adds. What would a full one cost?",
            (
                Choice(
                    f"{25 * depthwise:,}, 25 times as much",
                    "25 is the size of the kernel, which both have.",
                ),
                Choice(
                    f"{6 * depthwise:,}, 6 times as much",
                    "6 is how far the block widens its input.",
                ),
                Choice(
                    f"{full:,}, {wide} times as much",
                    f"Each of its filters looks at all {wide} channels, and not at one.",
                    right=True,
                ),
            ),
        ),
        Question(
            f"ResNet-50 has {resnet.macs / b0.macs:.1f} times the multiply-adds of B0, but the "
            "measured times differ by much less. What explains most of it?",
            (
                Choice(
                    f"B0 writes more than half as many activations: {b0.activations / 1e6:.1f} "
                    f"million beside {resnet.activations / 1e6:.1f}.",
                    f"For each number that B0 writes, it does {b0.macs / b0.activations:.0f} "
                    f"multiply-adds, ResNet-50 {resnet.macs / resnet.activations:.0f}. Memory is "
                    "what B0 waits for.",
                    right=True,
                ),
                Choice(
                    f"B0 has {b0.parameters / 1e6:.1f} million weights, which must all be read.",
                    f"ResNet-50 has {resnet.parameters / b0.parameters:.1f} times as many.",
                ),
                Choice(
                    "Squeeze-and-excitation is most of B0's work.",
                    "It is less than a hundredth of its multiply-adds.",
                ),
            ),
        ),
        Question(
            f"Lite0 has {b0.parameters - lite.parameters:,} weights fewer than B0. Where were "
            "they?",
            (
                Choice(
                    "In its last layers, which are narrower.",
                    "Both end with 1,280 channels and a linear layer: Lite only stops them from "
                    "growing in the larger variants.",
                ),
                Choice(
                    "In the stem, which Lite does not scale.",
                    "B0 and Lite0 are not scaled: their stems are alike.",
                ),
                Choice(
                    "In the gates of squeeze-and-excitation.",
                    f"They are {(b0.parameters - lite.parameters) / b0.parameters:.0%} of B0's "
                    f"weights, and {(b0.macs - lite.macs) / b0.macs:.1%} of its multiply-adds.",
                    right=True,
                ),
            ),
        ),
    )
