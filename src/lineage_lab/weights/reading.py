"""Files of weights: what stands in one, whoever wrote it, without running any code of it.

Formats: safetensors, also in shards with their index; what `torch.save` wrote (``.pth``, ``.pt``,
``.bin``, ``.ckpt``), by ``weights_only``; NumPy's ``.npz`` without pickles; a run's own
checkpoints. What a training put around the tensors is taken off, and said.
"""

import argparse
import json
import pathlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import torch
from torch import Tensor

from lineage_lab.files import is_sealed, unseal

__all__ = ["SUFFIXES", "WeightsFile", "is_weights_path", "read"]

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".npz", ".ckpt", ".tar", ".json")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
# What save_pretrained leaves in a folder, and timm's and torch's habits; the first that is there.
IN_FOLDER = (INDEXES[0], "model.safetensors", INDEXES[1], "pytorch_model.bin", "best.safetensors",
             "best.ckpt")  # fmt: skip
# Keys under which trainings put their weights. A moving average goes first: it is what they
# validated. The order is timm's (timm/models/_helpers.py, load_state_dict).
INSIDE = ("state_dict_ema", "model_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict",
          "model_state", "model", "net", "network", "module", "weights", "params",
          "state")  # fmt: skip
WRAPPERS = ("module", "_orig_mod")
# Plain classes that trainings save beside their weights; none of them runs code.
PLAIN = (argparse.Namespace, pathlib.PosixPath, pathlib.PurePosixPath, pathlib.PureWindowsPath)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """What a file of weights holds.

    Attributes:
        path: The file, or the index of its shards.
        tensors: By name, as they stand in the file.
        metadata: Texts that the file carries with them: safetensors' own, or a checkpoint's
            fields.
        config: ``config.json`` beside the file, as save_pretrained and timm write it.
        unpacked: What was taken off on the way to the tensors, such as ``state_dict_ema``.
        passed_over: Other weights in the same file that were not taken.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    unpacked: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


def is_weights_path(weights: object) -> bool:
    """Whether what was given as weights is a file's path, not the name of published ones."""
    if isinstance(weights, Path):
        return True
    text = str(weights)
    return "/" in text or "\\" in text or text.lower().endswith(SUFFIXES)


def read(path: str | Path) -> WeightsFile:
    """Read a file of weights, or a folder that save_pretrained wrote.

    Args:
        path: The file, a shard, the index of the shards, or a folder that holds one of these.

    Returns:
        Its tensors, on the CPU.

    Raises:
        FileNotFoundError: There is no such file, or the folder holds none.
        ValueError: It can't be read without running code, is damaged, is no file of weights, or
            its index leads out of its folder.
    """
    path = Path(path)
    if path.is_dir():
        path = _in_folder(path)
    if not path.exists():
        raise FileNotFoundError(
            f"there is no file of weights {path}: is the path right? (Published weights have names "
            "without a slash and an ending, such as imagenet)"
        )
    if not path.is_file():
        raise ValueError(f"{path} is no file: give the path of a file of weights")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes): the download or the copy broke off")
    index = _index_of(path)
    if index:
        path, found = index, _shards(index)
    elif path.suffix == ".json":
        raise ValueError(f"{path} is no index of shards (*.index.json): give the file of weights")
    else:
        found = _one(path)
    return replace(_unpacked(found), config=_config(path.parent))


def _in_folder(folder: Path) -> Path:
    for name in IN_FOLDER:
        if (folder / name).is_file():
            return folder / name
    there = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.suffix != ".json")
    if len(there) == 1:
        return there[0]
    what = ", ".join(p.name for p in there[:8]) or "no file of weights"
    raise FileNotFoundError(f"{folder} holds {what}: give the path of one file")


def _index_of(path: Path) -> Path | None:
    """The index, where the file is one or is one of several shards."""
    if path.name.endswith(".index.json"):
        return path
    stem, of, rest = path.stem.rpartition("-of-")
    if not (of and rest.isdigit()):
        return None
    whole = stem.rpartition("-")[0]
    index = path.with_name(f"{whole}{path.suffix}.index.json")
    if not index.is_file():
        raise FileNotFoundError(
            f"{path} is one of {int(rest)} shards, and their index {index.name} is not beside it: "
            "bring the whole folder"
        )
    return index


def _shards(index: Path) -> WeightsFile:
    """All shards that an index names, each inside its folder."""
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        if not (isinstance(places, dict) and places):
            raise ValueError("weight_map is empty")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{index} is no index of shards: {error!r}") from error
    names = list(dict.fromkeys(places.values()))
    for name in names:
        inside = isinstance(name, str) and not (
            PurePosixPath(name).is_absolute()
            or PureWindowsPath(name).drive
            or PureWindowsPath(name).root
            or {"..", ""} & set(name.replace("\\", "/").split("/"))
        )
        if not inside:
            raise ValueError(
                f"{index} was refused: its shard {name!r} leads out of its folder. Nothing was "
                "read. Ask its sender where it comes from"
            )
        if not (index.parent / name).is_file():
            raise FileNotFoundError(f"{index} names the shard {name}, which is not there: bring it")
    tensors: dict[str, Tensor] = {}
    for name in names:
        shard = _one(index.parent / name).tensors
        wanted = {tensor for tensor, place in places.items() if place == name}
        if wanted != set(shard):
            odd = sorted(wanted ^ set(shard))
            raise ValueError(
                f"{index} does not fit its shard {name}: {len(odd)} tensor(s) are in one of them "
                f"alone, {_few(odd)}. The shards are of another save: bring them all again"
            )
        tensors |= shard
    return WeightsFile(path=index, tensors=tensors)


