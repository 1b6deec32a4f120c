"""One epoch on ELPV: our routine beside the recipe of PyTorch's transfer-learning tutorial.

The same network with the same real weights, the same images, the same splits, in turn. The
tutorial's: SGD with learning rate 0.001 and momentum 0.9, batches of 4, fp32, RandomResizedCrop
and a horizontal flip from the decoded file, a DataLoader with its workers; its transforms for
validation. Ours: the default recipe with the precision fixed. Prints each seed, then the mean,
the paired difference and the ratio of the times.
"""

import argparse
import json
import os
import time
from pathlib import Path
from statistics import mean, stdev

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lineage_lab import create_model
from lineage_lab.comparison import _provenance, write_whole
from lineage_lab.data import _package, load, split
from lineage_lab.finetuning import finetune
from lineage_lab.recipe import Recipe
from lineage_lab.weights import find

NAME = "efficientnet_lite0"
WEIGHTS = find(NAME, "imagenet")


class Cells(Dataset[tuple[torch.Tensor, int]]):
    """The files of ELPV, decoded each time, as the tutorial's ImageFolder does."""

    def __init__(
        self, indices: list[int], labels: list[int], transform: transforms.Compose
    ) -> None:
        table = _package("elpv_dataset", "data/labels.csv")
        files = [line.split()[0] for line in table.read_text().splitlines() if line.strip()]
        self.items = [(table.parent / files[i], labels[i]) for i in indices]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        file, label = self.items[index]
        with Image.open(file) as image:
            return self.transform(image.convert("RGB")), label


def tutorial(seed: int, train: list[int], val: list[int], labels: list[int]) -> tuple[float, float]:
    """Accuracy and seconds of training of the tutorial's recipe."""
    torch.manual_seed(seed)
    model = create_model(NAME, num_classes=2, weights="imagenet").train()
    normal = [transforms.ToTensor(), transforms.Normalize(WEIGHTS.mean, WEIGHTS.std)]
    augmented = transforms.Compose(
        [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *normal]
    )
    plain = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), *normal])
    workers = min(4, os.cpu_count() or 1)
    batches = DataLoader(
        Cells(train, labels, augmented), batch_size=4, shuffle=True, num_workers=workers
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    start = time.perf_counter()
    for images, targets in batches:
        optimizer.zero_grad()
        criterion(model(images), targets).backward()
        optimizer.step()
    seconds = time.perf_counter() - start
    right = 0
    with torch.inference_mode():
        model.eval()
        for images, targets in DataLoader(Cells(val, labels, plain), batch_size=64):
            right += int((model(images).argmax(1) == targets).sum())
    return right / len(val), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tutorial-seeds", type=int, help="fewer seeds for the slower recipe")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cells = load("elpv", size=224)
    numbers = torch.arange(len(cells))
    rows: list[dict[str, float]] = []
    for seed in range(options.seeds):
        # The same split, once as images and once as file numbers.
        train, val = split(cells, seed=seed, limit=options.limit)
        tagged = type(cells)(
            images=numbers, labels=cells.labels, classes=cells.classes, name="", licence=""
        )
        a, b = split(tagged, seed=seed, limit=options.limit)
        torch.manual_seed(seed)
        model = create_model(NAME, num_classes=2, weights="imagenet")
        history = finetune(
            model, train, val, Recipe(seed=seed, precision="fp32"), mean=WEIGHTS.mean,
            std=WEIGHTS.std,
        )  # fmt: skip
        row = {"ours": history.val_accuracy, "our_seconds": history.train_seconds}
        if options.tutorial_seeds is None or seed < options.tutorial_seeds:
            theirs = tutorial(seed, a.images.tolist(), b.images.tolist(), cells.labels.tolist())
            row |= {"tutorial": theirs[0], "tutorial_seconds": theirs[1]}
        rows.append(row)
        print(f"seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
    for name in ("ours", "tutorial"):
        values = [100 * row[name] for row in rows if name in row]
        spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
        print(f"{name}: {mean(values):.1f}{spread} % over {len(values)} seeds")
    pairs = [row for row in rows if "tutorial" in row]
    if pairs:
        gained = mean(100 * (row["ours"] - row["tutorial"]) for row in pairs)
        ratio = mean(row["tutorial_seconds"] / row["our_seconds"] for row in pairs)
        print(f"paired over {len(pairs)}: {gained:+.1f} points in 1/{ratio:.2f} of the time")
    where = _provenance()
    print(", ".join(f"{k}: {v}" for k, v in where.items()))
    if options.json:
        text = json.dumps({"rows": rows, "limit": options.limit, "provenance": where}, indent=2)
        write_whole(options.json, text + "\n")


if __name__ == "__main__":
    main()
