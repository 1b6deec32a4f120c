"""EfficientNet-Lite against the package that its weights were published for."""

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from skimage import data as photographs
from sklearn.datasets import load_sample_image
from torch import nn
from torchvision.models import ResNet50_Weights
from torchvision.transforms import InterpolationMode, v2

from lineage_lab import create_model, describe
from lineage_lab.models.efficientnet import LITE
from lineage_lab.models.efficientnet_blocks import same, same_pad
from lineage_lab.weights.published import find, locate

# Published with the weights' packages.
PARAMETERS = {
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_lite2": 6_092_072,
}


@pytest.mark.parametrize("name", LITE)
def test_logits_are_the_reference_packages(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = locate(find(name, "imagenet"))
    reference = EfficientNet.from_pretrained(name.replace("_", "-"), weights_path=str(path)).eval()
    ours = create_model(name, weights="imagenet").eval()
    side = LITE[name].resolution
    torch.manual_seed(0)
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), reference(images), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters(name: str, parameters: int) -> None:
    side = LITE[name].resolution
    anatomy = describe(create_model(name), (3, side, side))
    assert anatomy.parameters == parameters
    assert not anatomy.sees_whole_image  # Lite has no squeeze-and-excitation


# ImageNet's names, by torchvision, of what the photograph shows. ``flower`` is a dahlia, which
# ImageNet doesn't have: of its thousand classes the daisy is the flower that is nearest.
SHOWN = {
    "chelsea": {"tabby", "tiger cat", "Egyptian cat"},
    "coffee": {"espresso", "cup", "coffee mug"},
    "rocket": {"missile", "space shuttle", "projectile"},
    "china.jpg": {"palace"},
    "flower.jpg": {"daisy"},
}


@pytest.mark.parametrize("photograph", SHOWN)
def test_lite0_names_what_is_in_a_real_photograph(photograph: str) -> None:
    """scikit-image's and scikit-learn's, prepared as the entry of the weights says."""
    whose = load_sample_image if "." in photograph else lambda name: getattr(photographs, name)()
    entry = find("efficientnet_lite0", "imagenet")
    prepare = v2.Compose([
        v2.Resize(entry.resize, InterpolationMode(entry.interpolation)),
        v2.CenterCrop(entry.crop),
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(entry.mean, entry.std),
    ])  # fmt: skip
    model = create_model("efficientnet_lite0", weights="imagenet").eval()
    with torch.no_grad():
        best = model(prepare(Image.fromarray(whose(photograph)))[None])[0].topk(5).indices.tolist()
    names = {ResNet50_Weights.DEFAULT.meta["categories"][i] for i in best}
    assert names & SHOWN[photograph], names


@pytest.mark.parametrize("side", [7, 8, 224, 225])
def test_same_convolution_gives_ceil_of_side_by_stride(side: int) -> None:
    for kernel in (1, 3, 5):
        for stride in (1, 2):
            conv = nn.Sequential(same_pad(kernel, stride), same(1, 1, kernel, stride, groups=1))
            assert conv(torch.zeros(1, 1, side, side)).shape[-1] == -(-side // stride)


def test_batch_norm_has_the_published_epsilon_and_pytorchs_momentum() -> None:
    norms = [
        m for m in create_model("efficientnet_lite0").modules() if isinstance(m, nn.BatchNorm2d)
    ]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.1)}


def test_stochastic_depth_skips_blocks_in_training_only() -> None:
    model = create_model("efficientnet_lite0", num_classes=2)
    block = model.stages[6 - 1][1]
    assert block.has_shortcut
    assert 0 < block.drop < 0.2
    x = torch.randn(64, 192, 7, 7)
    kept = (block.train()(x) - x).abs().sum(dim=(1, 2, 3)) > 0
    assert 0 < (~kept).sum() < 64
    assert ((block.eval()(x) - x).abs().sum(dim=(1, 2, 3)) > 0).all()
