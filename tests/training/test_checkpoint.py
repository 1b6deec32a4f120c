"""Checkpoints: whole or refused, and nothing in them runs."""

import dataclasses
import hashlib
import io
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lineage_lab.files import Hashed
from lineage_lab.registry import create_model
from lineage_lab.training.checkpoint import Checkpoint, load, newest, save

SPACE = 4 << 20


def checkpoint(step: int = 1, **changes: Any) -> Checkpoint:
    model = create_model("lenet5_modern")
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(2, 1, 32, 32)).sum().backward()
    optimizer.step()
    whole = Checkpoint(
        model="lenet5_modern",
        classes=tuple("0123456789"),
        preprocessing={"size": 32, "mean": [0.5], "std": (0.5,), "channels": 1},
        recipe={"lr": 1e-3, "name": "short", "flips": None},
        state=model.state_dict(),
        training={
            "optimizer": optimizer.state_dict(),
            "rng": {"torch": torch.get_rng_state(), "python": random.getstate()},
            "step": step,
        },
        metrics={"val_accuracy": [0.5, 0.75]},
    )
    return dataclasses.replace(whole, **changes)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "last.ckpt"
    save(path, checkpoint())
    return path


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def test_what_was_saved_comes_back_the_same(tmp_path: Path) -> None:
    wanted = checkpoint()
    save(tmp_path / "new" / "x.ckpt", wanted)
    found = load(tmp_path / "new" / "x.ckpt", model="lenet5_modern", classes=tuple("0123456789"))
    for field in dataclasses.fields(Checkpoint):
        a, b = getattr(wanted, field.name), getattr(found, field.name)
        assert same(dict(a) if field.name == "state" else a, b), field.name
    create_model("lenet5_modern").load_state_dict(found.state)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["x.ckpt"]


def test_the_file_is_three_lines_and_torchs_own_format(saved: Path) -> None:
    what, digest, length, payload = saved.read_bytes().split(b"\n", 3)
    assert what == b"lineage-lab checkpoint 2"
    assert digest.decode() == hashlib.sha256(payload).hexdigest()
    assert int(length) == len(payload)
    content = torch.load(io.BytesIO(payload), weights_only=True)
    assert set(content) == {field.name for field in dataclasses.fields(Checkpoint)}


def test_a_file_of_the_first_format_still_loads(saved: Path) -> None:
    content = torch.load(io.BytesIO(saved.read_bytes().split(b"\n", 3)[3]), weights_only=True)
    del content["form"]  # format 1 had none
    payload = io.BytesIO()
    torch.save(content, payload)
    wanted = load(saved)
    saved.write_bytes(sealed(payload.getvalue()))
    assert saved.read_bytes().startswith(b"lineage-lab checkpoint 1\n")
    found = load(saved)
    assert found.form == {}
    assert same(dict(wanted.state), dict(found.state))
    assert same(wanted.training, found.training)


def test_torch_alone_does_not_see_a_flipped_bit(saved: Path) -> None:
    """Why there is a hash at all."""
    payload = bytearray(saved.read_bytes().split(b"\n", 3)[3])
    name, weight = next(iter(load(saved).state.items()))
    place = payload.index(weight.numpy().tobytes())
    payload[place] ^= 1
    found = torch.load(io.BytesIO(payload), weights_only=True)["state"][name]
    assert not torch.equal(found, weight)


@pytest.mark.fault("flipped-bit")
def test_each_flipped_bit_is_found(saved: Path) -> None:
    whole = saved.read_bytes()
    draw = random.Random(0)
    places = [*range(112), *(draw.randrange(len(whole)) for _ in range(100)), len(whole) - 1]
    for place in places:
        broken = bytearray(whole)
        broken[place] ^= 1 << draw.randrange(8)
        saved.write_bytes(broken)
        with pytest.raises(ValueError, match=r"last\.ckpt (is|has) .*(damaged|cut off)"):
            load(saved)


@pytest.mark.fault("cut-checkpoint")
def test_each_truncation_is_found(saved: Path) -> None:
    whole = saved.read_bytes()
    draw = random.Random(0)
    for length in [*range(1, 112), *(draw.randrange(112, len(whole)) for _ in range(50))]:
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut off"):
            load(saved)
    saved.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match=r"is damaged: it has .* that were written"):
        load(saved)


