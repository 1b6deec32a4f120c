"""Grad-CAM: where in the image the evidence for a class was found.

Selvaraju et al. 2017, arXiv:1610.02391, section 3: the maps of the last convolution are added
up, each weighted by the mean of its gradient (equation 1), and what speaks against the class is
set to zero (equation 2). Numbers only.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.heads import scores as scores_of

__all__ = ["heatmap"]

# Their outputs are no maps of features, but smaller or equal copies of one.
_COPIES = (
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AvgPool2d,
    nn.Dropout,
    nn.Dropout2d,
    nn.Identity,
    nn.MaxPool2d,
)


def heatmap(model: nn.Module, image: Tensor, label: int) -> Tensor:
    """How much each place of an image speaks for a class.

    Args:
        model: A convolutional classifier in ``eval`` mode; it is left as it was.
        image: One normalised image, ``float [channels, height, width]``, on its device.
        label: The class's index.

    Returns:
        ``float [height, width]``, from 0 to 1: the last map of features, weighted, enlarged to
        the image's size and divided by its maximum. All 0 if nothing speaks for the class.

    Raises:
        ValueError: The network is in ``train`` mode, there is no such class, or there is no
            map of features to weight, as in a transformer that works on tokens.
    """
    if model.training:
        raise ValueError("the network is in train mode: call model.eval() first")
    found: list[Tensor] = []
    copies: set[int] = set()

    def see(module: nn.Module, _: Any, output: Any) -> None:
        if not isinstance(output, Tensor) or not output.is_floating_point():
            return
        if isinstance(module, _COPIES):
            copies.add(id(output))
        if output.dim() == 3 or (output.dim() == 4 and id(output) not in copies):
            found.append(output)  # kept alive, so that no id is used twice

    hooks = [module.register_forward_hook(see) for module in model.modules()]
    try:
        with torch.enable_grad():
            # The input's own gradient: maps of a frozen body have one then, too.
            scores = scores_of(model(image.detach()[None].clone().requires_grad_()))
    finally:
        for hook in hooks:
            hook.remove()
    if not 0 <= label < scores.shape[1]:
        raise ValueError(f"there is no class {label}: the network has {scores.shape[1]}")
    maps = next((x for x in reversed(found) if x.dim() == 3 or min(x.shape[2:]) > 1), None)
    if maps is None or maps.dim() == 3:
        raise ValueError(
            f"{type(model).__name__} has no map of features before its head"
            f"{', but tokens' if maps is not None else ''}: Grad-CAM is for convolutional networks"
        )
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(scores[0, label], maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)  # equation 1
    evidence = (weights * maps.detach()).sum(dim=1, keepdim=True).relu()  # equation 2
    evidence = F.interpolate(evidence, size=image.shape[1:], mode="bilinear", align_corners=False)
    return (evidence / evidence.max().clamp_min(torch.finfo(evidence.dtype).tiny))[0, 0]
