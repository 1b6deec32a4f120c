"""The command: what it prints, what it refuses, and Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineage_lab.comparing.comparison import Comparison
from tests.conftest import listens

COMMAND = (sys.executable, "-m", "lineage_lab")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("compare", "data", "describe", "finetune", "models", "show"):
        assert command in done.stdout


def test_help_imports_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['lineage-lab', '--help']\n"
        "from lineage_lab.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_models_and_data_are_listed() -> None:
    models = run("models", "--family", "efficientnet").stdout.splitlines()
    assert [line.split()[0] for line in models[1:]] == [
        *(f"efficientnet_b{number}" for number in range(8)),
        "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2",
    ]  # fmt: skip
    data = run("data").stdout
    assert "elpv        2,624" in data
    assert "CC BY-NC-SA 4.0" in data


def test_describe_prints_the_papers_count() -> None:
    done = run("describe", "lenet5")
    assert done.stdout.splitlines()[-1].split() == ["total", "60,000", "326,520", "32"]
    assert run("describe", "lenet5", "--markdown").stdout.startswith("| layer | kind |")


def test_compare_prints_a_table_and_writes_what_it_was_told_to(tmp_path: Path) -> None:
    done = run(
        "compare", "lenet5_modern", "--data", "digits", "--limit", "80", "--seeds", "2",
        "--random-weights", "--precision", "fp32", "--device", "cpu", "--threads", "1",
        "--batch-size", "8", "--lr", "0.001", "--head-lr", "0.002", "--epochs", "2",
        "--json", str(tmp_path / "a.json"), "--out", str(tmp_path / "b"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "random weights, not pretrained" in done.stdout
    assert "[2/2] lenet5_modern, seed 1: step 16/16, loss" in done.stderr  # plain lines in a log
    found = Comparison.load(tmp_path / "a.json")
    assert found.recipe["lr"] == 0.001
    assert found.recipe["epochs"] == 2
    assert found.provenance["threads"] == "1"
    assert (tmp_path / "b" / "table.md").read_text() == found.to_markdown()
    assert Comparison.load(tmp_path / "b" / "comparison.json") == found
    assert run("show", str(tmp_path / "a.json"), "--markdown").stdout == found.to_markdown()
    assert "lenet5_modern" in run("show", str(tmp_path / "a.json")).stdout


def test_finetune_prints_one_row() -> None:
    done = run("finetune", "lenet5_modern", "--data", "digits", "--limit", "40",
               "--random-weights", "--seed", "3")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "validation images right after" in " ".join(done.stdout.split())


def test_a_budget_of_minutes_and_the_rates_from_the_command(tmp_path: Path) -> None:
    given = ("lenet5_modern", "--data", "digits", "--limit", "40", "--random-weights",
             "--head-lr", "0.002", "--threads", "1")  # fmt: skip
    out = tmp_path / "run"
    for command in (("finetune",), ("compare", "--seeds", "1")):
        done = run(*command, *given, "--minutes", "0.005", "--out", str(out / command[0]))
        assert done.returncode == 0, done.stderr
    comparison = Comparison.load(out / "compare" / "comparison.json")
    recipe = comparison.rows[0].recipe
    assert (recipe["minutes"], recipe["head_lr"]) == (0.005, 0.002)
    assert comparison.provenance["threads"] == "1"
    refused = run("lr-find", *given, "--minutes", "0.005")
    assert refused.returncode == 0, refused.stderr


def test_the_version_is_the_packages() -> None:
    import lineage_lab

    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.split()[-1] == lineage_lab.__version__


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", "resnet5", "--data", "elpv"), "did you mean resnet50"),
        (("compare", "lenet5_modern", "--data", "digits"), "it has none"),
        (("compare", "efficientnet_lite0", "--data", "/nowhere"), "no folder is called"),
        (("compare", "--data", "elpv"), "Missing argument"),
        (("compare", "lenet5_modern", "--data", "digits", "--json", "."), "is a folder"),
        (("describe", "resnet_50"), "did you mean resnet50"),
        (("finetune", "lenet5", "--data", "digits", "--random-weights"), "no head"),
        (("show", "pyproject.toml"), "is no comparison"),
        (("show", "nowhere.json"), "there is no"),
        (("nothing",), "No such command"),
    ],
)
def test_a_mistake_gets_one_message_and_exit_code_2(arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback() -> None:
    assert "Traceback" in run("--debug", "describe", "resnet_50").stderr


def test_weights_out_of_reach_name_address_place_and_flag(tmp_path: Path) -> None:
    proxy = {"https_proxy": "http://127.0.0.1:9", "TORCH_HOME": str(tmp_path)}
    done = run("compare", "resnet50", "--data", "elpv", **proxy)
    assert done.returncode == 2
    assert "https://download.pytorch.org/models/resnet50-11ad3fa6.pth" in done.stderr
    assert str(tmp_path / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth") in done.stderr
    assert "--random-weights" in done.stderr
    left = (tmp_path / "hub" / "checkpoints").iterdir()
    assert [p.name for p in left if p.suffix != ".lock"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child process")
def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "compare", "lenet5_modern", "--data", "digits", "--random-weights",
         "--epochs", "500", "--seeds", "1", "--json", str(tmp_path / "a.json")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listens,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:  # until training is under way
        if "step 1/" in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(timeout=30) == 130
    process.stderr.close()
    assert "interrupted: nothing was written" in rest
    assert "Traceback" not in rest
    assert list(tmp_path.iterdir()) == []
