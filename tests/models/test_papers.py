"""Each network is its paper's: parameters, MACs, receptive fields.

The oracles: PyTorch's own counter of operations, the numbers that the papers print, kernel
and stride columns typed from the papers' tables, and autograd.
"""

import math
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import Anatomy, create_model, describe, list_models
from lineage_lab.models.convnext_steps import ROAD
from lineage_lab.registry import entry
from lineage_site.facts.printed import CONVNEXT_ROAD, PRINTED, Printed
from tests.rows import some


def empty(name: str) -> nn.Module:
    with torch.device("meta"):
        return create_model(name).eval()


@cache
def anatomy(name: str, side: int | None = None) -> Anatomy:
    channels, own, _ = entry(name).input_size
    return describe(empty(name), (channels, side or own, side or own))


def counted(name: str, side: int) -> float:
    """Multiply-adds at a side, by PyTorch's counter: quicker than `describe`."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        empty(name)(torch.empty(1, 3, side, side, device="meta"))
    return counter.get_total_flops() / 2


def rounded(number: float, like: str) -> str:
    return f"{number:.{len(like.partition('.')[2])}f}"


# LeNet-5 is held to its connections. 1202 layers are 110 of them and more, and take half a minute.
COUNTED = [n for n in list_models() if n not in ("lenet5", "resnet1202_cifar")]
# Larger sisters, of the same layers as those that stay.
LARGER = {"efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "resnet152",
          "resnet101_paper", "resnet152_paper", "resnet110_cifar"}  # fmt: skip


@pytest.mark.parametrize("name", some(COUNTED, [n for n in COUNTED if n not in LARGER]))
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
    if row.quantity == "parameters":
        found = sum(p.numel() for p in empty(row.model).parameters()) / row.unit
    else:
        found = getattr(anatomy(row.model, row.side), row.quantity) / row.unit
    same = rounded(found, row.value) == row.value
    assert same == (not row.cause), f"{found} beside the printed {row.value}"
    if row.cause:
        assert row.source
        assert abs(found / float(row.value) - 1) < 0.08


EFFICIENTNETS = {int(row.model[-1]): row for row in PRINTED
                 if row.model.startswith("efficientnet_b") and row.quantity == "macs"}  # fmt: skip


def test_batch_norm_and_swish_explain_efficientnet_b1s_operations_and_spoil_no_other() -> None:
    fits = set()
    elements: list[int] = []
    for number, row in EFFICIENTNETS.items():
        elements.clear()
        model = empty(row.model)
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm2d, nn.SiLU)):
                module.register_forward_hook(lambda m, i, o: elements.append(o.numel()))
        model(torch.empty(1, *entry(row.model).input_size, device="meta"))
        found = (anatomy(row.model).macs + sum(elements) / 2) / 1e9
        if rounded(found, row.value) == row.value:
            fits.add(number)
    assert fits == {0, 1, 2, 3, 6}


def test_efficientnet_b4_b5_and_b7_print_less_than_their_convolutions_cost() -> None:
    less = {number for number, row in EFFICIENTNETS.items()
            if row.cause and float(row.value) < anatomy(row.model).macs / 1e9}  # fmt: skip
    assert less == {4, 5, 7}
    sides = {4: (361, 368), 7: (581, 592)}
    for number, (smallest, largest) in sides.items():
        row = EFFICIENTNETS[number]
        fits = [rounded(counted(row.model, side) / 1e9, row.value) == row.value
                for side in (smallest - 1, smallest, largest, largest + 1)]  # fmt: skip
        assert fits == [False, True, True, False]
    jump = [f"{counted('efficientnet_b5', side) / 1e9:.2f}" for side in (448, 449)]
    assert jump == ["9.40", "10.23"]  # and more pixels never cost less: 9.9 lies between


def test_running_statistics_explain_efficientnet_b2s_parameters_but_spoil_b1_and_b7() -> None:
    held = {}
    for number in (1, 2, 7):
        model = empty(f"efficientnet_b{number}")
        tensors = (*model.parameters(), *(b for b in model.buffers() if b.dim()))
        held[number] = sum(t.numel() for t in tensors) / 1e6
    assert [f"{held[1]:.1f}", f"{held[2]:.1f}", f"{held[7]:.0f}"] == ["7.9", "9.2", "67"]
    assert f"{anatomy('efficientnet_b2').parameters / 1e6:.2f}" == "9.11"


def test_alexnets_list_of_units_is_ours_but_for_a_slip_in_its_first_layer() -> None:
    printed = [253_440, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]  # section 3.5
    kinds = ("Conv2d", "Linear")
    layers = [math.prod(row.output_shape) for row in anatomy("alexnet_paper").layers
              if row.kind in kinds]  # fmt: skip
    assert layers[1:] == printed[1:]
    assert (layers[0], printed[0]) == (55 * 55 * 96, 55 * 48 * 96)


def test_resnet34_without_projections_costs_the_3_6_that_is_printed() -> None:
    shortcuts = sum(row.macs for row in anatomy("resnet34").layers if ".shortcut" in row.name)
    without = anatomy("resnet34").macs - shortcuts
    assert without == anatomy("plain34").macs
    assert f"{without / 1e9:.2f}" == "3.64"


def test_vit_without_its_head_has_the_86_million_that_are_printed() -> None:
    assert f"{(anatomy('vit_b_16').parameters - 769 * 1000) / 1e6:.2f}" == "85.80"


# Table 1 of GoogLeNet's paper, its last column: operations in millions.
OPERATIONS = {"stem.3 stem.4": 360, "3a": 128, "3b": 304, "4a": 73, "4b": 88, "4c": 100, "4d": 119,
              "4e": 170, "5a": 54, "5b": 71, "head": 1}  # fmt: skip


def test_googlenets_table_has_our_operations_but_for_module_5a() -> None:
    layers = anatomy("googlenet_paper").layers
    off = {}
    for names, printed in OPERATIONS.items():
        starts = tuple(n if "." in n or n == "head" else f"inception.{n}." for n in names.split())
        found = sum(row.macs for row in layers if row.name.startswith(starts)) / 1e6
        if abs(found - printed) > 1:
            off[names] = round(found)
    assert off == {"5a": 51}


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


CIFAR = [20, 32, 44, 56, 110, 1202]


@pytest.mark.parametrize("layers", some(CIFAR, CIFAR[:-1]))
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
        assert (rounded(found, step.gmacs) == step.gmacs) == (not step.cause), key
    ends = [anatomy(f"convnext_step_{key}").macs / 1e9 for key in list(steps)[-3:]]
    assert [f"{end:.2f}" for end in ends] == ["4.15", "4.15", "4.46"]  # as the causes say
    assert f"{anatomy('convnext_base').macs / 1e9:.2f}" == "15.35"  # Table 11's last step
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


# The deepest one takes a minute.
@pytest.mark.parametrize("name", some(PATHS, [n for n in PATHS if n != "resnet1202_cifar"]))
def test_receptive_field_is_that_of_the_papers_columns(name: str) -> None:
    size, stride = 1, 1
    for kernel, step in PATHS[name]:
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


FIELDS_IN_THE_GATE = ["alexnet_paper", "vgg16c", "googlenet", "resnet18", "resnet50_paper",
                      "efficientnet_b0", "convnext_tiny", "convnext_step_kernel_5"]  # fmt: skip


@pytest.mark.parametrize("name", some(FIELD_CHECKED, FIELDS_IN_THE_GATE))
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
