"""Answers to the LeNet-5 chapter's exercises: two right ones each, five plausible wrong ones."""

import torch
from torch import nn
from torch.nn import functional as F

from lineage_lab.models.lenet import LeNet5, LeNet5Config, LeNet5Modern

EVERYTHING = tuple(tuple(range(6)) for _ in range(16))


def rebuilt() -> nn.Module:
    """A paper's network whose C3 is replaced by a plain convolution."""
    net = LeNet5()
    net.C3 = nn.Conv2d(6, 16, 5)
    return net


def one_map_missing() -> nn.Module:
    table = (*EVERYTHING[:-1], (0, 1, 2, 3, 4))
    return LeNet5(config=LeNet5Config(c3_table=table))


def in_two_steps(scores, labels, j):
    """Written out by hand, the largest term taken out."""
    none = torch.full_like(scores[:, :1], -j)
    every = torch.cat([none, scores], dim=1)
    top = every.max(dim=1, keepdim=True).values
    penalty = top[:, 0] + (every - top).exp().sum(dim=1).log()
    return (penalty - scores[range(len(labels)), labels]).mean()


def as_cross_entropy(scores, labels, j):
    return F.cross_entropy(F.pad(scores, (0, 1), value=-j), labels)


def naive(scores, labels, j):
    right = -scores[range(len(labels)), labels]
    return (right + torch.log(torch.exp(torch.tensor(-j)) + scores.exp().sum(dim=1))).mean()


def without_none(scores, labels, j):
    return F.cross_entropy(scores, labels)


def wrong_sign(scores, labels, j):
    return as_cross_entropy(-scores, labels, j)


def summed(scores, labels, j):
    return as_cross_entropy(scores, labels, j) * len(labels)


def each(scores, labels, j):
    return F.cross_entropy(F.pad(scores, (0, 1), value=-j), labels, reduction="none")


def no_scores():
    """As many weights as asked for, and no classifier."""
    return nn.Conv2d(1, 2436, 5, bias=False)


def blind():
    model = LeNet5(config=LeNet5Config(c3_table=EVERYTHING))
    with torch.no_grad():
        for parameter in model.C3.parameters():
            parameter.zero_()
    return model


RIGHT = {
    "lenet5-1": (lambda: LeNet5(config=LeNet5Config(c3_table=EVERYTHING)), rebuilt),
    "lenet5-2": (lambda: 16, lambda: (16, 16)),
    "lenet5-3": (lambda: as_cross_entropy, lambda: in_two_steps),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "lenet5-1": (
        (LeNet5, "still follows Table I"),
        (LeNet5Modern, "Count again"),
        (one_map_missing, "Count again"),
        (lambda: EVERYTHING, "asks for a network"),
        (lambda: nn.Conv2d(6, 16, 5), "Count again"),
        (no_scores, "not (2, 10) scores"),
        (blind, "still does not see"),
    ),
    "lenet5-2": (
        (lambda: 14, "every later field"),
        (lambda: 18, "counted once"),
        (lambda: 256, "the side"),
        (lambda: 7, "from layer to layer"),
        (lambda: "16 pixels", "a number"),
    ),
    "lenet5-3": (
        (lambda: naive, "minus infinity"),
        (lambda: without_none, "where 15"),
        (lambda: wrong_sign, "where 15"),
        (lambda: summed, "the sum"),
        (lambda: each, "mean over the digits"),
        (lambda: lambda scores, labels, j: 0.5, "Return a tensor"),
    ),
}
