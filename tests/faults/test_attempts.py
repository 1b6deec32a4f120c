"""Attempts to lose something: each is refused or does its work, and what was there stays there.

Every attempt runs the command itself, in this process, on a copy of a finished run and of a
finished comparison. None may end in a traceback or with another exit code; and but for those that
are meant to write, the folder must hold the same bytes afterwards.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lineage_lab import cli
from lineage_lab.comparing.results import Comparison
from lineage_lab.data import cache, load
from lineage_lab.files import alone
from lineage_lab.training import checkpoint
from tests.conftest import listens

COMMAND = (sys.executable, "-m", "lineage_lab")
QUICK = ("--data", "digits", "--limit", "40", "--random-weights", "--precision", "fp32", "--set",
         "memory_format=contiguous")  # fmt: skip
TRAIN = ("finetune", "lenet5_modern", *QUICK)
COMPARE = ("compare", "lenet5_modern", *QUICK, "--seeds", "1")


class Left(Exception):  # noqa: N818
    """Stands for `os._exit`."""


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of the command, run here."""
    monkeypatch.setattr(sys, "argv", ["lineage-lab", *arguments])

    def leave(code: int) -> None:
        raise Left(code)

    monkeypatch.setattr(os, "_exit", leave)
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    except Left as end:
        return int(end.args[0])
    return 0


