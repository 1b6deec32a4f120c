"""The quiz of the GoogLeNet chapter."""

from lineage_lab.anatomy.network import describe
from lineage_lab.models.googlenet import PAPER, TABLE_1, Inception
from lineage_lab.registry import create_model
from lineage_site.drawing.quiz import Choice, Question

__all__ = ["questions"]


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the network's own."""
    width = TABLE_1["3a"]
    layers = {
        x.name: x for x in describe(Inception(192, width=width, config=PAPER), (192, 28, 28)).layers
    }
    squeezed = layers["branch_5x5.0.0"].macs + layers["branch_5x5.1.0"].macs
    plain = 25 * 192 * width.branch_5x5 * 28 * 28
    network = create_model("googlenet_paper")
    head = sum(p.numel() for p in network.get_submodule("head").parameters())
    with_auxiliary = sum(p.numel() for p in network.parameters())
    auxiliary = sum(
        p.numel()
        for name in ("auxiliary_4a", "auxiliary_4d")
        for p in network.get_submodule(name).parameters()
    )
    flat = 1024 * 7 * 7 * 1000 + 1000
    return (
        Question(
            f"Module 3a takes 192 channels. Its `branch_5x5` squeezes them to {width.reduce_5x5} "
            f"and then makes {width.branch_5x5}. How much does the squeeze save?",
            (
                Choice(
                    f"Nothing: a second layer always costs more ({squeezed / 1e6:.1f} million "
                    "multiply-adds more).",
                    f"The second layer is there, but the 5×5 now sees {width.reduce_5x5} channels "
                    "in place of 192, and it is the 5×5 that is dear.",
                ),
                Choice(
                    f"It costs {plain / squeezed:.1f} times less: {squeezed / 1e6:.1f} in place of "
                    f"{plain / 1e6:.1f} million multiply-adds.",
                    f"Without it: 25 · 192 · {width.branch_5x5} at each of 28 · 28 places. With "
                    f"it: (192 · {width.reduce_5x5} + 25 · {width.reduce_5x5} · "
                    f"{width.branch_5x5}) at each.",
                    right=True,
                ),
                Choice(
                    f"It costs {192 // width.reduce_5x5} times less: {192 // width.reduce_5x5} "
                    "times fewer channels go in.",
                    "That would be so if the 1×1 itself were free. It looks at all 192 channels.",
                ),
            ),
        ),
        Question(
            "What does a 1×1 convolution do?",
            (
                Choice(
                    "It multiplies the whole map by one number.",
                    "It has a weight for each pair of an input and an output channel.",
                ),
                Choice(
                    "It shrinks height and width.",
                    "Both stay as they are. It is the number of channels that it changes.",
                ),
                Choice(
                    "At each pixel, the same linear layer over the channels.",
                    "It looks at one place only, so that it can't see a stroke or an edge that its "
                    "input does not hold already. But it mixes all channels.",
                    right=True,
                ),
            ),
        ),
        Question(
            "Four branches give 64, 128, 32 and 32 channels. How many does the module give?",
            (
                Choice(
                    f"{64 + 128 + 32 + 32}",
                    "The branches' maps are as high and as wide as each other, and are laid side "
                    "by side along the channels.",
                    right=True,
                ),
                Choice(
                    "64, their mean.",
                    "Nothing is averaged: the next layer decides what it takes from which branch.",
                ),
                Choice(
                    "128, since the others are added to the widest.",
                    "Adding is what ResNet will do a year later. GoogLeNet concatenates.",
                ),
            ),
        ),
        Question(
            f"Behind the last module there are 1,024 maps of 7 × 7. The mean over each map and a "
            f"linear layer take {head:,} parameters. What would a linear layer on the flat map "
            "take?",
            (
                Choice(
                    f"{head * 7:,}",
                    "There are 7 · 7 places, not 7.",
                ),
                Choice(
                    f"{head:,}, as many.",
                    "A linear layer has a weight for each of its inputs, and a flat map has 49 "
                    "times as many as its means.",
                ),
                Choice(
                    f"{flat:,}",
                    "1,024 · 49 inputs for each of 1,000 classes, and the biases. That one layer "
                    "would be seven times the whole network.",
                    right=True,
                ),
            ),
        ),
        Question(
            f"In training the paper's network has {with_auxiliary:,} parameters. How many has it "
            "in use?",
            (
                Choice(
                    f"{with_auxiliary - auxiliary:,}",
                    f"The two auxiliary classifiers hold {auxiliary:,}. They are there to train, "
                    "and are thrown away afterwards.",
                    right=True,
                ),
                Choice(
                    f"{with_auxiliary:,}",
                    "Ask for its answer in `eval`: the auxiliary classifiers are not run.",
                ),
                Choice(
                    "5 million.",
                    "A later paper of the same group says so, but Table 1 does not add up to it.",
                ),
            ),
        ),
    )
