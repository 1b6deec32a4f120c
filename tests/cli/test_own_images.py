"""Folders, tables and scans from the command: read right, or told what to do."""

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lineage_lab import cli
from lineage_lab.comparing.comparison import Comparison
from lineage_lab.training import checkpoint
from tests.data.pictures import fill, picture
from tests.docs.harness import covered_fences

PAGE = Path(__file__).parents[2] / "docs" / "fine-tune.md"

QUICK = ("--random-weights", "--epochs", "1", "--precision", "fp32", "--device", "cpu",
         "--threads", "1", "--batch-size", "4")  # fmt: skip


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog, tmp_path):
    """The command in this process: its exit code, and what it says, all on one line."""
    monkeypatch.setenv("LINEAGE_LAB_CACHE", str(tmp_path / "cache"))

    def command(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["lineage-lab", *map(str, arguments)])
        caplog.clear()
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
        told = capsys.readouterr()
        return code, " ".join((told.out + told.err + caplog.text).split())

    return command


def ramps(root: Path, kind: str = "uint16") -> Path:
    """Two classes of 12-bit pictures in 16-bit files."""
    ramp = np.arange(4096, dtype=kind).reshape(64, 64)
    for name in "ab":
        (root / name).mkdir(parents=True)
        for number in range(6):
            file = root / name / f"{number}.tif"
            Image.fromarray(np.roll(ramp, 999 * number + ord(name))).save(file)
    return root


def test_grey_folders_train_a_network_of_one_channel_and_of_three(run, tmp_path: Path) -> None:
    for name, level in (("dark", 50), ("light", 200)):
        for number in range(8):
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
            image = Image.new("L", (40, 30), level + number)
            image.save(tmp_path / "set" / name / f"{number}.png")
    for network in ("lenet5_modern", "resnet20_cifar"):
        code, said = run("finetune", network, "--data", tmp_path / "set", *QUICK)
        assert code == 0, said
        assert "(95 % interval" in said
    out = tmp_path / "out"
    code, said = run("compare", "lenet5_modern", "resnet20_cifar", "--data", tmp_path / "set",
                     "--seeds", "1", "--out", out, *QUICK)  # fmt: skip
    assert code == 0, said
    assert len(Comparison.load(out / "comparison.json").rows) == 2
    assert "in colour" not in said


def test_an_accuracy_of_few_images_has_its_interval_and_what_is_left_out_is_counted(
    run, tmp_path: Path
) -> None:
    root = fill(tmp_path / "set", {"train/a": 15, "train/b": 15, "val/a": 2, "val/b": 2,
                                   "test/a": 5, "test/b": 5})  # fmt: skip
    (root / "train" / "a" / "notes.txt").write_text("x")
    code, said = run("finetune", "lenet5_modern", "--data", root, *QUICK)
    assert code == 0, said
    assert "of 4 validation images" in said
    assert "% (95 % interval" in said
    for words in ("4 images to validate with are few", "(10 images) is kept apart",
                  "notes.txt is no image", "the network takes one channel"):  # fmt: skip
        assert words in said
    code, said = run("compare", "lenet5_modern", "--data", root, "--seeds", "1", *QUICK)
    assert code == 0, said
    assert "4 to validate with" in said


def test_predict_passes_over_what_is_no_image_and_reads_by_the_stated_range(
    run, tmp_path: Path
) -> None:
    root, out = ramps(tmp_path / "set"), tmp_path / "run"
    code, said = run("finetune", "lenet5_modern", "--data", root, *QUICK)
    assert code == 2
    assert "--range 0:4095 keeps them all" in said
    code, said = run("finetune", "lenet5_modern", "--data", root, "--range", "0:4095", "--out", out,
                     *QUICK)  # fmt: skip
    assert code == 0, said
    kept = checkpoint.load(out / "best.ckpt").preprocessing
    assert kept["pixel_range"] == [0.0, 4095.0]
    (root / "notes.txt").write_text("x")
    (root / "a" / "more.csv").write_text("x")
    code, said = run("predict", out / "best.ckpt", root)
    assert code == 0, said
    assert said.count(".tif: ") == 12
    assert "2 files are no image" in said
    code, said = run("predict", out / "best.ckpt", root / "notes.txt")
    assert code == 1
    assert "notes.txt can't be read as an image" in said
    pytest.importorskip("onnx")
    code, said = run("export", out / "best.ckpt", tmp_path / "x.onnx")
    assert code == 0, said
    import onnx

    found = {p.key: p.value for p in onnx.load(tmp_path / "x.onnx").metadata_props}
    assert json.loads(found["preprocessing"])["pixel_range"] == [0.0, 4095.0]


