"""Watching one forward pass: what each operator costs, and how the receptive field grows.

Beside each tensor of the forward pass goes a shadow: for each of its elements, the first and
the last row and column of the image that it can see.

Two tensors can share their memory: what is written into a slice is seen by the whole. From the
first such writing on, the shadow of that memory is laid out in full, and read from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from lineage_lab.anatomy.costs import operator_macs
from lineage_lab.anatomy.fields import Field, Shadow, shrunk, thinned
from lineage_lab.anatomy.operators import is_free, shadows
from lineage_lab.anatomy.values import Values

__all__ = ["Field", "Layer", "Probe", "QuickNorm"]

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Layer:
    """One row of the layer table.

    Attributes:
        name: The module's path, such as ``stages.0.conv1``.
        kind: The module's class name.
        output_shape: Shape of one image's output, without the batch axis.
        parameters: Parameters that belong to this very module, not to its children, unless it
            takes these without running them. What an earlier row has counted, as layers may
            share it, is not counted again.
        macs: Multiply-adds for one image, of the operators that can be counted.
        field: What one unit sees along the longer one of height and width; ``None`` where the
            output has no places, or each of them sees the whole image, or it is unknown.
        not_counted: Operators of this layer whose work is not in `macs`, by name.
        unknown_after: The operator after which nobody can say what a unit sees; empty if it is
            known.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    macs: int
    field: Field | None
    not_counted: tuple[str, ...] = ()
    unknown_after: str = ""

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
            sizes = (image.shape[1] if args[5] else 0,)  # nothing but in training
        elif func is aten.native_layer_norm.default and args[0].is_meta:
            image, over = args[0], len(args[1])
            sizes = (*image.shape[:-over], *(1,) * over)
        else:
            return func(*args, **(kwargs or {}))
        exact = torch.promote_types(image.dtype, torch.float32)  # not left in half precision
        mean, deviation = (image.new_empty(sizes, dtype=exact) for _ in range(2))
        return torch.empty_like(image), mean, deviation


