"""A stranger adds an architecture by following docs/contributing/add-an-architecture.md.

The page's own fences are the steps: its file, its diffs and its commands, taken in a copy of the
repository. ``LINEAGE_LAB_ALL=1`` also builds that copy's site, which takes two minutes.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clone import ROOT, cloned
from tests.docs.harness import covered_fences
from tests.docs.harness.grammar import read_page
from tests.rows import EVERYTHING

PAGE = "docs/contributing/add-an-architecture.md"
ME = "tests/repository/test_add_architecture.py::test_the_walk"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the steps are for a POSIX shell")


class Copy:
    """A copy of the repository, whose commands see its own package and no other."""

    def __init__(self, folder: Path) -> None:
        self.root = cloned(folder / "copy")
        # `make` would make an environment: here it takes this one.
        programs = folder / "programs"
        programs.mkdir()
        real = Path(sys.executable).parent
        (programs / "make").write_text(
            f'#!/bin/sh\nPATH=$OLD_PATH\nexec make -o .venv/.installed BIN={real} "$@"\n'
        )
        (programs / "make").chmod(0o755)
        path = f"{real}{os.pathsep}{os.environ['PATH']}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "LINEAGE"))}
        self.environment = {
            **clean, "OLD_PATH": path, "PATH": f"{programs}{os.pathsep}{path}",
            "PYTHONPATH": str(self.root / "src"), "OMP_NUM_THREADS": "1",
            "LAB_EXECUTE": "false", "NO_MKDOCS_2_WARNING": "1",
        }  # fmt: skip

    def run(self, command: str, *, fails: bool = False) -> str:
        done = subprocess.run(
            ["bash", "-euc", command], cwd=self.root, env=self.environment, capture_output=True,
            text=True, timeout=600,
        )  # fmt: skip
        assert (done.returncode != 0) == fails, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def apply(self, diff: str) -> None:
        done = subprocess.run(
            ["git", "apply", "--unidiff-zero", "--verbose", "-"], cwd=self.root, input=diff,
            env={**self.environment, "GIT_CEILING_DIRECTORIES": str(self.root.parent)},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"the page's diff does not apply any more:\n{done.stderr}"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("walk"))


def test_the_walk(copy: Copy) -> None:
    fences = [
        fence for fence in read_page((ROOT / PAGE).read_text("utf-8")).fences
        if fence.options.get("data-by") == ME
    ]  # fmt: skip
    assert [fence.body for fence in fences] == covered_fences(PAGE, ME)
    assert [f.language for f in fences] == ["python", "diff", "diff", "bash", "bash", "bash"]
    for fence in fences[:3]:
        if fence.language == "python":
            (copy.root / fence.options["title"]).write_text(fence.body, encoding="utf-8")
        else:
            copy.apply(fence.body)

    told = copy.run(fences[3].body)
    assert " passed" in told
    passed = int(told.rpartition(" passed")[0].split()[-1])
    assert passed >= 6

    # "See them fail once": one number of the network is wrong.
    network = copy.root / fences[0].options["title"]
    right = network.read_text(encoding="utf-8")
    network.write_text(right.replace("((16, 64), (16, 64))", "((15, 64), (16, 64))"), "utf-8")
    assert " failed" in copy.run(fences[3].body, fails=True)
    network.write_text(right, encoding="utf-8")

    made = copy.run(fences[4].body)
    assert "wrote docs/chapters/squeezenet.md" in made
    assert " passed" in copy.run(fences[5].body)
    page = (copy.root / "docs/chapters/squeezenet.md").read_text(encoding="utf-8")
    assert "1,235,496 parameters" in page  # as torchvision publishes it
    lines = (copy.root / "mkdocs.yml").read_text(encoding="utf-8").splitlines()
    titles = [line.split(":")[0].strip(" -") for line in lines if ": chapters/" in line]
    place = titles.index("SqueezeNet (2016)")
    assert titles[place - 1 : place + 2] == [
        "ResNet (2015)", "SqueezeNet (2016)", "EfficientNet (2019)",
    ]  # fmt: skip
    copy.run(
        "ruff check && ruff format --check && mypy --strict src/lineage_lab/models/squeezenet.py"
    )
    if EVERYTHING:
        copy.run(
            "mkdocs build --strict --quiet && pytest -q tests/docs/test_prose.py -k squeezenet"
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("SLUG=squeezenet", "needs SLUG, NAME, YEAR and MODEL"),
        ("SLUG=Squeeze-Net NAME=N YEAR=2016 MODEL=vgg16", "lower-case letters, digits and _"),
        ("SLUG=zfnet NAME=Z YEAR=2013 MODEL=vgg16", "first write src/lineage_lab/models/zfnet.py"),
        ("SLUG=blocks NAME=B YEAR=2013 MODEL=vgg16", "no marks around its forward"),
        ("SLUG=vgg NAME=VGG YEAR=2014 MODEL=vgg17", "MODEL=vgg17 is no row"),
        ("SLUG=vgg NAME=VGG YEAR=2014 MODEL=vgg16", "docs/chapters/vgg.md is there already"),
        ("SLUG=vgg NAME=VGG YEAR=soon MODEL=vgg16", "invalid int value: 'soon'"),
    ],
)  # fmt: skip
def test_new_chapter_refuses(copy: Copy, arguments: str, words: str) -> None:
    before = {p: p.read_bytes() for p in copy.root.rglob("*") if p.suffix in (".md", ".yml", ".py")}
    assert words in copy.run(f"make new-chapter {arguments}", fails=True)
    after = {p: p.read_bytes() for p in copy.root.rglob("*") if p.suffix in (".md", ".yml", ".py")}
    assert after == before
