"""The linear probe: the features of a frozen body once, then the head alone, fitted exactly.

The head is multinomial logistic regression on standardised features, as scikit-learn's
``StandardScaler`` and ``LogisticRegression`` fit it. Its penalty is chosen by folds inside the part
to train on. Then the standardisation is folded into the layer's weights, and the network is an
ordinary one again. (Alain and Bengio, "Understanding intermediate layers using linear classifier
probes", arXiv:1610.01644.)
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lineage_lab.data.sets import ImageSet
from lineage_lab.files import alone
from lineage_lab.heads import find_head
from lineage_lab.training import checkpoint
from lineage_lab.training.checkpoint import Checkpoint
from lineage_lab.training.checks import check_device, check_head
from lineage_lab.training.device import forget_peak_memory, peak_memory, pick_device
from lineage_lab.training.features import MIRRORS, Body, features
from lineage_lab.training.loss import balanced_weights
from lineage_lab.training.recipe import Recipe
from lineage_lab.training.resume import preprocessing_of, refuse_earlier_run
from lineage_lab.training.validation import (
    Validation,
    check_threshold,
    decision_for,
    metric_for,
    small_parts,
    validate,
)

__all__ = ["PENALTIES", "Head", "Probe", "choose_penalty", "fit_head", "folds", "probe"]

logger = logging.getLogger(__name__)

# Inverse strengths, as scikit-learn's C. The strongest comes first, each fit starts from the last.
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
FOLDS = 3
STEPS = 1000
STILL = 1e-10  # largest gradient of the mean loss at which a fit ends
ROUGHLY = 1e-5  # the same where penalties are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A linear layer on features as they come.

    Attributes:
        weight: ``float64 [classes, width]``.
        bias: ``float64 [classes]``.
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Scores, ``float64 [n, classes]``, of features ``[n, width]``."""
        return x.double() @ self.weight.T + self.bias


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came of a probe.

    Attributes:
        validation: Answers to the validation images, by the network with its new head.
        metric: Metric that the recipe chooses by.
        penalty: Inverse strength of the penalty, scikit-learn's ``C``.
        width: Number of features of an image.
        way: How the body ran: ``eager``, ``folded`` or ``onnx``.
        images: Images to train on.
        passed: Views that went through the body in this run; the others were kept.
        feature_seconds: Time of the feature pass over the images to train on.
        fit_seconds: Time to choose the penalty and to fit the head.
        peak_memory: Most memory in use, in bytes, or ``None``.
        memory_kind: What `peak_memory` counts.
    """

    validation: Validation
    metric: str
    penalty: float
    width: int
    way: str
    images: int
    passed: int
    feature_seconds: float
    fit_seconds: float
    peak_memory: int | None
    memory_kind: str

    @property
    def train_seconds(self) -> float:
        """Time from decoded images to the head."""
        return self.feature_seconds + self.fit_seconds


def probe(
    model: nn.Module,
    train: ImageSet,
    val: ImageSet,
    recipe: Recipe | None = None,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    name: str = "",
    mirrors: bool = False,
    way: str = "auto",
    folder: str | Path | None = None,
    overwrite: bool = False,
    on_images: Callable[[int, int], None] | None = None,
) -> Probe:
    """Fit the head of a network on the features of its body, which stays as it is.

    Args:
        model: A classifier that ends in a linear layer of as many scores as there are classes;
            that layer is changed in place.
        train: Images to train on.
        val: Images to validate with.
        recipe: Its ``seed``, ``device``, ``precision`` (``auto`` is fp32), ``flips``,
            ``class_weights``, ``metric``, ``calibrate``, ``threshold`` and ``positive`` are read.
        mean: Mean of each channel that the weights were trained with; pixels from 0 to 1.
        std: Standard deviation of each channel, also theirs.
        name: The registry's name of the network, for the checkpoint.
        mirrors: Fit on the mirror images too that the recipe or the set allows.
        way: How the body runs, one of `lineage_lab.training.features.WAYS`; ``auto`` finds the
            fastest.
        folder: Where to keep ``best.ckpt``; ``None`` to keep nothing.
        overwrite: Delete the checkpoints of an earlier run in ``folder``.
        on_images: Called with the views that went through the body and how many there are;
            those whose features are kept don't.

    Returns:
        What came of it.

    Raises:
        ValueError: The network does not end in a linear layer with a bias, its head does not fit
            the classes, or the recipe can't be followed here.
        FileExistsError: The folder holds the checkpoints of a run, and `overwrite` is not set.
    """
    recipe = recipe or Recipe()
    if folder is not None and not overwrite:
        refuse_earlier_run(folder)
    check_head(model, train)
    device = pick_device(recipe.device)
    check_device(recipe, device)
    check_threshold(recipe, val)
    path, head = find_head(model)
    if not isinstance(head, nn.Linear) or head.bias is None:
        raise ValueError(
            f"the head {path!r} of {type(model).__name__} is no linear layer with a bias, which a "
            "probe needs: train it by finetune with unfreeze='none'"
        )
    metric = metric_for(recipe, train)
    for words in small_parts(train, val, "accuracy", recipe):  # no checkpoint is chosen
        logger.warning("%s", words)
    flips = train.flips if recipe.flips == "auto" else recipe.flips
    views = MIRRORS[flips] if mirrors else MIRRORS["none"]
    count = len(train) * len(views) + len(val)
    forget_peak_memory(device)
    body = Body.of(
        model, train.images[:16], mean=mean, std=std, device=device, way=way, total=count,
        precision="fp32" if recipe.precision == "auto" else recipe.precision,
    )  # fmt: skip
    passed = 0

    def passing(images: int) -> None:
        nonlocal passed
        passed += images
        if on_images:
            on_images(passed, count)

    start = time.perf_counter()
    x = torch.cat([features(body, train, mirror=m, on_images=passing) for m in views])
    feature_seconds = time.perf_counter() - start
    start = time.perf_counter()
    labels = train.labels.repeat(len(views))
    weights = None
    if recipe.class_weights == "balanced":
        counts = train.labels.bincount(minlength=len(train.classes)).tolist()
        weights = balanced_weights(counts)[labels].double()
    of_image = folds(train if recipe.grouped else replace(train, groups=None), seed=recipe.seed)
    fold = torch.from_numpy(of_image).repeat(len(views))
    classes = len(train.classes)
    penalty = choose_penalty(x, labels, fold, classes=classes, weights=weights)
    fitted = fit_head(x, labels, classes=classes, penalty=penalty, weights=weights)
    fit_seconds = time.perf_counter() - start
    with torch.no_grad():
        head.weight.copy_(fitted.weight)
        head.bias.copy_(fitted.bias)

    y = features(body, val, on_images=passing)
    with torch.no_grad():
        scores = F.linear(y, head.weight.cpu().float(), head.bias.cpu().float())
    found = validate(scores.double().softmax(1).numpy(), val, metric)
    peak, kind = peak_memory(device)
    if folder is not None:
        decision = decision_for(recipe, val, found.probabilities)
        with alone(Path(folder)):
            for file in checkpoint.files(folder) if overwrite else ():
                file.unlink()
            checkpoint.save(
                Path(folder) / "best.ckpt",
                Checkpoint(
                    model=name or type(model).__name__,
                    classes=tuple(train.classes),
                    preprocessing=preprocessing_of(train, mean, std),
                    recipe=recipe.to_dict(),
                    state=model.state_dict(),
                    training=None,
                    metrics={
                        "val_accuracy": found.accuracy, "val_score": found.score, "epoch": 0,
                        "data": train.name, "decision": decision.to_dict(), "penalty": penalty,
                    },
                ),
            )  # fmt: skip
    return Probe(
        validation=found,
        metric=metric,
        penalty=penalty,
        width=x.shape[1],
        way=body.way,
        images=len(train),
        passed=passed,
        feature_seconds=feature_seconds,
        fit_seconds=fit_seconds,
        peak_memory=peak,
        memory_kind=kind,
    )


def fit_head(
    x: Tensor,
    labels: Tensor,
    *,
    classes: int,
    penalty: float,
    weights: Tensor | None = None,
) -> Head:
    """Multinomial logistic regression on standardised features, with a penalty on the weights.

    Args:
        x: Features, ``float [n, width]``.
        labels: Class of each row, ``int64 [n]``.
        classes: How many there are; one without rows gets low scores.
        penalty: Inverse strength, scikit-learn's ``C``.
        weights: Weight of each row, ``float [n]``.

    Returns:
        The head. Its scores are those of scikit-learn's pipeline; of two classes, their
        difference is.
    """
    shift, scale = _scale_of(x)
    solved = _Solver(((x - shift) / scale).double(), labels, classes, weights).solve(penalty)
    return _unscaled(solved, shift, scale)


def choose_penalty(
    x: Tensor, labels: Tensor, fold: Tensor, *, classes: int, weights: Tensor | None = None
) -> float:
    """The penalty with the lowest Brier score on folds that the fit has not seen.

    The Brier score asks for honest probabilities, as the log loss does. But it is bounded, so
    that a few images of another kind in one fold don't decide for all.

    Args:
        x: Features, ``float [n, width]``.
        labels: Class of each row, ``int64 [n]``.
        fold: Fold of each row, ``int64 [n]``; rows of one image are of one fold.
        classes: How many there are.
        weights: Weight of each row, ``float [n]``.

    Returns:
        One of `PENALTIES`; the middle one where there is only one fold.
    """
    scores = np.zeros(len(PENALTIES))
    for number in range(int(fold.max()) + 1):
        out = fold == number
        if not 0 < int(out.sum()) < len(out):
            return PENALTIES[len(PENALTIES) // 2]
        shift, scale = _scale_of(x[~out])
        solver = _Solver(((x[~out] - shift) / scale).float(), labels[~out], classes,
                         None if weights is None else weights[~out].float())  # fmt: skip
        held = ((x[out] - shift) / scale).float()
        wanted = F.one_hot(labels[out], classes)
        for place, penalty in enumerate(PENALTIES):
            weight, bias = solver.solve(penalty, still=ROUGHLY)
            each = ((held @ weight.T + bias).softmax(1) - wanted).square().sum(1)
            scores[place] += float((each if weights is None else each * weights[out]).sum())
    return PENALTIES[int(scores.argmin())]


def folds(data: ImageSet, *, seed: int, count: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each image: classes even, images that belong together in one.

    Args:
        data: Images.
        seed: Decides which fold.
        count: How many folds.

    Returns:
        ``int64 [n]``, from 0. With groups, as scikit-learn's ``StratifiedGroupKFold`` shares
        them out: the most uneven groups first, each where it evens the classes most.
    """
    generator = np.random.default_rng(seed)
    labels = data.labels.numpy()
    fold = np.zeros(len(labels), np.int64)
    if data.groups is None:
        first = 0
        for label in range(len(data.classes)):
            places = generator.permutation(np.flatnonzero(labels == label))
            fold[places] = (first + np.arange(len(places))) % count
            first += len(places)
        return fold
    names, group = np.unique(data.groups.numpy(), return_inverse=True)
    shares = np.zeros((len(names), len(data.classes)))
    np.add.at(shares, (group, labels), 1)
    totals = np.maximum(shares.sum(0), 1)
    filled = np.zeros((count, len(data.classes)))
    order = generator.permutation(len(names))
    order = order[np.argsort(-shares[order].std(axis=1), kind="stable")]
    of_group = np.zeros(len(names), np.int64)
    for place in order:
        spread = []
        for number in range(count):
            filled[number] += shares[place]
            spread.append(((filled / totals).std(axis=0).mean(), filled[number].sum()))
            filled[number] -= shares[place]
        of_group[place] = min(range(count), key=spread.__getitem__)
        filled[of_group[place]] += shares[place]
    fold[:] = of_group[group]
    return fold


