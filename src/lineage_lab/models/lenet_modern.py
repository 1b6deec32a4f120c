"""What tutorials call LeNet-5, which is not the paper's network."""

from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import check_images

__all__ = ["LeNet5Modern"]


class LeNet5Modern(nn.Module):
    """What tutorials call LeNet-5: the same sizes, with the parts of twenty years later.

    Each departure from the paper: C3 looks at all maps of S2; pooling takes the maximum and
    learns nothing; ReLU in place of the scaled tanh; a linear output trained with the
    softmax cross-entropy in place of distances to fixed codes; PyTorch's first weights.

    Args:
        num_classes: Scores to give.
    """

    def __init__(self, *, num_classes: int = 10) -> None:
        super().__init__()
        self.C1 = nn.Conv2d(1, 6, 5)
        self.C3 = nn.Conv2d(6, 16, 5)
        self.C5 = nn.Conv2d(16, 120, 5)
        self.F6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, num_classes)
        self.pool = nn.MaxPool2d(2)
        self.act = nn.ReLU()

    def forward(self, images: Float[Tensor, "batch 1 32 32"]) -> Float[Tensor, "batch classes"]:
        """Images scaled by `normalize_ink` to the logits ``[batch, classes]``."""
        check_images(images, channels=1, exactly=32)
        x = self.pool(self.act(self.C1(images)))
        x = self.pool(self.act(self.C3(x)))
        x = self.act(self.C5(x)).flatten(1)
        x = self.act(self.F6(x))
        y: Tensor = self.output(x)
        return y
