"""A run that is killed: ``python -m tests.faults.killed FOLDER WORKERS SEED [CALL COUNT]``.

It keeps a checkpoint after every step. With CALL (``fsync`` or ``replace``) it kills itself at
that call's COUNT-th time, which is while a checkpoint is being written; else the parent kills it.
"""

import os
import signal
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lineage_lab import finetune
from lineage_lab.data.sets import load, split
from lineage_lab.training import loop as routine
from lineage_lab.training.recipe import Recipe


def network() -> nn.Module:
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(1, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2),
        nn.Conv2d(8, 16, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(0.3),
    )  # fmt: skip
    return nn.Sequential(OrderedDict(body=body, head=nn.Linear(64, 10)))


def run(folder: Path | None, workers: int, *, seed: int = 0, **options: Any) -> list[torch.Tensor]:
    """Shuffle, crops, mirrors, mixup, dropout, batch norm, a moving average: the final tensors."""
    torch.set_num_threads(1)
    train, val = split(load("digits", size=32), seed=0, limit=400)
    recipe = Recipe(
        seed=seed, epochs=3, batch_size=32, lr=5e-3, head_lr=5e-3, workers=workers, ema=0.9,
        crop=0.6, flips="horizontal", mixup=0.2, precision="fp32", memory_format="contiguous",
        device="cpu",
    )  # fmt: skip
    model = network()
    finetune(model, train, val, recipe, mean=(0.1,), std=(0.3,), folder=folder, **options)
    return [t.detach().clone() for t in model.state_dict().values()]


def dies_at(call: str, count: int) -> None:
    left = count
    owner = os if call == "fsync" else Path
    real = getattr(owner, call)

    def fatal(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(owner, call, fatal)


if __name__ == "__main__":
    where, how_many, number = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    routine.SAVED_EVERY = 0.0
    if len(sys.argv) > 4:
        dies_at(sys.argv[4], int(sys.argv[5]))

    def tell(step: int, steps: int, loss: float) -> None:
        print(step, flush=True)

    run(where, how_many, seed=number, on_step=tell, overwrite=True)
    print("whole", flush=True)
