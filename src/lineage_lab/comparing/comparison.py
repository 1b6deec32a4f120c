"""The exercise: several backbones, one budget, the same images, a few seeds, one table.

The seed decides the split, the new head's first weights, the order and the augmentation, so
that each network meets the same ones.
"""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from lineage_lab import registry
from lineage_lab.anatomy.network import describe
from lineage_lab.comparing.provenance import provenance
from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import RANDOM, SCHEMA, Row, read_run, run_record, to_text
from lineage_lab.data.sets import ImageSet, Source, load
from lineage_lab.files import alone, write_whole
from lineage_lab.training.history import History
from lineage_lab.training.loop import finetune
from lineage_lab.training.pretrained import StartingPoint, starting_point
from lineage_lab.training.recipe import Recipe, recipe_for
from lineage_lab.training.validation import split_for

__all__ = ["Comparison", "compare", "compare_part", "refuse_earlier_runs"]

logger = logging.getLogger(__name__)

# Called after a training step: network, seed, step from 1, number of steps, loss.
OnStep = Callable[[str, int, int, int, float], None]
Images = str | Path | Source | Dataset[Any]


def compare(
    names: Sequence[str],
    data: Images,
    recipe: Recipe | None = None,
    seeds: int | Sequence[int] = 3,
    *,
    limit: int | None = None,
    random_weights: bool = False,
    weights: Mapping[str, Path] | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_step: OnStep | None = None,
    **changes: Any,
) -> Comparison:
    """Fine-tune each network on the same images with the same budget.

    All names, weights and images are found before anything is trained.

    Args:
        names: Names of `lineage_lab.list_models`, or ``timm/NAME``; each once.
        data: What `lineage_lab.data.sets.load` takes.
        recipe: The same for each network. If ``None``, each has the recipe of its family (see
            `lineage_lab.training.recipe.recipe_for`). Its seed is not used.
        seeds: The seeds, or how many: 0, 1, 2 …
        limit: Use at most about so many images.
        random_weights: Start from random weights; every row says so.
        weights: Files that some of `names` start from, in place of their published weights.
        out: Folder in whose ``runs`` each finished run is written at once, a JSON file each.
            Runs that several machines made can be put into one such folder.
        resume: Take the runs that are in `out` and were made just so: the same network,
            weights, images, seed, recipe and versions. A run that was interrupted goes on from
            its last checkpoint; the others are trained.
        overwrite: Train all of them, whatever is in `out`.
        on_step: Called after each training step with the network's name, the seed, the step
            from 1, the number of steps, and the loss.
        **changes: Fields to set in each recipe, such as ``epochs=3`` or ``minutes=10``.

    Returns:
        The table.

    Raises:
        ValueError: An unknown name, a name twice, no seed, a network that takes no published
            weights, `resume` without `out`, or a run in `out` that can't be read.
        WeightsUnavailable: Weights that can't be had; the message says what to do.
        FileNotFoundError: No such data.
        FileExistsError: `out` holds runs, and neither `resume` nor `overwrite` says what is to
            become of them.
        OSError: A run can't be written to `out`.

    Examples:
        >>> table = compare(["lenet5_modern"], "digits", seeds=2, limit=40, random_weights=True)
        >>> [(row.name, len(row.runs)) for row in table.rows]
        [('lenet5_modern', 2)]
    """
    if resume and out is None:
        raise ValueError("resume=True takes finished runs from a folder: give it as out=FOLDER")
    if out is not None and not resume and not overwrite:
        refuse_earlier_runs(out)
    with nullcontext() if out is None else alone(Path(out)):
        jobs = _plan(names, data, recipe, seeds, limit, random_weights, weights, out, changes)
        runs = [_train_or_take(job, resume=resume, on_step=on_step) for job in jobs]
        return _table(jobs, runs, limit)


def refuse_earlier_runs(out: str | Path) -> None:
    """A check that a folder holds no comparison yet, before anything is decoded or trained.

    Args:
        out: The folder that a comparison is to write to.

    Raises:
        FileExistsError: It holds runs or results; the message names the ways on.
    """
    folder = Path(out)
    results = [path for path in (folder / "comparison.json",) if path.is_file()]
    runs = [p for p in sorted(folder.glob("runs/*")) if p.suffix in (".json", ".unfinished")]
    if results or runs:
        raise FileExistsError(
            f"{folder} holds a comparison already ({(results or runs)[0].name}), and nothing was "
            "changed: go on with it by --resume (resume=True), replace it by --overwrite "
            "(overwrite=True), or choose another folder"
        )


