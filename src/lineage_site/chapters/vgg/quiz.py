"""The quiz of the VGG chapter."""

from functools import cache

import torch

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.registry import create_model
from lineage_site.drawing.quiz import Choice, Question

__all__ = ["questions"]


@cache
def _anatomy(name: str, side: int = 224) -> Anatomy:
    with torch.device("meta"):
        model = create_model(name)
    return describe(model, (3, side, side))


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the networks' own."""
    d = _anatomy("vgg16")
    layers = {layer.name: layer for layer in d.layers}
    second, sixth = layers["stages.1.2"], layers["stages.3.2"]
    fc6 = layers["hidden.0"]
    convs = sum(layer.parameters for layer in d.layers if layer.kind == "Conv2d")
    large = _anatomy("vgg16", 448)
    five = 2 * 5 + 1
    c, b = _anatomy("vgg16c"), _anatomy("vgg13")
    return (
        Question(
            "How many 3×3 layers, one after the other and without pooling, see what one 11×11 "
            "sees?",
            (
                Choice(
                    "4",
                    "Four see 9 × 9: the first 3, and each of the others 2 more.",
                ),
                Choice(
                    "5",
                    f"3 + 4 · 2 = {five}. With C channels in and out they have {5 * 9} C² weights, "
                    f"one 11×11 has {11 * 11} C².",
                    right=True,
                ),
                Choice(
                    "11",
                    f"Eleven see {2 * 11 + 1} × {2 * 11 + 1}: each layer adds 2 pixels, not 1.",
                ),
            ),
        ),
        Question(
            f"The last 3×3 layer of stage 2 and that of stage 4 both take {second.macs:,} "
            "multiply-adds. Why the same?",
            (
                Choice(
                    "Each pooling quarters the places, and doubled channels make four times as "
                    "many weights.",
                    f"{second.output_shape[1]}² places and {second.output_shape[0]}² pairs of "
                    f"channels; then {sixth.output_shape[1]}² and {sixth.output_shape[0]}². The "
                    "products are equal.",
                    right=True,
                ),
                Choice(
                    "They have as many weights.",
                    f"{second.parameters:,} and {sixth.parameters:,}. The later one has far more, "
                    "and uses each at fewer places.",
                ),
                Choice(
                    "All layers of a VGG cost the same.",
                    f"Those of stage 5 take {layers['stages.4.2'].macs:,}: there the map is halved "
                    "and the channels stay at 512.",
                ),
            ),
        ),
        Question(
            f"VGG-16 has {d.parameters:,} parameters. What do its 13 convolutions hold together?",
            (
                Choice(
                    f"{d.parameters - fc6.parameters:,}",
                    "That is all but fc6; the other two fully connected layers are still in it.",
                ),
                Choice(
                    f"{fc6.parameters:,}",
                    "That is fc6 alone: 512 · 7 · 7 inputs, 4,096 outputs, and 4,096 biases.",
                ),
                Choice(
                    f"{convs:,}",
                    f"{convs / d.parameters:.0%} of all. fc6 alone holds "
                    f"{fc6.parameters / d.parameters:.0%}.",
                    right=True,
                ),
            ),
        ),
        Question(
            "Column C and column D have 16 layers each. What does the difference of their errors "
            "say?",
            (
                Choice(
                    "That 1×1 layers are useless.",
                    f"C, with three of them, does better than B, which lacks them. C sees "
                    f"{c.receptive_field} pixels, as B does ({b.receptive_field}): one more ReLU "
                    "helped.",
                ),
                Choice(
                    "That looking further helps beyond one more ReLU.",
                    f"D puts 3×3 where C has 1×1. It sees {d.receptive_field} pixels, C "
                    f"{c.receptive_field}, and its error is lower.",
                    right=True,
                ),
                Choice(
                    "Nothing: they have as many weights.",
                    f"They have {c.parameters:,} and {d.parameters:,}.",
                ),
            ),
        ),
        Question(
            "You run `vgg16` of this package on a picture of 448 × 448. What becomes of its "
            "weights and its multiply-adds?",
            (
                Choice(
                    "The weights stay, the multiply-adds of the convolutions grow fourfold.",
                    f"{d.macs:,} become {large.macs:,}. An average pooling brings the last map to "
                    "7 × 7; the paper slides the three last layers over it instead.",
                    right=True,
                ),
                Choice(
                    "Both grow fourfold.",
                    f"It has {large.parameters:,} parameters at any size: a kernel is used at more "
                    "places.",
                ),
                Choice(
                    "It can't take such a picture: fc6 needs 7 × 7.",
                    "fc6 does, and the pooling before it sees to that. In the paper fc6 becomes a "
                    "convolution.",
                ),
            ),
        ),
    )
