"""What an optimizer is given: the network's parts, their learning rates, and the schedule."""

import math
from typing import Any

import torch
from torch import nn

from lineage_lab.training.recipe import Recipe

__all__ = ["batch_norms", "factor", "frozen", "optimizer", "parts"]

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
BODY = 0.85  # share of the body in one piece above which that piece is taken apart
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def parts(model: nn.Module, head: nn.Module) -> tuple[nn.Module, ...]:
    """The body in pieces, from the image to the head: what is unfrozen step by step.

    A piece is a child of the network, or, where the child is a container of blocks or stages,
    one of these; where a child is all but the whole body, as in transformers, its own pieces.
    Pieces without parameters are left out, and so is the head.

    Args:
        model: The network.
        head: Its last layer.

    Returns:
        The pieces in the order in which the network holds them.
    """
    found = _pieces(model, head)
    while found:
        sizes = [sum(p.numel() for p in piece.parameters()) for piece in found]
        place = sizes.index(max(sizes))
        largest = found[place]
        inner = _pieces(largest, head)
        holds_blocks = any(next(child.children(), None) is not None for child in largest.children())
        if sizes[place] < BODY * sum(sizes) or not holds_blocks or inner in ([], [largest]):
            break
        found[place : place + 1] = inner
    return tuple(found)


def _pieces(model: nn.Module, head: nn.Module) -> list[nn.Module]:
    whole: list[nn.Module] = []
    for child in model.children():
        inner = list(child.children())
        holds_blocks = any(next(piece.children(), None) is not None for piece in inner)
        pieces = inner if isinstance(child, _CONTAINERS) and holds_blocks else [child]
        whole += [p for p in pieces if any(q is not head for q in _owners(p))]
    return whole


def _owners(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if next(m.parameters(recurse=False), None) is not None]


def optimizer(
    model: nn.Module, head: nn.Module, recipe: Recipe, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW or SGD, each part of the body with its learning rate; no decay of biases and norms.

    Each group holds its highest learning rate as ``peak`` and its distance from the head as
    ``depth``, 0 for the head itself.

    Args:
        model: The network.
        head: Its last layer.
        recipe: How.
        device: Where; the fused form is taken where there is one.
    """
    pieces = parts(model, head)
    depth_of = {id(p): 0 for p in head.parameters()}
    for number, piece in enumerate(pieces):
        for parameter in piece.parameters():
            depth_of.setdefault(id(parameter), len(pieces) - number)
    groups: dict[tuple[int, bool], dict[str, Any]] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:  # frozen by whoever gave the network: it stays so
            continue
        # What the network holds itself (ViT's class token) belongs to its first part.
        depth = depth_of.get(id(parameter), max(1, len(pieces)))
        decays = parameter.dim() > 1
        peak = recipe.head_lr if depth == 0 else recipe.lr * recipe.layer_decay ** (depth - 1)
        options = {
            "lr": peak,
            "peak": peak,
            "depth": depth,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        group = groups.setdefault((depth, decays), {"params": [], **options})
        group["params"].append(parameter)
    fused = device.type in ("cpu", "cuda")
    listed = list(groups.values())
    if recipe.optimizer == "sgd":
        momentum = recipe.momentum
        return torch.optim.SGD(
            listed, lr=recipe.lr, momentum=momentum, nesterov=momentum > 0, fused=fused
        )
    return torch.optim.AdamW(listed, lr=recipe.lr, fused=fused)


def factor(share: float, warmup: float) -> float:
    """Factor on the learning rates: a straight rise, then half a cosine down to 0.

    Args:
        share: How much of the phase is done, from 0 to 1.
        warmup: Share over which the rates rise.
    """
    if share < warmup:
        return share / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (share - warmup) / (1 - warmup))))


def batch_norms(model: nn.Module) -> list[nn.Module]:
    """Batch norms with running statistics that a training has filled."""
    norms = [m for m in model.modules() if isinstance(m, _NORMS)]
    return [m for m in norms if m.running_mean is not None and bool(m.running_mean.any())]


def frozen(model: nn.Module) -> frozenset[nn.Module]:
    """Modules with parameters of their own none of which learns: they rest to the end.

    Raises:
        ValueError: Nothing of the network learns.
    """
    own = {m: [p.requires_grad for p in m.parameters(recurse=False)] for m in model.modules()}
    if not any(any(learns) for learns in own.values()):
        raise ValueError(
            "nothing of the network learns: each of its parameters has requires_grad=False. Let "
            "the head learn at least: model.head.requires_grad_(True)"
        )
    return frozenset(module for module, learns in own.items() if learns and not any(learns))