def _one(path: Path) -> WeightsFile:
    """One file, by what it holds; its ending decides between the formats that look alike."""
    with path.open("rb") as file:
        begin = file.read(16)
    if is_sealed(path):
        return _checkpoint(path)
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix == ".safetensors" or (begin[8:9] == b"{" and begin[:2] != b"PK"):
        return _safetensors(path)
    return _pickled(path)


def _safetensors(path: Path) -> WeightsFile:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(
            f"{path} is no whole safetensors file: {error}. It was cut off or is another kind of "
            "file: bring it again"
        ) from error
    return WeightsFile(path=path, tensors=tensors, metadata=metadata)


def _npz(path: Path) -> WeightsFile:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            tensors = {name: torch.from_numpy(file[name]) for name in file.files}
    except Exception as error:  # whatever a hostile file provokes
        raise ValueError(
            f"{path} was refused: it is no archive of plain arrays ({error}). Arrays of objects "
            "are pickles, which might run code; nothing of it was run"
        ) from error
    return WeightsFile(path=path, tensors=tensors)


def _checkpoint(path: Path) -> WeightsFile:
    with path.open("rb") as file:
        unseal(file, path)
        content = _load(file, path)
    if not isinstance(content, dict) or not isinstance(content.get("state"), dict):
        raise ValueError(f"{path} is no sound checkpoint: it has no tensors under 'state'")
    metadata = {key: value for key, value in content.items() if key not in ("state", "training")}
    return WeightsFile(path=path, tensors=content["state"], metadata=metadata)


def _pickled(path: Path) -> WeightsFile:
    content = _load(path, path)
    if isinstance(content, Mapping):
        texts = {str(key): value for key, value in content.items() if isinstance(value, str)}
        return WeightsFile(path=path, tensors=content, metadata=texts)
    raise ValueError(
        f"{path} holds a {type(content).__name__}, not tensors by their names: save "
        "model.state_dict()"
    )


def _load(file: Any, path: Path) -> Any:
    """`torch.load` that runs nothing, and takes the plain values that trainings put in."""
    try:
        with (
            torch.serialization.safe_globals([*PLAIN, *_numpy_scalars()]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # about legacy storages
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a hostile file provokes
        words = str(error)
        if "nsupported" in words or "weights_only" in words or "Weights only" in words:
            raise ValueError(
                f"{path} was refused: it holds more than tensors and plain values"
                f"{_culprit(words)}, and might run code when it is opened (weights_only=True). "
                "Nothing of it was run. Where you trust its sender, save model.state_dict() there "
                "and bring that"
            ) from error
        raise ValueError(
            f"{path} can't be read as a file of weights: {words.splitlines()[0][:200]}. It is "
            "damaged, cut off, or another kind of file"
        ) from error


def _culprit(words: str) -> str:
    """The class that torch would not make, from its message."""
    for mark in ("GLOBAL ", "Unsupported class ", "Unsupported global: GLOBAL "):
        if mark in words:
            return f" ({words.split(mark, 1)[1].split()[0].strip('`.,')})"
    return ""


def _numpy_scalars() -> Iterator[Any]:
    """A metric that was computed with NumPy is saved as a call of these."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    yield np.dtype
    yield (scalar, "numpy.core.multiarray.scalar")
    yield (scalar, "numpy._core.multiarray.scalar")
    for name in ("Float64DType", "Float32DType", "Int64DType", "Int32DType", "BoolDType"):
        yield getattr(np.dtypes, name)


def _unpacked(file: WeightsFile) -> WeightsFile:
    """The tensors themselves, out of what a training saved around them."""
    content: Mapping[str, Any] = file.tensors
    unpacked: list[str] = []
    passed_over: list[str] = []
    for _ in range(4):
        if any(isinstance(value, Tensor) for value in content.values()):
            break
        inner = [key for key in INSIDE if _holds_tensors(content.get(key))]
        inner = inner or [key for key, value in content.items() if _holds_tensors(value)]
        if not inner:
            break
        passed_over += inner[1:] if inner[0] in INSIDE else []
        if inner[0] not in INSIDE and len(inner) > 1:
            raise ValueError(
                f"{file.path} holds tensors in {len(inner)} places, {_few(inner)}, and which of "
                "them are the weights is not known: save the one that is meant by itself"
            )
        unpacked.append(inner[0])
        content = content[inner[0]]
    loose = [key for key, value in content.items() if not isinstance(value, Tensor)]
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(
            f"{file.path} holds no tensors: only {_few([str(key) for key in content])}"
        )
    return replace(
        file,
        tensors=tensors,
        unpacked=tuple(unpacked),
        passed_over=(*passed_over, *map(str, loose)),
    )


def _holds_tensors(value: object) -> bool:
    """Whether it is a state dict, or holds one under a name that is known."""
    if not isinstance(value, Mapping) or not value:
        return False
    return any(isinstance(inner, Tensor) for inner in value.values()) or any(
        _holds_tensors(value.get(key)) for key in INSIDE
    )


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
