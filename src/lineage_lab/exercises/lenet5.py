"""The exercises of the LeNet-5 chapter."""

from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.exercises import Wrong, function, number
from lineage_lab.models.lenet import rbf_loss

__all__ = ["CHECKS"]


def dense_c3(answer: Any) -> str:
    """A LeNet-5 whose C3 looks at all six maps of S2."""
    if not isinstance(answer, nn.Module):
        raise Wrong(f"The exercise asks for a network; this is a {type(answer).__name__}.")
    count = sum(p.numel() for p in answer.parameters() if p.requires_grad)
    paper, dense = 60_000, 60_000 + (16 * 6 - 60) * 25
    if count == paper:
        raise Wrong("It has 60,000 weights, as the paper's: its C3 still follows Table I.")
    if count != dense:
        raise Wrong(
            f"It has {count:,} weights. Count again what changes: only the pairs of maps that "
            "Table I leaves out get a kernel of 5 × 5. Biases and other layers stay as they are."
        )
    scores = answer.eval()(torch.zeros(2, 1, 32, 32))
    if scores.shape != (2, 10):
        raise Wrong(f"For two pictures it gives {tuple(scores.shape)}, not (2, 10) scores.")
    seen = _looks_at(answer)
    if seen is not None and not seen.all():
        raise Wrong("The count is right, but some map of C3 still does not see some map of S2.")
    return f"{dense:,} weights: {dense - paper} more, and each map of C3 sees all six of S2."


def _looks_at(network: nn.Module) -> Tensor | None:
    """Which maps of S2 change which maps of C3, found by gradients; none without both layers."""
    layers = dict(network.named_modules())
    if "C3" not in layers:
        return None
    maps = torch.randn(1, 6, 14, 14, requires_grad=True)
    out = layers["C3"](maps)[0]
    rows = [torch.autograd.grad(m.sum(), maps, retain_graph=True)[0][0] for m in out]
    return torch.stack(rows).abs().sum(dim=(2, 3)) > 0


def wide_field(answer: Any) -> str:
    """What a unit of C3 sees if C1's kernels are 7 × 7."""
    if isinstance(answer, tuple | list):
        answer = answer[0]
    number(answer, "a number of pixels")
    if answer == 14:
        raise Wrong("A larger kernel in C1 makes every later field larger too.")
    if answer == 18:
        raise Wrong("C1 comes before any stride: its two pixels more are counted once, not twice.")
    if answer == 256:
        raise Wrong("That is the area. Give the side of the square.")
    if answer != 16:
        raise Wrong("Go from layer to layer: field + (kernel - 1) · (product of earlier strides).")
    return "The two pixels are added before any stride, so that each later field has two more."


def stable_loss(answer: Any) -> str:
    """Equation 9 as a function of the scores, the labels and j, right for large distances."""
    answer = function(answer)
    generator = torch.Generator().manual_seed(9)
    near = -30 * torch.rand(8, 10, generator=generator)
    labels = torch.arange(8)
    for j in (0.1, 1.0, 10.0):
        ours, theirs = rbf_loss(near, labels, j=j), answer(near, labels, j)
        if not isinstance(theirs, Tensor):
            raise Wrong("Return a tensor, so that it can be differentiated.")
        if theirs.numel() != 1:
            raise Wrong(
                f"Return the mean over the digits: this has the shape {tuple(theirs.shape)}."
            )
        if not torch.allclose(ours, theirs.reshape(()), atol=1e-4):
            if torch.allclose(ours * 8, theirs.reshape(()), atol=1e-3):
                raise Wrong(
                    "That is the sum over the digits; the mean does not grow with the batch."
                )
            raise Wrong(
                f"With j = {j} it gives {theirs.item():.4f} where {ours.item():.4f} is right."
            )
    far = near - 2000
    if not torch.isfinite(answer(far, labels, 3000.0)).all():
        raise Wrong(
            "It is right for small distances. For large ones each exponential is 0, and its "
            "logarithm is minus infinity: look for a function that adds exponentials safely."
        )
    return "It agrees with ours, and stays finite when every exponential would be 0."


CHECKS = {"lenet5-1": dense_c3, "lenet5-2": wide_field, "lenet5-3": stable_loss}
