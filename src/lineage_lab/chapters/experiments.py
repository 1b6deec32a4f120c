"""The small training loop that the chapters' experiments share.

A chapter asks one question of two networks and changes nothing else: the same real digits,
the same split, the same order, the same number of passes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import mean, stdev

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from lineage_lab.data.sets import split_digits
from lineage_lab.models.lenet import normalize_ink

__all__ = ["Trained", "spread", "train_digits"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A network after `train_digits`.

    Attributes:
        model: The network, in ``eval`` mode.
        accuracy: Share of the held-out digits that it names rightly, from 0 to 1.
        losses: The loss at each step.
    """

    model: nn.Module
    accuracy: float
    losses: tuple[float, ...]


# --8<-- [start:train]
def train_digits(
    build: Callable[[], nn.Module],
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    lr: float = 0.05,
    seed: int = 0,
    epochs: int = 4,
    steps: int | None = None,
    prepare: Callable[[Tensor], Tensor] = normalize_ink,
) -> Trained:
    """Train a small network on 4,000 real MNIST digits and test it on the other 1,000.

    Args:
        build: Makes the network; called after the seed is set.
        loss: Takes the scores and the labels.
        lr: Highest learning rate of a one-cycle schedule (SGD, momentum 0.9, batches of 32).
        seed: Decides the split, the first weights and the order.
        epochs: Passes over the training digits.
        steps: Batches to train on in place of whole passes.
        prepare: Turns ``uint8`` images ``[n, 1, 32, 32]`` into the network's input.

    Returns:
        The trained network and its accuracy on the held-out digits.
    """
    (images, labels), (test_images, test_labels) = split_digits(seed)
    images, test_images = prepare(images), prepare(test_images)
    torch.manual_seed(seed)
    model = build().train()
    steps = steps or epochs * len(images) // 32
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    schedule = OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    losses: list[float] = []
    while len(losses) < steps:
        order = torch.randperm(len(images))
        for batch in order.split(32)[: steps - len(losses)]:  # type: ignore[no-untyped-call]
            error = loss(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(error.item())
    with torch.no_grad():
        answers = model.eval()(test_images).argmax(dim=1)
    return Trained(model, (answers == test_labels).float().mean().item(), tuple(losses))


# --8<-- [end:train]


def spread(accuracies: Iterable[float]) -> str:
    """Mean and standard deviation in percent, and how many runs they come from.

    Args:
        accuracies: One value a seed, from 0 to 1; two or more.

    Returns:
        Such as ``"95.8 ± 0.4 % (5 seeds)"``.

    Examples:
        >>> spread([0.95, 0.96, 0.97])
        '96.0 ± 1.0 % (3 seeds)'
    """
    values = [100 * accuracy for accuracy in accuracies]
    return f"{mean(values):.1f} ± {stdev(values):.1f} % ({len(values)} seeds)"
