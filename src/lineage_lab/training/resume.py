"""What a run leaves in its folder, and how another one goes on from there."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.data.sets import ImageSet, Preprocessing
from lineage_lab.heads import plain_names
from lineage_lab.training import checkpoint
from lineage_lab.training.checkpoint import Checkpoint
from lineage_lab.training.checks import check_device
from lineage_lab.training.decision import Decision
from lineage_lab.training.history import Epoch
from lineage_lab.training.pretrained import recorded_form
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.run import Progress, Run

__all__ = [
    "find_checkpoint",
    "preprocessing_of",
    "recipe_in_its_form",
    "refuse_earlier_run",
    "restore",
    "save",
]

logger = logging.getLogger(__name__)

# Lines of the recipe with which a run may go on that was begun with others.
MOVES = ("workers", "device", "epochs")


def save(
    run: Run,
    folder: str | Path,
    *,
    name: str,
    best: bool = False,
    decision: Decision | None = None,
) -> Path:
    """Write ``last.ckpt``, to go on from, or ``best.ckpt``, to use, and ``best.safetensors``.

    Args:
        run: The run.
        folder: Folder of the file.
        name: Name of the network.
        best: Which of the two.
        decision: How answers follow from scores, for ``best.ckpt``.

    Returns:
        The file.

    Raises:
        ValueError: See `lineage_lab.training.checkpoint.save`.
        OSError: The disk is full, or the folder can't be written to.
    """
    path = Path(folder) / ("best.ckpt" if best else "last.ckpt")
    curve = run.progress.curve
    content = Checkpoint(
        model=name,
        classes=tuple(run.train.classes),
        preprocessing=preprocessing_of(run.train, run.prepare.mean, run.prepare.std),
        recipe=run.recipe.to_dict(),
        state=_named_state(run.result if best else run.model),
        training=None if best else _state(run),
        metrics={
            "val_accuracy": curve[-1].val_accuracy if curve else None,
            "val_score": curve[-1].val_score if curve else None,
            "epoch": len(curve),
            "data": run.train.name,
            **({"decision": decision.to_dict()} if decision is not None else {}),
        },
        form=recorded_form(run.model),
    )
    checkpoint.save(path, content, keep_previous=not best)
    if best:
        checkpoint.save_safetensors(path.with_suffix(".safetensors"), content)
    return path


def _named_state(model: nn.Module) -> dict[str, Tensor]:
    """A network's tensors, without the names of wrappers inside it."""
    state, names = model.state_dict(), plain_names(model)
    return {names[name]: tensor for name, tensor in state.items()}


def preprocessing_of(data: ImageSet, mean: Sequence[float], std: Sequence[float]) -> dict[str, Any]:
    """What a checkpoint keeps of the way from a file to the network's input.

    Args:
        data: Images that were trained on.
        mean: Mean of each channel.
        std: Standard deviation of each channel.
    """
    return Preprocessing(
        size=data.images.shape[-1],
        mean=tuple(mean),
        std=tuple(std),
        channels=data.images.shape[1],
        pixel_range=data.reading.pixel_range,
        page=data.reading.page,
    ).to_dict()


def _state(run: Run) -> dict[str, Any]:
    """What `restore` needs beside the network's tensors."""
    progress = run.progress
    cuda = [torch.cuda.get_rng_state(run.device)] if run.device.type == "cuda" else []
    return {
        "step": progress.epoch * run.batches + progress.batch,
        "epoch": progress.epoch,
        "batch": progress.batch,
        "seconds": progress.seconds,
        "images_trained": progress.images_trained,
        "accumulate": progress.accumulate,
        "best": list(progress.best) if progress.best is not None else None,
        "best_epoch": progress.best_epoch,
        "losses": list(progress.losses),
        "curve": [(e.train_loss, e.val_accuracy, e.seconds, e.val_score) for e in progress.curve],
        "optimizer": run.optimizer.state_dict(),
        "scaler": run.scaler.state_dict(),
        "average": run.average.state_dict() if run.average is not None else None,
        "random": [torch.get_rng_state(), *cuda],
        "form": [run.form.precision, run.form.memory_format, run.form.compiled],
        "data": run.train.fingerprint,
    }


def _fault(state: dict[str, Any]) -> str:
    """What is wrong with a training state, in words; empty if it has the form of `_state`."""
    for name, is_right in _FORM.items():
        if name not in state:
            return f"no field {name!r}"
        if not is_right(state[name]):
            return f"something else in its field {name!r} than such a run keeps there"
    return ""


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


_FORM: dict[str, Callable[[Any], bool]] = {
    "step": _is_count,
    "epoch": _is_count,
    "batch": _is_count,
    "seconds": _is_number,
    "images_trained": _is_count,
    "accumulate": lambda value: _is_count(value) and value > 0,
    "best": lambda value: (
        value is None
        or _is_number(value)
        or (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)))
    ),
    "losses": lambda value: isinstance(value, list) and all(map(_is_number, value)),
    "curve": lambda value: (
        isinstance(value, list)
        and all(isinstance(e, tuple | list) and len(e) >= 3 for e in value)
        and all(part is None or _is_number(part) for e in value for part in e)
    ),
    "optimizer": lambda value: isinstance(value, dict) and {"state", "param_groups"} <= set(value),
    "scaler": lambda value: isinstance(value, dict),
    "average": lambda value: value is None or isinstance(value, dict),
    "random": lambda value: (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(t, torch.Tensor) and t.dtype == torch.uint8 for t in value)
    ),
    "form": lambda value: (
        isinstance(value, list) and [type(part) for part in value] == [str, str, bool]
    ),
    "data": lambda value: isinstance(value, str),
}


