"""A network as an expression: what built it, by import path and plain arguments, and back.

``torchvision.models.resnet18(num_classes=3)`` is such an expression. It stands in a checkpoint in
place of a pickle. `build` reads it without evaluating anything: dotted names are called with plain
values, and only what is known to build networks, or what the reader allows by name, is imported.
"""

import ast
import inspect
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.heads import find_head, unwrapped

__all__ = ["NotAllowed", "Unknown", "alike", "build", "expression_of", "is_expression"]

PLAIN = (type(None), bool, int, float, str)
# Arguments that would fetch something.
FETCHING = ("weights", "weights_backbone", "pretrained", "pretrained_cfg", "pretrained_cfg_overlay",
            "checkpoint_path", "cache_dir", "pretrained_strict")  # fmt: skip
# Lines of a configuration of transformers that name code or weights elsewhere.
ELSEWHERE = ("auto_map", "backbone", "backbone_config", "use_pretrained_backbone",
             "use_timm_backbone", "attn_implementation", "experts_implementation",
             "quantization_config", "name_or_path")  # fmt: skip

Name = Callable[[nn.Module], str | None]


class NotAllowed(ValueError):  # noqa: N818
    """An expression names what may not be imported; the message says how to allow it."""


class Unknown(ValueError):  # noqa: N818  (says what is so)
    """What built a network can't be told from it; the message says why and what to pass."""


def is_expression(name: str) -> bool:
    """Whether a name is such an expression, not a row of the registry."""
    return "(" in name or ("." in name and "/" not in name)


