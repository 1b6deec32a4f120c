"""Images that no other test has: shown rightly, or refused; the data set stays as it is."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lineage_lab import create_model, finetune
from lineage_lab.data.decoding import Unreadable, decode
from lineage_lab.data.sets import check, load, split
from lineage_lab.training.recipe import Recipe
from lineage_lab.using.predictor import Predictor
from tests.faults.hostile import REFUSED, SHOWN

RED = ("CMYK, JPEG", "palette, PNG", "animated WebP", "1 × 20,000 pixels", "PNG named .jpg",
       "9,000 × 9,000 pixels, JPEG", "absurd EXIF", "5,000 text chunks")  # fmt: skip


# That one's memory and time are held to in tests/data/test_decoding.py.
@pytest.mark.parametrize("name", [name for name in SHOWN if "9,000 pixels, PNG" not in name])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's words on absurd EXIF
def test_it_is_shown(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(SHOWN[name][0]())
    found = decode(path, size=32, mode="RGB")
    assert found.shape == (3, 32, 32)
    if name in RED:
        assert np.abs(found.astype(int) - np.array([255, 0, 0])[:, None, None]).max() <= 2
    if name == "BMP from the top down":
        assert found[:, 2, 2].tolist() == [255, 0, 0]
        assert found[:, -3, 2].tolist() == [0, 0, 255]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_path(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(REFUSED[name]())
    with pytest.raises(Unreadable) as told:
        decode(path, size=32, mode="RGB")
    assert str(told.value).startswith(f"{path} can't be read as an image: ")
    assert str(told.value).endswith("Replace the file or take it out of the folder")


def test_odd_names_are_names(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for name in ("🦔.png", "two\nlines.png", "spaces and 'quotes\".PNG", "x" * 200 + ".png"):
            Image.new("RGB", (8, 8)).save(tmp_path / "set" / folder / name, "png")
    assert check(tmp_path / "set").ok
    (tmp_path / "set" / "a" / "two\nlines.png").write_bytes(b"")
    (problem,) = check(tmp_path / "set").problems
    assert "\n" not in str(problem)  # one problem, one line
    assert "two\\nlines.png" in str(problem)


def content(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder",
            path.stat().st_mtime_ns,
        )
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.fault("never-written")
def test_the_data_set_is_never_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file's hash and time, and every name: before, and after all that reads them."""
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "set"
    for level, name in enumerate(("a", "b")):
        (root / name).mkdir(parents=True)
        for i in range(8):
            Image.new("L", (32, 32), 100 * level + i).save(root / name / f"{i}.png")
    before = content(root)
    assert check(root).ok
    images = load(root, size=32)
    train, val = split(images, seed=0)
    grey = Recipe(epochs=1, batch_size=6, device="cpu", precision="fp32",
                  memory_format="contiguous", crop=0.5, flips="both", mixup=0.2)  # fmt: skip
    torch.manual_seed(0)
    model = create_model("resnet20_cifar", num_classes=2)
    finetune(model, train, val, grey, name="resnet20_cifar", folder=tmp_path / "run")
    train.images.fill_(0)  # whoever writes to the tensor does not write to the files
    found = Predictor.load(tmp_path / "run" / "best.ckpt").predict([root])
    assert len(found) == 16
    assert content(root) == before
    (root / "a" / "0.png").write_bytes(b"x")  # the control
    assert content(root) != before
