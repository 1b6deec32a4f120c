"""The quiz of the LeNet-5 chapter."""

from lineage_lab.anatomy.network import describe
from lineage_lab.models.lenet import LeNet5
from lineage_site.drawing.quiz import Choice, Question

__all__ = ["questions"]


def questions() -> tuple[Question, ...]:
    """Five questions; the counts are the network's own."""
    anatomy = describe(LeNet5(), (1, 32, 32))
    layers = {layer.name: layer for layer in anatomy.layers}
    connections = LeNet5().connections()
    c1, c3 = layers["C1"], layers["C3"]
    units = c1.output_shape[1] * c1.output_shape[2]
    dense = 16 * (6 * 25 + 1)
    return (
        Question(
            f"Why does C1 have {c1.parameters} weights but {connections['C1']:,} connections?",
            (
                Choice(
                    f"All {units} units of a map use the same {c1.parameters // 6} weights.",
                    f"6 maps · {units} units · 26 inputs (25 pixels and a bias) are "
                    f"{6 * units * 26:,} connections; 6 · 26 = {6 * 26} weights serve them all.",
                    right=True,
                ),
                Choice(
                    "Most of its connections are set to zero.",
                    "Every unit of C1 looks at all 25 pixels of its window. It is C3 that leaves "
                    "pairs of maps out.",
                ),
                Choice(
                    "Subsampling removes the other weights.",
                    "S2 comes after C1 and has weights of its own: "
                    f"{layers['S2'].parameters} of them.",
                ),
            ),
        ),
        Question(
            "You feed a picture of 64 × 64 pixels in place of 32 × 32. Which layers need more "
            "weights?",
            (
                Choice(
                    "C1 and C3, since their maps are larger.",
                    "A convolution's weights do not depend on the size of its maps. That is what "
                    "sharing means.",
                ),
                Choice(
                    "None up to C5, whose maps grow to 9 × 9.",
                    "Which is why the paper calls C5 a convolution, though its maps are 1 × 1 for "
                    "a picture of 32 × 32.",
                    right=True,
                ),
                Choice(
                    "C5 only, since it takes the whole map.",
                    f"C5's kernel stays 5 × 5: {layers['C5'].parameters:,} weights, whatever the "
                    "picture. It gives more units, not more weights.",
                ),
            ),
        ),
        Question(
            f"C3 has {c3.parameters:,} weights. How many would it have if each of its maps looked "
            "at all six maps of S2?",
            (
                Choice(
                    f"{dense:,}",
                    f"16 maps · (6 · 25 weights + 1 bias). The table saves "
                    f"{dense - c3.parameters:,} of them.",
                    right=True,
                ),
                Choice(
                    f"{16 * 26:,}",
                    "That is one map of S2 for each map of C3: 25 weights and a bias, 16 times.",
                ),
                Choice(
                    f"{6 * 16 * 26:,}",
                    "Close, but a map has one bias, however many maps it looks at.",
                ),
            ),
        ),
        Question(
            "The pixels of all pictures are shuffled in one fixed way. Which network loses more?",
            (
                Choice(
                    "The one that connects everything to everything.",
                    "It never knew which pixels are neighbours, so that it has nothing to lose.",
                ),
                Choice(
                    "Both lose as much: information was destroyed.",
                    "A fixed shuffle can be undone. All of the information is still there.",
                ),
                Choice(
                    "The convolutional one.",
                    "Its windows hold neighbours no more. What it was built to know is now wrong.",
                    right=True,
                ),
            ),
        ),
        Question(
            "Distances to ten fixed, drawn codes work. Why would it be bad for 1,000 classes?",
            (
                Choice(
                    "Distances cost more than a linear layer does.",
                    "Both cost one multiply-add for each weight.",
                ),
                Choice(
                    "Somebody has to draw 1,000 codes whose nearness means likeness.",
                    "A learnt linear layer finds its own directions, which is what all later "
                    "networks do.",
                    right=True,
                ),
                Choice(
                    "Euclidean distance is not differentiable.",
                    "Its square is, everywhere. LeNet-5 was trained through it.",
                ),
            ),
        ),
    )
