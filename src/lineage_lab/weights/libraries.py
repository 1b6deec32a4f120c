"""Whose file it is: how the libraries call the tensors of the same networks.

A `Naming` gives, for each tensor of one of our networks, the library's tensor or tensors that it
is made of, and how. What a library computes otherwise with the same tensors (another epsilon,
TensorFlow's padding) is its `form`, which `lineage_lab.weights.forms` sets. Sources: timm 1.0
(timm/models), transformers 5 (models/*/modeling_*.py), facebookresearch/ConvNeXt
(models/convnext.py), google-research/vision_transformer (vit_jax/models_vit.py; names as in its
``.npz`` files), lukemelas/EfficientNet-PyTorch (model.py), which the Lite packages follow.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.weights.forms import Form
from lineage_lab.weights.naming import torchvision_names

__all__ = ["LIBRARIES", "Naming", "Source", "namings"]


def _same(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one of our tensors is made of.

    Attributes:
        names: The library's tensors.
        read: Makes ours of them.
    """

    names: tuple[str, ...]
    read: Callable[..., Tensor] = _same


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """A library's names for one of our networks.

    Attributes:
        library: Its name, as in "timm's names".
        sources: By our name.
        prefix: What stands before the names of the body alone, in files without a head.
        form: What the library's configuration (``config.json``, empty if there is none) makes of
            the arithmetic.
        note: What is computed otherwise and can't be set, in words; empty if nothing.
        also: Libraries whose names are the same.
        objection: Why weights of this configuration are not this network's, or an empty text.
        guess: Whether a library has two forms under the same names, which only its
            configuration tells apart.
    """

    library: str
    sources: Mapping[str, Source]
    prefix: str = ""
    form: Callable[[Mapping[str, Any]], Form] | None = None
    note: str = ""
    also: tuple[str, ...] = ()
    objection: Callable[[Mapping[str, Any]], str] | None = None
    guess: bool = False


def namings(model: nn.Module) -> tuple[Naming, ...]:
    """All namings under which a network's weights may come, our own first.

    Args:
        model: A network of this package; any other has its own names alone.
    """
    own = Naming(library="its own", sources={name: _one(name) for name in model.state_dict()})
    if not type(model).__module__.startswith("lineage_lab.models."):
        return (own,)
    kind = type(model).__name__
    makers = [make for kinds, make in _MAKERS if kind in kinds]
    return (replace_library(own, "Lineage Lab"), *(make(model) for make in makers))


def replace_library(naming: Naming, library: str) -> Naming:
    """The same names, another library's."""
    return Naming(library=library, sources=naming.sources)


def _one(name: str, read: Callable[..., Tensor] = _same) -> Source:
    return Source(names=(name,), read=read)


def _column(tensor: Tensor) -> Tensor:
    """A vector over the channels as ours, ``[channels, 1, 1]``."""
    return tensor.reshape(-1, 1, 1)


def _rows(*tensors: Tensor) -> Tensor:
    """Query, key and value, one below the other."""
    return torch.cat(tensors)


Rule = tuple[str, str | Callable[[re.Match[str]], str]]


def _renamed(name: str, rules: tuple[Rule, ...]) -> str:
    for pattern, new in rules:
        if match := re.match(pattern, name):
            begin = new(match) if callable(new) else match.expand(new)
            return begin + name[match.end() :]
    raise KeyError(name)


def _plain(model: nn.Module, rules: tuple[Rule, ...]) -> dict[str, Source]:
    return {name: _one(_renamed(name, rules)) for name in model.state_dict()}


# torchvision ------------------------------------------------------------------------------------


def _torchvision(model: nn.Module) -> Naming:
    names = torchvision_names(model)
    sources = {ours: _one(theirs) for ours, theirs in names.items()}
    also = ("timm",) if type(model).__name__ == "ResNet" else ()
    return Naming(library="torchvision", sources=sources, also=also)


