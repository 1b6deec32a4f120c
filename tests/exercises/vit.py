"""Answers to the ViT chapter's exercises: two right ones each, five plausible wrong ones."""

import torch
from torch.nn import functional as F


def unfolded(images, side):
    return F.unfold(images, side, stride=side).transpose(1, 2)


def viewed(images, side):
    n, c, h, w = images.shape
    x = images.view(n, c, h // side, side, w // side, side)
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def not_transposed(images, side):
    return F.unfold(images, side, stride=side)


def just_reshaped(images, side):
    return images.reshape(len(images), -1, 3 * side * side)


def channels_last(images, side):
    n, c, h, w = images.shape
    x = images.view(n, c, h // side, side, w // side, side)
    return x.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def columns_first(images, side):
    n, c, h, w = images.shape
    x = images.view(n, c, h // side, side, w // side, side)
    return x.permute(0, 4, 2, 1, 3, 5).flatten(3).flatten(1, 2)


def overlapping(images, side):
    return F.unfold(images, side, stride=side // 2).transpose(1, 2)


def by_matmul(q, k, v):
    return ((q @ k.transpose(-2, -1)) / q.shape[-1] ** 0.5).softmax(dim=-1) @ v


def by_hand(q, k, v):
    scores = torch.einsum("bhid,bhjd->bhij", q * q.shape[-1] ** -0.5, k)
    scores = (scores - scores.max(dim=-1, keepdim=True).values).exp()
    return torch.einsum("bhij,bhjd->bhid", scores / scores.sum(dim=-1, keepdim=True), v)


def unscaled(q, k, v):
    return (q @ k.transpose(-2, -1)).softmax(dim=-1) @ v


def by_dim(q, k, v):
    return (q @ k.transpose(-2, -1) / q.shape[-1]).softmax(dim=-1) @ v


def over_queries(q, k, v):
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-2) @ v


def only_weights(q, k, v):
    return (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)


def overflowing(q, k, v):
    e = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).exp()
    return e / e.sum(dim=-1, keepdim=True) @ v


def bicubic(position, side):
    first, rest = position[:, :1], position[:, 1:]
    old = int(rest.shape[1] ** 0.5)
    grid = rest.transpose(1, 2).unflatten(2, (old, old))
    grid = F.interpolate(grid, (side, side), mode="bicubic", align_corners=False)
    return torch.cat((first, grid.flatten(2).transpose(1, 2)), dim=1)


def bilinear(position, side):
    old = round((position.shape[1] - 1) ** 0.5)
    grid = position[0, 1:].view(old, old, -1).permute(2, 0, 1)[None]
    grid = F.interpolate(grid, size=side, mode="bilinear", align_corners=True)
    new = grid[0].permute(1, 2, 0).reshape(1, side * side, -1)
    return torch.cat([position[:, 0:1], new], 1)


def as_a_line(position, side):
    first, rest = position[:, :1], position[:, 1:]
    rest = F.interpolate(rest.transpose(1, 2), side * side, mode="linear").transpose(1, 2)
    return torch.cat((first, rest), dim=1)


def class_token_too(position, side):
    new = F.interpolate(position.transpose(1, 2), side * side + 1, mode="linear")
    return new.transpose(1, 2)


def without_class_token(position, side):
    return bicubic(position, side)[:, 1:]


def padded(position, side):
    return F.pad(position, (0, 0, 0, max(0, side * side + 1 - position.shape[1])))[
        :, : side * side + 1
    ]


def turned(position, side):
    new = bicubic(position, side)
    grid = new[:, 1:].unflatten(1, (side, side)).transpose(1, 2).flatten(1, 2)
    return torch.cat((new[:, :1], grid), dim=1)


def twice(images, side):
    patches = unfolded(images, side)
    return torch.cat((patches, patches), dim=2)


def evenly(q, k, v):
    return v.mean(dim=-2, keepdim=True).expand_as(v)


def moved(position, side):
    found = bicubic(position, side)
    found[:, 0] += 1
    return found


def never_the_same(position, side):
    return bicubic(position, side) + 0.1 * (side == 6)


def swapped(axis):
    """Two neighbouring rows or columns of the new grid change places."""

    def resize(position, side):
        found = bicubic(position, side)
        grid = found[:, 1:].view(1, side, side, -1)
        order = [0, 1, 2, 4, 3, *range(5, side)]
        grid = grid.index_select(axis, torch.tensor(order)).flatten(1, 2)
        return torch.cat((found[:, :1], grid), dim=1)

    return resize


RIGHT = {
    "vit-1": (lambda: unfolded, lambda: viewed),
    "vit-2": (lambda: by_matmul, lambda: by_hand),
    "vit-3": (lambda: (785 / 197) ** 2, lambda: 15.9),
    "vit-4": (lambda: bicubic, lambda: bilinear),
}
# What a reader may well try, and a word of what they are told.
WRONG = {
    "vit-1": (
        (lambda: not_transposed, "row of the result"),
        (lambda: just_reshaped, "pixels of several patches"),
        (lambda: channels_last, "order inside"),
        (lambda: columns_first, "order of the patches"),
        (lambda: overlapping, "do not overlap"),
        (lambda: 196, "asks for a function"),
        (lambda: lambda images, side: images.tolist(), "Return a tensor"),
        (lambda: twice, "more numbers"),
        (lambda: lambda images, side: images.new_zeros(999, 2), "row of the result"),
    ),
    "vit-2": (
        (lambda: unscaled, "too sharp"),
        (lambda: by_dim, "too flat"),
        (lambda: over_queries, "add up to 1"),
        (lambda: only_weights, "has the shape"),
        (lambda: overflowing, "For large ones"),
        (lambda: 8, "asks for a function"),
        (lambda: evenly, "numbers are others"),
    ),
    "vit-3": (
        (lambda: 2, "side"),
        (lambda: 4, "linear"),
        (lambda: 16, "196"),
        (lambda: 785 / 197, "linear"),
        (lambda: "15.9 times", "a number"),
        (lambda: 64, "Count the tokens"),
    ),
    "vit-4": (
        (lambda: as_a_line, "neighbours"),
        (lambda: class_token_too, "neighbours"),
        (lambda: without_class_token, "shape"),
        (lambda: padded, "neighbours"),
        (lambda: turned, "exchanged"),
        (lambda: swapped(1), "neighbours"),
        (lambda: swapped(2), "neighbours"),
        (lambda: 24, "asks for a function"),
        (lambda: moved, "has changed"),
        (lambda: never_the_same, "must stay as they are"),
    ),
}