class Probe(QuickNorm):  # type: ignore[no-untyped-call]
    """Watches the operators of one forward pass: counts MACs, follows the receptive field."""

    def __init__(self, *, lifted: bool = False) -> None:
        """Lifted, constants made on the CPU go to the meta device as well."""
        super().__init__()
        self.layers: list[Layer] = []
        self.macs = 0
        self.activations = 0
        self.fields: tuple[Field, Field] | None = None  # rows and columns of the last map
        self.unknown_after = ""
        self.not_counted: dict[str, tuple[int, str]] = {}  # operator -> calls, module of the first
        self.unread: dict[int, str] = {}  # names of the parameters that no operator has taken
        self.values = Values()
        self._readers: dict[int, tuple[int, str]] = {}  # size, and the module that took it first
        self._lifted = lifted
        self._image = (0, 0)
        self._names = [""]  # the modules that are running, the outermost first
        self._macs = [0]  # a counter for each of them
        self._missed: list[Counter[str]] = [Counter()]  # what could not be counted in each
        self._owned: set[int] = set()  # parameters that a row has
        # Tensors are held so that no id is given out twice; on the meta device they are empty.
        self._seen: dict[int, tuple[Tensor, Shadow, int]] = {}  # with the time of its shadow
        self._memory: dict[int, list[int]] = {}  # storage -> the seen tensors that lie in it
        self._written: dict[int, tuple[Tensor, Shadow, int]] = {}  # storage -> its whole shadow
        self._time = 0
        self._maps: dict[int, Shadow] = {}  # by their layer's number
        self.last: Shadow | None = None  # of the last map

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hooks that tell which module is running."""
        with ExitStack() as stack:
            for name, module in model.named_modules():
                if isinstance(module, torch.jit.ScriptModule):
                    continue  # takes no hooks: its layers count as its parent's
                enter = self._entering(name or type(module).__name__)
                stack.enter_context(_removing(module.register_forward_pre_hook(enter)))
                leave = self._leaving(name)
                stack.enter_context(_removing(module.register_forward_hook(leave)))
            yield
        # Some modules never run: an attention takes the weights of its last layer by itself.
        rows = {layer.name: number for number, layer in enumerate(self.layers)}
        for key, (size, reader) in self._readers.items():
            if key not in self._owned and reader in rows:
                row = self.layers[rows[reader]]
                self.layers[rows[reader]] = replace(row, parameters=row.parameters + size)
        # Only now: while the probe watches, it would watch these sums too.
        if self.last is not None:
            self.unknown_after = self.last.unknown
            self.fields = None if self.unknown_after else self.last.fields(self._image)
        for number, shadow in self._maps.items():
            layer = self.layers[number]
            if shadow.unknown:
                self.layers[number] = replace(layer, unknown_after=shadow.unknown)
            elif shadow.is_map:
                field = max(shadow.fields(self._image), key=lambda field: field.size)
                self.layers[number] = replace(layer, field=field)

    def start(
        self,
        image: Tensor,
        state: Mapping[str, Tensor] | None = None,
        real: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Each pixel of this image sees itself.

        Args:
            image: One image on the meta device.
            state: The network's parameters and buffers, on the meta device.
            real: The same with their values.
        """
        self._image = image.shape[-2] if image.dim() > 3 else 1, image.shape[-1]
        self._see(image, Shadow.of_image(image.shape))
        if state is not None and real is not None:
            self.values.start(state, real)
            self.unread = {
                id(t): name for name, t in state.items() if isinstance(real[name], nn.Parameter)
            }

    def _entering(self, name: str) -> Callable[[nn.Module, Any], None]:
        def enter(module: nn.Module, inputs: Any) -> None:
            self._macs.append(0)
            self._missed.append(Counter())
            self._names.append(name)

        return enter

    def _leaving(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            counted, missed = self._macs.pop(), self._missed.pop()
            self._names.pop()
            output = next((t for t in tree_flatten(output)[0] if isinstance(t, Tensor)), None)
            if output is None:
                self._macs[-1] += counted
                self._missed[-1] += missed
                return
            if count := getattr(module, "count_macs", None):
                self.macs -= counted
                counted = int(count(output.shape[1:]))
                self.macs += counted
            parameters = {id(p): p.numel() for p in module.parameters(recurse=False)}
            is_layer = next(module.children(), None) is None or parameters or counted or missed
            if not is_layer or isinstance(module, nn.Identity):
                return
            own = sum(number for key, number in parameters.items() if key not in self._owned)
            self._owned |= set(parameters)
            shadow = self._shadow_of(output) if self._sees(output) else None
            if shadow is not None and output.dim() > 2:
                self._maps[len(self.layers)] = shadow
                acts = parameters or counted or missed or _is_square(output)
                if acts and _has_places(output) and not shadow.is_map:
                    self.last = _beyond_places(shadow, name) or self.last
            self.layers.append(
                Layer(
                    name=name or type(module).__name__,
                    kind=type(module).__name__,
                    output_shape=tuple(output.shape[1:]),
                    parameters=own,
                    macs=counted,
                    field=None,
                    not_counted=tuple(missed),
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
        if func is aten._local_scalar_dense.default and args[0].is_meta:
            known = self.values.of(args[0])
            if known is not None:
                return known.item()
        meta_args, meta_kwargs = args, kwargs
        if any(t.is_meta for t in tensors) and not all(t.is_meta for t in tensors):
            # A constant that the network keeps outside of its parameters and buffers.
            meta_args, meta_kwargs = tree_map_only(Tensor, lambda t: t.to("meta"), (args, kwargs))
        out = super().__torch_dispatch__(func, types, meta_args, meta_kwargs)
        if self._lifted:
            out = tree_map_only(Tensor, self._lift, out)
        outs = [leaf for leaf in tree_flatten(out)[0] if isinstance(leaf, Tensor)]
        for tensor in tensors:
            if self.unread.pop(id(tensor), None):
                self._readers[id(tensor)] = tensor.numel(), self._names[-1]
        self._count(func, args, outs)
        if any(self._sees(tensor) for tensor in tensors):
            self._follow(func, args, kwargs, tensors, outs)
        self.values.follow(func, args, kwargs, tensors, outs)
        return out

    def _lift(self, tensor: Tensor) -> Tensor:
        if tensor.is_meta:
            return tensor
        lifted = tensor.to("meta")
        self.values.note(lifted, tensor)
        return lifted

    def _count(self, func: Any, args: tuple[Any, ...], outs: list[Tensor]) -> None:
        """Adds an operator's work to the module that is running, or notes that it can't."""
        if not outs:
            return
        macs = operator_macs(func.overloadpacket, args, outs)
        if macs:
            self.macs += macs
            self._macs[-1] += macs
            self.activations += outs[0].numel()
        elif macs is None and not is_free(func) and _tensors(args):
            name = func.name().partition(".")[0]
            calls, first = self.not_counted.get(name, (0, self._names[-1]))
            self.not_counted[name] = calls + 1, first
            self._missed[-1][name] += 1

    def _follow(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[Tensor],
        outs: list[Tensor],
    ) -> None:
        """Carries what is seen from an operator's inputs to its outputs."""
        sources = [self._shadow_of(tensor) for tensor in tensors]
        why = next((source.unknown for source in sources if source.unknown), "")
        known = None
        if not why:
            known = shadows(func, args, kwargs, self._shadow_of, self._value_of, outs)
            if known is None and not any(source.is_map or source.pairs for source in sources):
                whole = tuple(any(flags) for flags in zip(*(s.whole for s in sources), strict=True))
                known = [replace(Shadow.fixed(o.shape), whole=whole) for o in outs]  # type: ignore[arg-type]
        if known is None:
            why = why or f"{func.name().partition('.')[0]} in {self._names[-1]}"
            known = [Shadow.lost(out.shape, why) for out in outs]
        written = _written(func, args)
        for out, shadow in zip(outs, known, strict=False):
            assert shadow.shape == out.shape, (func, shadow.shape, out.shape)
            if any(out is tensor for tensor in written):
                self._write(out, shadow)
            else:
                self._see(out, shadow)
            if out.dim() > 2 and (shadow.is_map or (shadow.unknown and _has_places(out))):
                self.last = shadow

    def _value_of(self, tensor: Tensor) -> Tensor | None:
        """The values of a tensor that the image does not enter."""
        return None if self._sees(tensor) else self.values.of(tensor)

    def _sees(self, tensor: Tensor) -> bool:
        if id(tensor) in self._seen:
            return True
        return bool(self._written) and tensor.untyped_storage()._cdata in self._written

    def _shadow_of(self, tensor: Tensor) -> Shadow:
        seen = self._seen.get(id(tensor))
        memory = self._written.get(tensor.untyped_storage()._cdata) if self._written else None
        if memory is not None and (seen is None or seen[2] < memory[2]):
            shadow = _part(memory[1], tensor)
            self._see(tensor, shadow)
            return shadow
        return Shadow.fixed(tensor.shape) if seen is None else seen[1]

    def _see(self, tensor: Tensor, shadow: Shadow) -> None:
        self._time += 1
        if id(tensor) not in self._seen:
            storage = tensor.untyped_storage()._cdata
            self._memory.setdefault(storage, []).append(id(tensor))
        self._seen[id(tensor)] = tensor, shadow, self._time

    def _write(self, tensor: Tensor, shadow: Shadow) -> None:
        """What was written into a tensor is seen by all that share its memory."""
        storage = tensor.untyped_storage()._cdata
        if id(tensor) in self._seen and _same(self._shadow_of(tensor), shadow):
            self._see(tensor, shadow)
            return
        others = [key for key in self._memory.get(storage, []) if key != id(tensor)]
        whole = tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
        if whole and not others and id(tensor) in self._seen and storage not in self._written:
            self._see(tensor, shadow)
            return
        number = tensor.untyped_storage().nbytes() // tensor.element_size()
        memory = self._written.get(storage)
        if memory is None:
            laid = Shadow.fixed(torch.Size([number]))
            for key in others:
                other, its, _ = self._seen[key]
                laid = _laid(laid, other, its)
        else:
            laid = memory[1]
        if id(tensor) in self._seen and memory is None:
            laid = _laid(laid, tensor, self._seen[id(tensor)][1])
        laid = _laid(laid, tensor, shadow)
        self._time += 1
        self._written[storage] = tensor, laid, self._time
        self._see(tensor, shadow)


def _tensors(args: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(args)[0] if isinstance(leaf, Tensor)]


def _written(func: Any, args: tuple[Any, ...]) -> list[Tensor]:
    """The tensors that an operator writes into."""
    return [
        value
        for argument, value in zip(func._schema.arguments, args, strict=False)
        if argument.alias_info is not None
        and argument.alias_info.is_write
        and isinstance(value, Tensor)
    ]


def _same(one: Shadow, two: Shadow) -> bool:
    if replace(one, planes=()) != replace(two, planes=()):
        return False
    pairs = zip(map(thinned, one.planes), map(thinned, two.planes), strict=True)
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs)


def _laid(memory: Shadow, tensor: Tensor, shadow: Shadow) -> Shadow:
    """The shadow of a piece of memory, after a tensor that lies in it was written."""
    planes = []
    for plane, part in zip(memory.planes, shadow.planes, strict=True):
        plane = plane.clone(memory_format=torch.contiguous_format)
        plane.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset()).copy_(part)
        planes.append(plane)
    return Shadow(
        tuple(planes),
        (max(memory.strides[0], shadow.strides[0]), max(memory.strides[1], shadow.strides[1])),
        (memory.whole[0] or shadow.whole[0], memory.whole[1] or shadow.whole[1]),
        memory.pairs or shadow.pairs,
        memory.unknown or shadow.unknown,
    )


def _part(memory: Shadow, tensor: Tensor) -> Shadow:
    """What a tensor sees, read from the memory in which it lies."""
    if tensor.numel() and memory.shape[0] * tensor.element_size() != (
        tensor.untyped_storage().nbytes()
    ):
        return Shadow.lost(tensor.shape, "a view as another type")
    lies = tensor.shape, tensor.stride(), tensor.storage_offset()
    return memory.moved(lambda plane: shrunk(plane.as_strided(*lies).contiguous())).measured()


def _has_places(output: Tensor) -> bool:
    """Whether it has more than one unit a channel: two of its axes are longer than 1."""
    return sum(size > 1 for size in output.shape[1:]) > 1


def _is_square(output: Tensor) -> bool:
    """Whether it is a map of several rows and columns, whatever the layer does."""
    return output.dim() > 3 and min(output.shape[-2:]) > 1


def _beyond_places(shadow: Shadow, name: str) -> Shadow | None:
    """A layer's output of which no unit sees a part of its own: all see everything, or pairs."""
    if shadow.unknown or all(shadow.whole):
        return shadow
    if shadow.pairs:
        return Shadow.lost(shadow.shape, f"pairs of places in {name}")
    return None


@contextmanager
def _removing(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
