"""Grad-CAM: the paper's formula, on the map that it means."""

import copy
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.data.sets import Preprocessing, load, read_image
from lineage_lab.registry import create_model
from lineage_lab.training import checkpoint
from lineage_lab.training.recipe import Recipe
from lineage_lab.using.answers import answers
from lineage_lab.using.gradcam import heatmap
from lineage_lab.using.predictor import Predictor
from tests.docs.harness import covered_fences
from tests.using.test_predictor import photographs

ROOT = Path(__file__).parents[2]


def as_drawn(evidence: Tensor, size: tuple[int, int]) -> Tensor:
    """[h, w] to the image's size, divided by its maximum."""
    large = F.interpolate(evidence[None, None], size=size, mode="bilinear")[0, 0]
    return large / large.max()


class Tiny(nn.Module):
    """Two maps, a pool, a hidden layer: small enough to do the sums by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.hidden = nn.Linear(8, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.hidden(self.stem(x).flatten(1)).tanh())
        return y


def test_the_weights_are_the_mean_gradients_by_finite_differences() -> None:
    torch.manual_seed(1)
    model = Tiny().double().eval()
    image = torch.rand(1, 6, 6, dtype=torch.float64)
    maps = model.stem[1](model.stem[0](image[None])).detach()

    @torch.no_grad()
    def score(m: Tensor) -> float:
        return float(model.head(model.hidden(model.stem[2](m).flatten(1)).tanh())[0, 1])

    weights = torch.zeros(2, dtype=torch.float64)
    for index in torch.cartesian_prod(torch.arange(2), torch.arange(4), torch.arange(4)).tolist():
        step = torch.zeros_like(maps)
        step[0][tuple(index)] = 1e-6
        weights[index[0]] += (score(maps + step) - score(maps - step)) / 2e-6 / 16
    evidence = (weights.view(2, 1, 1) * maps[0]).sum(dim=0).relu()
    assert evidence.max() > 0
    found = heatmap(model, image, 1)
    torch.testing.assert_close(found, as_drawn(evidence, (6, 6)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0", "googlenet"])
def test_with_a_pool_and_one_linear_layer_it_is_the_class_activation_map(name: str) -> None:
    """Section 3.1 of the paper: it generalises CAM (Zhou et al. 2016), which needs no gradient."""
    torch.manual_seed(0)
    model = create_model(name, num_classes=4).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            module.train()
    images = torch.rand(4, 3, 96, 96)
    with torch.no_grad():
        model(images)
    model.eval()
    pools = [m for m in model.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    seen: list[Tensor] = []
    handle = pools[-1].register_forward_hook(lambda m, given, out: seen.append(given[0]))
    with torch.no_grad():
        model(images[:1])
    handle.remove()
    head = model.head
    assert isinstance(head, nn.Linear)
    evidence = torch.einsum("c,chw->hw", head.weight[2].detach(), seen[0][0]).relu()
    assert evidence.max() > 0
    torch.testing.assert_close(
        heatmap(model, images[0], 2), as_drawn(evidence, (96, 96)), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("name", "side"), [("vgg11", 64), ("alexnet", 96), ("convnext_tiny", 64), ("lenet5_modern", 32)]
)
def test_every_convolutional_family_has_a_map(name: str, side: int) -> None:
    torch.manual_seed(0)
    model = create_model(name, num_classes=10).eval()
    channels = next(p for p in model.parameters() if p.dim() == 4).shape[1]
    image = torch.rand(channels, side, side)
    found = [heatmap(model, image, label) for label in range(10)]
    assert all(f.shape == (side, side) and not f.requires_grad for f in found)
    assert all(bool(((f >= 0) & (f <= 1)).all()) for f in found)
    assert any(float(f.max()) == 1 and float(f.std()) > 0.01 for f in found)


def test_the_cat_is_where_the_evidence_for_a_cat_is() -> None:
    """A photograph of a cat beside one of a cup: each class lights up its own half."""
    made = Predictor.pretrained("efficientnet_lite0")
    cat, cup = (read_image(photographs() / f"{n}.png", made.preprocessing)
                for n in ("chelsea", "coffee"))  # fmt: skip
    pair = F.interpolate(torch.cat((cat, cup), dim=2)[None].float(), size=(224, 448))
    image = made.prepare(pair)[0]
    for name, left in (("Egyptian cat", True), ("espresso", False)):
        found = heatmap(made.model, image, made.classes.index(name))
        share = float(found[:, :224].sum() / found.sum())
        assert (share > 0.8) if left else (share < 0.2), (name, share)


def test_the_network_is_left_as_it_was_and_a_frozen_one_is_no_other() -> None:
    torch.manual_seed(0)
    model = Tiny().eval()
    image = torch.rand(1, 6, 6)
    before = copy.deepcopy(model.state_dict())
    found = heatmap(model, image, 0)
    with torch.no_grad():
        assert torch.equal(found, heatmap(model.requires_grad_(False), image, 0))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


def test_what_has_no_map_is_refused() -> None:
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"ViT has no map of features .* tokens: Grad-CAM"):
        heatmap(create_model("vit_b_16", num_classes=2).eval(), torch.rand(3, 224, 224), 0)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
    with pytest.raises(ValueError, match="Sequential has no map of features before its head:"):
        heatmap(flat, torch.rand(1, 2, 2), 0)
    with pytest.raises(ValueError, match="there is no class 3: the network has 3"):
        heatmap(Tiny().eval(), torch.rand(1, 6, 6), 3)
    with pytest.raises(ValueError, match="train mode"):
        heatmap(Tiny(), torch.rand(1, 6, 6), 0)


def test_the_picture_shows_the_surest_right_and_wrong_answers_with_their_words() -> None:
    digits = load("digits", size=32)
    some = digits.take(torch.arange(0, len(digits), 25))
    torch.manual_seed(0)
    how = Preprocessing(size=32, mean=(0.1,), std=(0.3,), channels=1)
    made = Predictor(
        model=create_model("lenet5_modern").eval(),
        name="lenet5_modern",
        classes=digits.classes,
        preprocessing=how,
    )
    svg = ElementTree.fromstring(answers(made, some))
    told = svg.findtext("{http://www.w3.org/2000/svg}desc")
    photos = svg.findall("{http://www.w3.org/2000/svg}image")
    assert len(photos) == 2 * (told.count("right:") + told.count("wrong:")) > 4
    for words in re.findall(r"(right|wrong): (\d), named (\d)", told):
        assert (words[0] == "right") == (words[1] == words[2])
    with torch.no_grad():
        chances = made.model(made.prepare(some.images)).softmax(dim=1)
    sure = chances.max(dim=1).values[chances.argmax(dim=1) == some.labels].max()
    assert f"with {100 * sure:.0f} percent" in told


def test_the_command_of_the_page_draws_a_run(tmp_path: Path) -> None:
    me = "tests/using/test_gradcam.py::test_the_command_of_the_page_draws_a_run"
    (fence,) = covered_fences(ROOT / "docs" / "fine-tune.md", me)
    program, *rest = fence.split()
    assert program == "python"
    assert rest[-1] == "elpv"
    torch.manual_seed(0)
    checkpoint.save(
        tmp_path / "run" / "best.ckpt",
        checkpoint.Checkpoint(
            model="lenet5_modern",
            classes=tuple(map(str, range(10))),
            preprocessing=asdict(Preprocessing(size=32, mean=(0.1,), std=(0.3,), channels=1)),
            recipe=asdict(Recipe()),
            state=create_model("lenet5_modern").state_dict(),
            training=None,
            metrics={},
        ),
    )
    subprocess.run([sys.executable, *rest[:-1], "digits"], cwd=tmp_path, check=True)
    drawn = (tmp_path / rest[-2]).read_text(encoding="utf-8")
    assert "Where lenet5_modern found its evidence on digits" in drawn
