"""The exercises of the ResNet chapter."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.exercises import Wrong
from lineage_lab.models.resnet import ResNet, ResNetConfig

__all__ = ["CHECKS"]

CHANNELS = 8


def _maps(*, seed: int) -> Tensor:
    return torch.randn(4, CHANNELS, 12, 12, generator=torch.Generator().manual_seed(seed))


def _built(answer: Any) -> nn.Module:
    """The block that the reader's function makes."""
    if isinstance(answer, nn.Module) or not callable(answer):
        raise Wrong("The exercise asks for a function that takes the channels and gives a block.")
    torch.manual_seed(0)
    block = answer(CHANNELS)
    if not isinstance(block, nn.Module):
        raise Wrong(f"The function gives a {type(block).__name__}, not a module.")
    shape = block(_maps(seed=1)).shape
    if shape != _maps(seed=1).shape:
        raise Wrong(
            f"A block must give maps of the same shape as it takes: {tuple(shape)} came "
            f"of {tuple(_maps(seed=1).shape)}."
        )
    return block.train()


def quiet_block(answer: Any) -> str:
    """A residual block that does nothing at first, and can learn."""
    block = _built(answer)
    weights = [p for p in block.parameters() if p.requires_grad]
    if not any(p.dim() == 4 for p in weights):
        raise Wrong("It does nothing, but there is nothing to learn in it: no convolution.")
    x = _maps(seed=2).relu()
    y = block(x.clone())
    if not torch.allclose(y, x, atol=1e-5):
        raise Wrong(
            f"It changes its input at the start, by up to {(y - x).abs().max().item():.2f}. What "
            "must the last layer of the branch give?"
        )
    kernels = [p for p in weights if p.dim() == 4]
    before = [p.detach().clone() for p in kernels]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (block(x.clone()) - _maps(seed=3)).square().mean().backward()
        optimizer.step()
    if all(torch.equal(p, old) for p, old in zip(kernels, before, strict=True)):
        raise Wrong(
            "It does nothing at the start, and will hardly do more ever after: in three steps "
            "no gradient has reached any of its kernels. Zero fewer weights."
        )
    with torch.no_grad():
        for p in weights:
            p.zero_()
        if not torch.allclose(block(x.clone()), x, atol=1e-5):
            raise Wrong(
                "It copies its input by its kernels. With all weights zero it gives another "
                "map: nothing else carries the input past them."
            )
    return "It begins as an identity, and three steps of training move its kernels."


def projections(answer: Any) -> str:
    """How many shortcuts of ResNet-50 are projections."""
    if isinstance(answer, bool) or not isinstance(answer, int):
        raise Wrong(f"The exercise asks for a number of shortcuts; this is {answer!r}.")
    if answer == 3:
        raise Wrong("You counted the strides. A shortcut must match the channels too.")
    if answer == 16:
        raise Wrong("That is every block. In most of them input and output have one shape.")
    if answer == 12:
        raise Wrong("Those are the others: the shortcuts that are identities.")
    if answer == 0:
        raise Wrong("Somewhere the shape changes. There, option B has a 1×1 convolution.")
    if answer != 4:
        raise Wrong("Count per stage, and look at its first block: what comes in, what goes out?")
    return "One in each stage: the first needs it for its channels alone, 64 to 256."


def pre_activation(answer: Any) -> str:
    """A block of 2016: norm and ReLU before each convolution, nothing after the sum."""
    block = _built(answer)
    kernels = [p for p in block.parameters() if p.dim() == 4]
    if not kernels:
        raise Wrong("There is no convolution in it.")
    x = _maps(seed=4)
    with torch.no_grad():
        shifted = block(x + 3) - 3
        plain = block(x.clone())
        if (plain >= 0).all():
            raise Wrong(
                "No output is below zero: something comes after the sum that the shortcut "
                "should be spared."
            )
        # Batch norm first takes away what is added to a whole channel; the shortcut keeps it.
        if not torch.allclose(shifted, plain, atol=1e-3):
            lost = torch.allclose(shifted + 3, plain, atol=1e-3)
            raise Wrong(
                "The input is lost: adding 3 to it does not change the output at all."
                if lost
                else "A norm should come before the first convolution: 3 added to each input must "
                "reach the output along the shortcut alone."
            )
        # A linear branch is odd: mirrored in the channels' means, the input gives its mirror.
        mirrored = block(-x)
        if torch.allclose(mirrored + plain, (mirrored + plain).mean((0, 2, 3), keepdim=True),
                          atol=1e-3):  # fmt: skip
            raise Wrong("There is no ReLU in the branch: two convolutions make one.")
        for p in kernels:
            p.zero_()
        for norm in (m for m in block.modules() if isinstance(m, nn.Conv2d)):
            if norm.bias is not None:
                norm.bias.zero_()
        if not torch.allclose(block(x.clone()), x, atol=1e-5):
            raise Wrong("With all kernels zero it must give its input, whatever its sign.")
    return "The shortcut is clean: with zero kernels it gives any input back, below zero too."


def without_block(answer: Any) -> str:
    """The network without one block, the network itself untouched."""
    if isinstance(answer, nn.Module) or not callable(answer):
        raise Wrong("The exercise asks for a function of a network, a stage and an index.")
    torch.manual_seed(7)
    config = ResNetConfig(bottleneck=False, blocks=(4, 4), channels=(8, 8), stem_kernel=3)
    model = ResNet(num_classes=10, config=config)
    images = torch.rand(16, 3, 16, 16)
    model(images)  # batch norm's averages
    model.eval()
    with torch.no_grad():
        whole = model(images)
        for stage, index in ((0, 1), (1, 2), (0, 2)):
            shorter: Callable[[Tensor], Tensor] = answer(model, stage, index)
            scores = shorter(images)
            if not torch.equal(model(images), whole):
                raise Wrong(
                    "It changed the network that it was given. Work on a copy, or leave the "
                    "network alone and run its parts."
                )
            right = deepcopy(model)
            right.stages[stage][index] = nn.Identity()  # type: ignore[operator]
            if torch.allclose(scores, right(images), atol=1e-5):
                continue
            if torch.allclose(scores, whole, atol=1e-5):
                raise Wrong("Its scores are those of the whole network: the block is still there.")
            raise Wrong(
                f"Without block {index} of stage {stage} (both counted from 0) the scores are "
                "others: you left out another part, or more, or less."
            )
    return "The block is gone, and the network that it was taken from is as it was."


CHECKS = {
    "resnet-1": quiet_block,
    "resnet-2": projections,
    "resnet-3": pre_activation,
    "resnet-4": without_block,
}
