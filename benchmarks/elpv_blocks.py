"""What a random split hides: ELPV parted cell by cell, and parted by blocks of neighbouring rows.

The body of EfficientNet-Lite0 with its ImageNet weights stays as it is, and a logistic regression
learns from its features. Four folds; the seed decides who is in which. In the random split
neighbours of a cell that is tested may be trained on. In the other, the list of the cells is cut
into blocks of rows that follow one another, and a block is wholly on one side. ELPV's list names
no module, so that blocks of rows stand in for it: 44 of them have about as many cells as a module.

    python benchmarks/elpv_blocks.py docs/results/elpv-blocks.json
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finetune import Record
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from lineage_lab.data.sets import ImageSet, load
from lineage_lab.training.pretrained import StartingPoint, starting_point

NAME = "efficientnet_lite0"
FOLDS = 4
C = 0.01


def features(cells: ImageSet, start: StartingPoint) -> NDArray[np.float32]:
    """Outputs of the frozen body, ``float32 [n, 1280]``."""
    model = start.model(len(cells.classes), seed=0).eval()
    model.head = nn.Identity()
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (start.mean, start.std))
    with torch.inference_mode():
        parts = [
            model((images.expand(-1, 3, -1, -1) / 255 - mean) / std)
            for images in cells.images.split(32)
        ]
    return torch.cat(parts).numpy()


def folds(
    labels: NDArray[np.int64], blocks: int | None, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to train on and to test with, fold by fold; `blocks` None parts cell by cell."""
    if blocks is None:
        return list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(labels, labels))
    block = np.arange(len(labels)) * blocks // len(labels)
    parted = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(parted.split(labels, labels, block))


def trial(
    inputs: NDArray[np.float32], labels: NDArray[np.int64], blocks: int | None, seed: int
) -> dict[str, Any]:
    """Scores of the four folds' test cells together: each cell is tested once."""
    probability = np.empty(len(labels))
    for train, test in folds(labels, blocks, seed):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=2000))
        model.fit(inputs[train], labels[train])
        probability[test] = model.predict_proba(inputs[test])[:, 1]
    answers = (probability > 0.5).astype(int)
    return {
        "accuracy": accuracy_score(labels, answers),
        "balanced_accuracy": balanced_accuracy_score(labels, answers),
        "auroc": roc_auc_score(labels, probability),
        "recall_defective": recall_score(labels, answers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("json", type=Path, help="where finished runs are kept")
    parser.add_argument("--size", type=int, default=224, help="side of the images")
    parser.add_argument("--blocks", type=int, nargs="+", default=[88, 44, 20])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()

    cells = load("elpv", size=options.size)
    record = Record(options.json, {
        "network": NAME, "size": options.size, "images": len(cells), "folds": FOLDS, "C": C,
    })  # fmt: skip
    inputs, labels = features(cells, starting_point(NAME)), cells.labels.numpy()
    for blocks in (None, *options.blocks):
        for seed in range(options.seeds):
            key = f"{f'{blocks} blocks' if blocks else 'random'}; seed {seed}"
            if key not in record.runs:
                found = trial(inputs, labels, blocks, seed)
                record.keep(key, {name: round(float(value), 4) for name, value in found.items()})
            print(f"{key:20} {record.runs[key]}", flush=True)


if __name__ == "__main__":
    main()
