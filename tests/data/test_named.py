"""torchvision's sets: its own downloading code runs, against stand-ins in the very layout.

A server on this machine hands out small archives; torchvision's addresses and MD5 are
patched, nothing else. What is downloaded, checked, unpacked, listed and decoded is real.
"""

import functools
import hashlib
import http.server
import io
import itertools
import os
import pickle
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets as theirs

from lineage_lab.data import named as datasets
from lineage_lab.data.sets import DATASETS, load, split

WNIDS = ("n01440764", "n02102040", "n02979186")
NAMES = ("cifar10", "flowers102", "pets", "imagenette")


def picture(level: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (level,) * 3).save(file, "jpeg")
    return file.getvalue()


def archive(path: Path, files: dict[str, bytes]) -> str:
    """A .tgz with these files; its MD5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return md5(path.read_bytes())


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class Server:
    """Serves a folder, and counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                if self.command == "GET":
                    outer.asked.append(self.path)

        handler = functools.partial(Handler, directory=str(folder))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
    server = Server(tmp_path / "served")
    patch(server, monkeypatch)
    yield server
    server.stop()


def patch(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins of the four sets, and torchvision pointed at them."""
    served, url = server.folder, server.url

    # CIFAR-10: six pickled batches and the classes' names.
    batches = {}
    for i, (name, _) in enumerate(theirs.CIFAR10.train_list + theirs.CIFAR10.test_list):
        rows = np.full((4, 3072), 40 * i, np.uint8)
        batches[name] = pickle.dumps({"data": rows, "labels": [0, 1, 2, 0]})
    names = pickle.dumps({"label_names": ["airplane", "automobile", "bird"]})
    files = {f"cifar-10-batches-py/{k}": v for k, v in {**batches, "batches.meta": names}.items()}
    cifar = theirs.CIFAR10
    monkeypatch.setattr(cifar, "url", f"{url}/{cifar.filename}")
    monkeypatch.setattr(cifar, "tgz_md5", archive(served / cifar.filename, files))
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": md5(names)})
    for which in ("train_list", "test_list"):
        patched = [[name, md5(batches[name])] for name, _ in getattr(cifar, which)]
        monkeypatch.setattr(cifar, which, patched)

    # Flowers-102: image n has label 1 + n % 3; ids are parted in trnid, valid and tstid.
    flowers = theirs.Flowers102
    tar = archive(
        served / "102flowers.tgz", {f"jpg/image_{i:05d}.jpg": picture(i) for i in range(1, 13)}
    )
    savemat(served / "imagelabels.mat", {"labels": [1 + i % 3 for i in range(1, 13)]})
    savemat(
        served / "setid.mat",
        {"trnid": [3, 4, 5], "valid": [6, 7, 8], "tstid": [9, 10, 11, 12, 1, 2]},
    )
    mats = [(n, md5((served / n).read_bytes())) for n in ("imagelabels.mat", "setid.mat")]
    table = {"image": ("102flowers.tgz", tar), "label": mats[0], "setid": mats[1]}
    monkeypatch.setattr(flowers, "_download_url_prefix", f"{url}/")
    monkeypatch.setattr(flowers, "_file_dict", table)

    # Oxford-IIIT Pets: cats have capital initials; "name class species breed" a line.
    pets = ("Abyssinian_1", "Abyssinian_2", "american_bulldog_1", "american_bulldog_2")
    images = {f"images/{name}.jpg": picture(50 * i) for i, name in enumerate(pets)}
    lists = {
        "annotations/trainval.txt": b"Abyssinian_1 1 1 1\namerican_bulldog_1 2 2 1\n",
        "annotations/test.txt": b"Abyssinian_2 1 1 1\namerican_bulldog_2 2 2 1\n",
    }
    resources = tuple(
        (f"{url}/{name}.tar.gz", archive(served / f"{name}.tar.gz", content))
        for name, content in (("images", images), ("annotations", lists))
    )
    monkeypatch.setattr(theirs.OxfordIIITPet, "_RESOURCES", resources)

    # Imagenette: folders named by WordNet.
    files = {
        f"imagenette2-320/{part}/{wnid}/{wnid}_{i}.JPEG": picture(60 * label + i)
        for part, count in (("train", 3), ("val", 2))
        for label, wnid in enumerate(WNIDS)
        for i in range(count)
    }
    tar = archive(served / "imagenette2-320.tgz", files)
    archives = {"320px": (f"{url}/imagenette2-320.tgz", tar)}
    monkeypatch.setattr(theirs.Imagenette, "_ARCHIVES", archives)


EXPECTED = {
    # name: classes, labels, validation, grey levels
    "cifar10": (
        ("airplane", "automobile", "bird"),
        [0, 1, 2, 0] * 6,
        4,
        [40 * i for i in range(6) for _ in range(4)],
    ),
    "flowers102": (
        ("pink primrose", "hard-leaved pocket orchid", "canterbury bells"),
        [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2],
        6,
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2],
    ),
    "pets": (("Abyssinian", "American Bulldog"), [0, 1, 0, 1], 2, [0, 100, 50, 150]),
    "imagenette": (
        ("tench", "English springer", "cassette player"),
        [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 1, 1, 2, 2],
        6,
        [0, 1, 2, 60, 61, 62, 120, 121, 122, 0, 1, 60, 61, 120, 121],
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_downloaded_once_and_keeps_its_split_and_names(
    name: str, server: Server, tmp_path: Path
) -> None:
    assert "downloaded when first used" in DATASETS[name].state()
    found = load(name, size=16)
    classes, labels, validation, levels = EXPECTED[name]
    assert found.classes[: len(classes)] == classes
    assert found.labels.tolist() == labels
    assert found.validation == validation
    assert found.images[:, 0, 8, 8].tolist() == levels
    assert found.images.shape == (len(labels), 3, 16, 16)
    assert found.licence == DATASETS[name].licence
    assert DATASETS[name].state() == "here"

    asked = len(server.asked)
    server.stop()  # from here on there is no network
    again = load(name, size=16)
    assert torch.equal(again.images, found.images)
    assert again.fingerprint == found.fingerprint
    assert len(server.asked) == asked
    if name != "flowers102":  # whose stand-in has no images of most classes
        train, val = split(again, seed=0)
        assert torch.equal(torch.cat((train.labels, val.labels)), again.labels)
    left = [path.name for path in (tmp_path / "cache" / "datasets").rglob("*")]
    assert not [n for n in left if n.endswith((".tgz", ".tar.gz", ".lock"))]  # room is given back


def test_cifar_at_its_own_size_is_not_touched(server: Server) -> None:
    found = load("cifar10", size=32)
    whole = theirs.CIFAR10(datasets.folder() / "datasets" / "cifar10", train=False)
    assert np.array_equal(found.images[-4:].numpy(), whole.data.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("name", NAMES)
def test_without_a_connection_the_message_says_what_to_do_and_doing_it_works(
    name: str, server: Server, tmp_path: Path
) -> None:
    server.stop()
    with pytest.raises(FileNotFoundError) as error:
        load(name, size=16)
    message = str(error.value)
    assert f"{name} could not be downloaded" in message
    files = [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert files == []
    lines = message.splitlines()
    places = 0
    for address, place in itertools.pairwise(lines):
        if address.startswith("  http"):
            path = Path(place.removeprefix("    to "))
            served = server.folder / address.rpartition("/")[2]
            path.write_bytes(served.read_bytes())  # the folder is there
            places += 1
    assert places == {"flowers102": 3, "pets": 2}.get(name, 1)
    assert load(name, size=16).labels.tolist() == EXPECTED[name][1]


class Trap:
    """Unpickled, it leaves a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


def test_the_trap_would_spring(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "ran")))
    assert (tmp_path / "ran").is_dir()


