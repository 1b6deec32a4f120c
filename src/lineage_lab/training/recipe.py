"""What a run is: its recipe, as data.

A recipe is frozen, compares by value and turns into JSON, so that a result can say exactly
how it came about.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from lineage_lab.training.decision import read_aim

__all__ = ["FAMILIES", "Recipe", "recipe_for"]

CHOICES = {
    "optimizer": ("adamw", "sgd"),
    "class_weights": ("none", "balanced"),
    "sampling": ("all", "balanced"),
    "metric": (
        "auto",
        "accuracy",
        "balanced_accuracy",
        "precision",
        "f1",
        "auroc",
        "average_precision",
        "log_loss",
        "calibration_error",
    ),
    "unfreeze": ("all", "gradual", "none"),
    "norms": ("auto", "train", "frozen"),
    "flips": ("auto", "none", "horizontal", "both"),
    "precision": ("auto", "fp32", "tf32", "bf16", "fp16"),
    "memory_format": ("auto", "channels_last", "contiguous"),
    "compile": ("auto", "on", "off"),
    "device": ("auto", "cpu", "cuda", "mps"),
}
SHARES = ("momentum", "weight_decay", "warmup", "label_smoothing", "ema", "test")
AT_LEAST = {
    "epochs": 1,
    "head_epochs": 0,
    "batch_size": 2,
    "accumulate": 1,
    "workers": 0,
    "lr": 0,
    "head_lr": 0,
    "mixup": 0,
    "cutmix": 0,
    "clip_norm": 0,
    "focal": 0,
    "logit_adjustment": 0,
    "patience": 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to fine-tune. Each field is off, or harmless, at its default unless it says so.

    Attributes:
        epochs: Passes over the images to train on, the whole network learning.
        minutes: Train for so long in place of `epochs`; the schedule follows the clock.
        head_epochs: Passes before these in which the new head learns alone.
        unfreeze: What learns after them: ``all``; ``gradual``, part by part from the head
            down over the first half; ``none``, the head alone to the end.
        batch_size: Images a step, at most.
        accumulate: In how many parts a step's images go through the network, one after the
            other; their gradients are summed. More parts take less memory.
        optimizer: ``adamw``, or ``sgd`` with Nesterov momentum.
        lr: Highest learning rate of the body, which was trained before.
        head_lr: Highest learning rate of the new head.
        layer_decay: Factor on `lr` for each part of the body further from the head.
        momentum: Momentum of ``sgd``.
        weight_decay: Decay of the weights; not applied to biases and norms.
        warmup: Share of the steps over which the learning rates rise; half a cosine follows.
        clip_norm: Gradients longer than this are shortened to it; 0 for off.
        label_smoothing: Share of the target that is spread over all classes.
        mixup: Images and targets blended in pairs; the Beta distribution's parameter
            (arXiv:1710.09412), 0 for off.
        cutmix: A rectangle of another image pasted in (arXiv:1905.04899); the Beta
            distribution's parameter, 0 for off.
        ema: Decay of a moving average of the weights, which is what is validated and
            saved; 0 for off.
        class_weights: ``balanced`` lets each class weigh the same in the loss, however many
            images it has.
        sampling: ``balanced`` draws as many images of each class in an epoch: those of small
            classes come again, of large ones some are left for the next epoch.
        focal: Gamma of the focal loss (arXiv:1708.02002), by which images that are named
            rightly and surely count less; 0 for off.
        logit_adjustment: Strength of the classes' log shares that are added to the scores
            while training (arXiv:2007.07314), so that rare classes are named as readily;
            1 as in the paper, 0 for off.
        metric: What ``best.ckpt`` is chosen by, among equals by the log loss. ``auto``:
            balanced accuracy where the smallest class has less than half of the largest
            one's images, else accuracy.
        patience: Stop after so many epochs without a better one; 0 for never.
        calibrate: Choose a temperature on the validation images, which makes the
            probabilities honest and changes no answer.
        threshold: Choose on the validation images from which probability on a class is
            named: ``balanced``, ``recall=0.9``, ``precision=0.65``, or ``cost=5`` for an
            image missed that costs five false alarms; empty for the likeliest class.
        positive: The class that `threshold` is for; the smallest if empty.
        test: Share of the images that neither training nor choosing sees.
        grouped: Images that belong together stay in one part of the split.
        norms: Batch norms with trained statistics: ``train`` on the batches; ``frozen``
            keeps them, and wants lower learning rates; ``auto`` trains them where the
            layer's part learns.
        sync_norms: With several processes on GPUs, batch norms see the images of all.
        flips: Mirror images: ``auto`` takes what the data set calls plausible.
        crop: Least share of the image's area that a random crop keeps; 1 for no crops.
        precision: ``fp32``; ``tf32`` (CUDA); ``bf16`` or ``fp16`` by autocast; or ``auto``:
            the fastest in a short trial.
        memory_format: ``channels_last``, ``contiguous``, or ``auto``: by the same trial.
        compile: ``on``, ``off``, or ``auto``: by the trial if the run is long enough to earn
            back what compiling takes.
        workers: Processes that gather batches ahead; 0 is best while the images fit in memory.
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
    minutes: float | None = None
    head_epochs: int = 0
    unfreeze: str = "all"
    batch_size: int = 16
    accumulate: int = 1
    optimizer: str = "adamw"
    lr: float = 1e-3
    head_lr: float = 5e-3
    layer_decay: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip_norm: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    ema: float = 0.0
    class_weights: str = "none"
    sampling: str = "all"
    focal: float = 0.0
    logit_adjustment: float = 0.0
    metric: str = "auto"
    patience: int = 0
    calibrate: bool = False
    threshold: str = ""
    positive: str = ""
    test: float = 0.0
    grouped: bool = True
    norms: str = "auto"
    sync_norms: bool = False
    flips: str = "auto"
    crop: float = 1.0
    precision: str = "auto"
    memory_format: str = "auto"
    compile: str = "auto"
    workers: int = 0
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"Recipe.{field.name} must be a finite number, not {value}")
        for name, least in AT_LEAST.items():
            if not getattr(self, name) >= least:  # so that NaN is refused too
                raise ValueError(
                    f"Recipe.{name} must be at least {least}, not {getattr(self, name)}"
                )
        for name in SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"Recipe.{name} must be from 0 to below 1, not {getattr(self, name)}"
                )
        for name in ("layer_decay", "crop"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(
                    f"Recipe.{name} must be above 0, up to 1, not {getattr(self, name)}"
                )
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"Recipe.seed must be from 0 to 2**63 - 1, not {self.seed}")
        if self.workers > (cores := os.cpu_count() or 1):
            raise ValueError(
                f"Recipe.workers={self.workers} is more than the {cores} processors of this "
                "machine: 0 is best while the images fit in memory"
            )
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"Recipe.minutes must be above 0, not {self.minutes}")
        if self.accumulate > self.batch_size // 2:
            raise ValueError(
                f"Recipe.accumulate={self.accumulate} parts of batch_size={self.batch_size} would "
                "be single images, which batch norm can't take: at most half the batch size"
            )
        if self.threshold:
            read_aim(self.threshold)
        if self.positive and not self.threshold:
            raise ValueError(
                f"Recipe.positive={self.positive!r} is the class of a threshold: set threshold too"
            )
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"Recipe.{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}"
                )

    def to_dict(self) -> dict[str, int | float | str | bool | None]:
        """All fields by name, for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """What `to_dict` gave, from JSON.

        Raises:
            ValueError: A field is unknown, of another type, or out of its range.
        """
        known = {field.name: field for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"Recipe has no field {name!r}: {', '.join(known)}")
            allowed = {
                type(known[name].default),
                *((int,) if "float" in str(known[name].type) else ()),
            }
            if name == "minutes":
                allowed |= {float, int, type(None)}
            if type(value) not in allowed:
                raise ValueError(f"Recipe.{name} can't be {value!r}")
        return cls(**values)


# What a family needs otherwise. ConvNeXt's authors fine-tune it at 5e-5 with a layer decay of 0.7
# or 0.8 in batches of 512 (facebookresearch/ConvNeXt, TRAINING.md).
FAMILIES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "convnext": {"lr": 1e-4, "head_lr": 2e-3, "weight_decay": 0.05, "layer_decay": 0.8},
        "vit": {"lr": 5e-5, "head_lr": 1e-3, "weight_decay": 0.05, "layer_decay": 0.8},
        "vgg": {"lr": 1e-4, "head_lr": 1e-3},
        "alexnet": {"lr": 1e-4, "head_lr": 1e-3},
        "lenet": {"lr": 5e-3, "head_lr": 5e-3},
    }
)


def recipe_for(family: str, **changes: Any) -> Recipe:
    """The default recipe of a family of networks.

    Args:
        family: As in `lineage_lab.registry.Entry.family`; one that is not listed in
            `FAMILIES` has the general defaults.
        **changes: Fields to set otherwise.

    Raises:
        ValueError: See `Recipe`.

    Examples:
        >>> recipe_for("convnext").lr, recipe_for("resnet").lr
        (0.0001, 0.001)
    """
    return replace(Recipe(**FAMILIES.get(family, {})), **changes)