def _torchvision_old_vit(model: nn.Module) -> Naming:
    """The names of ViT's MLP before torchvision 0.12, which its published file still has."""
    sources = {}
    for ours, theirs in torchvision_names(model).items():
        old = theirs.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2")
        sources[ours] = _one(old)
    return Naming(library="torchvision", sources=sources)


# timm -------------------------------------------------------------------------------------------


def _timm_vgg(model: nn.Module) -> Naming:
    sources = {}
    for ours, theirs in torchvision_names(model).items():
        layer = re.match(r"classifier\.(\d)\.(\w+)", theirs)
        if layer is None:
            sources[ours] = _one(theirs)
            continue
        name = {"0": "pre_logits.fc1", "3": "pre_logits.fc2", "6": "head.fc"}[layer[1]]
        flat = layer[1] != "6" and layer[2] == "weight"  # a convolution there, a dense layer here
        sources[ours] = _one(f"{name}.{layer[2]}", (lambda t: t.flatten(1)) if flat else _same)
    return Naming(
        library="timm",
        sources=sources,
        note="the scores are timm's at 224 pixels; at another size timm slides its dense layers "
        "over the map, and the logits of random weights differ by 0.3 of their standard deviation "
        "at 320, by 0.4 at 448",
    )


_TIMM_EFFICIENTNET: tuple[Rule, ...] = (
    (r"stem\.0", "conv_stem"),
    (r"stem\.1", "bn1"),
    (r"last\.0", "conv_head"),
    (r"last\.1", "bn2"),
    (r"head", "classifier"),
    (r"stages\.(\d)\.(\d+)\.squeeze_excitation\.reduce", r"blocks.\1.\2.se.conv_reduce"),
    (r"stages\.(\d)\.(\d+)\.squeeze_excitation\.expand", r"blocks.\1.\2.se.conv_expand"),
    # The first stage does not expand: its layers are counted from the next.
    (r"stages\.0\.(\d+)\.depthwise\.0", r"blocks.0.\1.conv_dw"),
    (r"stages\.0\.(\d+)\.depthwise\.1", r"blocks.0.\1.bn1"),
    (r"stages\.0\.(\d+)\.project\.0", r"blocks.0.\1.conv_pw"),
    (r"stages\.0\.(\d+)\.project\.1", r"blocks.0.\1.bn2"),
    (r"stages\.(\d)\.(\d+)\.expand\.0", r"blocks.\1.\2.conv_pw"),
    (r"stages\.(\d)\.(\d+)\.expand\.1", r"blocks.\1.\2.bn1"),
    (r"stages\.(\d)\.(\d+)\.depthwise\.0", r"blocks.\1.\2.conv_dw"),
    (r"stages\.(\d)\.(\d+)\.depthwise\.1", r"blocks.\1.\2.bn2"),
    (r"stages\.(\d)\.(\d+)\.project\.0", r"blocks.\1.\2.conv_pwl"),
    (r"stages\.(\d)\.(\d+)\.project\.1", r"blocks.\1.\2.bn3"),
)


def _timm_efficientnet(model: nn.Module) -> Naming:
    def form(config: Mapping[str, Any]) -> Form:
        """Each form is there twice: ``tf_`` with TensorFlow's epsilon and padding, and without."""
        tensorflow = str(config.get("architecture", "")).startswith("tf_")
        return Form(
            epsilon=1e-3 if tensorflow else 1e-5, padding="same" if tensorflow else "centred"
        )

    return Naming(library="timm", sources=_plain(model, _TIMM_EFFICIENTNET), form=form, guess=True)


_TIMM_CONVNEXT: tuple[Rule, ...] = (
    (r"stem", "stem"),
    (r"stages\.(\d)\.downsample", r"stages.\1.downsample"),
    (r"stages\.(\d)\.block_(\d+)\.depthwise", r"stages.\1.blocks.\2.conv_dw"),
    (r"stages\.(\d)\.block_(\d+)\.norm", r"stages.\1.blocks.\2.norm"),
    (r"stages\.(\d)\.block_(\d+)\.expand", r"stages.\1.blocks.\2.mlp.fc1"),
    (r"stages\.(\d)\.block_(\d+)\.project", r"stages.\1.blocks.\2.mlp.fc2"),
    (r"stages\.(\d)\.block_(\d+)\.scale", r"stages.\1.blocks.\2.gamma"),
    (r"norm", "head.norm"),
    (r"head", "head.fc"),
)