def build(expression: str, *, allow: Collection[str] = ()) -> nn.Module:
    """The network that an expression describes, with first weights.

    Args:
        expression: Such as ``torch.nn.Sequential(mynets.Scale(2.0), timm.create_model('vgg11'))``.
        allow: Packages or modules that may be imported beside the builders of torch.nn,
            torchvision, timm, transformers and this package.

    Returns:
        The network, on the CPU.

    Raises:
        ValueError: It is no expression of calls with plain values, names what is not allowed,
            or builds no network.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"{expression[:200]!r} is no expression of a builder: {error}") from error
    found = _value(tree, frozenset(allow), expression)
    if isinstance(tree, (ast.Name, ast.Attribute)):
        found = _call(_dotted(tree), (), {}, frozenset(allow))
    if not isinstance(found, nn.Module):
        raise ValueError(f"{expression[:200]!r} builds a {type(found).__name__}, not a network")
    return found


def _value(node: ast.expr, allow: frozenset[str], whole: str) -> Any:
    """A plain value, or what a call of a builder gives."""
    match node:
        case ast.Constant(value=value) if isinstance(value, PLAIN):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=parts):
            return [_value(part, allow, whole) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(_value(part, allow, whole) for part in parts)
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {_value(k, allow, whole): _value(v, allow, whole)
                    for k, v in zip(keys, values, strict=True) if k is not None}  # fmt: skip
        case ast.Call(func=func, args=args, keywords=keywords) if all(k.arg for k in keywords):
            given = tuple(_value(arg, allow, whole) for arg in args)
            named = {str(k.arg): _value(k.value, allow, whole) for k in keywords}
            return _call(_dotted(func), given, named, allow)
        case ast.Name() | ast.Attribute():
            return None  # `build` calls it
    raise ValueError(
        f"{whole[:200]!r} is no expression of a builder: dotted names, called with numbers, texts, "
        "lists and other such calls, are all that it may hold"
    )


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError(f"a builder is a dotted name, not {ast.unparse(node)[:80]!r}")


def _call(path: str, args: tuple[Any, ...], named: dict[str, Any], allow: frozenset[str]) -> Any:
    """One call, of what is known to build networks or of what the reader allows."""
    if any(path == name or path.startswith(f"{name}.") for name in allow):
        return _allowed(path, allow)(*args, **named)
    if fetching := [k for k in FETCHING if named.get(k)]:
        raise ValueError(f"{path} is asked to fetch something ({', '.join(fetching)}): refused")
    root, _, last = path.rpartition(".")
    if root == "torch.nn":
        kind = getattr(nn, last, None)
        if isinstance(kind, type) and issubclass(kind, nn.Module):
            if kind is nn.Sequential and len(args) == 1 and isinstance(args[0], dict):
                return nn.Sequential(OrderedDict(args[0]))
            return kind(*args, **named)
    if path == "lineage_lab.create_model":
        from lineage_lab import create_model, list_models

        if args and args[0] in list_models():
            return create_model(*args, **named)
    if root == "torchvision.models":
        models: Any = import_module("torchvision.models")
        if last in models.list_models(module=models):
            return models.get_model(last, *args, **{"weights": None, **named})
    if path == "timm.create_model":
        timm: Any = import_module("timm")
        if args and args[0] in timm.list_models():
            return timm.create_model(*args, **named)
    if root == "transformers" and last.endswith("ForImageClassification") and "Timm" not in last:
        return _transformers(last, named)
    raise NotAllowed(
        f"{path} is not imported: a file may name only builders of torch.nn, torchvision.models, "
        "timm, transformers and this package. If you know it and trust it, allow it by name: "
        f"allow=[{path.split('.')[0]!r}], or --allow {path.split('.')[0]}"
    )


def _allowed(path: str, allow: frozenset[str]) -> Callable[..., Any]:
    """What a path names, by the longest part of it that is a module."""
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:length])
        try:
            found: Any = import_module(name)
        except ModuleNotFoundError as error:
            if error.name and (name == error.name or name.startswith(f"{error.name}.")):
                continue
            raise
        for part in parts[length:]:
            found = getattr(found, part, None)
        # What the module itself imported (os.system) is not the module's.
        home = str(getattr(found, "__module__", ""))
        if not callable(found) or not any(home == n or home.startswith(f"{n}.") for n in allow):
            raise ValueError(f"{path} is no class or function of {' or '.join(sorted(allow))}")
        return found  # type: ignore[no-any-return]
    raise ValueError(f"{path} can't be imported: is its package installed, or its folder here?")


def _transformers(name: str, named: dict[str, Any]) -> Any:
    library: Any = import_module("transformers")
    kind = getattr(library, name, None)
    config = named.get("config", {})
    if not hasattr(kind, "config_class") or not isinstance(config, dict):
        raise ValueError(f"transformers has no {name}, or its config is no dict")
    assert kind is not None
    if elsewhere := [key for key in config if key in ELSEWHERE or key.startswith("_")]:
        raise ValueError(f"transformers.{name}: {', '.join(elsewhere)} in its config: refused")
    return kind(kind.config_class(**config))


def expression_of(model: nn.Module, *, name: Name = lambda model: None) -> str:
    """The expression that builds a network like this one, proved by building it.

    Args:
        model: A network; wrappers are looked through.
        name: The registry's name of one of its own networks.

    Raises:
        Unknown: Its class can't be imported, its arguments are not plain or can't be told, or
            what they build is another network.
    """
    model = unwrapped(model)
    candidates = [*_known(model, name), *_class(model, name)]
    for expression, allow in candidates:
        try:
            with torch.device("meta"):
                made = build(expression, allow=allow)
        except Exception:  # a network that can't be built without numbers
            try:
                made = build(expression, allow=allow)
            except Exception:  # these are no arguments for it
                continue
        if alike(model, made):
            return expression
    raise Unknown(
        f"what built this {type(model).__module__}.{type(model).__qualname__} can't be told from "
        f"it{_why(model)}. Its best.ckpt will hold the weights, but predict and export can't "
        'rebuild the network. Pass what builds it: name="package.module.Class(width=8)" with plain '
        "arguments; or keep your code, and use Predictor.load(path, model=…)"
    )


def _why(model: nn.Module) -> str:
    kind = type(model)
    if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
        return ": its class stands in a script or a function, and a new process can't import it"
    return ""


def _known(model: nn.Module, name: Name) -> list[tuple[str, tuple[str, ...]]]:
    """What libraries tell of their own networks."""
    kind, home = type(model), type(model).__module__
    classes = _classes(model)
    if home.startswith("lineage_lab.models."):
        own = name(model)
        return [(f"lineage_lab.create_model({own!r}, num_classes={classes})", ())] if own else []
    if home.startswith("torchvision.models."):
        models: Any = import_module("torchvision.models")
        names = [
            n
            for n in models.list_models(module=models)
            if inspect.signature(models.get_model_builder(n)).return_annotation
            in (kind, kind.__name__)
        ]
        extra = "".join(
            f", {key}={getattr(model, key)!r}"
            for key in ("aux_logits", "transform_input")
            if isinstance(getattr(model, key, None), bool)
        )
        return [(f"torchvision.models.{n}(num_classes={classes}{extra})", ()) for n in names]
    config: Any = getattr(model, "pretrained_cfg", None)
    if isinstance(config, Mapping) and config.get("architecture"):
        begin = f"timm.create_model({config['architecture']!r}, num_classes={classes}"
        first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
        channels = f", in_chans={first.in_channels}" if first is not None else ""
        side = getattr(getattr(model, "patch_embed", None), "img_size", None)
        size = f", img_size={side!r}" if isinstance(side, tuple) else ""
        return [(f"{begin}{more})", ()) for more in ("", channels, size, channels + size)]
    config = getattr(model, "config", None)
    if kind.__name__.endswith("ForImageClassification") and hasattr(config, "to_diff_dict"):
        lines = {
            key: value for key, value in config.to_diff_dict().items()
            if key not in (*ELSEWHERE, "transformers_version", "architectures", "dtype")
            and not key.startswith("_")
        }  # fmt: skip
        if _is_plain(lines):
            return [(f"transformers.{kind.__name__}(config={lines!r})", ())]
    return []


def _class(model: nn.Module, name: Name) -> list[tuple[str, tuple[str, ...]]]:
    """A class by its import path, each argument by the attribute that bears its name."""
    kind = type(model)
    if isinstance(model, nn.Sequential) and kind is nn.Sequential:
        children = dict(model.named_children())
        try:
            inner = {key: _inside(child, name) for key, child in children.items()}
        except Unknown:
            return []
        allow = tuple(root for _, roots in inner.values() for root in roots)
        if list(children) == [str(i) for i in range(len(children))]:
            parts = ", ".join(text for text, _ in inner.values())
        else:
            parts = "{" + ", ".join(f"{k!r}: {text}" for k, (text, _) in inner.items()) + "}"
        return [(f"torch.nn.Sequential({parts})", allow)]
    if kind.__module__ == "__main__" or "<" in kind.__qualname__:
        return []
    home = "torch.nn" if getattr(nn, kind.__name__, None) is kind else kind.__module__
    roots: list[str] = [] if home == "torch.nn" else [home.split(".")[0]]
    texts: list[str] = []
    for parameter in inspect.signature(kind.__init__).parameters.values():
        if parameter.name in ("self", "device", "dtype") or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        value = getattr(model, parameter.name, inspect.Parameter.empty)
        default = parameter.default
        if isinstance(default, bool) and (isinstance(value, Tensor) or value is None):
            value = value is not None
        if isinstance(value, nn.Module):
            try:
                text, inner_roots = _inside(value, name)
            except Unknown:
                return []
            roots += inner_roots
        elif _is_plain(value) and value is not inspect.Parameter.empty:
            text = repr(value)
        elif default is not inspect.Parameter.empty:
            continue
        else:
            return []
        texts.append(f"{parameter.name}={text}")
    return [(f"{home}.{kind.__qualname__}({', '.join(texts)})", tuple(roots))]


def _inside(model: nn.Module, name: Name) -> tuple[str, tuple[str, ...]]:
    """A part's expression, and what it imports."""
    text = expression_of(model, name=name)
    tree = ast.parse(text, mode="eval")
    calls = [_dotted(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)]
    return text, tuple(call.split(".")[0] for call in calls if not call.startswith("torch.nn."))


