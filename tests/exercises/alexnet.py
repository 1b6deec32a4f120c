"""Answers to the AlexNet chapter's exercises: two right ones each, five plausible wrong ones."""

import torch
from torch import nn
from torch.nn import functional as F


class TwoGpus(nn.Module):
    """The second layer as the paper ran it: one half on each card."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = (nn.Conv2d(48, 128, 5, padding=2) for _ in range(2))

    def forward(self, maps):
        return torch.cat([self.one(maps[:, :48]), self.two(maps[:, 48:])], dim=1)


class Crossed(TwoGpus):
    def forward(self, maps):
        return torch.cat([self.one(maps[:, :48]), self.two(maps[:, :48])], dim=1)


class Pair(TwoGpus):
    def forward(self, maps):
        return self.one(maps[:, :48]), self.two(maps[:, 48:])


def lrn(maps):
    squares = F.pad(maps**2, (0, 0, 0, 0, 2, 2))
    total = sum(squares[:, i : i + maps.shape[1]] for i in range(5))
    return maps / (2 + 1e-4 * total) ** 0.75


def lrn_builtin(maps):
    return F.local_response_norm(maps, 5, alpha=5e-4, beta=0.75, k=2.0)


def lrn_trap(maps):
    return F.local_response_norm(maps, 5, alpha=1e-4, beta=0.75, k=2.0)


def lrn_in_space(maps):
    total = 25 * F.avg_pool2d(maps**2, 5, stride=1, padding=2)
    return maps / (2 + 1e-4 * total) ** 0.75


def lrn_k(maps):
    return F.local_response_norm(maps, 5, alpha=5e-4, beta=0.75, k=1.0)


def lrn_all(maps):
    return maps / (2 + 1e-4 * (maps**2).sum(dim=1, keepdim=True)) ** 0.75


def lrn_cut(maps):
    return lrn(maps)[:, 2:-2]


def dropout(x, p, training):
    if not training:
        return x
    return x * (torch.rand_like(x) >= p) / (1 - p)


def unscaled(x, p, training):
    return x * (torch.rand_like(x) >= p) if training else x


def always(x, p, training):
    return F.dropout(x, p, training=True)


def papers(x, p, training):
    return x * (torch.rand_like(x) >= p) if training else x * (1 - p)


def same_for_all(x, p, training):
    return x * (torch.rand_like(x[:1]) >= p) / (1 - p) if training else x


def whole_images(x, p, training):
    return x * (torch.rand_like(x[:, :1]) >= p) / (1 - p) if training else x


RIGHT = {
    "alexnet-1": (lambda: nn.Conv2d(96, 256, 5, padding=2, groups=2), TwoGpus),
    "alexnet-2": (lambda: lrn, lambda: lrn_builtin),
    "alexnet-3": (lambda: 2178, lambda: 33 * 33 * 2.0),
    "alexnet-4": (lambda: dropout, lambda: lambda x, p, training: F.dropout(x, p, training)),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "alexnet-1": (
        (lambda: nn.Conv2d(96, 256, 5, padding=2), "sees all 96"),
        (lambda: nn.Conv2d(96, 256, 5, padding=2, groups=4), "weights"),
        (lambda: nn.Conv2d(96, 256, 5, groups=2), "27 × 27"),
        (Crossed, "other half"),
        (Pair, "one tensor"),
        (lambda: nn.Conv2d(48, 128, 5, padding=2), "96 maps"),
    ),
    "alexnet-2": (
        (lambda: lrn_trap, "divides"),
        (lambda: lrn_in_space, "neighbouring maps"),
        (lambda: lrn_k, "very small activities"),
        (lambda: lrn_all, "five"),
        (lambda: lrn_cut, "same shape"),
    ),
    "alexnet-3": (
        (lambda: 2048, "Count the positions again"),
        (lambda: 1089, "Those are the crops"),
        (lambda: 1024, "Count the positions again"),
        (lambda: 66, "both directions"),
        (lambda: 32, "both directions"),
        (lambda: 64, "both directions"),
        (lambda: 33, "both directions"),
        (lambda: 1025, "Positions across"),
        (lambda: "2,178", "a number"),
        (lambda: 5000, "Positions across"),
    ),
    "alexnet-4": (
        (lambda: unscaled, "mean"),
        (lambda: always, "nothing more and nothing less"),
        (lambda: papers, "nothing more and nothing less"),
        (lambda: same_for_all, "each image"),
        (lambda: whole_images, "unit by unit"),
        (lambda: lambda x, p, training: x[:1] if training else x, "It gives"),
        (lambda: lambda x, p, training: torch.cat((x, x)) if training else x, "It gives"),
        (lambda: lambda x, p, training: F.dropout(x, 1 - p, training), "it drops"),
    ),
}
