"""On a CPU, the same mathematics by faster kernels.

oneDNN, which does PyTorch's convolutions there, is slow at some gradients of a depthwise
convolution in bf16: at the input's where there is a stride, and at the weights' from 5×5 on
(``benchmarks/depthwise.py``). And PyTorch copies the input of some activations before it
overwrites it, since their gradient needs it: to write beside it is the cheaper way.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

__all__ = ["FastOnCpu"]

LARGE = 5  # from this side on a kernel's own gradient is slow
COPIED_FIRST = {F.hardsigmoid, F.hardswish, F.hardtanh, F.mish, F.relu6, F.silu}
# oneDNN has fast kernels for half precision; and those of Intel's matrix unit.
AVX512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
AMX = AVX512 and bool(torch.cpu._is_amx_tile_supported())


class FastOnCpu(TorchFunctionMode):
    """Inside it, depthwise convolutions and activations in place are done the faster way."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.conv2d and len(args) == 7 and torch.is_autocast_enabled("cpu"):
            x, weight, bias, stride, padding, *rest = args
            if weight.shape[1] == 1 < x.shape[1]:  # each filter looks at one of the channels
                ours = AVX512 and len(weight) == x.shape[1] and not isinstance(padding, str)
                # What is not known to be fast in half precision stays in fp32.
                kind = torch.get_autocast_dtype("cpu") if ours else torch.float32
                tensors = [t if t is None else t.to(kind) for t in (x, weight, bias)]
                with torch.autocast("cpu", enabled=False):
                    layer: Any = _Depthwise.apply if ours else func
                    return layer(*tensors, stride, padding, *rest)
        if func in COPIED_FIRST and kwargs.get("inplace") and args[0].requires_grad:
            kwargs = {**kwargs, "inplace": False}
        return func(*args, **kwargs)


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution in bf16 whose gradients are in the type that is fast for each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, *form: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.form = form
        return torch.conv2d(x, weight, bias, *form)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), form, side = ctx.saved_tensors, ctx.form, max(ctx.saved_tensors[1].shape[2:])
        dx = dw = db = None
        if ctx.needs_input_grad[0]:
            strided = max(_pair(form[0])) > 1
            kind = torch.float32 if strided or side > LARGE else x.dtype
            # Of x its shape alone matters.
            dx = _gradient(0, grad, torch.empty_like(x, dtype=kind), weight, form, kind)
        if ctx.needs_input_grad[1]:
            kind = torch.float32 if side >= LARGE and not AMX else x.dtype
            dw = _of_weights(grad, x, weight, form, kind)
        if ctx.needs_input_grad[2]:
            db = grad.sum((0, 2, 3))
        return dx, dw, db, None, None, None, None


def _of_weights(grad: Tensor, x: Tensor, weight: Tensor, form: Any, kind: torch.dtype) -> Tensor:
    """The weights' gradient; a large kernel's as part of a denser convolution's.

    In groups of 16 channels where each sees all 16, the wanted gradients lie on the diagonal.
    That is 16 times the work, and yet takes less time: the other kernel fills no vector.
    """
    channels, width = len(weight), math.gcd(len(weight), 16)
    if max(weight.shape[2:]) < LARGE or width < 8:
        return _gradient(1, grad, x, weight, form, kind)
    sides = weight.shape[2:]
    dense = torch.empty(channels, width, *sides, dtype=kind)
    *rest, groups = form
    whole = _gradient(1, grad, x, dense, (*rest, groups // width), kind)
    blocks = whole.view(-1, width, width, *sides).diagonal(dim1=1, dim2=2)
    return blocks.movedim(-1, 1).reshape(weight.shape).to(weight.dtype)


def _gradient(
    which: int, grad: Tensor, x: Tensor, weight: Tensor, form: Any, kind: torch.dtype
) -> Tensor:
    """That of x (0) or of the weights (1), calculated in ``kind``, in the gradient's own type."""
    *sizes, groups = form
    stride, padding, dilation = map(_pair, sizes)
    tensors = grad.to(kind), x.to(kind), weight.to(kind)
    transposed, output_padding, wanted = False, [0, 0], [which == 0, which == 1, False]
    gradients: tuple[Tensor, ...] = torch.ops.aten.convolution_backward(
        *tensors, None, stride, padding, dilation, transposed, output_padding, groups, wanted
    )
    return gradients[which].to(grad.dtype)


def _pair(size: int | tuple[int, int]) -> list[int]:
    return [size, size] if isinstance(size, int) else list(size)
