"""`lineage-lab probe` as a reader types it."""

import shlex
import subprocess
import sys
from pathlib import Path

from elpv_dataset.utils import load_dataset
from PIL import Image

from tests.docs.harness import covered_fences

ME = "tests/cli/test_probe.py::test_the_command_of_the_page"


def run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    name, *rest = shlex.split(line)
    assert name == "lineage-lab"
    return subprocess.run(
        [sys.executable, "-m", "lineage_lab", *rest], cwd=folder, capture_output=True, text=True
    )


def test_the_command_of_the_page(tmp_path: Path) -> None:
    Image.fromarray(load_dataset()[0][0]).save(tmp_path / "cell.png")
    (fence,) = covered_fences("docs/fine-tune.md", ME)
    probe, predict = fence.splitlines()
    done = run(f"{probe} --limit 64 --way eager", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "validation images by a probe" in done.stdout
    assert "1,280 features an image" in done.stdout
    assert "AUROC" in done.stdout
    answer = run(predict, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "cell.png" in answer.stdout
    again = run(f"{probe} --limit 64 --way eager", tmp_path)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr
    kept = run(f"{probe} --limit 64 --way eager --overwrite --threads 1", tmp_path)
    assert kept.returncode == 0, kept.stderr
    assert "all of them kept" in kept.stdout


def test_lines_of_the_recipe_and_mirror_images(tmp_path: Path) -> None:
    done = run(
        "lineage-lab probe lenet5_modern --data digits --limit 120 --random-weights --mirrors "
        "--set flips=both --set class_weights=balanced --threshold balanced --set positive=3 "
        "--seed 1 --out run",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "best.ckpt").is_file()


def test_a_network_without_a_linear_head_is_told(tmp_path: Path) -> None:
    done = run("lineage-lab probe lenet5 --data digits --limit 40 --random-weights", tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
