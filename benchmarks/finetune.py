"""Our routine beside its peers: speed, accuracy, the paper's protocol, memory, start-up.

    python benchmarks/finetune.py speed --json speed.json
    python benchmarks/finetune.py accuracy --json accuracy.json
    python benchmarks/finetune.py paper --epochs 30 --json paper.json
    python benchmarks/finetune.py memory
    python benchmarks/finetune.py startup

The peers are fastai, PyTorch's transfer-learning tutorial and Hugging Face's Trainer, as
their documentation shows a newcomer and then tuned; `peers.py` has them. Each run is a
process of its own, and the systems take turns, so that a slow minute meets all alike.

The peers install beside the project's torch and change nothing in it: ``pip install -e
".[bench]"``. In an environment of their own: a venv with a ``.pth`` file that
holds the path of the project's site-packages, and ``--peers-python`` for its interpreter.

Each finished run is written to ``--json`` at once, and one that is in the file is not done
again. `paper` reads Deitsch 2019 so: of the 2,624 cells 75 % train and 25 % test, parted
within each kind of cell and each probability; a cell is defective if its probability is over
one half, and every test cell counts. The paper weighs a training cell by how sure its label
is; here each cell comes three times, as defective in 0, 1, 2 or 3 of them: cross-entropy then
has the probability for its target. ``--hard`` has each cell once. It is our reading, and
their very split is not published.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import geometric_mean, mean, median, stdev
from typing import Any

from lineage_lab.comparing.provenance import provenance
from lineage_lab.comparing.significance import half_interval
from lineage_lab.files import write_whole

HERE = Path(__file__).parent
NETWORKS = ("resnet50", "convnext_tiny", "efficientnet_b0", "efficientnet_lite0")
PEERS = ("fastai", "tutorial", "trainer")
TARGETS = {"default": 2.5, "tuned": 1.0, "synthetic": 0.95}
HARDWARE = ("processor", "cores", "bf16_instructions", "gpu", "torch")
# The long recipe, for `paper`.
LONG = {"lr": 1e-3, "head_lr": 5e-3, "label_smoothing": 0.0, "ema": 0.0}


class Record:
    """Finished runs by name, kept in a file at once."""

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self.path, self.settings, self.runs = path, settings, {}
        if path and path.is_file():
            found = json.loads(path.read_text())
            if found["settings"] != settings:
                raise SystemExit(f"{path} is of other settings: {found['settings']}")
            then, now = found["provenance"], provenance()
            other = [f"{key} {then[key]}, here {now[key]}" for key in HARDWARE
                     if then[key] != now[key]]  # fmt: skip
            if other:
                raise SystemExit(f"{path} is of another machine ({'; '.join(other)}): times of two "
                                 "machines don't go in one table. Give another --json")  # fmt: skip
            self.runs = found["runs"]

    def keep(self, name: str, run: dict[str, Any]) -> None:
        self.runs[name] = run
        self.save()

    def save(self, summary: Any = None) -> None:
        if self.path:
            whole = {"settings": self.settings, "provenance": provenance(), "runs": self.runs,
                     "summary": summary}  # fmt: skip
            write_whole(self.path, json.dumps(whole, indent=1) + "\n")


def run(python: str, name: str, record: Record, **wanted: Any) -> dict[str, Any]:
    """One system in a process of its own."""
    if name in record.runs:
        return record.runs[name]
    paths = [str(HERE.parent / "src"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [python, str(HERE / "peers.py"), json.dumps(wanted)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{wanted}\n{done.stderr[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    found["rate"] = found["images"] / found["seconds"]
    record.keep(name, found)
    print(f"{name}: {found['rate']:.2f} images/s, {found['seconds']:.1f} s", flush=True)
    return found


def speed(options: argparse.Namespace) -> None:
    settings = {"images": options.images, "networks": options.networks, "systems": options.systems}
    record = Record(options.json, settings)
    laps: dict[str, dict[str, list[float]]] = {}
    for lap in range(options.rounds):
        for network in options.networks:
            here = {"network": network, "images": options.images, "seed": lap}
            base = f"round {lap}, {network}"
            mine = run(options.peers_python, f"{base}, ours", record, system="ours", **here)
            form = {key: mine[key] for key in ("precision", "memory_format")}
            rest: list[tuple[str, str, dict[str, Any]]] = [("synthetic", "synthetic", form)]
            for peer in options.systems:
                rest += [(peer, peer, {}), (f"{peer} tuned", peer, {"tuned": True, **form})]
            for name, system, more in rest[:: 1 if lap % 2 else -1]:
                theirs = run(options.peers_python, f"{base}, {name}", record, system=system,
                             **here, **more)  # fmt: skip
                pairs = {name: mine}
                if system == "fastai":  # its fine_tune(1) trains the head first, so does this one
                    pairs[f"{name}, head first"] = run(
                        options.peers_python, f"{base}, ours, head first", record, system="ours",
                        head_epochs=1, **here,
                    )  # fmt: skip
                for told, run_of_ours in pairs.items():
                    ratio = run_of_ours["rate"] / theirs["rate"]
                    laps.setdefault(told, {}).setdefault(network, []).append(ratio)
    summary = {}
    print("\nours / theirs, images trained a second: geometric mean over the networks")
    for name, by_network in laps.items():
        per_round = [geometric_mean(r) for r in zip(*by_network.values(), strict=True)]
        kind = "synthetic" if name == "synthetic" else "tuned" if "tuned" in name else "default"
        summary[name] = {"median": median(per_round), "rounds": per_round, "networks": by_network}
        each = ", ".join(f"{n} {median(r):.2f}" for n, r in by_network.items())
        print(f"{name:26} {median(per_round):5.2f} ({min(per_round):.2f} to {max(per_round):.2f}),"
              f" wanted {TARGETS[kind]}: {each}")  # fmt: skip
    finish(record, summary)


def accuracy(options: argparse.Namespace) -> None:
    settings = {"network": "efficientnet_lite0", "images": options.images}
    record = Record(options.json, settings)
    rows = []
    for seed in range(options.splits):
        here = {"network": "efficientnet_lite0", "seed": seed, "images": options.images,
                "validate": True}  # fmt: skip
        row = {s: run(options.peers_python, f"split {seed}, {s}", record, system=s, **here)
               for s in ("ours", *options.systems)}  # fmt: skip
        rows.append(row)
        print(f"split {seed}: " + ", ".join(
            f"{s} {100 * r['accuracy']:.1f} % in {r['seconds']:.0f} s" for s, r in row.items()
        ), flush=True)  # fmt: skip
    summary = {}
    for peer in options.systems:
        points = [100 * (r["ours"]["accuracy"] - r[peer]["accuracy"]) for r in rows]
        times = [r["ours"]["seconds"] / r[peer]["seconds"] for r in rows]
        half = math.nan
        if len(points) > 1:  # a quarter of the images validates, as `split` parts them
            half = half_interval(points, validated=1, trained=3)
        summary[peer] = {"points": mean(points), "half_interval": half, "time_ratio": median(times)}
        print(f"ours - {peer}: {mean(points):+.2f} points, 95 % from {mean(points) - half:+.2f} to "
              f"{mean(points) + half:+.2f}; in {median(times):.2f} of its time")  # fmt: skip
    finish(record, summary)


def paper(options: argparse.Namespace) -> None:
    import torch

    from lineage_lab import create_model, finetune
    from lineage_lab.data.named import listing
    from lineage_lab.data.sets import load, split
    from lineage_lab.training.recipe import Recipe

    recipe = {**LONG, "epochs": options.epochs}
    record = Record(
        options.json, {"recipe": recipe, "hard": options.hard, "images": options.images}
    )
    cells = load("elpv", size=224)
    table = listing("elpv").files[0].parents[1] / "labels.csv"
    lines = [line.split() for line in table.read_text().splitlines() if line.strip()]
    thirds = torch.tensor([round(3 * float(line[1])) for line in lines])
    strata = 2 * thirds + torch.tensor([line[2] == "mono" for line in lines])
    tagged = type(cells)(images=torch.arange(len(cells)), labels=strata,
                         classes=tuple("01234567"), name="elpv", licence="")  # fmt: skip
    found = []
    for seed in range(options.splits):
        name = f"split {seed}"
        if name not in record.runs:
            a, b = (p.images for p in split(tagged, seed=seed, limit=options.images))
            train = cells.take(a if options.hard else a.repeat(3))
            if not options.hard:
                votes = torch.cat([(thirds[a] > vote).long() for vote in range(3)])
                train = type(train)(images=train.images, labels=votes, classes=train.classes,
                                    name=train.name, licence=train.licence,
                                    flips=train.flips)  # fmt: skip
            torch.manual_seed(seed)
            model = create_model("efficientnet_lite0", num_classes=2, weights="imagenet")
            history = finetune(model, train, cells.take(b), Recipe(seed=seed, **recipe))
            record.keep(name, {"accuracy": history.val_accuracy, "tested": len(b),
                               "seconds": history.train_seconds})  # fmt: skip
        row = record.runs[name]
        found.append(100 * row["accuracy"])
        print(f"{name}: {found[-1]:.2f} % in {row['seconds']:.0f} s", flush=True)
    spread = f" ± {stdev(found):.2f}" if len(found) > 1 else ""
    print(f"{mean(found):.2f}{spread} %; the paper's CNN: 88.42 %")
    finish(record, {"accuracy": mean(found), "wanted": 88.42})


def memory(options: argparse.Namespace) -> None:
    record = Record(options.json, {"images": options.images, "batch": 16})
    systems = ("ours", *options.systems)
    for lap in range(options.rounds):
        for network in options.networks:
            for system in systems:
                run(options.peers_python, f"round {lap}, {network}, {system}", record,
                    system=system, network=network, images=options.images, batch=16)  # fmt: skip
    summary: dict[str, dict[str, list[float]]] = {}
    for network in options.networks:
        summary[network] = sizes = {}
        for system in systems:
            laps = [record.runs[f"round {lap}, {network}, {system}"]
                    for lap in range(options.rounds)]  # fmt: skip
            sizes[system] = [(r["peak_memory"] - r.get("cache_bytes", 0)) / 2**20 for r in laps]
        told = [f"{system} {median(each):.0f} MiB ({min(each):.0f} to {max(each):.0f})"
                for system, each in sizes.items()]  # fmt: skip
        print(f"{network}: {', '.join(told)}")
    print("resident, without workers and decoded images; batch 16 for all")
    finish(record, summary)


def startup(options: argparse.Namespace) -> None:
    record = Record(options.json, {})
    command = [sys.executable, "-m", "lineage_lab", "finetune", "efficientnet_lite0", "--data",
               "elpv", "--limit", "64"]  # fmt: skip
    found = []
    for lap in range(options.rounds + 1):  # the first warms the cache
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as process:  # fmt: skip
            lines = iter(process.stderr or ())
            first = next((line for line in lines if ": step " in line), None)
            seconds = time.perf_counter() - start
            process.terminate()
            list(lines)
        if first is None:
            raise SystemExit("no training step was reported")
        if lap:
            found.append(seconds)
            record.keep(f"round {lap}", {"seconds": seconds})
            print(f"round {lap}: {seconds:.2f} s to {first.strip()}", flush=True)
    print(f"median {median(found):.2f} s ({min(found):.2f} to {max(found):.2f}), wanted below 6")
    finish(record, {"median": median(found)})


def finish(record: Record, summary: Any) -> None:
    record.save(summary)
    print(", ".join(f"{k}: {v}" for k, v in provenance().items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"speed": speed, "accuracy": accuracy, "paper": paper, "memory": memory,
             "startup": startup}  # fmt: skip
    parser.add_argument("part", choices=parts)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--systems", nargs="+", help=f"of {', '.join(PEERS)}", choices=PEERS)
    parser.add_argument("--images", type=int, help="to train on; speed and memory: 192")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    options.networks = list(options.networks)
    if options.part in ("speed", "memory") and options.images is None:
        options.images = 192
    options.systems = options.systems or list(("fastai",) if options.part == "accuracy" else PEERS)
    parts[options.part](options)


if __name__ == "__main__":
    main()
