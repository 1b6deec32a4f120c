"""All metrics with their intervals, beside torchmetrics' ``BootStrapper`` on the same numbers.

    python benchmarks/metrics.py --json docs/results/metrics.json

100,000 predictions of two classes, 1,000 resamples each. torchmetrics has no log loss for
classes, and its calibration error has bins of equal width: it is given the other numbers, in
one collection, so that the resamples are drawn once for all. One run of each in turn, `--rounds`
times; torchmetrics may be given fewer resamples by ``--theirs``, and its time is then that of
as many, multiplied.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torchmetrics
from torchmetrics import MetricCollection
from torchmetrics import classification as theirs
from torchmetrics.wrappers import BootStrapper

from lineage_lab.comparing.provenance import provenance
from lineage_lab.files import write_whole
from lineage_lab.training.metrics import measure

CLASSES = 2


def numbers(images: int) -> tuple[np.ndarray, np.ndarray]:
    """One image in five is positive, and the probabilities know something of it."""
    generator = np.random.default_rng(0)
    truth = (generator.random(images) < 0.2).astype(np.int64)
    score = generator.normal(1.5 * truth - 1, 1)
    positive = 1 / (1 + np.exp(-score))
    return truth, np.stack((1 - positive, positive), axis=1)


def bootstrapped(truth: np.ndarray, probabilities: np.ndarray, resamples: int) -> None:
    collection = MetricCollection({
        "accuracy": theirs.MulticlassAccuracy(CLASSES, average="micro"),
        "recall": theirs.MulticlassRecall(CLASSES, average="none"),
        "balanced accuracy": theirs.MulticlassRecall(CLASSES, average="macro"),
        "precision": theirs.MulticlassPrecision(CLASSES, average="none"),
        "precision, mean": theirs.MulticlassPrecision(CLASSES, average="macro"),
        "F1": theirs.MulticlassF1Score(CLASSES, average="none"),
        "F1, mean": theirs.MulticlassF1Score(CLASSES, average="macro"),
        "AUROC": theirs.MulticlassAUROC(CLASSES, average="none"),
        "average precision": theirs.MulticlassAveragePrecision(CLASSES, average="none"),
        "calibration error": theirs.MulticlassCalibrationError(CLASSES, n_bins=15),
    })  # fmt: skip
    for one in collection.values():
        one.validate_args = False
    quantile = torch.tensor([0.025, 0.975])
    boots = {
        name: BootStrapper(one, num_bootstraps=resamples, quantile=quantile, mean=False, std=False,
                           sampling_strategy="multinomial")
        for name, one in collection.items()
    }  # fmt: skip
    for boot in boots.values():
        boot.update(torch.from_numpy(probabilities), torch.from_numpy(truth))
        boot.compute()
        boot.reset()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--theirs", type=int, help="resamples of torchmetrics; default: as ours")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    torch.set_num_threads(1)
    truth, probabilities = numbers(options.images)
    resamples = options.theirs or options.resamples
    ours, other = [], []
    for _ in range(options.rounds):
        start = time.perf_counter()
        measure(truth, probabilities, ["no", "yes"], resamples=options.resamples)
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        bootstrapped(truth, probabilities, resamples)
        other.append((time.perf_counter() - start) * options.resamples / resamples)
        print(f"ours {ours[-1]:.1f} s, torchmetrics {other[-1]:.1f} s, ratio "
              f"{ours[-1] / other[-1]:.3f}", flush=True)  # fmt: skip
    if options.json:
        write_whole(options.json, json.dumps({
            "settings": {"images": options.images, "resamples": options.resamples,
                         "theirs": resamples, "torchmetrics": torchmetrics.__version__},
            "provenance": provenance(), "ours": ours, "torchmetrics": other,
            "ratio": median(a / b for a, b in zip(ours, other, strict=True)),
        }, indent=1) + "\n")  # fmt: skip


if __name__ == "__main__":
    main()
