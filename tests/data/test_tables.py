"""Labels in a table: columns, places of files, and everything that does not fit told."""

import json
from pathlib import Path

import pytest

from lineage_lab.data.listing import Source
from lineage_lab.data.places import look
from lineage_lab.data.sets import check, load, split
from tests.data.pictures import fill, picture


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def images(folder: Path, count: int = 6) -> list[str]:
    return [picture(folder / f"p{number}.jpg").name for number in range(count)]


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def named(place: Path, **said: object) -> dict[str, str]:
    """Label of each file by its name; nothing is wrong."""
    listing, report = look(Source(place, **said))  # type: ignore[arg-type]
    assert report.problems == ()
    return {f.name: listing.classes[i] for f, i in zip(listing.files, listing.labels, strict=True)}


@pytest.mark.parametrize(
    ("ending", "mark", "header"),
    [
        (".csv", ",", ("filename", "label")),
        (".csv", ";", ("File", "Class")),
        (".tsv", "\t", ("image_path", "category")),
        (".txt", " ", ("path", "target")),
        (".csv", ",", ("\ufeffimage_id", "breed")),  # the mark that Excel writes first
    ],
)
def test_columns_are_found_by_their_usual_names(
    ending: str, mark: str, header: tuple[str, str], root: Path
) -> None:
    names = images(root / "images")
    rows = [mark.join((f"images/{name}", "ab"[i % 2])) for i, name in enumerate(names)]
    file = table(root / f"labels{ending}", mark.join(header), *rows)
    assert named(file) == {name: "ab"[i % 2] for i, name in enumerate(names)}


def test_names_without_a_folder_or_an_ending_are_found(root: Path) -> None:
    names = images(root / "train" / "deep")
    ids = [f"{Path(name).stem},{'pug' if i % 2 else 'lab'}" for i, name in enumerate(names)]
    fill(root, {"test": 3})
    table(root / "labels.csv", "id,breed", *ids)
    table(root / "sample_submission.csv", "id,breed", "0,pug")
    assert set(named(root / "labels.csv")) == set(names)
    assert named(root) == named(root / "labels.csv")  # a folder with a table that labels it
    table(root / "labels.csv", "id,breed", *(line.replace("p", "P", 1) for line in ids))
    assert set(named(root)) == set(names)


def test_columns_by_name_or_by_place(root: Path) -> None:
    names = images(root)
    odd = table(root / "x.csv", "a,b,c", *(f"{i},{n},{'xy'[i % 2]}" for i, n in enumerate(names)))
    assert set(named(odd, columns={"image": "b", "label": "c"}).values()) == {"x", "y"}
    with pytest.raises(ValueError, match=r"no column that is known to name images, only 'a', 'b'"):
        look(Source(odd))
    with pytest.raises(ValueError, match="has no column 'd' for the label: it has 'a', 'b', 'c'"):
        look(Source(odd, columns={"image": "b", "label": "d"}))
    bare = table(root / "y.csv", *(f"{name},{'xy'[i % 2]}" for i, name in enumerate(names)))
    with pytest.raises(ValueError, match=r"has no header: .* --columns image=1,label=2"):
        look(Source(bare))
    assert len(named(bare, columns={"image": "1", "label": "2"})) == 6
    with pytest.raises(ValueError, match="no column of the kind 'labels'"):
        Source(bare, columns={"labels": "x"})


def test_a_split_column_makes_the_parts(root: Path) -> None:
    names = images(root, 8)
    parts = [
        "Training",
        "Training",
        "Training",
        "Training",
        "valid",
        "valid",
        "PrivateTest",
        "test",
    ]
    file = table(root / "x.csv", "image,emotion,Usage",
                 *(f"{n},{'ab'[i % 2]},{parts[i]}" for i, n in enumerate(names)))  # fmt: skip
    found = load(file, size=8)
    assert [len(part) for part in split(found, seed=0)] == [4, 2]
    assert len(load(file, size=8, part="test")) == 2
    folds = table(root / "y.csv", "image,label,fold",
                  *(f"{n},{'ab'[i % 2]},{i % 3}" for i, n in enumerate(names)))  # fmt: skip
    assert any("'fold' is not used" in words for words in load(folds, size=8).notes)
    with pytest.raises(ValueError, match="which are no parts: write train, val or test"):
        look(Source(folds, columns={"split": "fold"}))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_hugging_faces_image_folder_with_metadata(kind: str, root: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    for part, count in (("train", 6), ("test", 2)):
        names = images(root / part, count)
        rows = [{"file_name": name, "label": i % 2} for i, name in enumerate(names)]
        path = root / part / f"metadata.{kind}"
        if kind == "csv":
            table(path, "file_name,label", *(f"{r['file_name']},{r['label']}" for r in rows))
        elif kind == "jsonl":
            table(path, *map(json.dumps, rows))
        else:
            import pyarrow as pa
            from pyarrow import parquet

            parquet.write_table(pa.Table.from_pylist(rows), path)
    found = load(root, size=8)
    assert (len(found), found.classes) == (6, ("0", "1"))
    assert len(load(root, size=8, part="test")) == 2


def test_parquet_that_holds_the_images_says_what_to_do(root: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"image": {"bytes": b"x", "path": None}, "label": 0}]
    parquet.write_table(pa.Table.from_pylist(rows), root / "train-00000-of-00001.parquet")
    with pytest.raises(ValueError, match="holds the images themselves"):
        look(Source(root / "train-00000-of-00001.parquet"))


