"""A run that was killed at any moment goes on to the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lineage_lab.training import checkpoint
from lineage_lab.training import loop as routine
from lineage_lab.training.checkpoint import Checkpoint
from lineage_lab.training.run import Run
from tests.faults.killed import run

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("LINEAGE_LAB_KILLS", "0"))  # more than the gate's two


@pytest.fixture(scope="module")
def whole() -> list[torch.Tensor]:
    return run(None, 0)


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def killed(folder: Path, workers: int, *more: str, after: int = 0) -> int:
    """A process of its own that SIGKILL ends; returns the last step that it told.

    It is killed at any moment of the step that follows `after` told ones, or ends itself.
    """
    command = [sys.executable, "-m", "tests.faults.killed", str(folder), str(workers), "0", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(after or 1)]
        if after:
            time.sleep(random.uniform(0, 0.01))
            os.killpg(process.pid, signal.SIGKILL)  # its workers too, as when power fails
        told = [*first, *process.stdout.read().splitlines()]
    assert process.returncode == -signal.SIGKILL, told[-1:]
    assert told[-1].strip() != "whole"
    return int(told[-1])


def test_the_run_has_all_that_could_go_wrong(whole: list[torch.Tensor]) -> None:
    """Dropout, shuffle and mixup draw: another seed gives other bits, the same seed the same."""
    assert same(run(None, 2), whole)
    assert not same(run(None, 0, seed=1), whole)


@pytest.mark.fault("killed")
@pytest.mark.parametrize(("workers", "how"), [(0, ("fsync", "13")), (2, None)])
def test_a_killed_run_goes_on_to_the_same_bits(
    workers: int, how: tuple[str, str] | None, tmp_path: Path, whole: list[torch.Tensor]
) -> None:  # fmt: skip
    step = killed(tmp_path, workers, *how) if how else killed(tmp_path, workers, after=12)
    assert 1 <= step < 30
    found = checkpoint.load(checkpoint.newest(tmp_path))
    assert found.training is not None
    assert step - 1 <= found.training["step"] <= step + 1
    assert same(run(tmp_path, workers, resume=True), whole)


def test_random_states_that_are_not_restored_are_seen(
    tmp_path: Path, whole: list[torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the generator's state, dropout draws otherwise."""
    killed(tmp_path, 0, "replace", "12")
    real = routine.restore

    def forgetful(run: Run, saved: Checkpoint, folder: object) -> None:
        before = torch.get_rng_state()
        real(run, saved, folder)
        torch.set_rng_state(before)

    monkeypatch.setattr(routine, "restore", forgetful)
    assert not same(run(tmp_path, 0, resume=True), whole)


@pytest.mark.skipif(not KILLS, reason="LINEAGE_LAB_KILLS=20 kills so often, at random moments")
def test_many_kills_at_random_moments(tmp_path: Path, whole: list[torch.Tensor]) -> None:
    draw = random.Random()
    for number in range(KILLS):
        folder, workers = tmp_path / str(number), draw.choice((0, 2))
        if number % 4 == 3:
            call, count = draw.choice(("fsync", "replace")), draw.randint(4, 60)
            step, moment = killed(folder, workers, call, str(count)), f"{call} {count}"
        else:
            after = draw.randint(1, 22)
            step, moment = killed(folder, workers, after=after), f"after step {after}"
        goes_on = checkpoint.newest(folder) if any(folder.glob("*.ckpt")) else None
        equal = same(run(folder, workers, resume=True), whole)
        print(
            f"kill {number + 1}: workers {workers}, {moment}, step {step}, "
            f"goes on from {goes_on and goes_on.name}: {'same bits' if equal else 'OTHER'}"
        )
        assert equal
