"""The head swap: give a trained network another number of classes.

Works by what a classifier is, not by what a network is called. timm's networks say where
their heads are, and in those of torchvision and of this package the head is the last linear layer
under one of a few names. In any other network the head is the layer that makes the output, found
by sending noise through it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["find_head", "outputs", "plain_names", "replace_head", "scores",
           "taken_shape", "unwrapped"]  # fmt: skip

Model = TypeVar("Model", bound=nn.Module)
Layer = nn.Linear | nn.Conv2d | nn.Conv3d

# Where the networks of torchvision and of this package keep their classifier.
NAMES = ("fc", "classifier", "head", "heads", "output", "last_linear")
KNOWN = ("lineage_lab.models.", "torchvision.models.")
# torchvision's models that look at images but do not sort them into classes.
OTHER_TASKS = ("segmentation", "detection", "optical_flow")
# These hold on to the parameters that they were built with, or to the layers: what to do first.
HOLDING = ("DistributedDataParallel", "FullyShardedDataParallel", "FSDPModule", "PeftModel",
           "PeftMixedModel")  # fmt: skip
# Sides that networks are built for; the first that a network takes is the one for the noise.
SIDES = (224, 32, 64, 28, 96, 128, 256, 299, 384)


def find_head(model: nn.Module) -> tuple[str, Layer]:
    """The layer that makes the scores: the last linear layer (or 1×1 convolution) of the head.

    Args:
        model: A classifier; compiled or wrapped in ``DataParallel`` too.

    Returns:
        The layer's path in the network (inside the wrapper), and the layer.

    Raises:
        ValueError: No head is found, and the message names the candidates; or the network was
            built without one; or it is no classifier.
        TypeError: What makes the scores is no layer that can be swapped; the message names it.
    """
    return _heads(unwrapped(model))[0]


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
    network = unwrapped(model)
    if wrapper := next((t.__name__ for t in type(network).__mro__ if t.__name__ in HOLDING), None):
        raise TypeError(
            f"{wrapper} has already noted which parameters it trains: replace the head first, "
            f"then wrap. replace_head(model, {num_classes}), and {wrapper} afterwards"
        )
    for path, old in _heads(network):
        parent, _, leaf = path.rpartition(".")
        parents = parent.split(".") if parent else []
        for depth in range(len(parents) + 1):
            holder = network.get_submodule(".".join(parents[:depth]))
            if isinstance(getattr(holder, "num_classes", None), int):
                holder.num_classes = num_classes  # type: ignore[assignment]  # timm reads it
            if isinstance(getattr(holder, "num_labels", None), int):
                holder.num_labels = num_classes  # type: ignore[assignment]  # transformers does
            config = getattr(holder, "config", None)
            if isinstance(getattr(config, "num_labels", None), int):
                config.num_labels = num_classes  # type: ignore[union-attr]
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


def unwrapped(model: nn.Module) -> nn.Module:
    """The network inside ``torch.compile``'s wrapper, ``DataParallel`` and ``AveragedModel``.

    All of these look at the network anew at each call, so that it may be changed.
    """
    while (inner := _inner(model)) is not None:
        model = inner
    return model


def _inner(model: nn.Module) -> nn.Module | None:
    inner = getattr(model, "_orig_mod", None)
    if inner is None and (
        isinstance(model, nn.DataParallel) or type(model).__name__ == "AveragedModel"
    ):
        inner = model.module
    return inner if isinstance(inner, nn.Module) else None


def plain_names(model: nn.Module) -> dict[str, str]:
    """The names of a network's tensors without its wrappers', at whatever depth they are.

    Args:
        model: A network.

    Returns:
        Its state dict's names, and each without ``module.`` and ``_orig_mod.`` of a wrapper.
    """
    wrappers = [
        f"{path}.{name}." if path else f"{name}."
        for path, module in model.named_modules()
        if (inner := _inner(module)) is not None
        for name, child in module.named_children()
        if child is inner
    ]

    def plain(name: str) -> str:
        for prefix in sorted(wrappers, key=len, reverse=True):
            if name.startswith(prefix):
                outer = prefix.removesuffix(".").rpartition(".")[0]
                name = f"{outer}." * bool(outer) + name.removeprefix(prefix)
        return name

    return {name: plain(name) for name in model.state_dict()}


def outputs(result: Any) -> tuple[Tensor, ...]:
    """What a classifier gives, as its scores and those of its auxiliary classifiers.

    Args:
        result: A tensor; a tuple of them, the scores first; a mapping or an object with
            ``logits`` (transformers).

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(result, Tensor):
        return (result,)
    if isinstance(result, Mapping) or hasattr(result, "logits"):
        for name in ("logits", "scores", "out", "output"):
            inner = result.get(name) if isinstance(result, Mapping) else getattr(result, name, None)
            if isinstance(inner, Tensor):
                others = tuple(result) if isinstance(result, tuple) else ()  # torchvision's tuples
                return (inner, *(o for o in others if isinstance(o, Tensor) and o is not inner))
    if isinstance(result, (tuple, list)) and result and isinstance(result[0], Tensor):
        return tuple(part for part in result if isinstance(part, Tensor))
    what = f" with {', '.join(map(str, result))}" if isinstance(result, Mapping) else ""
    raise TypeError(
        f"the network gives {type(result).__name__}{what}, and which of it are the scores is not "
        "known: let forward return a tensor [batch, classes], or an object with .logits"
    )


