"""Several processes on one run: who am I, who are the others, what do they hold.

Started by ``torchrun``, each process holds the whole network and a share of each batch. Without
it, everything here is a group of one.
"""

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["Group", "joined"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a run.

    Attributes:
        rank: Which of them this one is, from 0.
        size: How many they are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and prints for all."""
        return self.rank == 0

    def share(self, values: Tensor) -> Tensor:
        """This process's part of a batch: parts differ in length by one at most."""
        return values.tensor_split(self.size)[self.rank] if self.size > 1 else values

    def all_of(self, mine: Sequence[T], count: int) -> list[T]:
        """The values of all, where process r holds every ``size``-th value from the r-th.

        Args:
            mine: This process's values.
            count: How many there are in all.

        Returns:
            All values in their order, the same in each process.
        """
        if self.size == 1:
            return list(mine)
        parts: list[Sequence[T]] = [()] * self.size
        dist.all_gather_object(parts, mine)  # type: ignore[no-untyped-call,unused-ignore]
        return [parts[i % self.size][i // self.size] for i in range(count)]

    def as_leader(self, value: T) -> T:
        """The leading process's value, in all."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)  # type: ignore[no-untyped-call,unused-ignore]
        return values[0]

    def agree(self, flag: bool, device: torch.device) -> bool:
        """Whether any process says yes."""
        if self.size == 1:
            return flag
        any_flag = torch.tensor(float(flag), device=device)
        dist.all_reduce(any_flag, dist.ReduceOp.MAX)  # type: ignore[no-untyped-call,unused-ignore]
        return bool(any_flag.item())


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group that ``torchrun`` started, or a group of one.

    The group is left at the end if it was joined here. NCCL is used on CUDA, else Gloo.

    Raises:
        ValueError: torchrun's variables are there in part only.
    """
    if dist.is_available() and dist.is_initialized():
        yield Group(dist.get_rank(), dist.get_world_size())
        return
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    missing = [n for n in ("RANK", "MASTER_ADDR", "MASTER_PORT") if n not in os.environ]
    if missing:
        raise ValueError(
            f"WORLD_SIZE is {size}, but {', '.join(missing)} is not set: start the processes by "
            "torchrun --nproc-per-node N -m lineage_lab finetune …, or unset WORLD_SIZE"
        )
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), size)
    finally:
        gc.collect()
        dist.destroy_process_group()
