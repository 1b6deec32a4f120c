"""Folders as people have them: each is read as its maker meant it, or refused by what it holds."""

import re
from pathlib import Path

import pytest

from lineage_lab.data.listing import Source, part_of
from lineage_lab.data.places import look
from lineage_lab.data.sets import check, load, split
from tests.data.pictures import fill, picture


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "set"


def counts(place: Path, **said: str) -> tuple[int, int, int, tuple[str, ...]]:
    """Images to train on, to validate with, to test with; classes. Nothing is wrong."""
    listing, report = look(Source(place, **said))
    assert report.problems == ()
    own = len(listing.files) - listing.validation
    return own, listing.validation, len(listing.test_files), listing.classes


def flat(folder: Path, *names: str) -> None:
    for name in names:
        picture(folder / name, kind="jpeg")


CATS = tuple(f"{label}.{n}.jpg" for label in ("cat", "dog") for n in range(4))


def test_labels_stand_in_the_file_names(root: Path) -> None:
    flat(root / "train", *CATS)
    flat(root / "validation", *CATS)
    found = load(root, size=8)
    assert found.classes == ("cat", "dog")
    assert [len(part) for part in split(found, seed=0)] == [8, 8]
    assert "the labels in train/ are read from the file names: cat (4), dog (4)" in found.notes


def test_the_test_part_is_kept_apart_and_chooses_nothing(root: Path) -> None:
    tree = {f"{part}/{name}": count for part, count in
            (("train", 6), ("validation", 3), ("test", 2)) for name in "ab"}  # fmt: skip
    fill(root, tree)
    found = load(root, size=8)
    train, val = split(found, seed=0)
    test = load(root, size=8, part="test")
    assert [len(part) for part in (train, val, test)] == [12, 6, 4]
    seen = {image.numpy().tobytes() for image in found.images}
    assert not seen & {image.numpy().tobytes() for image in test.images}
    assert test.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("test", ["test", "Testing", "test_set"])
def test_with_train_and_test_alone_the_seed_draws_what_validates(test: str, root: Path) -> None:
    fill(root, {"Training/a": 8, "Training/b": 8, f"{test}/a": 40, f"{test}/b": 40})
    found = load(root, size=8)
    assert (len(found), found.validation) == (16, 0)
    assert any("(80 images) is kept apart for evaluate" in words for words in found.notes)
    with pytest.raises(ValueError, match="has no test part with labels: put class folders into"):
        load(fill(root.parent / "none", {"a": 2, "b": 2}), size=8, part="test")


def test_folders_inside_class_folders_are_of_the_class(root: Path) -> None:
    fill(root, {"cat": 3, "cat/siamese": 20, "dog": 3})
    found = load(root, size=8)
    assert (len(found), found.labels.tolist().count(0)) == (26, 23)
    assert any("20 images are in folders inside class folders" in words for words in found.notes)
    leaves = load(Source(root, label="([^/]+)/[^/]+$"), size=8)
    assert leaves.classes == ("cat", "dog", "siamese")


def test_images_are_known_by_their_content_whatever_the_ending(root: Path) -> None:
    fill(root, {"a": 2, "b": 2})
    for number in range(10):
        flat(root / "a", f"x{number}.jfif", f"y{number}")
        flat(root / "b", f"z{number}.jpe")
    (root / "b" / "notes").write_text("no image")
    assert len(load(root, size=8)) == 34
    assert "b/notes is no image, by its ending and its content" in str(check(root))


@pytest.mark.fault("same-twice")
def test_the_same_picture_in_two_parts_or_classes_is_told_with_its_paths(root: Path) -> None:
    fill(root, {"train/a": 3, "train/b": 3})
    for name in "ab":
        for file in (root / "train" / name).iterdir():
            (root / "val" / name).mkdir(parents=True, exist_ok=True)
            (root / "val" / name / file.name).write_bytes(file.read_bytes())
    notes = "\n".join(load(root, size=8).notes)
    assert "6 pictures are the same in the part to train on and the one to validate" in notes
    assert f"{root}/train/a/0.jpg and {root}/val/a/0.jpg" in notes
    assert f"6 pairs of pictures are the same in two parts: {root}/train/a/0.jpg" in str(
        check(root)
    )
    (root / "val" / "b" / "0.jpg").write_bytes((root / "val" / "a" / "0.jpg").read_bytes())
    assert "1 picture is the same in two classes" in "\n".join(load(root, size=8).notes)


@pytest.mark.fault("few-validate")
def test_few_images_to_validate_with_are_told_with_an_interval(root: Path) -> None:
    fill(root, {"train/a": 30, "train/b": 30, "val/a": 2, "val/b": 2, "test/a": 9, "test/b": 9})
    notes = "\n".join(load(root, size=8).notes)
    assert "test/ (18 images) is kept apart" in notes
    assert "4 images to validate with are few, fewer than the 18 to test with" in notes
    assert "between 51 and 100 % (95 % interval)" in notes  # Wilson's of 4 of 4


