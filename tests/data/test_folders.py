"""Folders of images: classes by name, the folder's own parts, and all that is wrong at once."""

import os
import re
import time
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from lineage_lab.data.sets import check, load, split

CAFE = "café"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))


def fill(folder: Path, count: int = 2, level: int = 50) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in reversed(range(count)):  # made in an order that is not that of the names
        Image.new("L", (8, 8), level + i).save(folder / f"{i}.png")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for level, name in enumerate(("b", "a", "C")):
        fill(tmp_path / "set" / name, level=50 * level)
    return tmp_path / "set"


@pytest.mark.fault("class-order")
def test_classes_and_files_are_in_the_order_of_their_names(root: Path) -> None:
    found = load(root, size=8)
    assert found.classes == ("C", "a", "b")
    assert found.images[:, 0, 0, 0].tolist() == [100, 101, 50, 51, 0, 1]
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert check(root).ok
    fill(root / "a", 10, level=50)  # as many as no file system lists in order by chance
    assert load(root, size=8).images[2:12, 0, 0, 0].tolist() == list(range(50, 60))


@pytest.mark.parametrize("own", ["val", "Valid", "validation", "DEV", "val_images"])
def test_a_folder_may_call_its_own_validation_part_by_its_usual_names(
    own: str, tmp_path: Path
) -> None:
    for part, count in (("train", 3), (own, 2)):
        fill(tmp_path / "set" / part / "x", count)
        fill(tmp_path / "set" / part / "y", count, level=200)
    found = load(tmp_path / "set", size=8)
    assert (len(found), found.validation) == (10, 4)
    assert [len(part) for part in split(found, seed=3)] == [6, 4]
    fill(tmp_path / "set" / "other" / "x")
    assert len(load(tmp_path / "set", size=8)) == 10
    assert f"is neither train nor {own}, and its 2 images are not used" in str(
        check(tmp_path / "set")
    )


@pytest.mark.fault("unicode")
def test_names_in_two_unicode_forms_are_one_class(tmp_path: Path) -> None:
    for part, form in (("train", "NFC"), ("val", "NFD")):  # as when a part comes from a Mac
        fill(tmp_path / "set" / part / unicodedata.normalize(form, CAFE))
        fill(tmp_path / "set" / part / "tea")
    found = load(tmp_path / "set", size=8)
    assert found.classes == (unicodedata.normalize("NFC", CAFE), "tea")
    assert found.labels.tolist() == [0, 0, 1, 1] * 2
    both = tmp_path / "both"
    for form in ("NFC", "NFD"):
        fill(both / unicodedata.normalize(form, CAFE))
    with pytest.raises(ValueError, match="the same name as another class folder, in another Uni"):
        load(both, size=8)
    # two files whose names differ in the form alone are two files
    for form in ("NFC", "NFD"):
        Image.new("L", (8, 8)).save(
            tmp_path / "set" / "train" / "tea" / f"{unicodedata.normalize(form, CAFE)}.png"
        )
    assert len(load(tmp_path / "set", size=8)) == 10


def test_a_name_that_is_no_text_is_refused_for_a_class_and_taken_for_a_file(root: Path) -> None:
    (root / "a" / "0.png").rename(os.fsdecode(os.fsencode(root / "a") + b"/\xff.png"))
    assert len(load(root, size=8)) == 6
    fill(Path(os.fsdecode(os.fsencode(root) + b"/\xff")))
    with pytest.raises(ValueError, match="rename the class folder"):
        load(root, size=8)
    str(check(root)).encode("ascii", "backslashreplace")


@pytest.mark.fault("dot-folder")
def test_what_begins_with_a_dot_is_not_looked_at(root: Path) -> None:
    fill(root / ".thumbnails")
    (root / "a" / "._0.png").write_bytes(b"a Mac's note")
    (root / "a" / ".DS_Store").write_bytes(b"")
    report = check(root)
    assert report.ok
    assert report.ignored == ()
    assert len(load(root, size=8)) == 6


@pytest.mark.fault("link-loop")
def test_links_in_a_circle_end(root: Path) -> None:
    (root / "a" / "up").symlink_to(root)
    start = time.perf_counter()
    assert len(load(root, size=8)) == 6
    assert "a/up is a link to a folder inside a class folder" in str(check(root))
    (root / "self").symlink_to("self")
    with pytest.raises(ValueError, match="self is a link that leads nowhere, or in a circle"):
        load(root, size=8)
    (root / "self").unlink()
    (root / "again").symlink_to(root)  # a class folder that holds the set: no image in it
    with pytest.raises(ValueError, match="again holds no images"):
        load(root, size=8)
    assert time.perf_counter() - start < 5


