"""Our names for a network's tensors, and torchvision's: the same tensors, other names.

Our modules are called as in the papers (`stem`, `stages`, `head`); torchvision's state dicts
use its own names. The tables below turn ours into torchvision's; nothing is reshaped.
"""

import re
from collections.abc import Callable, Mapping
from typing import cast

from torch import Tensor, nn

__all__ = ["from_torchvision", "to_torchvision", "torchvision_names"]

Rename = Callable[[re.Match[str]], str]


def torchvision_names(model: nn.Module) -> dict[str, str]:
    """For each tensor of one of our networks, its name in torchvision's.

    Args:
        model: A network of `lineage_lab.models` whose form torchvision ships.

    Returns:
        Ours → torchvision's, in the order of our state dict.

    Raises:
        ValueError: torchvision has no network of this kind.
    """
    rules = _RULES.get(type(model).__name__)
    if rules is None:
        raise ValueError(f"torchvision has no {type(model).__name__}: {', '.join(_RULES)} it has")
    return {name: _renamed(name, rules(model)) for name in model.state_dict()}


def to_torchvision(model: nn.Module) -> dict[str, Tensor]:
    """A state dict that torchvision's network of the same name loads strictly.

    Args:
        model: See `torchvision_names`.

    Raises:
        ValueError: See `torchvision_names`.
    """
    names = torchvision_names(model)
    return {names[name]: tensor for name, tensor in model.state_dict().items()}


