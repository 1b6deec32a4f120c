"""What a grouped split and unequal classes ask for, on ELPV: every probability is kept.

EfficientNet-Lite0 with its ImageNet weights, one epoch of the default recipe, in each run one
thread. Each seed draws its own three parts: scikit-learn's five folds, of which the first to
train on three, one to validate with, one to test on. ``random`` draws image by image within the
classes, ``blocks`` keeps ELPV's 44 blocks of rows whole. The lines take turns within each seed,
so that a slow minute meets all alike. What is kept of a run is the probability of a defect of
each image to validate and to test with, so that every number of the page is computed from it.
Finished runs stay in the file, and an interrupted benchmark goes on where it was.

    python benchmarks/elpv_groups.py docs/results/elpv-imbalance.json --size 96
    python benchmarks/elpv_groups.py docs/results/elpv-groups.json --splits blocks random \
        --lines default class_weights=balanced
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finetune import Record
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from lineage_lab import finetune
from lineage_lab.data import ImageSet, load
from lineage_lab.data.named import listing
from lineage_lab.training.batches import Prepare
from lineage_lab.training.pretrained import starting_point
from lineage_lab.training.recipe import Recipe

NAME = "efficientnet_lite0"
FOLDS = 5
FIXED = Recipe(precision="fp32", memory_format="channels_last", compile="off", device="cpu")
LINES: dict[str, dict[str, Any]] = {
    "default": {},
    "class_weights=balanced": {"class_weights": "balanced"},
    "unfreeze=none, class_weights=balanced": {"unfreeze": "none", "class_weights": "balanced"},
    "sampling=balanced": {"sampling": "balanced"},
    "focal=2": {"focal": 2.0},
    "logit_adjustment=1": {"logit_adjustment": 1.0},
}


def parts(cells: ImageSet, kind: str, seed: int) -> tuple[torch.Tensor, ...]:
    """Indices to train on, to validate with, to test on."""
    kinds = {"random": StratifiedKFold, "blocks": StratifiedGroupKFold}
    labels = cells.labels.numpy()
    folds = kinds[kind](FOLDS, shuffle=True, random_state=seed)
    blocks = listing("elpv").groups
    found = [torch.from_numpy(test) for _, test in folds.split(labels, labels, blocks)]
    test, val = found[seed % FOLDS], found[(seed + 1) % FOLDS]
    used = torch.cat((test, val))
    train = torch.from_numpy(np.setdiff1d(np.arange(len(cells)), used.numpy()))
    return train, val.sort().values, test.sort().values


def truth(val: ImageSet, test: ImageSet) -> dict[str, Any]:
    """Classes of the images to validate and to test with, and the blocks of the latter."""
    blocks = np.unique(test.groups.numpy(), return_inverse=True)[1]
    return {
        "val_truth": "".join(map(str, val.labels.tolist())),
        "test_truth": "".join(map(str, test.labels.tolist())),
        "test_blocks": blocks.tolist(),
    }


def probabilities(model: torch.nn.Module, data: ImageSet, prepare: Prepare) -> list[float]:
    """Of a defect, for each image."""
    model.eval()
    with torch.inference_mode():
        found = [model(prepare(x)).softmax(1)[:, 1] for x in data.images.split(32)]
    return [round(float(p), 7) for p in torch.cat(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("json", type=Path, help="where finished runs are kept")
    parser.add_argument("--size", type=int, default=224, help="side of the images")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--splits", nargs="+", default=["blocks"], choices=["blocks", "random"])
    parser.add_argument("--lines", nargs="+", default=list(LINES), choices=LINES)
    options = parser.parse_args()

    torch.set_num_threads(1)
    cells, start = load("elpv", size=options.size), starting_point(NAME)
    record = Record(options.json, {
        "network": NAME, "size": options.size, "data": cells.fingerprint,
        "blocks": int(cells.groups.max()) + 1, "recipe": FIXED.to_dict(),
    })  # fmt: skip
    for seed in range(options.seeds):
        for kind in options.splits:
            for line in options.lines:
                key = f"{kind}; {line}; seed {seed}"
                if key in record.runs:
                    continue
                train, val, test = (cells.take(part) for part in parts(cells, kind, seed))
                recipe = replace(FIXED, seed=seed, **LINES[line])
                model = start.model(len(cells.classes), seed=seed)
                cpu = time.process_time()
                history = finetune(model, train, val, recipe, mean=start.mean, std=start.std)
                cpu = time.process_time() - cpu
                prepare = Prepare(start.mean, start.std, torch.device("cpu"),
                                  layout=torch.channels_last)  # fmt: skip
                record.keep(key, {
                    "seconds": history.train_seconds, "processor_seconds": cpu,
                    "train": len(train), **truth(val, test),
                    "val": probabilities(model, val, prepare),
                    "test": probabilities(model, test, prepare),
                })  # fmt: skip
                print(f"{key:45} {history.val_accuracy:.1%} in {history.train_seconds:.0f} s "
                      f"({cpu:.0f} s of the processor)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