def scores(result: Any) -> Tensor:
    """The scores alone; see `outputs`."""
    return outputs(result)[0]


def _heads(model: nn.Module) -> list[tuple[str, Layer]]:
    """Path and layer of the main head, then of each auxiliary one."""
    if type(model).__name__ == "LeNet5":
        raise TypeError(
            "lenet5 compares with fixed codes and has no head to replace: "
            'create_model("lenet5", num_classes=…) takes up to 10, or take "lenet5_modern"'
        )
    origin = type(model).__module__
    if origin.startswith(tuple(f"torchvision.models.{task}" for task in OTHER_TASKS)):
        raise ValueError(
            f"{type(model).__name__} is no image classifier: it has no head to replace"
        )
    named = _named(model)
    if origin.startswith(KNOWN) and named:
        paths = named
    else:
        paths = _declared(model) or _making(model) or named
    if not paths:
        raise _without(model)
    paths += [
        path
        for name, part in model.named_children()
        if name.lower().startswith("aux") or name.endswith("_dist")
        for path in _layers(name, part)[-1:]
        if path not in paths
    ]
    layers = [(path, model.get_submodule(path)) for path in paths]
    for path, layer in layers:
        if reason := _unlike(layer):
            raise TypeError(
                f"the scores of {type(model).__name__} are made by {path}, {reason}: swap it "
                "yourself, then it trains as it is"
            )
    return layers  # type: ignore[return-value]


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
    """The last layer under a name that is known; none if there is none."""
    for name in NAMES:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module) and (paths := _layers(name, part)):
            return paths[-1:]
    return []