def _convnext(model: nn.Module, rules: tuple[Rule, ...]) -> dict[str, Source]:
    return {
        name: _one(_renamed(name, rules), _column if name.endswith(".scale") else _same)
        for name in model.state_dict()
    }


def _timm_convnext(model: nn.Module) -> Naming:
    return Naming(library="timm", sources=_convnext(model, _TIMM_CONVNEXT),
                  form=lambda config: Form(epsilon=1e-6))  # fmt: skip


_TIMM_VIT: tuple[Rule, ...] = (
    (r"patchify", "patch_embed.proj"),
    (r"class_token", "cls_token"),
    (r"position", "pos_embed"),
    (r"blocks\.(\d+)\.norm_(\d)", r"blocks.\1.norm\2"),
    (r"blocks\.(\d+)\.attention\.qkv_", r"blocks.\1.attn.qkv."),
    (r"blocks\.(\d+)\.attention\.project", r"blocks.\1.attn.proj"),
    (r"blocks\.(\d+)\.mlp\.0", r"blocks.\1.mlp.fc1"),
    (r"blocks\.(\d+)\.mlp\.2", r"blocks.\1.mlp.fc2"),
    (r"norm", "norm"),
    (r"head", "head"),
)


def _timm_vit(model: nn.Module) -> Naming:
    return Naming(library="timm", sources=_plain(model, _TIMM_VIT),
                  form=lambda config: Form(epsilon=1e-6))  # fmt: skip


# Hugging Face transformers -----------------------------------------------------------------------

HF = "Hugging Face transformers"


def _hf_resnet_layer(match: re.Match[str]) -> str:
    stage, block, part, kind = match.groups()
    leaf = ("convolution", "normalization")[int(kind)]
    where = f"resnet.encoder.stages.{stage}.layers.{block}"
    if part == "shortcut":
        return f"{where}.shortcut.{leaf}"
    place = {"first": 0, "second": 1, "reduce": 0, "filter": 1, "expand": 2}[part]
    return f"{where}.layer.{place}.{leaf}"


_HF_RESNET: tuple[Rule, ...] = (
    (r"stem\.0", "resnet.embedder.embedder.convolution"),
    (r"stem\.1", "resnet.embedder.embedder.normalization"),
    (r"stages\.(\d)\.(\d+)\.(\w+)\.(\d)", _hf_resnet_layer),
    (r"head", "classifier.1"),
)


def _hf_activation(config: Mapping[str, Any], *wanted: str) -> str:
    act = config.get("hidden_act", wanted[0])
    return "" if act in wanted else f"its activation is {act!r}, not {wanted[0]!r}"


def _hf_resnet(model: nn.Module) -> Naming:
    def objection(config: Mapping[str, Any]) -> str:
        first = next((m for n, m in model.named_modules() if n.endswith("1.0.reduce.0")), None)
        here = isinstance(first, nn.Conv2d) and first.stride[0] == 2
        there = bool(config.get("downsample_in_bottleneck", False))
        if isinstance(first, nn.Conv2d) and here != there:
            where = "first 1×1" if there else "3×3"
            other = "the names that end in _paper" if there else "those without _paper"
            return f"its bottlenecks stride in their {where} (downsample_in_bottleneck): {other} do"
        if config.get("downsample_in_first_stage"):
            return "its first stage halves the map (downsample_in_first_stage)"
        return _hf_activation(config, "relu")

    return Naming(library=HF, sources=_plain(model, _HF_RESNET), prefix="resnet.",
                  objection=objection)  # fmt: skip


def _blocks_in_a_row(model: nn.Module, begin: str) -> Callable[[re.Match[str]], str]:
    """``stages.2.1`` counted through."""
    lengths = [len(list(s.children())) for s in model.get_submodule("stages").children()]

    def rename(match: re.Match[str]) -> str:
        return f"{begin}.{sum(lengths[: int(match[1])]) + int(match[2])}"

    return rename


