"""Exports: other programs give the network's own scores on real photographs, or nothing is left."""

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from lineage_lab.data.sets import Preprocessing, load
from lineage_lab.models.vit import BASE_16, ViT
from lineage_lab.registry import create_model, entry
from lineage_lab.using.export import Export, export_onnx, export_program
from lineage_lab.using.predictor import Predictor
from tests.rows import each

# Sides that are quick where the network takes them.
SIDES = {
    "lenet5": 32,
    "googlenet": 64,
    "resnet18": 64,
    "efficientnet_lite0": 64,
    "convnext_tiny": 32,
    "vit_b_16": 224,
}
CLASSES = ("functional", "defective", "für später")
Way = Callable[..., Export]


def predictor(name: str) -> Predictor:
    channels = entry(name).input_size[0]
    torch.manual_seed(0)
    if name == "vit_b_16":  # with two of its twelve layers
        model = ViT(num_classes=len(CLASSES), config=replace(BASE_16, layers=2))
    else:
        model = create_model(name, num_classes=len(CLASSES))
    return Predictor(
        model=model.eval(),
        name=name,
        classes=CLASSES,
        preprocessing=Preprocessing(
            size=SIDES.get(name, 32),
            mean=(0.5,) * channels,
            std=(0.25,) * channels,
            channels=channels,
        ),
    )


def cells(made: Predictor, number: int) -> Tensor:
    """Real photographs of solar cells."""
    images = load("elpv", size=made.preprocessing.size).images[:number]
    return images.expand(-1, made.preprocessing.channels, -1, -1)


def wake(made: Predictor, images: Tensor) -> None:
    """First weights give all images nearly the same scores; after this, they don't."""
    for module in made.model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.05)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over what it sees, as after a long training
            module.reset_running_stats()
            module.train()
    with torch.no_grad():
        made.model(made.prepare(images))
    made.model.eval()