class Evil:
    """What a hostile file would hold."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def sealed(payload: bytes) -> bytes:
    """A file with a right hash, as whoever knows the format can make it."""
    digest = hashlib.sha256(payload).hexdigest()
    return f"lineage-lab checkpoint 1\n{digest}\n{len(payload):020}\n".encode() + payload


def torch_saved(thing: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def content(**changes: Any) -> dict[str, Any]:
    made = checkpoint()
    fields = {f.name: getattr(made, f.name) for f in dataclasses.fields(Checkpoint)}
    return fields | {"state": dict(made.state)} | changes


def test_no_file_runs_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("evil.ckpt")
    for payload in (
        torch_saved(Evil()),
        torch_saved(content(metrics={"x": Evil()})),
        pickle.dumps(Evil()),
    ):
        path.write_bytes(sealed(payload))
        with pytest.raises(ValueError, match=r"evil\.ckpt was refused.*Nothing of it was run"):
            load(path)
        path.write_bytes(payload)
        with pytest.raises(ValueError, match=r"is not a checkpoint of Lineage Lab"):
            load(path)
    assert not Path("ran").exists()
    pickle.loads(pickle.dumps(Evil()))  # the control: these bytes would have run
    assert Path("ran").exists()


NAN = {"head.weight": torch.tensor([1.0, float("nan"), float("inf")])}
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"model": 1}, "field 'model' is of type int"),
    ({"classes": []}, "field 'classes' is of type list"),
    ({"classes": ()}, "field 'classes' is not one name or more"),
    ({"classes": ("a", 1)}, "field 'classes' is not one name or more"),
    ({"state": {"a": 1.0}}, "field 'state' has 'a'"),
    ({"state": NAN}, r"state\['head.weight'\] holds 2 number\(s\) that are NaN or infinite"),
    ({"training": {"ema": [NAN]}}, r"training\['ema'\]\[0\]\['head.weight'\] holds 2"),
    ({"state": {"a": torch.zeros(1).expand(1 << 40)}}, "is an expanded view"),
    ({"metrics": {"a": torch.zeros(1)}}, r"metrics\['a'\] is of type torch.Tensor"),
)


@pytest.mark.fault("never-nan")
@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_wrong_field_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(sealed(torch_saved(content(**changes))))
    with pytest.raises(ValueError, match=f"x.ckpt is no sound checkpoint: .*{message}"):
        load(path)
    save(path, checkpoint())
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"x.ckpt was not written: .*{message}"):
        save(path, checkpoint(**changes))
    assert path.read_bytes() == before


def test_what_could_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    for value in (np.float64(1), torch.__version__, np.zeros(1), {1, 2}, Path("x")):
        with pytest.raises(ValueError, match=r"metrics\['a'\] is of type .* not plain"):
            save(tmp_path / "x.ckpt", checkpoint(metrics={"a": value}))
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested more than 32 deep"):
        save(tmp_path / "x.ckpt", checkpoint(metrics={"a": endless}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", [True, False], ids=["in a write", "between writes"])
def test_ctrl_c_while_it_is_written_stays_ctrl_c(
    inside: bool, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's writer ends with an error of its own then, which hid it."""
    before = saved.read_bytes()
    calls = iter(range(9))
    whole = Hashed.write

    class Stopped(io.BytesIO):
        def write(self, data: Any) -> int:
            raise KeyboardInterrupt

    def write(self: Hashed, data: bytes) -> int:
        if next(calls) == 3:
            if not inside:
                raise KeyboardInterrupt
            self.file = Stopped()
        return whole(self, data)

    monkeypatch.setattr(Hashed, "write", write)
    with pytest.raises(KeyboardInterrupt):
        save(saved, checkpoint(step=8))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["last.ckpt"]


def test_fields_too_many_or_too_few_are_refused(tmp_path: Path) -> None:
    few = content()
    del few["recipe"]
    for thing in (few, content(more=1), [1], torch.zeros(1)):
        (tmp_path / "x.ckpt").write_bytes(sealed(torch_saved(thing)))
        with pytest.raises(ValueError, match="does not have the fields model, classes"):
            load(tmp_path / "x.ckpt")


@pytest.mark.fault("other-model")
@pytest.mark.fault("other-classes")
def test_another_model_or_other_classes_are_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"of lenet5_modern, not of resnet50: ask for lenet5"):
        load(saved, model="resnet50")
    with pytest.raises(ValueError, match=r"only it knows '2', '3', .*it does not know 'cat'"):
        load(saved, classes=("0", "1", "cat"))
    with pytest.raises(ValueError, match=r"the same ones in another order"):
        load(saved, classes=tuple("1023456789"))


