"""A network's trainings side by side, and how each of them is written to a file and read."""

import json
import re
from dataclasses import asdict, dataclass, fields
from math import inf
from statistics import mean
from typing import Any

from lineage_lab.training.history import Epoch, History
from lineage_lab.training.metrics import Answered

__all__ = [
    "RANDOM",
    "SCHEMA",
    "Row",
    "answered",
    "read_row",
    "read_run",
    "row_record",
    "run_record",
    "to_text",
]

RANDOM = "random weights, not pretrained"
SCHEMA = 2  # of the JSON
# What the file calls otherwise than `History` does; all other names are the same in both.
WRITTEN_AS = {"val_accuracy": "accuracy", "train_seconds": "seconds"}
# Written only where they say something; a file of an earlier version has none of them.
OPTIONAL: dict[str, Any] = {
    "metric": "accuracy",
    "best_epoch": 0,
    "probabilities": (),
    "val_groups": (),
}
NOT_WRITTEN = {"processes"}  # of which each run of a comparison has one


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network's results.

    Attributes:
        name: Name of the network in the registry.
        weights: Name of the weights that it started from, or that they were random.
        weights_file: File of the weights and where it comes from; empty if random.
        sha256: Hash of that file; for a network of timm, of its tensors; empty if random.
        parameters: Number of parameters, those of the new head among them.
        macs: Multiply-adds for one image of `input_size`, with its new head.
        input_size: Channels, height and width.
        fingerprint: Fingerprint of the images at this size; empty if not recorded.
        recipe: Recipe, but for the seed.
        runs: Trainings, one a seed.
    """

    name: str
    weights: str
    weights_file: str
    sha256: str
    parameters: int
    macs: int
    input_size: tuple[int, ...]
    fingerprint: str
    recipe: dict[str, Any]
    runs: tuple[History, ...]

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Validation accuracy of each seed, from 0 to 1."""
        return tuple(run.val_accuracy for run in self.runs)

    @property
    def answered(self) -> tuple[Answered, ...]:
        """Answers of each seed, to be scored."""
        return tuple(map(answered, self.runs))

    @property
    def seconds(self) -> tuple[float, ...]:
        """Training alone, for each seed."""
        return tuple(run.train_seconds for run in self.runs)

    @property
    def images_per_second(self) -> tuple[float, ...]:
        """Images trained a second, for each seed."""
        return tuple(run.images_per_second for run in self.runs)

    @property
    def precision(self) -> tuple[str, ...]:
        """What each seed's run was computed in."""
        return tuple(run.precision for run in self.runs)

    @property
    def peak_memory(self) -> int | None:
        """Largest over the seeds, in bytes."""
        return max((r.peak_memory for r in self.runs if r.peak_memory is not None), default=None)

    @property
    def energy(self) -> tuple[float, ...]:
        """Joules of each seed whose GPU counted them."""
        return tuple(r.energy_joules for r in self.runs if r.energy_joules is not None)


def answered(run: History) -> Answered:
    """A run's answers, to be scored; without recorded probabilities an answer is a sure one."""
    chances = run.probabilities
    if not chances:
        size = max((*run.answers, *run.truth)) + 1
        chances = tuple(tuple(float(i == a) for i in range(size)) for a in run.answers)
    return Answered(run.truth, chances, run.val_groups)


def run_record(run: History) -> dict[str, Any]:
    """A run as the JSON holds it; `read_run` reads it back."""
    values = asdict(run)
    values["epochs"] = [
        {name: value for name, value in epoch.items() if name != "val_score" or value is not None}
        for epoch in values["epochs"]
    ]
    return {
        _written(name): values[name]
        for name in values
        if name not in NOT_WRITTEN and not (name in OPTIONAL and values[name] == OPTIONAL[name])
    }


def read_run(record: dict[str, Any]) -> History:
    """A run from its JSON.

    Raises:
        ValueError: It has not the fields of a run, its accuracy is not that of its answers, or a
            number is none that a run has.
        TypeError: A field is of another type.
    """
    names = {_written(f.name): f.name for f in fields(History) if f.name not in NOT_WRITTEN}
    wrong = (set(record) ^ set(names)) - set(OPTIONAL)
    if wrong:
        other = ", ".join(sorted(wrong))
        raise ValueError(f"a run has not the fields of one: {other} missing, or too many")
    values: dict[str, Any] = {
        names[key]: tuple(value) if isinstance(value, list) else value
        for key, value in record.items()
    }
    values["epochs"] = tuple(Epoch(**epoch) for epoch in values["epochs"])
    if "probabilities" in values:
        values["probabilities"] = tuple(map(tuple, values["probabilities"]))
    run = History(**values)
    if not (0 <= run.val_accuracy <= 1 and 0 < run.train_seconds < inf and run.images_trained >= 0):
        raise ValueError(f"seed {run.seed}: its accuracy, seconds or images are out of range")
    if len(run.truth) != len(run.answers):
        raise ValueError(
            f"seed {run.seed}: it has {len(run.answers)} answers, not {len(run.truth)}"
        )
    if run.answers and abs(mean(map(float, run.correct)) - run.val_accuracy) > 1e-9:
        raise ValueError(f"seed {run.seed}: its accuracy is not that of its answers")
    return run


def row_record(row: Row) -> dict[str, Any]:
    """A row as the JSON holds it; `read_row` reads it back."""
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return values | {"runs": [run_record(run) for run in row.runs]}


def read_row(record: dict[str, Any]) -> Row:
    """A row from its JSON.

    Raises:
        ValueError: See `read_run`.
        TypeError: It has not the fields of a `Row`.
        KeyError: It has no size or no runs.
    """
    others = {key: value for key, value in record.items() if key not in ("input_size", "runs")}
    runs = tuple(read_run(run) for run in record["runs"])
    return Row(input_size=tuple(record["input_size"]), runs=runs, **others)


def to_text(record: dict[str, Any]) -> str:
    """JSON for people and programs: a list of plain numbers stays on one line."""
    text = json.dumps(record, indent=2, ensure_ascii=False)

    def joined(numbers: re.Match[str]) -> str:
        return f"[{' '.join(numbers[1].split())}]"

    return re.sub(r"\[\n([-+.,\deE\s]+?)\n *\]", joined, text) + "\n"


def _written(name: str) -> str:
    return WRITTEN_AS.get(name, name)
