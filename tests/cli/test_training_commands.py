"""Training from the command, as the page on fine-tuning shows it: run, predict, export, share."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from lineage_lab.data.named import mnist_5k
from tests.conftest import listens
from tests.docs.harness import covered_fences

PAGES = ("docs/fine-tune.md", "docs/fine-tune-at-scale.md")
COMMAND = (sys.executable, "-m", "lineage_lab")


def run(*arguments: str, cwd: Path | None = None, **environment: str):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, **environment}, timeout=300)  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real digits as files: threes and eights, forty of each."""
    folder = tmp_path_factory.mktemp("photos")
    _, table = mnist_5k()
    for digit in (3, 8):
        (folder / str(digit)).mkdir()
        rows = table[table[:, 784] == digit][:40]
        for number, row in enumerate(rows):
            image = Image.fromarray(row[:784].reshape(28, 28)).resize((64, 64)).convert("RGB")
            image.save(folder / str(digit) / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("work") / "run"
    done = run("finetune", "efficientnet_lite0", "--data", str(photos), "--batch-size", "8",
               "--out", str(out), "--precision", "fp32", "--set", "memory_format=channels_last",
               "--set", "mixup=0.1", "--epochs", "2")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "of 20 validation images right after" in done.stdout
    return out


def commands(test: str) -> list[list[str]]:
    """The lines of the fence on the pages that this test answers for."""
    name = f"tests/cli/test_training_commands.py::{test}"
    found: list[str] = []
    for page in PAGES:
        with suppress(LookupError):  # it is on the other page
            found += covered_fences(page, name)
    (fence,) = found
    return [shlex.split(line) for line in fence.strip().splitlines()]


def test_train_with_a_test_part_and_evaluate(tmp_path: Path) -> None:
    pytest.importorskip("elpv_dataset")
    train, score = commands("test_train_with_a_test_part_and_evaluate")
    few = ("--limit", "60")
    done = run(*train[1:], *few, "--precision", "fp32", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "balanced accuracy" in done.stdout
    assert "then: lineage-lab evaluate run/best.ckpt elpv --part test" in done.stdout
    found = run(*score[1:], *few, "--resamples", "50", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "test part of seed 0" in found.stdout
    numbers = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert numbers["metrics"]["images"] <= 20
    assert numbers["answers_by"].startswith("'defective' from a probability of")
    assert "<h2>The worst mistakes</h2>" in (tmp_path / "report" / "report.html").read_text()


def test_train_predict_export(trained: Path, photos: Path) -> None:
    predict, export = commands("test_train_predict_export")
    assert (predict[:2], export[:2]) == (["lineage-lab", "predict"], ["lineage-lab", "export"])
    (trained.parent / "photos").symlink_to(photos)
    told = run(*predict[1:], cwd=trained.parent)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert len(lines) == 80
    right = sum(f"/{line.split(': ')[1][0]}/" in line.split(": ")[0] for line in lines)
    assert right > 60  # it has learnt from most of them
    written = run(*export[1:], cwd=trained.parent)
    assert "model.onnx: checked against torch on noise, largest difference" in written.stdout
    assert (trained.parent / "model.onnx").stat().st_size > 1e7
    wrong = run("export", "run/best.ckpt", "model.bin", cwd=trained.parent)
    assert wrong.returncode == 2
    assert "must end in .onnx, .pt2 or .safetensors" in wrong.stderr


def test_predictions_as_json_and_a_file_that_is_none(trained: Path, photos: Path) -> None:
    broken = trained.parent / "note.txt"
    broken.write_text("no image")
    done = run("predict", str(trained / "best.ckpt"), str(photos / "3"), str(broken), "--json",
               "--top", "2")  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert len(found) == 41
    assert [len(f["top"]) for f in found[:40]] == [2] * 40
    assert found[-1]["path"] == str(broken)
    assert found[-1]["error"]


def test_data_check(photos: Path, tmp_path: Path) -> None:
    (line,) = commands("test_data_check")
    (tmp_path / "photos").symlink_to(photos)
    good = run(*line[1:], cwd=tmp_path)
    assert good.returncode == 0
    assert "80 images in 2 classes" in good.stdout
    bad = tmp_path / "bad"
    for name in ("a", "b"):
        (bad / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(bad / name / "one.png")
        Image.new("RGB", (32, 32)).save(bad / name / "two.png")
    (bad / "a" / "cut.png").write_bytes((bad / "a" / "one.png").read_bytes()[:40])
    (bad / "b" / "empty.jpg").touch()
    found = run("data", "check", str(bad))
    assert found.returncode == 1
    assert "cut.png" in found.stdout
    assert "empty.jpg" in found.stdout
    assert "2 problems" in found.stdout


def test_two_processes_from_the_command() -> None:
    (line,) = commands("test_two_processes_from_the_command")
    assert line[0] == "torchrun"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", *line[1:]]
    done = subprocess.run([*launch, "--limit", "200"], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("of 50 validation images right") == 1  # one process speaks for all


def test_a_comparison_is_shared_out(tmp_path: Path) -> None:
    first, second, whole = commands("test_a_comparison_is_shared_out")
    assert [line[0] for line in (first, second, whole)] == ["lineage-lab"] * 3
    one = run(*first[1:], cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    assert "part 1 of 2 is done, others are not" in one.stdout
    two = run(*second[1:], cwd=tmp_path)
    assert two.returncode == 0, two.stderr
    kept = (tmp_path / "results" / "comparison.json").read_bytes()
    again = run(*whole[1:], cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("taken from") == 2
    assert again.stdout == two.stdout
    assert (tmp_path / "results" / "comparison.json").read_bytes() == kept
    rows = json.loads(kept)["rows"]
    assert [(r["name"], len(r["runs"])) for r in rows] == [
        ("lenet5_modern", 1),
        ("resnet20_cifar", 1),
    ]


def test_torchrun_gives_each_process_a_part(tmp_path: Path) -> None:
    (line,) = commands("test_torchrun_gives_each_process_a_part")
    assert line[0] == "torchrun"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", *line[1:]]
    done = subprocess.run([*launch, "--limit", "200"], capture_output=True, text=True, cwd=tmp_path,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list((tmp_path / "results" / "runs").glob("*.json"))) == 2
    assert "% interval" in done.stdout  # from the one that ended last
    rows = json.loads((tmp_path / "results" / "comparison.json").read_text())["rows"]
    assert [r["name"] for r in rows] == ["lenet5_modern", "resnet20_cifar"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--part", "1/2"), "give it by --out"),
        (("--part", "3/2", "--out", "x"), "'3/2': expected K/N, such as 1/4"),
        (("--part", "one", "--out", "x"), "'one': expected K/N, such as 1/4"),
    ],
)
def test_no_such_part(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run("compare", "lenet5_modern", "--data", "digits", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.fault("ctrl-c")
def test_ctrl_c_saves_says_how_to_go_on_and_exits_130(tmp_path: Path) -> None:
    arguments = ["finetune", "lenet5_modern", "--data", "digits", "--random-weights", "--epochs",
                 "200", "--out", str(tmp_path / "a run"), "--precision", "fp32"]  # fmt: skip
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, preexec_fn=listens)  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if "step 1/" in line:
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    again = told.strip().splitlines()[-1].strip()
    assert again == shlex.join(["lineage-lab", *arguments, "--resume"])
    assert (tmp_path / "a run" / "last.ckpt").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "mixup"), "expected FIELD=VALUE"),
        (("--set", "speed=1"), "has no field 'speed'"),
        (("--set", "lr=fast"), "lr can't be 'fast'"),
        (("--precision", "fp64"), "precision is one of auto"),
        (("--resume",), "give its folder by --out"),
        (("--minutes", "0"), "minutes must be above 0"),
    ],
)
def test_a_mistake_is_named_without_a_traceback(arguments, message: str) -> None:
    done = run("finetune", "lenet5_modern", "--data", "digits", "--random-weights", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_is_ready_to_paste() -> None:
    done = run("doctor", "--offline")
    assert done.returncode == 0
    for word in ("torch ", "threads", "device", "data elpv", "cache", "not asked"):
        assert word in done.stdout


def test_a_range_test_from_the_command(tmp_path: Path) -> None:
    done = run("lr-find", "lenet5_modern", "--data", "digits", "--random-weights", "--limit", "400",
               "--svg", str(tmp_path / "curve.svg"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "falls fastest at" in done.stdout
    assert "<svg" in (tmp_path / "curve.svg").read_text()
