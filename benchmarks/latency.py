"""One image at a time on a processor: how long each network with published weights takes.

In each round every network is built, called once to warm up and then timed, so that a slow
minute of the machine meets all alike, and only one of them is in memory at a time. The weights
are random: the time does not depend on them.

Two times are kept of each call: that of the clock, and that of the thread on the processor, which
waiting for other programs is no part of. On a quiet machine they agree; the record says whether
it was quiet, and which of the two the page takes.

    python benchmarks/latency.py --rounds 9 --json docs/results/latency.json
    python benchmarks/latency.py resnet50 vgg16 --add --json out.json   # more laps of two
"""

import argparse
import gc
import json
import os
import statistics
import time
from pathlib import Path

import torch

from lineage_lab import create_model
from lineage_lab.comparing.choosing import COSTS, candidates
from lineage_lab.comparing.provenance import provenance

CHEAP = 5  # G MACs: below, a network is timed three times a round, else once


def laps(name: str, side: int, times: int) -> list[tuple[float, float]]:
    """Milliseconds of each timed call: by the clock, and on the processor."""
    torch.manual_seed(0)
    model = create_model(name).eval()
    image = torch.randn(1, 3, side, side)
    found = []
    with torch.inference_mode():
        model(image)
        for _ in range(times):
            clock, thread = time.perf_counter(), time.thread_time()
            model(image)
            both = time.perf_counter() - clock, time.thread_time() - thread
            found.append((round(1e3 * both[0], 2), round(1e3 * both[1], 2)))
    del model
    gc.collect()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=list(COSTS))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--add", action="store_true", help="keep the times that the file holds")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sides = {c.name: c.side for c in candidates()}
    found: dict[str, list[tuple[float, float]]] = {}
    loads: list[float] = []
    if arguments.add and arguments.json.is_file():
        earlier = json.loads(arguments.json.read_text(encoding="utf-8"))
        loads = earlier["loads"]
        found = {name: row["times"] for name, row in earlier["rows"].items()}
    loads.append(round(os.getloadavg()[0], 2))
    for number in range(arguments.rounds):
        for name in arguments.names if number % 2 else arguments.names[::-1]:
            times = 3 if COSTS[name][1] < CHEAP * 1e9 else 1
            found.setdefault(name, []).extend(laps(name, sides[name], times))
    # The load is that of the minute before a run: above one, others were at work.
    quiet = max(loads) < 0.5
    rows = {}
    for name in COSTS:
        if len(found.get(name, ())) > 1:
            taken = [clock if quiet else thread for clock, thread in found[name]]
            q1, median, q3 = statistics.quantiles(taken, n=4, method="inclusive")
            rows[name] = {"side": sides[name], "median": round(median, 2), "q1": round(q1, 2),
                          "q3": round(q3, 2), "times": found[name]}  # fmt: skip
            print(f"{name:20} {median:9.1f} ms  ({q1:.1f} to {q3:.1f}, {len(taken)} times)")
    if arguments.json:
        record = {"provenance": provenance(), "threads": arguments.threads, "loads": loads,
                  "quiet": quiet, "rows": rows}  # fmt: skip
        arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
