"""What each operator of PyTorch does to what a tensor's elements see.

Read from the top: one rule a kind of operator → the rules that take more than a line → the tables
of operators. An operator that stands in no table is not guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from lineage_lab.anatomy import places
from lineage_lab.anatomy.fields import FIXED, Shadow, positive, reshaped, shrunk, thinned

__all__ = ["is_free", "shadows"]

aten = torch.ops.aten


def shadows(
    func: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    shadow_of: Callable[[Tensor], Shadow],
    value_of: Callable[[Tensor], Tensor | None],
    outs: list[Tensor],
) -> list[Shadow] | None:
    """The outputs' shadows; none at all for an operator that makes new tensors.

    Args:
        func: The operator.
        args: Its arguments.
        kwargs: Its keyword arguments.
        shadow_of: The shadow of a tensor among them.
        value_of: The values of a tensor that the image does not enter, where they are known.
        outs: Its output tensors.

    Returns:
        A shadow an output; ``None`` where nobody can say what these see.
    """
    packet = _plain(func.overloadpacket)
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    sources = [shadow_of(tensor) for tensor in tensors]
    first = sources[0]
    shape = outs[0].shape if outs else torch.Size()
    if packet in _MAKERS:
        return []
    if 0 in first.shape and packet not in (aten.cat, aten.stack):
        return []  # nothing sees nothing
    if packet in _MOVES:
        planes = [
            [shrunk(moved) for moved in tree_flatten(func(plane.detach(), *args[1:], **kwargs))[0]]
            for plane in first.planes
        ]
        return [replace(first, planes=parts).measured() for parts in zip(*planes, strict=True)]
    if packet in _ROLLS:
        moved = first.moved(lambda plane: func(thinned(plane), *args[1:], **kwargs).expand(shape))
        return [moved]
    if packet in _CUTS:  # what is set to zero sees nothing
        return [first.moved(lambda plane: shrunk(func(plane - FIXED, *args[1:]) + FIXED))]
    if packet in _VIEWS:
        return [first.moved(lambda plane: shrunk(reshaped(plane, shape))).measured()]
    if packet in (aten.cat, aten.stack):
        return [_concatenated(sources, packet, args, kwargs, shape)]
    if packet is aten.convolution:
        if any(source.is_map or source.pairs for source in sources[1:]):
            return None  # kernels that differ from place to place
        return [_gated(_convolved(first, args, shape), sources[1:])]
    if packet in _POOLS:
        count = _POOLS[packet]
        kernel = _list(args[1], count)
        stride = _list(args[2], count) if len(args) > 2 and args[2] else kernel
        padding = _list(args[3], count) if len(args) > 3 else [0] * count
        dilated = "max" in packet.__name__ and len(args) > 4
        dilation = _list(args[4], count) if dilated else [1] * count
        return [_windows(first, kernel, stride, padding, dilation, shape)] * len(outs)
    if packet in _ADAPTIVE:
        return [_adaptive(first, _ADAPTIVE[packet], shape)] * len(outs)
    if packet in _PADS:
        pads = args[1]
        for number in range(len(pads) // 2):
            before, after = pads[2 * number : 2 * number + 2]
            size = first.shape[-1 - number]
            if before or after:
                taps = torch.arange(-before, size + after, device="cpu")
                if "replication" in packet.__name__:
                    taps = taps.clamp(0, size - 1)
                elif "reflection" in packet.__name__:
                    taps = (size - 1 - (size - 1 - taps.abs()).abs()).clamp(0, size - 1)
                first = first.slid(-1 - number, taps.unsqueeze(1))
        return [first]
    if packet in _UPSAMPLES:
        return [places.resized(first, func, args, shape)]
    if packet in _REDUCTIONS and not (len(args) > 1 and isinstance(args[1], Tensor)):
        at = _REDUCTIONS[packet]
        given = kwargs.get("dim", args[at] if len(args) > at else None)
        given = [given] if isinstance(given, int) else given
        # ``max()`` and ``sum()`` without axes take all of them.
        axes = list(given) if given else list(range(len(first.shape)))
        mixed = first.mixed(axes)
        gone = positive(axes, first)
        left = [n for axis, n in enumerate(first.shape) if axis not in gone]
        if len(shape) == len(left):
            mixed = mixed.moved(lambda plane: reshaped(plane, shape))
        return [mixed] * len(outs)
    if packet in _ALONG:
        at = _ALONG[packet]
        given = kwargs.get("dim", args[at] if len(args) > at else -1)
        axes = [given] if isinstance(given, int) else list(given)
        mixed = first.mixed(axes)
        return [mixed.moved(lambda plane: plane.expand(shape)) for _ in outs]
    if packet in _SCANS:
        axis = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        scanned = first.moved(lambda plane: shrunk(plane.cummin(axis).values))
        return [scanned] * len(outs)
    if packet in _PRODUCTS:
        return [_multiplied(sources[-2], sources[-1], sources[:-2], shape)]
    if rule := _RULES.get(packet):
        return rule(_Call(func, args, kwargs, sources, shadow_of, value_of, outs, shape))
    if packet in _NORMS:
        return [_gated(first, sources[1:]), *(Shadow.fixed(out.shape) for out in outs[1:])]
    if torch.Tag.pointwise in func.tags or packet in _POINTWISE:
        return _elementwise(sources, outs)
    return None


def is_free(func: Any) -> bool:
    """Whether an operator has no multiply-adds to count: it moves, pools, normalises, gates."""
    packet = _plain(func.overloadpacket)
    if packet in _COSTLY:
        return False
    tables: tuple[Any, ...] = (
        _MAKERS, _MOVES, _ROLLS, _CUTS, _VIEWS, _POOLS, _ADAPTIVE, _PADS, _UPSAMPLES,
        _REDUCTIONS, _ALONG, _SCANS, _RULES, _NORMS, _POINTWISE, _LOOKUPS,
        (aten.cat, aten.stack),
    )  # fmt: skip
    return torch.Tag.pointwise in func.tags or any(packet in table for table in tables)


def _plain(packet: Any) -> Any:
    """``relu`` for ``relu_``: who writes into its input sees what the other sees."""
    name = packet.__name__
    if name.endswith("_") and not name.endswith("__") and "aten." in str(packet):
        return getattr(aten, name[:-1], packet)
    return packet


@dataclass(frozen=True, slots=True)
class _Call:
    """An operator's call, as a rule that takes more than a line wants it."""

    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    sources: list[Shadow]
    shadow_of: Callable[[Tensor], Shadow]
    value_of: Callable[[Tensor], Tensor | None]
    outs: list[Tensor]
    shape: torch.Size

    def argument(self, at: int, name: str, default: Any = None) -> Any:
        """An argument by its place or by its name."""
        return self.args[at] if len(self.args) > at else self.kwargs.get(name, default)


