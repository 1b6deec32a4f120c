"""GoogLeNet (2014): look at several scales at once, and pay for it with 1×1 convolutions.

C. Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, arXiv:1409.4842. The module
is Fig. 2(b), the network Table 1 and Fig. 3, the auxiliary classifiers section 5, their
weight in the loss (0.3) the same. Two forms live here: the paper's, and torchvision's, which
came by way of TensorFlow: batch norm without biases, no local response normalisation, 3×3 in
the branch that the paper calls 5×5 (torchvision's issue 906), auxiliary classifiers that
pool adaptively, and less dropout at the end.

Read from the top: Table 1 → the two forms as data → the network → its loss; the module and
the auxiliary classifier are in `lineage_lab.models.googlenet_inception`.
"""

from functools import partial
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lineage_lab.models.blocks import LocalResponseNorm, check_images
from lineage_lab.models.googlenet_inception import (
    Auxiliary,
    GoogLeNetConfig,
    Inception,
    Width,
    conv,
)

__all__ = ["PAPER", "TORCHVISION", "GoogLeNet", "GoogLeNetConfig", "GoogLeNetOutputs", "Inception",
           "Rescale", "Width", "auxiliary_loss"]  # fmt: skip


TABLE_1: dict[str, Width] = {
    "3a": Width(64, 96, 128, 16, 32, 32),
    "3b": Width(128, 128, 192, 32, 96, 64),
    "4a": Width(192, 96, 208, 16, 48, 64),
    "4b": Width(160, 112, 224, 24, 64, 64),
    "4c": Width(128, 128, 256, 24, 64, 64),
    "4d": Width(112, 144, 288, 32, 64, 64),
    "4e": Width(256, 160, 320, 32, 128, 128),
    "5a": Width(256, 160, 320, 32, 128, 128),
    "5b": Width(384, 192, 384, 48, 128, 128),
}
AUXILIARY_WEIGHT = 0.3  # section 5


PAPER = GoogLeNetConfig(
    norm=False,
    kernel_5x5=5,
    between=LocalResponseNorm,  # with AlexNet's constants: the paper gives none
    last_pool=3,
    auxiliary_pool=partial(nn.AvgPool2d, kernel_size=5, stride=3),
    dropout=0.4,
    start=nn.init.xavier_uniform_,  # the paper gives none; Caffe's published form draws so
    smallest=31,
)
TORCHVISION = GoogLeNetConfig(
    norm=True,
    kernel_5x5=3,
    between=nn.Identity,
    last_pool=2,
    auxiliary_pool=partial(nn.AdaptiveAvgPool2d, output_size=4),
    dropout=0.2,
    start=partial(nn.init.trunc_normal_, std=0.01, a=-2.0, b=2.0),
    smallest=15,
)


class GoogLeNetOutputs(NamedTuple):
    """What the network gives while it is trained; each ``[batch, classes]``.

    Attributes:
        logits: Of the network.
        auxiliary_4d: Of the classifier on module 4d.
        auxiliary_4a: Of the classifier on module 4a.
    """

    logits: Tensor
    auxiliary_4d: Tensor
    auxiliary_4a: Tensor


class GoogLeNet(nn.Module):
    """Table 1: stem, nine inception modules, global average pooling, one linear layer.

    Args:
        num_classes: Scores to give.
        config: Which form.

    Attributes:
        rescale: What is done to the images first: nothing, but torchvision's published
            weights need `Rescale` (see `lineage_lab.weights.published`).
        output_weights: Weight in the loss of each of the `GoogLeNetOutputs` (section 5).
    """

    output_weights = (1.0, AUXILIARY_WEIGHT, AUXILIARY_WEIGHT)

    def __init__(
        self,
        *,
        num_classes: int = 1000,
        config: GoogLeNetConfig = TORCHVISION,
    ) -> None:
        super().__init__()
        pool = partial(nn.MaxPool2d, stride=2, ceil_mode=True)
        self.smallest = config.smallest
        self.rescale: nn.Module = nn.Identity()
        self.stem = nn.Sequential(
            *(conv(3, 64, 7, stride=2, config=config), pool(3), config.between()),
            *(conv(64, 64, 1, config=config), conv(64, 192, 3, config=config)),
            *(config.between(), pool(3)),
        )
        channels = 192
        modules: dict[str, nn.Module] = {}
        for name, width in TABLE_1.items():
            modules[name] = Inception(channels, width=width, config=config)
            channels = width.outputs
        self.inception = nn.ModuleDict(modules)
        self.pool_3 = pool(3)
        self.pool_4 = pool(config.last_pool)
        self.auxiliary_4a: nn.Module | None = Auxiliary(512, num_classes=num_classes, config=config)
        self.auxiliary_4d: nn.Module | None = Auxiliary(528, num_classes=num_classes, config=config)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                config.start(module.weight)

    # --8<-- [start:forward]
    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"] | GoogLeNetOutputs:
        """Images to logits ``[batch, classes]``; in training also the auxiliaries' logits."""
        check_images(images, smallest=self.smallest)
        x = self.stem(self.rescale(images))
        x = self.pool_3(self.through(x, "3a", "3b"))
        x = self.through(x, "4a")
        auxiliary_4a = self.aside(self.auxiliary_4a, x)
        x = self.through(x, "4b", "4c", "4d")
        auxiliary_4d = self.aside(self.auxiliary_4d, x)
        x = self.pool_4(self.through(x, "4e"))
        x = self.through(x, "5a", "5b")
        logits: Tensor = self.head(self.dropout(self.pool(x).flatten(1)))
        if auxiliary_4a is None or auxiliary_4d is None:
            return logits
        return GoogLeNetOutputs(logits, auxiliary_4d, auxiliary_4a)

    # --8<-- [end:forward]

    def through(self, x: Tensor, *names: str) -> Tensor:
        """The map after these inception modules, one after the other."""
        for name in names:
            x = self.inception[name](x)
        return x

    def aside(self, auxiliary: nn.Module | None, x: Tensor) -> Tensor | None:
        """An auxiliary classifier's logits, in training only."""
        return auxiliary(x) if auxiliary is not None and self.training else None


class Rescale(nn.Module):
    """From images normalised by ImageNet's mean and deviation to pixels between -1 and 1."""

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """``[batch, 3, height, width]``, each channel by its own factor and shift."""
        factor = images.new_tensor([std / 0.5 for std in (0.229, 0.224, 0.225)])
        shift = images.new_tensor([(mean - 0.5) / 0.5 for mean in (0.485, 0.456, 0.406)])
        return images * factor.view(3, 1, 1) + shift.view(3, 1, 1)


def auxiliary_loss(
    outputs: GoogLeNetOutputs, labels: Int[Tensor, " batch"], *, weight: float = AUXILIARY_WEIGHT
) -> Float[Tensor, ""]:
    """The training loss: the auxiliary classifiers' losses count 0.3 each (section 5)."""
    main, *auxiliary = (F.cross_entropy(logits, labels) for logits in outputs)
    return main + weight * sum(auxiliary, main.new_zeros(()))
