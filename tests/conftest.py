"""Fixtures that several parts of the tests share. Imports nothing of the package: see jaxtyping's
hook.
"""

import os
import pathlib
import signal
import subprocess
import sys

import filelock
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def listens() -> None:
    """A process that a shell starts in the background ignores SIGINT, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One file that needs the built site comes first, the others last: nobody waits for it. Of
    these the longest is the first, or the others would wait for it in the end.
    """
    need = {item.path for item in items if "built_site" in getattr(item, "fixturenames", ())}
    places = {"test_labs.py": 0, "test_every_page.py": 2}
    items.sort(key=lambda item: places.get(item.path.name, 3 if item.path in need else 1))


def _of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of the figures, all drawn and up to date: one worker draws, the others wait."""
    from lineage_site.drawing.build import build

    folder = ROOT / "docs" / "generated"
    with filelock.FileLock(_of_all_workers(tmp_path_factory) / "figures.lock"):
        build(folder)
    return folder


@pytest.fixture(scope="session")
def built_site(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> pathlib.Path:
    """The folder of the strictly built site, labs executed. Built once a run.

    LINEAGE_LAB_SITE names one that is built already, for work on a page's script.
    """
    if ready := os.environ.get("LINEAGE_LAB_SITE"):
        return pathlib.Path(ready)
    request.getfixturevalue("figures")
    folder = _of_all_workers(tmp_path_factory)
    site, log = folder / "site", folder / "site.log"
    with filelock.FileLock(folder / "site.lock"):
        if not log.exists():
            command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
            environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "LAB_EXECUTE": "true"}
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True
            )
            log.write_text(f"{done.returncode}\n{done.stdout}{done.stderr}", encoding="utf-8")
    status, _, said = log.read_text(encoding="utf-8").partition("\n")
    if status != "0":
        pytest.fail(f"mkdocs build --strict failed:\n{said[-4000:]}", pytrace=False)
    return site


@pytest.fixture(scope="module")
def one_thread():
    """Sums in the same order each time: equal bits need it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits():
    """400 handwritten digits, to train on and to validate with."""
    from lineage_lab.data.sets import load, split

    return split(load("digits", size=32), seed=0, limit=400)
