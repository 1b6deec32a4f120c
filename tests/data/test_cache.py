"""The cache of decoded pixels: whole or not there, bounded, safe among processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lineage_lab.data import cache
from lineage_lab.data import sets as data
from lineage_lab.data.sets import load

MEBIBYTE = 2**20


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoded"


def pictures(root: Path, count: int) -> Path:
    for label, name in enumerate(("dark", "light")):
        (root / name).mkdir(parents=True)
        for i in range(count // 2):
            Image.new("L", (8, 8), 100 * label + i % 100).save(root / name / f"{i:05d}.png")
    return root


def entries(kept: Path) -> list[Path]:
    return sorted(kept.glob("*"))


def run(code: str, *args: object, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )


LOAD = """
import sys
from pathlib import Path
from lineage_lab.data import sets as data
calls = 0
def counted(*args, real=data.decode, **options):
    global calls
    calls += 1
    return real(*args, **options)
data.decode = counted
Path("/proc/self/clear_refs").write_text("5")
found = data.load(sys.argv[1], size=int(sys.argv[2]))
lines = Path("/proc/self/status").read_text().splitlines()
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
print(calls, found.fingerprint, peak)
"""


def test_an_entry_is_the_pixels_and_their_hash_and_only_that_is_left(
    kept: Path, tmp_path: Path
) -> None:
    found = load(pictures(tmp_path / "set", 20), size=8)
    (entry,) = entries(kept)
    assert entry.read_bytes()[:-32] == found.images.numpy().tobytes()
    assert entry.read_bytes()[-32:].hex() == found.pixels
    found.images[0] = 9  # may be written to, and nothing reaches the disk
    assert load(tmp_path / "set", size=8).images[0].max() == 0


@pytest.mark.parametrize("harm", ["cut", "grown", "empty"])
def test_an_entry_of_the_wrong_length_is_made_anew(harm: str, kept: Path, tmp_path: Path) -> None:
    whole = load(pictures(tmp_path / "set", 20), size=8).images.clone()
    (entry,) = entries(kept)
    content = entry.read_bytes()
    entry.write_bytes({"cut": content[:-1], "grown": content + b"x", "empty": b""}[harm])
    assert torch.equal(load(tmp_path / "set", size=8).images, whole)
    assert entry.read_bytes() == content


def test_a_changed_file_is_noticed_even_with_its_size_and_time_kept(
    kept: Path, tmp_path: Path
) -> None:
    root = pictures(tmp_path / "set", 20)
    file = root / "dark" / "00000.bmp"
    Image.new("L", (8, 8), 0).save(file)
    first = load(root, size=8)
    before = file.stat()
    file.write_bytes(file.read_bytes()[:-64] + bytes([55]) * 64)
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = load(root, size=8)
    assert second.images[0, 0, 0, 0] == 55
    assert second.fingerprint != first.fingerprint
    shutil.move(root, tmp_path / "moved")  # other paths, the same pixels: the same fingerprint
    assert load(tmp_path / "moved", size=8).fingerprint == second.fingerprint


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_does_not_grow_with_the_number_of_images(kept: Path, tmp_path: Path) -> None:
    peaks = []
    for count in (200, 4000):
        root = pictures(tmp_path / str(count), count)
        calls, _, peak = run(LOAD, root, 128).communicate()[0].split()
        assert int(calls) == count
        peaks.append(int(peak))
    assert sum(entry.stat().st_size for entry in entries(kept)) > 190 * MEBIBYTE
    assert peaks[1] - peaks[0] < 20, peaks  # MiB; the larger set has 178 more


def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(
    kept: Path, tmp_path: Path
) -> None:
    root = pictures(tmp_path / "set", 3000)
    for round_ in range(3):
        process = run(LOAD, root, 96)
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size > round_ * 9 * MEBIBYTE for path in kept.glob("*.part*")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert {path.suffix for path in entries(kept)} == {".lock", ".partial"}
    found = load(root, size=96)
    assert found.images[:, 0, 50, 50].tolist() == [i % 100 for i in range(1500)] + [
        100 + i % 100 for i in range(1500)
    ]
    assert {path.suffix for path in entries(kept)} == {".pixels"}


def test_of_many_processes_one_decodes_and_the_others_wait(kept: Path, tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", 400)
    processes = [run(LOAD, root, 96) for _ in range(3)]
    said = [process.communicate()[0].split() for process in processes]
    assert sorted(int(calls) for calls, _, _ in said) == [0, 0, 400]
    assert len({fingerprint for _, fingerprint, _ in said}) == 1
    assert {path.suffix for path in entries(kept)} == {".pixels"}


def make(name: str, kept: Path, mebibytes: int = 1) -> cache.Cached:
    """An entry of one image that depends on a file of this name."""
    source = kept.parent.parent / name
    if not source.exists():
        source.write_bytes(b"")
    pixels = np.zeros((1, 1024, 1024 * mebibytes), np.uint8)
    return cache.cached([source], lambda i: pixels, shape=(1, *pixels.shape), options=name)


def test_the_least_recently_used_go_first_and_what_is_used_stays(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE_GIB", str(3.5 / 1024))  # three entries of 1 MiB

    def made(name: str) -> Path:
        before = set(entries(kept))
        make(name, kept)
        (new,) = set(entries(kept)) - before
        time.sleep(0.01)
        return new

    a, _, c = made("a"), made("b"), made("c")
    make("a", kept)  # used again: the second is now the one used longest ago
    d = made("d")
    assert set(entries(kept)) == {a, c, d}
    held = make("c", kept).images
    time.sleep(0.01)
    for name in "ad":
        make(name, kept)
        time.sleep(0.01)  # a file system's clock ticks every few milliseconds
    e = made("e")  # c would be next, but it is in use
    assert set(entries(kept)) == {c, d, e}
    del held
    make("f", kept)
    assert c not in entries(kept)


def test_another_process_keeps_its_entry(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE_GIB", str(1.5 / 1024))
    make("a", kept)
    (entry,) = entries(kept)
    hold = run(
        "import sys, numpy as np; from pathlib import Path; from lineage_lab.data import cache\n"
        "t = cache._opened(Path(sys.argv[1]), (1, 1, 1024, 1024))\n"
        "print(t is not None, flush=True); import time; time.sleep(60)",
        entry,
    )
    assert hold.stdout is not None
    assert hold.stdout.readline() == "True\n"
    make("b", kept)
    assert entry in entries(kept)
    hold.kill()
    hold.communicate()
    make("c", kept)
    assert entry not in entries(kept)


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes(kept: Path) -> None:
    kept.mkdir(parents=True)
    (kept / "old.partial").write_bytes(b"x" * 100)
    make("a", kept)
    assert [path.suffix for path in entries(kept)] == [".pixels"]


def test_more_than_the_cache_may_hold_is_refused_before_anything_is_decoded(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE_GIB", str(3.5 / 1024))
    with pytest.raises(ValueError, match=r"take .* GiB, but .* set LINEAGE_LAB_CACHE_GIB to more"):
        make("a", kept, mebibytes=4)
    for said in ("ten", "0", "-1", "nan", "inf"):
        monkeypatch.setenv("LINEAGE_LAB_CACHE_GIB", said)
        with pytest.raises(ValueError, match=f"LINEAGE_LAB_CACHE_GIB is '{said}': .* positive"):
            make("a", kept)


def test_a_cache_that_cannot_be_written_costs_time_and_not_the_run(
    kept: Path, tmp_path: Path
) -> None:
    root = pictures(tmp_path / "set", 20)
    kept.parent.write_bytes(b"a file where the folder should be")
    with pytest.warns(UserWarning, match="can't be kept in .*Not a directory"):
        found = load(root, size=8)
    assert found.images[:10, 0, 0, 0].tolist() == list(range(10))


def test_a_full_disk_leaves_no_part_behind(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = pictures(tmp_path / "set", 20)
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.warns(UserWarning, match="No space left on device"):
        found = load(root, size=8)
    assert entries(kept) == []
    monkeypatch.undo()
    assert found.fingerprint == data.load(root, size=8).fingerprint


def _full(descriptor: int) -> None:
    raise OSError(28, os.strerror(28))


def test_a_broken_image_leaves_no_part_behind(kept: Path, tmp_path: Path) -> None:
    root = pictures(tmp_path / "set", 200)
    (root / "light" / "00099.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"light/00099\.png"):
        load(root, size=8)
    assert entries(kept) == []


def test_a_selection_is_a_view_a_copy_or_a_file(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.randint(0, 256, (300, 1, 4, 4), dtype=torch.uint8)
    rows = torch.arange(40, 140)
    assert cache.gathered(images, rows).data_ptr() == images[40:].data_ptr()
    rows = torch.randperm(300)[:150]
    copied = cache.gathered(images, rows)
    monkeypatch.setattr(cache, "LARGE", 100)
    in_file = cache.gathered(images, rows)
    assert torch.equal(copied, images[rows])
    assert torch.equal(in_file, copied)
    assert list(kept.parent.glob("*")) == []  # its file has no name
    assert len(cache.gathered(images, rows[:0])) == 0


LARGER_THAN_MEMORY = """
import sys
from pathlib import Path
import numpy as np
import torch
from torch import nn
from lineage_lab import finetune
from lineage_lab.data import cache
from lineage_lab.data.sets import ImageSet, split
from lineage_lab.training.device import forget_peak_memory
from lineage_lab.training.recipe import Recipe

