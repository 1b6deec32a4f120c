"""LeNet-5 (1998): the paper's network, and the one that tutorials call by its name.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86(11), 1998, doi:10.1109/5.726791. The network is in
section II.B and Fig. 2, its sparse layer in Table I, its output codes in Fig. 3, its loss
in section II.C (equation 9), its squashing function and first weights in Appendix A.

Read from the top: its numbers → the input's scale → the network. Its parts and the loss are in
`lineage_lab.models.lenet_layers`, the tutorials' look-alike in `lineage_lab.models.lenet_modern`.
"""

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import check_images
from lineage_lab.models.lenet_layers import (
    DIGIT_CODES,
    RBFOutput,
    SparseConv2d,
    SquashedTanh,
    Subsampling,
    rbf_loss,
)
from lineage_lab.models.lenet_modern import LeNet5Modern

__all__ = [
    "C3_TABLE",
    "DIGIT_CODES",
    "LeNet5",
    "LeNet5Config",
    "LeNet5Modern",
    "RBFOutput",
    "SparseConv2d",
    "SquashedTanh",
    "Subsampling",
    "normalize_ink",
    "rbf_loss",
]

# Table I: for each of the 16 maps of C3, the maps of S2 that it looks at.
C3_TABLE: tuple[tuple[int, ...], ...] = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),  # three neighbours
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),  # four
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),  # four, not side by side
    (0, 1, 2, 3, 4, 5),  # all
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeNet5Config:
    """The numbers of the paper's section II.B.

    Attributes:
        c1_maps: Maps of C1 and of S2.
        c3_table: For each map of C3, the maps of S2 that it looks at (Table I).
        c5_maps: Maps of C5.
        codes: One 7×12 picture a class for the output units (Fig. 3), side by side.
    """

    c1_maps: int = 6
    c3_table: tuple[tuple[int, ...], ...] = C3_TABLE
    c5_maps: int = 120
    codes: str = DIGIT_CODES


# The paper's scaling of the pixels, -0.1 to 1.175, as a mean and a deviation; pixels from 0 to 1.
INK_MEAN, INK_STD = (0.1 / 1.275,), (1 / 1.275,)


def normalize_ink(images: Tensor) -> Tensor:
    """Scale pixels as the paper does: paper (0) to -0.1, full ink (255) to 1.175.

    On digits this brings the mean near 0 and the variance near 1 (section II.B).

    Args:
        images: ``uint8``, any shape, 0 for paper and 255 for ink, as MNIST stores them.

    Returns:
        ``float32`` of the same shape.

    Raises:
        TypeError: The images are not ``uint8``: scaled twice they would look like noise.
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"normalize_ink takes uint8 pixels from 0 to 255, not {images.dtype}")
    return images.float() * (1.275 / 255) - 0.1


class LeNet5(nn.Module):
    """The paper's LeNet-5: 60,000 trainable parameters, 340,908 connections.

    Seven layers, not counting the input: C for convolution, S for subsampling, F for fully
    connected; the paper counts them so, and the last is the output.

    Args:
        num_classes: How many of the ten digits are told apart; their codes are the first
            ones of the paper's Fig. 3.
        config: The paper's numbers.

    Raises:
        ValueError: There are fewer codes than classes.
    """

    def __init__(self, *, num_classes: int = 10, config: LeNet5Config | None = None) -> None:
        super().__init__()
        config = config or LeNet5Config()
        c1, c3, c5 = config.c1_maps, len(config.c3_table), config.c5_maps
        self.C1 = nn.Conv2d(1, c1, 5)
        self.S2 = Subsampling(c1)
        self.C3 = SparseConv2d(config.c3_table, kernel_size=5)
        self.S4 = Subsampling(c3)
        self.C5 = nn.Conv2d(c3, c5, 5)
        self.F6 = nn.Linear(c5, 7 * 12)
        self.output = RBFOutput(config.codes, num_classes=num_classes)
        self.squash = SquashedTanh()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw each weight evenly from ±2.4 / F, F being the unit's inputs (Appendix A).

        Biases start at 0 (the paper gives no value). A subsampling unit's coefficient is
        drawn like the other weights: it has four inputs.
        """
        for layer, inputs in (
            (self.C1, 25),
            (self.C5, self.C5.in_channels * 25),
            (self.F6, self.F6.in_features),
        ):
            nn.init.uniform_(layer.weight, -2.4 / inputs, 2.4 / inputs)
            nn.init.zeros_(cast(Tensor, layer.bias))
        for subsampling in (self.S2, self.S4):
            nn.init.uniform_(subsampling.coefficient, -2.4 / 4, 2.4 / 4)
            nn.init.zeros_(subsampling.bias)
        inputs_of_map = 25 * torch.tensor(self.C3.fan_in, device=self.C3.weight.device)
        with torch.no_grad():
            self.C3.weight.uniform_(-2.4, 2.4).div_(inputs_of_map.view(-1, 1, 1))
            self.C3.bias.zero_()

    # --8<-- [start:forward]
    def distances(self, images: Float[Tensor, "batch 1 32 32"]) -> Float[Tensor, "batch classes"]:
        """The output units' penalties y, as in the paper: the smallest names the class."""
        check_images(images, channels=1, exactly=32)
        x = self.squash(self.C1(images))
        x = self.S2(x)
        x = self.squash(self.C3(x))
        x = self.S4(x)
        x = self.squash(self.C5(x)).flatten(1)
        x = self.squash(self.F6(x))
        y: Tensor = self.output(x)
        return y

    # --8<-- [end:forward]

    def forward(self, images: Float[Tensor, "batch 1 32 32"]) -> Float[Tensor, "batch classes"]:
        """Scores of the classes: the distances with their sign turned, so the largest wins.

        Args:
            images: Scaled by `normalize_ink`, the digit 20 pixels high in the middle.

        Returns:
            ``[batch, classes]``, all ≤ 0.
        """
        return -self.distances(images)

    def connections(self) -> dict[str, int]:
        """The paper's count of connections, layer by layer (section II.B).

        A bias is a connection; each unit of a subsampling layer has four inputs and a bias.
        """
        places = {"C1": 28 * 28, "C3": 10 * 10, "C5": 1, "F6": 1}
        counts = {name: n * _parameters(getattr(self, name)) for name, n in places.items()}
        counts["S2"] = self.S2.bias.numel() * 14 * 14 * 5
        counts["S4"] = self.S4.bias.numel() * 5 * 5 * 5
        counts["output"] = self.output.codes.numel()
        return {name: counts[name] for name in ("C1", "S2", "C3", "S4", "C5", "F6", "output")}


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