def _in_a_row(model: nn.Module, begin: str, parts: Mapping[str, str]) -> tuple[Rule, ...]:
    """A rule for each part of a block: the block's number, then the library's word."""
    row = _blocks_in_a_row(model, begin)

    def rule(part: str, theirs: str) -> Rule:
        return rf"stages\.(\d)\.(\d+)\.{re.escape(part)}\b", lambda match: f"{row(match)}.{theirs}"

    return tuple(rule(part, theirs) for part, theirs in parts.items())


_HF_MBCONV = {
    "expand.0": "expansion.expand_conv",
    "expand.1": "expansion.expand_bn",
    "depthwise.0": "depthwise_conv.depthwise_conv",
    "depthwise.1": "depthwise_conv.depthwise_norm",
    "squeeze_excitation.reduce": "squeeze_excite.reduce",
    "squeeze_excitation.expand": "squeeze_excite.expand",
    "project.0": "projection.project_conv",
    "project.1": "projection.project_bn",
}


def _hf_efficientnet(model: nn.Module) -> Naming:
    rules: tuple[Rule, ...] = (
        (r"stem\.0", "efficientnet.embeddings.convolution"),
        (r"stem\.1", "efficientnet.embeddings.batchnorm"),
        *_in_a_row(model, "efficientnet.encoder.blocks", _HF_MBCONV),
        (r"last\.0", "efficientnet.encoder.top_conv"),
        (r"last\.1", "efficientnet.encoder.top_bn"),
        (r"head", "classifier"),
    )

    def form(config: Mapping[str, Any]) -> Form:
        return Form(epsilon=float(config.get("batch_norm_eps", 1e-3)), padding="same")

    return Naming(library=HF, sources=_plain(model, rules), prefix="efficientnet.", form=form,
                  objection=lambda config: _hf_activation(config, "swish", "silu"))  # fmt: skip


_HF_CONVNEXT: tuple[Rule, ...] = (
    (r"stem\.0", "convnext.embeddings.patch_embeddings"),
    (r"stem\.1", "convnext.embeddings.layernorm"),
    (r"stages\.(\d)\.downsample", r"convnext.encoder.stages.\1.downsampling_layer"),
    (r"stages\.(\d)\.block_(\d+)\.depthwise", r"convnext.encoder.stages.\1.layers.\2.dwconv"),
    (r"stages\.(\d)\.block_(\d+)\.norm", r"convnext.encoder.stages.\1.layers.\2.layernorm"),
    (r"stages\.(\d)\.block_(\d+)\.expand", r"convnext.encoder.stages.\1.layers.\2.pwconv1"),
    (r"stages\.(\d)\.block_(\d+)\.project", r"convnext.encoder.stages.\1.layers.\2.pwconv2"),
    (r"stages\.(\d)\.block_(\d+)\.scale",
     r"convnext.encoder.stages.\1.layers.\2.layer_scale_parameter"),
    (r"norm", "convnext.layernorm"),
    (r"head", "classifier"),
)  # fmt: skip


def _hf_convnext(model: nn.Module) -> Naming:
    def form(config: Mapping[str, Any]) -> Form:
        """The blocks' epsilon is written into the code, the last norm's is configured."""
        return Form(epsilon=1e-6, last_epsilon=float(config.get("layer_norm_eps", 1e-12)))

    return Naming(library=HF, sources=_convnext(model, _HF_CONVNEXT), prefix="convnext.",
                  form=form, objection=lambda config: _hf_activation(config, "gelu"))  # fmt: skip


