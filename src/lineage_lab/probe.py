"""Watching one forward pass: what each operator costs, and how the receptive field grows.

Neighbours: `lineage_lab.anatomy.describe` is the one user; it gives the image and the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Field", "Layer", "Probe"]

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Field:
    """The part of the input that one unit of a feature map can see, along one axis.

    For the unit at index ``i`` it is the pixels from ``left + i * stride`` to
    ``right + i * stride``, both included. A negative ``left`` lies in the padding.

    Attributes:
        left: First pixel that the unit at index 0 sees.
        right: Last pixel that the unit at index 0 sees.
        stride: Distance in input pixels between two neighbouring units.
        whole: The unit also depends on the whole image, through a gate that was pooled
            from all of it (squeeze-and-excitation) or through a global pooling.
    """

    left: int = 0
    right: int = 0
    stride: int = 1
    whole: bool = False

    @property
    def size(self) -> int:
        """Width of the field in input pixels."""
        return self.right - self.left + 1

    def slide(self, *, kernel: int, stride: int, padding: int, dilation: int = 1) -> Field:
        """The field after a window (convolution or pooling) has passed over this map."""
        reach = dilation * (kernel - 1)
        return Field(
            left=self.left - padding * self.stride,
            right=self.right + (reach - padding) * self.stride,
            stride=self.stride * stride,
            whole=self.whole,
        )

    def join(self, other: Field) -> Field:
        """The field of a unit that takes both: what either sees."""
        return Field(
            left=min(self.left, other.left),
            right=max(self.right, other.right),
            stride=max(self.stride, other.stride),
            whole=self.whole or other.whole,
        )


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of the layer table.

    Attributes:
        name: The module's path, such as ``stages.0.conv1``.
        kind: The module's class name.
        output_shape: Shape of one image's output, without the batch axis.
        parameters: Parameters that belong to this very module, not to its children.
        macs: Multiply-adds for one image.
        receptive_field: Width in input pixels of what one unit sees, ``None`` where the
            output is no feature map or sees the whole image by construction.
        stride: Input pixels between two neighbouring units, ``None`` likewise.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    receptive_field: int | None
    stride: int | None


class Probe(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches the operators of one forward pass: counts MACs, follows the receptive field."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[Layer] = []
        self.activations = 0
        self.last: Field | None = None
        self.attends = False  # each place has looked at all others
        self._positions = 0  # of the last feature map
        self._macs = [0]  # one counter for each module that is running, the outermost first
        # Tensors are held so that no id is given out twice; on the meta device they are empty.
        self._fields: dict[int, _Seen] = {}

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hooks that tell which module is running."""
        with ExitStack() as stack:
            for name, module in model.named_modules():
                stack.enter_context(_removing(module.register_forward_pre_hook(self._enter)))
                leave = self._leaving(name)
                stack.enter_context(_removing(module.register_forward_hook(leave)))
            yield

    def start(self, image: Tensor) -> None:
        """Each pixel of this image sees itself."""
        self.mark(_Seen(image, Field(), Field()))

    def mark(self, seen: _Seen) -> None:
        """Remembers what a tensor's units see."""
        self._fields[id(seen.tensor)] = seen

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._macs.append(0)

    def _leaving(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            counted = self._macs.pop()
            if not isinstance(output, Tensor):
                self._macs[-1] += counted
                return
            if count := getattr(module, "count_macs", None):
                counted = int(count(output.shape[1:]))
            own = sum(p.numel() for p in module.parameters(recurse=False))
            is_layer = next(module.children(), None) is None or own or counted
            if not is_layer or isinstance(module, nn.Identity):
                return
            seen = self._fields.get(id(output))
            local = seen is not None and output.dim() == 4 and not seen.is_pooled_point
            self.layers.append(
                Layer(
                    name=name or type(module).__name__,
                    kind=type(module).__name__,
                    output_shape=tuple(output.shape[1:]),
                    parameters=own,
                    macs=counted,
                    receptive_field=seen.columns.size if local and seen else None,
                    stride=seen.columns.stride if local and seen else None,
                )
            )

        return leave

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor):
            macs = _macs(func.overloadpacket, args, out)
            if macs:
                self._macs[-1] += macs
                self.activations += out.numel()
            self._follow(func.overloadpacket, args, out)
            if func.overloadpacket in _SOFTMAX and out.dim() > 2:
                # Attention over all places, not over windows or channels of the map.
                self.attends |= out.shape[-1] >= self._positions > 1
        elif isinstance(out, (tuple, list)) and out and isinstance(out[0], Tensor):
            for part in out if func.overloadpacket in _SPLITS else out[:1]:
                self._follow(func.overloadpacket, args, part)
        return out

    def _follow(self, packet: Any, args: tuple[Any, ...], out: Tensor) -> None:
        """Carries the receptive field from an operator's inputs to its output."""
        sources = [self._fields[id(t)] for t in _tensors(args) if id(t) in self._fields]
        if not sources:
            return
        first = sources[0]
        layout = _layout(packet, args, first, out)
        if layout is None:
            return
        rows, columns = first.rows, first.columns
        if (window := _window(packet, args)) is not None:
            rows, columns = (
                field.slide(kernel=k, stride=s, padding=p, dilation=d)
                for field, k, s, p, d in zip((rows, columns), *window, strict=True)
            )
        elif packet in _GLOBAL:
            if out.shape[-2:] != (1, 1):
                return
            rows, columns = replace(rows, whole=True), replace(columns, whole=True)
        elif maps := [source for source in sources if not source.is_pooled_point]:
            # A gate is one point pooled from the whole image: the map that it multiplies
            # keeps its own field, and is marked as seeing the whole image too.
            gated = len(maps) < len(sources)
            rows, columns = maps[0].rows, maps[0].columns
            for other in maps[1:]:
                rows, columns = rows.join(other.rows), columns.join(other.columns)
            if gated:
                rows, columns = replace(rows, whole=True), replace(columns, whole=True)
        seen = _Seen(out, rows, columns, channels_last=layout)
        self.mark(seen)
        if not seen.is_pooled_point:
            self.last = columns
            self._positions = prod(out.shape[1:-1] if layout else out.shape[-2:])


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tensor of the forward pass, and what one of its units sees of the input."""

    tensor: Tensor
    rows: Field
    columns: Field
    channels_last: bool = False  # [batch, height, width, channels] or [positions, channels]

    @property
    def is_pooled_point(self) -> bool:
        """Whether this is one point that was pooled from the whole image."""
        shape = self.tensor.shape
        places = shape[:-1] if self.channels_last else shape[-2:]
        return self.columns.whole and prod(places) == 1


def _layout(packet: Any, args: tuple[Any, ...], source: _Seen, out: Tensor) -> bool | None:
    """Whether the output's channels come last; ``None`` where places are lost or mixed."""
    if packet is aten.permute:
        order = [axis % len(args[1]) for axis in args[1]]
        last = {(0, 2, 3, 1): True, (0, 3, 1, 2): False}
        return last.get(tuple(order))
    if packet in _VIEWS:
        kept = source.channels_last and out.shape[-1] == source.tensor.shape[-1]
        return True if kept else None
    if packet in _PRODUCTS:
        return True if source.channels_last else None
    if out.dim() == 4 or source.channels_last:
        return source.channels_last
    return None


