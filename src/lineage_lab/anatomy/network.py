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

__all__ = ["Anatomy", "Field", "Layer", "describe"]


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
                f"{layer.macs:,}",
                "" if layer.receptive_field is None else str(layer.receptive_field),
            )
            for layer in self.layers
        )
        field = "" if self.receptive_field is None else str(self.receptive_field)
        return (head, *body, ("total", "", "", f"{self.parameters:,}", f"{self.macs:,}", field))

    def to_markdown(self) -> str:
        """The layer table as a Markdown table."""
        head, *body = self.rows()
        rule = ("---", "---", "---", "--:", "--:", "--:")
        return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *body))

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
        return "\n".join((lines[0], rule, *lines[1:-1], rule, lines[-1]))


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
    state = {
        name: tensor.detach().to("meta")
        for name, tensor in (*model.named_parameters(), *model.named_buffers())
    }
    probe = Probe()
    try:
        # The math form of attention is made of plain matrix products, which can be counted.
        with (
            torch.no_grad(),
            _left_as_it_was(model, training=False),
            probe.watching(model),
            sdpa_kernel(SDPBackend.MATH),
        ):
            probe.start(image)
            with probe:
                functional_call(model, state, (image,))
    except _FAULTS as error:
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
    )


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

    def kept(batch: int) -> int:
        storages: dict[int, int] = {}
        weights = {t.untyped_storage()._cdata for t in trained.values()}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in weights:
                storages[storage._cdata] = storage.nbytes()
            return tensor

        kept_by_autograd = saved_tensors_hooks(pack, lambda tensor: tensor)
        with kept_by_autograd, torch.enable_grad(), QuickNorm():
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
            return (kept(4) - kept(2)) // 2
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
