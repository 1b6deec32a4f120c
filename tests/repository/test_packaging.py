"""The wheel alone, and the plain forms for those who bring their own environment.

Both are installed by pip into environments of their own. What they need is not downloaded a
second time: a `.pth` file shows pip the distributions of this environment, all of them for the
plain forms, only those that the package itself requires for the wheel alone.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.clone import cloned
from tests.docs.harness import covered_fences

ROOT = Path(__file__).parents[2]
BIN = "Scripts" if sys.platform == "win32" else "bin"
NOT_NEEDED = ("mkdocs", "sybil", "pytest", "matplotlib", "mlxtend", "timm", "skimage", "sklearn")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


def closure(name: str) -> dict[str, Distribution]:
    """The distributions that a package requires, and theirs, without its extras."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(name)]
    while waiting:
        wanted = waiting.pop()
        for text in distribution(wanted.name).requires or ():
            need = Requirement(text)
            extras = wanted.extras or {""}
            if need.marker and not any(need.marker.evaluate({"extra": e}) for e in extras):
                continue
            if need.name not in found:
                found[need.name] = distribution(need.name)
                waiting.append(need)
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cloned(tmp_path_factory.mktemp("copy"))


def environment(folder: Path, shown: Path) -> Path:
    """A new environment that also sees the distributions in `shown`; returns its programs."""
    venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "shown.pth").write_text(str(shown) + "\n")
    # Python 3.11 puts an old setuptools into each new environment, before the one that is shown.
    pip = [folder / BIN / "python", "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"]
    subprocess.run(pip, check=True, capture_output=True)
    return folder / BIN


def run(*command: str | Path, cwd: Path) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "PYTHON"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**clean, "NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1", "LAB_EXECUTE": "false"},
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_wheel_alone(copy: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=copy)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.split("/")[0] for name in names}
    assert folders == {"lineage_lab", wheel.name.split("-py3")[0] + ".dist-info"}
    assert "lineage_lab/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)

    shown = tmp_path / "shown"
    shown.mkdir()
    for needed in closure("lineage-lab").values():
        for file in needed.files or ():
            top = Path(file.parts[0])
            source = Path(str(needed.locate_file(top)))
            if top.name not in ("..", "__pycache__") and not (shown / top).exists():
                (shown / top).symlink_to(source)
    programs = environment(tmp_path / "alone", shown)
    run(programs / "pip", "install", "--no-index", wheel, cwd=tmp_path)
    assert "compare" in run(programs / "lineage-lab", "--help", cwd=tmp_path)
    code = (
        "import sys, importlib.util as u, lineage_lab\n"
        f"print([m for m in {NOT_NEEDED!r} if u.find_spec(m)])\n"
        "print([m for m in ('torch', 'torchvision', 'click', 'rich') if m in sys.modules])\n"
        "print(lineage_lab.__file__)\n"
        "print(lineage_lab.describe(lineage_lab.create_model('lenet5'), (1, 32, 32)).parameters)"
    )
    lines = run(programs / "python", "-c", code, cwd=tmp_path).splitlines()
    assert lines[:2] == ["[]", "[]"]
    assert lines[2].startswith(str(tmp_path))
    assert lines[3] == "60000"


def test_plain_forms(
    copy: Path, figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's commands for an environment of one's own, run as they stand there."""
    me = "tests/repository/test_packaging.py::test_plain_forms"
    (fence,) = covered_fences(ROOT / "README.md", me)
    install, serve, tests = fence.strip().splitlines()
    assert (serve, tests) == ("mkdocs serve", "pytest")

    shown = Path(str(distribution("pytest").locate_file(".")))
    programs = environment(tmp_path / "own", shown)
    # Jupyter's page templates are files of the environment, not of a package.
    (tmp_path / "own" / "share").mkdir(exist_ok=True)
    (tmp_path / "own" / "share" / "jupyter").symlink_to(Path(sys.prefix) / "share" / "jupyter")
    run("sh", "-euc", f'export PATH="{programs}:$PATH"; {install}', cwd=copy)
    where = run(programs / "python", "-c", "import lineage_lab; print(lineage_lab.__file__)",
                cwd=tmp_path)  # fmt: skip
    assert where.startswith(str(copy))

    # The figures are not drawn again, and the labs are executed by the gate's own build.
    shutil.copytree(figures, copy / "docs" / "generated")
    monkeypatch.setenv("LAB_EXECUTE", "false")
    run(programs / "python", "-m", "mkdocs", "build", "--strict", "-d", tmp_path / "site", cwd=copy)
    assert (tmp_path / "site" / "chapters" / "lenet5" / "index.html").is_file()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [programs / "python", "-m", "mkdocs", "serve", "--dev-addr", f"127.0.0.1:{port}"],
        cwd=copy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        answer = _answer(f"http://127.0.0.1:{port}/lineage-lab/", process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    assert "Lineage Lab" in answer
    # The whole suite would run itself again: here one file shows that pytest finds its way.
    assert "passed" in run(
        programs / "python", "-m", "pytest", "-q", "tests/repository/test_layering.py", cwd=copy
    )


def _answer(address: str, process: subprocess.Popen[bytes]) -> str:
    start = time.monotonic()
    while time.monotonic() - start < 110:
        assert process.poll() is None, "mkdocs serve ended by itself"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.2)
    raise AssertionError("mkdocs serve did not answer")
