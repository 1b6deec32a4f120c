"""The exercises of the GoogLeNet chapter."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.exercises import Wrong, function, number
from lineage_lab.models.googlenet import Width

__all__ = ["CHECKS"]

WIDTH = Width(5, 4, 6, 2, 3, 4)  # no width of Table 1, all outputs of another number
INPUTS = 7


def module(answer: Any) -> str:
    """A function of channels and widths that builds an inception module with its 1×1."""
    if not callable(answer) or isinstance(answer, nn.Module):
        raise Wrong("Give the class or the function itself: it is called with inputs and width.")
    torch.manual_seed(0)
    net = answer(INPUTS, WIDTH)
    if not isinstance(net, nn.Module):
        raise Wrong(f"Called with inputs and width it gives a {type(net).__name__}, no network.")
    maps = torch.randn(1, INPUTS, 9, 9, requires_grad=True)
    out = net.eval()(maps)
    if not isinstance(out, Tensor) or out.dim() != 4 or tuple(out.shape[2:]) != (9, 9):
        raise Wrong(f"A map of 9×9 must stay one: it gives {tuple(getattr(out, 'shape', ()))}.")
    if out.shape[1] != WIDTH.outputs:
        raise Wrong(f"For {WIDTH} it gives {out.shape[1]} channels. What does each branch give?")
    if (out < 0).any():
        raise Wrong("Some of its values are negative: each convolution has a ReLU behind it.")
    _fields(net)
    if (given := sum(p.numel() for p in net.parameters())) != (right := _weights()):
        raise Wrong(
            f"It has {given:,} weights for {INPUTS} channels and {WIDTH}, where {right:,} are "
            "right. Do both the 3×3 and the 5×5 stand behind a reduction?"
        )
    return "Four branches, their fields 1, 3, 5 and 3 pixels wide, and the weights of Fig. 2(b)."


def _weights() -> int:
    w = WIDTH
    pairs = ((INPUTS, w.branch_1x1, 1), (INPUTS, w.reduce_3x3, 1), (w.reduce_3x3, w.branch_3x3, 3),
             (INPUTS, w.reduce_5x5, 1), (w.reduce_5x5, w.branch_5x5, 5),
             (INPUTS, w.pool_projection, 1))  # fmt: skip
    return sum(outputs * (inputs * kernel**2 + 1) for inputs, outputs, kernel in pairs)


def _fields(net: nn.Module) -> None:
    """How far each group of channels looks, found by gradients on many random maps."""
    parts = (WIDTH.branch_1x1, WIDTH.branch_3x3, WIDTH.branch_5x5, WIDTH.pool_projection)
    maps = torch.randn(64, INPUTS, 9, 9, requires_grad=True)
    seen = []
    for group in net(maps)[..., 4, 4].split(parts, dim=1):
        (gradient,) = torch.autograd.grad(group.sum(), maps, retain_graph=True)
        seen.append(int((gradient.abs().sum(dim=(0, 1, 3)) > 0).sum()))
    if seen == [1, 3, 5, 3]:
        return
    if seen == [1, 3, 3, 3]:
        raise Wrong("The third branch looks at 3×3 places only. That is torchvision's form.")
    if sorted(seen) == [1, 3, 3, 5]:
        raise Wrong(f"The branches look {seen} places wide: mind their order in the output.")
    raise Wrong(
        f"The four groups of channels look {seen} places wide; they should look 1, 3, 5, 3."
    )


def as_linear(answer: Any) -> str:
    """A function from a 1×1 convolution to the linear layer that does the same at each pixel."""
    if not callable(answer) or isinstance(answer, nn.Module):
        raise Wrong("The exercise asks for a function of a convolution.")
    torch.manual_seed(1)
    for conv in (nn.Conv2d(6, 4, 1), nn.Conv2d(5, 5, 1, bias=False)):
        linear = answer(conv)
        if not isinstance(linear, nn.Linear):
            raise Wrong(f"It gives a {type(linear).__name__}; the exercise asks for an nn.Linear.")
        sizes = (linear.in_features, linear.out_features)
        if sizes != (conv.in_channels, conv.out_channels):
            raise Wrong(
                f"For {conv.in_channels} channels in and {conv.out_channels} out, in_features and "
                f"out_features are {sizes}."
            )
        maps = torch.randn(2, conv.in_channels, 3, 5)
        right, given = conv(maps).movedim(1, -1), linear(maps.movedim(1, -1))
        if torch.allclose(right, given, atol=1e-5):
            continue
        shift = (right - given).flatten(0, 2)
        if torch.allclose(shift, shift[:1].expand_as(shift), atol=1e-5):
            raise Wrong("It is off by the same amount at each pixel: where is the bias?")
        raise Wrong("It answers otherwise than the convolution: look at how its weights are laid.")
    return "The same numbers at each pixel: a 1×1 convolution is a linear layer over channels."


def break_even(answer: Any) -> str:
    """The widest reduction that still makes the 5×5 branch of module 3a cheaper."""
    number(answer, "a number of channels")
    plain = 25 * 192 * 32
    if (192 + 25 * 32) * answer >= plain:
        raise Wrong(
            f"With {answer:g} channels between them the two layers are dearer than the one: "
            "count both, the 1×1 and the 5×5."
        )
    if (192 + 25 * 32) * (answer + 1) < plain:
        raise Wrong(f"{answer:g} channels are cheaper, true. But the reduction could be wider.")
    if answer != int(answer):
        raise Wrong("Channels come in whole numbers.")
    return "The paper chose 16: the branch then costs about a tenth of the plain 5×5."


def auxiliary(answer: Any) -> str:
    """The training loss with two auxiliary classifiers, by the paper's section 5."""
    answer = function(answer)
    generator = torch.Generator().manual_seed(5)
    outputs = tuple(3 * torch.randn(8, 10, generator=generator) for _ in range(3))
    labels = torch.arange(8)
    main, *others = (F.cross_entropy(scores, labels) for scores in outputs)
    given = answer(outputs, labels)
    if not isinstance(given, Tensor) or given.numel() != 1:
        raise Wrong("Return one number as a tensor, so that it can be differentiated.")
    right = main + 0.3 * sum(others)
    if torch.isclose(given, right, atol=1e-4):
        return "The main loss in full, and 0.3 of each auxiliary one."
    if torch.isclose(given, main, atol=1e-4):
        raise Wrong("It leaves the auxiliary classifiers out: no gradient would reach them.")
    if torch.isclose(given, main + sum(others), atol=1e-4):
        raise Wrong("The auxiliary losses have their whole weight: the paper discounts them.")
    if torch.isclose(given, right / 1.6, atol=1e-4) or torch.isclose(given, right / 3, atol=1e-4):
        raise Wrong("That is an average. The paper adds: the main loss keeps its whole weight.")
    if any(torch.isclose(given, main + 0.3 * other, atol=1e-4) for other in others):
        raise Wrong("It counts one of the two auxiliary classifiers.")
    raise Wrong(f"It gives {given.item():.4f} where {right.item():.4f} is right.")


CHECKS = {
    "googlenet-1": module,
    "googlenet-2": as_linear,
    "googlenet-3": break_even,
    "googlenet-4": auxiliary,
}
