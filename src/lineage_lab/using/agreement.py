"""Whether another program gives a network's answers, and which known mistake it makes if not.

After training a network moves: to another library, to a server, to eight bits. What goes wrong
there raises no error. The scores are a little worse, and nobody knows why. `same_answers` runs
both programs on the same files. Where they differ, it makes each of the known mistakes on purpose
and looks which of them gives the other program's scores.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.data.sets import read_image
from lineage_lab.heads import scores
from lineage_lab.using.predictor import Predictor, files_of

__all__ = ["MISTAKES", "Agreement", "Mistake", "same_answers"]

EQUAL = 0.01  # of the scores' own spread: what rounding and another order of sums make
EXPLAINED = 0.2  # of a difference may remain after the mistake that is named for it
TOGETHER = 3  # mistakes at most that are looked for at once
FEW = 12  # images of the search; what it finds is then held to all of them
BEAM = 4  # sets of mistakes that are followed up
LEVELS = 256  # scores of an eight-bit network take no more values
Scores = Callable[[list[Path]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake between training and serving.

    Attributes:
        name: The mistake in a few words.
        stage: The stage that it spoils, of which a program has one: its pixels, its colours, its
            normalisation, the network's epsilon, padding, mode or precision.
        cure: What to do.
    """

    name: str
    stage: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What `same_answers` saw.

    Attributes:
        images: Number of images.
        differ: Images for which the two name another class.
        difference: The scores' root mean square difference as a share of their own spread, both as
            logarithms of probabilities.
        mistakes: The mistakes that explain the difference; empty if there is none to explain, or
            if no known mistake does.
        remaining: The same difference after these mistakes were made on purpose.
    """

    images: int
    differ: int
    difference: float
    mistakes: tuple[Mistake, ...]
    remaining: float

    @property
    def same(self) -> bool:
        """Whether the two differ by no more than rounding does."""
        return self.difference <= EQUAL

    def __str__(self) -> str:
        """A few lines for a terminal."""
        head = f"{self.differ} of {self.images} answers differ; the scores differ by "
        head += f"{self.difference:.1%} of their spread"
        if self.same:
            return f"{head}, as rounding does: no mistake"
        if not self.mistakes:
            return f"{head}. None of the known mistakes explains it"
        return "\n".join((f"{head}:", *(f"- {m.name}. {m.cure}" for m in self.mistakes)))


def _mistake(name: str, stage: str, cure: str) -> Mistake:
    return Mistake(name=name, stage=stage, cure=cure)


_MEAN = "Take the mean and the std that the weights were trained with; they are in the checkpoint."
_SIZE = "Scale with Pillow's antialiased bilinear filter, as the training images were."
_CUT = "Cut the middle square out of the whole image, then scale it."
MISTAKES: dict[str, Mistake] = {
    "imagenet": _mistake("ImageNet's mean and std", "normalisation", _MEAN),
    "half": _mistake("mean and std of 0.5", "normalisation", _MEAN),
    "unit": _mistake("pixels not normalised, from 0 to 1", "normalisation", _MEAN),
    "bytes": _mistake("pixels from 0 to 255", "normalisation", _MEAN),
    "twice": _mistake("normalised twice", "normalisation",
                      "Look for a second normalisation, perhaps inside the exported file."),
    "bgr": _mistake("BGR in place of RGB", "colours",
                    "OpenCV reads BGR: turn the channels round before you normalise."),
    "antialias": _mistake("bilinear without antialias, as OpenCV's INTER_LINEAR", "pixels", _SIZE),
    "bicubic": _mistake("bicubic scaling", "pixels", _SIZE),
    "cubic": _mistake("cubic without antialias, as OpenCV's INTER_CUBIC", "pixels", _SIZE),
    "nearest": _mistake("scaling to the nearest pixel", "pixels", _SIZE),
    "box": _mistake("box scaling, as OpenCV's INTER_AREA", "pixels", _SIZE),
    "lanczos": _mistake("Lanczos scaling", "pixels", _SIZE),
    "stretched": _mistake("the image stretched to a square", "pixels", _CUT),
    "tight": _mistake("a tighter cut: scaled to 8/7 of the side, then cut", "pixels", _CUT),
    "epsilon": _mistake("another epsilon in the batch norms", "epsilon",
                        "Set eps of every batch norm to what the weights were trained with."),
    "padding": _mistake("even padding for TensorFlow's, or the reverse", "padding",
                        "Pad as the weights were trained: TensorFlow puts the odd pixel last."),
    "train": _mistake("the network in train mode", "mode", "Call model.eval() before it is used."),
    "int8": _mistake("eight bits", "precision",
                     "Quantise the weights per channel and the activations unsigned, and count the "
                     "answers that change."),
}  # fmt: skip
NORMALISATIONS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "unit": ((0.0,) * 3, (1.0,) * 3),
    "bytes": ((0.0,) * 3, (1 / 255,) * 3),
}
WITHOUT_ANTIALIAS = {"antialias": "bilinear", "cubic": "bicubic"}
FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}


def same_answers(a: Predictor, b: Scores, images: Iterable[Path | str]) -> Agreement:
    """Compare a network with another program that should give its answers.

    Args:
        a: The network with its preprocessing: what is right.
        b: The other program: a function from a list of paths to scores or probabilities,
            ``[images, classes]``, as a tensor, an array or lists.
        images: Files, and folders that are searched, as `Predictor.predict` takes them. 32
            photographs are enough to name a mistake.

    Returns:
        How many answers differ, and the mistakes that explain it. One mistake is named where it
        gives the other program's scores; several only where all of them together do.

    Raises:
        ValueError: A file can't be read, there are no images, or what `b` gives are no scores
            of these classes.
    """
    given = [images] if isinstance(images, Path | str) else images
    paths = []
    for path, error in files_of(given):
        if error:
            raise ValueError(error)
        paths.append(path)
    if not paths:
        raise ValueError("there are no images to compare on: give some files or a folder of them")
    trial = _Trial(a, paths)
    theirs = _as_logarithms(b(list(paths)), len(paths), len(a.classes))
    ours = trial.scores(frozenset())
    spread = float((ours - ours.mean(1, keepdim=True)).square().mean().sqrt()) or 1.0
    difference = _distance(theirs, ours) / spread
    differ = int((ours.argmax(1) != theirs.argmax(1)).sum())
    if difference <= EQUAL:
        names, remaining = frozenset[str](), difference
    elif _on_a_grid(theirs) and not _on_a_grid(ours):
        names, remaining = frozenset({"int8"}), difference
    else:
        names, remaining = _explained(trial, theirs, difference, spread)
    return Agreement(
        images=len(paths),
        differ=differ,
        difference=difference,
        mistakes=tuple(mistake for key, mistake in MISTAKES.items() if key in names),
        remaining=remaining,
    )


def _as_logarithms(scores: Any, images: int, classes: int) -> Tensor:
    """Scores or probabilities as logarithms of probabilities."""
    if isinstance(scores, Sequence):
        scores = np.stack([np.asarray(row) for row in scores]) if len(scores) else np.zeros((0,))
    table: Tensor = torch.as_tensor(scores).detach().cpu().double()
    if table.shape != (images, classes):
        words = f"b gives {list(table.shape)} for {images} images of {classes} classes"
        if table.dim() == 2 and table.shape[1] == classes + 1:
            words += ": TensorFlow's ImageNet networks have a class 0, background; leave it out"
        raise ValueError(words)
    if not bool(table.isfinite().all()):
        raise ValueError("b gives scores that are no finite numbers (NaN or infinite)")
    chances = bool((scores >= 0).all()) and bool(((table.sum(1) - 1).abs() < 1e-2).all())
    return table.clamp_min(1e-30).log() if chances else table.log_softmax(1)


def _distance(one: Tensor, two: Tensor) -> float:
    """Root mean square difference of logarithms of probabilities."""
    # Tiny chances are cut off at float's smallest number: they tell nothing.
    floor = one.amax(1, keepdim=True) - 30
    gap = torch.maximum(one, floor) - torch.maximum(two, floor)
    gap = gap - gap.mean(1, keepdim=True)
    return float(gap.square().mean().sqrt())


def _on_a_grid(logarithms: Tensor) -> bool:
    """Whether the scores of an image are few, and evenly spaced: the last layer has eight bits."""
    if logarithms.shape[1] <= LEVELS:
        return False
    rows = []
    for row in logarithms:
        levels = (row - row.max()).unique()
        steps = levels.diff()
        steps = steps[steps > 1e-4]
        if len(steps) == 0 or len(steps) >= LEVELS:
            return False
        parts = steps / steps.min()
        rows.append(bool(((parts - parts.round()).abs() < 0.1).double().mean() > 0.9))
    return all(rows)


def _explained(
    trial: "_Trial", theirs: Tensor, difference: float, spread: float
) -> tuple[frozenset[str], float]:
    """The mistakes that give the other program's scores, and what remains of the difference."""
    singles = [frozenset({name}) for name in trial.possible()]
    beam: list[frozenset[str]] = [frozenset()]
    best, remaining = frozenset[str](), difference
    for number in range(1, TOGETHER + 1):
        sets = {
            names | single
            for names, single in product(beam, singles)
            if len({MISTAKES[name].stage for name in names | single}) == number
        }
        if not sets:
            break
        ranked = sorted((_distance_of(trial, names, theirs, FEW), sorted(names)) for names in sets)
        beam = [frozenset(names) for _, names in ranked[:BEAM]]
        left = _distance_of(trial, beam[0], theirs, len(trial.paths)) / spread
        # One mistake more is named only if it is most of what the others leave.
        if left <= EXPLAINED * remaining:
            best, remaining = beam[0], left
        if remaining <= EQUAL:
            break
    return (best, remaining) if remaining <= EXPLAINED * difference else (frozenset(), difference)