@pytest.mark.parametrize("name", each(SIDES, 2))
def test_onnx_runtime_gives_the_networks_scores(name: str, tmp_path: Path) -> None:
    made = predictor(name)
    images = cells(made, 32)
    wake(made, images)
    images = images[:5]
    before = {key: tensor.clone() for key, tensor in made.model.state_dict().items()}
    done = export_onnx(made, tmp_path / "x.onnx", images=images)
    assert done.difference < 1e-4
    assert done.size == done.path.stat().st_size
    assert done.checked_on == "3 of the given images"
    assert [p.name for p in tmp_path.iterdir()] == ["x.onnx"]  # all in one file

    onnx.checker.check_model(str(done.path), full_check=True)
    session = onnxruntime.InferenceSession(done.path)
    batch = made.prepare(images)  # a size that the export did not try
    with torch.no_grad():
        wanted = made.model(batch)
    found = torch.from_numpy(session.run(None, {"images": batch.numpy()})[0])
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-4
    # It matters what one sees; the scores of an untrained LeNet-5 lie too near one another.
    assert name == "lenet5" or not torch.allclose(wanted[0], wanted[1], rtol=1e-3)
    kept = session.get_modelmeta().custom_metadata_map
    assert kept["model"] == name
    assert tuple(json.loads(kept["classes"])) == CLASSES
    assert Preprocessing.from_dict(json.loads(kept["preprocessing"])) == made.preprocessing
    after = made.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(p.requires_grad for p in made.model.parameters())


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "convnext_tiny"])
def test_a_saved_program_gives_the_networks_scores(name: str, tmp_path: Path) -> None:
    made = predictor(name)
    images = cells(made, 32)
    wake(made, images)
    images = images[:5]
    done = export_program(made, tmp_path / "x.pt2", images=images)
    assert done.difference < 1e-4
    kept = {"model": "", "classes": "", "preprocessing": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.load(done.path, extra_files=kept)
    batch = made.prepare(images)
    with torch.no_grad():
        wanted = made.model(batch)
        found = program.module()(batch)
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-4
    assert kept["model"] == name
    assert tuple(json.loads(kept["classes"])) == CLASSES
    assert Preprocessing.from_dict(json.loads(kept["preprocessing"])) == made.preprocessing


def test_onnx_of_a_fixed_shape_takes_one_image(tmp_path: Path) -> None:
    made = predictor("efficientnet_lite0")
    images = cells(made, 8)
    wake(made, images)
    done = export_onnx(made, tmp_path / "x.onnx", images=images[:3], dynamic=False)
    assert done.difference < 1e-4
    session = onnxruntime.InferenceSession(done.path)
    (taken,) = session.get_inputs()
    assert taken.shape == [1, 3, made.preprocessing.size, made.preprocessing.size]
    batch = made.prepare(images[3:4])  # not among those that it was checked on
    with torch.no_grad():
        wanted = made.model(batch)
    found = torch.from_numpy(session.run(None, {"images": batch.numpy()})[0])
    assert float((found - wanted).abs().max() / wanted.abs().max()) < 1e-4


WAYS = [export_onnx, export_program]


class Forgetful(nn.Module):
    """Looks at its input's values while it is traced, so that the export is another network."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1024, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(x.flatten(1))
        return y if torch.compiler.is_exporting() else 1.001 * y


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_export_never_gets_its_name(way: Way, tmp_path: Path) -> None:
    how = Preprocessing(size=32, mean=(0.5,), std=(0.5,), channels=1)
    made = Predictor(model=Forgetful().eval(), name="x", classes=CLASSES, preprocessing=how)
    path = tmp_path / "x.onnx"
    path.write_text("before")
    with pytest.raises(
        ValueError, match=r"x\.onnx was not written: .* differ .* by \d\.\de-0[34] of"
    ):
        way(made, path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["x.onnx"]


class TwoPixels(nn.Module):
    """Its scores are two pixels; as an export it rounds a little otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(1)[:, :2] * self.scale
        return y if torch.compiler.is_exporting() else y + 2e-6


@pytest.mark.parametrize("way", WAYS)
def test_an_image_with_nearly_equal_scores_does_not_make_rounding_a_fault(
    way: Way, tmp_path: Path
) -> None:
    how = Preprocessing(size=32, mean=(0.5,), std=(0.5,), channels=1)
    made = Predictor(model=TwoPixels(), name="x", classes=("a", "b"), preprocessing=how)
    images = torch.zeros(3, 1, 32, 32, dtype=torch.uint8)
    images[:, 0, 0, :2] = torch.tensor([[128, 129], [0, 255], [255, 0]])
    assert way(made, tmp_path / "x", images=images).difference < 1e-5


@pytest.mark.parametrize("way", WAYS)
def test_without_images_noise_is_taken_and_said(way: Way, tmp_path: Path) -> None:
    assert way(predictor("lenet5_modern"), tmp_path / "x").checked_on == "noise"


@pytest.mark.parametrize("way", WAYS)
def test_images_that_do_not_fit_are_told(way: Way, tmp_path: Path) -> None:
    made = predictor("lenet5_modern")
    for images, message in (
        (torch.zeros(3, 1, 28, 28, dtype=torch.uint8), r"must be uint8 \[n, 1, 32, 32\]"),
        (torch.zeros(3, 1, 32, 32), r"must be uint8 .*torch.float32"),
        (torch.zeros(2, 1, 32, 32, dtype=torch.uint8), "3 images or more are needed, not 2"),
    ):
        with pytest.raises(ValueError, match=message):
            way(made, tmp_path / "x", images=images)
    assert list(tmp_path.iterdir()) == []


def test_the_opset_is_as_asked(tmp_path: Path) -> None:
    for opset in (18, 20):
        done = export_onnx(predictor("lenet5_modern"), tmp_path / "x.onnx", opset=opset)
        assert onnx.load(done.path).opset_import[0].version == opset


def test_a_missing_extra_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lineage_lab.using.export.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"onnx, which .*lineage-lab\[export\]"):
        export_onnx(predictor("lenet5_modern"), tmp_path / "x.onnx")
