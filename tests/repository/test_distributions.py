"""The wheel and the sdist: what they hold, and that two builds are the same bytes."""

import email
import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.clone import cloned, files

# Of this project beside its code; hatchling adds .gitignore and PKG-INFO.
ALONGSIDE = {".gitignore", "CHANGELOG.md", "CITATION.cff", "LICENSE", "PKG-INFO", "README.md",
             "constraints.txt", "pyproject.toml"}  # fmt: skip


def built(source: Path, target: Path, **environment: str) -> list[Path]:
    """The sdist, and the wheel that is made from it as the release makes it."""
    env = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"} | environment
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(target), "-t"]
    subprocess.run([*build, "sdist"], cwd=source, env=env, check=True, capture_output=True)
    (sdist,) = target.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(target, filter="data")
    subprocess.run(
        [*build, "wheel"], cwd=target / sdist.name.removesuffix(".tar.gz"), env=env, check=True,
        capture_output=True,
    )  # fmt: skip
    return [sdist, *target.glob("*.whl")]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    copy = cloned(tmp_path_factory.mktemp("copy"))
    # What lies about in a folder that is worked in must not travel.
    for name in ("src/lineage_lab/best.ckpt", "src/lineage_lab/__pycache__/x.pyc", "notes.txt",
                 "src/lineage_lab/.DS_Store"):  # fmt: skip
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_bytes(b"x")
    return built(copy, tmp_path_factory.mktemp("built"))


def code() -> set[str]:
    """The library's files; the site's are in no wheel."""
    return {name.removeprefix("src/") for name in files() if name.startswith("src/lineage_lab/")}


def test_the_package_is_code_its_type_marker_and_one_list() -> None:
    others = {name for name in code() if not name.endswith(".py")}
    assert others == {"lineage_lab/py.typed", "lineage_lab/weights/imagenet_classes.txt"}


def test_the_wheel_holds_the_package_and_its_papers(distributions: list[Path]) -> None:
    names = zipfile.ZipFile(distributions[1]).namelist()
    assert len(names) == len(set(names))
    papers = distributions[1].name.removesuffix("-py3-none-any.whl") + ".dist-info/"
    assert {n for n in names if not n.startswith(papers)} == code()
    assert {n.removeprefix(papers) for n in names if n.startswith(papers)} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip


def test_the_sdist_holds_what_the_wheel_is_made_of(distributions: list[Path]) -> None:
    with tarfile.open(distributions[0]) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert sorted(names) == sorted(ALONGSIDE | {f"src/{name}" for name in code()})


def test_the_metadata_is_what_a_stranger_reads(distributions: list[Path]) -> None:
    wheel = zipfile.ZipFile(distributions[1])
    (metadata,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    told = email.message_from_bytes(wheel.read(metadata))
    assert told["Requires-Python"] == ">=3.11"
    assert told["License-Expression"] == "MIT"
    assert told["License-File"] == "LICENSE"
    assert "Typing :: Typed" in told.get_all("Classifier", ())
    assert told["Description-Content-Type"] == "text/markdown"


def test_two_builds_are_the_same_bytes(distributions: list[Path], tmp_path: Path) -> None:
    """From another folder, at another time, with other rights and in another zone and language."""
    copy = cloned(tmp_path / "elsewhere")
    for number, path in enumerate(sorted(copy.rglob("*"), reverse=True)):
        if path.is_file():
            path.chmod(0o600)
            os.utime(path, (10**9 + number, 10**9 + number))
    again = built(copy, tmp_path / "built", TZ="Pacific/Apia", LC_ALL="C", PYTHONHASHSEED="7")
    assert [path.name for path in again] == [path.name for path in distributions]
    digests = [
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        for paths in (distributions, again)
    ]
    assert digests[0] == digests[1]