def test_a_batch_that_was_swapped_is_not_unpickled(server: Server, tmp_path: Path) -> None:
    load("cifar10", size=16)
    home = tmp_path / "cache" / "datasets" / "cifar10" / "cifar-10-batches-py"
    for name in ("test_batch", "batches.meta"):
        content = (home / name).read_bytes()
        (home / name).write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
        with pytest.raises(FileNotFoundError, match=r"cifar10 is not the whole .* Remove that"):
            load("cifar10", size=16)
        assert not (tmp_path / "ran").exists()
        (home / name).write_bytes(content)
    assert len(load("cifar10", size=16)) == 24


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_not_the_published_one_is_neither_unpacked_nor_kept(
    name: str, server: Server, tmp_path: Path
) -> None:
    trap = pickle.dumps(Trap(tmp_path / "ran"))
    for path in server.folder.iterdir():
        archive(path, {"cifar-10-batches-py/data_batch_1": trap, "../outside": b"x"})
    with pytest.raises(FileNotFoundError, match="could not be downloaded"):
        load(name, size=16)
    assert not (tmp_path / "ran").exists()
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


@pytest.mark.fault("outside")
def test_an_archive_writes_nothing_outside_its_folder(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = server.folder / "imagenette2-320.tgz"
    for name in ("../../../outside", "imagenette2-320/../../../outside"):
        sums = archive(served, {"imagenette2-320/train/x": b"x", name: b"x"})
        archives = {"320px": (f"{server.url}/imagenette2-320.tgz", sums)}
        monkeypatch.setattr(theirs.Imagenette, "_ARCHIVES", archives)
        with pytest.raises(FileNotFoundError, match=r"could not be downloaded: .*outside"):
            load("imagenette", size=16)
        assert not list(tmp_path.rglob("outside"))


def test_a_half_unpacked_set_is_not_taken_for_whole(server: Server, tmp_path: Path) -> None:
    """torchvision would: for it, a folder of this name is the set."""
    half = tmp_path / "cache" / "datasets" / "incoming" / "imagenette" / "imagenette2-320"
    (half / "train" / WNIDS[0]).mkdir(parents=True)
    (half / "train" / WNIDS[0] / "0.JPEG").write_bytes(picture(0)[:100])
    assert load("imagenette", size=16).labels.tolist() == EXPECTED["imagenette"][1]


def test_a_whole_archive_is_kept_when_the_next_one_fails(server: Server, tmp_path: Path) -> None:
    (server.folder / "annotations.tar.gz").rename(server.folder / "gone")
    with pytest.raises(FileNotFoundError, match=r"images\.tar\.gz \(is there\)"):
        load("pets", size=16)
    kept = [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()]
    assert kept == ["images.tar.gz"]
    (server.folder / "gone").rename(server.folder / "annotations.tar.gz")
    asked = server.asked.count("/images.tar.gz")
    assert len(load("pets", size=16)) == 4
    assert server.asked.count("/images.tar.gz") == asked


def test_a_set_that_lost_files_says_so(server: Server, tmp_path: Path) -> None:
    load("cifar10", size=16)
    home = tmp_path / "cache" / "datasets" / "cifar10"
    (home / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(FileNotFoundError, match=r"cifar10 is not the whole .* Remove that folder"):
        load("cifar10", size=16)


def test_a_silent_server_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(datasets, "SECONDS", 0.3)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x.tgz"
        monkeypatch.setattr(theirs.Imagenette, "_ARCHIVES", {"320px": (address, "0")})
        with pytest.raises(FileNotFoundError, match="timed out"):
            load("imagenette", size=16)
    assert socket.getdefaulttimeout() is None


def test_counts_are_the_published_ones() -> None:
    """torchvision's own numbers, where it states them; the split's sums else."""
    assert len(theirs.Flowers102.classes) == DATASETS["flowers102"].classes
    assert len(theirs.Imagenette._WNID_TO_CLASS) == DATASETS["imagenette"].classes
    for row in DATASETS.values():
        numbers = [int(w.replace(",", "")) for w in row.parts.split() if w[0].isdigit()]
        assert sum(numbers) in (0, row.images)


def test_torchvision_is_imported_by_nobody_who_does_not_need_it() -> None:
    code = (
        "import sys; from lineage_lab.data.sets import DATASETS, load; load('digits', size=32); "
        "[row.state() for row in DATASETS.values()]; print('torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
