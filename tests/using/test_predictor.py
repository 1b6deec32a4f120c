"""Prediction: real photographs are named rightly, and nothing has to be remembered."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from lineage_lab.data.sets import Preprocessing, read_image
from lineage_lab.models.googlenet import GoogLeNet, Rescale
from lineage_lab.registry import create_model
from lineage_lab.training.checkpoint import Checkpoint, save
from lineage_lab.using.predictor import Predictor, imagenet_classes
from lineage_lab.weights import published as weights


def photographs() -> Path:
    """The folder of scikit-image's photographs, which are of known things."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


def saved(
    path: Path, name: str, model: nn.Module, classes: tuple[str, ...], preprocessing: Preprocessing
) -> Path:
    made = Checkpoint(
        model=name,
        classes=classes,
        preprocessing=preprocessing.to_dict(),
        recipe={},
        state=model.state_dict(),
        training=None,
        metrics={},
    )
    save(path, made)
    return path


@pytest.fixture(scope="module")
def published() -> Predictor:
    return Predictor.pretrained("efficientnet_lite0")


def test_real_photographs_are_named_rightly(published: Predictor) -> None:
    wanted = {"chelsea.png": "Egyptian cat", "coffee.png": "espresso", "camera.png": "tripod"}
    for found in published.predict(photographs() / name for name in wanted):
        assert found.label == wanted[found.path.name]
        assert found.error == ""
        assert found.top[0] == (found.label, found.probability)
        values = [probability for _, probability in found.top]
        assert len(values) == 5
        assert values == sorted(values, reverse=True)
        assert 0.2 < sum(values) <= 1


def test_the_names_are_torchvisions() -> None:
    models = pytest.importorskip("torchvision.models")
    assert list(imagenet_classes()) == models.ResNet50_Weights.DEFAULT.meta["categories"]


def test_a_checkpoint_answers_as_the_network_that_was_saved(
    published: Predictor, tmp_path: Path
) -> None:
    path = saved(
        tmp_path / "last.ckpt",
        published.name,
        published.model,
        published.classes,
        published.preprocessing,
    )
    again = Predictor.load(path)
    assert not again.model.training
    assert again.predict([photographs() / "chelsea.png"]) == published.predict(
        [photographs() / "chelsea.png"]
    )


def test_probabilities_are_the_softmax_of_normalised_pixels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = create_model("lenet5_modern", num_classes=3).eval()
    how = Preprocessing(size=32, mean=(0.25,), std=(0.5,), channels=1)
    path = saved(tmp_path / "x.ckpt", "lenet5_modern", model, ("a", "b", "c"), how)
    file = photographs() / "camera.png"
    found = Predictor.load(path).predict([file], top=9)[0]
    pixels = read_image(file, how)[None].double() / 255
    with torch.no_grad():
        scores = model.double()((pixels - 0.25) / 0.5)[0]
    wanted = scores.exp() / scores.exp().sum()
    assert dict(found.top) == pytest.approx(dict(zip("abc", wanted.tolist(), strict=True)))


def test_what_is_no_image_is_told_and_stops_nothing(published: Predictor, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "b" / ".hidden").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "b" / "loop").symlink_to(folder)
    for name in ("z.png", "b/c.png", "b/.hidden/d.png", ".e.png"):
        Image.new("RGB", (40, 30), "red").save(folder / name)
    (folder / "a.jpg").write_text("no image")
    (folder / "c.jpg").symlink_to("nowhere")
    paths = (folder, folder / "z.png", folder / "none.png", folder / "empty")
    found = published.predict(paths)
    assert [(f.path.relative_to(folder).as_posix(), bool(f.error)) for f in found] == [
        ("a.jpg", True),
        ("c.jpg", True),
        ("z.png", False),
        ("b/c.png", False),
        ("z.png", False),
        ("none.png", True),
        ("empty", True),
    ]
    for one in found:
        assert str(one.path) in one.error or not one.error
        assert bool(one.label) is not bool(one.error)
    assert "none.png does not exist" in found[5].error
    assert "empty holds no files" in found[6].error


def test_more_files_than_fit_at_once_keep_their_order(
    published: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lineage_lab.using.predictor.AT_ONCE", 2)
    names = ["chelsea.png", "README.txt", "coffee.png", "camera.png", "rocket.jpg"]
    found = published.predict(photographs() / name for name in names)
    assert [f.path.name for f in found] == names
    assert [f.label for f in found] == ["Egyptian cat", "", "espresso", "tripod", "missile"]


def test_googlenet_comes_back_in_the_form_of_its_published_weights(tmp_path: Path) -> None:
    """Torchvision's weights want rescaled pixels, and have no auxiliary classifiers."""
    how = Preprocessing(size=64, mean=weights.IMAGENET_MEAN, std=weights.IMAGENET_STD)
    for published_form in (True, False):
        model = create_model("googlenet", num_classes=2)
        assert isinstance(model, GoogLeNet)
        if published_form:  # what weights.load makes of it
            model.rescale = Rescale()
            model.auxiliary_4a = model.auxiliary_4d = None
        path = saved(tmp_path / "x.ckpt", "googlenet", model, ("a", "b"), how)
        again = Predictor.load(path)
        image = torch.rand(1, 3, 64, 64)
        with torch.no_grad():
            assert torch.equal(again.model(image), model.eval()(image))


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = create_model("lenet5_modern", num_classes=3)
    how = Preprocessing(size=32, mean=(0.5,), std=(0.5,), channels=1)
    for name, classes, message in (
        ("lenet6", ("a", "b", "c"), "can't be used by .*no network is called 'lenet6'"),
        ("lenet5_modern", ("a", "b"), "can't be used by .*size mismatch"),
        ("resnet18", ("a", "b", "c"), "has no tensor 'stem.0.weight' of the network resnet18"),
    ):
        path = saved(tmp_path / "x.ckpt", name, model, classes, how)
        with pytest.raises(ValueError, match=rf"(?s)x\.ckpt {message}"):
            Predictor.load(path)


def test_a_network_without_published_weights_is_told() -> None:
    with pytest.raises(ValueError, match=r"lenet5 has no weights named 'imagenet'"):
        Predictor.pretrained("lenet5")
    with pytest.raises(ValueError, match=r"top must be 1 or more"):
        Predictor.pretrained("efficientnet_lite0").predict([], top=0)
