"""What a network costs and what it sees: parameters, MACs, activations, receptive field.

`describe` runs any `torch.nn.Module` on PyTorch's meta device, where tensors have shapes
but no memory, and watches the operators that the forward pass calls. Nothing here knows an
architecture by name.

A MAC is one multiply-add of a convolution or of a matrix product, for one image. Batch
norm, activations and pooling are not counted, as in the tables of the ResNet and the
EfficientNet papers. One MAC is two FLOPs; many tables print the first under the name of
the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from lineage_lab.anatomy.forward import Field, Layer, Probe, QuickNorm

__all__ = ["Anatomy", "Field", "Layer", "describe", "watched"]


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What `describe` found.

    Attributes:
        name: Class name of the network.
        input_size: Channels, height and width of the image that it was run on.
        parameters: Numbers that the network holds as parameters; all of them, frozen ones
            too. Buffers (running averages, fixed codes) are not counted.
        parameter_bytes: Their size in memory.
        macs: Multiply-adds for one image.
        activations: Elements that the convolutions and matrix products put out for one
            image: the measure that follows memory and speed more closely than MACs do.
        receptive_field: Side in input pixels of what one unit of the last feature map
            sees: the longer one of height and width, which differ only where kernels or
            windows are not square. Where each unit depends on the whole image (a
            squeeze-and-excitation gate, attention, a layer across all places), this is
            the local field with those held fixed, and `sees_whole_image` is true. It may
            be larger than the image: then the units at its edges see padding. ``None``
            where the network has no feature map.
        field: The field along the width, with its stride and its place.
        height_field: The same along the height.
        sees_whole_image: Something that was mixed from all places takes part.
        saved_bytes: What a training step keeps of one image's forward pass for the backward
            pass, in the parameters' precision. An attention is taken in its plain form, which
            keeps its weights; a fused kernel keeps less (ViT-B/16 a sixth less on a CPU).
            ``None`` where the network can't be trained on images of this size.
        layers: The layer table, in the order in which the layers run.
        not_counted: Operators whose work is in no count, each with its calls and the first
            layer that calls it: what a Fourier transform, a solver or an operator of one's own
            costs is not known here. If it is not empty, `macs` is less than the work done.
        unknown_after: The operator after which nobody can say what a unit sees, and its layer;
            then `receptive_field` is ``None``. Empty if it is known.
        left_out: What runs in training only, so that no figure but `parameters` and
            `saved_bytes` has it: auxiliary heads with their parameters, kinds of dropout.

    Examples:
        >>> from lineage_lab import create_model
        >>> anatomy = describe(create_model("lenet5"), (1, 32, 32))
        >>> anatomy.parameters, anatomy.receptive_field, anatomy.layers[0].name
        (60000, 32, 'C1')
    """

    name: str
    input_size: tuple[int, ...]
    parameters: int
    parameter_bytes: int
    macs: int
    activations: int
    receptive_field: int | None
    field: Field | None
    height_field: Field | None
    sees_whole_image: bool
    saved_bytes: int | None
    layers: tuple[Layer, ...]
    not_counted: tuple[str, ...] = ()
    unknown_after: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def flops(self) -> int:
        """Floating-point operations for one image: always two a MAC."""
        return 2 * self.macs

    def training_memory(self, batch_size: int, *, optimizer_states: int = 2) -> int:
        """Bytes that a training step needs at least, in the parameters' precision.

        Weights, their gradients, the optimizer's states and what is kept for the backward
        pass. What an operator takes for a moment, and the allocator's rounding, come on top.

        Args:
            batch_size: Images a step.
            optimizer_states: Numbers that the optimizer keeps for each parameter: 2 for
                Adam, 1 for SGD with momentum, 0 for plain SGD.

        Raises:
            ValueError: The network can't be trained on images of this size.
        """
        if self.saved_bytes is None:
            raise ValueError(f"{self.name} can't be trained on images of {self.input_size}")
        copies = 2 + optimizer_states
        return copies * self.parameter_bytes + batch_size * self.saved_bytes

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The layer table as text, head and sum included."""
        head = ("layer", "kind", "output", "parameters", "MACs", "field")
        body = tuple(
            (
                layer.name,
                layer.kind,
                "×".join(map(str, layer.output_shape)),
                f"{layer.parameters:,}",
                _at_least(layer.macs, layer.not_counted),
                _field_cell(layer.receptive_field, layer.unknown_after),
            )
            for layer in self.layers
        )
        macs = _at_least(self.macs, self.not_counted)
        field = _field_cell(self.receptive_field, self.unknown_after)
        return (head, *body, ("total", "", "", f"{self.parameters:,}", macs, field))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the table can't say: work that is not counted, a field that is not known."""
        notes = []
        if self.not_counted:
            notes.append(f"not counted: {', '.join(self.not_counted)}")
        if self.unknown_after:
            notes.append(f"field unknown after {self.unknown_after}")
        return tuple(notes)

    def to_markdown(self) -> str:
        """The layer table as a Markdown table."""
        head, *body = self.rows()
        rule = ("---", "---", "---", "--:", "--:", "--:")
        table = ["| " + " | ".join(row) + " |" for row in (head, rule, *body)]
        return "\n".join((*table, *(line for note in self.notes for line in ("", note))))

    def __str__(self) -> str:
        """The layer table in columns, for a terminal."""
        rows = self.rows()
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = [
            "  ".join(
                cell.ljust(width) if column < 3 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        rule = "─" * max(map(len, lines))
        return "\n".join((lines[0], rule, *lines[1:-1], rule, lines[-1], *self.notes))


def _at_least(macs: int, not_counted: tuple[str, ...]) -> str:
    """A count; never a zero for work that was done."""
    if not not_counted:
        return f"{macs:,}"
    return f"≥ {macs:,}" if macs else "unknown"


def _field_cell(side: int | None, unknown_after: str) -> str:
    if unknown_after:
        return "unknown"
    return "" if side is None else str(side)


def describe(model: nn.Module, input_size: Sequence[int] = (3, 224, 224)) -> Anatomy:
    """Take a network apart: what each layer costs and what it sees.

    The network is run once in ``eval`` mode on the meta device: no memory for its
    activations, no copy of its weights, and its modes and weights are left as they were.

    A module whose arithmetic is not that of the operators that it calls (LeNet-5's sparse
    C3 runs as a dense convolution) says its own cost by a method
    ``count_macs(output_shape) -> int``.

    Args:
        model: Any image network: ours, torchvision's, timm's or the reader's.
        input_size: Channels, height and width of one image.

    Returns:
        The anatomy, for one image.

    Raises:
        ValueError: The network can't take an image of this size; the message gives the
            size and the network's own words.

    Examples:
        >>> from torch import nn
        >>> anatomy = describe(nn.Conv2d(3, 64, 7, stride=2, padding=3))
        >>> anatomy.parameters, anatomy.macs, anatomy.receptive_field
        (9472, 118013952, 7)
    """
    lazy = [n for n, m in model.named_modules() if _is_lazy(m)]
    if lazy:
        raise ValueError(
            f"{type(model).__name__} has layers without a shape yet ({', '.join(lazy[:3])}): "
            "run it once on an image, then describe it"
        )
    floating = (p.dtype for p in model.parameters() if p.dtype.is_floating_point)
    dtype = next(floating, torch.get_default_dtype())
    image = torch.empty(1, *input_size, dtype=dtype, device="meta")
    real = dict((*model.named_parameters(), *model.named_buffers()))
    state = {name: tensor.detach().to("meta") for name, tensor in real.items()}
    try:
        probe = watched(model, image, state, real, lifted=False)
    except _FAULTS as error:
        # Constants that the forward pass makes on the CPU don't go with what is on "meta".
        if "meta" not in str(error).lower():
            raise ValueError(_complaint(model, input_size, error)) from error
        try:
            probe = watched(model, image, state, real, lifted=True)
        except _FAULTS:
            raise ValueError(_complaint(model, input_size, error)) from error
    rows, columns = probe.fields or (None, None)
    return Anatomy(
        name=type(model).__name__,
        input_size=tuple(input_size),
        parameters=sum(p.numel() for p in model.parameters()),
        parameter_bytes=sum(p.numel() * p.element_size() for p in model.parameters()),
        macs=probe.macs,
        activations=probe.activations,
        receptive_field=max(rows.size, columns.size) if rows and columns else None,
        field=columns,
        height_field=rows,
        sees_whole_image=bool(rows and columns and rows.whole and columns.whole),
        saved_bytes=_saved_bytes(model, state, image),
        layers=tuple(probe.layers),
        not_counted=tuple(
            f"{operator} ({'once' if calls == 1 else f'{calls} times'}, first in {module})"
            for operator, (calls, module) in probe.not_counted.items()
        ),
        unknown_after=probe.unknown_after,
        left_out=_left_out(model, set(probe.unread.values())),
    )


def watched(
    model: nn.Module,
    image: Tensor,
    state: Mapping[str, Tensor],
    real: Mapping[str, Tensor],
    *,
    lifted: bool,
) -> Probe:
    """The forward pass of one image, watched."""
    probe = Probe(lifted=lifted)
    # The math form of attention is made of plain matrix products, which can be counted.
    with (
        torch.no_grad(),
        _left_as_it_was(model, training=False),
        probe.watching(model),
        sdpa_kernel(SDPBackend.MATH),
    ):
        probe.start(image, state, real)
        with probe:
            functional_call(model, dict(state), (image,))
    return probe


def _left_out(model: nn.Module, unread: set[str]) -> tuple[str, ...]:
    """What runs in training only: parts whose parameters nothing read, and what draws lots."""
    parts: list[str] = []
    for name, module in model.named_modules():
        if any(name == part or name.startswith(f"{part}.") for part in parts if part):
            continue
        names = [f"{name}.{p}".lstrip(".") for p, _ in module.named_parameters()]
        if name and names and set(names) <= unread:
            parts.append(name)
    lone = sorted(n for n in unread if not any(n.startswith(f"{part}.") for part in parts))
    chance = sorted({type(m).__name__ for m in model.modules() if _draws_lots(m)})
    numbers = {
        part: sum(p.numel() for p in model.get_submodule(part).parameters()) for part in parts
    }
    numbers |= {name: model.get_parameter(name).numel() for name in lone}
    return (*(f"{part} ({number:,} parameters)" for part, number in numbers.items()), *chance)


def _draws_lots(module: nn.Module) -> bool:
    """Dropout of any kind: by chance in training, nothing in ``eval``."""
    kind = type(module).__name__.lower()
    chance = getattr(module, "p", getattr(module, "drop_prob", 0))
    return ("drop" in kind or "stochasticdepth" in kind) and bool(chance)


# What a network raises on an image that it can't take: assertions and wrong unpackings too.
_FAULTS = (
    RuntimeError,
    ValueError,
    IndexError,
    AssertionError,
    TypeError,
    AttributeError,
    KeyError,
)


def _complaint(model: nn.Module, input_size: Sequence[int], error: Exception) -> str:
    size = "×".join(map(str, input_size))
    words = (str(error) or type(error).__name__).splitlines()[0]
    if "meta" in words.lower():
        return (
            f"{type(model).__name__} can't be described at {size}: its forward pass reads the "
            "values of a tensor (.item(), numpy, an if on a tensor), and describe runs it on "
            f"shapes alone. Move that out of forward. It says: {words}"
        )
    return (
        f"{type(model).__name__} can't take an image of {size} (channels × height × width): {words}"
    )


def _is_lazy(module: nn.Module) -> bool:
    tensors = (*module.parameters(recurse=False), *module.buffers(recurse=False))
    return any(nn.parameter.is_lazy(tensor) for tensor in tensors)


def _saved_bytes(model: nn.Module, state: Mapping[str, Tensor], image: Tensor) -> int | None:
    """What autograd keeps of one image: the growth from a batch of two to one of four."""

    def saved(batch: int) -> int:
        storages: dict[int, int] = {}
        weights = {t.untyped_storage()._cdata for t in trained.values()}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in weights:
                storages[storage._cdata] = storage.nbytes()
            return tensor

        held = saved_tensors_hooks(pack, lambda tensor: tensor)
        with held, torch.enable_grad(), QuickNorm():
            graph = functional_call(
                model, trained, (image.expand(batch, *image.shape[1:]).clone(),)
            )
        del graph
        return sum(storages.values())

    trained = {
        name: tensor.clone().requires_grad_(tensor.is_floating_point() and name in parameters)
        for parameters in ({name for name, _ in model.named_parameters()},)
        for name, tensor in state.items()
    }
    try:
        with _left_as_it_was(model, training=True):
            return (saved(4) - saved(2)) // 2
    except _FAULTS:
        return None


@contextmanager
def _left_as_it_was(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Puts the network into a mode; afterwards each module is in its own, and unchanged."""
    modes = [(module, module.training) for module in model.modules()]
    before = [
        (module, dict(vars(module)))
        for module in model.modules()
        if not isinstance(module, torch.jit.ScriptModule)
    ]
    model.train(training)
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        for module, attributes in before:
            vars(module).clear()
            vars(module).update(attributes)
        for module, mode in modes:
            module.training = mode
