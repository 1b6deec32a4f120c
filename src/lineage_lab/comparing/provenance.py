"""Where and with what something was measured: hardware, versions, date."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from lineage_lab import __version__

__all__ = ["provenance"]


def provenance() -> dict[str, str]:
    """Hardware, versions and date, in words.

    Returns:
        ``processor``, ``cores``, ``threads`` (torch's), ``bf16_instructions``, ``memory`` (of
        the machine, in GiB), ``gpu`` (its name, or ``none``), ``system``, ``python``, ``torch``,
        ``cuda`` (that torch was built for, or ``none``), ``torchvision``, ``timm`` (or ``none``),
        ``lineage_lab`` and ``date``.

    Examples:
        >>> sorted(provenance())[:3]
        ['bf16_instructions', 'cores', 'cuda']
    """
    processor, flags = _processor()
    bf16 = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags.split()]
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "bf16_instructions": ", ".join(bf16) or "none known",
        "memory": _memory(),
        "gpu": _gpu(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "none",
        "torchvision": _version("torchvision"),
        "timm": _version("timm"),
        "lineage_lab": __version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> tuple[str, str]:
    """Its name and its flags, as far as the system tells."""
    processor, flags = platform.processor() or platform.machine(), ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        facts = {
            key.strip(): value.strip()
            for key, _, value in (line.partition(":") for line in info.read_text().splitlines())
            if key.strip() in ("model name", "flags")
        }
        processor, flags = facts.get("model name", processor), facts.get("flags", "")
    return processor, flags


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return "not known"
    return f"{size / 2**30:.0f} GiB"


def _gpu() -> str:
    if torch.cuda.is_available():
        return ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return "Apple GPU" if torch.backends.mps.is_available() else "none"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
