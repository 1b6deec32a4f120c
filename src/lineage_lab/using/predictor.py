"""After training: name what is on a photograph.

A checkpoint holds the network's name, its classes and its preprocessing, so a file is decoded
exactly as the training images were, and nothing has to be remembered.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineage_lab.data.kinds import is_image, shown
from lineage_lab.data.sets import Preprocessing, read_image
from lineage_lab.models.googlenet import GoogLeNet, Rescale
from lineage_lab.registry import create_model
from lineage_lab.training import checkpoint
from lineage_lab.training.decision import Decision
from lineage_lab.weights import published as weights

__all__ = ["Prediction", "Predictor", "files_of", "imagenet_classes"]

logger = logging.getLogger(__name__)

AT_ONCE = 32  # images in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the network says of one file.

    Attributes:
        path: The file.
        label: The class that it is named: the likeliest, or by the checkpoint's threshold; empty
            if the file can't be read.
        probability: Its probability, from 0 to 1.
        top: The likeliest classes with their probabilities; `label` first, then the highest.
        probabilities: Of all classes, in the network's order; empty if the file can't be read.
        error: Why the file can't be read; empty if it was.
    """

    path: Path
    label: str = ""
    probability: float = 0.0
    top: tuple[tuple[str, float], ...] = ()
    probabilities: tuple[float, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A trained network with all that it takes to use it.

    Attributes:
        model: The network, in ``eval`` mode; move it, and the images follow.
        name: The registry's name of the network.
        classes: Names, in the order of the scores.
        preprocessing: How a file becomes its input.
        decision: How its answers follow from its scores.
    """

    model: nn.Module
    name: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    decision: Decision = field(default_factory=Decision)

    @classmethod
    def load(cls, path: Path) -> "Predictor":
        """From a checkpoint.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no sound checkpoint, or its tensors don't fit its network.
        """
        found = checkpoint.load(path)
        try:
            model = create_model(found.model, num_classes=len(found.classes))
            _like_published(model, found.state)
            model.load_state_dict(found.state)
            preprocessing = Preprocessing.from_dict(found.preprocessing)
            decision = Decision.from_dict(found.metrics.get("decision", {}), found.classes)
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{path} can't be used by this version of Lineage Lab: {error}. Use the version "
                "that wrote it, or train again"
            ) from error
        return cls(
            model=model.eval(),
            name=found.model,
            classes=found.classes,
            preprocessing=preprocessing,
            decision=decision,
        )

    @classmethod
    def pretrained(cls, name: str, weights_name: str = "imagenet") -> "Predictor":
        """With published weights and ImageNet's classes.

        Files are scaled whole and cut to a square; the published accuracy is of a tighter cut
        from the middle.

        Args:
            name: One of `lineage_lab.registry.list_models`.
            weights_name: Which weights, as for `lineage_lab.registry.create_model`.

        Raises:
            ValueError: There are no such weights.
            WeightsUnavailable: The weights can't be had; the message says what to do.
        """
        row = weights.find(name, weights_name)
        return cls(
            model=create_model(name, weights=weights_name).eval(),
            name=name,
            classes=imagenet_classes(),
            preprocessing=Preprocessing(size=row.crop, mean=row.mean, std=row.std),
        )

    def prepare(self, images: Tensor) -> Tensor:
        """Decoded images to the network's input.

        Args:
            images: ``uint8 [n, channels, size, size]``.

        Returns:
            ``float [n, channels, size, size]``, normalised, on the network's device. A grey
            image becomes one of three equal channels where the network was trained so.
        """
        device = next(self.model.parameters()).device
        mean = 255 * torch.tensor(self.preprocessing.mean, device=device).view(1, -1, 1, 1)
        scale = 1 / (255 * torch.tensor(self.preprocessing.std, device=device).view(1, -1, 1, 1))
        return (images.to(device).float() - mean) * scale

    def probabilities(self, images: Tensor) -> Tensor:
        """What the network gives each class, at the checkpoint's temperature.

        Args:
            images: ``uint8 [n, channels, size, size]``, decoded as `preprocessing` says.

        Returns:
            ``float64 [n, classes]`` on the CPU.
        """
        with torch.inference_mode():
            scores: Tensor = self.model(self.prepare(images))
            return (scores.double() / self.decision.temperature).softmax(dim=1).cpu()

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """The class that each image is named, by the checkpoint's threshold if it has one."""
        return self.decision.answers(probabilities, self.classes)

    @property
    def rule(self) -> str:
        """By which rule a class is named, in words."""
        return self.decision.words

    def predict(
        self, paths: Iterable[Path | str], *, top: int = 5, batch_size: int = AT_ONCE
    ) -> list[Prediction]:
        """Name what is on each file.

        Args:
            paths: Files, and folders that are searched to their ends in the order of names.
                In folders, names that begin with a dot and links to folders are passed over, and
                so is what is no image; that is counted in the log.
            top: How many of the likeliest classes to give; the one that a threshold names comes
                first.
            batch_size: Images at once.

        Returns:
            One a file. What can't be read is among them, with its ``error``, and stops nothing.
        """
        answers: list[Prediction] = []
        waiting: list[tuple[int, Path, Tensor]] = []  # place in the answers, file, pixels

        def answer() -> None:
            found = self.probabilities(torch.stack([pixels for _, _, pixels in waiting]))
            named = self.decide(found.numpy()).tolist()
            for (place, path, _), row, first in zip(waiting, found, named, strict=True):
                order = row.argsort(descending=True, stable=True).tolist()
                order.remove(first)
                best = [first, *order][:top]
                values = row.tolist()
                answers[place] = Prediction(
                    path=path,
                    label=self.classes[first],
                    probability=values[first],
                    top=tuple((self.classes[index], values[index]) for index in best),
                    probabilities=tuple(values),
                )
            waiting.clear()

        if top < 1:
            raise ValueError(f"top must be 1 or more, not {top}")
        for path, error in files_of(paths):
            answers.append(Prediction(path=path, error=error))
            if not error:
                try:
                    pixels = read_image(path, self.preprocessing)
                except (ValueError, OSError) as problem:
                    answers[-1] = Prediction(path=path, error=str(problem))
                else:
                    waiting.append((len(answers) - 1, path, pixels))
            if len(waiting) == batch_size:
                answer()
        if waiting:
            answer()
        return answers


def imagenet_classes() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes, in the order of the scores, as torchvision's.

    Examples:
        >>> imagenet_classes()[0]
        'tench'
    """
    text = files("lineage_lab.weights").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def _like_published(model: nn.Module, state: dict[str, Tensor]) -> None:
    """GoogLeNet fine-tuned from torchvision's weights has another form: see `weights.load`."""
    if isinstance(model, GoogLeNet) and not any(key.startswith("auxiliary_") for key in state):
        model.rescale = Rescale()
        model.auxiliary_4a = model.auxiliary_4d = None


def files_of(paths: Iterable[Path | str]) -> Iterator[tuple[Path, str]]:
    """Each file with no error, and what is no file with one.

    Files of a folder that are no images are passed over, and counted aloud.
    """
    passed: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            yield path, "" if path.exists() else f"{path} does not exist: is the path right?"
            continue
        problems: list[OSError] = []
        empty = True
        for folder, inner, names in os.walk(path, onerror=problems.append):
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                empty = False
                if is_image(file := Path(folder, name)) or _leads_nowhere(file):
                    yield file, ""
                else:
                    passed.append(file)
        for problem in problems:
            yield Path(problem.filename), f"{problem.filename} can't be read: {problem.strerror}"
        if empty and not problems:
            yield path, f"{path} holds no files"
    if passed:
        few = ", ".join(map(shown, passed[:3])) + (", …" if len(passed) > 3 else "")
        count = f"{len(passed):,} files are" if len(passed) > 1 else "1 file is"
        logger.warning("passed over: %s no image, by ending and by content: %s", count, few)


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()
