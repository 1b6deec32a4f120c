"""AlexNet's experiments: three activations to one loss, 200 digits to overfit, a photograph."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.chapters.photos import middle_square, sample
from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import normalize_ink

__all__ = ["ACTIVATIONS", "ARMS", "Few", "photograph", "small_alexnet", "steps_to", "train_few"]

# What is done against overfitting -> the arguments of `train_few`.
ARMS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "dropout": {"dropout": 0.5},
    "crops": {"crops": True},
    "both": {"dropout": 0.5, "crops": True},
    "mirror images": {"mirror": True},
}


def photograph(side: int) -> Image.Image:
    """A square from the middle of scikit-learn's photograph china.jpg, its side in pixels."""
    return middle_square(sample("china.jpg")).resize((side, side), Image.Resampling.BICUBIC)


# --8<-- [start:steps]
# An activation, and the gain of its first weights: 1 / its slope where it is used most.
ACTIVATIONS: dict[str, tuple[Callable[[], nn.Module], float]] = {
    "ReLU": (nn.ReLU, 2**0.5),
    "tanh": (nn.Tanh, 5 / 3),
    "sigmoid": (nn.Sigmoid, 4.0),
}


def four_layers(name: str) -> nn.Sequential:
    """Three convolutions of 16 maps and a linear layer, for digits of 16 × 16."""
    act, gain = ACTIVATIONS[name]
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), act(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3, padding=1), act(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3, padding=1), act(), nn.Flatten(), nn.Linear(256, 10)),
    )
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_normal_(layer.weight, gain=gain)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return net


def steps_to(
    name: str, lr: float, seed: int, *, target: float = 0.25, limit: int = 600
) -> int | None:
    """Steps of SGD until the running mean of the training loss is under the target."""
    (images, labels), _ = split_digits(seed)
    images = F.avg_pool2d(normalize_ink(images), 2)
    torch.manual_seed(seed)
    net = four_layers(name)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
    mean, step = 2.3, 0  # a guess without knowledge costs log 10
    while True:
        for batch in torch.randperm(len(images)).split(32):  # type: ignore[no-untyped-call]
            error = F.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            mean, step = 0.95 * mean + 0.05 * error.item(), step + 1
            if mean < target:
                return step
            if step == limit:
                return None


# --8<-- [end:steps]


@dataclass(frozen=True, slots=True)
class Few:
    """A network after `train_few`.

    Attributes:
        train: Accuracy on the 200 digits, from 0 to 1.
        test: Accuracy on 1,000 others.
    """

    train: float
    test: float


# --8<-- [start:few]
def small_alexnet(dropout: float = 0.0) -> nn.Sequential:
    """A stride in the first layer, overlapping pooling, two wide hidden layers."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 5, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(16 * 5 * 5, 256), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(256, 256), nn.ReLU(), nn.Dropout(dropout), nn.Linear(256, 10)),
    )


def train_few(
    seed: int, *, dropout: float = 0.0, crops: bool = False, mirror: bool = False, steps: int = 400
) -> Few:
    """Train on 200 digits of 32 × 32, always cut to 28 × 28, and test on 1,000 others."""
    (images, labels), (others, answers) = split_digits(seed)
    images, labels = normalize_ink(images)[::20], labels[::20]  # sorted by class: 20 of each
    torch.manual_seed(seed)
    net = small_alexnet(dropout)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for step in range(steps):
        if step % 7 == 0:  # a pass over 200 digits has seven batches
            order = torch.randperm(len(images)).split(32)  # type: ignore[no-untyped-call]
        batch = order[step % 7]
        y, x = torch.randint(0, 5, (2,)).tolist() if crops else (2, 2)
        cut = images[batch, :, y : y + 28, x : x + 28]
        if mirror:
            turned = torch.rand(len(cut), 1, 1, 1) < 0.5
            cut = torch.where(turned, cut.flip(3), cut)
        optimizer.zero_grad()
        F.cross_entropy(net(cut), labels[batch]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    net.eval()

    def accuracy(given: Tensor, right: Tensor) -> float:
        with torch.no_grad():
            hits: Tensor = net(given[..., 2:30, 2:30]).argmax(1) == right
        return hits.float().mean().item()

    return Few(accuracy(images, labels), accuracy(normalize_ink(others), answers))


# --8<-- [end:few]