PUBLIC = {
    "Keras, cats_and_dogs_filtered": (
        {"cats_and_dogs_filtered/train/cats": 4, "cats_and_dogs_filtered/train/dogs": 4,
         "cats_and_dogs_filtered/validation/cats": 2, "cats_and_dogs_filtered/validation/dogs": 2},
        (8, 4, 0, ("cats", "dogs"))),
    "Ultralytics, train and test alone": (
        {"train/a": 4, "train/b": 4, "test/a": 2, "test/b": 2}, (8, 0, 4, ("a", "b"))),
    "fastai, imagenette": (
        {"train/n01": 4, "train/n02": 4, "val/n01": 2, "val/n02": 2}, (8, 4, 0, ("n01", "n02"))),
    "Roboflow": (
        {"train/a": 4, "train/b": 4, "valid/a": 2, "valid/b": 2, "test/a": 1, "test/b": 1},
        (8, 4, 2, ("a", "b"))),
    "Intel image classification": (
        {"seg_train/seg_train/sea": 4, "seg_train/seg_train/sky": 4, "seg_test/seg_test/sea": 2,
         "seg_test/seg_test/sky": 2, "seg_pred/seg_pred": 3}, (8, 0, 4, ("sea", "sky"))),
    "chest_xray with what a Mac leaves": (
        {"train/NORMAL": 4, "train/PNEUMONIA": 4, "val/NORMAL": 2, "val/PNEUMONIA": 2,
         "test/NORMAL": 2, "test/PNEUMONIA": 2, "__MACOSX/train/NORMAL": 2},
        (8, 4, 4, ("NORMAL", "PNEUMONIA"))),
    "Tiny ImageNet, whose val has no class folders": (
        {"train/n1/images": 4, "train/n2/images": 4, "val/images": 3, "test/images": 3},
        (8, 0, 0, ("n1", "n2"))),
    "Places365, folders by letter": (
        {"a/airfield": 3, "a/alley": 3, "b/bakery/shop": 3, "b/bakery/home": 3},
        (12, 0, 0, ("airfield", "alley", "bakery/home", "bakery/shop"))),
    "iNaturalist 2018": (
        {"Aves/2766": 2, "Aves/2767": 2, "Plantae/5500": 2}, (6, 0, 0, ("2766", "2767", "5500"))),
    "parts inside the classes": (
        {"cat/train": 3, "cat/test": 2, "dog/train": 3, "dog/test": 2}, (6, 0, 4, ("cat", "dog"))),
    "a class that is called train": (
        {"bus": 3, "car": 3, "train": 3}, (9, 0, 0, ("bus", "car", "train"))),
    "train alone": ({"train/a": 3, "train/b": 3}, (6, 0, 0, ("a", "b"))),
    "an unlabelled test": ({"train/a": 3, "train/b": 3, "test": 5}, (6, 0, 0, ("a", "b"))),
    "years inside the classes": (
        {"cat/2021": 2, "cat/2022": 2, "dog/2021": 2}, (6, 0, 0, ("cat", "dog"))),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_layout_is_read_as_its_maker_meant_it(name: str, root: Path) -> None:
    tree, wanted = PUBLIC[name]
    assert counts(fill(root, tree)) == wanted


def test_dogs_and_cats_of_kaggle_are_two_classes_and_no_test1(root: Path) -> None:
    flat(root / "train", *CATS)
    flat(root / "test1", "1.jpg", "2.jpg", "3.jpg")
    (root / "sampleSubmission.csv").write_text("id,label\n1,0\n2,0\n")
    assert counts(root) == (8, 0, 0, ("cat", "dog"))
    assert "test1/ holds 3 images without labels of train/" in str(check(root))


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("american_pit_bull_1.jpg", "american_pit_bull_2.jpg", "Bombay_1.jpg", "Bombay_22.jpg"),
         ("Bombay", "american_pit_bull")),
        (("0_cat.png", "1_dog.png", "2_cat.png", "3_dog.png"), ("cat", "dog")),
        (("cat (1).jpg", "cat (2).jpg", "dog (1).jpg", "dog (2).jpg"), ("cat", "dog")),
        (("IMG_1.jpg", "IMG_2.jpg", "DSC_1.jpg", "DSC_2.jpg"), ()),
        (("1.jpg", "2.jpg", "3.jpg", "4.jpg"), ()),
        (("train_1.jpg", "train_2.jpg", "test_1.jpg", "test_2.jpg"), ()),
        (("a1.jpg", "b1.jpg", "c1.jpg", "d1.jpg"), ()),
        (("2021-05-03 12.33.jpg", "2021-05-04 12.33.jpg"), ()),
    ],
)  # fmt: skip
@pytest.mark.fault("flat")
def test_only_a_plain_pattern_is_a_label(
    names: tuple[str, ...], classes: tuple[str, ...], root: Path
) -> None:
    flat(root, *names)
    if classes:
        assert counts(root)[3] == classes
    else:
        with pytest.raises(ValueError, match=r"whose names hold no plain label .* by --label"):
            load(root, size=8)