def compare_part(
    names: Sequence[str],
    data: Images,
    part: tuple[int, int],
    recipe: Recipe | None = None,
    seeds: int | Sequence[int] = 3,
    *,
    out: str | Path,
    limit: int | None = None,
    random_weights: bool = False,
    weights: Mapping[str, Path] | None = None,
    on_step: OnStep | None = None,
    **changes: Any,
) -> Comparison | None:
    """Do one part of a comparison, for several machines or processes that share a folder.

    The runs (each network with each seed) are dealt out in turn. What is in `out` is not done
    again, as with ``resume=True`` of `compare`.

    Args:
        names: As for `compare`, in each part the same, and so are the other arguments.
        data: As for `compare`.
        part: Which part, from 1, and of how many.
        recipe: As for `compare`.
        seeds: As for `compare`.
        out: The folder that all parts share.
        limit: As for `compare`.
        random_weights: As for `compare`.
        weights: As for `compare`.
        on_step: As for `compare`.
        **changes: As for `compare`.

    Returns:
        The whole table if no run is missing any more, else ``None``: the part that ends last
        has it.

    Raises:
        ValueError: No such part; what `compare` raises.
        WeightsUnavailable: As by `compare`.
        FileNotFoundError: No such data.
        OSError: A run can't be written to `out`.
    """
    which, of = part
    if not 1 <= which <= of:
        raise ValueError(f"part {which} of {of}: parts are counted from 1 to their number")
    jobs = _plan(names, data, recipe, seeds, limit, random_weights, weights, out, changes)
    for job in jobs[which - 1 :: of]:
        _train_or_take(job, resume=True, on_step=on_step)
    finished = [(job.file, job.key) for job in jobs if job.file and job.file.is_file()]
    if len(finished) < len(jobs):
        return None
    return _table(jobs, [_read(file, key) for file, key in finished], limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One run to be made: a network's start, its recipe with the seed, its images."""

    start: StartingPoint
    recipe: Recipe
    images: ImageSet
    limit: int | None
    key: dict[str, Any]
    file: Path | None

    @property
    def split(self) -> tuple[ImageSet, ImageSet]:
        train, val, *_ = split_for(self.images, self.recipe, limit=self.limit)
        return train, val


def _plan(
    names: Sequence[str],
    data: Images,
    recipe: Recipe | None,
    seeds: int | Sequence[int],
    limit: int | None,
    random_weights: bool,
    weights: Mapping[str, Path] | None,
    out: str | Path | None,
    changes: dict[str, Any],
) -> list[_Job]:
    """All runs, network by network; whatever can be found wrong is found here."""
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not names or not chosen:
        raise ValueError("compare needs one network or more, and one seed or more")
    for what in (names, chosen):
        if len(set(what)) < len(what):
            raise ValueError(f"each network and each seed once: {', '.join(map(str, what))}")
    folder = None if out is None else Path(out) / "runs"
    if folder:
        folder.mkdir(parents=True, exist_ok=True)  # found out now, not after the first run
    jobs = []
    files = weights or {}
    if others := set(files) - set(names):
        raise ValueError(f"weights are given for {', '.join(others)}, which is not among the names")
    starts = [starting_point(n, random=random_weights, weights_file=files.get(n)) for n in names]
    for start in starts:
        images = _images(data, start.entry)
        for seed in chosen:
            own = replace(recipe or recipe_for(start.entry.trained_as), **changes, seed=seed)
            key = _key(start, own, images.fingerprint, limit)
            file = folder and folder / _file(key)
            jobs.append(
                _Job(start=start, recipe=own, images=images, limit=limit, key=key, file=file)
            )
    return jobs


def _train_or_take(job: _Job, *, resume: bool, on_step: OnStep | None) -> History:
    """The job's run: taken from its file if it is finished, else trained and written there."""
    file, start, recipe = job.file, job.start, job.recipe
    name, seed = start.entry.name, recipe.seed
    if file and resume and file.is_file():
        logger.warning("%s, seed %d: taken from %s", name, seed, file)
        return _read(file, job.key)
    train, val = job.split
    unfinished = file and file.with_suffix(".unfinished")
    history = finetune(
        start.model(len(train.classes), seed=seed),
        train,
        val,
        recipe,
        mean=start.mean,
        std=start.std,
        name=name,
        folder=unfinished,
        resume=resume,
        overwrite=not resume,  # asked for, or there was nothing
        on_step=on_step and partial(on_step, name, seed),
    )
    history = replace(history, provenance=provenance())
    if file and unfinished:
        write_whole(file, to_text({"schema": SCHEMA, "key": job.key, "run": run_record(history)}))
        shutil.rmtree(unfinished, ignore_errors=True)
    return history


def _table(jobs: Sequence[_Job], runs: Sequence[History], limit: int | None) -> Comparison:
    rows: list[Row] = []
    for name in dict.fromkeys(job.start.entry.name for job in jobs):
        places = [i for i, job in enumerate(jobs) if job.start.entry.name == name]
        job = jobs[places[0]]
        entry, start = job.start.entry, job.start
        model = registry.create_model(entry.name, num_classes=len(job.images.classes))
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
                fingerprint=job.images.fingerprint,
                recipe=_settings(job.recipe),
                runs=tuple(runs[i] for i in places),
            )
        )
    images, (train, val) = jobs[0].images, jobs[0].split
    data = {
        "name": images.name,
        "licence": images.licence,
        "classes": list(images.classes),
        "train": len(train),
        "val": len(val),
        "drawn_by_seed": not images.validation or limit is not None,
    }
    is_grouped = images.groups is not None and jobs[0].recipe.grouped
    if images.groups is not None and is_grouped and not images.validation:
        data["grouped_by"] = images.grouped_by
        data["groups"] = int(images.groups.max()) + 1
    return Comparison(rows=tuple(rows), data=data, limit=limit)


def _images(data: Images, entry: registry.Entry) -> ImageSet:
    images = load(data, size=entry.input_size[-1], channels=entry.input_size[0])
    if entry.input_size[0] == 1 and images.images.shape[1] != 1:
        raise ValueError(f"{entry.name} takes grey images, but {images.name} is in colour")
    return images


def _settings(recipe: Recipe) -> dict[str, Any]:
    """The recipe but for its seed, as JSON gives it back."""
    lines: dict[str, Any] = json.loads(json.dumps(recipe.to_dict()))
    del lines["seed"]
    return lines


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
    name = re.sub(r"[^\w.-]+", "-", key["name"])[:80]
    return f"{name}-seed{key['seed']}-{digest[:16]}.json"


def _read(file: Path, key: dict[str, Any]) -> History:
    """A finished run from its file."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if (record["schema"], record["key"]) != (SCHEMA, key):
            raise ValueError("its key is not that of its name")
        return read_run(record["run"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{file} is no run that can be taken up again: {error}. Delete it, and the run is "
            "made anew"
        ) from error