def _gated(source: Shadow, gates: Sequence[Shadow]) -> Shadow:
    """What is scaled by something that sees no place of its own, but perhaps all of them."""
    whole = tuple(any(flags) for flags in zip(source.whole, *(g.whole for g in gates), strict=True))
    return replace(source, whole=cast(Any, whole))


def _elementwise(sources: list[Shadow], outs: list[Tensor]) -> list[Shadow] | None:
    """Each element comes from the same one of the inputs, which may be broadcast."""
    shape = outs[0].shape if outs else torch.Size()
    fitting = [s for s in sources if _broadcasts(s.shape, shape)]
    if len(fitting) < len(sources):
        return None
    joined = Shadow.fixed(shape)
    for source in fitting:
        joined = joined.joined(source, shape)
    return [joined] * len(outs)


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
        tuple(planes),
        cast(Any, tuple(map(max, strides))),
        cast(Any, tuple(map(any, whole))),
        any(source.pairs for source in sources),
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


def _multiplied(left: Shadow, right: Shadow, added: list[Shadow], shape: torch.Size) -> Shadow:
    """A matrix product: each element of the output takes a row and a column."""
    left, right = left.mixed([-1]), right.mixed([-2])
    varies = [
        any(thinned(plane).shape[axis] > 1 for plane in side.planes)
        for side, axis in ((left, -2), (right, -1))
    ]
    whole = cast(Any, tuple(map(max, left.whole, right.whole)))
    if all(varies):  # places against places: the weights of an attention
        return replace(Shadow.fixed(shape), whole=whole, pairs=True)
    product = replace(left.joined(right, shape), pairs=False)  # pairs of places were the weights
    for shadow in added:
        product = product.joined(shadow, shape)
    return product


