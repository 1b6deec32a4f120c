"""The faster kernels give PyTorch's own numbers."""

from itertools import product

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.heads import replace_head
from lineage_lab.training import device, kernels

CPU = torch.device("cpu")
KINDS = [(True, True), (True, False), (False, False)]  # of AVX512 and AMX


@pytest.fixture(params=KINDS, ids=["amx", "avx512", "neither"])
def processor(request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "AVX512", request.param[0])
    monkeypatch.setattr(kernels, "AMX", request.param[1])


def gradients(layer: nn.Module, x: Tensor, weights: Tensor) -> list[Tensor]:
    x = x.detach().requires_grad_()
    (layer(x) * weights).sum().backward()
    found = [x.grad, *(p.grad for p in layer.parameters())]
    layer.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize(
    ("channels", "side", "stride", "dilation"),
    [(c, *rest) for c, *rest in product((4, 8, 48), (3, 5, 7), (1, 2), (1,))] + [(16, 5, 1, 2)],
)
def test_gradients_of_a_depthwise_convolution_are_those_of_the_same_in_fp64(
    processor, channels: int, side: int, stride: int, dilation: int
) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, channels, side, stride, padding=side // 2, dilation=dilation,
                      groups=channels)  # fmt: skip
    x = torch.randn(2, channels, 14, 14).bfloat16().float()
    for p in layer.parameters():
        p.data = p.data.bfloat16().float()
    weights = torch.randn_like(layer(x)).bfloat16().float()
    expected = gradients(layer.double(), x.double(), weights.double())
    layer.float()
    with device.autocast(CPU, "bf16"):
        found = gradients(layer, x, weights)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        # bf16 keeps 8 bits: 1 in 256, whatever the number's size
        assert (a - b).norm() < 2**-7 * b.norm()


def test_what_is_depthwise_alone_is_taken(processor) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 6)
    depthwise = nn.Conv2d(4, 4, 3, groups=4)
    double, whole, grouped = (nn.Conv2d(4, 8, 3, groups=g) for g in (4, 1, 2))
    grey = nn.Conv2d(1, 8, 3)
    here = torch.bfloat16 if kernels.AVX512 else torch.float32
    with device.autocast(CPU, "bf16"):
        assert depthwise(x).dtype == here
        assert {layer(x).dtype for layer in (whole, grouped)} == {torch.bfloat16}
        assert double(x).dtype == torch.float32  # two filters a channel
        assert grey(x[:, :1]).dtype == torch.bfloat16
        assert nn.Conv2d(4, 4, 3, groups=4, padding="same")(x).dtype == torch.float32
    with device.autocast(CPU, "fp32"):
        assert whole(x).dtype == depthwise(x).dtype == torch.float32
    assert depthwise(x).dtype == torch.float32  # and it is over with the forward pass


def test_compiled_it_gives_the_same(processor) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 5, groups=16), nn.ReLU6(True))
    x, weights = torch.randn(2, 3, 12, 12), torch.randn(2, 16, 6, 6)
    with device.autocast(CPU, "bf16"):
        plain = gradients(layers, x, weights)
        compiled = torch.compile(layers, backend="aot_eager")
        again = gradients(compiled, x, weights)
    for a, b in zip(plain, again, strict=True):
        torch.testing.assert_close(a, b, rtol=2**-6, atol=2**-6)


@pytest.mark.parametrize("name", sorted(f.__name__ for f in kernels.COPIED_FIRST))
def test_an_activation_in_place_is_not_copied_first(name: str) -> None:
    act, x = getattr(F, name), torch.randn(8, requires_grad=True)

    def copies(precision: str | None) -> int:
        with torch.profiler.profile() as found:
            y = 2 * x
            if precision is None:
                out = act(y, inplace=True)
            else:
                with device.autocast(CPU, precision):
                    out = act(y, inplace=True)
        assert torch.equal(out, act(2 * x))
        return sum(event.count for event in found.key_averages() if event.key == "aten::clone")

    assert copies(None) == 1  # PyTorch's own way; once this is 0, there is nothing left to do
    assert copies("fp32") == copies("bf16") == 0
    with device.autocast(CPU, "fp32"), torch.no_grad():
        y = 2 * x
        assert act(y, inplace=True).data_ptr() == y.data_ptr()


def test_a_network_learns_the_same_in_fp32() -> None:
    torch.manual_seed(0)
    model = replace_head(torchvision.models.mobilenet_v2(), 2).eval()
    x = torch.randn(2, 3, 32, 32)
    plain = gradients(model, x, torch.ones(2, 2))
    with device.autocast(CPU, "fp32"):
        again = gradients(model, x, torch.ones(2, 2))
    for a, b in zip(plain, again, strict=True):
        assert torch.equal(a, b)
