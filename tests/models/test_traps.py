"""Known traps, one test each."""

import pytest
import torch
import torchvision.models as tvm
from torch import nn

from lineage_lab import create_model
from lineage_lab.models.alexnet import PAPER, AlexNet
from lineage_lab.models.blocks import LocalResponseNorm
from lineage_lab.models.googlenet import AUXILIARY_WEIGHT, GoogLeNetOutputs, auxiliary_loss
from lineage_lab.weights import published
from lineage_lab.weights.naming import to_torchvision
from lineage_lab.weights.published import find


def test_alexnets_normalisation_is_the_papers_formula() -> None:
    """b = a / (k + α Σ a²)^β over 5 neighbouring maps: PyTorch's layer divides its alpha by 5."""
    norms = [m for m in AlexNet(config=PAPER).modules() if isinstance(m, LocalResponseNorm)]
    assert len(norms) == 2
    a = torch.randn(1, 9, 2, 2, dtype=torch.float64) * 30
    for i in range(9):
        near = a[:, max(0, i - 2) : i + 3]
        expected = a[:, i] / (2 + 1e-4 * near.square().sum(dim=1)) ** 0.75
        torch.testing.assert_close(norms[0](a)[:, i], expected)
    builtin = nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(norms[1](a), builtin(a))


def test_alexnets_groups_see_their_own_half_only() -> None:
    model = create_model("alexnet_paper", num_classes=2)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert [c.groups for c in convolutions] == [1, 2, 1, 2, 2]
    assert [c.out_channels for c in convolutions] == [96, 256, 384, 384, 256]


def test_alexnets_first_weights_are_the_papers() -> None:
    torch.manual_seed(0)
    model = create_model("alexnet_paper")
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert [layer.bias.unique().tolist() for layer in layers] == [
        [0.0], [1.0], [0.0], [1.0], [1.0], [1.0], [1.0], [0.0]
    ]  # fmt: skip
    assert all(abs(layer.weight.std().item() - 0.01) < 2e-4 for layer in layers)


def test_the_paper_drops_what_a_hidden_layer_gives_torchvision_what_it_gets() -> None:
    kinds = {name: [type(m).__name__ for m in create_model(name).hidden]
             for name in ("alexnet", "alexnet_paper")}  # fmt: skip
    assert kinds["alexnet"] == ["Dropout", "Linear", "ReLU"] * 2
    assert kinds["alexnet_paper"] == ["Linear", "ReLU", "Dropout"] * 2


def test_googlenet_paper_has_the_papers_5x5_and_torchvisions_has_3x3() -> None:
    for name, side, bias in (("googlenet_paper", 5, True), ("googlenet", 3, False)):
        model = create_model(name, num_classes=2)
        module = model.inception["3a"]
        conv = module.branch_5x5[1][0]
        assert conv.kernel_size == (side, side)
        assert (conv.bias is not None) == bias
        kinds = {type(m).__name__ for m in model.modules()}
        assert ("BatchNorm2d" in kinds) != bias
        assert ("LocalResponseNorm" in kinds) == bias


def test_googlenets_auxiliary_losses_count_three_tenths_each() -> None:
    torch.manual_seed(0)
    outputs = GoogLeNetOutputs(*torch.randn(3, 4, 5))
    labels = torch.tensor([0, 1, 2, 3])
    main, *side = (nn.functional.cross_entropy(logits, labels) for logits in outputs)
    assert AUXILIARY_WEIGHT == 0.3
    torch.testing.assert_close(auxiliary_loss(outputs, labels), main + 0.3 * (side[0] + side[1]))


def test_pretrained_googlenet_rescales_its_input_as_torchvisions_does(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision turns `transform_input` on and drops the auxiliary classifiers."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    entry = find("googlenet", "imagenet")
    file = tmp_path / "hub" / "checkpoints" / entry.filename
    file.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(to_torchvision(create_model("googlenet")), file)
    monkeypatch.setattr(published, "_sha256", lambda path: entry.sha256 + "0" * 56)
    monkeypatch.setattr(torch.hub, "HASH_REGEX", torch.hub.HASH_REGEX)
    ours = create_model("googlenet", weights="imagenet").eval()
    theirs = tvm.googlenet(weights=tvm.GoogLeNet_Weights.DEFAULT).eval()
    assert theirs.transform_input
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(ours(images), theirs(images))
    assert isinstance(ours.train()(images), torch.Tensor)  # as torchvision's does
    plain = create_model("googlenet").eval()
    assert isinstance(plain.rescale, nn.Identity)


def test_resnets_papers_stride_is_in_the_first_1x1() -> None:
    def strides(name: str) -> list[int]:
        block = create_model(name, num_classes=2).stages[1][0]
        return [part[0].stride[0] for part in (block.reduce, block.filter, block.expand)]

    assert strides("resnet50_paper") == [2, 1, 1]
    assert strides("resnet50") == [1, 2, 1]


def test_option_a_adds_no_parameter_and_fills_new_channels_with_zeros() -> None:
    block = create_model("resnet20_cifar").stages[1][0]
    assert list(block.shortcut.parameters()) == []
    x = torch.randn(1, 16, 8, 8)
    y = block.shortcut(x)
    assert torch.equal(y[:, :16], x[:, :, ::2, ::2])
    assert not y[:, 16:].any()


def test_a_plain_network_adds_nothing() -> None:
    torch.manual_seed(0)
    plain = create_model("plain20_cifar").eval()
    block = plain.stages[0][0]
    x = torch.randn(2, 16, 8, 8)
    assert torch.equal(block(x), block.second(block.relu(block.first(x))).relu())


def test_efficientnets_variants_are_powers_rounded_by_hand() -> None:
    """Equation 3 with α = 1.2, β = 1.1: B1 to B3 follow it, the published B7 no longer does."""
    from lineage_lab.models.efficientnet import VARIANTS

    depth = {name: scaling.depth for name, (scaling, _) in VARIANTS.items()}
    assert depth["efficientnet_b3"] == pytest.approx(1.2**2, abs=0.05)
    assert depth["efficientnet_b7"] == 3.1
    assert pytest.approx(2, abs=0.1) == 1.2 * 1.1**2 * 1.15**2