def _adaptive(source: Shadow, axes: int, shape: torch.Size) -> Shadow:
    """A map pooled to a size: to one place, which is all of them, or by windows."""
    pooled = [axis for axis in range(-axes, 0) if shape[axis] == 1 < source.shape[axis]]
    source = source.mixed(pooled) if pooled else source
    for axis in range(-axes, 0):
        old, new = source.shape[axis], shape[axis]
        if new == old:
            continue
        ends = [(i * old // new, -(-(i + 1) * old // new)) for i in range(new)]
        most = max(end - start for start, end in ends)
        taps = [[min(start + k, end - 1) for k in range(most)] for start, end in ends]
        source = source.slid(axis, torch.tensor(taps, device="cpu")).paced(axis, old / new)
    return source


def _copied(call: _Call) -> list[Shadow]:
    """What was there before is gone."""
    return [Shadow.fixed(call.shape).joined(call.sources[1], call.shape)]


def _filled(call: _Call) -> list[Shadow]:
    return [Shadow.fixed(call.shape)]


def _chosen(call: _Call) -> list[Shadow] | None:
    """One of two, element by element; which one is known if the condition is."""
    condition = call.value_of(call.args[0])
    if condition is None or len(call.sources) < 3:
        return _elementwise(call.sources, call.outs)
    one, two = (s.joined(Shadow.fixed(call.shape), call.shape) for s in call.sources[1:])
    pairs = zip(one.planes, two.planes, strict=True)
    planes = tuple(shrunk(torch.where(condition, a, b).expand(call.shape)) for a, b in pairs)
    return [replace(one.joined(two, call.shape), planes=planes)]


def _masked(call: _Call) -> list[Shadow] | None:
    """Some elements become a number, which sees nothing."""
    mask = call.value_of(call.args[1])
    if mask is None or isinstance(call.args[2], Tensor):
        return _elementwise(call.sources, call.outs)
    return [call.sources[0].moved(lambda p: shrunk(torch.where(mask, FIXED, p)))]


def _halved(call: _Call) -> list[Shadow]:
    """A gated linear unit: one half of the axis scales the other."""
    axis = call.argument(1, "dim", -1)

    def halve(plane: Tensor) -> Tensor:
        one, two = plane.chunk(2, axis)
        return shrunk(torch.minimum(one, two))

    return [call.sources[0].moved(halve)]


def _by_index(call: _Call) -> list[Shadow] | None:
    indices = call.args[1]
    chosen = [call.shadow_of(index) for index in indices if index is not None]
    if any(index.is_map or index.unknown for index in chosen):
        return None
    found = places.indexed(
        call.sources[0], lambda p, i: aten.index(p, i), indices, call.value_of, call.shape
    )
    return None if found is None else [_gated(found, chosen)]


def _by_list(call: _Call) -> list[Shadow] | None:
    """``index_select`` and ``gather``: a list of places for one axis."""
    axis, index = call.args[1], call.args[2]
    chosen = call.shadow_of(index)
    if chosen.is_map:
        return None
    values = call.value_of(index)
    if _plain(call.func.overloadpacket) is aten.index_select:
        size = [1] * len(call.shape)
        if call.shape:
            size[axis] = -1
        values = None if values is None else values.view(size).expand(call.shape)
    found = places.gathered(call.sources[0], axis, values, call.shape)
    return None if found is None else [_gated(found, [chosen])]


def _taken(call: _Call) -> list[Shadow] | None:
    """Elements of a tensor that is taken for one long row."""
    index = call.value_of(call.args[1])
    if index is None:
        return None
    flat = call.sources[0].moved(lambda plane: plane.reshape(-1))
    found = places.gathered(flat, 0, index.reshape(-1), torch.Size([index.numel()]))
    return None if found is None else [found.moved(lambda p: shrunk(p.reshape(call.shape)))]


def _embedded(call: _Call) -> list[Shadow]:
    """A row of a table for each number."""
    numbers = call.shadow_of(call.args[1])
    return [numbers.moved(lambda plane: plane.unsqueeze(-1).expand(call.shape))]


def _put(call: _Call) -> list[Shadow] | None:
    """Elements laid to lists of places."""
    _, indices, added = call.args[:3]
    keep = bool(call.argument(3, "accumulate", False))
    values = [None if index is None else call.value_of(index) for index in indices]
    if any(v is None for v, i in zip(values, indices, strict=True) if i is not None):
        return None
    base, number = call.sources[0], call.shape.numel()
    target = aten.index(torch.arange(number, device="cpu").view(call.shape), values)
    laid = Shadow.fixed(target.shape).joined(call.shadow_of(added), target.shape)
    flat = [s.moved(lambda plane: plane.reshape(-1)) for s in (base, laid)]
    put = places.scattered(flat[0], flat[1], 0, target.flatten(), keep=keep)
    return [put.moved(lambda plane: shrunk(plane.view(call.shape)))]


def _scattered(call: _Call) -> list[Shadow] | None:
    """Elements laid to places of one axis, or added there."""
    base, axis, index, added = call.sources[0], *call.args[1:4]
    values = call.value_of(index)
    if values is None:
        return None
    name = call.func.overloadpacket.__name__
    laid = call.shadow_of(added) if isinstance(added, Tensor) else Shadow.fixed(torch.Size())
    if name.startswith("index"):  # a list of places, and whole slices
        size = [1] * len(call.shape)
        size[axis] = -1
        goal = list(call.shape)
        goal[axis] = len(values)
        values = values.view(size).expand(goal)
        laid = Shadow.fixed(torch.Size(goal)).joined(laid, torch.Size(goal))
    keep = "add" in name or "reduce" in name or bool(call.kwargs.get("reduce"))
    return [places.scattered(base, laid, axis, values, keep=keep)]


def _slice_set(call: _Call) -> list[Shadow]:
    """A slice of a tensor becomes another tensor."""
    base, added = call.sources[:2]
    planes = tuple(
        shrunk(call.func(one.contiguous(), two.contiguous(), *call.args[2:], **call.kwargs))
        for one, two in zip(base.planes, added.planes, strict=True)
    )
    return [replace(places.both(base, added), planes=planes)]


def _grid_sampled(call: _Call) -> list[Shadow] | None:
    grid = call.value_of(call.args[1])
    if grid is None:
        return None
    return [places.sampled(call.sources[0], grid, call.args, call.shape)]


def _unfolded(call: _Call) -> list[Shadow]:
    return [places.unfolded(call.sources[0], call.args)]


def _folded(call: _Call) -> list[Shadow]:
    return [places.folded(call.sources[0], call.args, call.shape)]


def _complex_viewed(call: _Call) -> list[Shadow]:
    if call.func.overloadpacket is aten.view_as_real:
        return [call.sources[0].moved(lambda plane: plane.unsqueeze(-1).expand(call.shape))]
    return [call.sources[0].moved(lambda plane: shrunk(plane.amin(-1)))]


def _matrix_vector(call: _Call) -> list[Shadow]:
    *added, matrix, vector = call.sources
    column = vector.moved(lambda plane: plane.unsqueeze(-1))
    shape = torch.Size([*call.shape, 1])
    added = [s.moved(lambda p: p.expand(call.shape).unsqueeze(-1)) for s in added]
    return [_multiplied(matrix, column, added, shape).moved(lambda plane: plane.squeeze(-1))]


def _dotted(call: _Call) -> list[Shadow]:
    one, two = (source.mixed([0]).moved(lambda p: p.squeeze(0)) for source in call.sources)
    return [one.joined(two, call.shape)]


def _outer(call: _Call) -> list[Shadow]:
    added, one, two = call.sources
    one = one.moved(lambda plane: plane.unsqueeze(-1))
    return [added.joined(one, call.shape).joined(two, call.shape)]


def _summed_product(call: _Call) -> list[Shadow]:
    added, one, two = call.sources
    shape = torch.Size([one.shape[0], *call.shape])
    product = _multiplied(one, two, [], shape).mixed([0]).moved(lambda plane: plane.squeeze(0))
    return [product.joined(added, call.shape)]


def _trilinear(call: _Call) -> list[Shadow]:
    wide = []
    for source, unsqueezed in zip(call.sources, call.args[3:6], strict=True):
        for axis in unsqueezed:
            source = source.moved(lambda plane, axis=axis: plane.unsqueeze(axis))  # type: ignore[misc]
        wide.append(source)
    goal = torch.broadcast_shapes(*(s.shape for s in wide))  # type: ignore[no-untyped-call]
    joined = Shadow.fixed(goal)
    for source in wide:
        joined = joined.joined(source, goal)
    mixed = joined.mixed(call.args[6])
    return [mixed.moved(lambda plane: reshaped(plane, call.shape))]


def _attended(call: _Call) -> list[Shadow]:
    """A fused attention: its weights are held fixed, the values that they mix are followed."""
    value = call.shadow_of(call.args[2]).mixed([-2])
    groups = call.shape[1] // max(value.shape[1], 1)
    if groups > 1:  # several heads of queries share one of values
        value = value.moved(lambda plane: plane.repeat_interleave(groups, 1))
    out = value.moved(lambda plane: plane.expand(call.shape))
    return [_gated(out, call.sources), *(Shadow.fixed(o.shape) for o in call.outs[1:])]


def _distances(call: _Call) -> list[Shadow]:
    left, right = call.sources
    return [_multiplied(left, right.moved(lambda plane: plane.transpose(-1, -2)), [], call.shape)]


def _packets(*names: str) -> frozenset[Any]:
    return frozenset(getattr(aten, name) for name in names if hasattr(aten, name))


_MOVES = _packets(
    "permute", "transpose", "t", "slice", "select", "squeeze", "unsqueeze", "expand", "narrow",
    "split", "split_with_sizes", "chunk", "unbind", "unfold", "diagonal", "movedim", "swapaxes",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "repeat", "tile", "unsafe_split",
    "unsafe_split_with_sizes", "unsafe_chunk",
)  # fmt: skip
_ROLLS = _packets("roll", "flip", "rot90")
_CUTS = _packets("tril", "triu")
_MAKERS = _packets(
    "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like",
    "randint_like", "new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros",
    "bernoulli", "normal", "uniform", "exponential", "random", "sym_size", "sym_numel",
    "affine_grid_generator",
)  # fmt: skip
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
    "reflection_pad3d", "replication_pad2d", "replication_pad3d",
)  # fmt: skip
_UPSAMPLES = _packets(
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "upsample_linear1d",
    "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
    "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "_upsample_lanczos2d_aa",
)  # fmt: skip
# Operator -> which argument holds its axes.
_REDUCTIONS = {
    **dict.fromkeys(_packets(
        "mean", "sum", "amax", "amin", "max", "min", "var", "std", "var_mean", "std_mean", "prod",
        "logsumexp", "any", "all", "argmax", "argmin", "median", "nanmedian", "nansum",
        "count_nonzero", "aminmax", "mode", "trace",
    ), 1),
    **dict.fromkeys(_packets("norm", "linalg_vector_norm", "kthvalue"), 2),
}  # fmt: skip
_ALONG = {
    **dict.fromkeys(_packets(
        "_softmax", "_safe_softmax", "_log_softmax", "sort", "argsort", "_fft_r2c", "_fft_c2c",
        "_fft_c2r",
    ), 1),
    **dict.fromkeys(_packets("topk"), 2),
}  # fmt: skip
_SCANS = _packets("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp")
_PRODUCTS = _packets("mm", "addmm", "bmm", "baddbmm", "_int_mm", "_addmm_activation")
_NORMS = _packets(
    "native_batch_norm",
    "native_layer_norm",
    "native_group_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update",
    "_batch_norm_no_update",
    "_fused_rms_norm",
)
_POINTWISE = _packets(
    "copy", "alias", "detach", "lift", "lift_fresh", "native_dropout", "_prelu_kernel",
    "threshold", "rrelu_with_noise", "complex", "polar", "log_sigmoid_forward", "bucketize",
    "fake_quantize_per_tensor_affine", "isin", "renorm", "_to_copy", "clone", "contiguous",
    "gelu", "hardswish", "mish", "masked_fill", "floor_divide", "copysign", "bitwise_not",
)  # fmt: skip
# Rules that take more than a line.
_RULES: dict[Any, Callable[[_Call], list[Shadow] | None]] = {
    getattr(aten, name): rule
    for rule, names in {
        _copied: ("copy",),
        _filled: ("fill", "zero"),
        _chosen: ("where",),
        _masked: ("masked_fill",),
        _halved: ("glu",),
        _by_index: ("index", "_unsafe_index"),
        _by_list: ("index_select", "gather"),
        _taken: ("take",),
        _embedded: ("embedding",),
        _put: ("index_put", "_unsafe_index_put"),
        _scattered: ("scatter", "scatter_add", "scatter_reduce", "index_copy", "index_add",
                     "index_fill"),
        _slice_set: ("slice_scatter", "select_scatter", "diagonal_scatter"),
        _grid_sampled: ("grid_sampler_2d", "grid_sampler_3d"),
        _unfolded: ("im2col",),
        _folded: ("col2im",),
        _complex_viewed: ("view_as_real", "view_as_complex"),
        _matrix_vector: ("mv", "addmv"),
        _dotted: ("dot", "vdot"),
        _outer: ("addr",),
        _summed_product: ("addbmm",),
        _trilinear: ("_trilinear",),
        _distances: ("_cdist_forward",),
        _attended: ("_scaled_dot_product_flash_attention",
                    "_scaled_dot_product_flash_attention_for_cpu",
                    "_scaled_dot_product_efficient_attention",
                    "_scaled_dot_product_cudnn_attention",
                    "_scaled_dot_product_fused_attention_overrideable"),
    }.items()
    for name in names
    if hasattr(aten, name)
}  # fmt: skip
# These pick elements by the image's own values. Where from, only the values tell.
_LOOKUPS = _packets(
    "max_unpool2d", "max_unpool3d", "masked_scatter", "masked_select", "fractional_max_pool2d",
    "fractional_max_pool3d", "as_strided", "repeat_interleave", "searchsorted",
)  # fmt: skip
# Work of another kind than multiply-adds of a convolution or of a matrix product.
_COSTLY = _packets("_fft_r2c", "_fft_c2c", "_fft_c2r", "_cdist_forward")


def _list(value: Any, axes: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values if len(values) == axes else values * axes
