"""What came of one training, with everything that was measured: the one record of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Epoch", "History"]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the images: a point of the learning curve.

    Attributes:
        train_loss: Mean over the steps.
        val_accuracy: Share of the validation images that were named rightly, from 0 to 1.
        seconds: Training so far, from the run's first step.
        val_score: Value of the run's metric on them; ``None`` where it is undefined or was not
            recorded.
    """

    train_loss: float
    val_accuracy: float
    seconds: float
    val_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What came of a run: `lineage_lab.finetune` gives it, and a comparison keeps one a seed.

    Attributes:
        seed: Seed of the recipe.
        val_accuracy: Share of the validation images that were named rightly, from 0 to 1.
        truth: Class of each validation image, in the set's order; empty if not recorded.
        answers: Class that the network gave to each of them.
        losses: Training loss at each step.
        epochs: Learning curve, a point an epoch.
        train_seconds: Training alone: all steps of all epochs; neither the warm-up before,
            nor validation, nor the writing of checkpoints.
        warmup_seconds: Trial before the first step.
        images_trained: Images that went through training steps, each pass counted.
        peak_memory: Bytes, or ``None`` where the system doesn't tell; since the warm-up, which
            holds the weights once more.
        memory_kind: What `peak_memory` is of.
        energy_joules: Energy of the GPU in training and validation; ``None`` where it doesn't
            tell.
        device: Device that it ran on.
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        memory_format: ``channels_last`` or ``contiguous``.
        compiled: Whether ``torch.compile`` was used.
        processes: Number of processes that shared the run.
        metric: Metric that the best checkpoint was chosen by.
        best_epoch: Number of the epoch, from 1, after which ``best.ckpt`` was written; 0 if not
            recorded.
        probabilities: Of all classes, for each validation image; recorded only where the metric
            needs more than the answers.
        val_groups: Number of each validation image's group; empty where there are none.
        provenance: Hardware, versions and date, which a comparison adds: see
            `lineage_lab.comparing.provenance.provenance`.

    Examples:
        >>> from lineage_lab import create_model, finetune
        >>> from lineage_lab.data.sets import load, split
        >>> train, val = split(load("digits", size=32), limit=40, seed=0)
        >>> model = create_model("lenet5_modern")
        >>> history = finetune(model, train, val, mean=(0.5,), std=(0.5,))
        >>> history.images_trained, len(history.answers), len(history.epochs)
        (30, 20, 1)
    """

    seed: int
    val_accuracy: float
    truth: tuple[int, ...]
    answers: tuple[int, ...]
    losses: tuple[float, ...]
    epochs: tuple[Epoch, ...]
    train_seconds: float
    warmup_seconds: float
    images_trained: int
    peak_memory: int | None
    memory_kind: str
    energy_joules: float | None
    device: str
    precision: str
    memory_format: str
    compiled: bool
    processes: int = 1
    metric: str = "accuracy"
    best_epoch: int = 0
    probabilities: tuple[tuple[float, ...], ...] = ()
    val_groups: tuple[int, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def correct(self) -> tuple[bool, ...]:
        """For each validation image, whether it was named rightly."""
        return tuple(t == a for t, a in zip(self.truth, self.answers, strict=True))

    @property
    def images_per_second(self) -> float:
        """Images trained a second."""
        return self.images_trained / self.train_seconds
