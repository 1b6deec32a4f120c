"""AlexNet (2012): the paper's two-group network, and the one that torchvision ships.

A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet Classification with Deep Convolutional
Neural Networks", NIPS 2012. The layers are in section 3.5 and Fig. 2, local response
normalisation in 3.3, overlapping pooling in 3.4, the first weights in section 5. Two years
later Krizhevsky published a one-tower form for another way of sharing work between GPUs
("One weird trick for parallelizing convolutional neural networks", arXiv:1404.5997):
torchvision's `alexnet` follows that one.

Read from the top: one layer as data → the three forms → the network.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import LocalResponseNorm, check_images

__all__ = ["ONE_TOWER", "PAPER", "PAPER_UNGROUPED", "AlexNet", "AlexNetConfig", "ConvLayer"]


@dataclass(frozen=True, slots=True)
class ConvLayer:
    """One convolutional layer and what follows it.

    Attributes:
        channels: Kernels of the layer; in the paper those of both GPUs together.
        kernel: Side of a kernel.
        stride: Pixels between two applications.
        padding: Pixels of zeros around the map.
        groups: 2 where a GPU sees the maps of its own half only.
        normalised: Local response normalisation follows the ReLU.
        pooled: Overlapping max pooling (3×3, stride 2) follows.
    """

    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    normalised: bool = False
    pooled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlexNetConfig:
    """A form of the network.

    Attributes:
        layers: The five convolutional layers.
        resolution: Side of the input in pixels.
        smallest: Least side that leaves a pixel for the last pooling.
        paper_start: First weights as in the paper's section 5; else PyTorch's.
        dropout_last: Dropout stands behind each hidden layer, as in the paper, not before it.
    """

    layers: tuple[ConvLayer, ...]
    resolution: int
    smallest: int
    paper_start: bool
    dropout_last: bool


def _paper(groups: int) -> AlexNetConfig:
    return AlexNetConfig(
        layers=(
            ConvLayer(96, 11, stride=4, normalised=True, pooled=True),
            ConvLayer(256, 5, padding=2, groups=groups, normalised=True, pooled=True),
            ConvLayer(384, 3, padding=1),  # the one layer where the GPUs exchange maps
            ConvLayer(384, 3, padding=1, groups=groups),
            ConvLayer(256, 3, padding=1, groups=groups, pooled=True),
        ),
        # The paper says 224, but 55 positions of stride 4 need 227, or 224 and 3 of padding.
        resolution=227,
        smallest=67,
        paper_start=True,
        dropout_last=True,
    )


PAPER = _paper(groups=2)
PAPER_UNGROUPED = _paper(groups=1)
ONE_TOWER = AlexNetConfig(
    layers=(
        ConvLayer(64, 11, stride=4, padding=2, pooled=True),
        ConvLayer(192, 5, padding=2, pooled=True),
        ConvLayer(384, 3, padding=1),
        ConvLayer(256, 3, padding=1),
        ConvLayer(256, 3, padding=1, pooled=True),
    ),
    resolution=224,
    smallest=63,
    paper_start=False,
    dropout_last=False,
)


# --8<-- [start:layer]
def conv_layer(inputs: int, row: ConvLayer) -> nn.Sequential:
    """Convolution → ReLU → normalisation → pooling, the last two where the row has them."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, row.channels, row.kernel, row.stride, row.padding, groups=row.groups),
        nn.ReLU(inplace=True),
    ]
    if row.normalised:
        layers.append(LocalResponseNorm())
    if row.pooled:
        layers.append(nn.MaxPool2d(kernel_size=3, stride=2))
    return nn.Sequential(*layers)


# --8<-- [end:layer]


class AlexNet(nn.Module):
    """Five convolutional layers, three fully connected.

    Args:
        num_classes: Scores to give.
        config: Which form.
    """

    def __init__(self, *, num_classes: int = 1000, config: AlexNetConfig = ONE_TOWER) -> None:
        super().__init__()
        self.smallest = config.smallest
        self.stages = nn.Sequential()
        channels = 3
        for row in config.layers:
            self.stages.append(conv_layer(channels, row))
            channels = row.channels
        self.pool = nn.AdaptiveAvgPool2d(6)  # does nothing at the form's own resolution
        self.hidden = nn.Sequential()
        for inputs in (channels * 6 * 6, 4096):
            layer, dropout = (nn.Linear(inputs, 4096), nn.ReLU(inplace=True)), nn.Dropout(0.5)
            self.hidden.extend((*layer, dropout) if config.dropout_last else (dropout, *layer))
        self.head = nn.Linear(4096, num_classes)
        if config.paper_start:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Section 5: normal with deviation 0.01; biases 1 in layers 2, 4, 5 and the hidden ones."""
        convolutions = [m for m in self.stages.modules() if isinstance(m, nn.Conv2d)]
        hidden = [m for m in self.hidden if isinstance(m, nn.Linear)]
        ones = {convolutions[1], *convolutions[3:], *hidden}
        for module in (*convolutions, *hidden, self.head):
            nn.init.normal_(module.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.constant_(module.bias, float(module in ones))  # type: ignore[arg-type]

    # --8<-- [start:forward]
    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Images normalised channel by channel to the logits ``[batch, classes]``."""
        check_images(images, smallest=self.smallest)
        x = self.stages(images)
        x = self.pool(x).flatten(1)
        y: Tensor = self.head(self.hidden(x))
        return y

    # --8<-- [end:forward]