def from_torchvision(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's state dict under our names; load it with ``model.load_state_dict``.

    Args:
        model: The network that is to load it.
        state: What torchvision's network gave, or a file that it publishes (old files call
            ViT's layers by other names).

    Raises:
        ValueError: The state has other tensors than the network; the message names some.
    """
    new = {_LEGACY.sub(lambda m: _LEGACY_PARTS[m[0]], name): t for name, t in state.items()}
    ours = {theirs: name for name, theirs in torchvision_names(model).items()}
    # Batch norms of old files don't count their batches; nothing depends on the count.
    missing = [n for n in ours if n not in new and not n.endswith("num_batches_tracked")]
    surplus = [n for n in new if n not in ours]
    if missing or surplus:
        raise ValueError(
            f"this is no state dict of torchvision's for {type(model).__name__}: "
            f"{len(missing)} tensors are missing {missing[:3]}, {len(surplus)} are too many "
            f"{surplus[:3]}"
        )
    return {ours[name]: tensor for name, tensor in new.items()}


_LEGACY = re.compile(r"\bmlp\.linear_[12]\b")
_LEGACY_PARTS = {"mlp.linear_1": "mlp.0", "mlp.linear_2": "mlp.3"}

Rules = Mapping[str, str | Rename]


def _renamed(name: str, rules: Rules) -> str:
    for pattern, replacement in rules.items():
        if match := re.match(pattern, name):
            new = replacement(match) if callable(replacement) else match.expand(replacement)
            return new + name[match.end() :]
    return name


def _flat(model: nn.Module) -> Rename:
    """``stages.2.3`` counted through: torchvision has all layers in one row."""
    lengths = [
        len(cast(nn.Sequential, stage)) for stage in model.get_submodule("stages").children()
    ]

    def rename(match: re.Match[str]) -> str:
        stage, layer = int(match[1]), int(match[2])
        return f"features.{sum(lengths[:stage]) + layer}"

    return rename


def _alexnet(model: nn.Module) -> Rules:
    return {r"stages\.(\d+)\.(\d+)": _flat(model), r"hidden": "classifier", r"head": "classifier.6"}


_GOOGLENET = {
    r"stem\.0\.0": "conv1.conv", r"stem\.0\.1": "conv1.bn",
    r"stem\.3\.0": "conv2.conv", r"stem\.3\.1": "conv2.bn",
    r"stem\.4\.0": "conv3.conv", r"stem\.4\.1": "conv3.bn",
    r"inception\.(\d\w)\.branch_1x1\.0": r"inception\1.branch1.conv",
    r"inception\.(\d\w)\.branch_1x1\.1": r"inception\1.branch1.bn",
    r"inception\.(\d\w)\.branch_3x3\.(\d)\.0": r"inception\1.branch2.\2.conv",
    r"inception\.(\d\w)\.branch_3x3\.(\d)\.1": r"inception\1.branch2.\2.bn",
    r"inception\.(\d\w)\.branch_5x5\.(\d)\.0": r"inception\1.branch3.\2.conv",
    r"inception\.(\d\w)\.branch_5x5\.(\d)\.1": r"inception\1.branch3.\2.bn",
    r"inception\.(\d\w)\.branch_pool\.1\.0": r"inception\1.branch4.1.conv",
    r"inception\.(\d\w)\.branch_pool\.1\.1": r"inception\1.branch4.1.bn",
    r"auxiliary_4a\.conv\.0": "aux1.conv.conv", r"auxiliary_4a\.conv\.1": "aux1.conv.bn",
    r"auxiliary_4d\.conv\.0": "aux2.conv.conv", r"auxiliary_4d\.conv\.1": "aux2.conv.bn",
    r"auxiliary_4a\.hidden": "aux1.fc1", r"auxiliary_4a\.head": "aux1.fc2",
    r"auxiliary_4d\.hidden": "aux2.fc1", r"auxiliary_4d\.head": "aux2.fc2",
    r"head": "fc",
}  # fmt: skip

_RESNET_PARTS = {"first": 1, "second": 2, "reduce": 1, "filter": 2, "expand": 3}


def _resnet_layer(match: re.Match[str]) -> str:
    stage, block, part, kind = match.groups()
    where = f"layer{int(stage) + 1}.{block}"
    if part == "shortcut":
        return f"{where}.downsample.{kind}"
    return f"{where}.{'conv' if kind == '0' else 'bn'}{_RESNET_PARTS[part]}"


_RESNET: Rules = {
    r"stem\.0": "conv1",
    r"stem\.1": "bn1",
    r"stages\.(\d)\.(\d+)\.(\w+)\.(\d)": _resnet_layer,
    r"head": "fc",
}


def _efficientnet_block(match: re.Match[str]) -> str:
    stage, block, part = int(match[1]), match[2], match[3]
    parts = ["expand", "depthwise", "squeeze_excitation", "project"][stage == 0 :]
    return f"features.{stage + 1}.{block}.block.{parts.index(part)}"


_EFFICIENTNET: Rules = {
    r"stem": "features.0",
    r"stages\.(\d)\.(\d+)\.squeeze_excitation\.reduce": lambda m: (
        f"features.{int(m[1]) + 1}.{m[2]}.block.{1 if m[1] == '0' else 2}.fc1"
    ),
    r"stages\.(\d)\.(\d+)\.squeeze_excitation\.expand": lambda m: (
        f"features.{int(m[1]) + 1}.{m[2]}.block.{1 if m[1] == '0' else 2}.fc2"
    ),
    r"stages\.(\d)\.(\d+)\.(\w+)": _efficientnet_block,
    r"last": "features.8",
    r"head": "classifier.1",
}

_CONVNEXT_PARTS = {
    "depthwise": "block.0", "norm": "block.2", "expand": "block.3", "project": "block.5",
    "scale": "layer_scale",
}  # fmt: skip
_CONVNEXT: Rules = {
    r"stem": "features.0",
    r"stages\.(\d)\.downsample": lambda m: f"features.{2 * int(m[1])}",
    r"stages\.(\d)\.block_(\d+)\.(\w+)": lambda m: (
        f"features.{2 * int(m[1]) + 1}.{m[2]}.{_CONVNEXT_PARTS[m[3]]}"
    ),
    r"norm": "classifier.0",
    r"head": "classifier.2",
}

_VIT_BLOCK = r"blocks\.(\d+)\."
_VIT: Rules = {
    r"patchify": "conv_proj",
    r"position": "encoder.pos_embedding",
    _VIT_BLOCK + r"attention\.qkv_": r"encoder.layers.encoder_layer_\1.self_attention.in_proj_",
    _VIT_BLOCK + r"attention\.project": (
        r"encoder.layers.encoder_layer_\1.self_attention.out_proj"
    ),
    _VIT_BLOCK + r"norm_": r"encoder.layers.encoder_layer_\1.ln_",
    _VIT_BLOCK + r"mlp\.2": r"encoder.layers.encoder_layer_\1.mlp.3",
    _VIT_BLOCK + r"mlp": r"encoder.layers.encoder_layer_\1.mlp",
    r"norm": "encoder.ln",
    r"head": "heads.head",
}

_RULES: dict[str, Callable[[nn.Module], Rules]] = {
    "AlexNet": _alexnet,
    "VGG": _alexnet,
    "GoogLeNet": lambda model: _GOOGLENET,
    "ResNet": lambda model: _RESNET,
    "EfficientNet": lambda model: _EFFICIENTNET,
    "ConvNeXt": lambda model: _CONVNEXT,
    "ViT": lambda model: _VIT,
}