# As the files name them (and transformers' modules did until version 4), then as its modules do.
_HF_VIT_OLD = {
    "norm_1": "layernorm_before", "norm_2": "layernorm_after",
    "query": "attention.attention.query", "key": "attention.attention.key",
    "value": "attention.attention.value", "project": "attention.output.dense",
    "mlp.0": "intermediate.dense", "mlp.2": "output.dense",
}  # fmt: skip
_HF_VIT_NEW = {
    "norm_1": "layernorm_before", "norm_2": "layernorm_after",
    "query": "attention.q_proj", "key": "attention.k_proj", "value": "attention.v_proj",
    "project": "attention.o_proj", "mlp.0": "mlp.fc1", "mlp.2": "mlp.fc2",
}  # fmt: skip


def _hf_vit(model: nn.Module, layers: str, parts: Mapping[str, str]) -> Naming:
    ends = {
        "patchify": "vit.embeddings.patch_embeddings.projection",
        "class_token": "vit.embeddings.cls_token",
        "position": "vit.embeddings.position_embeddings",
        "norm": "vit.layernorm",
        "head": "classifier",
    }
    sources: dict[str, Source] = {}
    for name in model.state_dict():
        if match := re.fullmatch(r"blocks\.(\d+)\.attention\.qkv_(\w+)", name):
            sources[name] = Source(
                names=tuple(
                    f"{layers}.{match[1]}.{parts[part]}.{match[2]}"
                    for part in ("query", "key", "value")
                ),
                read=_rows,
            )
        elif match := re.fullmatch(
            r"blocks\.(\d+)\.(?:attention\.)?(norm_\d|project|mlp\.\d)\.(\w+)", name
        ):
            sources[name] = _one(f"{layers}.{match[1]}.{parts[match[2]]}.{match[3]}")
        else:
            part, dot, leaf = name.partition(".")
            sources[name] = _one(ends[part] + dot + leaf)
    return Naming(
        library=HF,
        sources=sources,
        prefix="vit.",
        form=lambda config: Form(epsilon=float(config.get("layer_norm_eps", 1e-12))),
        objection=lambda config: _hf_activation(config, "gelu"),
    )


# The authors' own -------------------------------------------------------------------------------

_FACEBOOK: tuple[Rule, ...] = (
    (r"stem", "downsample_layers.0"),
    (r"stages\.(\d)\.downsample", r"downsample_layers.\1"),
    (r"stages\.(\d)\.block_(\d+)\.depthwise", r"stages.\1.\2.dwconv"),
    (r"stages\.(\d)\.block_(\d+)\.norm", r"stages.\1.\2.norm"),
    (r"stages\.(\d)\.block_(\d+)\.expand", r"stages.\1.\2.pwconv1"),
    (r"stages\.(\d)\.block_(\d+)\.project", r"stages.\1.\2.pwconv2"),
    (r"stages\.(\d)\.block_(\d+)\.scale", r"stages.\1.\2.gamma"),
    (r"norm", "norm"),
    (r"head", "head"),
)


def _facebook_convnext(model: nn.Module) -> Naming:
    return Naming(library="facebookresearch/ConvNeXt", sources=_convnext(model, _FACEBOOK),
                  form=lambda config: Form(epsilon=1e-6))  # fmt: skip


_LUKEMELAS_PARTS = {
    "expand.0": "_expand_conv", "expand.1": "_bn0",
    "depthwise.0": "_depthwise_conv", "depthwise.1": "_bn1",
    "squeeze_excitation.reduce": "_se_reduce", "squeeze_excitation.expand": "_se_expand",
    "project.0": "_project_conv", "project.1": "_bn2",
}  # fmt: skip


def _lukemelas_efficientnet(model: nn.Module) -> Naming:
    rules: tuple[Rule, ...] = (
        (r"stem\.0", "_conv_stem"),
        (r"stem\.1", "_bn0"),
        *_in_a_row(model, "_blocks", _LUKEMELAS_PARTS),
        (r"last\.0", "_conv_head"),
        (r"last\.1", "_bn1"),
        (r"head", "_fc"),
    )
    return Naming(
        library="lukemelas/EfficientNet-PyTorch",
        sources=_plain(model, rules),
        form=lambda config: Form(epsilon=1e-3, padding="same"),
    )


def _flax_dense(kernel: Tensor) -> Tensor:
    return kernel.t()


