"""What built a network, as an expression: told from it, read without running what it should not."""

import sys
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from lineage_lab import create_model, replace_head
from lineage_lab.registry import entry, family_of, name_of, rebuilt
from lineage_lab.weights.builders import NotAllowed, Unknown, build, is_expression

NETS = """
import torch
from torch import nn

print("imported")  # what a strange module would do

class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor

class Net(nn.Module):
    def __init__(self, width, classes=10):
        super().__init__()
        self.width, self.classes = width, classes
        self.conv, self.norm = nn.Conv2d(3, width, 3, 2), nn.BatchNorm2d(width)
        self.out = nn.Linear(width, classes)

    def forward(self, x):
        return {"logits": self.out(self.norm(self.conv(x)).relu().mean((2, 3)))}

class Wrap(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)["logits"].log_softmax(1)

class Secretive(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 2)

    def forward(self, x):
        return self.fc(x.flatten(1))
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "strangers_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    import strangers_nets

    yield strangers_nets
    del sys.modules["strangers_nets"]


def known() -> dict[str, nn.Module]:
    import timm

    return {
        "resnet20_cifar": create_model("resnet20_cifar", num_classes=3),
        "torchvision.models.shufflenet_v2_x0_5(num_classes=5)": replace_head(
            torchvision.models.shufflenet_v2_x0_5(), 5
        ),
        "timm.create_model('resnet10t', num_classes=4)": replace_head(
            timm.create_model("resnet10t"), 4
        ),
    }


@pytest.mark.filterwarnings("ignore")
def test_the_builder_of_a_known_librarys_network_is_told_and_builds_it_again() -> None:
    for wanted, model in known().items():
        assert name_of(model) == wanted
        assert name_of(nn.DataParallel(torch.compile(model))) == wanted
        classes = int(wanted[-2]) if wanted.endswith(")") else 3
        again = rebuilt(wanted, num_classes=classes)
        again.load_state_dict(model.state_dict())


def test_any_importable_class_with_plain_arguments_is_told(nets) -> None:
    text = "strangers_nets.Net(width=8, classes=3)"
    assert name_of(nets.Net(8, classes=3)) == text
    assert name_of(nets.Wrap(nets.Net(8, classes=3))) == f"strangers_nets.Wrap(net={text})"
    both = nn.Sequential(nets.Scale(2.0), nn.DataParallel(torch.compile(nets.Net(8, classes=3))))
    assert name_of(both) == f"torch.nn.Sequential(strangers_nets.Scale(factor=2.0), {text})"
    named = nn.Sequential()
    named.add_module("body", nn.Flatten())
    named.add_module("fc", nn.Linear(12, 2, bias=False))
    again = build(name_of(named))
    assert list(dict(again.named_children())) == ["body", "fc"]
    assert again.fc.bias is None


@pytest.mark.fault("no-builder")
def test_what_cannot_be_told_says_what_to_pass(nets) -> None:
    class Local(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x.flatten(1))

    changed = nets.Net(8)
    changed.more = nn.Linear(3, 3)
    for model, why in (
        (Local(), "its class stands in a script or a function"),
        (nets.Secretive(8), "can't be told from it"),
        (changed, "can't be told from it"),
    ):
        with pytest.raises(Unknown, match=rf'{why}.*Pass what builds it: name="package\.module'):
            name_of(model)


@pytest.mark.fault("not-allowed")
def test_nothing_is_imported_that_is_not_allowed_by_name(nets, capsys) -> None:
    text = "strangers_nets.Net(width=8)"
    del sys.modules["strangers_nets"]
    capsys.readouterr()
    with pytest.raises(NotAllowed, match=r"allow=\['strangers_nets'\], or --allow strangers_nets"):
        rebuilt(text, num_classes=10)
    assert capsys.readouterr().out == ""
    assert rebuilt(text, num_classes=4, allow=["strangers_nets"]).out.out_features == 4
    assert capsys.readouterr().out == "imported\n"
    assert entry(text).input_size == (3, 224, 224)  # who writes it has named it


@pytest.mark.parametrize(
    "text",
    [
        "os.system('touch ran')",
        "torch.hub.load('a/b', 'c')",
        "torch.nn.modules.module.torch.load('x')",
        "torch.load('x')",
        "torchvision.models.get_model('resnet18')",
        "torchvision.datasets.utils.download_url('http://x', '.')",
        "timm.create_model('hf-hub:someone/something')",
        "timm.create_model('resnet18', pretrained=True)",
        "timm.create_model('resnet18', checkpoint_path='x')",
        "torchvision.models.resnet18(weights='DEFAULT')",
        "lineage_lab.create_model('resnet18', weights='x.pth')",
        "transformers.TimmWrapperForImageClassification(config={})",
        "transformers.ResNetForImageClassification(config={'attn_implementation': 'a/b'})",
        "transformers.AutoModelForImageClassification(config={})",
        "__import__('os').system('touch ran')",
        "[m for m in (1, 2)]",
        "(lambda: 1)()",
        "torch.nn.Linear(*[1, 2])",
        "torch.nn.Linear(2, open('x'))",
        "1 + 1",
        "torch.nn.Sequential(",
        "(" * 500,
    ],
)
def test_an_expression_runs_nothing_but_known_builders(text: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, TypeError)):
        build(text)
    assert list(tmp_path.iterdir()) == []


def test_what_an_allowed_module_imported_itself_is_not_allowed(nets) -> None:
    with pytest.raises(ValueError, match="is no class or function of strangers_nets"):
        build("strangers_nets.torch.load('x')", allow=["strangers_nets"])
    assert not is_expression("timm/resnet18.a1_in1k")
    assert not is_expression("resnet18")


@pytest.mark.filterwarnings("ignore")
def test_a_network_of_a_known_kind_gets_its_kinds_rates() -> None:
    import timm

    from lineage_lab.training.recipe import recipe_for

    with torch.device("meta"):
        for name, family in (
            ("convnext_atto", "convnext"),
            ("vit_tiny_patch16_224", "vit"),
            ("swin_tiny_patch4_window7_224", "vit"),
            ("vgg11", "vgg"),
            ("resnet10t", "resnet"),
            ("mixer_s32_224", "convnext"),
        ):
            assert family_of(timm.create_model(name)) == family, name
        wrapped = nn.Sequential(nn.Identity(), torchvision.models.convnext_tiny())
        assert family_of(wrapped) == "convnext"
    assert entry("timm/convnext_atto").trained_as == "convnext"
    recipe = recipe_for(entry("timm/convnext_atto").trained_as)
    assert (recipe.lr, recipe.layer_decay) == (1e-4, 0.8)