@contextmanager
def _removing(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


def _tensors(args: Sequence[Any]) -> Iterator[Tensor]:
    for arg in args:
        if isinstance(arg, Tensor):
            yield arg
        elif isinstance(arg, (list, tuple)):
            yield from _tensors(arg)


_SOFTMAX = frozenset({aten._softmax, aten._safe_softmax})
_GLOBAL = frozenset({aten.mean, aten._adaptive_avg_pool2d, aten.adaptive_avg_pool2d, aten.sum})
_SPLITS = frozenset({aten.split, aten.split_with_sizes, aten.chunk, aten.unbind})
_VIEWS = frozenset({aten.view, aten._unsafe_view, aten.reshape, aten._reshape_alias})
_PRODUCTS = frozenset({aten.mm, aten.addmm, aten.bmm, aten.baddbmm})
_POOLS = frozenset({aten.max_pool2d_with_indices, aten.avg_pool2d, aten.max_pool2d})

Pair = tuple[int, int]


def _window(packet: Any, args: tuple[Any, ...]) -> tuple[Pair, Pair, Pair, Pair] | None:
    """Kernel, stride, padding and dilation of an operator that slides a window."""
    if packet is aten.convolution:
        kernel = args[1].shape[-2:]
        return _pair(kernel), _pair(args[3]), _pair(args[4]), _pair(args[5])
    if packet in _POOLS:
        kernel = _pair(args[1])
        stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
        padding = _pair(args[3]) if len(args) > 3 else (0, 0)
        dilated = packet is not aten.avg_pool2d and len(args) > 4
        return kernel, stride, padding, _pair(args[4]) if dilated else (1, 1)
    if packet is aten.constant_pad_nd and len(args[1]) == 4:
        left, _, top, _ = args[1]
        return (1, 1), (1, 1), (top, left), (1, 1)
    return None


def _pair(value: Any) -> Pair:
    values = (value, value) if isinstance(value, int) else tuple(value)
    return cast(Pair, values if len(values) == 2 else values * 2)


def _macs(packet: Any, args: tuple[Any, ...], out: Tensor) -> int:
    """Multiply-adds of one operator call."""
    if packet is aten.convolution:
        weight: Tensor = args[1]
        transposed = args[6]
        # A weight is [out, in / groups, …]; transposed it is [in, out / groups, …].
        positions = args[0].numel() if transposed else out.numel()
        return positions * prod(weight.shape[1:])
    if packet in (aten.mm, aten.bmm):
        return out.numel() * int(args[0].shape[-1])
    if packet in (aten.addmm, aten.baddbmm):
        return out.numel() * int(args[1].shape[-1])
    return 0
