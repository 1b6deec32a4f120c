"""Answers to the VGG chapter's exercises: two right ones each, five plausible wrong ones."""

import torch
from torch import nn


def stack(kernel: int, channels: int) -> nn.Module:
    layers: list[nn.Module] = []
    for _ in range((kernel - 1) // 2):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


class Stack(nn.Module):
    """The same, grown by recursion, with leaky units and no bias."""

    def __init__(self, kernel: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding="same", bias=False)
        self.rest = Stack(kernel - 2, channels) if kernel > 3 else nn.Identity()

    def forward(self, x):
        return self.rest(torch.nn.functional.leaky_relu(self.conv(x), 0.1))


def unpadded(kernel, channels):
    return nn.Sequential(
        *(
            part
            for _ in range((kernel - 1) // 2)
            for part in (nn.Conv2d(channels, channels, 3), nn.ReLU())
        )
    )


def third(kernel, channels):
    return stack(2 * max(1, kernel // 3) + 1, channels)


def linear(kernel, channels):
    return nn.Sequential(
        *(nn.Conv2d(channels, channels, 3, padding=1) for _ in range((kernel - 1) // 2)), nn.ReLU()
    )


def one(kernel, channels):
    return nn.Sequential(nn.Conv2d(channels, channels, kernel, padding=kernel // 2), nn.ReLU())


def narrowing(kernel, channels):
    convs = stack(kernel, channels)
    convs.append(nn.Conv2d(channels, 1, 1))
    return convs


def by_impulse(first, second):
    """Each input channel's answer to one lit pixel, turned round, is the kernel."""
    inputs = first.in_channels
    side = first.kernel_size[0] + second.kernel_size[0] - 1
    folded = nn.Conv2d(inputs, second.out_channels, side)
    with torch.no_grad():
        image = torch.zeros(inputs, inputs, 2 * side - 1, 2 * side - 1)
        image[range(inputs), range(inputs), side - 1, side - 1] = 1
        dark = second(first(torch.zeros(1, inputs, 2 * side - 1, 2 * side - 1)))
        answer = second(first(image)) - dark
        folded.weight.copy_(answer.flip(2, 3).transpose(0, 1))
        folded.bias.copy_(dark[0, :, 0, 0])
    return folded


def by_sums(first, second):
    """Written out: every pair of places adds its product where the two shifts meet."""
    a, b = first.weight.detach(), second.weight.detach()
    n, m = a.shape[-1], b.shape[-1]
    weight = torch.zeros(b.shape[0], a.shape[1], n + m - 1, n + m - 1)
    for i in range(m):
        for j in range(m):
            weight[:, :, i : i + n, j : j + n] += torch.einsum("om,mchw->ochw", b[:, :, i, j], a)
    folded = nn.Conv2d(a.shape[1], b.shape[0], n + m - 1)
    folded.weight = nn.Parameter(weight)
    folded.bias = nn.Parameter(second.bias.detach() + b.sum((2, 3)) @ first.bias.detach())
    return folded


def _changed(change):
    def fold(first, second):
        folded = by_sums(first, second)
        with torch.no_grad():
            change(folded, first, second)
        return folded

    return fold


def no_fold(first, second):
    return nn.Sequential(first, second)


def sum_of_biases(folded, first, second):
    folded.bias.copy_(second.bias + first.bias.sum())


def only_second_bias(folded, first, second):
    folded.bias.copy_(second.bias)


def turned(folded, first, second):
    folded.weight.copy_(folded.weight.flip(2, 3))


def three_wide(first, second):
    folded = nn.Conv2d(first.in_channels, second.out_channels, 3)
    folded.weight = nn.Parameter(
        torch.einsum("omhw,mchw->ochw", second.weight.detach(), first.weight.detach())
    )
    return folded


RIGHT = {
    "vgg-1": (lambda: stack, lambda: Stack),
    "vgg-2": (lambda: 54 / 50, lambda: "1.08"),
    "vgg-3": (lambda: by_impulse, lambda: by_sums),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "vgg-1": (
        (lambda: unpadded, "smaller than"),
        (lambda: third, "a unit of yours sees 3×3"),
        (lambda: linear, "linear"),
        (lambda: one, "kernel of 5"),
        (lambda: narrowing, "channels back"),
        (lambda: stack(7, 16), "function"),
        (lambda: lambda kernel, channels: kernel, "no network"),
    ),
    "vgg-2": (
        (lambda: 18 / 25, "as many"),
        (lambda: 25 / 18, "as many"),
        (lambda: 50 / 54, "turn it"),
        (lambda: 36 / 25, "first of the two"),
        (lambda: -36 / 25, "Write down"),
        (lambda: 1.05, "Write down"),
        (lambda: 1.1, "Write down"),
        (lambda: 54, "ratio"),
        (lambda: 0.5, "Write down"),
    ),
    "vgg-3": (
        (lambda: no_fold, "one convolution"),
        (lambda: _changed(sum_of_biases), "the bias is not"),
        (lambda: _changed(only_second_bias), "the bias is not"),
        (lambda: _changed(turned), "turned"),
        (lambda: three_wide, "5 × 5"),
        (
            lambda: _changed(lambda folded, first, second: folded.weight.mul_(2)),
            "look at the kernel",
        ),
        (lambda: _changed(lambda folded, first, second: folded.weight.zero_()), "at the kernel"),
        (lambda: lambda first, second: nn.Conv2d(2, 3, 5, padding=2), "where the pair gives"),
    ),
}
