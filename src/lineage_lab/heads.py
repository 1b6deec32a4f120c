"""The head swap: give a trained network another number of classes.

Works by what a classifier is, not by what a network is called. timm's networks say where
their heads are; in others the head is the last linear layer under one of a few names.
"""

from typing import Any, TypeVar

from torch import nn

__all__ = ["find_head", "replace_head"]

Model = TypeVar("Model", bound=nn.Module)
Layer = nn.Linear | nn.Conv2d | nn.Conv3d

# Where the networks of torchvision and of this package keep their classifier.
NAMES = ("fc", "classifier", "head", "heads", "output", "last_linear")
# torchvision's models that look at images but do not sort them into classes.
OTHER_TASKS = ("segmentation", "detection", "optical_flow")
# These hold on to the parameters that they were built with.
SHARDED = ("DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule")


def find_head(model: nn.Module) -> tuple[str, Layer]:
    """The layer that makes the scores: the last linear layer (or 1×1 convolution) of the head.

    Args:
        model: A classifier; compiled or wrapped in ``DataParallel`` too.

    Returns:
        The layer's path in the network (inside the wrapper), and the layer.

    Raises:
        ValueError: No head is found, and the message names the candidates; or the network was
            built without one; or it is no classifier.
    """
    return _heads(_unwrapped(model))[0]


def replace_head(model: Model, num_classes: int) -> Model:
    """Give the network a new last layer with ``num_classes`` scores, in place.

    Auxiliary classifiers and distillation heads are replaced with it. The body's tensors are
    not touched. A new layer has a bias if the old one had, and its dtype and device. Its
    weights are drawn anew, by PyTorch's default. An optimizer that was made before still holds
    the old layer: make it afterwards.

    Args:
        model: A classifier of this package, of torchvision or of timm; compiled or wrapped in
            ``DataParallel`` too.
        num_classes: Scores to give; 1 or more.

    Returns:
        The same network.

    Raises:
        ValueError: ``num_classes`` is below 1, or see `find_head`.
        TypeError: The network's output is not a learnt layer (LeNet-5's fixed codes), or the
            network is wrapped in something that holds on to its old parameters.

    Examples:
        >>> from torch import nn
        >>> body = nn.Sequential()
        >>> body.fc = nn.Linear(8, 1000)
        >>> replace_head(body, 3).fc
        Linear(in_features=8, out_features=3, bias=True)
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be 1 or more, not {num_classes}")
    network = _unwrapped(model)
    if wrapper := next((t.__name__ for t in type(network).__mro__ if t.__name__ in SHARDED), None):
        raise TypeError(
            f"{wrapper} has already noted which parameters it trains: replace the head first, "
            f"then wrap. replace_head(model, {num_classes}), and {wrapper} afterwards"
        )
    if type(network).__name__ == "LeNet5":
        raise TypeError(
            "lenet5 compares with fixed codes and has no head to replace: "
            'create_model("lenet5", num_classes=…) takes up to 10, or take "lenet5_modern"'
        )
    for path, old in _heads(network):
        parent, _, leaf = path.rpartition(".")
        parents = parent.split(".") if parent else []
        for depth in range(len(parents) + 1):
            holder = network.get_submodule(".".join(parents[:depth]))
            if isinstance(getattr(holder, "num_classes", None), int):
                holder.num_classes = num_classes  # type: ignore[assignment]  # timm reads it
        setattr(holder, leaf, _like(old, num_classes))
    return model


def _like(old: Layer, num_classes: int) -> Layer:
    """A layer with first weights, as the old one but for the number of scores."""
    new: Layer
    options: dict[str, Any] = {
        "bias": old.bias is not None,
        "device": old.weight.device,
        "dtype": old.weight.dtype,
    }
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, num_classes, **options)
    else:
        kind = nn.Conv2d if isinstance(old, nn.Conv2d) else nn.Conv3d
        new = kind(old.in_channels, num_classes, 1, **options)
    return new.train(old.training)


def _unwrapped(model: nn.Module) -> nn.Module:
    """The network inside ``torch.compile``'s wrapper and ``DataParallel``: both look at it anew."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, nn.DataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def _heads(model: nn.Module) -> list[tuple[str, Layer]]:
    """Path and layer of the main head, then of each auxiliary one."""
    origin = type(model).__module__
    if origin.startswith(tuple(f"torchvision.models.{task}" for task in OTHER_TASKS)):
        raise ValueError(
            f"{type(model).__name__} is no image classifier: it has no head to replace"
        )
    paths = _declared(model) or _named(model)
    paths += [
        path
        for name, part in model.named_children()
        if name.lower().startswith("aux") or name.endswith("_dist")
        for path in _layers(name, part)[-1:]
        if path not in paths
    ]
    return [(path, model.get_submodule(path)) for path in paths]  # type: ignore[misc]


def _declared(model: nn.Module) -> list[str]:
    """The heads that a network of timm names itself: in its configuration, by path."""
    config = getattr(model, "pretrained_cfg", None)
    if not isinstance(config, dict):
        return []
    names = config.get("classifier") or ()
    paths = [names] if isinstance(names, str) else list(names)
    modules = dict(model.named_modules())
    if not paths or not all(_is_layer(modules.get(path)) for path in paths):
        what = f"{type(model).__name__} has no head: it was built to give features"
        if not hasattr(model, "reset_classifier"):
            raise ValueError(f"{what}, and timm has no form of this encoder with a head")
        name = config.get("architecture", "…")
        raise ValueError(f'{what}. With a head: timm.create_model("{name}", num_classes=…)')
    return paths


def _named(model: nn.Module) -> list[str]:
    """The head of any other network: the last layer under a name that is known."""
    for name in NAMES:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module) and (paths := _layers(name, part)):
            return paths[-1:]
    linear = [path for path, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    candidates = ", ".join(linear[-5:]) or "none: the network has no linear layer"
    raise ValueError(
        f"{type(model).__name__} has no head under a name that is known "
        f"({', '.join(NAMES)}). Its last linear layers are: {candidates}"
    )


def _layers(name: str, part: nn.Module) -> list[str]:
    """Paths of the layers under ``part`` that could make scores."""
    return [
        f"{name}.{path}" if path else name
        for path, layer in part.named_modules()
        if _is_layer(layer)
    ]


def _is_layer(module: nn.Module | None) -> bool:
    return isinstance(module, nn.Linear) or (
        isinstance(module, (nn.Conv2d, nn.Conv3d)) and set(module.kernel_size) == {1}
    )