def _classes(model: nn.Module) -> int:
    try:
        return int(find_head(model)[1].weight.shape[0])
    except (ValueError, TypeError):
        return 1000


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(k) and _is_plain(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return type(value) in PLAIN


def alike(model: nn.Module, other: nn.Module) -> bool:
    """Whether two networks are built alike: the same modules, settings, and shapes of tensors."""
    mine, theirs = (dict(_parts(m)) for m in (model, other))
    return mine == theirs


def _parts(model: nn.Module) -> list[tuple[str, Any]]:
    """Each module's path without its wrappers, its class, its plain settings, its tensors."""
    found: list[tuple[str, Any]] = []

    def visit(module: nn.Module, path: str) -> None:
        module = unwrapped(module)
        settings = {
            key: _comparable(value)
            for key, value in vars(module).items()
            if not key.startswith("_") and key not in ("training", "num_classes", "num_labels")
        }
        tensors = {
            key: tuple(tensor.shape)
            for key, tensor in [*module._parameters.items(), *module._buffers.items()]
            if tensor is not None
        }
        found.append((path, (type(module).__qualname__, settings, tensors)))
        for key, child in module.named_children():
            visit(child, f"{path}.{key}")

    visit(model, "")
    return found


def _comparable(value: object) -> object:
    if _is_plain(value) and not isinstance(value, dict):
        return value
    return getattr(value, "__qualname__", type(value).__qualname__)
