"""The look at a whole set: twins, pictures far from the rest, a page, in processes of its own."""

import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from scipy.fft import dct
from skimage import data as photographs

from lineage_lab.data import checking, duplicates
from lineage_lab.data.checking import check, examine
from lineage_lab.data.contact_sheet import contact_sheet
from lineage_lab.data.listing import Source
from tests.data.pictures import fill, picture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fill(tmp_path / "set", {"train/a": 6, "train/b": 6, "val/a": 6, "val/b": 6})


def save(path: Path, pixels: np.ndarray, **said: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **said)
    return path


def test_the_hash_is_the_median_of_the_lowest_frequencies() -> None:
    small = np.random.default_rng(0).integers(0, 256, (5, 32, 32)).astype(np.float32)
    for image, found in zip(small, duplicates.perceptual(small), strict=True):
        lowest = dct(dct(image.astype(float), axis=0), axis=1)[:8, :8]  # as ImageHash's phash
        bits = (lowest > np.median(lowest)).ravel()
        assert int(found) == int("".join(str(int(bit)) for bit in bits), 2)


def test_near_pairs_are_those_that_a_comparison_of_all_finds() -> None:
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**64, 300, np.uint64)
    for place in range(100, 200):  # near copies
        flips = generator.choice(64, int(generator.integers(0, 6)), replace=False)
        hashes[place] = hashes[place - 100]
        for flip in flips:
            hashes[place] ^= np.uint64(1) << np.uint64(flip)
    labels, parts = generator.integers(0, 3, 300), generator.integers(0, 2, 300)
    wanted = {
        (a, b)
        for a in range(300)
        for b in range(a + 1, 300)
        if (int(hashes[a]) ^ int(hashes[b])).bit_count() <= duplicates.NEAR
        and (labels[a] != labels[b] or parts[a] != parts[b])
    }
    assert set(duplicates.near(hashes, labels, parts)) == wanted
    assert len(wanted) > 20


def test_a_recompressed_and_a_resized_copy_are_near(root: Path) -> None:
    photo = photographs.chelsea()
    save(root / "train" / "a" / "cat.png", photo)
    save(root / "val" / "a" / "again.jpg", photo, quality=60)
    small = np.asarray(Image.fromarray(photo).resize((200, 133)))
    save(root / "train" / "b" / "small.png", small)
    text = str(check(root))
    assert re.search(r"pairs? of pictures (is|are) nearly the same in two parts", text)
    assert re.search(r"pairs? of pictures (is|are) nearly the same in two classes", text)
    assert re.search(r"train/a/cat.png and \S+/val/a/again.jpg", text)


def test_pictures_far_from_the_rest_are_named(root: Path) -> None:
    picture(root / "train" / "a" / "black.png", level=0)
    picture(root / "train" / "a" / "grey.png", level=128)
    found = dict(examine(Source(root)).odd)
    assert found[root / "train" / "a" / "black.png"] == "of one value"
    assert found[root / "train" / "a" / "grey.png"] == "of one value"
    assert len(found) == 2


def test_the_page_shows_all_that_the_report_says_and_asks_nobody(root: Path) -> None:
    (root / "train" / "a" / "<b>&.png").write_bytes(b"no image")
    (root / "train" / "a" / "notes.txt").write_text("x")
    (root / "val" / "b" / "copy.jpg").write_bytes((root / "train" / "a" / "0.jpg").read_bytes())
    found = examine(Source(root))
    page = contact_sheet(found)
    soup = BeautifulSoup(page, "html.parser")
    assert soup.find("b") is None
    words = soup.get_text()
    for part in ("train", "val", "<b>&.png", "notes.txt", "Problems: mend these first"):
        assert part in words
    sources = [image["src"] for image in soup.find_all("img")]
    assert len(found.twins) == 1
    assert len(sources) == 2 + 11 + 12  # the pair; of each class twelve, one of which is broken
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert all(image.get("alt") for image in soup.find_all("img"))
    assert "http:" not in page
    assert "https:" not in page


def test_processes_see_what_this_one_sees(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "train" / "a" / "broken.png").write_bytes(b"no image")
    alone = examine(Source(root))
    monkeypatch.setattr(checking, "ALONE", 1)
    monkeypatch.setattr(checking, "AT_ONCE", 4)
    done: list[tuple[int, int]] = []
    shared = examine(Source(root), on_image=lambda *numbers: done.append(numbers))
    assert shared == alone
    assert done[-1] == (25, 25)
    assert [a for a, _ in done] == sorted(a for a, _ in done)


def test_a_file_that_ends_its_process_is_named_and_the_rest_is_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoder in C that fails takes its process with it, not the look."""
    monkeypatch.setattr(checking, "ALONE", 1)
    monkeypatch.setattr(
        checking, "SERVE",
        "import os\nfrom lineage_lab.data import checking\nreal = checking.inspect\n"
        "def inspect(path, **said):\n"
        "    if path.name == '3.jpg' and path.parent.parent.name == 'val': os.abort()\n"
        "    return real(path, **said)\n"
        "checking.inspect = inspect\nchecking.serve()",
    )  # fmt: skip
    report = check(root)
    assert {problem.path.name for problem in report.problems} == {"3.jpg"}
    assert "the decoder itself failed" in str(report)


def test_a_look_that_is_stopped_leaves_nothing_half_written(root: Path, tmp_path: Path) -> None:
    for number in range(3000):
        (root / "train" / "a" / f"n{number}.jpg").write_bytes(
            (root / "train" / "a" / "0.jpg").read_bytes()
        )
    target = tmp_path / "page.html"
    target.write_text("before")
    process = subprocess.Popen(
        [sys.executable, "-m", "lineage_lab", "data", "check", str(root), "--html", str(target)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(1.5)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert target.read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"set", "page.html"}


def test_a_look_needs_no_torch(root: Path) -> None:
    code = (
        "import sys; from lineage_lab.data.checking import check; "
        f"check({str(root)!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_page_of_scans_is_drawn_by_the_stated_range(tmp_path: Path) -> None:
    from lineage_lab.data.decoding import Reading

    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    for name in "ab":
        for number in range(2):
            save(tmp_path / "set" / name / f"{number}.png", np.roll(ramp, number + ord(name)))
    found = examine(Source(tmp_path / "set", reading=Reading(pixel_range=(0, 4095))))
    assert found.report.ok
    data = re.findall(r"base64,([^\"]+)", contact_sheet(found))[0]
    import base64

    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert image.max() > 240
