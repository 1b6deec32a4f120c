"""The exercises of the VGG chapter."""

from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.anatomy.network import describe
from lineage_lab.exercises import Wrong

__all__ = ["CHECKS"]


def small_kernels(answer: Any) -> str:
    """A function (kernel, channels) -> 3×3 layers that see as much as one kernel of that size."""
    if isinstance(answer, nn.Module) or not callable(answer):
        raise Wrong(
            "The exercise asks for a function of a kernel's side and the channels that gives a "
            f"network; this is a {type(answer).__name__}."
        )
    channels = 4
    for kernel in (3, 5, 7, 11):
        torch.manual_seed(kernel)
        network = answer(kernel, channels)
        if not isinstance(network, nn.Module):
            raise Wrong(f"For a kernel of {kernel} it gives {network!r}, and no network.")
        image = torch.randn(1, channels, 32, 32)
        with torch.no_grad():
            maps = network(image)
        if not isinstance(maps, Tensor) or maps.dim() != 4 or maps.shape[1] != channels:
            raise Wrong(f"For {channels} channels it does not give {channels} channels back.")
        if maps.shape[-2:] != (32, 32):
            raise Wrong(
                f"From 32 × 32 it makes {maps.shape[-2]} × {maps.shape[-1]}, smaller than what "
                "comes in. VGG's layers keep the sides of the map."
            )
        sees = describe(network, (channels, 32, 32)).receptive_field
        if sees != kernel:
            raise Wrong(f"In place of one {kernel}×{kernel}, a unit of yours sees {sees}×{sees}.")
        widest = max(m.kernel_size[0] for m in network.modules() if isinstance(m, nn.Conv2d))
        if widest != 3:
            raise Wrong(
                f"It sees enough, but has a kernel of {widest}: the point is to do without."
            )
        _bends_after_each(network, (kernel - 1) // 2, image)
    return "3, 5, 7 and 11: your layers see as much as one kernel would, and bend after each step."


def _bends_after_each(network: nn.Module, layers: int, image: Tensor) -> None:
    """Whether the input of each later convolution, and the output, is no linear function."""

    def recorded(x: Tensor) -> list[Tensor]:
        seen: list[Tensor] = []
        convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)][1:]
        hooks = [m.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
                 for m in convs]  # fmt: skip
        with torch.no_grad():
            seen.append(network(x))
        for hook in hooks:
            hook.remove()
        return seen

    # An affine function f has f(x) + f(-x) = 2 f(0).
    bent = 0
    for plus, minus, zero in zip(
        recorded(image), recorded(-image), recorded(0 * image), strict=True
    ):
        bent += not torch.allclose(plus + minus, 2 * zero, atol=1e-5)
    if bent < layers:
        raise Wrong(
            "Somewhere two of its convolutions follow each other with nothing between: together "
            "they are one linear step, which one larger kernel could take as well."
        )


def doubling(answer: Any) -> str:
    """Weights of 3×3 C→2C and 3×3 2C→2C, over those of one 5×5 C→2C."""
    try:
        ratio = float(answer)
    except (TypeError, ValueError):
        raise Wrong(f"The exercise asks for a ratio, one number; this is {answer!r}.") from None
    if abs(ratio - 54 / 50) < 0.006:
        return (
            "54 C² against 50 C²: where the channels double, the pair is the larger one. "
            "The saving of 18 to 25 needs as many channels in as out."
        )
    if abs(ratio - 50 / 54) < 0.004:
        raise Wrong("The counts are right. The pair's weights over those of the 5×5: turn it over.")
    if min(abs(ratio - 18 / 25), abs(ratio - 25 / 18)) < 0.006:
        raise Wrong("That holds for as many channels in as out. Here the first layer doubles them.")
    if abs(ratio - 36 / 25) < 0.006:
        raise Wrong("Only one layer has 2C channels on both sides: look at the first of the two.")
    if ratio > 5:
        raise Wrong("That is a count, and a ratio is asked for: the pair's over the 5×5's.")
    raise Wrong("Write down inputs · outputs · kernel for each of the three layers, in C².")


def fold(answer: Any) -> str:
    """A function of two convolutions that gives the one that does the same."""
    if isinstance(answer, nn.Module) or not callable(answer):
        raise Wrong(
            "The exercise asks for a function of two convolutions; this is a "
            f"{type(answer).__name__}."
        )
    torch.manual_seed(33)
    first, second = nn.Conv2d(2, 5, 3), nn.Conv2d(5, 3, 3)
    image = torch.randn(4, 2, 12, 12)
    with torch.no_grad():
        right = second(first(image))
        dark = second(first(0 * image))
        one = answer(first, second)
        if not isinstance(one, nn.Conv2d):
            raise Wrong(f"It should give one convolution; this is a {type(one).__name__}.")
        if tuple(one.kernel_size) != (5, 5):
            raise Wrong(
                f"Its kernel is {one.kernel_size[0]} × {one.kernel_size[1]}, but a unit behind "
                "both layers sees 5 × 5 pixels."
            )
        theirs = one(image)
        if theirs.shape != right.shape:
            raise Wrong(
                f"It gives {tuple(theirs.shape)} where the pair gives {tuple(right.shape)}."
            )
        if torch.allclose(theirs, right, atol=1e-4):
            return "The same answers, from one 5×5 layer. Two linear steps are one linear step."
        nothing = one(0 * image)
        if torch.allclose(theirs - nothing, right - dark, atol=1e-4):
            raise Wrong(
                "The kernel is right, the bias is not. What does the pair answer to an image of "
                "zeros? The second layer weighs the first one's bias too."
            )
        turned = nn.Conv2d(2, 3, 5)
        turned.weight.copy_(one.weight.flip(2, 3))
        turned.bias.copy_(nothing[0, :, 0, 0])  # type: ignore[union-attr]
        if torch.allclose(turned(image) - nothing, right - dark, atol=1e-4):
            raise Wrong("Nearly: its kernel is turned round, left for right and top for bottom.")
    raise Wrong(
        "The answers differ, and not by a bias alone: look at the kernel. For each place of the "
        "second kernel, the first one is shifted there and weighed."
    )


CHECKS = {"vgg-1": small_kernels, "vgg-2": doubling, "vgg-3": fold}
