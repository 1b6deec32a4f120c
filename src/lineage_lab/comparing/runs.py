"""One training and all that was measured of it, and a network's trainings side by side."""

import json
import re
from dataclasses import dataclass
from math import inf
from statistics import mean
from typing import Any

from lineage_lab.training.run import Epoch

__all__ = ["RANDOM", "SCHEMA", "Row", "Run", "read_row", "read_run", "to_text"]

RANDOM = "random weights, not pretrained"
SCHEMA = 2  # of the JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training of one network, with everything that was measured.

    Attributes:
        seed: The seed.
        accuracy: Share of the validation images that were named rightly, from 0 to 1.
        truth: Each validation image's class, in the split's order; empty if not recorded.
        answers: The class that the network gave to each.
        losses: Training loss at each step.
        epochs: The learning curve: `lineage_lab.training.run.Epoch`, a point an epoch.
        seconds: Training alone; neither warm-up nor validation.
        warmup_seconds: The trial before the first step.
        images_trained: Images that went through training steps, each pass counted.
        peak_memory: In bytes, or ``None`` where the system doesn't tell.
        memory_kind: What `peak_memory` is of.
        energy_joules: Of the GPU, training and validation; ``None`` where it doesn't tell.
        device: Where it ran.
        precision: Such as ``fp32`` or ``bf16``.
        memory_format: ``channels_last`` or ``contiguous``.
        compiled: Whether by ``torch.compile``.
        provenance: See `lineage_lab.comparing.provenance.provenance`.
    """

    seed: int
    accuracy: float
    truth: tuple[int, ...]
    answers: tuple[int, ...]
    losses: tuple[float, ...]
    epochs: tuple[Epoch, ...]
    seconds: float
    warmup_seconds: float
    images_trained: int
    peak_memory: int | None
    memory_kind: str
    energy_joules: float | None
    device: str
    precision: str
    memory_format: str
    compiled: bool
    provenance: dict[str, str]

    @property
    def correct(self) -> tuple[bool, ...]:
        """For each validation image, whether it was named rightly."""
        return tuple(t == a for t, a in zip(self.truth, self.answers, strict=True))

    @property
    def images_per_second(self) -> float:
        """Images trained a second."""
        return self.images_trained / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network's results.

    Attributes:
        name: The registry's name.
        weights: Name of the weights that it started from, or that they were random.
        weights_file: Their file and where it comes from; empty if random.
        sha256: Of that file; for a network of timm, of its tensors; empty if random.
        parameters: Of the network with its new head.
        macs: Multiply-adds for one image of `input_size`, with its new head.
        input_size: Channels, height and width.
        fingerprint: Of the images at this size; empty if not recorded.
        recipe: How it was trained, but for the seed.
        runs: One a seed.
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
    runs: tuple[Run, ...]

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Validation accuracy of each seed, from 0 to 1."""
        return tuple(run.accuracy for run in self.runs)

    @property
    def seconds(self) -> tuple[float, ...]:
        """Training alone, for each seed."""
        return tuple(run.seconds for run in self.runs)

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
        """Joules of each seed that told."""
        return tuple(r.energy_joules for r in self.runs if r.energy_joules is not None)


def read_run(found: dict[str, Any]) -> Run:
    """A run from its JSON.

    Raises:
        ValueError: Its accuracy is not that of its answers, or a number is none that a run has.
        TypeError: It has not the fields of a `Run`.
    """
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    values["epochs"] = tuple(Epoch(**epoch) for epoch in values["epochs"])
    run = Run(**values)
    if not (0 <= run.accuracy <= 1 and 0 < run.seconds < inf and run.images_trained >= 0):
        raise ValueError(f"seed {run.seed}: its accuracy, seconds or images are out of range")
    if len(run.truth) != len(run.answers):
        raise ValueError(
            f"seed {run.seed}: it has {len(run.answers)} answers, not {len(run.truth)}"
        )
    if run.answers and abs(mean(map(float, run.correct)) - run.accuracy) > 1e-9:
        raise ValueError(f"seed {run.seed}: its accuracy is not that of its answers")
    return run


def to_text(found: dict[str, Any]) -> str:
    """JSON for people and programs: a list of plain numbers stays on one line."""
    text = json.dumps(found, indent=2, ensure_ascii=False)
    return (
        re.sub(r"\[\n([-+.,\deE\s]+?)\n *\]", lambda found: f"[{' '.join(found[1].split())}]", text)
        + "\n"
    )


def read_row(found: dict[str, Any]) -> Row:
    """A row from its JSON."""
    size, runs = tuple(found.pop("input_size")), found.pop("runs")
    return Row(input_size=size, runs=tuple(read_run(run) for run in runs), **found)
