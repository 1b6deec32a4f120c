"""Where a network runs and in which form: device, precision, memory format, compiled or not.

The fastest form depends on the network and on the processor, so that a short trial decides; its
result is kept, so that the next run on this machine starts at once.
"""

import ctypes
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab import __version__
from lineage_lab.files import write_whole
from lineage_lab.training.kernels import FastOnCpu

__all__ = ["Form", "autocast", "device_name", "finish", "matmul_precision", "memory_reused",
           "peak_memory", "pick_device", "trial"]  # fmt: skip

LAPS = 2  # of a trial, the better one counts
CLOSE = 1.5  # a form that took less than so many times the fastest's time runs once more
WARMUP = 1  # where nothing has to be chosen
EARNS_BACK = 600.0  # compiling is tried for runs that take longer, in seconds
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
_LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
# In the order in which they are tried; the first is what is taken where nothing was measured.
_CANDIDATES = {
    "cpu": (("bf16", "channels_last"), ("fp32", "channels_last")),
    "cuda": (("bf16", "channels_last"), ("fp16", "channels_last"), ("tf32", "channels_last")),
    "mps": (("fp32", "contiguous"), ("fp16", "contiguous")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a network is run.

    Attributes:
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        memory_format: ``channels_last`` or ``contiguous``.
        compiled: By ``torch.compile``.
        images_per_second: Of a training step in the trial; empty if nothing had to be chosen.
    """

    precision: str
    memory_format: str
    compiled: bool = False
    images_per_second: tuple[tuple[str, float], ...] = ()

    @property
    def layout(self) -> torch.memory_format:
        """The memory format as torch calls it."""
        return _LAYOUTS[self.memory_format]

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
        wanted = next(name for name, found in there.items() if found)
    if not there[wanted]:
        has = ", ".join(name for name, found in there.items() if found)
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


def trial(
    model: nn.Module,
    images: Tensor,
    step: Callable[[Form], object],
    *,
    precision: str,
    memory_format: str,
    compiling: str,
    steps: int | None,
    device: torch.device,
) -> Form:
    """Choose the form of a run: what is asked for, and of what is left open the fastest.

    Args:
        model: The network; its class, its size and the images decide where the result is kept.
        images: A batch as it will come, ``uint8 [n, channels, side, side]``.
        step: One training step in a form, on a copy of the network; it waits for the device.
        precision: As `lineage_lab.training.recipe.Recipe.precision`.
        memory_format: As `lineage_lab.training.recipe.Recipe.memory_format`.
        compiling: As `lineage_lab.training.recipe.Recipe.compile`.
        steps: Of the whole run, or ``None`` if it is not known.
        device: Where.

    Returns:
        The form, after a warm-up in it.
    """
    found = _CANDIDATES[device.type]
    if device.type == "cpu" and not _has_bf16():
        found = tuple((p, m) for p, m in found if p != "bf16")
    if precision != "auto":
        layout = "contiguous" if device.type == "mps" else "channels_last"
        found = ((precision, layout),)
    if memory_format != "auto":
        found = tuple(dict.fromkeys((p, memory_format) for p, _ in found))
    forms = [Form(precision=p, memory_format=m, compiled=compiling == "on") for p, m in found]
    if len(forms) > 1 or (memory_format == "auto" and device.type != "mps"):
        return _fastest(model, images, step, forms, memory_format, compiling, steps, device)
    for _ in range(WARMUP):
        step(forms[0])
    return forms[0]


def _has_bf16() -> bool:
    """Whether torch's kernels of this processor take bf16.

    Without them (AVX2 and older) a convolution in bf16 is some 15 times as slow as in fp32: one
    step of ResNet-50, tried in vain, would take minutes.
    """
    # A torch that was built without oneDNN, as for a Mac, has no such operator.
    known = hasattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
    return known and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _fastest(
    model: nn.Module,
    images: Tensor,
    step: Callable[[Form], object],
    forms: list[Form],
    memory_format: str,
    compiling: str,
    steps: int | None,
    device: torch.device,
) -> Form:
    kept = _kept_file()
    question = (type(model).__name__, sum(p.numel() for p in model.parameters()),
                tuple(images.shape), [str(form) for form in forms], compiling,
                device_name(device), _processor(), torch.get_num_threads(), torch.__version__,
                torch.version.cuda, __version__)  # fmt: skip
    key = hashlib.sha256(repr(question).encode()).hexdigest()[:24]
    if form := _remembered(kept, key):
        for _ in range(WARMUP):
            step(form)
        return form
    seconds: dict[Form, float] = {}

    def run(form: Form) -> None:
        for _ in range(LAPS):
            start = time.perf_counter()
            step(form)
            lap = time.perf_counter() - start
            seconds[form] = min(lap, seconds.get(form, lap))

    for form in forms:
        run(form)
    best = min(seconds, key=seconds.__getitem__)
    if memory_format == "auto" and device.type != "mps":
        run(Form(precision=best.precision, memory_format="contiguous", compiled=best.compiled))
    # A slow moment of the machine may have met one form alone, and the choice is kept for good.
    first, *others = sorted(seconds, key=seconds.__getitem__)
    if others and seconds[others[0]] < CLOSE * seconds[first]:
        run(others[0])
    best = min(seconds, key=seconds.__getitem__)
    if compiling == "auto" and steps and steps * seconds[best] > EARNS_BACK:
        run(Form(precision=best.precision, memory_format=best.memory_format, compiled=True))
        best = min(seconds, key=seconds.__getitem__)
    rates = tuple((str(form), len(images) / s) for form, s in seconds.items())
    best = Form(precision=best.precision, memory_format=best.memory_format,
                compiled=best.compiled, images_per_second=rates)  # fmt: skip
    _remember(kept, key, best)
    return best


def _kept_file() -> Path:
    folder = os.environ.get("LINEAGE_LAB_CACHE") or Path.home() / ".cache" / "lineage-lab"
    return Path(folder) / "trials.json"


def _remembered(file: Path, key: str) -> Form | None:
    """What an earlier trial chose; a file that can't be read is as if it weren't there."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))[key]
        rates = tuple((str(name), float(rate)) for name, rate in found["images_per_second"])
        form = Form(precision=found["precision"], memory_format=found["memory_format"],
                    compiled=found["compiled"] is True, images_per_second=rates)  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = form.precision in ("fp32", "tf32", "bf16", "fp16") and form.memory_format in _LAYOUTS
    return form if known else None


def _remember(file: Path, key: str, form: Form) -> None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        found = found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        found = {}
    try:
        write_whole(file, json.dumps({**found, key: asdict(form)}, indent=1) + "\n")
    except OSError:  # a cache that can't be written costs time, not the run
        return


def _processor() -> str:
    """The processor's model and the instructions that decide how fast half precision is."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    lines = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    found = {name.strip(): value.strip() for name, value in lines.items()}
    flags = [f for f in ("avx512_bf16", "amx_bf16", "avx2") if f in found.get("flags", "").split()]
    return " ".join((found.get("model name", ""), *flags))
