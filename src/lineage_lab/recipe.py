"""What a run is: its recipe, as data.

A recipe is frozen, compares by value and turns into JSON, so that a result can say exactly
how it came about. Neighbours: `lineage_lab.finetuning` follows it, `lineage_lab.comparison`
gives the same one to each network and stores it with the table.
"""

from dataclasses import dataclass, fields

__all__ = ["Recipe"]

CHOICES = {
    "precision": ("auto", "fp32", "bf16"),
    "flips": ("auto", "none", "horizontal", "both"),
    "device": ("auto", "cpu", "cuda", "mps"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to fine-tune: one AdamW run with a warm-up and a cosine.

    Attributes:
        epochs: Passes over the images to train on.
        batch_size: Images a step, at most.
        lr: Highest learning rate of the body, which was trained before.
        head_lr: Highest learning rate of the new head.
        weight_decay: AdamW's; not applied to biases and norms.
        warmup: Share of the steps over which the learning rates rise.
        label_smoothing: Share of the target that is spread over all classes.
        flips: Mirror images: ``auto`` takes what the data set calls plausible.
        precision: ``fp32``, ``bf16`` (autocast), or ``auto``: the faster in a short trial.
        channels_last: Memory format; with it convolutions are faster on most processors.
        device: ``auto`` takes CUDA, then MPS, then the CPU.
        seed: Decides the head's first weights, the order and the augmentation.

    Raises:
        ValueError: A value is out of its range; the message names it.

    Examples:
        >>> Recipe(epochs=2).batch_size
        16
        >>> Recipe(epochs=0)
        Traceback (most recent call last):
        ValueError: Recipe.epochs must be at least 1, not 0
    """

    epochs: int = 1
    batch_size: int = 16
    lr: float = 1e-3
    head_lr: float = 5e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    label_smoothing: float = 0.0
    flips: str = "auto"
    precision: str = "auto"
    channels_last: bool = True
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 2), ("lr", 0), ("head_lr", 0)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"Recipe.{name} must be at least {least}, not {getattr(self, name)}"
                )
        for name in ("weight_decay", "warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"Recipe.{name} must be from 0 to below 1, not {getattr(self, name)}"
                )
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"Recipe.{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}"
                )

    def to_dict(self) -> dict[str, int | float | str | bool]:
        """All fields by name, for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
