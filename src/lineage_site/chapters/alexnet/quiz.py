"""The quiz of the AlexNet chapter."""

import torch

from lineage_lab.anatomy.network import describe
from lineage_lab.models.alexnet import PAPER, PAPER_UNGROUPED, AlexNet
from lineage_site.drawing.quiz import Choice, Question

__all__ = ["questions"]


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the network's own."""
    with torch.device("meta"):  # no first weights are drawn
        paper, whole = (
            describe(AlexNet(config=c), (3, 227, 227)) for c in (PAPER, PAPER_UNGROUPED)
        )
    layers = {layer.name: layer for layer in paper.layers}
    fc6, conv2 = layers["hidden.0"], layers["stages.1.0"]
    convolutions = [layer for layer in paper.layers if layer.kind == "Conv2d"]
    weights = sum(layer.parameters for layer in convolutions) / paper.parameters
    macs = sum(layer.macs for layer in convolutions) / paper.macs
    saved = whole.macs - paper.macs
    fewer = whole.parameters - paper.parameters
    return (
        Question(
            "You double the number of maps of every convolution. What grows most, in multiply-adds "
            "for one photograph?",
            (
                Choice(
                    "The fully connected layers: they hold nearly all of the weights.",
                    f"They hold {1 - weights:.0%} of the weights, but each is used once a "
                    f"photograph. All three together need {1 - macs:.0%} of the multiply-adds.",
                ),
                Choice(
                    "The convolutions.",
                    f"They hold {weights:.0%} of the weights and do {macs:.0%} of the work, since "
                    "each weight is used at every position. With twice the maps in and twice the "
                    "maps out, most of them do four times as much.",
                    right=True,
                ),
                Choice(
                    "Both by as much: doubling is doubling.",
                    "The first fully connected layer gets twice the input, so it doubles. A "
                    "convolution between two doubled layers grows four times.",
                ),
            ),
        ),
        Question(
            f"The network without groups has {whole.parameters:,} parameters, the one with two "
            f"groups {paper.parameters:,}. Why do two groups save so little of them, but "
            f"{saved / whole.macs:.0%} of the multiply-adds?",
            (
                Choice(
                    "Groups halve three convolutions, and those have few weights but many uses.",
                    f"{fewer:,} weights go. They were used at 27 × 27 or 13 × 13 positions each: "
                    f"{saved:,} multiply-adds.",
                    right=True,
                ),
                Choice(
                    "The weights are still there, but set to zero.",
                    f"They do not exist: a map of the second layer has a kernel of "
                    f"{conv2.parameters // 256 - 1:,} weights and not of {96 * 25:,}.",
                ),
                Choice(
                    "Each GPU has a copy of all weights.",
                    "Each GPU has its own half. It is the photographs' maps that are exchanged, at "
                    "the third layer.",
                ),
            ),
        ),
        Question(
            "You build the paper's network for pictures of 224 × 224, with no padding in the first "
            "layer, as the text has it. What happens at the first fully connected layer?",
            (
                Choice(
                    "Nothing: the maps there are 6 × 6.",
                    "That needs 227 pixels, or padding. 224 pixels give 54 positions, then 26, 12 "
                    "and 5 after the three poolings.",
                ),
                Choice(
                    "It gets 13 × 13 maps.",
                    "Those are the maps before the last pooling.",
                ),
                Choice(
                    "It gets maps of 5 × 5 and does not fit its weights.",
                    f"(224 − 11) / 4 is no whole number: 54 positions, and in the end "
                    f"{256 * 5 * 5:,} inputs where the layer has {fc6.parameters // 4096 - 1:,}.",
                    right=True,
                ),
            ),
        ),
        Question(
            "A friend writes `nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2)` for the "
            "paper's layer. What is wrong?",
            (
                Choice(
                    "β should be 0.5, since it is a square root.",
                    "The paper's β is 0.75.",
                ),
                Choice(
                    "PyTorch divides `alpha` by the five maps; the paper does not.",
                    "The paper's α of 0.0001 is `alpha=5e-4` there. Nothing complains: the maps "
                    "have the right shape and wrong values.",
                    right=True,
                ),
                Choice(
                    "The sum should run over five positions, not over five maps.",
                    "It runs over maps at one position: the paper's section 3.3.",
                ),
                Choice("Nothing.", "It runs, and it is another formula."),
            ),
        ),
        Question(
            "Which network has the top-5 error of 15.3 %?",
            (
                Choice(
                    "The one of the paper's Fig. 2.",
                    "That one has 18.2 % on the validation photographs (Table 2).",
                ),
                Choice(
                    "Five networks like it, whose predictions are averaged.",
                    "Those have 16.4 %.",
                ),
                Choice(
                    "Those five and two more, with a sixth convolution and trained on more "
                    "photographs before.",
                    "Seven networks. The two saw all 15 million photographs of ImageNet's release "
                    "of Fall 2011 before they were tuned to the contest's 1,000 classes.",
                    right=True,
                ),
            ),
        ),
    )