def test_a_rule_finds_the_labels_that_are_not_plain(root: Path) -> None:
    flat(root, "25_0_x.jpg", "31_0_y.jpg", "25_1_z.jpg", "40_1_w.jpg")
    assert counts(root, label=r"\d+_(\d)_") == (4, 0, 0, ("0", "1"))
    with pytest.raises(ValueError, match="finds nothing in its path"):
        load(Source(root, label="(nowhere)"), size=8)
    with pytest.raises(ValueError, match="is no regular expression"):
        Source(root, label="(")


@pytest.mark.fault("two-layouts")
@pytest.mark.fault("val-class")
@pytest.mark.fault("no-train")
@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"train/a": 2, "train/b": 2, "val/a": 2, "val/c": 2},
         "c is missing, but 'c' is a class of val/ (2 images): each class"),
        ({"train/a": 2, "train/b": 2, "val/a": 2, "val/b": 2, "a": 2}, "two layouts at once"),
        ({"cat/train": 2, "cat/val": 2, "dog/train": 2, "dog/val": 2, "fox": 2},
         "two layouts at once: give each class folder train/ and val/"),
        ({"val/a": 2, "val/b": 2, "test/a": 2, "test/b": 2},
         "holds test/ and val/, but nothing to train on"),
        ({"test/a": 2, "test/b": 2}, "holds test/, but nothing to train on"),
        ({"train/a": 2, "train/b": 2, "val/a": 1, "valid/a": 1},
         "is a second part of the kind 'val', beside val/: join the two"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused(tree: dict[str, int], words: str, root: Path) -> None:
    fill(root, tree)
    with pytest.raises(ValueError, match=re.escape(words)):
        load(root, size=8)
    assert words in str(check(root))


def test_labels_in_names_beside_class_folders_are_two_layouts(root: Path) -> None:
    fill(root, {"cat": 2, "dog": 2})
    flat(root, *CATS)
    with pytest.raises(ValueError, match=r"8 times: .*two layouts at once"):
        load(root, size=8)


def test_a_class_that_val_lacks_is_told_and_stops_nothing(root: Path) -> None:
    fill(root, {"train/a": 3, "train/b": 3, "val/a": 2})
    found = load(root, size=8)
    train, val = split(found, seed=0)
    assert (len(train), val.labels.tolist()) == (6, [0, 0])
    assert any("no images of 1 of 2 classes" in words and "'b'" in words for words in found.notes)


def test_a_part_that_is_a_link_out_of_the_folder_is_refused(root: Path, tmp_path: Path) -> None:
    fill(root, {"train/a": 2, "train/b": 2})
    (root / "val").symlink_to(fill(tmp_path / "private", {"a": 2, "b": 2}))
    with pytest.raises(ValueError, match="val is a link that leads out of the data folder"):
        load(root, size=8)


def test_many_of_one_kind_are_one_line_with_a_count_and_three_paths(root: Path) -> None:
    fill(root, {"a": 2, "b": 2})
    for number in range(500):
        (root / "a" / f"{number:03}.png").write_bytes(b"no image")
        (root / "b" / f"{number:03}.txt").write_bytes(b"no image")
    report = check(root)
    assert len(report.problems) == 500
    text = str(report)
    assert text.count("\n") < 9
    assert f"problem: 500 times: {root}/a/000.png, {root}/a/001.png, {root}/a/002.png, …" in text
    assert "left out: 500 times: b/000.txt, b/001.txt, b/002.txt, … – each is no image" in text
    assert "500 problems" in text


def test_what_is_left_out_is_counted_aloud_when_a_set_is_loaded(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(root, {"a": 2, "b": 2})
    (root / "a" / "x.txt").write_text("x")
    picture(root / "stray.jpg")
    load(root, size=8)
    assert f"{root}: left out: {root}/a/x.txt is no image" in caplog.text
    assert "stray.jpg is not in a class folder" in caplog.text


def test_parts_by_their_names() -> None:
    for name in ("train", "Train", "training", "TRAINING_SET", "train_images", "trainset"):
        assert part_of(name) == ("train", ())
    for name in ("val", "valid", "Validation", "dev"):
        assert part_of(name)[0] == "val"
    for name in ("test", "Testing", "test1", "PrivateTest", "test-data"):
        assert part_of(name)[0] == "test"
    for name in ("trainer", "latest", "invalid", "contest", "development", "cat", "train_test"):
        assert part_of(name)[0] == ""