def test_groups_of_a_table_and_of_a_path_and_the_table_says_which(run, tmp_path: Path) -> None:
    root = tmp_path / "set"
    rows = ["file,kind,patient"]
    for number in range(48):
        label, patient = "ab"[number % 2], number // 4
        name = f"p{patient}_{number}.png"
        picture(root / "images" / name)
        rows.append(f"images/{name},{label},p{patient}")
    (root / "x.csv").write_text("\n".join(rows))
    me = "test_groups_of_a_table_and_of_a_path_and_the_table_says_which"
    (fence,) = covered_fences(PAGE, f"tests/cli/test_own_images.py::{me}")
    words = shlex.split(fence.replace("photos/labels.csv", str(root / "x.csv")))
    code, said = run(*words[1:], "--seeds", "1", *QUICK[1:])
    assert code == 0, said
    columns = ("--columns", "image=file,label=kind")
    for place, rule in ((root / "x.csv", "patient"), (root / "x.csv", "(p[0-9]+)_")):
        code, said = run("compare", "lenet5_modern", "--data", place, *columns, "--group", rule,
                         "--seeds", "1", *QUICK)  # fmt: skip
        assert code == 0, said
        assert f"split by seed, each of 12 groups by {rule} on one side" in said
    code, said = run("data", "check", root / "images", "--group", "patient",
                     "--label", "(p[0-9]+)")  # fmt: skip
    assert code == 1
    assert "is a folder and has no column 'patient'" in said


def test_check_writes_the_page_and_takes_the_same_options(run, tmp_path: Path) -> None:
    root = ramps(tmp_path / "set")
    code, said = run("data", "check", root, "--range", "0:4095", "--page", "1", "--html",
                     tmp_path / "page.html")  # fmt: skip
    assert code == 0, said
    assert "no problems" in said
    assert "<img" in (tmp_path / "page.html").read_text()
    code, said = run("data", "check", root)
    assert (code, "only 17 of 256" in said) == (1, True)
    for option, value, words in (
        ("--range", "4095", "expected BLACK:WHITE, such as 0:4095"),
        ("--columns", "image", "expected KIND=NAME, such as image=file"),
        ("--range", "9:1", "black below white"),
        ("--label", "(", "is no regular expression"),
    ):
        code, said = run("data", "check", root, option, value)
        assert (code, words in said) == (2, True), said


def test_scans_of_signed_numbers_are_refused_with_the_range_that_reads_them(
    run, tmp_path: Path
) -> None:
    root = ramps(tmp_path / "set", "float32")
    code, said = run("finetune", "lenet5_modern", "--data", root, *QUICK)
    assert code == 2
    assert "--range=0:4095" in said
    code, said = run("data", "check", root, "--range=-100:4095")
    assert code == 0, said


@pytest.mark.parametrize("command", ["compare", "finetune", "lr-find", "data check"])
def test_each_command_that_reads_images_takes_what_is_said_of_them(
    command: str, run, tmp_path: Path
) -> None:
    root = fill(tmp_path / "set", {"a": 2, "b": 2})
    network, data = (("lenet5_modern",), "--data") if command != "data check" else ((), None)
    for option, value, words in (
        ("--columns", "image=x", "holds no table that could have columns"),
        ("--label", "(nowhere)", "finds nothing in its path"),
        ("--group", "patient", "has no column 'patient'"),
        ("--range", "1", "expected BLACK:WHITE"),
        ("--page", "0", "0 is not in the range"),
    ):
        place = (data, root) if data else (root,)
        more = ("--random-weights",) if data else ()
        code, said = run(*command.split(), *network, *place, option, value, *more)
        assert code in (1, 2)
        assert words in said
