"""The exercises of the ViT chapter."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lineage_lab.exercises import Wrong, function, number

__all__ = ["CHECKS"]


def _shape(result: Any, wanted: tuple[int, ...], hint: str) -> Tensor:
    if not isinstance(result, Tensor):
        raise Wrong(f"Return a tensor; this is of the type {type(result).__name__}.")
    if tuple(result.shape) != wanted:
        raise Wrong(f"The result has the shape {tuple(result.shape)}, not {wanted}: {hint}")
    return result


def patches(answer: Any) -> str:
    """Cut pictures into patches, in the order of a convolution's weights."""
    cut = function(answer)
    images = torch.arange(2 * 3 * 8 * 12, dtype=torch.float32).view(2, 3, 8, 12)
    right = F.unfold(images, 4, stride=4).transpose(1, 2)
    result = cut(images.clone(), 4)
    if isinstance(result, Tensor) and result.dim() == 3 and result.numel() > right.numel():
        raise Wrong("That gives more numbers than the pictures have: patches do not overlap.")
    result = _shape(result, (2, 6, 48), "each row of the result is one patch.")
    if torch.equal(result, right):
        return "Six patches of 48 numbers, row by row: patchify's weights fit them as they are."
    sets = [{frozenset(row) for row in part.tolist()} for part in (result[0], right[0])]
    if sets[0] != sets[1]:
        raise Wrong(
            "A row holds the pixels of several patches. A patch is a square: its pixels lie in "
            "several lines of the picture."
        )
    if frozenset(result[0, 1].tolist()) != frozenset(right[0, 1].tolist()):
        raise Wrong(
            "Each row is a patch, but the order of the patches is another: the second is the one "
            "to the right of the first."
        )
    raise Wrong(
        "Each row is the right patch, but the order inside is not that of a convolution's weights: "
        "first the channel, then the line, then the column."
    )


def attention(answer: Any) -> str:
    """Attention of one or more heads, without PyTorch's own function."""
    attend = function(answer)
    generator = torch.Generator().manual_seed(12)
    q, k, v = (torch.randn(2, 3, 5, 16, generator=generator) for _ in range(3))
    right = F.scaled_dot_product_attention(q, k, v)
    result = _shape(attend(q, k, v), tuple(right.shape), "each query gets one vector, as v's are.")
    if not torch.allclose(result, right, atol=1e-4):
        scores = q @ k.transpose(-2, -1)
        ones = attend(q, k, torch.ones_like(v))
        if not torch.allclose(ones, torch.ones_like(ones), atol=1e-3):
            raise Wrong(
                "With values that are all 1, each query should gather 1: its weights add up to 1. "
                "Yours do not. Over which axis is your softmax?"
            )
        if torch.allclose(result, scores.softmax(dim=-1) @ v, atol=1e-4):
            raise Wrong(
                "The weights are too sharp: products of long vectors are large. What does the "
                "formula divide them by?"
            )
        if torch.allclose(result, (scores / 16).softmax(dim=-1) @ v, atol=1e-4):
            raise Wrong("The weights are too flat: you divide by more than the formula does.")
        raise Wrong("The shape is right and the weights add up to 1, but the numbers are others.")
    far = attend(1000 * q, k, v)
    if not torch.isfinite(far).all():
        raise Wrong(
            "It is right for small scores. For large ones an exponential is infinite, and the "
            "result is no number: what may be taken from all scores of a row and changes nothing?"
        )
    return "It agrees with PyTorch's, for large scores too."


def growth(answer: Any) -> str:
    """How attention's own products grow from 224 to 448 pixels."""
    number(answer)
    right = (785 / 197) ** 2
    if abs(answer - right) < 0.05:
        return f"(785 / 197)² = {right:.2f}: each token is compared with each, the class token too."
    if abs(answer - 2) < 0.05:
        raise Wrong("That is how the side grows. How many tokens are there before and after?")
    if abs(answer - 4) < 0.05:
        raise Wrong("So the linear layers grow, which take one token at a time.")
    if abs(answer - 16) < 0.01:
        raise Wrong("Nearly. You counted 196 and 784 tokens: one is missing.")
    raise Wrong("Count the tokens at both sizes, and then the pairs of them.")


def positions(answer: Any) -> str:
    """Position embeddings for another grid, the class token's left alone."""
    resize = function(answer)
    down, across = torch.meshgrid(torch.arange(6.0), torch.arange(6.0), indexing="ij")
    grid = torch.stack((down, across, torch.full_like(down, 3.0)), dim=-1).view(1, 36, 3)
    first = torch.tensor([[[70.0, -70.0, 7.0]]])
    position = torch.cat((first, grid), dim=1)
    result = _shape(
        resize(position.clone(), 9), (1, 82, 3), "one position for the class token and 81 others."
    )
    if not torch.allclose(result[:, :1], first):
        raise Wrong(
            "The class token's embedding has changed. It has no place in the picture: keep it "
            "apart, and put it back."
        )
    new = result[0, 1:].view(9, 9, 3)
    downs, acrosses = new[..., 0], new[..., 1]
    if downs.std(dim=0).max() < 0.3 and acrosses.std(dim=1).max() < 0.3:
        raise Wrong("Rows and columns are exchanged: turn the grid back after you have resized it.")
    flat = downs.std(dim=1).max() < 0.05 and acrosses.std(dim=0).max() < 0.05
    rising = (downs.diff(dim=0) > -0.05).all() and (acrosses.diff(dim=1) > -0.05).all()
    wide = min(downs.max() - downs.min(), acrosses.max() - acrosses.min()) > 4
    if not (
        flat and rising and wide and torch.allclose(new[..., 2], new.new_tensor(3.0), atol=0.2)
    ):
        raise Wrong(
            "In the new grid, places that are neighbours have embeddings from distant places. "
            "The embeddings are a list, but they stand for a square: resize the square, in both "
            "directions."
        )
    same = resize(position.clone(), 6)
    if not isinstance(same, Tensor) or not torch.allclose(same, position, atol=1e-4):
        raise Wrong("For a grid of the same size, the embeddings must stay as they are.")
    return "The class token keeps its embedding, and the grid is stretched in both directions."


CHECKS = {"vit-1": patches, "vit-2": attention, "vit-3": growth, "vit-4": positions}
