"""Operators that look places up: resizing, folding, sampling on a grid, indices.

Where the places are numbers that are known (see `values`), what is taken from where is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from lineage_lab.anatomy.fields import FIXED, Shadow, shrunk, thinned

__all__ = ["both", "folded", "gathered", "indexed", "resized", "sampled", "scattered", "unfolded"]

aten = torch.ops.aten
ValueOf = Callable[[Tensor], Tensor | None]


def resized(source: Shadow, func: Any, args: tuple[Any, ...], shape: torch.Size) -> Shadow:
    """A map scaled up or down: which neighbours each place takes, the operator itself says."""
    axes = len(shape) - 2
    flags = tuple(arg for arg in args[2:] if isinstance(arg, bool))  # align_corners
    scales = [*args[2 + len(flags) :], *[None] * axes][:axes]
    for number in range(axes):
        axis = number - axes
        old, new = source.shape[axis], shape[axis]
        if old == new and scales[number] in (None, 1.0):
            continue
        # Each place by itself is scaled: where its output is not zero, it is taken. The other
        # axes have two places: PyTorch's antialias takes fewer neighbours in a map one wide.
        one = torch.eye(old, dtype=torch.float64, device="cpu")
        one = one.view(old, 1, *[1] * number, old, *[1] * (axes - 1 - number))
        one = one.expand(old, 1, *[old if n == number else 2 for n in range(axes)]).contiguous()
        size, scale = [2] * axes, [None] * axes
        size[number], scale[number] = new, scales[number]
        scaled = func(one, size, *flags, *scale).movedim(2 + number, 1).reshape(old, new, -1)
        taken = scaled[..., 0].T != 0
        source = source.slid(axis, _taps(taken)).paced(axis, old / new)
    return source


def _taps(taken: Tensor) -> Tensor:
    """Rows of yes and no as rows of places, each row's first place repeated to equal lengths."""
    most = max(int(taken.sum(1).max()), 1)
    order = taken.int().argsort(dim=1, descending=True, stable=True)[:, :most]
    return torch.where(taken.gather(1, order), order, order[:, :1])


def unfolded(source: Shadow, args: tuple[Any, ...]) -> Shadow:
    """Windows laid out as columns: ``[batch, channels * kernel, windows]``."""
    taken = source.moved(lambda plane: aten.im2col(plane.double() - FIXED, *args[1:]).long())
    return taken.moved(lambda plane: plane + FIXED)


def folded(source: Shadow, args: tuple[Any, ...], shape: torch.Size) -> Shadow:
    """Columns laid back as windows and summed where these overlap."""
    size = list(shape[-2:])
    places = torch.arange(1.0, 1 + size[0] * size[1], dtype=torch.float64, device="cpu")
    target = aten.im2col(places.view(1, 1, *size), *args[2:])[0].long().flatten()  # 0: padding

    def lay(plane: Tensor) -> Tensor:
        columns = plane.reshape(*shape[:-2], len(target))
        lain = torch.full((*shape[:-2], 1 + size[0] * size[1]), FIXED, device="cpu")
        lain.scatter_reduce_(-1, target.expand(columns.shape), columns, "amin")
        return shrunk(lain[..., 1:].reshape(shape))

    return source.moved(lay).measured()


def sampled(source: Shadow, grid: Tensor, args: tuple[Any, ...], shape: torch.Size) -> Shadow:
    """A map sampled at the places of a grid that is known."""
    mode, edge, aligned = args[2:5]
    sizes = source.shape[2:]
    where: list[Tensor] = []
    for number, size in enumerate(reversed(sizes)):  # a grid gives x before y
        place = grid[..., number].double()
        place = (place + 1) / 2 * (size - 1) if aligned else ((place + 1) * size - 1) / 2
        if edge == 2:  # reflected at the edges
            low, span = (0.0, size - 1.0) if aligned else (-0.5, float(size))
            over = (place - low).abs().remainder(2 * max(span, 1e-9))
            place = torch.where(over > span, 2 * span - over, over) + low
        if edge:
            place = place.clamp(0, size - 1)
        where.insert(0, place)
    reach = {0: (0, 1), 1: (0,), 2: (-1, 0, 1, 2)}[mode]
    if mode == 1:
        where = [place.round() for place in where]
    channels = shape[1]
    planes = []
    for plane in source.planes:
        flat = plane.expand(source.shape).flatten(2)
        best = torch.full(shape, FIXED, device="cpu")
        for steps in product(reach, repeat=len(sizes)):
            index = torch.zeros(grid.shape[:-1], dtype=torch.long, device="cpu")
            taken = torch.ones_like(index, dtype=torch.bool)
            for place, size, step in zip(where, sizes, steps, strict=True):
                tap = place.floor().long() + step
                if mode != 1:  # a place that is met exactly takes nothing of its neighbours
                    taken &= (place != place.floor()) | (step == 0)
                if edge and mode == 2:
                    tap = tap.clamp(0, size - 1)
                taken &= (tap >= 0) & (tap < size)
                index = index * size + tap.clamp(0, size - 1)
            picked = flat.gather(2, index.flatten(1).unsqueeze(1).expand(-1, channels, -1))
            picked = picked.view(shape)
            best = torch.minimum(best, torch.where(taken.unsqueeze(1), picked, FIXED))
        planes.append(shrunk(best))
    return replace(source, planes=tuple(planes)).measured()


