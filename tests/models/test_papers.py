"""Each network is its paper's: parameters, MACs, receptive fields.

The oracles: PyTorch's own counter of operations, the numbers that the papers print, kernel
and stride columns typed from the papers' tables, and autograd.
"""

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import Anatomy, create_model, describe, list_models
from lineage_lab.lineage import CONVNEXT_ROAD, PRINTED, Printed
from lineage_lab.models.convnext_steps import ROAD
from lineage_lab.registry import entry


def empty(name: str) -> nn.Module:
    with torch.device("meta"):
        return create_model(name).eval()


@cache
def anatomy(name: str) -> Anatomy:
    return describe(empty(name), entry(name).input_size)


@pytest.mark.parametrize("name", [n for n in list_models() if n != "lenet5"])
def test_two_macs_make_the_flops_that_pytorchs_counter_finds(name: str) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        empty(name)(torch.empty(1, *entry(name).input_size, device="meta"))
    assert anatomy(name).flops == 2 * anatomy(name).macs == counter.get_total_flops()


def test_lenet5_is_held_to_the_papers_connections() -> None:
    """Connections count biases, and a subsampling unit has four inputs and a bias."""
    connections = create_model("lenet5").connections()
    assert sum(connections.values()) == 340_908
    biases = 6 * 28 * 28 + 16 * 10 * 10 + 120 + 84
    subsampling = connections["S2"] + connections["S4"]
    assert anatomy("lenet5").macs == 340_908 - biases - subsampling


@pytest.mark.parametrize("row", PRINTED, ids=lambda row: f"{row.model}-{row.quantity}")
def test_what_the_paper_prints_is_what_the_network_has_or_the_ledger_says_why(row: Printed) -> None:
    found = getattr(anatomy(row.model), row.quantity) / row.unit
    decimals = len(row.value.partition(".")[2])
    same = f"{found:.{decimals}f}" == row.value
    assert same == (not row.cause), f"{found} beside the printed {row.value}"
    if row.cause:
        assert row.source
        assert abs(found / float(row.value) - 1) < 0.08


def test_googlenets_printed_first_layer_is_a_separable_convolution() -> None:
    dense, separable = 7 * 7 * 3 * 64, 7 * 7 * 3 * 8 + 3 * 8 * 64
    assert (dense, separable) == (9_408, 2_712)
    assert round(separable * 112 * 112 / 1e6) == 34
    total = anatomy("googlenet_paper").macs - (dense - separable) * 112 * 112
    assert f"{total / 1e9:.3f}" == "1.499"


PARAMETERS = {
    # By hand from the papers' tables, biases included.
    "alexnet_paper": 60_965_224,
    "alexnet_paper_ungrouped": 62_378_344,
    "googlenet_paper": 13_378_280,
    "resnet50_paper": 25_557_032,
    "vgg16c": 133_638_952,
    "efficientnet_lite0": 4_652_008,
    "vit_b_16_384": 86_567_656 + (24 * 24 - 14 * 14) * 768,
}


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters_are_those_of_the_papers_table(name: str, parameters: int) -> None:
    assert anatomy(name).parameters == parameters


def test_googlenets_parameters_without_the_auxiliary_classifiers() -> None:
    model = empty("googlenet_paper")
    model.auxiliary_4a = model.auxiliary_4d = None
    assert sum(p.numel() for p in model.parameters()) == 6_998_552