def test_a_link_to_an_image_of_the_set_is_an_image(root: Path, tmp_path: Path) -> None:
    Image.new("L", (8, 8), 7).save(root / "a" / "3.png")
    (root / "b" / "link.png").symlink_to(root / "a" / "3.png")
    (root / "d").symlink_to("b")  # a class folder that is another one's link
    found = load(root, size=8)
    assert {"a", "b", "d"} <= set(found.classes)
    assert int((found.images[:, 0, 0, 0] == 7).sum()) == 3
    (tmp_path / "way").symlink_to(root)  # the whole set by a link: the reader's own word
    assert len(load(tmp_path / "way", size=8)) == len(found)


@pytest.mark.fault("link-out")
def test_a_link_that_leads_out_of_the_set_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    Image.new("L", (8, 8), 7).save(tmp_path / "private" / "1.png")
    for link, target in (
        (root / "a" / "link.png", tmp_path / "private" / "1.png"),
        (root / "a" / "up.png", Path("../../private/1.png")),
        (root / "c", tmp_path / "private"),
    ):
        link.symlink_to(target)
        with pytest.raises(ValueError, match=f"{link.name} is a link that leads out of .*private"):
            load(root, size=8)
        assert [problem.path for problem in check(root).problems] == [link]
        link.unlink()
    assert len(load(root, size=8)) == 6


@pytest.mark.fault("one-class")
@pytest.mark.fault("empty-class")
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("empty class", "empty holds no images: fill the class folder or remove it"),
        ("one class", "has one class only, 'only', and nothing to tell it from: expected"),
        ("missing in train", "train/z is missing, but 'z' is a class"),
        ("flat", r"holds no images in class folders, but 2 beside .* \(0.png, 1.png\).*expected"),
    ],
)
def test_a_folder_that_cannot_be_trained_on_says_why(
    harm: str, message: str, root: Path, tmp_path: Path
) -> None:
    folder = root
    if harm == "empty class":
        (root / "empty").mkdir()
    elif harm == "one class":
        folder = tmp_path / "one"
        fill(folder / "only")
    elif harm == "flat":
        folder = root / "a"
    else:
        folder = tmp_path / "parts"
        for part, names in (("train", "xy"), ("val", "xyz")):
            for name in names:
                fill(folder / part / name)
    with pytest.raises(ValueError, match=message) as error:
        load(folder, size=8)
    assert f'lineage-lab data check "{folder}"' in str(error.value)
    assert re.search(message, str(check(folder)))


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_ctime_ns, path.lstat().st_size)
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.fault("data-check")
def test_check_reports_all_at_once_and_writes_nothing(root: Path) -> None:
    (root / "a" / "empty.png").write_bytes(b"")
    (root / "a" / "text.jpg").write_bytes(b"not an image")
    (root / "a" / "notes.txt").write_bytes(b"read me")
    os.mkfifo(root / "a" / "pipe.png")
    (root / "b" / "loop.png").symlink_to("loop.png")
    whole = (root / "b" / "0.png").read_bytes()
    (root / "b" / "cut.png").write_bytes(whole[:-30])
    (root / "nothing").mkdir()
    (root / "stray.png").write_bytes(whole)
    Image.new("F", (8, 8)).save(root / "C" / "float.tif")
    before = snapshot(root)
    report = check(root)
    assert snapshot(root) == before
    assert not report.ok
    assert {path.path.name for path in report.problems} == {
        "empty.png", "text.jpg", "pipe.png", "loop.png", "cut.png", "nothing", "float.tif"
    }  # fmt: skip
    assert {path.path.name for path in report.ignored} == {"notes.txt", "stray.png"}
    text = str(report)
    assert "text.jpg can't be read as an image: it is none of BMP, GIF" in text
    assert "7 problems" in text
    for problem in report.problems:  # after what it says is done, the set can be used
        problem.path.rmdir() if problem.path.is_dir() else problem.path.unlink()
    assert check(root).ok
    assert len(load(root, size=8)) == 6
    assert snapshot(root).keys() <= before.keys()


def test_check_of_what_is_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        check(tmp_path / "nowhere")