def _distance_of(trial: "_Trial", names: frozenset[str], theirs: Tensor, few: int) -> float:
    return _distance(theirs[:few], trial.scores(names, few))


class _Trial:
    """A network that makes mistakes on purpose."""

    def __init__(self, predictor: Predictor, paths: list[Path]) -> None:
        self.predictor = predictor
        self.paths = paths
        self._pixels: dict[str, Tensor] = {}

    def possible(self) -> list[str]:
        """The mistakes that change something here."""
        p = self.predictor.preprocessing
        names = []
        for name, mistake in MISTAKES.items():
            if mistake.stage == "normalisation" and name != "twice":
                same = NORMALISATIONS[name] == (tuple(p.mean), tuple(p.std))
                if same or len(p.mean) != 3:
                    continue
            if mistake.stage == "pixels" and torch.equal(self.pixels(name), self.pixels("")):
                continue
            if name == "bgr" and p.channels != 3:
                continue
            if name == "epsilon" and not _norms(self.predictor.model):
                continue
            if name == "padding" and not any(_padding(m) for m in self.predictor.model.modules()):
                continue
            if name != "int8":
                names.append(name)
        return names

    def pixels(self, name: str) -> Tensor:
        """The images, decoded rightly or scaled by another rule."""
        if name not in self._pixels:
            p = self.predictor.preprocessing
            images = [
                _scaled(path, name, p.size, p.channels) if name else read_image(path, p)
                for path in self.paths
            ]
            self._pixels[name] = torch.stack(images)
        return self._pixels[name]

    def scores(self, names: frozenset[str], few: int | None = None) -> Tensor:
        """Logarithms of the probabilities with some mistakes made."""
        stages = {MISTAKES[name].stage: name for name in names}
        pixels = self.pixels(stages.get("pixels", ""))[:few]
        if "colours" in stages:
            pixels = pixels.flip(1)
        predictor = self.predictor
        kind = stages.get("normalisation")
        if kind in NORMALISATIONS:
            mean, std = NORMALISATIONS[kind]
            predictor = replace(
                predictor, preprocessing=replace(predictor.preprocessing, mean=mean, std=std)
            )
        rows = []
        with torch.inference_mode(), _spoiled(predictor.model, stages):
            for part in pixels.split(32):  # type: ignore[no-untyped-call]
                batch = predictor.prepare(part)
                if kind == "twice":
                    batch = predictor.prepare(batch * 255)
                batch = batch.to(memory_format=torch.channels_last)  # faster
                rows.append(scores(predictor.model(batch)).double().log_softmax(1).cpu())
        return torch.cat(rows)


