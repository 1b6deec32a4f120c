"""Checkpoints: all that a trained network needs, in one file that can tell whether it is whole.

The file begins with three lines: what it is, the SHA-256 of all that follows them, and its
length in bytes. Then come the bytes of `torch.save`. Every load compares the hash, since torch
itself loads flipped bits without a word; and every load is ``weights_only=True``, so that a
stranger's file can't run code.
"""

import json
import logging
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from glob import escape
from pathlib import Path
from typing import IO, Any, cast

import torch
from torch import Tensor

from lineage_lab.files import HEADER_LENGTH, Hashed, header, unseal, write_whole, writing

__all__ = ["Checkpoint", "files", "load", "newest", "save", "save_safetensors"]

logger = logging.getLogger(__name__)

DEEPEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A network at one moment of its training.

    Attributes:
        model: Name of the network in the registry, or the expression that builds it.
        classes: Names of the classes, in the order of the scores.
        preprocessing: How a file becomes the network's input: plain values.
        recipe: How it was trained: plain values.
        state: The network's tensors by their names, all finite.
        training: What resuming needs (optimizer, schedule, random states, epoch, step, moving
            average): plain values and finite tensors; ``None`` if nobody is to resume.
        metrics: What was measured so far: plain values.
        form: The network's form, where its tensors don't tell it: see
            `lineage_lab.weights.forms.Form`.
    """

    model: str
    classes: tuple[str, ...]
    preprocessing: dict[str, Any]
    recipe: dict[str, Any]
    state: dict[str, Tensor]
    training: dict[str, Any] | None
    metrics: dict[str, Any]
    form: dict[str, Any] = field(default_factory=dict)


def save(path: Path, checkpoint: Checkpoint, *, keep_previous: bool = False) -> None:
    """Write a checkpoint beside its place, sync it, and rename it.

    One run at a time may save under a name: what a killed one left half written is removed.

    Args:
        path: Where to, such as ``run/last.ckpt``; missing folders are made.
        checkpoint: What to write.
        keep_previous: What has the name now becomes ``last-1.ckpt`` (with ``path``'s own name),
            so that a file that goes bad on the disk costs one step back, not the run.

    Raises:
        ValueError: A tensor is not finite, or a value is not plain; the message names it.
            Nothing was written.
        OSError: The disk is full, or the folder can't be written to. What was there is whole.
    """
    path = Path(path)
    content = {f.name: getattr(checkpoint, f.name) for f in fields(Checkpoint)}
    content["state"] = dict(checkpoint.state)  # not its `_metadata`
    if wrong := next(_faults(content), None):
        raise ValueError(f"{path} was not written: {wrong}. What was there before is as it was")
    for left in path.parent.glob(f".{escape(path.name)}.*"):
        left.unlink(missing_ok=True)
    previous = path.with_name(f"{path.stem}-1{path.suffix}") if keep_previous else None
    with writing(path, previous=previous) as file:
        file.write(b"\0" * HEADER_LENGTH)
        payload = Hashed(file)
        try:
            torch.save(content, cast(IO[bytes], payload))
        except RuntimeError as error:  # torch's own word for a write that failed or was stopped
            cause = error.__context__
            stopped = cause if isinstance(cause, KeyboardInterrupt) else None
            raise payload.failed or stopped or error from error
        file.seek(0)
        file.write(header(payload))


def save_safetensors(
    path: Path, checkpoint: Checkpoint, *, names: Mapping[str, str] | None = None
) -> None:
    """Write the network alone as safetensors, with what it takes to use it as metadata.

    The metadata are texts: ``model``, and as JSON ``classes``, ``preprocessing``, ``recipe``,
    ``form`` and ``metrics``. ``scores`` says that what the network gives are logits.

    Args:
        path: Where to, such as ``run/best.safetensors``.
        checkpoint: The network.
        names: Other names for the tensors, by ours; ``None`` for ours.

    Raises:
        OSError: It can't be written; an older file of this name is as it was.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.state.items()}
    if names is not None:
        state = {names[name]: tensor for name, tensor in state.items()}
    places: set[int] = set()
    for name, tensor in state.items():  # the format holds no tensor under two names
        if tensor.data_ptr() in places:
            state[name] = tensor.clone()
        places.add(tensor.data_ptr())
    fields_ = {key: json.dumps(getattr(checkpoint, key), ensure_ascii=False)
               for key in ("classes", "preprocessing", "recipe", "form", "metrics")}  # fmt: skip
    metadata = {"format": "pt", "model": checkpoint.model, "scores": "logits"}
    write_whole(path, save(state, metadata | fields_))


def load(
    path: Path, *, model: str | None = None, classes: Sequence[str] | None = None
) -> Checkpoint:
    """Read a checkpoint, after its hash was compared.

    Args:
        path: The file.
        model: The network that it must be of; ``None`` for any.
        classes: The classes that it must know, in their order; ``None`` for any.

    Returns:
        What was saved, all tensors on the CPU.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not a whole, sound checkpoint of this network and these classes; the
            message says what it is instead and what to do.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no checkpoint {path}: is the path right?")
    if not path.is_file():
        raise ValueError(f"{path} is no file: give the path of a checkpoint, such as last.ckpt")
    with path.open("rb") as file:
        unseal(file, path)
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # whatever a hostile file provokes
            raise ValueError(
                f"{path} was refused: it holds more than tensors and plain values, and might "
                "run code when it is opened. Nothing of it was run. Don't use this file; ask "
                f"its sender where it comes from ({_first_sentence(error)})"
            ) from error
    if isinstance(content, dict):
        content.setdefault("form", {})  # files of format 1 have none
    if wrong := next(_faults(content), None):
        raise ValueError(
            f"{path} is no sound checkpoint: {wrong}. Take another one, or train again"
        )
    saved = Checkpoint(**content)
    # Runs of before call a network that is not ours by its class alone.
    if model is not None and saved.model not in (model, model.partition("(")[0].rpartition(".")[2]):
        raise ValueError(
            f"{path} is a checkpoint of {saved.model}, not of {model}: ask for {saved.model}, or "
            "choose another file or another folder for this run"
        )
    if classes is not None and saved.classes != tuple(classes):
        raise ValueError(
            f"{path} was trained for other classes: {_difference(saved.classes, tuple(classes))}. "
            "Use the data that it was trained on, or choose another folder for this run"
        )
    return saved


def files(folder: str | Path) -> tuple[Path, ...]:
    """Checkpoints that stand in a folder, by name; those half written are none."""
    paths = Path(folder).glob("*.ckpt")
    return tuple(sorted(p for p in paths if p.is_file() and not p.name.startswith(".")))


def newest(folder: Path) -> Path:
    """The checkpoint of a run to go on from: ``last.ckpt``, or the next best that is sound.

    If ``last.ckpt`` is missing or bad, all others are read. One that can be resumed goes before
    one that can't, then counts the step that it was saved at (``training["step"]``), then the
    file's time. The log tells which were passed over, and why.

    Args:
        folder: The run's folder.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: The folder holds no checkpoint.
        ValueError: None of its checkpoints is sound; the message says of each why.
    """
    folder = Path(folder)
    last = folder / "last.ckpt"
    paths = sorted(p for p in folder.glob("*.ckpt") if p != last and not p.name.startswith("."))
    if not paths and not last.exists():
        raise FileNotFoundError(
            f"there is no checkpoint in {folder}: is it the folder that the run was told to "
            "write to? A run that was stopped before its first save starts anew"
        )
    refused: list[str] = []

    def rank(path: Path) -> tuple[bool, int, int] | None:
        try:
            training = load(path).training
            age = path.stat().st_mtime_ns
        except (OSError, ValueError) as error:
            logger.warning("passed over: %s", error)
            refused.append(str(error))
            return None
        step = (training or {}).get("step", 0)
        return training is not None, step if isinstance(step, int) else 0, age

    if last.exists() and rank(last):
        return last
    ranked = [(place, path) for path in paths if (place := rank(path))]
    if not ranked:
        reasons = "\n  ".join(refused)
        raise ValueError(
            f"no checkpoint in {folder} can be used:\n  {reasons}\nStart anew in another folder"
        )
    return max(ranked)[1]


# Exactly these: a subclass (NumPy's float64, torch's version string) is saved as code to call.
_PLAIN = (type(None), bool, int, float, str)
_SCHEMA: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "classes": (tuple,),
    "preprocessing": (dict,),
    "recipe": (dict,),
    "state": (dict,),
    "training": (dict, type(None)),
    "metrics": (dict,),
    "form": (dict,),
}


def _faults(content: object) -> Iterator[str]:
    """What is wrong with a checkpoint's content, in words."""
    if type(content) is not dict or set(content) != set(_SCHEMA):
        yield f"it does not have the fields {', '.join(_SCHEMA)}"
        return
    for name, types in _SCHEMA.items():
        if type(content[name]) not in types:
            yield f"its field {name!r} is of type {type(content[name]).__name__}"
            return
    if not content["classes"] or any(type(name) is not str for name in content["classes"]):
        yield "its field 'classes' is not one name or more"
    for name, tensor in content["state"].items():
        if type(name) is not str or not isinstance(tensor, Tensor):
            yield f"its field 'state' has {name!r}, which is no tensor with a name"
        else:
            yield from _not_finite(tensor, f"state[{name!r}]")
    for name in ("preprocessing", "recipe", "metrics", "form"):
        yield from _not_plain(content[name], name, tensors=False)
    yield from _not_plain(content["training"], "training", tensors=True)


def _not_plain(value: object, where: str, *, tensors: bool, depth: int = 0) -> Iterator[str]:
    if depth > DEEPEST:
        yield f"{where[:40]}… is nested more than {DEEPEST} deep"
    elif type(value) in (dict, OrderedDict):
        for key, inner in cast(dict[object, object], value).items():
            if type(key) not in _PLAIN:
                yield f"{where} has a key of type {type(key).__name__}, which is not plain"
            yield from _not_plain(inner, f"{where}[{key!r}]", tensors=tensors, depth=depth + 1)
    elif type(value) in (list, tuple):
        for i, inner in enumerate(cast(Sequence[object], value)):
            yield from _not_plain(inner, f"{where}[{i}]", tensors=tensors, depth=depth + 1)
    elif tensors and isinstance(value, Tensor):
        yield from _not_finite(value, where)
    elif type(value) not in _PLAIN:
        kind = f"{type(value).__module__}.{type(value).__name__}"
        yield f"{where} is of type {kind}, which is not plain: make it a number, a text, or a list"


def _not_finite(tensor: Tensor, where: str) -> Iterator[str]:
    if tensor.layout != torch.strided or tensor.is_meta:
        yield f"{where} holds no plain numbers"
    elif tensor.nbytes > tensor.untyped_storage().nbytes():
        yield f"{where} is an expanded view, larger than what it stores: call contiguous() on it"
    elif tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        count = int((~torch.isfinite(tensor)).sum())
        yield f"{where} holds {count} number(s) that are NaN or infinite"


def _difference(saved: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    def few(names: Sequence[str]) -> str:
        return ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")

    if set(saved) == set(wanted):
        return f"the same ones in another order, {few(saved)}"
    only_there = [name for name in saved if name not in wanted]
    only_here = [name for name in wanted if name not in saved]
    parts = [f"only it knows {few(only_there)}"] if only_there else []
    parts += [f"it does not know {few(only_here)}"] if only_here else []
    return "; ".join(parts)


def _first_sentence(error: Exception) -> str:
    text = str(error).replace("WeightsUnpickler error: ", "").strip() or type(error).__name__
    return re.split(r"[.\n]\s", text.split("\n\t")[-1])[0][:200]