def _without(model: nn.Module) -> Exception:
    """What to say of a network whose head is not found."""
    parts = [(name, getattr(model, name, None)) for name in NAMES]
    unlike = [(path, reason) for path, part in parts if isinstance(part, nn.Module)
              for inner in part.modules() if (reason := _unlike(inner))]  # fmt: skip
    if unlike:
        path, reason = unlike[-1]
        return TypeError(
            f"the scores of {type(model).__name__} are made by {path}, {reason}: it can't be "
            "swapped. Replace the head before that"
        )
    linear = [path for path, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    candidates = ", ".join(linear[-5:]) or "none: the network has no linear layer"
    return ValueError(
        f"{type(model).__name__} has no head under a name that is known ({', '.join(NAMES)}), and "
        f"none was found by its output. Its last linear layers are: {candidates}"
    )


def _making(model: nn.Module) -> list[str]:
    """The layer that makes the output, or the layers that share it; none if no noise passes.

    From the output the graph of gradients is walked back until it meets outputs of layers.
    """
    made: dict[Any, str] = {}

    def note(path: str) -> Any:
        def hook(module: nn.Module, given: Any, result: Any) -> None:
            if isinstance(result, Tensor) and result.grad_fn is not None:
                made.setdefault(result.grad_fn, path)

        return hook

    children = {path: any(True for _ in m.children()) for path, m in model.named_modules()}
    swapped = (nn.Linear, nn.Conv2d, nn.Conv3d)
    handles = [
        module.register_forward_hook(note(path))
        for path, module in model.named_modules()
        if isinstance(module, swapped)
        or _unlike(module)
        or (not children[path] and _has_tensors(module))
    ]
    try:
        passed = _noise_through(model)
    finally:
        for handle in handles:
            handle.remove()
    if passed is None or passed[1].grad_fn is None:
        return []
    result = passed[1]
    parameters = {id(p): path for path, p in model.named_parameters()}
    found: list[str] = []
    waiting, seen = [result.grad_fn], set()
    while waiting:
        node = waiting.pop(0)
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in made:
            found.append(made[node])
            continue
        variable = getattr(node, "variable", None)
        if variable is not None and variable.dim() > 1 and id(variable) in parameters:
            raise TypeError(
                f"the scores of {type(model).__name__} are made with the bare parameter "
                f"{parameters[id(variable)]}, which is no layer that can be swapped: give the "
                "network a linear layer for them, or build it with the number of classes"
            )
        waiting += [following for following, _ in node.next_functions]
    wide = [path for path in found if _width(model.get_submodule(path)) == result.shape[1]]
    if found and not wide:
        layer = model.get_submodule(found[0])
        raise TypeError(
            f"the scores of {type(model).__name__} are made by {found[0]}, of the kind "
            f"{type(layer).__name__}, which can't be swapped: build it with the number of classes"
        )
    return wide


def _has_tensors(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None


def _width(module: nn.Module) -> int:
    """How many scores a layer gives, as far as it says so."""
    for name in ("out_features", "out_channels", "num_classes"):
        if isinstance(width := getattr(module, name, None), int):
            return width
    return 0


def taken_shape(model: nn.Module) -> tuple[int, ...] | None:
    """The first shape of an input, without its batch, that a network gives scores for."""
    passed = _noise_through(model)
    return passed[0] if passed else None


def _noise_through(model: nn.Module) -> tuple[tuple[int, ...], Tensor] | None:
    """The shape of two images of noise and their scores; the network stays as it was."""
    first = next((p for p in model.parameters() if p.is_floating_point()), None)
    if first is None:
        return None
    # A compiled part would be compiled anew for each size that is tried.
    eager = torch.compiler.set_stance("force_eager")
    with _as_it_was(model), torch.enable_grad(), eager:
        for shape in _shapes(model):
            noise = torch.rand(2, *shape, device=first.device, dtype=first.dtype)
            try:
                result = scores(model(noise.requires_grad_()))
            except Exception:  # whatever a network says to another size
                continue
            if result.dim() == 2 and len(result) == 2:
                return shape, result
    return None


def _shapes(model: nn.Module) -> Iterator[tuple[int, ...]]:
    """Shapes of an input that a network may take, the likeliest first."""
    config: Any = getattr(model, "config", None)
    if isinstance(side := getattr(config, "image_size", None), int):
        yield (getattr(config, "num_channels", 3), side, side)
    # The head may be registered before the body, so a convolution goes before any linear layer.
    convolution = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if convolution is not None:
        yield from ((convolution.in_channels, side, side) for side in SIDES)
        return
    for module in model.modules():
        if isinstance(module, nn.Linear):
            for channels in (3, 1):
                side = round((module.in_features / channels) ** 0.5)
                if channels * side * side == module.in_features:
                    yield (channels, side, side)
            yield (module.in_features,)


@contextmanager
def _as_it_was(model: nn.Module) -> Iterator[None]:
    """In ``eval``; afterwards each module's mode and the random numbers are as before."""
    modes = {module: module.training for module in model.modules()}
    numbers = torch.get_rng_state()
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        torch.set_rng_state(numbers)


def _unlike(module: nn.Module) -> str:
    """Why a layer can't be stood in for by a plain one, or an empty text."""
    kind = type(module)
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.Conv3d)):
        plain = next(k for k in (nn.Linear, nn.Conv2d, nn.Conv3d) if isinstance(module, k))
        # timm's own differs from nn.Linear in nothing but its casts for TorchScript.
        known = kind.forward is plain.forward or kind.__module__ == "timm.layers.linear"
        if not known or hasattr(module, "parametrizations"):
            return f"a {kind.__name__}, which computes otherwise than nn.{plain.__name__}"
        weight = getattr(module, "weight", None)
        # Fake tensors stand for plain ones, where shapes and devices alone are looked at.
        known = type(weight).__name__ in ("Parameter", "Tensor", "FakeTensor")
        if not isinstance(weight, Tensor) or not known:
            return f"whose weight is a {type(weight).__name__}"
        if not weight.is_floating_point():
            return f"whose weight is {weight.dtype}"
        return ""
    if "quantized" in kind.__module__ or hasattr(module, "base_layer"):
        return f"a {kind.__module__}.{kind.__name__}"
    return ""


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
