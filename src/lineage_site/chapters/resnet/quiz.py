"""The quiz of the ResNet chapter."""

import torch

from lineage_lab.anatomy.network import describe
from lineage_lab.models.resnet import IMAGENET, ResNet, ResNetConfig, paper, plain
from lineage_site.drawing.quiz import Choice, Question

__all__ = ["questions"]


def _net(config: ResNetConfig) -> ResNet:
    with torch.device("meta"):  # its weights are not looked at
        return ResNet(config=config)


def _parameters(config: ResNetConfig) -> int:
    return sum(p.numel() for p in _net(config).parameters())


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the networks' own."""
    with_shortcuts, without = _parameters(IMAGENET[34]), _parameters(plain(IMAGENET[34]))
    more = with_shortcuts - without
    first, later = (describe(_net(config)).macs / 1e9 for config in (paper(50), IMAGENET[50]))
    blocks = 27
    return (
        Question(
            "A plain network of 56 layers has a higher error on the test digits than one of 20. "
            "Which further number shows that it does not overfit?",
            (
                Choice(
                    "It has more weights than the shallower one.",
                    "More weights make overfitting easier. They don't rule it out.",
                ),
                Choice(
                    "Its error on the training digits is higher too.",
                    "A network that overfits knows its training digits well. This one does not "
                    "know even those: it was not trained well enough.",
                    right=True,
                ),
                Choice(
                    "Its gradient is larger than that of the shallower one.",
                    "The gradient says how the loss changes here. It says nothing of test digits.",
                ),
            ),
        ),
        Question(
            "All weights of a block's last batch norm (and its biases) are zero. What does the "
            "block put out for a map that comes from a ReLU?",
            (
                Choice(
                    "Its input, if it is residual; zeros, if it is plain.",
                    "The branch gives zero. The shortcut adds the input to it; the plain block "
                    "has nothing else.",
                    right=True,
                ),
                Choice(
                    "Zeros in both cases.",
                    "The branch gives zeros. But the residual block adds its input to them.",
                ),
                Choice(
                    "Its input in both cases.",
                    "The plain block would have to learn a kernel with a single one in its middle "
                    "for that.",
                ),
            ),
        ),
        Question(
            "How many weights do the shortcuts add to the plain network of 34 layers?",
            (
                Choice(
                    "None, whatever their kind.",
                    "True of identities and of option A, which pads with zeros. Option B projects.",
                ),
                Choice(
                    f"{with_shortcuts:,}: the weights double.",
                    f"That is the whole network. Without shortcuts it has {without:,}.",
                ),
                Choice(
                    f"{more:,} with option B, none with option A.",
                    "Three shortcuts change the shape and become projections; all others are "
                    f"identities. That is {more / with_shortcuts:.1%} of the weights.",
                    right=True,
                ),
            ),
        ),
        Question(
            "Table 1 prints 3.8 · 10⁹ FLOPs for 50 layers; of torchvision's `resnet50` one reads "
            "4.09 · 10⁹. Why?",
            (
                Choice(
                    "One counts multiply-adds, the other additions and multiplications.",
                    f"Both count multiply-adds. As operations there are {2 * later:.2f} · 10⁹.",
                ),
                Choice(
                    "torchvision strides in the 3×3, so that the first 1×1 runs on the larger map.",
                    f"{later:.2f} in place of {first:.2f} · 10⁹ (which the paper cuts off to "
                    "3.8), with the same weights.",
                    right=True,
                ),
                Choice(
                    "torchvision's has projections, the paper's does not.",
                    "Both have four projections, where the shape changes.",
                ),
            ),
        ),
        Question(
            f"Each of {blocks} shortcuts is multiplied by 0.5. What share of the first block's "
            "input reaches the last one along the shortcuts?",
            (
                Choice(
                    f"{0.5**blocks:.1e}",
                    f"0.5 to the power of {blocks}. The factors multiply, which is why a shortcut "
                    "must not change what it carries.",
                    right=True,
                ),
                Choice(
                    f"{0.5 / blocks:.1e}",
                    "The factors multiply from block to block; they don't share one half.",
                ),
                Choice(
                    "0.5, as each block restores the other half.",
                    "A block adds something of its own. It does not know what was taken away.",
                ),
            ),
        ),
    )