def _scaled(path: Path, name: str, size: int, channels: int) -> Tensor:
    """A photograph, scaled by another rule than `lineage_lab.data`'s."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB" if channels == 3 else "L")
    square, side = (size, size), min(image.size)
    if name == "stretched":
        image = image.resize(square, Image.Resampling.BILINEAR)
    elif name == "tight":
        wide = round(size * 8 / 7)
        image = ImageOps.fit(image, (wide, wide), Image.Resampling.BILINEAR)
        edge = (wide - size) // 2
        image = image.crop((edge, edge, edge + size, edge + size))
    elif name in WITHOUT_ANTIALIAS:
        image = ImageOps.fit(image, (side, side), Image.Resampling.NEAREST)
        whole = _tensor(image)[None].float()
        scaled = F.interpolate(whole, square, mode=WITHOUT_ANTIALIAS[name], align_corners=False)
        return scaled[0].round().clamp(0, 255).byte()
    else:
        image = ImageOps.fit(image, square, FILTERS[name])
    return _tensor(image)


def _tensor(image: Image.Image) -> Tensor:
    pixels = np.array(image, dtype=np.uint8)
    return torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())


def _norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def _padding(module: nn.Module) -> str:
    """How a convolution of stride 2 is padded: as TensorFlow does, evenly, or neither."""
    if not isinstance(module, nn.Conv2d) or module.stride == (1, 1) or max(module.kernel_size) < 2:
        return ""
    if module.padding == (0, 0) and type(module) is not nn.Conv2d:
        return "tensorflow"
    even = tuple((k - 1) // 2 for k in module.kernel_size)
    return "even" if module.padding == even and type(module) is nn.Conv2d else ""


@contextmanager
def _spoiled(model: nn.Module, stages: dict[str, str]) -> Iterator[None]:
    """The network with a mistake of its own; afterwards it is as it was."""
    norms = [(norm, norm.eps) for norm in _norms(model)]
    forwards: list[nn.Module] = []
    modes = [(module, module.training) for module in model.modules()]
    buffers = None
    try:
        if "epsilon" in stages:
            for norm, epsilon in norms:
                norm.eps = 1e-3 if epsilon < 1e-4 else 1e-5
        if "padding" in stages:
            for module in model.modules():
                if kind := _padding(module):
                    forwards.append(module)
                    module.forward = _padded(module, even=kind == "tensorflow")
        if "mode" in stages:
            buffers = copy.deepcopy(dict(model.named_buffers()))
            model.train()
        yield
    finally:
        for norm, epsilon in norms:
            norm.eps = epsilon
        for module in forwards:
            del module.forward
        for module, mode in modes:
            module.training = mode
        for name, buffer in (buffers or {}).items():
            model.get_buffer(name).copy_(buffer)


def _padded(conv: nn.Module, *, even: bool) -> Callable[[Tensor], Tensor]:
    """A convolution of stride 2 with the other padding."""
    assert isinstance(conv, nn.Conv2d)

    def forward(x: Tensor) -> Tensor:
        if even:
            padding = tuple((k - 1) // 2 for k in conv.kernel_size)
            return F.conv2d(x, conv.weight, conv.bias, conv.stride, padding, 1, conv.groups)
        pads: list[int] = []
        for number in (1, 0):  # columns, then rows
            side, k, s = x.shape[2 + number], conv.kernel_size[number], conv.stride[number]
            total = max((-(-side // s) - 1) * s + k - side, 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), conv.weight, conv.bias, conv.stride, 0, 1, conv.groups)

    return forward
