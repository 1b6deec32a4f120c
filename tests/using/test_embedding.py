"""Pooled features: what the head sees, of every kind of network, with nothing lost in silence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lineage_lab import create_model
from lineage_lab.data.sets import Preprocessing
from lineage_lab.heads import find_head
from lineage_lab.using.embedding import embed, pooled, write
from lineage_lab.using.predictor import Predictor


def predictor(model: nn.Module, name: str) -> Predictor:
    how = Preprocessing(size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
    return Predictor(model=model.eval(), name=name, classes=("a", "b"), preprocessing=how)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):  # more than fit at once
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "note.txt").write_text("no image")
    return folder


def test_the_head_turns_the_features_into_the_networks_scores(photos: Path) -> None:
    torch.manual_seed(0)
    made = predictor(create_model("resnet20_cifar", num_classes=2), "resnet20_cifar")
    found = embed(made, [photos, photos / "note.txt"])
    assert found.features.shape == (40, 64)
    assert found.features.dtype == np.float32
    assert [p.name for p in found.paths] == [f"{n:02}.png" for n in range(40)]
    assert [p.name for p, _ in found.problems] == ["note.txt"]
    probabilities = {p.path: p.top for p in made.predict(found.paths, top=2)}
    scores = find_head(made.model)[1](torch.from_numpy(found.features)).softmax(dim=1)
    for path, row in zip(found.paths, scores.tolist(), strict=True):
        assert dict(probabilities[path])["a"] == pytest.approx(row[0], abs=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_head_that_is_a_convolution_sees_a_map_which_is_averaged() -> None:
    import timm
    import torchvision

    images = torch.randn(2, 3, 64, 64)
    squeezenet = torchvision.models.squeezenet1_1().eval()
    with torch.no_grad():
        assert torch.allclose(
            pooled(squeezenet, images), squeezenet.features(images).mean((2, 3)), atol=1e-6
        )
        resnet = timm.create_model("resnet10t", num_classes=3).eval()
        wanted = resnet.forward_head(resnet.forward_features(images), pre_logits=True)
        assert torch.allclose(pooled(resnet, images), wanted)


def test_features_are_written_with_the_files_they_are_of(photos: Path, tmp_path: Path) -> None:
    found = embed(predictor(create_model("resnet20_cifar", num_classes=2), "x"), [photos])
    npy, names = write(found, tmp_path / "features.npy")
    assert np.array_equal(np.load(npy, allow_pickle=False), found.features)
    assert names.read_text().splitlines() == [str(path) for path in found.paths]
    pq = pytest.importorskip("pyarrow.parquet")
    (parquet,) = write(found, tmp_path / "features.parquet")
    table = pq.read_table(parquet)
    assert table.column("path").to_pylist() == [str(path) for path in found.paths]
    assert np.array_equal(
        np.array(table.column("features").to_pylist(), np.float32), found.features
    )
    with pytest.raises(ValueError, match=r"must end in \.npy or \.parquet"):
        write(found, tmp_path / "features.csv")
