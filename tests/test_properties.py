"""Laws that hold for every network, chain of windows and data set, tried on drawn ones.

Hypothesis draws them, the same ones in each run, and shows the smallest that breaks a law. The
oracles are PyTorch's counter, its shapes and autograd. `test_fields.py` has the odder networks.
"""

import unicodedata
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import describe
from lineage_lab.data.folders import scan
from lineage_lab.data.sets import ImageSet, split

tried = settings(deadline=None, derandomize=True, database=None, max_examples=150)
sizes = st.integers(1, 3)


@st.composite
def windows(draw: st.DrawFn, width: int, *, wide: int = 4) -> nn.Module:
    """A convolution or a pooling; kernels, strides and dilations need not be square."""
    kernel = draw(st.tuples(st.integers(1, wide), st.integers(1, wide)))
    stride = draw(st.tuples(sizes, sizes))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    if draw(st.booleans()):
        return draw(st.sampled_from((nn.AvgPool2d, nn.MaxPool2d)))(kernel, stride, padding)
    dilation = draw(st.tuples(sizes, sizes))
    grouped = draw(st.booleans())
    return nn.Conv2d(
        width, width * draw(sizes), kernel, stride, padding, dilation,
        groups=width if grouped else 1, bias=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Sequential, tuple[int, ...]]:
    """Windows, then linear layers or none, and an image that is large enough."""
    size = (draw(sizes), draw(st.integers(20, 40)), draw(st.integers(20, 40)))
    image = torch.empty(1, *size, device="meta")
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        layer = draw(windows(image.shape[1]))
        try:
            after = layer.to("meta")(image)
        except RuntimeError:  # the map is smaller than the window
            continue
        if not after.numel():  # the same, to a torch before 2.10
            continue
        image = after
        layers += [layer, nn.ReLU()]
    if draw(st.booleans()):
        layers.append(nn.Flatten())
        width = image[0].numel()
        for wide in draw(st.lists(st.integers(1, 9), min_size=1, max_size=2)):
            layers.append(nn.Linear(width, wide, bias=draw(st.booleans()), device="meta"))
            width = wide
    return nn.Sequential(*layers), size


@tried
@given(networks())
def test_a_networks_numbers_are_those_of_an_independent_count(drawn) -> None:
    model, size = drawn
    shapes: list[tuple[int, ...]] = []
    hooks = [
        layer.register_forward_hook(lambda layer, args, out: shapes.append(tuple(out.shape[1:])))
        for layer in model
        if not isinstance(layer, nn.ReLU | nn.Flatten)
    ]
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *size, device="meta"))
    for hook in hooks:
        hook.remove()
    anatomy = describe(model, size)
    assert anatomy.flops == 2 * anatomy.macs == counter.get_total_flops()
    assert sum(layer.macs for layer in anatomy.layers) == anatomy.macs
    assert anatomy.parameters == sum(p.numel() for p in model.parameters())
    assert sum(layer.parameters for layer in anatomy.layers) == anatomy.parameters
    counted = [layer for layer in anatomy.layers if layer.kind not in ("ReLU", "Flatten")]
    assert [layer.output_shape for layer in counted] == shapes


