"""What each element of a tensor sees of the image, carried through PyTorch's operators.

An operator that moves elements moves their shadow alike, one that mixes elements takes the hull
of what they see, and one that slides a window takes the hull of each window. Zeros that pad a map
see what a pixel there would see.

What is mixed from all places (a global pooling, attention over the whole map, a linear layer
across the places) sees the whole image and is no longer local. It is held fixed, like a
weight, and what it takes part in is marked ``whole``. So are the weights of an attention; the
values that they mix are followed, window by window. Normalisations are held fixed too, and
not marked.

What an operator does to a map can depend on numbers that nobody knows before the pass (where a
deformable convolution looks), or the operator is one that has no rule here. Then what its output
sees is ``unknown``, and so is all that is made of it: a guess would look like an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor

__all__ = ["FIXED", "Field", "Shadow", "positive", "reshaped", "shrunk", "thinned"]

aten = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Field:
    """The part of the input that one unit of a feature map can see, along one axis.

    For the unit at index ``i`` it is the pixels from ``left + i * stride`` to
    ``right + i * stride``, both included. A negative ``left`` lies in the padding. Where
    units differ (attention in windows, maps that are scaled up), it is the widest one's.

    Attributes:
        left: First pixel that the unit at index 0 sees.
        right: Last pixel that the unit at index 0 sees.
        stride: Distance in input pixels between two neighbouring units.
        whole: The unit also depends on all places along this axis, through something that
            was mixed from all of them: a squeeze-and-excitation gate, attention.
    """

    left: int = 0
    right: int = 0
    stride: int = 1
    whole: bool = False

    @property
    def size(self) -> int:
        """Width of the field in input pixels."""
        return self.right - self.left + 1


FIXED = 1 << 40  # the first row that a weight sees, or a gate that is held fixed: none


@dataclass(frozen=True, slots=True)
class Shadow:
    """What each element of a tensor sees of the image.

    Attributes:
        planes: First row, last row, first column, last column, the last ones negative, so
            that the hull of two is always their minimum. Each has the shape of the tensor
            and takes memory only along the axes on which it varies.
        strides: Input pixels from one place to the next, along the height and the width.
        whole: Whether something mixed from all places takes part, likewise.
        pairs: The elements belong to two places each, as the weights of an attention do.
        unknown: The operator after which it is unknown what they see; empty if it is known.
    """

    planes: tuple[Tensor, ...]
    strides: tuple[float, float]
    whole: tuple[bool, bool] = (False, False)
    pairs: bool = False
    unknown: str = ""

    @staticmethod
    def of_image(shape: torch.Size) -> Shadow:
        """Each pixel sees itself; in a signal of one axis, each place is a column."""
        planes = []
        for axis in (-2, -1):
            if len(shape) + axis < 2:
                index = torch.zeros(1, dtype=torch.long, device="cpu")
            else:
                index = torch.arange(shape[axis], device="cpu")
                index = index.view(-1, *[1] * (-axis - 1))
            planes += [index.expand(shape), (-index).expand(shape)]
        return Shadow(tuple(planes), (1, 1))

    @staticmethod
    def fixed(shape: torch.Size) -> Shadow:
        """A weight sees nothing of the image."""
        return Shadow((torch.tensor(FIXED, device="cpu").expand(shape),) * 4, (0, 0))

    @staticmethod
    def lost(shape: torch.Size, after: str) -> Shadow:
        """Nobody can say what these elements see, since a certain operator."""
        return replace(Shadow.fixed(shape), unknown=after)

    @property
    def shape(self) -> torch.Size:
        """Shape of the tensor."""
        return self.planes[0].shape

    @property
    def is_map(self) -> bool:
        """Whether there are elements left that see their own part of the image."""
        return 0 not in self.shape and any(
            bool((first + last <= 0).any())
            for first, last in (map(thinned, self.planes[:2]), map(thinned, self.planes[2:]))
        )

    def moved(self, move: Callable[[Tensor], Tensor]) -> Shadow:
        """The shadow after an operator has moved elements."""
        return replace(self, planes=tuple(map(move, self.planes)))

    def mixed(self, axes: Sequence[int]) -> Shadow:
        """The shadow after the elements along some axes became one, of size 1.

        Where nothing local is left, the result is held fixed.
        """
        axes = list(axes)
        planes: list[Tensor] = []
        whole = list(self.whole)
        strides = list(self.strides)
        for axis in (0, 1):
            before = [thinned(plane) for plane in self.planes[2 * axis : 2 * axis + 2]]
            after = [plane.amin(axes, keepdim=True) for plane in before]
            # Channels may differ in width; units at different places differ in their centre.
            pitch = self.strides[axis]
            if _spread(before, axes) >= pitch > _spread(after, range(len(self.shape))):
                after = [torch.full_like(hull, FIXED) for hull in after]
                whole[axis], strides[axis] = True, 0
            planes += after
        shape = [1 if axis in positive(axes, self) else n for axis, n in enumerate(self.shape)]
        return Shadow(
            tuple(plane.expand(shape) for plane in planes),
            (strides[0], strides[1]),
            (whole[0], whole[1]),
            self.pairs,
            self.unknown,
        )

    def slid(self, axis: int, taps: Tensor) -> Shadow:
        """The shadow after a window has passed along one axis.

        Args:
            axis: Axis of the tensor, counted from the end.
            taps: For each place of the output (axis 0) the places of the input that it
                takes (axis 1). Places beyond the edge see what pixels there would see.
        """
        size = self.shape[axis]
        inside = taps.clamp(0, size - 1)
        beyond = taps - inside
        planes = []
        for number, plane in enumerate(self.planes):
            which, sign = number // 2, 1 - 2 * (number % 2)
            thin = thinned(plane)
            lone = size == 1 and axis == which - 2
            if thin.shape[axis] > 1 or lone:
                step = sign * self.strides[which] if lone or self._lies_along(which, axis) else 0
                over = (beyond * step).round().long()
                over = over.view(*over.shape, *[1] * (-1 - axis))
                values = thin.index_select(axis, inside.flatten())
                values = values.unflatten(axis, inside.shape) + over  # type: ignore[no-untyped-call]
                thin = values.amin(axis)
            shape = list(self.shape)
            shape[axis] = len(taps)
            planes.append(thin.expand(shape))
        return replace(self, planes=tuple(planes))

    def joined(self, other: Shadow, shape: torch.Size) -> Shadow:
        """What either sees, broadcast to a shape."""
        return Shadow(
            tuple(
                torch.minimum(thinned(one), thinned(two)).expand(shape)
                for one, two in zip(self.planes, other.planes, strict=True)
            ),
            cast(Any, tuple(map(max, self.strides, other.strides))),
            cast(Any, tuple(map(max, self.whole, other.whole))),
            self.pairs or other.pairs,
            self.unknown or other.unknown,
        )

    def measured(self) -> Shadow:
        """The same with strides read from the places, after a move that may have thinned them."""
        # More than one image, or more than four axes, are windows of a map.
        if 0 in self.shape or self.shape[0] > 1 or len(self.shape) > 4:
            return self
        strides = list(self.strides)
        for axis in (0, 1):
            first, _, places = self._axis(axis)
            steps = first.amin([d for d in range(first.dim()) if d != places]).diff()
            if period := _period(steps):
                strides[axis] = int(steps[:period].sum()) / period
        return replace(self, strides=(strides[0], strides[1]))

    def paced(self, axis: int, factor: float) -> Shadow:
        """The same with another stride, after a window has passed along one of the last axes.

        Along an axis that holds a whole map, row after row, a step is none of the map's.
        """
        along = [
            which
            for which in (0, 1)
            if any(thinned(plane).shape[axis] > 1 for plane in self.planes[2 * which :][:2])
        ]
        if len(along) == 2 or (not along and axis < -2):
            return self
        which = along[0] if along else axis + 2
        rows, columns = self.strides
        strides = (rows * factor, columns) if which == 0 else (rows, columns * factor)
        return replace(self, strides=strides)

    def fields(self, image: tuple[int, int]) -> tuple[Field, Field]:
        """The widest unit's field along the height and along the width.

        Where each unit sees the whole of an axis and nothing of its own, that is all of it.

        Args:
            image: Height and width of the image.
        """
        fields = []
        axes = {self._axis(axis)[2] for axis in (0, 1)}
        for axis in (0, 1):
            first, last, _ = self._axis(axis)
            others = [d for d in range(first.dim()) if d not in axes]
            left, right = first.amin(others), -last.amin(others)
            start = int(left.min())
            width = max(int((right - left).max()), 0)
            if start >= FIXED // 2:
                start = 0
                width = image[axis] - 1 if self.whole[axis] else width
            stride = self.strides[axis]
            fields.append(Field(start, start + width, max(1, round(stride)), self.whole[axis]))
        return fields[0], fields[1]

    def _lies_along(self, which: int, axis: int) -> bool:
        """Whether the places of the height or the width lie along an axis of the tensor.

        Planes can vary along another as well, where some elements were shifted or set to zero.
        """
        pair = [thinned(plane) for plane in self.planes[2 * which :][:2]]
        spans = [_spread(pair, [d]) for d in range(len(self.shape))]
        return 2 * spans[axis] >= max(spans) > 0

    def _axis(self, axis: int) -> tuple[Tensor, Tensor, int]:
        """The two planes of the height or the width, and the axis along which its places lie."""
        planes = map(thinned, self.planes[2 * axis :][:2])
        first, last = torch.broadcast_tensors(*planes)  # type: ignore[no-untyped-call]
        # That is where the centre moves most; channels may differ in width.
        spans = [_spread((first, last), [d]) for d in range(first.dim())]
        return first, last, spans.index(max(spans)) if spans else 0


def _period(steps: Tensor) -> int:
    """After how many places the steps repeat, where they lead forward; else 0.

    A map that was laid out larger (a pixel shuffle) steps 0, 2, 0, 2.
    """
    if not len(steps) or bool((steps < 0).any()):
        return 0
    for period in range(1, min(8, max(len(steps) // 2, 1)) + 1):
        if torch.equal(steps[period:], steps[: len(steps) - period]):
            return period if bool(steps[:period].any()) else 0
    return 0


def _spread(planes: Sequence[Tensor], axes: Sequence[int]) -> float:
    """How far the centres of what is seen lie apart along some axes, in input pixels."""
    first, last = torch.broadcast_tensors(*planes)  # type: ignore[no-untyped-call]
    double = first - last  # first pixel + last pixel
    live = first + last <= 0
    top = torch.where(live, double, -FIXED).amax(list(axes))
    low = torch.where(live, double, FIXED).amin(list(axes))
    return max(int((top - low).max()), 0) / 2


def thinned(plane: Tensor) -> Tensor:
    """The plane with size 1 along the axes on which it does not vary."""
    for axis, (size, step) in enumerate(zip(plane.shape, plane.stride(), strict=True)):
        if size > 1 and step == 0:
            plane = plane.narrow(axis, 0, 1)
    return plane


def shrunk(plane: Tensor) -> Tensor:
    """The same values, without memory for the axes on which they turn out not to vary."""
    thin = thinned(plane)
    for axis, size in enumerate(thin.shape):
        first = thin.narrow(axis, 0, min(1, size))
        if size > 1 and bool((thin == first).all()):
            thin = first
    return thin.expand(plane.shape)


def positive(axes: Sequence[int], shadow: Shadow) -> set[int]:
    """The axes counted from the front."""
    return {axis % len(shadow.shape) for axis in axes}


def reshaped(plane: Tensor, shape: Sequence[int]) -> Tensor:
    """A plane in another shape, without memory for the axes on which it does not vary."""
    old, new = list(plane.shape), list(shape)
    thin = thinned(plane)
    sizes: list[int] = []  # of the result, with 1 where nothing varies
    i = j = 0
    while i < len(old) or j < len(new):
        begin, start = i, j
        have = want = 1
        while True:  # the shortest runs of axes with equal products
            if have <= want and i < len(old) and (have < want or i == begin):
                have, i = have * old[i], i + 1
            elif j < len(new) and (want < have or j == start):
                want, j = want * new[j], j + 1
            else:
                break
        run = slice(begin, i)
        if all(size == 1 for size in thin.shape[run]):
            sizes += [1] * (j - start)
        else:
            goal = (*thin.shape[:begin], *old[run], *thin.shape[i:])
            thin = thin.expand(goal)
            sizes += new[start:j]
    return thin.reshape(sizes).expand(new)
