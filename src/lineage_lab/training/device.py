"""Where a network runs and in which form: device, precision, memory format, compiled or not."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lineage_lab.training.kernels import FastOnCpu

__all__ = [
    "LAYOUTS",
    "Form",
    "autocast",
    "device_name",
    "energy",
    "finish",
    "forget_peak_memory",
    "matmul_precision",
    "memory_reused",
    "peak_memory",
    "pick_device",
]

LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a network is run.

    Attributes:
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        memory_format: ``channels_last`` or ``contiguous``.
        compiled: Whether by ``torch.compile``.
        images_per_second: Speed of each form in the trial; empty if nothing had to be chosen.
    """

    precision: str
    memory_format: str
    compiled: bool = False
    images_per_second: tuple[tuple[str, float], ...] = ()

    @property
    def layout(self) -> torch.memory_format:
        """The memory format as torch calls it."""
        return LAYOUTS[self.memory_format]

    def __str__(self) -> str:
        """In words, such as ``bf16, channels_last``."""
        return f"{self.precision}, {self.memory_format}" + (", compiled" if self.compiled else "")


def pick_device(wanted: str = "auto") -> torch.device:
    """The device that is wanted, or the best there is: CUDA, then MPS, then the CPU.

    Raises:
        ValueError: The device is not there; the message names those that are. Or there are fewer
            GPUs than processes.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(name for name, is_there in there.items() if is_there)
    if not there[wanted]:
        has = ", ".join(name for name, is_there in there.items() if is_there)
        raise ValueError(f"device={wanted!r} is not on this machine; there is {has}")
    if wanted == "cuda":  # of several processes each has its own
        number, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if number >= gpus:
            raise ValueError(
                f"process {number + 1} of this machine has no GPU of its own, there are {gpus}: "
                f"torchrun --nproc-per-node {gpus}, or --device cpu"
            )
        return torch.device("cuda", number)
    return torch.device(wanted)


def device_name(device: torch.device) -> str:
    """The GPU's name, or the kind of device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


@contextmanager
def autocast(device: torch.device, precision: str) -> Iterator[None]:
    """What the forward pass runs in; on a CPU with `lineage_lab.training.kernels`."""
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    kernels = FastOnCpu() if device.type == "cpu" else nullcontext()
    with torch.autocast(device.type, half) if half else nullcontext(), kernels:
        yield


@contextmanager
def matmul_precision(device: torch.device, precision: str) -> Iterator[None]:
    """On CUDA: whether 32-bit products may be rounded to TF32's 10 bits; as it was, afterwards."""
    if device.type != "cuda":
        yield
        return
    parts: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [part.allow_tf32 for part in parts]
    for part in parts:
        part.allow_tf32 = precision != "fp32"
    try:
        yield
    finally:
        for part, value in zip(parts, before, strict=True):
            part.allow_tf32 = value


@contextmanager
def memory_reused(device: torch.device) -> Iterator[None]:
    """On a CPU, memory that one step frees serves the next, and goes back to the system at the end.

    glibc hands each large block back at once. The next step asks for it again and waits while the
    system fills it with zeros, page by page: a tenth of a ResNet-50's training time. Systems
    without glibc are left as they are.
    """
    libc: Any = _libc() if device.type == "cpu" else None
    if not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):
        yield
        return
    if not libc.mallopt(_MMAP_THRESHOLD, 2**30):  # glibc before 2.35 takes no more than this:
        libc.mallopt(_MMAP_THRESHOLD, 2**25)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_THRESHOLD, 2**25)  # what glibc goes up to by itself
        libc.mallopt(_TRIM_THRESHOLD, 2**26)
        libc.malloc_trim(0)


def _libc() -> Any:
    """The C library on Linux; not every one has glibc's functions."""
    return ctypes.CDLL(None) if sys.platform == "linux" else None


def finish(device: torch.device) -> None:
    """Wait for the device, so that the clock reads what was really done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def forget_peak_memory(device: torch.device) -> None:
    """From here on `peak_memory` tells the peak since now, without what was freed before."""
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # before it there are no statistics
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        libc = _libc()
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)
        # 5 sets the process's peak resident memory back to what it has now (man 5 proc).
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return


def peak_memory(device: torch.device) -> tuple[int | None, str]:
    """Bytes at the peak, or ``None`` where the system doesn't tell, and what they are of."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), "allocated on the GPU"
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024, "resident, of the whole process"
    return None, "not known on this system"


def energy(device: torch.device) -> float | None:
    """The GPU's energy counter in joules, or ``None`` where there is none.

    Reads NVML's counter by ``pynvml`` (package ``nvidia-ml-py``) if that is installed.
    """
    if device.type != "cuda":
        return None
    try:
        import pynvml  # type: ignore[import-not-found,import-untyped,unused-ignore]

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3
    except Exception:  # no NVML, an older GPU, a container without it: the figure is left out
        return None
