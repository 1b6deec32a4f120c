"""What an operator costs in MACs: a number, or that it can't be told."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

__all__ = ["operator_macs"]

aten = torch.ops.aten


def operator_macs(packet: Any, args: tuple[Any, ...], outs: list[Tensor]) -> int | None:
    """Multiply-adds of one operator call, counted by hand from the shapes.

    Args:
        packet: The operator, without its overload.
        args: Its arguments.
        outs: Its output tensors.

    Returns:
        The MACs of a convolution or of a matrix product; ``None`` for any other operator.
    """
    if packet in _PRODUCTS:
        return outs[0].numel() * int(args[_PRODUCTS[packet]].shape[-1])
    if packet in _CONVOLUTIONS:
        weight: Tensor = args[1]
        # A weight is [out, in / groups, …]; transposed it is [in, out / groups, …].
        transposed = len(args) > 6 and args[6] is True
        places = args[0].numel() if transposed else outs[0].numel()
        return places * prod(weight.shape[1:])
    if packet in (aten.dot, aten.vdot):
        return int(args[0].numel())
    if packet is aten.addr:
        return outs[0].numel()
    if packet is aten.addbmm:
        return outs[0].numel() * int(args[1].shape[0]) * int(args[1].shape[2])
    if packet is aten._trilinear:
        return _trilinear(args)
    if packet.__name__.startswith("_scaled_dot_product_") and args[0].dim() == 4:
        query, key, value = args[:3]
        pairs: int = query.shape[:-1].numel() * int(key.shape[-2])
        return pairs * (int(query.shape[-1]) + int(value.shape[-1]))
    if _is_deformable(packet):
        return outs[0].numel() * prod(map(int, args[1].shape[1:]))
    return None


def _trilinear(args: tuple[Any, ...]) -> int:
    """Sum of products of three: the first two are multiplied, then summed with the third."""
    shapes = []
    for tensor, unsqueezed in zip(args[:3], args[3:6], strict=True):
        for axis in unsqueezed:
            tensor = tensor.unsqueeze(axis)
        shapes.append(tensor.shape)
    return torch.broadcast_shapes(*shapes).numel()  # type: ignore[no-untyped-call, no-any-return]


def _is_deformable(packet: Any) -> bool:
    return str(packet) == "torchvision.deform_conv2d"


_CONVOLUTIONS = frozenset(
    getattr(aten, name)
    for name in ("convolution", "_convolution", "convolution_overrideable")
    if hasattr(aten, name)
)
# Operator -> which argument's last axis is summed over.
_PRODUCTS = {
    getattr(aten, name): argument
    for name, argument in {
        "mm": 0, "bmm": 0, "mv": 0, "_int_mm": 0, "_scaled_mm": 0, "linear": 0,
        "addmm": 1, "baddbmm": 1, "addmv": 1, "_addmm_activation": 1,
    }.items()
    if hasattr(aten, name)
}  # fmt: skip
