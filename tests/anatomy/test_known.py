"""`describe` says what it can't know, and counts all work that it can: hand counts as oracles."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
import torchvision.models as tvm
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import create_model, describe
from tests.anatomy.oracles import Step
from tests.anatomy.test_operators import window

SIZE = (2, 16, 16)


class Deformable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Conv2d(2, 18, 3, padding=1)
        self.conv = torchvision.ops.DeformConv2d(2, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x, self.offset(x))


def test_a_deformable_convolution_is_counted_and_its_field_is_unknown() -> None:
    anatomy = describe(nn.Sequential(window(), Deformable(), window(width=4)), SIZE)
    places = 16 * 16
    by_hand = places * 9 * (2 * 2 + 2 * 18 + 2 * 4 + 4 * 4)
    assert anatomy.macs == by_hand
    assert anatomy.receptive_field is None
    assert anatomy.unknown_after == "torchvision::deform_conv2d in 1.conv"
    assert [layer.receptive_field for layer in anatomy.layers] == [3, 5, None, None]
    assert anatomy.rows()[-1][-1] == "unknown"
    assert str(anatomy).endswith("field unknown after torchvision::deform_conv2d in 1.conv")


@torch.library.custom_op("lineage_lab_tests::twist", mutates_args=())
def twist(x: Tensor) -> Tensor:
    return x.clone()


@twist.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def test_an_operator_of_ones_own_is_named() -> None:
    anatomy = describe(nn.Sequential(window(), Step(lambda module, x: twist(x)), window()), SIZE)
    assert anatomy.not_counted == ("lineage_lab_tests::twist (once, first in 1)",)
    assert anatomy.unknown_after == "lineage_lab_tests::twist in 1"
    assert anatomy.receptive_field is None
    table = [row[4] for row in anatomy.rows()]
    assert table[2] == "unknown"  # no zero for work that was done
    assert table[-1].startswith("≥ ")
    assert "not counted: lineage_lab_tests::twist" in anatomy.to_markdown()


def test_a_fourier_transform_is_named_and_seen_to_mix_all_places() -> None:
    mix = Step(lambda module, x: torch.fft.irfft2(torch.fft.rfft2(x)))
    anatomy = describe(nn.Sequential(window(), mix), SIZE)
    assert len(anatomy.not_counted) == 2
    assert anatomy.sees_whole_image


@pytest.mark.parametrize(
    "choice",
    [
        lambda module, x: x.gather(2, x.argsort(2)),
        lambda module, x: F.grid_sample(x, x.permute(0, 2, 3, 1), align_corners=False),
        lambda module, x: x.flatten(2)[:, :, x.sum((0, 1, 3)).long()],
        lambda module, x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    ],
)
def test_where_the_image_itself_says_which_places_are_taken_the_field_is_unknown(choice) -> None:
    anatomy = describe(nn.Sequential(window(), Step(choice)), SIZE)
    assert anatomy.unknown_after
    assert anatomy.receptive_field is None


def test_a_vector_that_is_sorted_after_the_last_map_leaves_the_field_known() -> None:
    model = nn.Sequential(
        window(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), Step(lambda module, x: twist(x))
    )
    assert describe(model, SIZE).receptive_field == 3


def test_the_weights_of_an_attention_as_a_map_are_not_taken_for_an_earlier_layer() -> None:
    def correlated(module: nn.Module, x: Tensor) -> Tensor:
        flat = x.flatten(2)
        return (flat.transpose(1, 2) @ flat).view(1, 256, 16, 16)

    anatomy = describe(nn.Sequential(window(), Step(correlated), window(width=256)), SIZE)
    assert anatomy.unknown_after == "pairs of places in 2"


def test_mixing_of_all_places_without_a_shortcut_is_the_whole_image() -> None:
    model = nn.Sequential(
        window(), nn.Flatten(), nn.Linear(512, 512), nn.Unflatten(1, SIZE), window()
    )
    anatomy = describe(model, SIZE)
    assert anatomy.sees_whole_image
    assert anatomy.receptive_field == 16


def test_kernels_made_from_the_whole_image_see_it() -> None:
    class Dynamic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kernels = nn.Linear(2, 2 * 2 * 9)

        def forward(self, x: Tensor) -> Tensor:
            weight = self.kernels(x.mean((2, 3))).view(2, 2, 3, 3)
            return F.conv2d(x, weight, padding=1)

    anatomy = describe(nn.Sequential(window(), Dynamic()), SIZE)
    assert anatomy.sees_whole_image
    assert anatomy.receptive_field == 5


def recurrent(kind: type[nn.RNNBase], gates: int) -> tuple[nn.Module, int]:
    layer = kind(2, 5, batch_first=True)
    step = gates * 5 * (2 + 5)
    return Step(lambda module, x: module.layer(x.flatten(2).transpose(1, 2))[0]), 256 * step, layer


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_are_counted_step_by_step(kind: type[nn.RNNBase], gates: int) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = kind(2, 5, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.flatten(2).transpose(1, 2))[0]

    assert describe(Recurrent(), (2, 4, 4)).macs == 16 * gates * 5 * (2 + 5)


def attention(heads: int, groups: int) -> Step:
    def attend(module: nn.Module, x: Tensor) -> Tensor:
        q = x.flatten(2).view(1, heads, 4, -1).transpose(2, 3)
        k = q[:, :groups]
        mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device).tril()
        return F.scaled_dot_product_attention(q, k, k, mask, enable_gqa=True)

    return Step(attend)


@pytest.mark.parametrize(("heads", "groups"), [(2, 2), (4, 2), (4, 1)])
def test_attention_with_masks_and_grouped_queries_is_counted(heads: int, groups: int) -> None:
    tokens = 64
    size = (heads * 4, 8, 8)
    assert describe(attention(heads, groups), size).macs == 2 * heads * tokens * tokens * 4


PRODUCTS = {
    "matmul": (lambda m, x: x @ x.mT, 2 * 16 * 16 * 16),
    "bmm": (lambda m, x: torch.bmm(x[0], x[0]), 2 * 16 * 16 * 16),
    "mv": (lambda m, x: torch.mv(x[0, 0], x[0, 0, 0]), 16 * 16),
    "addmv": (lambda m, x: torch.addmv(x[0, 0, 0], x[0, 0], x[0, 0, 0]), 16 * 16),
    "dot": (lambda m, x: torch.dot(x[0, 0, 0], x[0, 0, 1]), 16),
    "outer sum": (lambda m, x: torch.addr(x[0, 0], x[0, 0, 0], x[0, 0, 0]), 16 * 16),
    "addbmm": (lambda m, x: torch.addbmm(x[0, 0], x[0], x[0]), 2 * 16 * 16 * 16),
    "baddbmm": (lambda m, x: torch.baddbmm(x[0], x[0], x[0]), 2 * 16 * 16 * 16),
    "einsum": (lambda m, x: torch.einsum("bchw,bdhw->bcd", x, x), 2 * 2 * 256),
    "tensordot": (lambda m, x: torch.tensordot(x, x, ((2, 3), (2, 3))), 2 * 2 * 256),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_counted_by_hand(name: str) -> None:
    function, by_hand = PRODUCTS[name]
    assert describe(Step(function), SIZE).macs == by_hand


CONVOLUTIONS = {
    "1d": (nn.Conv1d(4, 6, 3, 2, 1, groups=2), (4, 32)),
    "2d, dilated": (nn.Conv2d(4, 6, 3, dilation=2), (4, 16, 16)),
    "2d, depthwise": (nn.Conv2d(4, 8, 5, groups=4), (4, 16, 16)),
    "3d": (nn.Conv3d(2, 4, 3, padding=1), (2, 8, 8, 8)),
    "transposed 1d": (nn.ConvTranspose1d(4, 6, 4, 2, 1), (4, 32)),
    "transposed 2d, groups": (nn.ConvTranspose2d(4, 6, 3, 2, 1, groups=2), (4, 16, 16)),
    "transposed 3d": (nn.ConvTranspose3d(2, 4, 2, 2), (2, 8, 8, 8)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_of_all_forms_agree_with_pytorchs_counter(name: str) -> None:
    model, size = CONVOLUTIONS[name]
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *size))
    assert describe(model, size).flops == counter.get_total_flops()


def test_a_bilinear_layer_is_counted() -> None:
    class Paired(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Bilinear(16, 16, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x, x)

    anatomy = describe(Paired(), SIZE)
    assert anatomy.macs == 2 * 16 * 5 * 16 * 16
    assert anatomy.not_counted == ()


def test_a_parameter_in_five_places_is_counted_in_one_row() -> None:
    layer = nn.Conv2d(3, 3, 3, padding=1)
    anatomy = describe(nn.Sequential(*[layer] * 5), (3, 8, 8))
    assert [row.parameters for row in anatomy.layers] == [84, 0, 0, 0, 0]
    assert anatomy.parameters == 84
    assert anatomy.receptive_field == 11
    tied = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
    tied[1].weight = tied[0].weight
    assert [row.parameters for row in describe(tied, (3, 8, 8)).layers] == [84, 3]


def test_what_eval_leaves_out_is_named() -> None:
    anatomy = describe(create_model("googlenet_paper"))
    heads = [part for part in anatomy.left_out if "auxiliary" in part]
    rows = sum(layer.parameters for layer in anatomy.layers)
    left = sum(int(part.split("(")[1].split()[0].replace(",", "")) for part in heads)
    assert rows + left == anatomy.parameters
    assert "Dropout" in anatomy.left_out
    assert describe(create_model("resnet18")).left_out == ()


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "resnet18"])
def test_the_rows_parameters_add_up(name: str) -> None:
    with torch.device("meta"):
        model = getattr(tvm, name)()
    anatomy = describe(model)
    assert sum(layer.parameters for layer in anatomy.layers) == anatomy.parameters


def test_a_buffer_that_the_forward_pass_writes_is_left_as_it_was() -> None:
    def count(module: nn.Module, x: Tensor) -> Tensor:
        module.calls += 1
        return x[:, module.calls.clamp(max=1)]

    model = nn.Sequential(window(), Step(count, calls=torch.zeros(1, dtype=torch.long)))
    assert describe(model, SIZE).receptive_field == 3
    assert model[1].calls.item() == 0