def content(folder: Path) -> dict[str, str]:
    """Path -> hash of each file; locks that were let go of are no content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, a comparison, and files of the names that commands may write to."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(*TRAIN, "--out", "run", monkeypatch=patch) == 0
        assert run(*COMPARE, "--out", "cmp", monkeypatch=patch) == 0
    for name in ("x.json", "x.svg", "x.onnx", "x.pt2", "x.html"):
        (folder / name).write_text("mine")
    (folder / "file").write_text("mine")
    return folder


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    return folder


REFUSED: tuple[tuple[tuple[str, ...], str], ...] = (
    ((*TRAIN, "--out", "run"), "run holds a run already (best.ckpt, last.ckpt"),
    ((*TRAIN, "--out", "run", "--seed", "5"), "--overwrite"),
    (("finetune", "resnet20_cifar", *QUICK, "--out", "run"), "--resume"),
    ((*TRAIN, "--out", "file"), "file"),
    ((*TRAIN, "--out", "file/inside"), "file/inside"),
    ((*TRAIN, "--out", "n" * 300), "n: File name too long"),
    ((*COMPARE, "--out", "cmp"), "cmp holds a comparison already (comparison.json)"),
    ((*COMPARE, "--out", "cmp", "--seeds", "2"), "--resume"),
    (("compare", "resnet20_cifar", *QUICK, "--out", "cmp", "--resume"), "lenet5_modern too"),
    ((*COMPARE, "--json", "x.json"), "x.json is there already"),
    ((*COMPARE, "--json", "run"), "run is a folder"),
    (("lr-find", "lenet5_modern", *QUICK, "--svg", "x.svg"), "x.svg is there already"),
    (("export", "run/best.ckpt", "x.onnx"), "x.onnx is there already"),
    (("export", "run/best.ckpt", "x.pt2"), "x.pt2 is there already"),
    (("data", "check", "run", "--html", "x.html"), "x.html is there already"),
    (("show", "nowhere.json"), "there is no nowhere.json"),
    (("show", "run"), "run is no file"),
    (("show", "file"), "file is no comparison"),
    (("show", "cmp/comparison.json", "--beside", "nowhere.json"), "there is no nowhere.json"),
    ((*TRAIN, "--set", "clip_norm=Infinity"), "clip_norm must be a finite number"),
    ((*TRAIN, "--set", "lr=1e309"), "lr must be a finite number"),
    ((*TRAIN, "--lr", "inf"), "lr must be a finite number"),
    ((*TRAIN, "--lr", "nan"), "lr must be a finite number"),
    ((*TRAIN, "--minutes", "inf"), "minutes must be a finite number"),
    ((*COMPARE, "--set", "weight_decay=NaN"), "weight_decay must be a finite number"),
    ((*TRAIN, "--set", "seed=-1"), "seed must be from 0"),
    ((*TRAIN, "--set", f"seed={2**64}"), "seed must be from 0"),
    ((*TRAIN, "--seed", "-1"), "--seed"),
    ((*TRAIN, "--seed", str(2**70)), "--seed"),
    ((*TRAIN, "--threads", str(2**70)), "--threads"),
    ((*TRAIN, "--set", "workers=1000"), "is more than the"),
    ((*TRAIN, "--set", "workers=-1"), "workers must be at least 0"),
    ((*TRAIN, "--resume"), "--out"),
    (("predict", "nowhere.ckpt", "file"), "there is no checkpoint"),
    (("predict", "run/best.ckpt", "nowhere"), "nowhere"),
    (("export", "run/best.ckpt", "x.doc"), "must end in"),
)


@pytest.mark.fault("earlier-run")
def test_a_folder_with_a_run_is_refused_before_anything_is_decoded(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def decode(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("lineage_lab.data.sets.load", decode)
    before = content(here)
    assert run(*TRAIN, "--out", "run", monkeypatch=monkeypatch) == 2
    assert "nothing was changed: go on with it by --resume" in capfd.readouterr().err
    assert content(here) == before


@pytest.mark.parametrize(
    ("arguments", "words"), REFUSED, ids=[" ".join(r[0][-2:]) for r in REFUSED]
)
def test_is_refused_and_changes_nothing(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    before = content(here)
    code = run(*arguments, monkeypatch=monkeypatch)
    said = " ".join(capfd.readouterr().err.split())
    assert (code, words in said, "Traceback" in said) == (
        1 if arguments[0] == "predict" and "nowhere" in arguments else 2, True, False
    ), said  # fmt: skip
    assert content(here) == before


def test_what_was_asked_for_is_replaced_or_gone_on_with(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(here)
    assert run(*TRAIN, "--out", "run", "--resume", monkeypatch=monkeypatch) == 0
    assert content(here)["run/best.ckpt"] == before["run/best.ckpt"]
    assert run(*TRAIN, "--out", "run", "--overwrite", "--seed", "3", monkeypatch=monkeypatch) == 0
    assert content(here)["run/best.ckpt"] != before["run/best.ckpt"]
    assert run(*COMPARE, "--out", "cmp", "--resume", monkeypatch=monkeypatch) == 0
    assert run(*COMPARE, "--json", "x.json", "--overwrite", monkeypatch=monkeypatch) == 0
    assert Comparison.load("x.json").rows[0].name == "lenet5_modern"


@pytest.mark.fault("name-not-utf-8")
def test_a_name_that_is_not_utf_8_is_refused_before_training(
    here: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsdecode(b"odd\xff")
    shutil.copytree(pictures, here / odd)
    before = content(here)
    train = ("finetune", "lenet5_modern", "--random-weights")
    for more in (("--data", odd), ("--data", "digits", "--limit", "40", "--out", odd)):
        assert run(*train, *more, monkeypatch=monkeypatch) == 2
        assert "the name odd\\udcff is not UTF-8" in capfd.readouterr().err
    assert content(here) == before


def test_a_pipe_in_place_of_a_file_is_not_waited_for(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo("pipe")
    assert run("show", "pipe", monkeypatch=monkeypatch) == 2
    assert "pipe is no file" in capfd.readouterr().err


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "a count for the classes": lambda r: r["data"].update(classes=5),
    "classes that are no names": lambda r: r["data"].update(classes=[1, 2]),
    "no classes": lambda r: r["data"].update(classes=[]),
    "a negative count": lambda r: r["data"].update(val=-3),
    "a text for a count": lambda r: r["data"].update(train="many"),
    "another number of validation images": lambda r: r["data"].update(val=7),
    "no licence": lambda r: r["data"].update(licence=None),
    "its data has 3 for drawn_by_seed": lambda r: r["data"].update(drawn_by_seed=3),
    "a list for a limit": lambda r: r.update(limit=[1]),
    "a negative limit": lambda r: r.update(limit=-40),
    "data that are a list": lambda r: r.update(data=[]),
    "no rows": lambda r: r.update(rows=[]),
    "an answer that is no class": lambda r: r["rows"][0]["runs"][0]["answers"].__setitem__(0, 99),
    "a negative answer": lambda r: r["rows"][0]["runs"][0]["answers"].__setitem__(0, -1),
    "accuracy of another run": lambda r: r["rows"][0]["runs"][0].update(accuracy=0.123),
    "seconds below zero": lambda r: r["rows"][0]["runs"][0].update(seconds=-1),
    "a network twice": lambda r: r["rows"].append(r["rows"][0]),
    "another schema": lambda r: r.update(schema=99),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.fault("odd-comparison")
def test_a_comparison_that_contradicts_itself_is_refused(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    change: Callable[[dict[str, Any]], None],
) -> None:
    file = here / "cmp" / "comparison.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    assert run("show", str(file), monkeypatch=monkeypatch) == 2
    said = capfd.readouterr().err
    assert "is no comparison that `lineage-lab compare` wrote" in said
    assert "Traceback" not in said


FIELDS = ("step", "epoch", "batch", "seconds", "images_trained", "accumulate", "best", "losses",
          "curve", "optimizer", "scaler", "average", "random", "form", "data")  # fmt: skip


@pytest.mark.parametrize("value", ["missing", "odd"])
@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.fault("odd-training-state")
def test_a_training_state_of_another_form_is_told_by_its_field(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    value: str,
) -> None:
    path = here / "run" / "last.ckpt"
    saved = checkpoint.load(path)
    state = dict(saved.training or {})
    if value == "missing":
        del state[name]
    else:
        state[name] = "odd" if name != "data" else 3
    for file in (here / "run").glob("*.ckpt"):
        file.unlink()
    checkpoint.save(path, replace(saved, training=state))
    before = content(here)
    assert run(*TRAIN, "--out", "run", "--resume", monkeypatch=monkeypatch) == 2
    said = capfd.readouterr().err
    assert "last.ckpt" in said
    assert repr(name) in said
    assert "start anew" in said
    assert content(here) == before


@pytest.mark.fault("folder-in-use")
def test_a_folder_that_another_run_writes_to_is_refused_by_its_name(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = content(here)
    with alone(here / "run"):
        assert run(*TRAIN, "--out", "run", "--resume", monkeypatch=monkeypatch) == 2
        said = capfd.readouterr().err
        assert f"is being written to by process {os.getpid()} on " in said
        assert "since 20" in said
    with alone(here / "cmp"):
        assert run(*COMPARE, "--out", "cmp", "--resume", monkeypatch=monkeypatch) == 2
    assert content(here) == before
    assert run(*TRAIN, "--out", "run", "--resume", monkeypatch=monkeypatch) == 0


def test_a_lock_ends_with_its_process(here: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from lineage_lab.files import alone\n"
        "with alone(Path('run')):\n    print('here', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout
    assert other.stdout.readline() == "here\n"
    with pytest.raises(ValueError, match=f"process {other.pid} on"), alone(here / "run"):
        pass
    other.kill()
    other.wait()
    other.stdout.close()
    with alone(here / "run"):
        pass


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number in range(12):
        path = tmp_path / "pictures" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (20 * number, 9, 99)).save(path)
    return tmp_path / "pictures"


@pytest.mark.fault("cache-changed")
def test_a_changed_block_of_the_cache_is_decoded_again(
    tmp_path: Path,
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path))
    whole = load(pictures, size=32)
    pixels = whole.images.clone()
    del whole
    (entry,) = (tmp_path / "decoded").glob("*.pixels")
    with entry.open("r+b") as file:
        file.seek(5000)
        file.write(bytes(64))
    assert not torch.equal(load(pictures, size=32).images, pixels)  # hashed once a process
    monkeypatch.setattr(cache, "_verified", set())
    assert torch.equal(load(pictures, size=32).images, pixels)
    assert "has changed since it was written: the images are decoded again" in caplog.text


@pytest.mark.fault("cache-cut")
def test_cached_pixels_that_are_cut_off_during_a_run_are_told(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path))
    images = load(pictures, size=32).images
    cache.check_whole(images[2:8])
    (entry,) = (tmp_path / "decoded").glob("*.pixels")
    os.truncate(entry, 4096)
    with pytest.raises(ValueError, match="were cut off while they were in use"):
        cache.check_whole(images[2:8])


NAMES = ("[bold]a[/]", "a | b", ":cat: & <b>x</b>", "line\nbreak", "\x1b[31mred", "it's \\ fine")


def test_text_from_outside_is_shown_as_it_is(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = here / "cmp" / "comparison.json"
    record = json.loads(file.read_text())
    names = [*NAMES, *record["data"]["classes"][len(NAMES) :]]
    record["data"].update(name="[red]set[/red]\x1b[0m", licence="CC | <i>", classes=names)
    file.write_text(json.dumps(record))
    assert run("show", str(file), monkeypatch=monkeypatch) == 0
    shown = capfd.readouterr().out
    assert "[red]set[/red]\\x1b[0m:" in shown
    assert "\x1b" not in shown
    markdown = Comparison.load(file).to_markdown()
    assert r"\[red\]set\[/red\]" in markdown
    assert r"CC \| \<i>" in markdown


@pytest.mark.parametrize("ending", [">/dev/full", "| true"])
def test_results_are_on_disk_before_they_are_printed(tmp_path: Path, ending: str) -> None:
    words = " ".join((*COMMAND, *COMPARE, "--json", "x.json", ending))
    subprocess.run(["bash", "-c", words], cwd=tmp_path, check=False, capture_output=True)
    assert Comparison.load(tmp_path / "x.json").seeds == (0,)


def test_an_output_without_plus_minus_gets_another_sign(here: Path) -> None:
    record = json.loads((here / "cmp/comparison.json").read_text())
    run_0 = record["rows"][0]["runs"][0]
    record["rows"][0]["runs"].append({**run_0, "seed": 1})
    (here / "two.json").write_text(json.dumps(record))
    done = subprocess.run(
        [*COMMAND, "show", "two.json"], cwd=here, capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"+/-" in done.stdout


def test_a_closed_pipe_ends_quietly(here: Path) -> None:
    words = f"{' '.join(COMMAND)} show cmp/comparison.json | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], cwd=here, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("141\n", "")


@pytest.mark.fault("interrupted-what")
def test_an_interrupted_command_says_what_is_written_and_leaves_no_half(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from lineage_lab import files

    monkeypatch.setattr(files, "_written", {})

    def stop(*_: object, **__: object) -> None:
        files.write_whole(here / "made.json", "{}")
        with files.writing(here / "half.json") as file:
            file.write(b"{")
            raise KeyboardInterrupt

    monkeypatch.setattr("lineage_lab.comparing.comparison.compare", stop)
    assert run(*COMPARE, "--out", "new", monkeypatch=monkeypatch) == 130
    said = capfd.readouterr().err
    assert "interrupted: written so far, and whole: " in said
    assert "made.json" in said
    assert "half.json" not in said
    assert not [path for path in here.iterdir() if "half" in path.name]


@pytest.mark.parametrize("pause", [0.0, 0.3])
def test_ctrl_c_twice_says_what_is_there_and_leaves_no_half(tmp_path: Path, pause: float) -> None:
    process = subprocess.Popen(
        [*COMMAND, *TRAIN, "--epochs", "100000", "--out", "run"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=listens,
    )  # fmt: skip
    last = tmp_path / "run" / "last.ckpt"
    while not last.exists():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    time.sleep(pause)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "nothing was written" not in said
    assert "last.ckpt" in said
    assert "Traceback" not in said
    checkpoint.load(last)
    assert not [path for path in last.parent.iterdir() if path.name.startswith(".last")]


def test_ten_thousand_paths_that_are_not_there(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [f"missing/{number}.png" for number in range(10_000)]
    assert run("predict", "run/best.ckpt", *paths, monkeypatch=monkeypatch) == 1
    said = capfd.readouterr().err
    assert len(said.splitlines()) == 10_000
    assert "Traceback" not in said