def own():  # memory of the process itself, in MiB; what is mapped from a file is not
    forget_peak_memory(torch.device("cpu"))  # gives back what is free: a heap with holes is no use
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1]) // 1024

cache.LARGE = 2**26  # as a machine with little memory would want it
shape = (1400, 3, 256, 256)
images = np.memmap(sys.argv[1], np.uint8, mode="w+", shape=shape)  # holes in a file cost nothing
data = ImageSet(images=torch.from_numpy(images), labels=torch.arange(1400) % 2, classes=("a", "b"),
                name="large", licence="")
train, val = split(data, seed=0)
model = nn.Sequential(nn.Conv2d(3, 8, 16, stride=16), nn.AdaptiveAvgPool2d(1), nn.Flatten())
model.add_module("head", nn.Linear(8, 2))
recipe = Recipe(precision="fp32", memory_format="contiguous", compile="off")
most = []
finetune(model, train, val, recipe, on_step=lambda *_: most.append(own()))
print(images.nbytes // 2**20, max(most) - most[0], len(most))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_set_is_trained_on_without_being_in_memory(kept: Path, tmp_path: Path) -> None:
    done = run(LARGER_THAN_MEMORY, tmp_path / "images")
    size, grown, steps = map(int, done.communicate()[0].split())
    assert size > 250
    assert steps == 66  # each picture to train on was seen once
    assert grown < size / 8, grown
