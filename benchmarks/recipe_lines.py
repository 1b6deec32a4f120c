"""What each line of the recipe changes: one run with it beside the same run without it.

EfficientNet-Lite0 with its ImageNet weights on a part of ELPV at 96 pixels, one epoch, the
same splits and seeds for every line, precision and memory format fixed. The lines take turns
within each seed, so that a slow minute meets all alike. Finished runs stay in the file, and an
interrupted benchmark goes on where it was.

    python benchmarks/recipe_lines.py docs/results/recipe-lines.json
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune import Record

from lineage_lab import finetune
from lineage_lab.data.sets import load, split
from lineage_lab.training.pretrained import starting_point
from lineage_lab.training.recipe import Recipe

NAME = "efficientnet_lite0"
FIXED = Recipe(precision="fp32", memory_format="channels_last", compile="off")
LINES: dict[str, dict[str, Any]] = {
    "default": {},
    "head_epochs=1": {"head_epochs": 1},
    "unfreeze=none": {"unfreeze": "none"},
    "unfreeze=gradual": {"unfreeze": "gradual"},
    "lr=0.01": {"lr": 0.01},
    "optimizer=sgd, lr=0.01, head_lr=0.05": {"optimizer": "sgd", "lr": 0.01, "head_lr": 0.05},
    "norms=frozen": {"norms": "frozen"},
    "lr=0.0001, head_lr=0.001": {"lr": 1e-4, "head_lr": 1e-3},
    "norms=frozen, lr=0.0001, head_lr=0.001": {"norms": "frozen", "lr": 1e-4, "head_lr": 1e-3},
    "batch_size=64": {"batch_size": 64},
    "batch_size=4": {"batch_size": 4},
    "batch_size=4, norms=frozen, lr=0.0001, head_lr=0.001": {
        "batch_size": 4,
        "norms": "frozen",
        "lr": 1e-4,
        "head_lr": 1e-3,
    },
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
    parser.add_argument("json", type=Path, help="where finished runs are kept")
    parser.add_argument("--size", type=int, default=96, help="side of the images")
    parser.add_argument("--limit", type=int, default=1600, help="images, those to validate too")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()

    cells, start = load("elpv", size=options.size), starting_point(NAME)
    train, val = split(cells, seed=0, limit=options.limit, groups=())
    record = Record(options.json, {
        "network": NAME, "size": options.size, "train": len(train), "val": len(val),
        "recipe": FIXED.to_dict(),
    })  # fmt: skip
    for seed in range(options.seeds):
        train, val = split(cells, seed=seed, limit=options.limit, groups=())
        for name, line in LINES.items():
            key = f"{name}; seed {seed}"
            if key in record.runs:
                continue
            model = start.model(len(cells.classes), seed=seed)
            history = finetune(model, train, val, replace(FIXED, seed=seed, **line),
                               mean=start.mean, std=start.std)  # fmt: skip
            correct = "".join("01"[right] for right in history.correct)
            record.keep(key, {"seconds": history.train_seconds, "correct": correct})
            print(f"{key:45} {history.val_accuracy:.1%} in {history.train_seconds:.0f} s",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