def test_one_column_a_class(root: Path) -> None:
    names = images(root)
    file = table(root / "x.csv", "image_id,healthy,rust,scab",
                 *(f"{n},{','.join('1' if i % 3 == k else '0' for k in range(3))}"
                   for i, n in enumerate(names)))  # fmt: skip
    assert sorted(set(named(file).values())) == ["healthy", "rust", "scab"]


@pytest.mark.fault("table-file")
@pytest.mark.fault("table-twice")
def test_what_table_and_disk_do_not_share_is_told(root: Path) -> None:
    names = images(root, 8)
    rows = [f"{name},{'ab'[i % 2]}" for i, name in enumerate(names[:6])]
    file = table(root / "x.csv", "image,label", *rows, "gone.jpg,a", "lost.jpg,b", rows[0],
                 f"{names[6]},")  # fmt: skip
    listing, report = look(Source(file))
    assert len(listing.files) == 6
    text = str(report)
    assert "is in the table, and no such file is there" in text
    assert "2 times" in text
    assert f"{names[7]}" in text
    assert "stands in no row of the table" in text
    assert "stands in two rows alike; one is used" in text
    assert "has no label in row" in text
    table(file, "image,label", *rows, f"{names[0]},b")
    with pytest.raises(ValueError, match=r"p0.jpg stands in two rows that contradict .*'a'.*'b'"):
        load(file, size=8)


def test_a_table_reads_nothing_outside_its_folder(root: Path, tmp_path: Path) -> None:
    names = images(root)
    picture(tmp_path / "private.jpg")
    rows = [f"{name},{'ab'[i % 2]}" for i, name in enumerate(names)]
    for outside in ("../private.jpg", str(tmp_path / "private.jpg")):
        file = table(root / "x.csv", "image,label", *rows, f"{outside},a")
        with pytest.raises(ValueError, match="leads out of the table's folder"):
            load(file, size=8)
    moved = [f"/home/somebody/set/{line}" for line in rows]  # paths of another machine
    assert len(named(table(root / "x.csv", "image,label", *moved))) == 6


def test_a_name_in_two_folders_goes_by_the_part_or_is_asked_for(root: Path) -> None:
    for folder in ("train", "val"):
        images(root / folder, 4)
    lines = [f"p{i}.jpg,{'ab'[i % 2]},{part}" for part in ("train", "val") for i in range(4)]
    file = table(root / "x.csv", "image,label,split", *lines)
    listing, report = look(Source(file))
    assert report.problems == ()
    assert (len(listing.files), listing.validation) == (8, 4)
    table(file, "image,label", *(f"p{i}.jpg,{'ab'[i % 2]}" for i in range(4)))
    listing, report = look(Source(root / "x.csv"))
    assert "is the name of 2 files" in str(report)


def test_a_table_that_agrees_with_the_class_folders_changes_nothing(root: Path) -> None:
    fill(root, {"a": 2, "b": 2})
    rows = [f"{label}/{i}.jpg,{label.upper()}" for label in "ab" for i in range(2)]
    table(root / "metadata.csv", "file_name,label", *rows)
    assert load(root, size=8).classes == ("a", "b")
    table(root / "metadata.csv", "file_name,label", *rows[:3], "b/1.jpg,A")
    with pytest.raises(ValueError, match="gives other labels than the folders"):
        load(root, size=8)


def test_numbers_are_in_their_order_and_nearly_unique_labels_are_refused(root: Path) -> None:
    names = images(root, 24)
    file = table(root / "x.csv", "image,label", *(f"{n},{i % 12}" for i, n in enumerate(names)))
    assert load(file, size=8).classes == tuple(map(str, range(12)))
    table(file, "image,label", *(f"{n},caption {i}" for i, n in enumerate(names)))
    assert "24 labels for 24 images, nearly one each" in str(check(file))


def test_what_is_no_table_is_refused(root: Path) -> None:
    (root / "x.csv").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty: a table has a header"):
        look(Source(root / "x.csv"))
    (root / "x.docx").write_bytes(b"x")
    with pytest.raises(ValueError, match="no table of a known ending"):
        look(Source(root / "x.docx"))
    (root / "x.jsonl").write_text("[1]\n")
    with pytest.raises(ValueError, match="no JSON Lines: each line is one object"):
        look(Source(root / "x.jsonl"))
    names = images(root)
    text = "image,label\n" + "".join(f"{n},{'aé'[i % 2]}\n" for i, n in enumerate(names))
    (root / "y.csv").write_bytes(text.encode("cp1252"))
    assert load(root / "y.csv", size=8).classes == ("a", "é")


def test_a_table_whose_name_ends_in_what_it_holds(root: Path) -> None:
    """As HAM10000 and Roboflow's export lay it out."""
    names = [*images(root / "part_1", 3), *images(root / "part_2", 3)]
    for number, path in enumerate(sorted(root.rglob("*.jpg"))):
        path.rename(path.with_name(f"ISIC_{number}.jpg"))
    rows = [f"ISIC_{number},{'ab'[number % 2]}" for number in range(len(names))]
    table(root / "HAM10000_metadata.csv", "image_id,dx", *rows)
    _, report = look(Source(root))
    assert any("gives other labels than the folders" in note for note in report.notes)

    other = root.parent / "other"
    for number, name in enumerate(images(other / "train", 4)):
        (other / "train" / name).rename(other / "train" / f"{number}.jpg")
    table(other / "train" / "_classes.csv", "filename, cat, dog",
          *(f"{number}.jpg, {number % 2}, {1 - number % 2}" for number in range(4)))  # fmt: skip
    assert named(other) == {f"{n}.jpg": ("dog", "cat")[n % 2] for n in range(4)}
