"""What each operator of PyTorch does to what a tensor's elements see.

Read from the top: one rule a kind of operator → the rules that take more than a line → the tables
of operators.
"""

from __future__ import annotations

from dataclasses import replace
from math import floor
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from lineage_lab.anatomy.fields import FIXED, Shadow, positive, reshaped, shrunk, thinned

__all__ = ["shadows"]

aten = torch.ops.aten


def shadows(
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    sources: list[Shadow],
    outs: list[Tensor],
) -> list[Shadow]:
    """The outputs' shadows; none for an operator that is not known to keep places.

    Args:
        func: The operator.
        args: Its arguments.
        kwargs: Its keyword arguments.
        sources: The shadows of all tensors among them, in their order.
        outs: Its output tensors.
    """
    packet = func.overloadpacket
    first = sources[0]
    shape = outs[0].shape if outs else torch.Size()
    if 0 in first.shape and packet not in (aten.cat, aten.stack):
        return []  # nothing sees nothing
    if packet in _MOVES:
        planes = [
            [shrunk(moved) for moved in tree_flatten(func(plane, *args[1:], **kwargs))[0]]
            for plane in first.planes
        ]
        return [replace(first, planes=parts).measured() for parts in zip(*planes, strict=True)]
    if packet in _ROLLS:
        moved = first.moved(lambda plane: func(thinned(plane), *args[1:], **kwargs).expand(shape))
        return [moved]
    if packet in _VIEWS:
        return [first.moved(lambda plane: shrunk(reshaped(plane, shape))).measured()]
    if packet in (aten.cat, aten.stack):
        return [_concatenated(sources, packet, args, kwargs, shape)]
    if packet is aten.convolution:
        return [_convolved(first, args, shape)]
    if packet in _POOLS:
        count = _POOLS[packet]
        kernel = _list(args[1], count)
        stride = _list(args[2], count) if len(args) > 2 and args[2] else kernel
        padding = _list(args[3], count) if len(args) > 3 else [0] * count
        dilated = "max" in packet.__name__ and len(args) > 4
        dilation = _list(args[4], count) if dilated else [1] * count
        return [_windows(first, kernel, stride, padding, dilation, shape)]
    if packet in _ADAPTIVE:
        count = _ADAPTIVE[packet]
        if shape[-count:] == first.shape[-count:]:
            return [first]
        return [_whole(first.mixed(list(range(-count, 0))), first, shape)]
    if packet in _PADS:
        pads = args[1]
        for number in range(len(pads) // 2):
            before, after = pads[2 * number : 2 * number + 2]
            size = first.shape[-1 - number]
            if before or after:
                taps = torch.arange(-before, size + after, device="cpu").unsqueeze(1)
                first = first.slid(-1 - number, taps)
        return [first]
    if packet in _UPSAMPLES:
        for axis in range(2 - len(shape), 0):
            first = _scaled(first, axis, shape[axis], _UPSAMPLES[packet])
        return [first]
    if packet in _REDUCTIONS and not (len(args) > 1 and isinstance(args[1], Tensor)):
        at = 2 if packet in _SECOND else 1
        given = kwargs.get("dim", args[at] if len(args) > at else None)
        given = [given] if isinstance(given, int) else given
        # ``max()`` and ``sum()`` without axes take all of them.
        axes = list(given) if given else list(range(len(first.shape)))
        mixed = first.mixed(axes)
        gone = positive(axes, first)
        kept = [n for axis, n in enumerate(first.shape) if axis not in gone]
        if len(shape) == len(kept):
            mixed = mixed.moved(lambda plane: reshaped(plane, shape))
        return [mixed] * len(outs)
    if packet in _ALONG:
        axes = [args[1]] if isinstance(args[1], int) else list(args[1])
        return [first.mixed(axes).moved(lambda plane: plane.expand(shape))]
    if packet in _PRODUCTS:
        return [_multiplied(sources[-2], sources[-1], sources[:-2], shape)]
    if packet is aten.im2col:
        return [_unfolded(first, args, shape)]
    if packet in _UNPLACED:
        return []
    return _elementwise(sources, outs)


def _elementwise(sources: list[Shadow], outs: list[Tensor]) -> list[Shadow]:
    """Each element comes from the same one of the inputs, which may be broadcast."""
    shape = outs[0].shape if outs else torch.Size()
    fitting = [s for s in sources if _broadcasts(s.shape, shape)]
    if not fitting or len(sources[0].shape) > len(shape):
        return []
    joined = Shadow.fixed(shape)
    for source in fitting:
        joined = joined.joined(source, shape)
    return [joined]


def _broadcasts(shape: torch.Size, to: torch.Size) -> bool:
    pairs = zip(reversed(shape), reversed(to), strict=False)
    return len(shape) <= len(to) and all(n in (1, goal) for n, goal in pairs)


def _concatenated(
    sources: list[Shadow],
    packet: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    shape: torch.Size,
) -> Shadow:
    axis = kwargs.get("dim", args[1] if len(args) > 1 else 0) % len(shape)
    planes = []
    for parts in zip(*(source.planes for source in sources), strict=True):
        if packet is aten.stack:
            parts = tuple(part.unsqueeze(axis) for part in parts)
        parts = tuple(part for part in parts if part.dim() == len(shape))  # cat skips shape (0,)
        thin = [thinned(part) for part in parts]
        if any(part.stride(axis) or not torch.equal(part, thin[0]) for part in thin):
            common = [max(sizes) for sizes in zip(*(part.shape for part in thin), strict=True)]
            full = []
            for part, whole in zip(thin, parts, strict=True):
                common[axis] = whole.shape[axis]
                full.append(part.expand(common))
            joined = torch.cat(full, axis)
        else:
            joined = thin[0]
        planes.append(joined.expand(shape))
    strides = zip(*(source.strides for source in sources), strict=True)
    whole = zip(*(source.whole for source in sources), strict=True)
    return Shadow(
        tuple(planes), cast(Any, tuple(map(max, strides))), cast(Any, tuple(map(any, whole)))
    )


def _convolved(source: Shadow, args: tuple[Any, ...], shape: torch.Size) -> Shadow:
    weight, stride, padding, dilation, transposed, _, groups = args[1], *args[3:9]
    axes = weight.dim() - 2
    planes = []
    for plane in source.planes:
        thin = thinned(plane)
        if thin.shape[1] > 1:
            thin = thin.unflatten(1, (groups, -1)).amin(2)  # type: ignore[no-untyped-call]
            thin = thin.repeat_interleave(shape[1] // groups, 1)
        planes.append(thin.expand(shape[0], shape[1], *source.shape[2:]))
    source = replace(source, planes=tuple(planes))
    kernel, stride = list(weight.shape[2:]), _list(stride, axes)
    padding, dilation = _list(padding, axes), _list(dilation, axes)
    if not transposed:
        return _windows(source, kernel, stride, padding, dilation, shape)
    for number in range(axes):
        k, s, p, d = kernel[number], stride[number], padding[number], dilation[number]
        axis = number - axes
        reach = torch.arange(shape[axis], device="cpu").unsqueeze(1) + p
        reach = reach - d * torch.arange(k, device="cpu")
        # A tap between two places of the input takes nothing: repeat one that takes something.
        hit = reach % s == 0
        nearest = torch.where(hit, reach, reach.gather(1, hit.int().argmax(1, keepdim=True)))
        source = source.slid(axis, nearest.div(s, rounding_mode="floor"))
        source = source.paced(axis, 1 / s)
    return source


def _windows(
    source: Shadow,
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    shape: torch.Size,
) -> Shadow:
    for number, (k, s, p, d) in enumerate(zip(kernel, stride, padding, dilation, strict=True)):
        axis = number - len(kernel)
        if (k, s, p) != (1, 1, 0):
            start = torch.arange(shape[axis], device="cpu").unsqueeze(1) * s - p
            source = source.slid(axis, start + d * torch.arange(k, device="cpu"))
        source = source.paced(axis, s)
    return source


def _scaled(source: Shadow, axis: int, size: int, reach: tuple[int, ...]) -> Shadow:
    """A map scaled up or down by interpolation between `reach` neighbours."""
    old = source.shape[axis]
    if size == old:
        return source
    shift = 0.0 if reach == (0,) else 0.5
    places = [floor((i + shift) * old / size - shift) for i in range(size)]
    taps = torch.tensor([[min(max(p + r, 0), old - 1) for r in reach] for p in places])
    return source.slid(axis, taps).paced(axis, old / size)


def _multiplied(left: Shadow, right: Shadow, added: list[Shadow], shape: torch.Size) -> Shadow:
    """A matrix product: each element of the output takes a row and a column."""
    left, right = left.mixed([-1]), right.mixed([-2])
    varies = [
        any(thinned(plane).shape[axis] > 1 for plane in side.planes)
        for side, axis in ((left, -2), (right, -1))
    ]
    whole = cast(Any, tuple(map(max, left.whole, right.whole)))
    if all(varies):  # places against places: the weights of an attention
        return replace(Shadow.fixed(shape), whole=whole)
    product = left.joined(right, shape)
    for shadow in added:
        product = product.joined(shadow, shape)
    return product


def _whole(mixed: Shadow, source: Shadow, shape: torch.Size) -> Shadow:
    """A map pooled to another size: held fixed, as it no longer has the map's places."""
    whole = tuple(w or n > 1 for w, n in zip(mixed.whole, source.shape[-2:], strict=True))
    return replace(Shadow.fixed(shape), whole=cast(Any, whole))


def _unfolded(source: Shadow, args: tuple[Any, ...], shape: torch.Size) -> Shadow:
    """Windows laid out as columns: ``[batch, channels * kernel, windows]``."""
    taken = source.moved(lambda plane: aten.im2col(plane.double() - FIXED, *args[1:]).long())
    return taken.moved(lambda plane: plane + FIXED)


def _packets(*names: str) -> frozenset[Any]:
    return frozenset(getattr(aten, name) for name in names if hasattr(aten, name))


_MOVES = _packets(
    "permute", "transpose", "t", "slice", "select", "squeeze", "unsqueeze", "expand", "narrow",
    "split", "split_with_sizes", "chunk", "unbind", "unfold", "diagonal", "movedim", "swapaxes",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "repeat", "tile", "unsafe_split",
    "unsafe_split_with_sizes", "unsafe_chunk",
)  # fmt: skip
_ROLLS = _packets("roll", "flip")
_VIEWS = _packets("view", "_unsafe_view", "reshape", "_reshape_alias", "unflatten")
_POOLS = {
    getattr(aten, name): int(name[8])
    for name in ("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool1d", "avg_pool2d",
                 "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d")
}  # fmt: skip
_ADAPTIVE = {
    getattr(aten, name): axes
    for axes, names in {
        2: ("_adaptive_avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"),
        3: ("_adaptive_avg_pool3d", "adaptive_avg_pool3d", "adaptive_max_pool3d"),
    }.items()
    for name in names
}
_PADS = _packets(
    "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d",
    "replication_pad2d", "replication_pad3d",
)  # fmt: skip
_UPSAMPLES = {
    getattr(aten, name): reach
    for reach, names in {
        (0,): ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d",
               "_upsample_nearest_exact2d"),
        (0, 1): ("upsample_linear1d", "upsample_bilinear2d", "_upsample_bilinear2d_aa",
                 "upsample_trilinear3d"),
        (-1, 0, 1, 2): ("upsample_bicubic2d", "_upsample_bicubic2d_aa"),
    }.items()
    for name in names
}  # fmt: skip
_REDUCTIONS = _packets(
    "mean", "sum", "amax", "amin", "max", "min", "var", "std", "var_mean", "std_mean", "prod",
    "linalg_vector_norm", "norm", "logsumexp", "any", "all",
)  # fmt: skip
_ALONG = _packets(
    "_softmax", "_safe_softmax", "_log_softmax", "cumsum", "_fft_r2c", "_fft_c2c", "_fft_c2r",
)  # fmt: skip
_SECOND = _packets("norm", "linalg_vector_norm")
_PRODUCTS = _packets("mm", "addmm", "bmm", "baddbmm")
# These look up places that only the values tell: nothing is followed through them.
_UNPLACED = _packets(
    "index", "index_select", "gather", "embedding", "grid_sampler_2d", "topk", "sort", "argmax",
    "col2im", "scatter", "index_put", "index_put_", "as_strided",
)  # fmt: skip


def _list(value: Any, axes: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values if len(values) == axes else values * axes
