"""`describe` against counters and networks that we did not write."""

import subprocess
import sys

import pytest
import torch
import torchvision.models as tvm
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lineage_lab import describe
from lineage_lab.chapters.lineage import NETWORKS

# Computed from the papers' kernel, stride and padding columns by hand, layer after layer.
FIELDS = {
    "alexnet": 195,
    "vgg11": 150,
    "vgg13": 156,
    "vgg16": 212,
    "vgg19": 268,
    "resnet18": 435,
    "resnet34": 899,
    "convnext_tiny": 1688,
}
COUNTED = (*FIELDS, "resnet50", "efficientnet_b0", "vit_b_16", "densenet121", "mobilenet_v3_small")


def empty(name: str) -> nn.Module:
    with torch.device("meta"):
        return getattr(tvm, name)().eval()


@pytest.mark.parametrize("name", COUNTED)
def test_two_macs_make_the_flops_that_pytorchs_counter_finds(name: str) -> None:
    model = empty(name)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, 224, 224, device="meta"))
    anatomy = describe(model)
    assert anatomy.flops == counter.get_total_flops()
    assert sum(layer.macs for layer in anatomy.layers) == anatomy.macs


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny", "efficientnet_b0"])
def test_parameters_are_those_that_torchvision_publishes(name: str) -> None:
    assert (
        describe(empty(name)).parameters == tvm.get_model_weights(name).DEFAULT.meta["num_params"]
    )


@pytest.mark.parametrize(("name", "field"), FIELDS.items())
def test_receptive_field_is_that_of_the_layers_by_hand(name: str, field: int) -> None:
    anatomy = describe(empty(name))
    assert anatomy.receptive_field == field
    assert not anatomy.sees_whole_image


def test_squeeze_and_excitation_makes_every_unit_see_the_whole_image() -> None:
    anatomy = describe(empty("efficientnet_b0"))
    assert anatomy.sees_whole_image
    assert anatomy.receptive_field == 851


class Branches(nn.Module):
    """A 3×3, a 5×5 and a pooling branch, and a shortcut: everything that a field must follow."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, stride=2, padding=1)
        self.a = nn.Conv2d(2, 2, 3, padding=2, dilation=2)
        self.b = nn.Sequential(nn.AvgPool2d(2, 1), nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(2, 2, 1))
        self.last = nn.Conv2d(6, 1, 3, stride=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.last(torch.cat((self.a(x), self.b(x), x), dim=1))


def test_receptive_field_is_where_the_gradient_arrives() -> None:
    model = Branches().double()
    for parameter in model.parameters():
        nn.init.ones_(parameter)  # positive weights: no contribution cancels another
    image = torch.zeros(1, 1, 64, 64, dtype=torch.float64, requires_grad=True)
    out = model(image)
    unit = out.shape[-1] // 2
    out[0, 0, unit, unit].backward()
    touched = image.grad[0, 0].sum(dim=0).nonzero().flatten()
    field = describe(model, (1, 64, 64)).field
    assert field is not None
    assert field.left + unit * field.stride == touched.min()
    assert field.right + unit * field.stride == touched.max()


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4).eval(), nn.Dropout()).train()
    model[1].eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    describe(model, (3, 8, 8))
    assert [m.training for m in model] == [True, False, True]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(not module._forward_hooks for module in model.modules())
    assert {p.device.type for p in model.parameters()} == {"cpu"}


def test_a_size_that_the_network_cannot_take_is_named() -> None:
    with pytest.raises(ValueError, match=r"Sequential can't take an image of 1×8×8"):
        describe(nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 8, 8))


def test_the_table_prints_a_row_for_each_layer_and_the_sum() -> None:
    anatomy = describe(nn.Sequential(nn.Conv2d(3, 64, 7, stride=2, padding=3), nn.ReLU()))
    text = str(anatomy).splitlines()
    assert text[0].split() == ["layer", "kind", "output", "parameters", "MACs", "field"]
    assert text[2].split() == ["0", "Conv2d", "64×112×112", "9,472", "118,013,952", "7"]
    assert text[-1].split() == ["total", "9,472", "118,013,952", "7"]
    assert anatomy.to_markdown().splitlines()[2].startswith("| 0 | Conv2d | 64×112×112 | 9,472 |")
    assert anatomy.activations == 64 * 112 * 112


@pytest.mark.parametrize("network", [n for n in NETWORKS if n.key != "lenet5"], ids=lambda n: n.key)
def test_the_ledgers_parameters_are_the_networks(network) -> None:
    options = {"aux_logits": False, "init_weights": False} if network.key == "googlenet" else {}
    with torch.device("meta"):
        model = getattr(tvm, network.variant)(**options)
    assert sum(p.numel() for p in model.parameters()) == network.parameters


class ReadsAValue(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.mean() > 0 else -x


def test_a_forward_pass_that_reads_values_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"reads the values of a tensor .* Move that out"):
        describe(ReadsAValue(), (3, 8, 8))


def test_layers_without_a_shape_are_named() -> None:
    with pytest.raises(ValueError, match=r"without a shape yet \(0\): run it once"):
        describe(nn.Sequential(nn.LazyConv2d(4, 3)), (3, 8, 8))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_weight_norm_and_scripted_layers_are_counted_and_left_alone() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    scripted = torch.jit.script(nn.Conv2d(4, 4, 3))
    model = nn.Sequential(normed, scripted)
    assert describe(model, (3, 8, 8)).macs == 6 * 6 * 4 * 27 + 4 * 4 * 4 * 36
    assert model(torch.rand(1, 3, 8, 8)).device.type == "cpu"


def kept_on_a_processor(model: nn.Module, batch: int) -> int:
    """What autograd really holds after a forward pass."""
    weights = {t.untyped_storage()._cdata for t in (*model.parameters(), *model.buffers())}
    held: dict[int, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        held[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = model(torch.rand(batch, 3, 64, 64))
    del out
    return sum(t.untyped_storage().nbytes() for k, t in held.items() if k not in weights)


@pytest.mark.parametrize(
    "name", ["vgg11", "resnet18", "densenet121", "mobilenet_v3_small", "shufflenet_v2_x0_5",
             "convnext_tiny"]
)  # fmt: skip
def test_memory_for_training_is_what_autograd_really_keeps(name: str) -> None:
    model = getattr(tvm, name)().train()
    kept = kept_on_a_processor(model, 4) - kept_on_a_processor(model, 3)
    assert describe(model, (3, 64, 64)).saved_bytes == kept


def test_vgg19_is_described_without_its_memory() -> None:
    code = """
import resource, torch, torchvision.models as tvm
from lineage_lab import describe
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
describe(torch.nn.Conv2d(3, 4, 3))
with torch.device("meta"):
    model = tvm.vgg19()
before = peak()
describe(model)
print(peak() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 64 * 1024  # kilobytes; the weights alone are 548 MiB
