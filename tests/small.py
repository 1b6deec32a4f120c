"""A small network, for tests of the routine: quick, and with everything that a recipe treats."""

from dataclasses import replace

import torch
from torch import nn

from lineage_lab import create_model, finetune
from lineage_lab.training.recipe import Recipe

PLAIN = Recipe(lr=5e-3, head_lr=5e-3, batch_size=32, precision="fp32",
               memory_format="contiguous", device="cpu")  # fmt: skip
GREY = {"mean": (0.1,), "std": (0.3,)}


class Small(nn.Module):
    """Two convolutions with batch norm and dropout, a hidden layer, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU())
        self.stages = nn.Sequential(
            nn.Sequential(nn.Conv2d(8, 8, 3, 2), nn.Sequential(nn.BatchNorm2d(8), nn.ReLU())),
            nn.Sequential(nn.Conv2d(8, 16, 3, 2), nn.Sequential(nn.ReLU(), nn.Dropout(0.1))),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.stages(self.stem(x))).flatten(1))


def small(*, trained: bool = True) -> Small:
    torch.manual_seed(0)
    model = Small()
    if trained:  # statistics that a training has filled
        for norm in (model.stem[1], model.stages[0][1][0]):
            norm.running_mean.normal_(std=0.1)
    return model


def lenet() -> nn.Module:
    torch.manual_seed(0)
    return create_model("lenet5_modern")


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [t.detach().clone() for t in model.state_dict().values()]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def run(model: nn.Module, digits, **changes):
    return finetune(model, *digits, replace(PLAIN, **changes), **GREY)
