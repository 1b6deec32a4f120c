"""The probe beside one pass of the default recipe, on ELPV: what each minute buys.

Both are whole commands in processes of their own, which take turns on the same splits. Decoded
images are cached, features are not. Each command keeps a fifth of the images that nothing is
chosen by, and both networks are scored on that part. Finished pairs stay in the file, and an
interrupted benchmark goes on where it was.

    python benchmarks/probe.py docs/results/probe-elpv.json [--splits 10] [--grouped]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from finetune import Record

from lineage_lab.comparing.significance import half_interval
from lineage_lab.data import cache

NAME = "efficientnet_lite0"
WAYS = {"probe": ("probe",), "one pass": ("finetune", "--epochs", "1")}
TRAINED, TESTED = 0.6, 0.2  # shares of the images, about
SCORES = ("accuracy", "balanced_accuracy", "auroc")


def command(*arguments: str) -> tuple[float, int]:
    """Seconds and most memory of ``lineage-lab``."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lineage_lab", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)}\n{said[-3000:]}")
    return time.perf_counter() - start, 1024 * usage.ru_maxrss


def run(way: str, seed: int, *, grouped: bool) -> dict[str, Any]:
    shutil.rmtree(cache.folder() / "features", ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        seconds, memory = command(
            WAYS[way][0], NAME, "--data", "elpv", "--test", "0.2", "--seed", str(seed),
            "--set", f"grouped={str(grouped).lower()}", "--out", str(place / "run"),
            *WAYS[way][1:],
        )  # fmt: skip
        command("evaluate", str(place / "run" / "best.ckpt"), "elpv", "--part", "test",
                "--resamples", "0", "--out", str(place / "scores"))  # fmt: skip
        found = json.loads((place / "scores" / "evaluation.json").read_text())["metrics"]
    return {"seconds": seconds, "memory": memory, **{name: found[name]["value"] for name in SCORES}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json", type=Path, help="where finished runs are kept")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--grouped", action="store_true", help="keep blocks of rows whole")
    options = parser.parse_args()
    record = Record(options.json, {"network": NAME, "grouped": options.grouped})
    for seed in range(options.splits):
        for way in WAYS:
            key = f"{way}; seed {seed}"
            if key not in record.runs:
                record.keep(key, run(way, seed, grouped=options.grouped))
                print(key, record.runs[key], flush=True)
    pairs = [[record.runs[f"{way}; seed {seed}"] for way in WAYS] for seed in range(options.splits)]
    ratio = {
        what: float(np.median([probe[what] / whole[what] for probe, whole in pairs]))
        for what in ("seconds", "memory")
    }
    gain = {what: [probe[what] - whole[what] for probe, whole in pairs] for what in SCORES}
    interval = {
        what: half_interval(values, validated=TESTED, trained=TRAINED)
        for what, values in gain.items()
    }
    summary = {
        "ratio": ratio,
        "gain": {what: float(np.mean(values)) for what, values in gain.items()},
        "half_interval": interval,
    }
    record.save(summary)
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