def refuse_earlier_run(folder: str | Path) -> None:
    """A check that a folder holds no run yet, before anything is decoded or trained.

    Args:
        folder: The folder that a run is to write to.

    Raises:
        FileExistsError: It holds checkpoints; the message names the ways on.
    """
    if paths := checkpoint.files(folder):
        raise FileExistsError(
            f"{folder} holds a run already ({', '.join(path.name for path in paths)}), and nothing "
            "was changed: go on with it by --resume (resume=True), replace it by --overwrite "
            "(overwrite=True), or choose another folder"
        )


def find_checkpoint(
    folder: str | Path, *, name: str, recipe: Recipe, train: ImageSet
) -> Checkpoint | None:
    """The newest checkpoint of a run, to go on from; ``None`` if its folder holds none.

    Args:
        folder: The run's folder.
        name: Name of the network.
        recipe: The run's recipe.
        train: Images to train on.

    Raises:
        ValueError: It is of another network, other classes, another recipe or other images.
    """
    try:
        path = checkpoint.newest(Path(folder))
    except FileNotFoundError:
        return None
    saved = checkpoint.load(path, model=name, classes=train.classes)
    if saved.training is not None and (wrong := _fault(saved.training)):
        raise ValueError(
            f"{path} can't be gone on with: its training state has {wrong}. It may be of another "
            f"version. Its weights are whole: start anew from them by --weights {path} and another "
            "--out"
        )
    wanted = recipe.to_dict()
    before = Recipe().to_dict() | saved.recipe  # a file may be older than a line of the recipe
    other = [line for line, value in wanted.items() if before[line] != value]
    moves = [line for line in other if line in MOVES]
    if wanted["epochs"] < before["epochs"]:  # some of them may be behind it already
        moves = [line for line in moves if line != "epochs"]
    if other != moves or saved.training is None or saved.training["data"] != train.fingerprint:
        lines = [f"{line} {before[line]} there, {wanted[line]} here"
                 for line in other if line not in moves]  # fmt: skip
        what = f"the recipe ({'; '.join(lines)}) differs" if lines else (
            "the images to train on differ"
        )  # fmt: skip
        raise ValueError(
            f"{path} is of another run: {what}. Resume with what that run had, or start anew from "
            f"its weights by --weights {path}, with another --out"
        )
    for line in moves:
        logger.warning("goes on with %s=%s in place of %s", line, wanted[line], before[line])
    return saved


def recipe_in_its_form(recipe: Recipe, saved: Checkpoint, device: torch.device) -> Recipe:
    """The recipe, its form no longer open: the run goes on in the form that it had.

    Args:
        recipe: The run's recipe.
        saved: Where it goes on from.
        device: Where. On another kind of device than before, or on one that does not have that
            form, the recipe stays as it is, and the log says so.
    """
    was_on_cuda = len((saved.training or {})["random"]) > 1
    if was_on_cuda != (device.type == "cuda"):
        logger.warning(
            "the run was begun on %s and goes on on %s, in the form that suits it: its results are "
            "near, not equal, to those without the move",
            "cuda" if was_on_cuda else "another device than cuda",
            device.type,
        )
        return recipe
    precision, memory_format, compiled = (saved.training or {})["form"]
    in_form = replace(
        recipe,
        precision=precision,
        memory_format=memory_format,
        compile="on" if compiled else "off",
    )
    try:
        check_device(in_form, device)
    except ValueError as error:
        logger.warning("the run goes on in another form than it had: %s", error)
        return recipe
    return in_form


def restore(run: Run, saved: Checkpoint, folder: str | Path) -> None:
    """Set a run, its network and the random states to what a checkpoint holds.

    Args:
        run: The run, at its beginning.
        saved: What `find_checkpoint` found.
        folder: Folder in which it was found.

    Raises:
        ValueError: Its training state is not that of this network and recipe.
    """
    state = saved.training or {}
    try:
        names = plain_names(run.model)
        run.model.load_state_dict({mine: saved.state[name] for mine, name in names.items()})
        run.optimizer.load_state_dict(state["optimizer"])
        if state["scaler"]:
            run.scaler.load_state_dict(state["scaler"])
        if run.average is not None:
            run.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"][0])
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{folder}: its checkpoint does not fit this run ({words}): start anew from its "
            "weights by --weights, with another --out"
        ) from error
    curve = [Epoch(*values) for values in state["curve"]]
    best = tuple(state["best"]) if isinstance(state["best"], list) else None
    best_epoch = state.get("best_epoch", 0)
    if curve and isinstance(state["best"], int | float):  # of the accuracy, in older files
        best = (state["best"], -math.inf)
        best_epoch = 1 + max(range(len(curve)), key=lambda place: curve[place].val_accuracy)
    run.progress = Progress(
        accumulate=state["accumulate"],
        epoch=state["epoch"],
        batch=state["batch"],
        seconds=state["seconds"],
        images_trained=state["images_trained"],
        best=best,
        best_epoch=best_epoch,
        losses=list(state["losses"]),
        curve=curve,
    )
    if run.device.type == "cuda" and len(state["random"]) > 1:  # else it ran on a CPU so far
        torch.cuda.set_rng_state(state["random"][1], run.device)
    run.statistics.note()
