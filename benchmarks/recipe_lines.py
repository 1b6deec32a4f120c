"""What each line of the recipe changes: one run with it beside the same run without it.

EfficientNet-Lite0 with its ImageNet weights on a part of ELPV, one epoch, the same splits and
seeds for every line, precision and memory format fixed. An interrupted run goes on where it was.

    python benchmarks/recipe_lines.py --out /tmp/lines --json docs/results/recipe-lines.json
"""

import argparse
import json
from pathlib import Path
from statistics import mean, stdev

from lineage_lab import compare
from lineage_lab.files import write_whole
from lineage_lab.provenance import provenance
from lineage_lab.recipe import Recipe
from lineage_lab.significance import differ

NAME = "efficientnet_lite0"
FIXED = Recipe(precision="fp32", memory_format="channels_last", compile="off")
LINES: dict[str, dict[str, object]] = {
    "head_epochs=1": {"head_epochs": 1},
    "unfreeze=none": {"unfreeze": "none"},
    "unfreeze=gradual": {"unfreeze": "gradual"},
    "lr=0.01": {"lr": 0.01},
    "optimizer=sgd, lr=0.01, head_lr=0.05": {"optimizer": "sgd", "lr": 0.01, "head_lr": 0.05},
    "norms=frozen": {"norms": "frozen"},
    "batch_size=64": {"batch_size": 64},
    "mixup=0.2": {"mixup": 0.2},
    "ema=0.9": {"ema": 0.9},
    "label_smoothing=0.1": {"label_smoothing": 0.1},
    "cutmix=1": {"cutmix": 1.0},
    "layer_decay=0.7": {"layer_decay": 0.7},
    "warmup=0": {"warmup": 0.0},
    "clip_norm=1": {"clip_norm": 1.0},
    "accumulate=2": {"accumulate": 2},
    "flips=none": {"flips": "none"},
    "crop=0.5": {"crop": 0.5},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="where finished runs are kept")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=600)
    options = parser.parse_args()

    def run(**line):
        result = compare([NAME], "elpv", FIXED, options.seeds, limit=options.limit,
                         out=options.out, resume=True, **line)  # fmt: skip
        return result, result.rows[0]

    result, plain = run()
    record = {"network": NAME, "limit": options.limit, "recipe": FIXED.to_dict(),
              "train": result.data["train"], "val": result.data["val"],
              "seeds": list(result.seeds), "accuracies": list(plain.accuracies),
              "seconds": list(plain.seconds), "lines": {}}  # fmt: skip
    for name, line in LINES.items():
        _, row = run(**line)
        found = differ([r.correct for r in row.runs], [r.correct for r in plain.runs],
                       names=(name, "default"), trained=result.data["train"])  # fmt: skip
        sign = 1 if found.first == name else -1
        low, high = sorted((sign * found.low, sign * found.high))
        record["lines"][name] = {
            "accuracies": list(row.accuracies), "seconds": list(row.seconds),
            "points": sign * found.points, "low": low, "high": high, "p": found.p,
        }  # fmt: skip
        values = [100 * a for a in row.accuracies]
        print(f"{name:40} {mean(values):.1f} ± {stdev(values):.1f} %, {sign * found.points:+.1f} "
              f"points ({low:+.1f} to {high:+.1f})", flush=True)  # fmt: skip
        if options.json:  # after each line, so that a part is of use
            text = json.dumps({**record, "provenance": provenance()}, indent=1)
            write_whole(options.json, text + "\n")


if __name__ == "__main__":
    main()
