"""What a unit of a network sees, by autograd: where the gradient is not zero, over all units."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lineage_lab.anatomy.fields import FIXED
from lineage_lab.anatomy.network import watched

SIDE = 20


class Step(nn.Module):
    """A function as a layer; tensors that it needs are its buffers."""

    def __init__(self, function: Callable[[nn.Module, Tensor], Tensor], **buffers: Tensor) -> None:
        super().__init__()
        self.function = function
        for name, tensor in buffers.items():
            self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


Span = tuple[int, int]  # first and last pixel
Unit = tuple[int, int]


def asked(rows: int, columns: int) -> set[Unit]:
    """The units of the middle row and of the middle column."""
    return {
        *((row, columns // 2) for row in range(rows)),
        *((rows // 2, column) for column in range(columns)),
    }


def touched(model: nn.Module, size: tuple[int, int, int]) -> dict[Unit, tuple[Span, Span]]:
    """Rows and columns of the image on which a unit depends, all its channels together.

    All weights become 1, so that no contribution cancels another.
    """
    model = model.double()
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    noise = torch.Generator().manual_seed(0)
    image = torch.rand(1, *size, dtype=torch.float64, generator=noise).requires_grad_()
    out = model(image)
    spans = {}
    for row, column in sorted(asked(*out.shape[-2:])):
        unit = out[0, :, row, column].sum()
        (gradient,) = torch.autograd.grad(unit, image, retain_graph=True)
        seen = gradient[0].abs().sum(0) != 0
        places = [seen.any(dim=1 - axis).nonzero().flatten() for axis in (0, 1)]
        if all(map(len, places)):
            rows, columns = ((int(found.min()), int(found.max())) for found in places)
            spans[row, column] = rows, columns
    return spans


def described(model: nn.Module, size: tuple[int, int, int]) -> dict[Unit, tuple[Span, Span]]:
    """The same by `describe`'s own pass, without the padding at the image's edges."""
    model = model.float()
    real = dict((*model.named_parameters(), *model.named_buffers()))
    state = {name: tensor.detach().to("meta") for name, tensor in real.items()}
    image = torch.empty(1, *size, device="meta")
    try:
        probe = watched(model, image, state, real, lifted=False)
    except RuntimeError:
        probe = watched(model, image, state, real, lifted=True)
    assert probe.last is not None
    assert not probe.last.unknown
    planes = [plane[0].amin(0) for plane in probe.last.planes]
    spans = {}
    for unit in asked(*planes[0].shape):
        row, _, column, _ = (int(plane[unit]) for plane in planes)
        _, last_row, _, last_column = (-int(plane[unit]) for plane in planes)
        pairs = []
        for first, last, side, whole in (
            (row, last_row, size[1], probe.last.whole[0]),
            (column, last_column, size[2], probe.last.whole[1]),
        ):
            if first >= FIXED // 2:
                if not whole:
                    break
                first, last = 0, side - 1
            pairs.append((max(first, 0), min(last, side - 1)))
        else:
            spans[unit] = pairs[0], pairs[1]
    return spans