def test_what_is_no_checkpoint_is_called_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*none\.ckpt"):
        load(tmp_path / "none.ckpt")
    with pytest.raises(ValueError, match=r"is no file"):
        load(tmp_path)
    path = tmp_path / "x.ckpt"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"x\.ckpt is empty: it was never written"):
        load(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    with pytest.raises(ValueError, match=r"not a checkpoint of Lineage Lab"):
        load(path)
    path.write_bytes(sealed(b"").replace(b"checkpoint 1", b"checkpoint 3"))
    with pytest.raises(ValueError, match=r"has format 3, .* reads the formats 1 and 2"):
        load(path)
    os.mkfifo(tmp_path / "pipe.ckpt")
    with pytest.raises(ValueError, match=r"is no file"):
        load(tmp_path / "pipe.ckpt")


def test_the_one_before_the_last_is_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save(tmp_path / "last.ckpt", checkpoint(step), keep_previous=True)
    steps = {p.name: (load(p).training or {})["step"] for p in tmp_path.iterdir()}
    assert steps == {"last.ckpt": 3, "last-1.ckpt": 2}
    assert newest(tmp_path).name == "last.ckpt"


@pytest.mark.fault("newest-sound")
def test_the_newest_sound_one_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for step in (1, 2, 3):
        save(tmp_path / "last.ckpt", checkpoint(step), keep_previous=True)
    save(tmp_path / "best.ckpt", checkpoint(training=None))
    broken = bytearray((tmp_path / "last.ckpt").read_bytes())
    broken[5000] ^= 1
    (tmp_path / "last.ckpt").write_bytes(broken)
    with caplog.at_level(logging.WARNING):
        assert newest(tmp_path).name == "last-1.ckpt"  # best is newer, but can't be resumed
    assert "last.ckpt is damaged" in caplog.text
    save(tmp_path / "best.ckpt", checkpoint(step=3))
    assert newest(tmp_path).name == "best.ckpt"
    save(tmp_path / "best.ckpt", checkpoint(step=1))
    (tmp_path / "last.ckpt").unlink()  # killed between the two renames
    assert newest(tmp_path).name == "last-1.ckpt"
    (tmp_path / "last-1.ckpt").write_bytes(b"")
    (tmp_path / "best.ckpt").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"(?s)can be used:.*best.ckpt is not .*last-1.ckpt is em"):
        newest(tmp_path)


def test_a_folder_without_checkpoints_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(FileNotFoundError, match=r"there is no checkpoint in .*starts anew"):
            newest(folder)


@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_failing_disk_leaves_the_old_file(
    step: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "write":
        monkeypatch.setattr("lineage_lab.files.Hashed.write", full)
    elif step == "fsync":
        monkeypatch.setattr("os.fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match=r"last\.ckpt could not be written: No space left.*Make room"):
        save(saved, checkpoint(2), keep_previous=True)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == ["last.ckpt"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SPACE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_file(small_disk: Path) -> None:
    path = small_disk / "last.ckpt"
    save(path, checkpoint())
    before = path.read_bytes()
    large = checkpoint(training={"large": torch.zeros(SPACE)})
    with pytest.raises(OSError, match=r"last\.ckpt could not be written: No space left") as told:
        save(path, large, keep_previous=True)
    assert told.value.errno == 28
    assert path.read_bytes() == before
    assert [p.name for p in small_disk.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_at_any_moment_leaves_a_sound_one(seed: int, tmp_path: Path) -> None:
    program = """
        import sys, torch
        from pathlib import Path
        from lineage_lab.training.checkpoint import Checkpoint, save
        x = torch.rand(1_000_000)
        for step in range(1, 10_000):
            save(Path(sys.argv[1]) / "last.ckpt", Checkpoint(
                model="m", classes=("a",), preprocessing={}, recipe={}, state={"x": x},
                training={"step": step}, metrics={}), keep_previous=True)
            print(step, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        time.sleep(random.Random(seed).uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        told = [1, *map(int, process.stdout.read().split())]
    found = load(newest(tmp_path))
    assert (found.training or {})["step"] in {told[-1], told[-1] + 1}
    save(tmp_path / "last.ckpt", found, keep_previous=True)
    assert {p.name for p in tmp_path.iterdir()} == {"last.ckpt", "last-1.ckpt"}  # no left-overs


def test_110_megabytes_are_saved_and_read_in_seconds(tmp_path: Path) -> None:
    large = checkpoint(state={"x": torch.rand(27_500_000)}, training=None)
    start = time.perf_counter()
    save(tmp_path / "x.ckpt", large)
    wrote = time.perf_counter()
    load(tmp_path / "x.ckpt")
    read = time.perf_counter()
    print(f"saved in {wrote - start:.2f} s, read in {read - wrote:.2f} s")
    assert read - start < 10  # a guard against a slow way, not a measurement
