"""After training: name what is on a photograph.

A checkpoint holds the network's name, its classes and its preprocessing, so a file is decoded
exactly as the training images were, and nothing has to be remembered.
"""

import json
import logging
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineage_lab.data.kinds import is_image, shown
from lineage_lab.data.sets import Preprocessing, read_image
from lineage_lab.heads import find_head, plain_names, scores
from lineage_lab.models.googlenet import GoogLeNet
from lineage_lab.registry import create_model, entry, rebuilt
from lineage_lab.training import checkpoint
from lineage_lab.training.decision import Decision
from lineage_lab.weights import published as weights
from lineage_lab.weights.builders import NotAllowed
from lineage_lab.weights.forms import Form
from lineage_lab.weights.reading import read

__all__ = ["Prediction", "Predictor", "files_of", "imagenet_classes", "read_trained"]

logger = logging.getLogger(__name__)

AT_ONCE = 32  # images in memory
HALF = (0.5, 0.5, 0.5)


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
    def load(
        cls, path: Path, *, allow: Collection[str] = (), model: nn.Module | None = None
    ) -> "Predictor":
        """From a run's ``best.ckpt`` or ``best.safetensors``.

        Args:
            path: The file.
            allow: Packages that may be imported to build the network. Those of torchvision, timm,
                transformers and this package are built without: nothing else is imported that a
                file names.
            model: The network, built by you with a head of as many classes, where the file can't
                tell what builds it.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no sound checkpoint, its tensors don't fit its network, or what
                builds this network must be allowed by name.
        """
        saved = read_trained(path)
        try:
            if model is None:
                form = Form.from_dict(saved.form) if saved.form else None
                model = rebuilt(saved.model, num_classes=len(saved.classes), form=form, allow=allow)
                if form is None:
                    _like_published(model, saved.state)
            names = plain_names(model)
            model.load_state_dict({mine: saved.state[name] for mine, name in names.items()})
            preprocessing = Preprocessing.from_dict(saved.preprocessing)
            decision = Decision.from_dict(saved.metrics.get("decision", {}), saved.classes)
        except NotAllowed as error:
            raise ValueError(f"{path} was not loaded: {error}") from error
        except KeyError as error:
            raise ValueError(
                f"{path} has no tensor {error} of the network {saved.model}: it is another one"
            ) from error
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"{path} can't be used by this version of Lineage Lab: {error}. Use the version "
                "that wrote it, or train again"
            ) from error
        return cls(
            model=model.eval(),
            name=saved.model,
            classes=saved.classes,
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

    @classmethod
    def with_weights(cls, name: str, path: Path) -> "Predictor":
        """A network with the weights of a file from anywhere.

        The classes are those that the file tells, ImageNet's if it has a thousand, or numbers. The
        preprocessing is the one that the network's published weights want.

        Args:
            name: As for `lineage_lab.registry.create_model`.
            path: The file.

        Raises:
            ValueError: See `lineage_lab.registry.create_model`.
            FileNotFoundError: There is no such file.
        """
        row = entry(name)
        model = create_model(name, weights=path).eval()
        count = find_head(model)[1].weight.shape[0]
        classes = imagenet_classes() if count == 1000 else tuple(map(str, range(count)))
        published = next(iter(row.weights), None)
        mean = row.mean or (published.mean if published else HALF)
        std = row.std or (published.std if published else HALF)
        return cls(
            model=model, name=name, classes=classes,
            preprocessing=Preprocessing(size=row.input_size[-1], mean=mean, std=std,
                                        channels=row.input_size[0]),
        )  # fmt: skip

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
            given = scores(self.model(self.prepare(images)))
            return (given.double() / self.decision.temperature).softmax(dim=1).cpu()

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


def read_trained(path: Path) -> checkpoint.Checkpoint:
    """A trained network's file, ``best.ckpt`` or ``best.safetensors``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no sound checkpoint, or safetensors without a run's metadata.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        return checkpoint.load(path)
    file = read(path)
    lines = file.metadata
    try:
        fields = {key: json.loads(lines[key])
                  for key in ("classes", "preprocessing", "recipe", "form", "metrics")}  # fmt: skip
        return checkpoint.Checkpoint(
            model=lines["model"], classes=tuple(fields.pop("classes")), state=dict(file.tensors),
            training=None, **fields,
        )  # fmt: skip
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"{path} does not tell how to use it ({error!r}): it is no best.safetensors of a run. "
            "For weights from elsewhere: create_model(name, weights=PATH)"
        ) from error


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
        weights.as_published(model)


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
