"""Two processes: whatever one of them does, the job ends with the cause within 30 seconds."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineage_site.facts.faults import find

CHILD = """
import os, signal, sys
import torch
from pathlib import Path
from lineage_lab import create_model, finetune
from lineage_lab.data.sets import load, split
from lineage_lab.training.recipe import Recipe

fault, folder = sys.argv[1:]
second = os.environ["RANK"] == "1"
torch.set_num_threads(1)
train, val = split(load("digits", size=32), seed=0, limit=400)
if fault == "rank-fewer" and second:
    train = train.take(torch.arange(len(train) - 100))
torch.manual_seed(0)
model = create_model("lenet5_modern")
seen = 0

def fail(module, inputs):
    global seen
    seen += 1
    if second and seen == 9:
        if fault == "rank-raises":
            raise RuntimeError("the second process has had enough")
        if fault == "rank-killed":
            os.kill(os.getpid(), signal.SIGKILL)

model.register_forward_pre_hook(fail)
finetune(model, train, val, Recipe(epochs=50, batch_size=32, precision="fp32", device="cpu",
    memory_format="contiguous"), mean=(0.1,), std=(0.3,), folder=folder)
"""


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        pytest.param("rank-raises", "RuntimeError: the second process has had enough",
                     marks=pytest.mark.fault("rank-raises")),
        pytest.param("rank-killed", "Signal 9 (SIGKILL) received by PID",
                     marks=pytest.mark.fault("rank-killed")),
        pytest.param("rank-fewer", "process 0 has 300 + 100 images",
                     marks=pytest.mark.fault("rank-fewer")),
    ],
)  # fmt: skip
def test_the_job_ends_with_the_cause(fault: str, cause: str, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = time.monotonic()
    done = subprocess.run([*launch, str(script), fault, str(tmp_path / "run")], timeout=60,
                          capture_output=True, text=True, env=environment)  # fmt: skip
    print(f"{fault}: ended after {time.monotonic() - start:.1f} s, start included")
    assert time.monotonic() - start < 30
    assert done.returncode != 0
    assert cause in done.stderr
    if find(fault).says or fault == "rank-killed":
        assert find(fault).matches(done.stderr)
