"""Answers to the GoogLeNet chapter's exercises: two right ones each, five plausible wrong ones."""

import torch
from torch import nn
from torch.nn import functional as F


class Module(nn.Module):
    """The answer of the page, with knobs for what can go wrong."""

    def __init__(
        self, inputs, width, *, kernel=5, relu=True, reduce=True, project=True, order=(0, 1, 2, 3)
    ):
        super().__init__()

        def layer(a, b, k):
            return nn.Sequential(nn.Conv2d(a, b, k, padding=k // 2), *[nn.ReLU()] * relu)

        def pair(squeeze, out, k):
            if not reduce:
                return layer(inputs, out, k)
            return nn.Sequential(layer(inputs, squeeze, 1), layer(squeeze, out, k))

        pool = [nn.MaxPool2d(3, 1, 1)]
        pool += [layer(inputs, width.pool_projection, 1)] * project
        self.branches = nn.ModuleList(
            [
                layer(inputs, width.branch_1x1, 1),
                pair(width.reduce_3x3, width.branch_3x3, 3),
                pair(width.reduce_5x5, width.branch_5x5, kernel),
                nn.Sequential(*pool),
            ]
        )
        self.order = order

    def forward(self, x):
        return torch.cat([self.branches[i](x) for i in self.order], dim=1)


class InOneLine(nn.Module):
    """Another right answer: lazy layers for the first convolutions, functions for the rest."""

    def __init__(self, inputs, width):
        super().__init__()
        w = width
        self.first = nn.Conv2d(inputs, w.branch_1x1 + w.reduce_3x3 + w.reduce_5x5, 1)
        self.three = nn.Conv2d(w.reduce_3x3, w.branch_3x3, 3, padding="same")
        self.five = nn.Conv2d(w.reduce_5x5, w.branch_5x5, 5, padding="same")
        self.pool = nn.Conv2d(inputs, w.pool_projection, 1)
        self.parts = (w.branch_1x1, w.reduce_3x3, w.reduce_5x5)

    def forward(self, x):
        one, three, five = F.relu(self.first(x)).split(self.parts, dim=1)
        rest = (self.three(three), self.five(five), self.pool(F.max_pool2d(x, 3, 1, 1)))
        return torch.cat((one, *(F.relu(y) for y in rest)), dim=1)


def shrinking(inputs, width):
    net = Module(inputs, width)
    net.branches[3][0] = nn.MaxPool2d(2, 2)
    return net


def copied(conv):
    linear = nn.Linear(conv.in_channels, conv.out_channels, bias=conv.bias is not None)
    linear.weight.data = conv.weight.data.flatten(1)
    if conv.bias is not None:
        linear.bias.data = conv.bias.data
    return linear


def by_state(conv):
    linear = nn.Linear(conv.in_channels, conv.out_channels, bias=conv.bias is not None)
    state = conv.state_dict()
    state["weight"] = state["weight"].squeeze(-1).squeeze(-1)
    linear.load_state_dict(state)
    return linear


def fresh(conv):
    return nn.Linear(conv.in_channels, conv.out_channels)


def forgets_the_bias(conv):
    linear = nn.Linear(conv.in_channels, conv.out_channels, bias=False)
    linear.weight.data = conv.weight.data.flatten(1)
    return linear


def transposed(conv):
    linear = nn.Linear(conv.out_channels, conv.in_channels)
    linear.weight.data = conv.weight.data.flatten(1).T
    return linear


def reshaped(conv):
    """The right shape, but rows and columns mixed."""
    linear = copied(conv)
    weight = conv.weight.data
    linear.weight.data = weight.permute(1, 0, 2, 3).reshape(weight.shape[:2])
    return linear


def nearly(conv):
    linear = copied(conv)
    linear.weight.data = 0.98 * linear.weight.data
    return linear


def summed(outputs, labels):
    main, *others = (F.cross_entropy(scores, labels) for scores in outputs)
    return main + 0.3 * sum(others)


def written_out(outputs, labels):
    logits, first, second = outputs
    rows = torch.arange(len(labels))
    total = -logits.log_softmax(1)[rows, labels].mean()
    for scores in (first, second):
        total = total - 0.3 * scores.log_softmax(1)[rows, labels].mean()
    return total


RIGHT = {
    "googlenet-1": (lambda: Module, lambda: InOneLine),
    "googlenet-2": (lambda: copied, lambda: by_state),
    "googlenet-3": (lambda: 154, lambda: 154.0),
    "googlenet-4": (lambda: summed, lambda: written_out),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "googlenet-1": (
        (lambda: lambda i, w: Module(i, w, reduce=False), "stand behind a reduction"),
        (lambda: lambda i, w: Module(i, w, kernel=3), "torchvision"),
        (lambda: lambda i, w: Module(i, w, project=False), "What does each branch give"),
        (lambda: lambda i, w: Module(i, w, order=(0, 2, 1, 3)), "order"),
        (lambda: lambda i, w: Module(i, w, relu=False), "negative"),
        (lambda: shrinking, "stopped with"),
        (lambda: lambda i, w: w, "no network"),
        (lambda: lambda i, w: nn.Conv2d(i, w.outputs, 3), "must stay one"),
        (
            lambda: lambda i, w: nn.Sequential(nn.Conv2d(i, w.outputs, 3, padding=1), nn.ReLU()),
            "should look",
        ),
    ),
    "googlenet-2": (
        (lambda: lambda conv: conv, "nn.Linear"),
        (lambda: fresh, "weights"),
        (lambda: forgets_the_bias, "bias"),
        (lambda: transposed, "in_features"),
        (lambda: reshaped, "weights"),
        (lambda: nearly, "how its weights are laid"),
    ),
    "googlenet-3": (
        (lambda: 155, "dearer"),
        (lambda: 16, "could be wider"),
        (lambda: 192, "dearer"),
        (lambda: 800, "dearer"),
        (lambda: "154 channels", "a number"),
        (lambda: 154.5, "whole numbers"),
    ),
    "googlenet-4": (
        (lambda: lambda o, y: F.cross_entropy(o[0], y), "leaves the auxiliary"),
        (lambda: lambda o, y: sum(F.cross_entropy(s, y) for s in o), "the paper discounts them"),
        (lambda: lambda o, y: summed(o, y) / 1.6, "average"),
        (lambda: lambda o, y: summed(o, y) / 3, "average"),
        (lambda: lambda o, y: F.cross_entropy(o[0], y) + 0.3 * F.cross_entropy(o[1], y), "one of"),
        (lambda: lambda o, y: F.cross_entropy(sum(o), y), "is right"),
        (lambda: lambda o, y: summed([s.softmax(1) for s in o], y), "is right"),
        (lambda: lambda o, y: 2.3, "one number as a tensor"),
    ),
}
