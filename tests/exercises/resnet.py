"""Answers to the ResNet chapter's exercises: right ones written differently, plausible wrong."""

import torch
from torch import nn

from lineage_lab.models.resnet import (
    IMAGENET,
    BasicBlock,
    ResNet,
    ResNetConfig,
    option_b,
    plain,
)

FORM = ResNetConfig(bottleneck=False, blocks=(1,))


class Branch(nn.Module):
    """Two convolutions; the input added, and a ReLU, as asked."""

    def __init__(self, channels, *, add=True, last_relu=True):
        super().__init__()
        self.one = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.two = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.last = nn.BatchNorm2d(channels)
        self.add, self.last_relu = add, last_relu

    def forward(self, x):
        y = self.last(self.two(self.norm(self.one(x)).relu()))
        y = x + y if self.add else y
        return y.relu() if self.last_relu else y


def quiet_block(channels):
    block = BasicBlock(channels, channels, stride=1, config=FORM)
    nn.init.zeros_(block.second[1].weight)
    return block


def quiet_kernel(channels):
    """The kernel of the last convolution is zero, and no norm follows it."""
    block = Branch(channels)
    block.last = nn.Identity()
    nn.init.zeros_(block.two.weight)
    return block


def fresh_block(channels):
    return BasicBlock(channels, channels, stride=1, config=FORM)


def dead_block(channels):
    block = Branch(channels)
    for p in block.parameters():
        nn.init.zeros_(p)
    return block


def dirac_block(channels):
    """Plain: it copies its input at the start, by kernels with a one in the middle."""
    block = Branch(channels, add=False)
    block.norm = block.last = nn.Identity()
    nn.init.dirac_(block.one.weight)
    nn.init.dirac_(block.two.weight)
    return block


def nothing(channels):
    return nn.Identity()


def narrow_block(channels):
    return nn.Conv2d(channels, channels, 3)


class PreActivation(nn.Module):
    """Norm, ReLU, convolution, twice; each part can be spoiled."""

    def __init__(self, channels, *, relu_after=False, norm_first=True, add=True, relu=True):
        super().__init__()
        self.one, self.two = (nn.BatchNorm2d(channels) for _ in range(2))
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.relu_after, self.norm_first, self.add = relu_after, norm_first, add
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x):
        if self.norm_first:
            y = self.first(self.relu(self.one(x)))
            y = self.second(self.relu(self.two(y)))
        else:
            y = self.two(self.second(self.relu(self.one(self.first(x)))))
        y = x + y if self.add else y
        return y.relu() if self.relu_after else y


def in_a_row(channels):
    """As a sequence in a sum."""

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.branch = nn.Sequential(
                *(
                    layer
                    for _ in range(2)
                    for layer in (
                        nn.BatchNorm2d(channels),
                        nn.ReLU(),
                        nn.Conv2d(channels, channels, 3, padding="same", bias=False),
                    )
                )
            )

        def forward(self, x):
            return x.add(self.branch(x))

    return Sum()


def forwards(model, stage, index):
    """A function, not a module."""

    def network(images):
        x = model.stem(images)
        for s, blocks in enumerate(model.stages):
            for i, block in enumerate(blocks):
                if (s, i) != (stage, index):
                    x = block(x)
        return model.head(model.pool(x).flatten(1))

    return network


def copied(model, stage, index):
    from copy import deepcopy

    model = deepcopy(model)
    model.stages[stage][index] = nn.Identity()
    return model


def in_place(model, stage, index):
    model.stages[stage][index] = nn.Identity()
    return model


def untouched(model, stage, index):
    return model


def other_block(model, stage, index):
    return copied(model, stage, index - 1)


def no_shortcut(model, stage, index):
    """Takes the shortcut away, not the block."""
    from copy import deepcopy

    model = deepcopy(model)
    model.stages[stage][index].shortcut = plain(FORM).shortcut(0, 0, 1)
    return model


def whole_stage(model, stage, index):
    return copied_stage(model, stage)


def copied_stage(model, stage):
    from copy import deepcopy

    model = deepcopy(model)
    del model.stages[stage][1:]
    return model


def last_of(model, stage, index):
    return copied(model, stage, len(model.stages[stage]) - 1)


def count_projections():
    blocks = (b for stage in ResNet(config=IMAGENET[50]).stages for b in stage)
    return sum(not isinstance(b.shortcut, nn.Identity) for b in blocks)


class WithAnOffset(nn.Module):
    """A norm at the end of the branch, whose offset is not zero."""

    def __init__(self, channels):
        super().__init__()
        self.first, self.last = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.ones_(self.last.bias)

    def forward(self, x):
        return x + self.last(self.conv(torch.relu(self.first(x))))


RIGHT = {
    "resnet-1": (lambda: quiet_block, lambda: quiet_kernel),
    "resnet-2": (lambda: 4, count_projections),
    "resnet-3": (lambda: PreActivation, lambda: in_a_row),
    "resnet-4": (lambda: forwards, lambda: copied),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "resnet-1": (
        (lambda: fresh_block, "changes its input"),
        (lambda: dead_block, "no gradient"),
        (lambda: dirac_block, "nothing else carries"),
        (lambda: nothing, "nothing to learn"),
        (lambda: narrow_block, "the same shape"),
        (
            lambda: lambda channels: nn.Conv2d(channels, 2 * channels, 3, padding=1),
            "the same shape",
        ),
        (lambda: quiet_block(8), "a function"),
        (lambda: lambda channels: channels, "not a module"),
    ),
    "resnet-2": (
        (lambda: 3, "channels"),
        (lambda: 16, "every block"),
        (lambda: 12, "the others"),
        (lambda: 0, "1×1"),
        (lambda: 5, "per stage"),
        (lambda: "four", "a number"),
    ),
    "resnet-3": (
        (lambda: lambda c: PreActivation(c, relu_after=True), "below zero"),
        (lambda: lambda c: PreActivation(c, norm_first=False), "before the first convolution"),
        (lambda: lambda c: PreActivation(c, add=False), "is lost"),
        (lambda: lambda c: PreActivation(c, relu=False), "no ReLU"),
        (lambda: fresh_block, "below zero"),
        (lambda: lambda c: option_b(c, c, 1), "no convolution"),
        (lambda: WithAnOffset, "must give its input"),
    ),
    "resnet-4": (
        (lambda: in_place, "changed the network"),
        (lambda: untouched, "still there"),
        (lambda: other_block, "another"),
        (lambda: no_shortcut, "another"),
        (lambda: whole_stage, "another"),
        (lambda: last_of, "another"),
    ),
}
