"""Watching one forward pass: what each operator costs, and how the receptive field grows.

Beside each tensor of the forward pass goes a shadow: for each of its elements, the first and
the last row and column of the image that it can see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from lineage_lab.anatomy.fields import Field, Shadow
from lineage_lab.anatomy.operators import shadows

__all__ = ["Field", "Layer", "Probe", "QuickNorm"]

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of the layer table.

    Attributes:
        name: The module's path, such as ``stages.0.conv1``.
        kind: The module's class name.
        output_shape: Shape of one image's output, without the batch axis.
        parameters: Parameters that belong to this very module, not to its children.
        macs: Multiply-adds for one image.
        field: What one unit sees along the longer one of height and width; ``None`` where the
            output has no places, or each of them sees the whole image.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    field: Field | None

    @property
    def receptive_field(self) -> int | None:
        """Side in input pixels of what one unit sees; ``None`` as for `field`."""
        return self.field.size if self.field else None

    @property
    def stride(self) -> int | None:
        """Input pixels between two neighbouring units along that side; ``None`` likewise."""
        return self.field.stride if self.field else None


class QuickNorm(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A forward pass on the meta device without the arithmetic of its batch and layer norms.

    PyTorch works through it in Python there, eight times as long as all the rest of a ResNet's
    forward pass. Here they give the shapes alone: of the output, and of the mean and the
    deviation that the backward pass wants.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is aten.native_batch_norm.default and args[0].is_meta:
            image: Tensor = args[0]
            kept = (image.shape[1] if args[5] else 0,)  # nothing but in training
        elif func is aten.native_layer_norm.default and args[0].is_meta:
            image, over = args[0], len(args[1])
            kept = (*image.shape[:-over], *(1,) * over)
        else:
            return func(*args, **(kwargs or {}))
        exact = torch.promote_types(image.dtype, torch.float32)  # not left in half precision
        mean, deviation = (image.new_empty(kept, dtype=exact) for _ in range(2))
        return torch.empty_like(image), mean, deviation


class Probe(QuickNorm):  # type: ignore[no-untyped-call]
    """Watches the operators of one forward pass: counts MACs, follows the receptive field."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[Layer] = []
        self.macs = 0
        self.activations = 0
        self.fields: tuple[Field, Field] | None = None  # rows and columns of the last map
        self._macs = [0]  # one counter for each module that is running, the outermost first
        # Tensors are held so that no id is given out twice; on the meta device they are empty.
        self._seen: dict[int, tuple[Tensor, Shadow]] = {}
        self._maps: dict[int, Shadow] = {}  # by their layer's number
        self._last: Shadow | None = None

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hooks that tell which module is running."""
        with ExitStack() as stack:
            for name, module in model.named_modules():
                if isinstance(module, torch.jit.ScriptModule):
                    continue  # takes no hooks: its layers count as its parent's
                stack.enter_context(_removing(module.register_forward_pre_hook(self._enter)))
                leave = self._leaving(name)
                stack.enter_context(_removing(module.register_forward_hook(leave)))
            yield
        # Only now: while the probe watches, it would watch these sums too.
        self.fields = None if self._last is None else self._last.fields()
        for number, shadow in self._maps.items():
            if not shadow.is_map:
                continue
            field = max(shadow.fields(), key=lambda field: field.size)
            self.layers[number] = replace(self.layers[number], field=field)

    def start(self, image: Tensor) -> None:
        """Each pixel of this image sees itself."""
        self._seen[id(image)] = image, Shadow.of_image(image.shape)

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._macs.append(0)

    def _leaving(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            counted = self._macs.pop()
            output = next((t for t in tree_flatten(output)[0] if isinstance(t, Tensor)), None)
            if output is None:
                self._macs[-1] += counted
                return
            if count := getattr(module, "count_macs", None):
                self.macs -= counted
                counted = int(count(output.shape[1:]))
                self.macs += counted
            own = sum(p.numel() for p in module.parameters(recurse=False))
            is_layer = next(module.children(), None) is None or own or counted
            if not is_layer or isinstance(module, nn.Identity):
                return
            _, shadow = self._seen.get(id(output), (None, None))
            if shadow is not None and output.dim() > 2:
                self._maps[len(self.layers)] = shadow
            self.layers.append(
                Layer(
                    name=name or type(module).__name__,
                    kind=type(module).__name__,
                    output_shape=tuple(output.shape[1:]),
                    parameters=own,
                    macs=counted,
                    field=None,
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
        kwargs = kwargs or {}
        given = tree_flatten((args, kwargs))[0]
        tensors = [leaf for leaf in given if isinstance(leaf, Tensor)]
        if any(t.is_meta for t in tensors) and not all(t.is_meta for t in tensors):
            # A constant that the network keeps outside of its parameters and buffers.
            args, kwargs = tree_map_only(Tensor, lambda t: t.to("meta"), (args, kwargs))
        out = super().__torch_dispatch__(func, types, args, kwargs)
        outs = [leaf for leaf in tree_flatten(out)[0] if isinstance(leaf, Tensor)]
        packet = func.overloadpacket
        if outs and (macs := _macs(packet, args, outs[0])):
            self.macs += macs
            self._macs[-1] += macs
            self.activations += outs[0].numel()
        if any(id(t) in self._seen for t in tensors):
            self._follow(func, args, kwargs, tensors, outs)
        return out

    def _follow(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[Tensor],
        outs: list[Tensor],
    ) -> None:
        """Carries what is seen from an operator's inputs to its outputs."""

        def shadow_of(tensor: Tensor) -> Shadow:
            found = self._seen.get(id(tensor))
            return Shadow.fixed(tensor.shape) if found is None else found[1]

        packet = func.overloadpacket
        sources = [shadow_of(tensor) for tensor in tensors]
        for out, shadow in zip(outs, shadows(func, args, kwargs, sources, outs), strict=False):
            assert shadow.shape == out.shape, (packet, shadow.shape, out.shape)
            self._seen[id(out)] = out, shadow
            if out.dim() > 2 and shadow.is_map:
                self._last = shadow


@contextmanager
def _removing(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


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
