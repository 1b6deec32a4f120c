"""Ours and torchvision's are the same network: weights, logits, gradients, both ways.

Every name of the registry that torchvision has is tested by being listed.
"""

import gc
import warnings
from collections.abc import Iterator

import pytest
import torch
import torchvision.models as tvm
from torch import Tensor, nn

from lineage_lab import create_model, list_models
from lineage_lab.registry import entry
from lineage_lab.weights.naming import from_torchvision, to_torchvision, torchvision_names
from tests.rows import some

SHIPPED = [name for name in list_models() if hasattr(tvm, name)]


def theirs(name: str, **options) -> nn.Module:
    with warnings.catch_warnings():  # GoogLeNet announces another initialisation
        warnings.simplefilter("ignore", FutureWarning)
        return getattr(tvm, name)(num_classes=7, **options)


# They have the layers, blocks and heads of their smaller sisters, and more of them.
LARGER = ("vgg13", "vgg16", "vgg19", "vgg13_bn", "vgg16_bn", "vgg19_bn", "resnet34", "resnet101",
          "resnet152", "convnext_small", "convnext_base", "convnext_large",
          *(f"efficientnet_b{number}" for number in range(2, 8)))  # fmt: skip


@pytest.fixture(scope="module", params=some(SHIPPED, [n for n in SHIPPED if n not in LARGER]))
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[nn.Module, nn.Module, Tensor]]:
    """Both networks, each built after the same seed, and images of a size that is quick."""
    name = request.param
    torch.manual_seed(3)
    ours = create_model(name, num_classes=7)
    torch.manual_seed(3)
    other = theirs(name)
    side = {"vit_b_16": 224}.get(name, 96)
    yield ours, other, torch.randn(2, 3, side, side)
    gc.collect()


def test_torchvision_has_all_the_rows_that_bear_its_names() -> None:
    papers = {n for n in list_models() if n.endswith(("_paper", "_cifar", "_ungrouped", "_384"))}
    others = {n for n in list_models() if n.startswith(("lenet5", "plain", "efficientnet_lite",
                                                        "convnext_step_"))}  # fmt: skip
    assert set(SHIPPED) == set(list_models()) - papers - others - {"vgg16c"}
    assert len(SHIPPED) >= 28


def test_same_seed_same_first_weights(pair) -> None:
    ours, other, _ = pair
    state, expected = to_torchvision(ours), other.state_dict()
    assert set(state) == set(expected)
    assert [n for n in expected if not torch.equal(state[n], expected[n])] == []


def test_state_dicts_load_strictly_both_ways_and_the_logits_are_bit_equal(pair) -> None:
    ours, other, images = pair
    head = ours.head
    torch.manual_seed(4)
    nn.init.normal_(head.weight, std=0.02)  # ViT's starts at zero: its logits would say nothing
    for name, buffer in ours.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
    other.load_state_dict(to_torchvision(ours))
    again = from_torchvision(ours, other.state_dict())
    assert all(torch.equal(tensor, again[name]) for name, tensor in ours.state_dict().items())
    ours.load_state_dict(again)
    logits, expected = ours.eval()(images), other.eval()(images)
    assert isinstance(logits, Tensor)
    assert logits.std() > 0
    assert torch.equal(logits, expected)
    with torch.no_grad():  # torchvision's attention takes another kernel here
        torch.testing.assert_close(ours(images), other(images), atol=1e-5, rtol=1e-5)


def test_one_training_step_has_the_same_loss_and_the_same_gradients(pair) -> None:
    ours, other, images = pair
    nn.init.normal_(ours.head.weight, std=0.02)  # ViT's starts at zero: no gradient would pass it
    other.load_state_dict(to_torchvision(ours))
    labels = torch.tensor([1, 5])
    losses, scores = [], []
    for model in (ours.train(), other.train()):
        model.zero_grad()
        torch.manual_seed(5)  # dropout and stochastic depth draw the same
        outputs = model(images)
        parts = outputs if isinstance(outputs, tuple) else (outputs,)
        scores.append(parts)
        loss = sum(nn.functional.cross_entropy(part, labels) for part in parts)
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == losses[1]
    for mine, theirs_ in zip(*scores, strict=True):  # the auxiliaries' too, in their order
        assert torch.equal(mine, theirs_)
    gradients = dict(other.named_parameters())
    names = torchvision_names(ours)
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter.grad, gradients[names[name]].grad), name
    for name, buffer in ours.named_buffers():  # running statistics moved alike
        assert torch.equal(buffer, other.state_dict()[names[name]])


@pytest.mark.parametrize("name", SHIPPED)
def test_the_published_form_has_torchvisions_tensors(name: str) -> None:
    """With its 1,000 classes and at its own size, on the meta device."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        ours = create_model(name)
        options = {"init_weights": False} if name == "googlenet" else {}
        other = getattr(tvm, name)(**options)
        image = torch.empty(1, *entry(name).input_size)
    shapes = {n: t.shape for n, t in to_torchvision(ours).items()}
    assert shapes == {n: t.shape for n, t in other.state_dict().items()}
    assert ours.eval()(image).shape == other.eval()(image).shape == (1, 1000)


def test_a_foreign_state_dict_is_refused_with_its_names() -> None:
    ours = create_model("resnet18")
    with pytest.raises(ValueError, match=r"is no state dict of torchvision's for ResNet: \d+ ten"):
        from_torchvision(ours, theirs("alexnet").state_dict())
    with pytest.raises(ValueError, match="torchvision has no LeNet5"):
        torchvision_names(create_model("lenet5"))


def test_old_files_of_vit_call_the_mlp_otherwise() -> None:
    """What torchvision published before version 0.14, and its own loader still takes."""
    ours = create_model("vit_b_16", num_classes=7)
    new = to_torchvision(ours)
    old = {n.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): t
           for n, t in new.items()}  # fmt: skip
    theirs("vit_b_16").load_state_dict(dict(old))
    again = from_torchvision(ours, old)
    assert all(torch.equal(t, again[n]) for n, t in ours.state_dict().items())


def test_files_without_the_count_of_batches_load() -> None:
    ours = create_model("resnet18", num_classes=7)
    state = {n: t for n, t in to_torchvision(ours).items() if "num_batches" not in n}
    ours.load_state_dict(from_torchvision(ours, state))


@pytest.mark.parametrize("name", SHIPPED)
def test_parameters_are_those_that_torchvision_publishes(name: str) -> None:
    with torch.device("meta"):
        model = create_model(name)
    if name == "googlenet":  # the published number leaves the auxiliary classifiers out
        model.auxiliary_4a = model.auxiliary_4d = None
    meta = tvm.get_model_weights(name).DEFAULT.meta
    assert sum(p.numel() for p in model.parameters()) == meta["num_params"]
    assert entry(name).num_classes == 1000
