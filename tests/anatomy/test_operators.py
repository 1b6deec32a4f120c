"""Each operator's rule against autograd, alone and in networks drawn by lot.

What a unit sees is, by the oracle, where the gradient of its value is not zero. The operators stand
between a 3×3 and a 3×3 convolution: a field that was lost on the way would be 3, not 5 or more.
With LINEAGE_LAB_ALL=1 500 networks are drawn.
"""

import random
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lineage_lab import describe
from tests.anatomy.oracles import SIDE, Step, described, touched
from tests.rows import EVERYTHING

ROW = torch.arange(SIDE)
BACK = ROW.flip(0)
EDGE = 4


def window(kernel: int = 3, width: int = 2) -> nn.Conv2d:
    return nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)


def assigned(module: nn.Module, x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    out[:, :1, 1:] = x[:, :1, :-1]
    out[:, 1:, :, :-2] = x[:, 1:, :, 2:]
    return out


def assigned_to_a_copy(module: nn.Module, x: Tensor) -> Tensor:
    out = x.clone()
    out[:, 0:1, :-1] = x[:, 0:1, 1:]
    return out


def written_through_a_view(module: nn.Module, x: Tensor) -> Tensor:
    out = x * 1
    flat = out.view(2, -1)
    flat[:, 3:] += flat[:, :-3].clone()
    return out


def sheared(module: nn.Module, x: Tensor) -> Tensor:
    theta = torch.tensor([[[1.0, 0.3, 0.1], [0.2, 1.0, 0.0]]], dtype=x.dtype)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def attention(module: nn.Module, x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    # Nearly equal weights: else one place takes all, and the gradient of the others is zero.
    mixed = F.scaled_dot_product_attention(tokens, tokens, tokens, scale=1e-6)
    return mixed.transpose(1, 2).reshape(x.shape)


def strips(module: nn.Module, x: Tensor) -> Tensor:
    return x.mean(dim=2, keepdim=True).expand(-1, -1, SIDE, -1)


def folded(module: nn.Module, x: Tensor) -> Tensor:
    return F.fold(F.unfold(x, 3, padding=1), (SIDE, SIDE), 3, padding=1)


def folded_the_other_way(module: nn.Module, x: Tensor) -> Tensor:
    return F.fold(F.unfold(x, 3, padding=1).flip(1), (SIDE, SIDE), 3, padding=1)


def windows_summed(module: nn.Module, x: Tensor) -> Tensor:
    ones = torch.ones(2, 18, dtype=x.dtype)
    return (ones @ F.unfold(x, 3, padding=1)).view(1, 2, SIDE, SIDE)


def dense(module: nn.Module, x: Tensor) -> Tensor:
    weight = torch.ones(2 * SIDE * SIDE, 2 * SIDE * SIDE, dtype=x.dtype)
    return (x.flatten(1) @ weight).view(x.shape)


def scaled(**options: object) -> Step:
    return Step(lambda module, x: F.interpolate(x, **options))  # type: ignore[arg-type]


def moved(function: Callable[[Tensor], Tensor]) -> Step:
    return Step(lambda module, x: function(x))


KEEP: dict[str, Callable[[], nn.Module]] = {  # these keep the map's shape
    "channels permuted by indexing": lambda: Step(lambda m, x: x[:, m.i], i=torch.tensor([1, 0])),
    "index_select": lambda: Step(lambda m, x: x.index_select(1, m.i), i=torch.tensor([1, 0])),
    "gather of channels": lambda: Step(
        lambda m, x: x.gather(1, m.i.expand(1, 2, SIDE, SIDE)),
        i=torch.tensor([1, 0]).view(1, 2, 1, 1),
    ),
    "gather of rows": lambda: Step(
        lambda m, x: x.gather(2, m.i.expand(1, 2, SIDE, SIDE)), i=BACK.view(1, 1, SIDE, 1)
    ),
    "take_along_dim": lambda: Step(
        lambda m, x: x.take_along_dim(m.i.expand(1, 2, SIDE, SIDE), 3),
        i=BACK.view(1, 1, 1, SIDE),
    ),
    "rows in another order": lambda: Step(lambda m, x: x[:, :, m.i], i=ROW.roll(3)),
    "unfold and fold": lambda: Step(folded),
    "unfold, kernels turned, fold": lambda: Step(folded_the_other_way),
    "unfold as a convolution": lambda: Step(windows_summed),
    "grid_sample": lambda: Step(sheared),
    "slices assigned": lambda: Step(assigned),
    "a slice of a copy assigned": lambda: Step(assigned_to_a_copy),
    "written through a view": lambda: Step(written_through_a_view),
    "roll": lambda: moved(lambda x: x.roll((1, 3), (2, 3))),
    "flip": lambda: moved(lambda x: x.flip(3)),
    "rot90": lambda: moved(lambda x: x.rot90(1, (2, 3))),
    "shift by pad": lambda: moved(lambda x: F.pad(x, (2, -2, -1, 1))),
    "tril": lambda: moved(lambda x: x.tril()),
    "where": lambda: Step(lambda m, x: torch.where(m.i, x, x.roll(2, 2)), i=ROW % 2 == 0),
    "masked_fill": lambda: Step(lambda m, x: x.masked_fill(m.i, 0.0), i=ROW % 2 == 0),
    "glu": lambda: moved(lambda x: F.glu(torch.cat((x, x.roll(1, 2)), 1), 1)),
    "scatter": lambda: Step(
        lambda m, x: torch.zeros_like(x).scatter(2, m.i.expand(1, 2, SIDE, SIDE), x),
        i=BACK.view(1, 1, SIDE, 1),
    ),
    "index_add": lambda: Step(lambda m, x: torch.zeros_like(x).index_add(3, m.i, x), i=ROW // 2),
    "index_put": lambda: moved(
        lambda x: torch.zeros_like(x).index_put((torch.tensor([0]), torch.tensor([1])), x[:, 0])
    ),
    "rows stacked": lambda: moved(lambda x: torch.stack([x[:, :, i] for i in range(SIDE)], 2)),
    "pooling in three axes": lambda: moved(
        lambda x: F.avg_pool3d(
            F.pad(x.unsqueeze(1), (0, 0, 0, 0, 1, 1)), (3, 1, 1), 1
        ).squeeze(1)
    ),
}  # fmt: skip
OTHER: dict[str, Callable[[], nn.Module]] = {
    "every second row": lambda: Step(lambda m, x: x[:, :, m.i], i=ROW[::2]),
    "rows and columns at once": lambda: Step(
        lambda m, x: x[:, :, m.i[:, None], m.i], i=ROW[1::2]
    ),
    "pad": lambda: moved(lambda x: F.pad(x, (2, -1, 0, 3))),
    "circular pad": lambda: moved(lambda x: F.pad(x, (1, 1, 2, 2), mode="circular")),
    "reflected pad": lambda: moved(lambda x: F.pad(x, (1, 1, 2, 2), mode="reflect")),
    "pixel shuffle": lambda: nn.Sequential(
        nn.Conv2d(2, 8, 3, 2, 1, bias=False), nn.PixelShuffle(2)
    ),
    "pixel unshuffle": lambda: nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(8, 2, 1)),
    "transposed convolution": lambda: nn.ConvTranspose2d(2, 2, 3, 2, 1),
    "bilinear": lambda: scaled(scale_factor=2, mode="bilinear"),
    "bilinear, corners aligned": lambda: scaled(size=(13, 31), mode="bilinear", align_corners=True),
    "bilinear, antialiased": lambda: scaled(size=(7, 9), mode="bilinear", antialias=True),
    "bicubic": lambda: scaled(size=(27, 31), mode="bicubic"),
    "nearest": lambda: scaled(scale_factor=1.5, mode="nearest"),
    "nearest-exact": lambda: scaled(scale_factor=0.6, mode="nearest-exact"),
    "adaptive pooling": lambda: nn.AdaptiveAvgPool2d(7),
    "repeat_interleave": lambda: moved(lambda x: x.repeat_interleave(2, 2)),
    "cumulative sum": lambda: moved(lambda x: x.cumsum(2)),
    "cumulative sum of columns": lambda: moved(lambda x: x.cumsum(3)),
    "sort of channels": lambda: moved(lambda x: x.sort(1).values),
    "attention": lambda: Step(attention),
    "mean of each column": lambda: Step(strips),
    "linear layer across all places": lambda: Step(dense),
}  # fmt: skip
RULES = {**KEEP, **OTHER}


def held_to_autograd(model: nn.Module) -> None:
    """Exact for the units that are EDGE or more from the edge; there, no pixel is left out.

    At an edge `describe` takes padding for pixels, which is more than the oracle finds.
    """
    size = (2, SIDE, SIDE)
    model.eval()
    oracle, ours = touched(model, size), described(model, size)
    most = [max(unit[axis] for unit in ours) for axis in (0, 1)]
    for unit, spans in oracle.items():
        if all(EDGE <= place <= last - EDGE for place, last in zip(unit, most, strict=True)):
            assert ours[unit] == spans
        for (first, last), (left, right) in zip(spans, ours[unit], strict=True):
            assert left <= first
            assert last <= right
    anatomy = describe(model, size)
    assert anatomy.unknown_after == ""
    for field, axis in ((anatomy.height_field, 0), (anatomy.field, 1)):
        assert field is not None
        widest = max(spans[axis][1] - spans[axis][0] + 1 for spans in oracle.values())
        assert field.size >= widest


@pytest.mark.parametrize("name", RULES)
def test_a_field_is_followed_to_where_the_gradient_arrives(name: str) -> None:
    torch.manual_seed(0)
    held_to_autograd(nn.Sequential(window(), RULES[name](), window()))


@pytest.mark.parametrize("seed", range(500 if EVERYTHING else 12))
def test_a_network_drawn_by_lot_is_followed(seed: int) -> None:
    lot = random.Random(seed)
    names = lot.choices(list(KEEP), k=lot.randint(2, 4))
    # What wraps around makes of each field the whole axis, which would hide the others.
    names = [name for name in names if name not in ("roll", "rows in another order")]
    layers: list[nn.Module] = [window(lot.choice((1, 3)))]
    for name in names:
        layers += [KEEP[name](), window(lot.choice((1, 3)))]
    if lot.random() < 0.5:
        layers += [OTHER[lot.choice(list(OTHER))](), window(lot.choice((1, 3)))]
    held_to_autograd(nn.Sequential(*layers))
