"""Runs a block and notes, for each expression of its source, what it put out and what it cost.

Every operator that runs is laid to the expression that was running in the block's own source:
Python keeps the columns of each call. Where a block is a plain `torch.nn.Sequential`, the source
is the function that built it, and a layer's operators are laid to the expression that made the
layer.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice, takewhile
from types import FrameType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_flatten

from lineage_lab.anatomy.forward import Probe

__all__ = ["KINDS", "Part", "Place", "Step", "made", "source", "walk"]

aten = torch.ops.aten

# A place in a source: line from 0, first and last column.
Place = tuple[int, int, int]

# Operators, without the underscore of those that work in place -> what the page calls them.
KINDS = {
    **dict.fromkeys(("native_batch_norm", "cudnn_batch_norm"), "batch norm"),
    **dict.fromkeys(("_softmax", "_safe_softmax"), "softmax"),
    **dict.fromkeys(("mean", "_adaptive_avg_pool2d"), "mean"),
    **dict.fromkeys(("rsqrt", "sqrt"), "root"),
    "_native_batch_norm_legit_no_training": "batch norm",
    "native_layer_norm": "layer norm",
    "relu": "ReLU",
    "silu": "SiLU",
    "gelu": "GELU",
    "sigmoid": "sigmoid",
    "max_pool2d_with_indices": "max pooling",
    "add": "sum",
    "mul": "product",
    "pow": "square",
    "cat": "concatenation",
}
MOVES = "new form"  # a tensor in another form: nothing is computed


@dataclass
class Part:
    """Operators of one kind within a step.

    Attributes:
        kind: What they do, in words.
        shape: Of what the last one puts out, the batch of one included.
        parameters: That they are the first to use.
        macs: Multiply-adds.
        activations: Elements put out by convolutions and matrix products.
    """

    kind: str
    shape: tuple[int, ...]
    parameters: int = 0
    macs: int = 0
    activations: int = 0

    @property
    def costs(self) -> bool:
        """Whether there is a number to tell of it."""
        return bool(self.parameters or self.macs)


@dataclass
class Step:
    """What ran at one expression, at one time.

    Attributes:
        place: Where the expression stands in the source.
        module: The block's own module that was running, such as ``branch_3x3``; or nothing.
        shape: Of what it gives, the batch of one included.
        parts: The operators, by kind, in their order.
    """

    place: Place
    module: str = ""
    shape: tuple[int, ...] = ()
    parts: list[Part] = field(default_factory=list)

    def total(self, quantity: str) -> int:
        """Parameters, MACs or activations of all parts."""
        return sum(int(getattr(part, quantity)) for part in self.parts)


@cache
def source(function: Callable[..., Any]) -> tuple[list[str], int]:
    """A function's source, dedented, and how many columns were taken away."""
    lines = inspect.getsource(inspect.unwrap(function)).rstrip("\n").split("\n")
    indent = len(lines[0]) - len(lines[0].lstrip())
    return [line[indent:] for line in lines], indent


@cache
def _code(function: Callable[..., Any]) -> tuple[str, int, int]:
    """File, first line and last line of a function."""
    plain = inspect.unwrap(function)
    lines, first = inspect.getsourcelines(plain)
    return plain.__code__.co_filename, first, first + len(lines) - 1


