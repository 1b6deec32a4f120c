"""VGG (2014): only 3×3, and deeper each time.

K. Simonyan, A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition", ICLR 2015, arXiv:1409.1556. The configurations are the columns A to E of
Table 1, the argument for 3×3 is section 2.3. Column C has three 1×1 layers. Batch norm came
a year later; the forms with it (``_bn``) are torchvision's. The column A-LRN is left out:
the paper found that normalisation did not help (section 4.1).

Read from the top: the columns of Table 1 → the stages → the network.
"""

from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import check_images

__all__ = ["COLUMNS", "VGG"]

# --8<-- [start:columns]
# Table 1. Each stage: the kernels of its layers; max pooling ends it.
COLUMNS: dict[str, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
CHANNELS = (64, 128, 256, 512, 512)
# --8<-- [end:columns]


# --8<-- [start:stage]
def stage(inputs: int, channels: int, kernels: tuple[int, ...], *, norm: bool) -> nn.Sequential:
    """Convolutions that keep the map's sides, then a max pooling that halves them."""
    layers: list[nn.Module] = []
    for kernel in kernels:
        layers.append(nn.Conv2d(inputs, channels, kernel, padding=kernel // 2))
        if norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU(inplace=True))
        inputs = channels
    return nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2))


# --8<-- [end:stage]


class VGG(nn.Module):
    """Five stages of 3×3 convolutions, three fully connected layers.

    Args:
        num_classes: Scores to give.
        column: The column of Table 1, ``A`` to ``E``.
        norm: Batch norm behind each convolution (torchvision's ``_bn``; not the paper's).
    """

    def __init__(self, *, num_classes: int = 1000, column: str, norm: bool = False) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        inputs = 3
        for channels, kernels in zip(CHANNELS, COLUMNS[column], strict=True):
            self.stages.append(stage(inputs, channels, kernels, norm=norm))
            inputs = channels
        self.pool = nn.AdaptiveAvgPool2d(7)  # does nothing at 224
        self.hidden = nn.Sequential(
            *(nn.Linear(inputs * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(0.5)),
        )
        self.head = nn.Linear(4096, num_classes)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Torchvision's first weights, which let the deep columns train from the start.

        The paper trained A first and started the deeper ones from it (section 3.1), and
        notes that Glorot's initialisation makes that unnecessary.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            else:
                continue
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    # --8<-- [start:forward]
    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Images normalised channel by channel to the logits ``[batch, classes]``."""
        check_images(images, smallest=32)
        x = self.stages(images)
        x = self.pool(x).flatten(1)
        y: Tensor = self.head(self.hidden(x))
        return y

    # --8<-- [end:forward]
