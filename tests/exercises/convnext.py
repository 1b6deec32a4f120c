"""Answers to the ConvNeXt chapter's exercises: two right ones each, five plausible wrong ones."""

from dataclasses import replace

import torch
from torch.nn import functional as F

from lineage_lab.models.convnext_steps import ROAD, Step


def by_permuting(x):
    return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], eps=1e-6).permute(0, 3, 1, 2)


def by_hand(x):
    centred = x - x.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-6).sqrt()


def over_everything(x):
    return F.layer_norm(x, x.shape[1:])


def as_batch_norm(x):
    return F.batch_norm(x, None, None, training=True)


def as_instance_norm(x):
    return F.instance_norm(x)


def unsafe(x):
    return (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, unbiased=False)


def unbiased(x):
    return (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-6).sqrt()


def channels_last(x):
    return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2])


def with_rand(x, p):
    kept = (torch.rand(len(x)) >= p).float().view(-1, *[1] * (x.dim() - 1))
    return x * kept / (1 - p)


def with_bernoulli(x, p):
    images = torch.full((x.shape[0],), 1 - p).bernoulli()
    return torch.einsum("b,b...->b...", images / (1 - p), x)


def as_dropout(x, p):
    return F.dropout(x, p)


def unscaled(x, p):
    return x * (torch.rand(len(x)) >= p).float().view(-1, 1, 1, 1)


def one_draw(x, p):
    return x / (1 - p) if torch.rand(()) >= p else torch.zeros_like(x)


def the_other_way(x, p):
    return x * (torch.rand(len(x)) < p).float().view(-1, 1, 1, 1) / p


def by_channel(x, p):
    return F.dropout2d(x, p)


def without_centring(maps):
    return maps / maps.square().mean(dim=1, keepdim=True).sqrt()


RIGHT = {
    "convnext-1": (lambda: 52, lambda: (52, 52)),
    "convnext-2": (lambda: by_permuting, lambda: by_hand),
    "convnext-3": (lambda: with_rand, lambda: with_bernoulli),
    "convnext-4": (lambda: Step(kernel=7), lambda: replace(ROAD["resnet50"], kernel=7)),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "convnext-1": (
        (lambda: 76, "7×7"),
        (lambda: 28, "3×3"),
        (lambda: 16, "four pixels apart"),
        (lambda: 2704, "the side"),
        (lambda: "52 pixels", "a number"),
        (lambda: 48, "What does a unit of the stem see"),
        (lambda: 51, "from layer to layer"),
    ),
    "convnext-2": (
        (lambda: over_everything, "other pixels"),
        (lambda: as_batch_norm, "other images"),
        (lambda: as_instance_norm, "other pixels"),
        (lambda: unsafe, "no number"),
        (lambda: unbiased, "variance"),
        (lambda: channels_last, "shape"),
        (lambda: lambda maps: maps.tolist(), "Return a tensor"),
        (lambda: without_centring, "mean over a pixel"),
    ),
    "convnext-3": (
        (lambda: as_dropout, "part of an image"),
        (lambda: unscaled, "mean"),
        (lambda: one_draw, "same fate"),
        (lambda: the_other_way, "probability"),
        (lambda: by_channel, "part of an image"),
        (lambda: lambda x, p: x.mean(), "shape that came in"),
    ),
    "convnext-4": (
        (lambda: ROAD["kernel_7"], "depthwise"),
        (lambda: Step(kernel=5), "not 7 × 7"),
        (lambda: replace(ROAD["resnet50"], kernel=9), "The kernel is 9 × 9"),
        (lambda: replace(ROAD["stage_ratio"], kernel=7), "blocks"),
        (lambda: Step(kernel=7, depthwise=True), "depthwise"),
        (lambda: {"kernel": 7}, "a Step"),
    ),
}
