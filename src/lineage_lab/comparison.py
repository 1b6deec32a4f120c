"""The exercise: several backbones, one budget, the same images, a few seeds, one table.

The seed decides the split, the new head's first weights, the order and the augmentation, so
that each network meets the same ones. Neighbours: `lineage_lab.finetuning` does each run;
`lineage_lab.runs` and `lineage_lab.results` hold what came of them; `lineage_lab.cli` prints the
table.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lineage_lab import registry
from lineage_lab.anatomy import describe
from lineage_lab.data import ImageSet, load, split
from lineage_lab.files import write_whole
from lineage_lab.finetuning import History, finetune
from lineage_lab.provenance import provenance
from lineage_lab.recipe import Recipe, recipe_for
from lineage_lab.results import Comparison
from lineage_lab.runs import RANDOM, SCHEMA, Row, Run, read_run, to_text
from lineage_lab.starting import StartingPoint, starting_point

__all__ = ["Comparison", "Row", "Run", "compare"]

_provenance = provenance  # benchmarks/finetune.py takes it from here

logger = logging.getLogger(__name__)


def compare(
    names: Sequence[str],
    data: str | Path,
    recipe: Recipe | None = None,
    seeds: int | Sequence[int] = 3,
    *,
    limit: int | None = None,
    random_weights: bool = False,
    out: str | Path | None = None,
    resume: bool = False,
    on_step: Callable[[str, int, int, int, float], None] | None = None,
    **changes: Any,
) -> Comparison:
    """Fine-tune each network on the same images with the same budget.

    All names, weights and images are found before anything is trained.

    Args:
        names: Of `lineage_lab.list_models`, or ``timm/NAME``; each once.
        data: What `lineage_lab.data.load` takes.
        recipe: The same for each network. If ``None``, each has the recipe of its family (see
            `lineage_lab.recipe.recipe_for`). Its seed is not used.
        seeds: The seeds, or how many: 0, 1, 2 …
        limit: Use at most about so many images.
        random_weights: Start from random weights; every row says so.
        out: Folder in whose ``runs`` each finished run is kept at once, a JSON file each. Runs
            that several machines made can be put into one such folder.
        resume: Take the runs that are kept in `out` and were made just so: the same network,
            weights, images, seed, recipe and versions. A run that was interrupted goes on from
            its last checkpoint; the others are trained.
        on_step: Called after each training step with the network's name, the seed, the step
            from 1, the number of steps, and the loss.
        **changes: Fields to set in each recipe, such as ``epochs=3`` or ``minutes=10``.

    Returns:
        The table.

    Raises:
        ValueError: An unknown name, a name twice, no seed, a network that takes no published
            weights, `resume` without `out`, or a kept run that can't be read.
        WeightsUnavailable: Weights that can't be had; the message says what to do.
        FileNotFoundError: No such data.
        OSError: A run can't be kept in `out`.
    """
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not names or not chosen:
        raise ValueError("compare needs one network or more, and one seed or more")
    for what in (names, chosen):
        if len(set(what)) < len(what):
            raise ValueError(f"each network and each seed once: {', '.join(map(str, what))}")
    if resume and out is None:
        raise ValueError("resume=True takes finished runs from a folder: give it as out=FOLDER")
    folder = None if out is None else Path(out) / "runs"
    if folder:
        folder.mkdir(parents=True, exist_ok=True)  # found out now, not after the first run
    starts = [starting_point(name, random=random_weights) for name in names]
    recipes = [replace(recipe or recipe_for(s.entry.family), **changes) for s in starts]
    sets = [_images(data, start.entry) for start in starts]
    rows: list[Row] = []
    summary: dict[str, Any] = {}
    for start, own, images in zip(starts, recipes, sets, strict=True):
        entry = start.entry
        fingerprint = images.fingerprint
        runs = []
        for seed in chosen:
            train, val = split(images, seed=seed, limit=limit)
            key = _key(start, replace(own, seed=seed), fingerprint, limit)
            file = folder and folder / _file(key)
            if file and resume and file.is_file():
                runs.append(_kept(file, key))
                logger.warning("%s, seed %d: taken from %s", entry.name, seed, file)
                continue
            unfinished = file and file.with_suffix(".unfinished")
            run = _run(start, train, val, replace(own, seed=seed),
                       folder=unfinished, resume=resume, on_step=on_step)  # fmt: skip
            runs.append(run)
            if file and unfinished:
                write_whole(file, to_text({"schema": SCHEMA, "key": key, "run": asdict(run)}))
                shutil.rmtree(unfinished, ignore_errors=True)
        summary = summary or {
            "name": images.name,
            "licence": images.licence,
            "classes": list(images.classes),
            "train": len(train),
            "val": len(val),
            "drawn_by_seed": not images.validation or limit is not None,
        }
        model = registry.create_model(entry.name, num_classes=len(images.classes))
        anatomy = describe(model, entry.input_size)
        rows.append(
            Row(
                name=entry.name,
                weights=start.weights or RANDOM,
                weights_file=start.file,
                sha256=start.sha256,
                parameters=anatomy.parameters,
                macs=anatomy.macs,
                input_size=entry.input_size,
                fingerprint=fingerprint,
                recipe=_settings(own),
                runs=tuple(runs),
            )
        )
    return Comparison(rows=tuple(rows), data=summary, limit=limit)


def _images(data: str | Path, entry: registry.Entry) -> ImageSet:
    images = load(data, size=entry.input_size[-1])
    if entry.input_size[0] == 1 and images.images.shape[1] != 1:
        raise ValueError(f"{entry.name} takes grey images, but {images.name} is in colour")
    return images


def _run(
    start: StartingPoint,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe,
    *,
    folder: Path | None,
    resume: bool,
    on_step: Callable[[str, int, int, int, float], None] | None,
) -> Run:
    def report(step: int, steps: int, loss: float) -> None:
        if on_step:
            on_step(start.entry.name, recipe.seed, step, steps, loss)

    history = finetune(
        start.model(len(train.classes), seed=recipe.seed),
        train,
        val,
        recipe,
        mean=start.mean,
        std=start.std,
        name=start.entry.name,
        folder=folder,
        resume=resume,
        on_step=report,
    )
    return _recorded(history, recipe.seed, val)


def _recorded(history: History, seed: int, val: ImageSet) -> Run:
    return Run(
        seed=seed,
        accuracy=history.val_accuracy,
        truth=tuple(val.labels.tolist()),
        answers=history.answers,
        losses=history.losses,
        epochs=history.epochs,
        seconds=history.train_seconds,
        warmup_seconds=history.warmup_seconds,
        images_trained=history.images_trained,
        peak_memory=history.peak_memory,
        memory_kind=history.memory_kind,
        energy_joules=history.energy_joules,
        device=history.device,
        precision=history.precision,
        memory_format=history.memory_format,
        compiled=history.compiled,
        provenance=provenance(),
    )


def _settings(recipe: Recipe) -> dict[str, Any]:
    """The recipe but for its seed, as JSON gives it back."""
    found: dict[str, Any] = json.loads(json.dumps(recipe.to_dict()))
    del found["seed"]
    return found


def _key(
    start: StartingPoint, recipe: Recipe, fingerprint: str, limit: int | None
) -> dict[str, Any]:
    """What decides a run's result; two runs with the same key can stand for each other."""
    here, name = provenance(), start.entry.name
    packages = ("torch", "lineage_lab", *(("timm",) if name.startswith("timm/") else ()))
    return {
        "name": name,
        "weights": start.sha256 or RANDOM,
        "images": fingerprint,
        "limit": limit,
        "seed": recipe.seed,
        "recipe": _settings(recipe),
        "versions": {package: here[package] for package in packages},
    }


def _file(key: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return f"{key['name'].replace('/', '-')}-seed{key['seed']}-{digest[:16]}.json"


def _kept(file: Path, key: dict[str, Any]) -> Run:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if (found["schema"], found["key"]) != (SCHEMA, key):
            raise ValueError("its key is not that of its name")
        return read_run(found["run"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{file} is no run that can be taken up again: {error}. Delete it, and the run is "
            "made anew"
        ) from error
