"""What a stranger types first: make's targets, and the README's two commands."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.clone import cloned
from tests.docs.harness import covered_fences

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


def make(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a fresh clone would be: tracked files and new ones, nothing that is ignored."""
    return cloned(tmp_path_factory.mktemp("clone") / "lineage-lab")


def test_help_is_the_default_and_lists_the_targets() -> None:
    done = make()
    assert done.returncode == 0
    assert done.stdout == make("help").stdout
    for target in ("serve", "test", "site", "lint", "accept", "bench"):
        assert re.search(rf"^  {target} +\S", done.stdout, re.MULTILINE), target


def test_a_busy_port_is_named_with_another_to_choose() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = make("serve", f"PORT={port}")
    assert done.returncode == 2
    assert f"port {port} is busy; choose another: make serve PORT={port + 1}" in done.stderr


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    done = make("serve", f"PORT={port}")
    assert done.returncode == 2
    assert f"PORT={port} is not a port" in done.stderr


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ("sys.version_info = (3, 9, 18)", "it is Python 3.9; Python 3.11 or newer is needed"),
        ("sys.modules['ensurepip'] = None", "it has no ensurepip (Debian and Ubuntu: apt install"),
    ],
)
def test_a_python_that_will_not_do_gives_one_clear_line(
    clone: Path, tmp_path: Path, spoilt: str, reason: str
) -> None:
    """The fake one runs the real check in this Python, with one thing spoilt before it."""
    fake = tmp_path / "python3"
    script = f'exec {sys.executable} -c "import sys; {spoilt}; exec(sys.argv[1])" "$2"'
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    done = make("serve", f"PYTHON={fake}", f"PORT={free_port()}", cwd=clone)
    assert done.returncode == 2
    assert f"PYTHON={fake} will not do: {reason}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (clone / ".venv" / ".installed").exists()


def test_a_missing_python_gives_one_clear_line(clone: Path) -> None:
    done = make("serve", "PYTHON=python9.9", f"PORT={free_port()}", cwd=clone)
    assert done.returncode == 2
    assert "PYTHON=python9.9 was not found; Python 3.11 or newer is needed" in done.stderr


def test_readme_commands(clone: Path, tmp_path: Path) -> None:
    """The fences of the README and of the home page, run as they stand in a fresh clone.

    The clone's .venv is this environment, so that nothing is downloaded twice; `make test` is
    asked for its plan only, since this very test is a part of it.
    """
    me = "tests/repository/test_make.py::test_readme_commands"
    fences = {page: covered_fences(ROOT / page, me) for page in ("README.md", "docs/index.md")}
    assert [len(found) for found in fences.values()] == [1, 1]
    assert len({fence for found in fences.values() for fence in found}) == 1
    git, serve, test = fences["README.md"][0].strip().splitlines()

    url = re.fullmatch(r"git clone (\S+) && cd lineage-lab", git)
    assert url is not None
    repository = tmp_path / "origin"
    for command in (
        ["git", "init", "-q", str(repository)],
        ["git", "-C", str(repository), "fetch", "-q", str(ROOT), "HEAD"],
        ["git", "-C", str(repository), "checkout", "-q", "FETCH_HEAD"],
    ):
        subprocess.run(command, check=True)
    redirect = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": url[1],
    }
    environment = {**os.environ, **redirect}
    here = tmp_path / "work"
    here.mkdir()
    subprocess.run(["sh", "-euc", git], cwd=here, env=environment, check=True)
    assert (here / "lineage-lab" / "Makefile").is_file()

    assert test == "make test"
    (clone / ".venv").symlink_to(Path(sys.prefix))
    plan = make("-n", "test", cwd=clone)
    assert "gate.py all" in plan.stdout

    assert serve == "make serve"
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        return  # another environment than make's: serving would install a second one
    port = free_port()
    address = f"http://127.0.0.1:{port}/lineage-lab/"
    start = time.monotonic()
    process = subprocess.Popen(
        ["make", "serve", f"PORT={port}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    page = answer.read().decode()
                break
            except OSError:
                assert process.poll() is None, "make serve ended by itself"
                assert time.monotonic() - start < 110, "make serve did not answer"
                time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # make and the server that it started
        process.wait()
    print(f"make serve answered after {time.monotonic() - start:.1f} s")
    assert "Lineage Lab" in page
