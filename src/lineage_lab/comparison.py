"""The exercise: several backbones, one recipe, the same images, a few seeds, one table.

The seed decides the split, the new head's first weights, the order and the augmentation, so
that each network meets the same ones. Neighbours: `lineage_lab.finetuning` does each run;
`lineage_lab.cli` prints the table.
"""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from lineage_lab import __version__, registry
from lineage_lab import weights as published
from lineage_lab.anatomy import describe
from lineage_lab.data import load, split
from lineage_lab.files import write_whole
from lineage_lab.finetuning import finetune
from lineage_lab.recipe import Recipe

__all__ = ["Comparison", "Row", "compare"]

RANDOM = "random weights, not pretrained"
SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network's results, one value a seed where there are several.

    Attributes:
        name: The registry's name.
        accuracies: Validation accuracy, from 0 to 1.
        seconds: Training alone; neither warm-up nor validation.
        images_per_second: Images trained a second.
        parameters: Of the network with its new head.
        macs: Multiply-adds for one image of `input_size`, with its new head.
        input_size: Channels, height and width.
        peak_memory: Largest over the seeds, in bytes, or ``None``.
        memory_kind: What `peak_memory` is of.
        weights: Which weights it started from, in words.
        sha256: Of the weights' file, as many digits as are published; empty if random.
        precision: What the trial chose, for each seed.
        device: Where it ran.
    """

    name: str
    accuracies: tuple[float, ...]
    seconds: tuple[float, ...]
    images_per_second: tuple[float, ...]
    parameters: int
    macs: int
    input_size: tuple[int, ...]
    peak_memory: int | None
    memory_kind: str
    weights: str
    sha256: str
    precision: tuple[str, ...]
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The table, with everything that is needed to make it again.

    Attributes:
        rows: One a network, in the order asked for.
        data: The data set's name, licence, fingerprint, classes, and how many images were
            used to train and to validate.
        recipe: The recipe, but for the seed.
        seeds: The seeds.
        limit: At most so many images, or ``None`` for all.
        provenance: Hardware, versions, date.
    """

    rows: tuple[Row, ...]
    data: dict[str, Any]
    recipe: dict[str, Any]
    seeds: tuple[int, ...]
    limit: int | None
    provenance: dict[str, str]

    @property
    def caption(self) -> str:
        """What the table is of, in a sentence or two."""
        d, recipe = self.data, self.recipe
        seeds = f"{len(self.seeds)} seed" + ("s" if len(self.seeds) > 1 else "")
        spread = " (mean ± standard deviation)" if len(self.seeds) > 1 else ""
        random = " Random weights, not pretrained." if self.is_random else ""
        part = " A limited run, not the whole set." if self.limit is not None else ""
        return (
            f"{d['name']}: {d['train']:,} images to train on, {d['val']:,} to validate with, "
            f"{recipe['epochs']} epoch(s), {seeds}{spread}, split by seed.{part}{random}"
        )

    @property
    def footnote(self) -> str:
        """Where and with what it was measured."""
        p = self.provenance
        return (
            f"{p['processor']}, {p['cores']} cores, {self.rows[0].device}; torch {p['torch']}, "
            f"Python {p['python']}, {p['date']}. Time is training alone. Memory is "
            f"{self.rows[0].memory_kind}. Images: {self.data['licence']}."
        )

    @property
    def is_random(self) -> bool:
        """Whether any row started from random weights."""
        return any(row.weights == RANDOM for row in self.rows)

    def cells(self) -> tuple[tuple[str, ...], ...]:
        """The table as text, its head first."""
        head = ("network", "input", "accuracy", "time", "images/s", "parameters", "MACs",
                "peak memory", "weights")  # fmt: skip
        return (head, *(self._cells(row) for row in self.rows))

    def _cells(self, row: Row) -> tuple[str, ...]:
        precision = "/".join(sorted(set(row.precision)))
        memory = "–" if row.peak_memory is None else f"{row.peak_memory / 2**30:.1f} GiB"
        return (
            row.name,
            f"{row.input_size[-1]} px",
            _spread([100 * a for a in row.accuracies], " %"),
            _spread(row.seconds, " s"),
            f"{mean(row.images_per_second):.1f} ({precision})",
            f"{row.parameters / 1e6:.2f} M",
            f"{row.macs / 1e9:.2f} G" if row.macs >= 1e8 else f"{row.macs / 1e6:.2f} M",
            memory,
            row.weights,
        )

    def to_markdown(self) -> str:
        """The table with its caption and its footnote."""
        head, *body = self.cells()
        rule = ("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "---")
        table = "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *body))
        return f"{self.caption}\n\n{table}\n\n{self.footnote}\n"

    def to_json(self) -> str:
        """All of it; `load` reads it back."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the JSON: beside, then renamed, so that no half file is ever seen.

        Raises:
            OSError: It can't be written; a file that was there before is as it was.
        """
        write_whole(Path(path), self.to_json())

    @classmethod
    def load(cls, path: str | Path) -> "Comparison":
        """Read what `save` wrote.

        Raises:
            ValueError: The file is no comparison, or of another version; the message says so.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            if found.pop("schema") != SCHEMA:
                raise ValueError(f"its schema is not {SCHEMA}")
            rows = tuple(_read_row(row) for row in found.pop("rows"))
            seeds = tuple(int(seed) for seed in found.pop("seeds"))
            if set(found) != {f.name for f in fields(cls)} - {"rows", "seeds"}:
                raise ValueError(f"its fields are {', '.join(sorted(found))}")
            return cls(rows=rows, seeds=seeds, **found)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{path} is no comparison that `lineage-lab compare --json` wrote: {error}"
            ) from error


def _read_row(found: dict[str, Any]) -> Row:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    return Row(**values)


def compare(
    names: Sequence[str],
    data: str | Path,
    recipe: Recipe | None = None,
    seeds: int | Sequence[int] = 3,
    *,
    limit: int | None = None,
    random_weights: bool = False,
    on_step: Callable[[str, int, int, int, float], None] | None = None,
) -> Comparison:
    """Fine-tune each network on the same images with the same recipe.

    All names, weights and images are found before anything is trained.

    Args:
        names: Of `lineage_lab.list_models`.
        data: What `lineage_lab.data.load` takes.
        recipe: The same for each network; the default recipe if ``None``. Its seed is not used.
        seeds: The seeds, or how many: 0, 1, 2 …
        limit: Use at most about so many images.
        random_weights: Start from random weights; every row says so.
        on_step: Called after each training step with the network's name, the seed, the step
            from 1, the number of steps, and the loss.

    Returns:
        The table.

    Raises:
        ValueError: An unknown name, no seed, or a network that takes no published weights.
        WeightsUnavailable: Weights that can't be had; the message says what to do.
        FileNotFoundError: No such data.
    """
    recipe = recipe or Recipe()
    chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not names or not chosen:
        raise ValueError("compare needs one network or more, and one seed or more")
    entries = [registry.entry(name) for name in names]
    if not random_weights:
        for entry in entries:
            published.locate(published.find(entry.name, "imagenet"))
    rows = []
    summary: dict[str, Any] = {}
    for entry in entries:
        images = load(data, size=entry.input_size[-1])
        if entry.input_size[0] == 1 and images.images.shape[1] != 1:
            raise ValueError(f"{entry.name} takes grey images, but {images.name} is in colour")
        parts = [split(images, seed=seed, limit=limit) for seed in chosen]
        if not summary:
            summary = {
                "name": images.name,
                "licence": images.licence,
                "classes": list(images.classes),
                "train": len(parts[0][0]),
                "val": len(parts[0][1]),
                "fingerprint": images.fingerprint,
            }
        rows.append(_row(entry, parts, recipe, chosen, random_weights, on_step))
    settings = {k: v for k, v in recipe.to_dict().items() if k != "seed"}
    return Comparison(
        rows=tuple(rows),
        data=summary,
        recipe=settings,
        seeds=chosen,
        limit=limit,
        provenance=_provenance(),
    )


def _row(
    entry: registry.Entry,
    parts: Sequence[tuple[Any, Any]],
    recipe: Recipe,
    seeds: Sequence[int],
    random_weights: bool,
    on_step: Callable[[str, int, int, int, float], None] | None,
) -> Row:
    weights = None if random_weights else published.find(entry.name, "imagenet")
    normal: dict[str, Any] = {"mean": weights.mean, "std": weights.std} if weights else {}
    if entry.input_size[0] == 1:
        normal = {"mean": (0.1 / 1.275,), "std": (1 / 1.275,)}  # LeNet-5's -0.1 … 1.175
    histories = []
    for seed, (train, val) in zip(seeds, parts, strict=True):
        torch.manual_seed(seed)
        model = registry.create_model(
            entry.name, num_classes=len(train.classes), weights=weights.name if weights else None
        )

        def report(step: int, steps: int, loss: float, seed: int = seed) -> None:
            if on_step:
                on_step(entry.name, seed, step, steps, loss)

        history = finetune(model, train, val, replace(recipe, seed=seed), on_step=report, **normal)
        histories.append(history)
    anatomy = describe(model, entry.input_size)
    peaks = [h.peak_memory for h in histories if h.peak_memory is not None]
    return Row(
        name=entry.name,
        accuracies=tuple(h.val_accuracy for h in histories),
        seconds=tuple(h.train_seconds for h in histories),
        images_per_second=tuple(h.images_per_second for h in histories),
        parameters=anatomy.parameters,
        macs=anatomy.macs,
        input_size=entry.input_size,
        peak_memory=max(peaks, default=None),
        memory_kind=histories[0].memory_kind,
        weights=weights.source if weights else RANDOM,
        sha256=weights.sha256 if weights else "",
        precision=tuple(h.precision for h in histories),
        device=histories[0].device,
    )


def _spread(values: Sequence[float], unit: str) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}{unit}"
    return f"{mean(values):.1f} ± {stdev(values):.1f}{unit}"


def _provenance() -> dict[str, str]:
    processor = platform.processor() or platform.machine()
    flags = ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = {
            key.strip(): value.strip()
            for key, _, value in (line.partition(":") for line in info.read_text().splitlines())
            if key.strip() in ("model name", "flags")
        }
        processor, flags = found.get("model name", processor), found.get("flags", "")
    bf16 = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags.split()]
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "bf16_instructions": ", ".join(bf16) or "none known",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lineage_lab": __version__,
        "date": datetime.now(UTC).date().isoformat(),
    }