@pytest.mark.parametrize("layers", [20, 32, 44, 56, 110, 1202])
def test_cifar_networks_have_the_sum_of_their_layers(layers: int) -> None:
    n = (layers - 2) // 6
    widths = (16, 32, 64)
    convolutions = 9 * 3 * 16
    for before, width in zip((16, 16, 32), widths, strict=True):
        convolutions += 9 * before * width + 9 * (2 * n - 1) * width * width
    norms = 2 * 16 + sum(2 * 2 * n * width for width in widths)
    name = f"resnet{layers}_cifar"
    assert anatomy(name).parameters == convolutions + norms + 64 * 10 + 10
    if layers <= 56:  # option A has no parameters, and no MACs either
        plain = anatomy(f"plain{layers}_cifar")
        assert (plain.parameters, plain.macs) == (anatomy(name).parameters, anatomy(name).macs)
    convs = [m for m in empty(name).modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(convs) == layers


def test_the_road_starts_at_resnet50_and_ends_at_convnext() -> None:
    steps = {step.key: step for step in CONVNEXT_ROAD}
    assert list(steps) == list(ROAD)
    for key, step in steps.items():
        found = anatomy(f"convnext_step_{key}").macs / 1e9
        if step.gmacs is not None:
            decimals = len(step.gmacs.partition(".")[2])
            assert f"{found:.{decimals}f}" == step.gmacs, key
    start, end = anatomy("convnext_step_resnet50"), anatomy("convnext_step_separate_downsampling")
    goal = anatomy("convnext_tiny")
    scales = 3 * 96 + 3 * 192 + 9 * 384 + 3 * 768
    assert (start.parameters, start.macs) == (anatomy("resnet50").parameters,
                                              anatomy("resnet50").macs)  # fmt: skip
    assert (end.parameters + scales, end.macs) == (goal.parameters, goal.macs)
    assert end.field == goal.field


@pytest.mark.parametrize("name", [f"convnext_step_{key}" for key in ROAD])
def test_each_step_of_the_road_trains(name: str) -> None:
    torch.manual_seed(0)
    model = create_model(name, num_classes=3).train()
    scores = model(torch.randn(2, 3, 64, 64))
    nn.functional.cross_entropy(scores, torch.tensor([0, 2])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


# Kernel and stride of the layers on the deepest path, from the papers' tables.
def resnet(counts, block, stem=((7, 2), (3, 2))):
    layers = [*stem]
    for stage, count in enumerate(counts):
        for index in range(count):
            layers += block(2 if stage and not index else 1)
    return layers


def basic(stride):
    return [(3, stride), (3, 1)]


PATHS = {
    "alexnet_paper": [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)],
    "vgg16": [*[(3, 1)] * 2, (2, 2), *[(3, 1)] * 2, (2, 2), *([(3, 1)] * 3 + [(2, 2)]) * 3],
    "vgg16c": [*[(3, 1)] * 2, (2, 2), *[(3, 1)] * 2, (2, 2), *([(3, 1)] * 2 + [(2, 2)]) * 3],
    "googlenet_paper": [(7, 2), (3, 2), (3, 1), (3, 2), (5, 1), (5, 1), (3, 2),
                        *[(5, 1)] * 5, (3, 2), (5, 1), (5, 1)],
    "resnet34": resnet((3, 4, 6, 3), basic),
    "resnet50": resnet((3, 4, 6, 3), lambda s: [(1, 1), (3, s), (1, 1)]),
    "resnet50_paper": resnet((3, 4, 6, 3), lambda s: [(1, s), (3, 1), (1, 1)]),
    "resnet101_paper": resnet((3, 4, 23, 3), lambda s: [(1, s), (3, 1), (1, 1)]),
    "resnet152": resnet((3, 8, 36, 3), lambda s: [(1, 1), (3, s), (1, 1)]),
    "resnet56_cifar": resnet((9, 9, 9), basic, stem=((3, 1),)),
    "resnet1202_cifar": resnet((200, 200, 200), basic, stem=((3, 1),)),
    "convnext_small": [(4, 4), *[(7, 1)] * 3, (2, 2), *[(7, 1)] * 3, (2, 2), *[(7, 1)] * 27,
                       (2, 2), *[(7, 1)] * 3],
    "vit_b_16": [(16, 16)],
}  # fmt: skip


@pytest.mark.parametrize(("name", "path"), PATHS.items())
def test_receptive_field_is_that_of_the_papers_columns(name: str, path) -> None:
    size, stride = 1, 1
    for kernel, step in path:
        size, stride = size + (kernel - 1) * stride, stride * step
    field = anatomy(name).field
    assert field is not None
    assert (field.size, field.stride) == (size, stride)
    assert anatomy(name).receptive_field == size


def test_attention_and_gates_see_the_whole_image_and_convolutions_do_not() -> None:
    whole = {name for name in list_models() if anatomy(name).sees_whole_image}
    assert whole == {n for n in list_models() if n.startswith(("vit_", "efficientnet_b"))}


class FrozenGate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def transparent(model: nn.Module) -> nn.Module:
    """The same windows with positive weights and nothing that hides a pixel."""
    for path, module in list(model.named_modules()):
        parent, _, leaf = path.rpartition(".")
        holder = model.get_submodule(parent)
        kind = type(module).__name__
        new: nn.Module | None = None
        if kind == "MaxPool2d":
            new = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
        elif kind in ("LayerNorm", "LayerNorm2d", "BatchNorm2d", "LocalResponseNorm", "ReLU6"):
            new = nn.Identity()
        elif kind == "SqueezeExcitation":
            new = FrozenGate()
        if new is not None:
            setattr(holder, leaf, new)
    for name, parameter in model.named_parameters():
        spread = parameter[0].numel() if parameter.dim() > 1 else 1
        nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1 / spread)
    return model.double().eval()


FIELD_CHECKED = ["alexnet", "alexnet_paper", "vgg19", "vgg16c", "googlenet", "googlenet_paper",
                 "resnet18", "resnet50", "resnet50_paper", "plain34", "resnet110_cifar",
                 "efficientnet_b0", "efficientnet_lite0", "convnext_tiny",
                 "convnext_step_kernel_5"]  # fmt: skip


@pytest.mark.parametrize("name", FIELD_CHECKED)
def test_receptive_field_is_where_the_gradient_arrives(name: str) -> None:
    """One row of pixels, wider than the field: autograd says which of them one unit sees."""
    field = anatomy(name).field
    assert field is not None
    model = transparent(create_model(name))
    last: list[Tensor] = []
    # The map before the global pooling; keep it, whatever the network calls the pooling.
    model.pool.register_forward_pre_hook(lambda module, inputs: last.append(inputs[0]))
    width = field.size + 3 * field.stride
    width += -width % field.stride
    image = torch.ones(1, 3, 67, width, dtype=torch.float64, requires_grad=True)
    model(image)
    unit = next(u for u in range(last[0].shape[-1]) if field.left + u * field.stride > 0)
    last[0][0, :, 0, unit].sum().backward()
    touched = image.grad[0].sum(dim=(0, 1)).nonzero().flatten()
    first, final = field.left + unit * field.stride, field.right + unit * field.stride
    assert final < width - 1
    assert (touched.min().item(), touched.max().item()) == (first, final)