def _running(function: Callable[..., Any]) -> Place | None:
    """The expression of a function's source that is running now."""
    name, first, last = _code(function)
    lines, indent = source(function)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_filename == name and first <= frame.f_lineno <= last:
            positions = islice(code.co_positions(), frame.f_lasti // 2, None)
            line, last_line, begin, end = next(positions)
            if line is not None and begin is not None and end is not None:
                text = lines[line - first]
                whole = end if last_line == line else indent + len(text.encode())
                return line - first, _column(text, begin - indent), _column(text, whole - indent)
        frame = frame.f_back
    return None


def _column(text: str, at: int) -> int:
    """Python counts a line's columns in bytes."""
    return len(text.encode()[:at].decode())


def made(
    build: Callable[[], nn.Module], function: Callable[..., Any]
) -> tuple[nn.Module, dict[int, Place]]:
    """Build a network and note where in a function's source each of its layers was made.

    Args:
        build: Builds it.
        function: What it calls to make some of its layers.

    Returns:
        The network; the places by the layer's id.
    """
    places: dict[int, Place] = {}
    plain = nn.Module.__init__

    def noting(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        if place := _running(function):
            places[id(module)] = place
        plain(module, *args, **kwargs)

    with patch.object(nn.Module, "__init__", noting):
        return build(), places


class _Notes(Probe):  # type: ignore[no-untyped-call]
    """Counts as `describe` does, and lays each operator to the place that is running."""

    def __init__(self, where: Callable[[str], Place | None], block: nn.Module) -> None:
        super().__init__()
        self.where = where
        self.steps: list[Step] = []
        self.inside: list[str] = []  # which of the block's own modules is running
        self.unused = {id(p): p.numel() for p in block.parameters()}
        self.pending = 0  # parameters of a weight that was turned, before the product takes it

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        macs, activations = self.macs, self.activations
        out = super().__torch_dispatch__(func, types, args, kwargs)
        outs = [leaf for leaf in tree_flatten(out)[0] if isinstance(leaf, Tensor)]
        module = self.inside[-1] if self.inside else ""
        place = self.where(module)
        if place is None or not outs:
            return out
        kind = _kind(func.overloadpacket, args)
        self.pending += sum(self.unused.pop(id(t), 0) for t in tree_flatten(args)[0])
        if kind == MOVES and self.pending:
            return out
        if not self.steps or (self.steps[-1].place, self.steps[-1].module) != (place, module):
            self.steps.append(Step(place, module))
        step = self.steps[-1]
        part = Part(
            kind,
            tuple(outs[0].shape),
            self.pending,
            self.macs - macs,
            self.activations - activations,
        )
        self.pending, step.shape = 0, part.shape
        if not part.costs:  # told once between two that cost something
            free = list(takewhile(lambda p: not p.costs, reversed(step.parts)))[::-1]
            kept = step.parts[: len(step.parts) - len(free)]
            step.parts = [*kept, *(p for p in free if p.kind != kind)]
        step.parts.append(part)
        return out


def _kind(packet: Any, args: tuple[Any, ...]) -> str:
    if packet is aten.convolution:
        rows, columns = args[1].shape[2:]
        alone = args[8] == args[0].shape[1] > 1
        return f"{rows}×{columns} {'depthwise ' if alone else ''}convolution"
    if packet in (aten.addmm, aten.mm):
        return "linear layer"
    if packet in (aten.bmm, aten.baddbmm):
        return "matrix product"
    name = packet.__name__
    return KINDS.get(name, KINDS.get(name.rstrip("_"), MOVES))


def walk(
    block: nn.Module,
    inputs: tuple[int, ...],
    *,
    shown: Callable[..., Any],
    places: dict[int, Place] | None = None,
) -> list[Step]:
    """Run a block on shapes alone and note its steps.

    Args:
        block: On the meta device.
        inputs: Shape of what it takes, the batch included.
        shown: The function whose source is shown: the block's forward, or what built it.
        places: For a block that `shown` built: where each of its layers was made.

    Returns:
        The steps, in the order in which they ran.
    """
    own = dict(block.named_children())

    def where(module: str) -> Place | None:
        return places.get(id(own.get(module))) if places else _running(shown)

    notes = _Notes(where, block)
    handles = []
    for name, module in own.items():
        enter = partial(lambda name, *_: notes.inside.append(name), name)
        handles.append(module.register_forward_pre_hook(enter))
        handles.append(module.register_forward_hook(lambda *_: [notes.inside.pop(), None][1]))
    block.eval()
    x = torch.empty(inputs, device="meta")
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), notes:
        block(x)
    for handle in handles:
        handle.remove()
    for step in notes.steps:  # moves are told only where nothing else happens
        step.parts = [part for part in step.parts if part.kind != MOVES] or step.parts[-1:]
    return notes.steps
