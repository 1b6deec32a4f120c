"""Names for the networks: ``create_model("resnet50")``.

A row gives a name its builder, its input and its weights. Neighbours: `lineage_lab.models`
holds our networks; three rows (`resnet50`, `convnext_tiny`, `efficientnet_b0`) are
torchvision's own builders until ours are written; `lineage_lab.weights` brings the weights.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any

from torch import nn

from lineage_lab import weights as published
from lineage_lab.heads import replace_head

__all__ = ["Entry", "create_model", "entry", "list_models"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row.

    Attributes:
        name: What `create_model` takes; torchvision's name where torchvision has the network.
        family: The lineage's name for it, such as ``efficientnet``.
        input_size: Channels, height and width that the published weights were trained for.
        num_classes: Of the published network.
        build: Makes the network with first weights; takes ``num_classes``.
        note: In a few words, what it is.
    """

    name: str
    family: str
    input_size: tuple[int, int, int]
    num_classes: int
    build: Callable[..., nn.Module]
    note: str

    @property
    def weights(self) -> tuple[published.WeightsEntry, ...]:
        """The published weights of this network."""
        return tuple(w for w in published.WEIGHTS if w.model == self.name)


def _ours(module: str, attribute: str, **options: Any) -> Callable[..., nn.Module]:
    def build(num_classes: int) -> nn.Module:
        make = getattr(import_module(f"lineage_lab.models.{module}"), attribute)
        network: nn.Module = make(num_classes=num_classes, **options)
        return network

    return build


def _lite(name: str, num_classes: int) -> nn.Module:
    from lineage_lab.models.efficientnet import LITE, EfficientNetLite

    return EfficientNetLite(num_classes=num_classes, scaling=LITE[name])


def _torchvision(name: str, num_classes: int) -> nn.Module:
    models = import_module("torchvision.models")
    network: nn.Module = getattr(models, name)(weights=None, num_classes=num_classes)
    return network


def _rows() -> Mapping[str, Entry]:
    rows = [
        Entry(
            name="lenet5",
            family="lenet",
            input_size=(1, 32, 32),
            num_classes=10,
            build=_ours("lenet", "LeNet5"),
            note="the paper's, with sparse C3 and fixed codes",
        ),
        Entry(
            name="lenet5_modern",
            family="lenet",
            input_size=(1, 32, 32),
            num_classes=10,
            build=_ours("lenet", "LeNet5Modern"),
            note="what tutorials call LeNet-5",
        ),
    ]
    rows += [
        Entry(
            name=f"efficientnet_lite{number}",
            family="efficientnet",
            input_size=(3, side, side),
            num_classes=1000,
            build=partial(_lite, f"efficientnet_lite{number}"),
            note="EfficientNet for phones",
        )
        for number, side in ((0, 224), (1, 240), (2, 260))
    ]
    rows += [
        Entry(
            name=name,
            family=family,
            input_size=(3, 224, 224),
            num_classes=1000,
            build=partial(_torchvision, name),
            note="torchvision's",
        )
        for name, family in (
            ("resnet50", "resnet"),
            ("efficientnet_b0", "efficientnet"),
            ("convnext_tiny", "convnext"),
        )
    ]
    return MappingProxyType({row.name: row for row in rows})


_ENTRIES = _rows()


def entry(name: str) -> Entry:
    """The row of a name.

    Raises:
        ValueError: There is no such name; the message offers the nearest.
    """
    if name in _ENTRIES:
        return _ENTRIES[name]
    near = get_close_matches(name, _ENTRIES, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_ENTRIES)}"
    raise ValueError(f"no network is called {name!r}: {hint}")


def list_models(family: str | None = None) -> tuple[str, ...]:
    """The names that `create_model` takes.

    Args:
        family: Only those of this family.

    Raises:
        ValueError: There is no such family.

    Examples:
        >>> list_models("lenet")
        ('lenet5', 'lenet5_modern')
    """
    families = {row.family for row in _ENTRIES.values()}
    if family is not None and family not in families:
        raise ValueError(f"no family {family!r}: there are {', '.join(sorted(families))}")
    return tuple(n for n, row in _ENTRIES.items() if family in (None, row.family))


def create_model(
    name: str, *, num_classes: int | None = None, weights: str | None = None
) -> nn.Module:
    """Build a network by its name.

    Args:
        name: One of `list_models`.
        num_classes: Scores to give; ``None`` for as many as the published network has (1000
            on ImageNet, 10 for LeNet-5).
        weights: ``None`` for first weights drawn at random, ``"imagenet"`` for the published
            ones. With another number of classes the body is loaded and the head is new.

    Returns:
        The network, in ``train`` mode, on the CPU.

    Raises:
        ValueError: Unknown name or weights; the message offers what there is.
        WeightsUnavailable: The weights can't be had; the message says what to do.

    Examples:
        >>> model = create_model("efficientnet_lite0", num_classes=2)
        >>> model.classifier
        Linear(in_features=1280, out_features=2, bias=True)
    """
    row = entry(name)
    classes = row.num_classes if num_classes is None else num_classes
    if weights is None:
        return row.build(num_classes=classes)
    model = published.load(row.build(num_classes=row.num_classes), published.find(name, weights))
    if classes != row.num_classes:
        logger.info("%s: the body has the weights %r, the head is new", name, weights)
        replace_head(model, classes)
    return model
