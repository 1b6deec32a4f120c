"""The constants of a forward pass: a tensor on the meta device that no image enters has values.

A permutation that is kept as a buffer, the places of a fixed grid, a mask made by ``arange``:
what they do to a map depends on their numbers, so these are worked out on the CPU beside the
pass. Only small tensors are, and none that is drawn by lot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

__all__ = ["Values"]

MOST_NUMBERS = 1 << 16  # of a tensor of floats
MOST_PLACES = 1 << 22  # of a tensor of whole numbers: a table of places


class Values:
    """Numbers of the meta tensors that are known, by tensor."""

    def __init__(self) -> None:
        # Tensors are held so that no id is given out twice.
        self._known: dict[int, tuple[Tensor, Tensor]] = {}
        self._state: dict[int, tuple[Tensor, Tensor]] = {}  # not copied yet

    def start(self, state: Mapping[str, Tensor], real: Mapping[str, Tensor]) -> None:
        """Take the network's own tensors; those that have no values are left out.

        Args:
            state: Its parameters and buffers on the meta device, by name.
            real: The same as the network holds them.
        """
        for name, tensor in state.items():
            if not real[name].is_meta and _is_small(tensor):
                self._state[id(tensor)] = tensor, real[name]

    def of(self, tensor: Tensor) -> Tensor | None:
        """The values on the CPU; ``None`` where they aren't known."""
        if not tensor.is_meta:
            return tensor.detach().cpu()
        if held := self._state.pop(id(tensor), None):
            # A copy: what the forward pass writes into a buffer must not reach the network.
            self._known[id(tensor)] = tensor, held[1].detach().cpu().clone()
        known = self._known.get(id(tensor))
        return known[1] if known else None

    def note(self, tensor: Tensor, values: Tensor) -> None:
        """Say what a meta tensor's values are."""
        self._known[id(tensor)] = tensor, values

    def follow(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        tensors: list[Tensor],
        outs: list[Tensor],
    ) -> None:
        """Work an operator out on known values, if all of its inputs have them."""
        fits = all(_is_small(out) for out in outs) and any(out.is_meta for out in outs)
        by_lot = torch.Tag.nondeterministic_seeded in func.tags
        values = {id(t): self.of(t) for t in tensors} if fits and not by_lot else {}
        if not fits or by_lot or any(value is None for value in values.values()):
            self._forget(func, args)
            return

        def real(leaf: Any) -> Any:
            if isinstance(leaf, Tensor):
                return values[id(leaf)]
            return torch.device("cpu") if isinstance(leaf, torch.device) else leaf

        args, kwargs = tree_map(real, (args, kwargs))
        if not tensors:
            kwargs["device"] = torch.device("cpu")
        try:
            made = tree_flatten(func(*args, **kwargs))[0]
        except (RuntimeError, TypeError, IndexError, ValueError):
            self._forget(func, args)
            return
        for out, value in zip(outs, (m for m in made if isinstance(m, Tensor)), strict=False):
            if out.is_meta:
                self.note(out, value)

    def _forget(self, func: Any, args: tuple[Any, ...]) -> None:
        """What was written to is known no longer, nor are its views."""
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            if not isinstance(value, Tensor) or (old := self.of(value)) is None:
                continue
            storage = old.untyped_storage()._cdata
            for key, (_, known) in list(self._known.items()):
                if known.untyped_storage()._cdata == storage:
                    del self._known[key]


def _is_small(tensor: Tensor) -> bool:
    whole = not (tensor.is_floating_point() or tensor.is_complex())
    return tensor.numel() <= (MOST_PLACES if whole else MOST_NUMBERS)
