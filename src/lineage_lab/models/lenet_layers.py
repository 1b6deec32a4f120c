"""LeNet-5's parts: squashing, subsampling, sparse convolution, the output and its loss.

The squashing function is in the paper's Appendix A, subsampling in section II.B, the sparse layer
in Table I, the codes in Fig. 3, the distances in equation 7, the loss in section II.C (equation 9).
Read from the top: squashing → subsampling → sparse convolution → codes → output units → loss.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["DIGIT_CODES", "RBFOutput", "SparseConv2d", "SquashedTanh", "Subsampling", "rbf_loss"]


class SquashedTanh(nn.Module):
    """``A tanh(S a)`` with A = 1.7159 and S = 2/3 (Appendix A).

    The constants make f(1) = 1 and f(-1) = -1, and put the points of greatest curvature
    there: the codes ±1 of the output units lie where the unit still learns.
    """

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Squash each element; any shape."""
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """S2 and S4: the sum of a 2×2 square, times a coefficient, plus a bias; both are learnt.

    Two parameters a map. Squares don't overlap, so the map's sides are halved.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.empty(channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(channels, 1, 1))
        self.squash = SquashedTanh()

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels half_height half_width"]:
        """``[batch, channels, height, width]`` to the same with both sides halved."""
        sums = 4 * F.avg_pool2d(x, 2)
        squashed: Tensor = self.squash(sums * self.coefficient + self.bias)
        return squashed


class SparseConv2d(nn.Module):
    """C3: a convolution whose maps each look at a few of the input's maps (Table I).

    Only the connections of the table hold weights. To run fast they are laid into a dense
    kernel with zeros elsewhere; the zeros are no parameters and get no gradient.

    Args:
        table: For each output map, the input maps that it looks at.
        kernel_size: Side of the square kernel.
    """

    # --8<-- [start:sparse]
    def __init__(self, table: Sequence[Sequence[int]], *, kernel_size: int) -> None:
        super().__init__()
        pairs = [(out, source) for out, row in enumerate(table) for source in row]
        self.fan_in = [len(row) for row in table for _ in row]  # maps that share an output map
        self.dense_shape = (len(table), 1 + max(s for _, s in pairs), kernel_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(len(pairs), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.empty(len(table)))
        self.register_buffer("pairs", torch.tensor(pairs).T, persistent=False)
        self.pairs: Int[Tensor, "2 connections"]

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, 6, height, width]`` to ``[batch, 16, height - 4, width - 4]`` for C3."""
        kernel = self.weight.new_zeros(self.dense_shape)
        kernel = kernel.index_put((self.pairs[0], self.pairs[1]), self.weight)
        return F.conv2d(x, kernel, self.bias)

    # --8<-- [end:sparse]

    def count_macs(self, output_shape: torch.Size) -> int:
        """Multiply-adds for one image: those of the table's connections, not of the zeros."""
        return self.weight.numel() * output_shape[-2] * output_shape[-1]


# Fig. 3, the row of digits: 7 wide and 12 high, read off the figure. The bar over 0, 2, 4 and
# 5 probably keeps them apart from the letters O, Z, y and S, which the full ASCII set has too.
DIGIT_CODES = """
.#####. ...##.. .#####. ####### .#####. .#####. ..####. ####### .#####. .#####.
....... ..###.. ....... .....## ....... ....... .##.... .....## ##...## ##..###
..###.. .####.. .#####. ....##. ....... ####### ##..... .....## ##...## ##...##
.##.##. ...##.. ##...## ...##.. .##..## ##..... ##..... ....##. ##...## ##...##
##...## ...##.. #....## ..####. .##..## ##..... ######. ...##.. .#####. ##..###
##...## ...##.. ....##. .....## ###..## .####.. ###..## ...##.. ##...## .######
##...## ...##.. ..###.. .....## ##...## ..####. ##...## ..##... ##...## .....##
##...## ...##.. .##.... .....## ##...## .....## ##...## ..##... ##...## .....##
.##.##. ...##.. ##..... ##...## ##..### ##...## ###..## ..##... ##...## ....##.
..###.. .###### ####### .#####. .###### .#####. .#####. ..##... .#####. .####..
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
....... ....... ....... ....... .....## ....... ....... ....... ....... .......
"""


class RBFOutput(nn.Module):
    """The output: how far F6's 84 numbers lie from each class's 7×12 picture (Fig. 3).

    ``y_i = Σ_j (x_j - w_ij)²`` (equation 7): a distance, so the smallest is the answer. The
    codes ``w`` are fixed: a buffer, not a parameter.
    """

    def __init__(self, pictures: str, *, num_classes: int) -> None:
        super().__init__()
        # Read down each column of the drawing: one picture, row after row.
        columns = zip(*(line.split() for line in pictures.split("\n") if line), strict=True)
        ink = [[1.0 if pixel == "#" else -1.0 for pixel in "".join(rows)] for rows in columns]
        if not 1 <= num_classes <= len(ink):
            raise ValueError(
                f"LeNet-5 has a code for each of {len(ink)} classes, not for {num_classes}. "
                "For other classes take lenet5_modern, or give a LeNet5Config with more codes"
            )
        self.register_buffer("codes", torch.tensor(ink[:num_classes]))
        self.codes: Float[Tensor, "classes features"]

    def forward(self, x: Float[Tensor, "batch features"]) -> Float[Tensor, "batch classes"]:
        """``[batch, 84]`` to the squared distances ``[batch, classes]``."""
        # |x - w|² = |x|² + |w|² - 2 x·w: one matrix product in place of a cube of differences.
        # A code is all 1 and -1, so |w|² is how many numbers it has.
        squares = x.square().sum(dim=1, keepdim=True) + self.codes.shape[1]
        return torch.addmm(squares, x, self.codes.T, alpha=-2)

    def count_macs(self, output_shape: torch.Size) -> int:
        """One multiply-add for each connection to a code."""
        return self.codes.numel()


def rbf_loss(
    scores: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"], *, j: float = 1.0
) -> Float[Tensor, ""]:
    """The paper's loss (equation 9): pull the right code near, push the others away.

    ``E = mean( y_D + log( e^-j + Σ_i e^-y_i ) )``, with D the right class. Written with
    scores ``s = -y`` it is the cross-entropy of a softmax that has one class more, whose
    score is always -j: the paper's "rubbish" class. Without the second term (equation 8)
    the classes would not compete. The constant keeps penalties that are large already from
    being pushed further.

    Args:
        scores: What `LeNet5` gives, ``[batch, classes]``.
        labels: The right classes.
        j: The rubbish class's penalty, positive. The paper gives no value.

    Returns:
        The mean loss.

    Raises:
        ValueError: ``j`` is not positive.
    """
    if j <= 0:
        raise ValueError(f"j must be positive (the paper, below equation 9), not {j}")
    rubbish = scores.new_full((len(scores), 1), -j)
    return F.cross_entropy(torch.cat((scores, rubbish), dim=1), labels)