def _flax_conv(kernel: Tensor) -> Tensor:
    return kernel.permute(3, 2, 0, 1)


def _google_vit(model: nn.Module) -> Naming:
    """The arrays of the published ``.npz``: kernels have the inputs first, heads have an axis."""
    ends = {
        "patchify.weight": _one("embedding/kernel", _flax_conv),
        "patchify.bias": _one("embedding/bias"),
        "class_token": _one("cls"),
        "position": _one("Transformer/posembed_input/pos_embedding"),
        "norm.weight": _one("Transformer/encoder_norm/scale"),
        "norm.bias": _one("Transformer/encoder_norm/bias"),
        "head.weight": _one("head/kernel", _flax_dense),
        "head.bias": _one("head/bias"),
    }
    attention = "MultiHeadDotProductAttention_1"
    parts: dict[str, tuple[str, Callable[..., Tensor]]] = {
        "norm_1.weight": ("LayerNorm_0/scale", _same),
        "norm_1.bias": ("LayerNorm_0/bias", _same),
        "norm_2.weight": ("LayerNorm_2/scale", _same),
        "norm_2.bias": ("LayerNorm_2/bias", _same),
        "attention.project.weight": (f"{attention}/out/kernel", lambda t: t.flatten(0, 1).t()),
        "attention.project.bias": (f"{attention}/out/bias", _same),
        "mlp.0.weight": ("MlpBlock_3/Dense_0/kernel", _flax_dense),
        "mlp.0.bias": ("MlpBlock_3/Dense_0/bias", _same),
        "mlp.2.weight": ("MlpBlock_3/Dense_1/kernel", _flax_dense),
        "mlp.2.bias": ("MlpBlock_3/Dense_1/bias", _same),
    }
    sources: dict[str, Source] = {}
    for name in model.state_dict():
        match = re.fullmatch(r"blocks\.(\d+)\.(.+)", name)
        if match is None:
            sources[name] = ends[name]
            continue
        block, part = f"Transformer/encoderblock_{match[1]}", match[2]
        if part in parts:
            theirs, read = parts[part]
            sources[name] = _one(f"{block}/{theirs}", read)
            continue
        leaf = "kernel" if part.endswith("weight") else "bias"
        three = tuple(f"{block}/{attention}/{p}/{leaf}" for p in ("query", "key", "value"))
        if leaf == "kernel":
            sources[name] = Source(
                names=three, read=lambda *t: torch.cat([one.flatten(1).t() for one in t])
            )
        else:
            sources[name] = Source(names=three, read=lambda *t: torch.cat([o.flatten() for o in t]))
    return Naming(library="google-research/vision_transformer", sources=sources,
                  form=lambda config: Form(epsilon=1e-6))  # fmt: skip


_SHARED = ("AlexNet", "VGG", "GoogLeNet", "ResNet", "EfficientNet", "ConvNeXt", "ViT")
_MAKERS: tuple[tuple[tuple[str, ...], Callable[[nn.Module], Naming]], ...] = (
    (_SHARED, _torchvision),
    (("ViT",), _torchvision_old_vit),
    (("VGG",), _timm_vgg),
    (("EfficientNet",), _timm_efficientnet),
    (("ConvNeXt",), _timm_convnext),
    (("ViT",), _timm_vit),
    (("ResNet",), _hf_resnet),
    (("EfficientNet",), _hf_efficientnet),
    (("ConvNeXt",), _hf_convnext),
    (("ViT",), lambda model: _hf_vit(model, "vit.encoder.layer", _HF_VIT_OLD)),
    (("ViT",), lambda model: _hf_vit(model, "vit.layers", _HF_VIT_NEW)),
    (("ConvNeXt",), _facebook_convnext),
    (("EfficientNet",), _lukemelas_efficientnet),
    (("ViT",), _google_vit),
)
LIBRARIES = ("torchvision", "timm", HF, "facebookresearch/ConvNeXt",
             "google-research/vision_transformer", "lukemelas/EfficientNet-PyTorch")  # fmt: skip