@tried
@given(st.data())
def test_a_chain_of_windows_sees_where_the_gradient_arrives(data: st.DataObject) -> None:
    layers: list[nn.Module] = []
    for _ in range(data.draw(st.integers(1, 3))):
        layer = data.draw(windows(1, wide=3))
        if isinstance(layer, nn.MaxPool2d):  # its gradient goes to one place only
            layer = nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
        elif isinstance(layer, nn.Conv2d):
            layer = nn.Conv2d(1, 1, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        layers.append(layer)
    model = nn.Sequential(*layers).double()
    for parameter in model.parameters():
        nn.init.ones_(parameter)  # positive weights: no contribution cancels another
    size = (1, 160, 160)
    image = torch.zeros(1, *size, dtype=torch.float64, requires_grad=True)
    out = model(image)
    units = [n // 2 for n in out.shape[-2:]]
    out[0, 0, units[0], units[1]].backward()
    assert image.grad is not None
    seen = image.grad[0, 0].nonzero()
    anatomy = describe(model, size)
    for field, unit, places in zip(
        (anatomy.height_field, anatomy.field), units, seen.T, strict=True
    ):
        assert field is not None
        # A window whose stride is larger than it is skips pixels, but never its own ends.
        assert field.left + unit * field.stride == places.min()
        assert field.right + unit * field.stride == places.max()
        assert field.size == places.max() - places.min() + 1


def numbered(labels: list[int], *, validation: int = 0) -> ImageSet:
    """A set in which each image says its own index."""
    images = torch.arange(len(labels)).unsqueeze(1) // torch.tensor([1, 256]) % 256
    return ImageSet(
        images=images.to(torch.uint8).view(-1, 1, 1, 2), labels=torch.tensor(labels),
        classes=tuple(f"class {k}" for k in range(max(labels) + 1)),
        name="drawn", licence="none", validation=validation,
    )  # fmt: skip


def indices(part: ImageSet) -> list[int]:
    return (part.images.flatten(1).long() @ torch.tensor([1, 256])).tolist()


# The labels of two to five classes of 2 to 60 images, mixed.
mixed = st.lists(st.integers(2, 60), min_size=2, max_size=5).flatmap(
    lambda counts: st.permutations([k for k, n in enumerate(counts) for _ in range(n)])
)
sets = mixed.map(numbered)
seeds = st.integers(0, 2**31)
shares = st.floats(0.01, 0.99)


@tried
@given(sets, seeds, shares)
def test_a_split_shares_out_every_image_once_and_each_class_alike(data, seed, share) -> None:
    train, val = split(data, seed=seed, share=share)
    assert sorted(indices(train) + indices(val)) == list(range(len(data)))
    for part in (train, val):
        assert indices(part) == sorted(indices(part))
        assert torch.equal(part.labels, data.labels[indices(part)])
    for label in range(len(data.classes)):
        of_class = int((data.labels == label).sum())
        taken = int((train.labels == label).sum())
        assert 1 <= taken < of_class
        assert abs(taken - share * of_class) <= 1
    again = split(data, seed=seed, share=share)
    assert [indices(part) for part in again] == [indices(train), indices(val)]


@tried
@given(sets, seeds, st.integers(1, 300))
def test_a_limit_keeps_a_part_of_the_same_split(data, seed, limit) -> None:
    for whole, kept in zip(
        split(data, seed=seed), split(data, seed=seed, limit=limit), strict=True
    ):
        assert set(indices(kept)) <= set(indices(whole))
        for label in range(len(data.classes)):
            there, left = (int((part.labels == label).sum()) for part in (whole, kept))
            assert left >= min(2, there)
            assert left <= max(2, there * limit / len(data) + 1)


@tried
@given(st.data(), mixed, seeds)
def test_a_sets_own_validation_part_is_kept_whatever_the_seed(draws, labels, seed) -> None:
    own = draws.draw(st.permutations(sorted(set(labels)) * 2))
    train, val = split(numbered([*labels, *own], validation=len(own)), seed=seed)
    assert indices(train) == list(range(len(labels)))
    assert indices(val) == list(range(len(labels), len(labels) + len(own)))


names = st.lists(
    st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8),
    min_size=2, max_size=6, unique_by=lambda name: unicodedata.normalize("NFC", name),
)  # fmt: skip


@tried
@given(names, st.randoms(use_true_random=False))
def test_the_order_in_which_a_disk_lists_its_files_changes_nothing(found, random) -> None:
    files = [Path(f"set/{name}/{k}.png") for name in found for k in range(3)]
    folders = {path for file in files for path in file.parents}

    @contextmanager
    def listed(folder: Path):
        inside = [path for path in (*files, *folders) if path.parent == folder]
        random.shuffle(inside)
        entries = [mock.Mock(is_dir=lambda p=p: p in folders, is_symlink=lambda: False)
                   for p in inside]  # fmt: skip
        for entry, path in zip(entries, inside, strict=True):
            entry.name = path.name  # which is an argument of Mock of another meaning
        yield iter(entries)

    with (
        mock.patch("os.scandir", listed),
        mock.patch.object(Path, "is_dir", lambda path: path in folders),
    ):
        one, two = scan(Path("set")), scan(Path("set"))
    assert one == two
    assert not one[1].problems
    assert [numbers for _, numbers in one[1].counts] == [(3,)] * len(found)