def indexed(source: Shadow, func: Any, indices: Sequence[Any], value_of: ValueOf,
            shape: torch.Size) -> Shadow | None:  # fmt: skip
    """Elements picked by lists of places; ``None`` where these are not known and matter."""
    picked = [a for a, index in zip(_starts(indices), indices, strict=True) if index is not None]
    known = tree_map(lambda i: None if i is None else value_of(i), list(indices))
    if any(k is None for k, i in zip(known, indices, strict=True) if i is not None):
        if any(thinned(p).shape[a] > 1 for p in source.planes for a in picked):
            return None
        # All that could be picked see the same.
        zeros = [None if i is None else torch.zeros(i.shape, dtype=torch.long) for i in indices]
        if any(i is not None and i.dtype == torch.bool for i in indices):
            return None
        known = zeros

    def pick(plane: Tensor) -> Tensor:
        thin = thinned(plane)
        sizes = list(thin.shape)
        for start, index in zip(_starts(indices), indices, strict=True):
            for axis in range(start, start + _width(index)) if index is not None else ():
                sizes[axis] = plane.shape[axis]
        return shrunk(func(thin.expand(sizes), known).expand(shape))

    return source.moved(pick).measured()


def _width(index: Any) -> int:
    """Axes that an index takes: as many as a mask has, else one."""
    return index.dim() if isinstance(index, Tensor) and index.dtype == torch.bool else 1


def _starts(indices: Sequence[Any]) -> list[int]:
    starts, at = [], 0
    for index in indices:
        starts.append(at)
        at += _width(index)
    return starts


def gathered(source: Shadow, axis: int, index: Tensor | None, shape: torch.Size) -> Shadow | None:
    """An element of an axis for each element of a list of places."""
    if index is None:
        if any(thinned(plane).shape[axis] > 1 for plane in source.planes):
            return None
        index = torch.zeros(shape, dtype=torch.long, device="cpu")
    places = index

    def pick(plane: Tensor) -> Tensor:
        return shrunk(plane.expand(source.shape).gather(axis, places))

    return source.moved(pick).measured()


def scattered(base: Shadow, added: Shadow, axis: int, index: Tensor, *, keep: bool) -> Shadow:
    """Elements laid into others, at the places of an axis.

    Args:
        base: What is written to.
        added: What is written.
        axis: The axis.
        index: The places on it, of the shape that is written.
        keep: What stood there before remains, as in a sum.
    """
    inside = tuple(slice(0, n) for n in index.shape)

    def lay(one: Tensor, two: Tensor) -> Tensor:
        lain = one.expand(base.shape).clone(memory_format=torch.contiguous_format)
        values = two.expand(added.shape)[inside] if added.shape else two.expand(index.shape)
        lain.scatter_reduce_(axis, index, values, "amin", include_self=keep)
        return shrunk(lain)

    planes = tuple(lay(one, two) for one, two in zip(base.planes, added.planes, strict=True))
    return replace(both(base, added), planes=planes)


def both(one: Shadow, two: Shadow) -> Shadow:
    """The first, with what holds for either as a whole."""
    return replace(
        one,
        strides=cast(Any, tuple(map(max, one.strides, two.strides))),
        whole=cast(Any, tuple(map(max, one.whole, two.whole))),
        pairs=one.pairs or two.pairs,
        unknown=one.unknown or two.unknown,
    )