class _Solver:
    """The fits of one set of rows, from one penalty to the next."""

    def __init__(self, x: Tensor, labels: Tensor, classes: int, weights: Tensor | None) -> None:
        self.x, self.labels, self.weights = x, labels, weights
        self.weight = torch.zeros(classes, x.shape[1], dtype=x.dtype)
        self.bias = torch.zeros(classes, dtype=x.dtype)

    def solve(self, penalty: float, *, still: float = STILL) -> tuple[Tensor, Tensor]:
        # Of two classes scikit-learn fits one row, the difference of two: the penalty on one row
        # of w is twice that on two of w / 2.
        shrink = 1.0 if len(self.bias) == 2 else 0.5
        weight = self.weight.clone().requires_grad_()
        bias = self.bias.clone().requires_grad_()
        size = len(self.x)
        optimizer = torch.optim.LBFGS(
            [weight, bias], max_iter=STEPS, max_eval=2 * STEPS, history_size=20,
            tolerance_grad=still, tolerance_change=0, line_search_fn="strong_wolfe",
        )  # fmt: skip

        def loss() -> Tensor:
            optimizer.zero_grad()
            each = F.cross_entropy(self.x @ weight.T + bias, self.labels, reduction="none")
            total = (each if self.weights is None else each * self.weights).sum()
            value: Tensor = (total + shrink / penalty * weight.square().sum()) / size
            value.backward()  # type: ignore[no-untyped-call]
            return value

        optimizer.step(loss)  # type: ignore[no-untyped-call]
        self.weight, self.bias = weight.detach(), bias.detach()
        # Only differences of scores count; scikit-learn's sum to zero.
        return self.weight - self.weight.mean(0), self.bias - self.bias.mean()


def _scale_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature; of a constant one, 1."""
    wide = x.double()
    scale = wide.std(0, correction=0)
    return wide.mean(0), torch.where(scale > 1e-12 * wide.abs().amax(0), scale, 1.0)


def _unscaled(solved: tuple[Tensor, Tensor], shift: Tensor, scale: Tensor) -> Head:
    weight = solved[0] / scale
    return Head(weight=weight, bias=solved[1] - weight @ shift)
