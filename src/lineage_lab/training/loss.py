"""What a step makes small: cross-entropy, and what classes of unequal size may add to it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["balanced_weights", "classification_loss", "log_priors"]


def balanced_weights(counts: Sequence[int]) -> Tensor:
    """Weight of each class, so that all classes weigh the same and the mean image weighs 1.

    As scikit-learn's ``class_weight="balanced"``: images / (classes · images of the class).

    Args:
        counts: Images of each class; a class without any has weight 0.

    Returns:
        ``float32 [classes]``.

    Examples:
        >>> balanced_weights([30, 10]).tolist()
        [0.6666666865348816, 2.0]
    """
    numbers = torch.tensor(counts, dtype=torch.float64)
    present = int((numbers > 0).sum())
    weights = numbers.sum() / (present * numbers.clamp(min=1))
    return torch.where(numbers > 0, weights, 0).float()


def log_priors(counts: Sequence[int]) -> Tensor:
    """Logarithm of each class's share of the images; half an image for a class without any.

    Args:
        counts: Images of each class.

    Returns:
        ``float32 [classes]``.
    """
    numbers = torch.tensor(counts, dtype=torch.float64).clamp(min=0.5)
    return (numbers / numbers.sum()).log().float()


def classification_loss(
    scores: Tensor,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    smoothing: float = 0.0,
    focal: float = 0.0,
    shift: Tensor | None = None,
) -> Tensor:
    """Sum of the images' losses.

    Args:
        scores: ``float [images, classes]``.
        targets: ``int64 [images]``, or shares of the classes ``float [images, classes]``.
        weights: Weight of each class.
        smoothing: Share of the target that is spread over all classes.
        focal: Gamma of the focal loss (arXiv:1708.02002, equation 5); 0 for cross-entropy.
        shift: Added to the scores while training: logit adjustment (arXiv:2007.07314,
            equation 10), the classes' log priors times its strength.

    Returns:
        A scalar.
    """
    if shift is not None:
        scores = scores + shift
    if not focal:
        return F.cross_entropy(
            scores, targets, weight=weights, reduction="sum", label_smoothing=smoothing
        )
    if not targets.is_floating_point():
        targets = F.one_hot(targets, scores.shape[1]).to(scores.dtype)
    targets = (1 - smoothing) * targets + smoothing / scores.shape[1]
    if weights is not None:
        targets = targets * weights
    logs = scores.log_softmax(dim=1)
    return -(targets * (1 - logs.exp()) ** focal * logs).sum()
