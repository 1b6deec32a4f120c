"""The head swap: give a trained network another number of classes.

Works by what a classifier is, not by what a network is called: the last layer that makes
the scores. Neighbours: `lineage_lab.registry` uses it when weights are loaded for another
number of classes, `lineage_lab.finetuning` tells head from body with `find_head`.
"""

from typing import TypeVar, cast

from torch import nn

__all__ = ["find_head", "replace_head"]

Model = TypeVar("Model", bound=nn.Module)

# Where the networks of torchvision, of timm and of this package keep their classifier.
NAMES = ("fc", "classifier", "head", "heads", "output", "head_dist", "last_linear")


def find_head(model: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """The layer that makes the scores: the last linear layer (or 1×1 convolution) of the head.

    Args:
        model: A classifier.

    Returns:
        The layer's path in the network, and the layer.

    Raises:
        ValueError: No head is found; the message names the candidates.
    """
    for name in NAMES:
        part = getattr(model, name, None)
        if not isinstance(part, nn.Module):
            continue
        layers = [
            (f"{name}.{path}" if path else name, layer)
            for path, layer in part.named_modules()
            if isinstance(layer, nn.Linear)
            or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1))
        ]
        if layers:
            return layers[-1]
    linear = [path for path, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    candidates = ", ".join(linear[-5:]) or "none: the network has no linear layer"
    raise ValueError(
        f"{type(model).__name__} has no head under a name that is known "
        f"({', '.join(NAMES)}). Its last linear layers are: {candidates}"
    )


def replace_head(model: Model, num_classes: int) -> Model:
    """Give the network a new last layer with ``num_classes`` scores, in place.

    The body's tensors are not touched. The new layer has a bias if the old one had, and its
    dtype and device. Its weights are drawn anew, by PyTorch's default.

    Args:
        model: A classifier of this package, of torchvision or of timm.
        num_classes: Scores to give; 1 or more.

    Returns:
        The same network.

    Raises:
        ValueError: ``num_classes`` is below 1, or no head is found.
        TypeError: The network's output is not a learnt layer (LeNet-5's fixed codes).

    Examples:
        >>> from torch import nn
        >>> body = nn.Sequential()
        >>> body.fc = nn.Linear(8, 1000)
        >>> replace_head(body, 3).fc
        Linear(in_features=8, out_features=3, bias=True)
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be 1 or more, not {num_classes}")
    if type(model).__name__ == "LeNet5":
        raise TypeError(
            "lenet5 compares with fixed codes and has no head to replace: "
            'create_model("lenet5", num_classes=…) takes up to 10, or take "lenet5_modern"'
        )
    path, old = find_head(model)
    like = {"device": old.weight.device, "dtype": old.weight.dtype}
    new: nn.Module
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, **like)
    else:
        new = nn.Conv2d(old.in_channels, num_classes, 1, bias=old.bias is not None, **like)  # type: ignore[arg-type]
    parent, _, leaf = path.rpartition(".")
    holder = model.get_submodule(parent)
    if leaf.isdigit():
        cast(nn.Sequential, holder)[int(leaf)] = new
    else:
        setattr(holder, leaf, new)
    if hasattr(model, "num_classes"):
        model.num_classes = num_classes  # type: ignore[assignment]  # timm reads it
    return model
