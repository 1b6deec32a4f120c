"""The command: a mistake gets one message, no traceback, and the exit code that is documented."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from lineage_lab import cli, create_model, finetune
from lineage_lab.cli.exit_codes import EXIT_CODES
from lineage_lab.data.sets import ImageSet, load, split
from lineage_lab.training.recipe import Recipe
from lineage_site.facts.faults import find

ROOT = Path(__file__).parents[2]
START = ("finetune", "lenet5_modern", "--data", "digits", "--random-weights")
MISTAKES: tuple[tuple[tuple[str, ...], int], ...] = (
    ((), 2),
    (("--unknown",), 2),
    (("unknown",), 2),
    (("describe",), 2),
    (("describe", "resnet_50"), 2),
    (("models", "--family", "nothing"), 2),
    (("data", "check"), 2),
    (("data", "check", "nowhere"), 2),
    (("data", "check", "file.txt"), 2),
    (("data", "check", "empty"), 1),
    (("finetune",), 2),
    (("finetune", "lenet5_modern"), 2),
    (("finetune", "lenet5_modern", "--data", "nowhere"), 2),
    (("finetune", "lenet5_modern", "--data", "empty", "--random-weights"), 2),
    ((*START, "--epochs", "0"), 2),
    ((*START, "--epochs", "many"), 2),
    ((*START, "--batch-size", "1"), 2),
    ((*START, "--lr", "nan"), 2),
    ((*START, "--lr", "-1"), 2),
    ((*START, "--device", "tpu"), 2),
    ((*START, "--precision", "int4"), 2),
    ((*START, "--set", "nothing=1"), 2),
    ((*START, "--set", "mixup"), 2),
    ((*START, "--set", "mixup=[1"), 2),
    ((*START, "--resume"), 2),
    ((*START, "--out", "file.txt"), 2),
    (("compare", "lenet5_modern", "lenet5_modern", "--data", "digits", "--random-weights"), 2),
    (("compare", "lenet5_modern", "--data", "digits", "--random-weights", "--resume"), 2),
    (("lr-find", "nothing", "--data", "digits"), 2),
    (("predict", "nowhere.ckpt", "file.txt"), 2),
    (("predict", "file.txt", "file.txt"), 2),
    (("predict", "empty", "file.txt"), 2),
    (("export", "file.txt", "x.onnx"), 2),
    (("export", "nowhere.ckpt", "x.onnx"), 2),
    (("export", "nowhere.ckpt", "x.bin"), 2),
    (("show", "file.txt"), 2),
    (("show", "empty"), 2),
    (("show", "binary"), 2),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["lineage-lab", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    told = capsys.readouterr()
    return int(left.value.code or 0), told.out + told.err


@pytest.mark.fault("mistake")
@pytest.mark.parametrize(("arguments", "code"), MISTAKES, ids=lambda value: str(value)[:60])
def test_a_mistake_gets_a_message_and_no_traceback(
    arguments: tuple[str, ...], code: int, here: Path, monkeypatch, capsys
) -> None:
    left, told = run(monkeypatch, capsys, *arguments)
    assert left == code
    assert "Traceback" not in told
    assert 10 < len(told) < 3000
    if arguments == ("describe", "resnet_50"):
        assert find("mistake").matches(told)


def test_debug_shows_the_traceback(here: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["lineage-lab", "--debug", "describe", "resnet_50"])
    with pytest.raises(ValueError, match="did you mean resnet50"):
        cli.main()


def test_the_exit_codes_are_in_the_help() -> None:
    told = CliRunner().invoke(cli.cli, ["--help"]).output
    for code, words in EXIT_CODES.items():
        assert f"{code}  {words[:20]}" in told


def quick(folder: Path | None, on_step=None, **changes) -> None:
    torch.manual_seed(0)
    sets = split(load("digits", size=32), seed=0, limit=200)
    recipe = Recipe(epochs=2, batch_size=32, precision="fp32", memory_format="contiguous",
                    device="cpu")  # fmt: skip
    finetune(create_model("lenet5_modern"), *sets, recipe, mean=(0.1,), std=(0.3,),
             folder=folder, on_step=on_step, **changes)  # fmt: skip


@pytest.mark.fault("full-disk")
def test_a_disk_that_fills_during_a_run_leaves_its_earlier_checkpoint(
    tmp_path: Path, monkeypatch
) -> None:
    """The second epoch's file does not fit: on a really small disk, or where none can be made."""
    from lineage_lab.training import checkpoint

    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    try:
        small = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        small = False
    try:

        def fill(step: int, steps: int, loss: float) -> None:
            if step == steps:
                if small:
                    room = os.statvfs(disk)
                    (disk / "rest").write_bytes(bytes(room.f_bavail * room.f_frsize))
                else:
                    monkeypatch.setattr("os.fsync", full)

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="Make room or choose another folder") as told:
            quick(disk / "run", on_step=fill)
        assert find("full-disk").matches(str(told.value))
        assert "No space left" in str(told.value)
        found = checkpoint.load(checkpoint.newest(disk / "run"))
        assert (found.training or {})["epoch"] == 1
        (disk / "rest").unlink(missing_ok=True)
        monkeypatch.undo()
        quick(disk / "run", resume=True)
    finally:
        if small:
            subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.fault("folder-for-file")
def test_a_folder_in_place_of_the_checkpoint_is_said(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt" / "inner").mkdir(parents=True)
    with pytest.raises(OSError, match=r"last\.ckpt could not be written") as told:
        quick(tmp_path)
    assert find("folder-for-file").matches(str(told.value))
    assert (tmp_path / "last.ckpt" / "inner").is_dir()


@pytest.mark.fault("sigterm")
def test_sigterm_saves_and_exits_143(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lineage_lab", *START, "--epochs", "500", "--out",
               str(tmp_path / "run"), "--precision", "fp32", "--limit", "400"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "step 1/" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
    assert process.returncode == 143
    assert find("sigterm").matches(told)
    assert find("ctrl-c").matches(told)  # the same words give the command
    assert (tmp_path / "run" / "last.ckpt").is_file()


def test_a_set_of_very_few_images_is_trained_on(tmp_path: Path) -> None:
    """33 images in batches of 32, a class with two: no batch is a single image."""
    images = ImageSet(
        images=torch.randint(0, 255, (35, 1, 32, 32), dtype=torch.uint8),
        labels=torch.tensor([0] * 33 + [1] * 2), classes=("many", "two"), name="few",
        licence="none",
    )  # fmt: skip
    train, val = split(images, seed=0, share=0.96)
    torch.manual_seed(0)
    recipe = Recipe(epochs=1, batch_size=32, precision="fp32", device="cpu")
    finetune(create_model("lenet5_modern", num_classes=2), train, val, recipe,
             mean=(0.1,), std=(0.3,))  # fmt: skip
