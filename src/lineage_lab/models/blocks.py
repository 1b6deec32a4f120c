"""What two or more architectures use, and nothing else."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LayerNorm2d", "LocalResponseNorm", "check_images", "drop_path"]


def drop_path(x: Tensor, probability: float, *, training: bool) -> Tensor:
    """Stochastic depth: in training, a branch is left out for some of the images.

    G. Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016, arXiv:1603.09382. What
    is kept is scaled up, so that its mean over many draws is what it is in ``eval``.

    Args:
        x: What the branch gives, ``[batch, …]``; not changed.
        probability: That an image's branch is left out; 0 to below 1.
        training: In ``eval`` nothing is left out.

    Returns:
        The same shape.
    """
    if not training or probability == 0.0:
        return x
    kept = x.new_empty((len(x), *(1,) * (x.dim() - 1))).bernoulli_(1 - probability)
    return x * kept.div_(1 - probability)


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of each pixel of a map."""

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, height, width]``, each pixel by itself."""
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class LocalResponseNorm(nn.Module):
    """AlexNet's brightness normalisation across neighbouring maps, also in GoogLeNet.

    ``b = a / (k + α Σ a²)^β``, the sum over five maps, the unit's own in the middle
    (Krizhevsky et al., 2012, section 3.3). `torch.nn.LocalResponseNorm` divides its ``alpha``
    by the five: the paper's 1e-4 is ``alpha=5e-4`` there. Written out it is also faster.
    """

    k, alpha = 2.0, 1e-4  # β = 0.75 is written as a product of roots

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, height, width]``, in and out."""
        s = F.pad(x.square(), (0, 0, 0, 0, 2, 2))
        total = s[:, :-4] + s[:, 1:-3] + s[:, 2:-2] + s[:, 3:-1] + s[:, 4:]
        root = total.mul_(self.alpha).add_(self.k).rsqrt()
        return x * root * root.sqrt()


def check_images(
    images: Tensor, *, channels: int = 3, smallest: int = 1, exactly: int | None = None
) -> None:
    """Refuse what is no batch of images that the network can take, in the reader's words.

    Args:
        images: What was given to ``forward``.
        channels: That the network takes.
        smallest: Least height and width.
        exactly: The only height and width, where the network takes no other.

    Raises:
        ValueError: The message says what was given, what is taken, and what to do.
    """
    shape = images.shape
    wanted = f"[batch, {channels}, height, width]"
    if images.dim() != 4:
        one = ": for a single image, images.unsqueeze(0)" if images.dim() == 3 else ""
        raise ValueError(f"the network takes {wanted}, not {list(shape)}{one}")
    if shape[1] != channels:
        hint = (
            ": for grey images, images.expand(-1, 3, -1, -1)"
            if (shape[1], channels) == (1, 3)
            else ""
        )
        raise ValueError(f"the network takes {wanted}, not {list(shape)}{hint}")
    if not images.is_floating_point():
        raise ValueError(
            f"the network takes normalised floating-point pixels, not {images.dtype}: "
            "images.float() / 255, less the mean, divided by the deviation of its weights"
        )
    if exactly is not None and tuple(shape[2:]) != (exactly, exactly):
        raise ValueError(f"the network takes {exactly}×{exactly} pixels only, not {list(shape)}")
    if min(shape[2:]) < smallest:
        raise ValueError(
            f"the network takes {smallest}×{smallest} pixels at least, not {list(shape)}"
        )
