"""Names for the networks: ``create_model("resnet50")``.

A row gives a name its builder, its input and its weights. ``timm/NAME`` is a row made when it
is asked for: timm, which is optional, builds that network and loads its weights.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import hub, nn

from lineage_lab.heads import find_head, replace_head
from lineage_lab.models import (
    alexnet,
    convnext,
    convnext_steps,
    efficientnet,
    googlenet,
    lenet,
    resnet,
    vgg,
    vit,
)
from lineage_lab.weights import published

__all__ = ["Entry", "create_model", "entry", "list_models"]

logger = logging.getLogger(__name__)

TIMM = "timm/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row.

    Attributes:
        name: What `create_model` takes; torchvision's name where torchvision has the network,
            or ``timm/`` and timm's.
        family: The lineage's name for it, such as ``efficientnet``; ``timm`` for timm's.
        input_size: Channels, height and width that the published weights were trained for.
        num_classes: Of the published network; 0 if it has no head (some of timm's).
        build: Makes the network with first weights; takes ``num_classes``.
        note: In a few words, what it is.
        mean: Mean of each channel that the images are normalised with, pixels from 0 to 1:
            timm's, or the paper's (LeNet-5); ``None`` where the published `weights` carry it.
        std: Standard deviation of each channel, from the same source.
    """

    name: str
    family: str
    input_size: tuple[int, int, int]
    num_classes: int
    build: Callable[..., nn.Module]
    note: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def weights(self) -> tuple[published.WeightsEntry, ...]:
        """The published weights of this network, if it is ours: timm keeps its own."""
        return tuple(w for w in published.WEIGHTS if w.model == self.name)


def _rows() -> Mapping[str, Entry]:
    rows: dict[str, Entry] = {}

    def row(
        name: str,
        family: str,
        build: Callable[..., nn.Module],
        note: str,
        *,
        side: int = 224,
        channels: int = 3,
        num_classes: int = 1000,
        mean: tuple[float, ...] | None = None,
        std: tuple[float, ...] | None = None,
    ) -> None:
        rows[name] = Entry(
            name=name,
            family=family,
            input_size=(channels, side, side),
            num_classes=num_classes,
            build=build,
            note=note,
            mean=mean,
            std=std,
        )

    grey: dict[str, Any] = {"side": 32, "channels": 1, "num_classes": 10}
    grey |= {"mean": lenet.INK_MEAN, "std": lenet.INK_STD}
    row("lenet5", "lenet", lenet.LeNet5, "the paper's, with sparse C3 and fixed codes", **grey)
    row("lenet5_modern", "lenet", lenet.LeNet5Modern, "what tutorials call LeNet-5", **grey)

    def alex(config: alexnet.AlexNetConfig) -> Callable[..., nn.Module]:
        return partial(alexnet.AlexNet, config=config)

    row("alexnet", "alexnet", alex(alexnet.ONE_TOWER), "one tower (2014), as torchvision's")
    row("alexnet_paper", "alexnet", alex(alexnet.PAPER), "the paper's: two groups, LRN", side=227)
    row(
        "alexnet_paper_ungrouped",
        "alexnet",
        alex(alexnet.PAPER_UNGROUPED),
        "the paper's without groups",
        side=227,
    )

    for layers, column in ((11, "A"), (13, "B"), (16, "D"), (19, "E")):
        build = partial(vgg.VGG, column=column)
        row(f"vgg{layers}", "vgg", build, f"column {column} of the paper's table")
        row(f"vgg{layers}_bn", "vgg", partial(build, norm=True), "the same with batch norm")
    row("vgg16c", "vgg", partial(vgg.VGG, column="C"), "column C: three of its layers are 1×1")

    row("googlenet", "googlenet", googlenet.GoogLeNet, "torchvision's: batch norm, 3×3 for 5×5")
    row(
        "googlenet_paper",
        "googlenet",
        partial(googlenet.GoogLeNet, config=googlenet.PAPER),
        "the paper's: true 5×5, LRN, no batch norm",
        side=224,
    )

    for depth, config in resnet.IMAGENET.items():
        row(
            f"resnet{depth}",
            "resnet",
            partial(resnet.ResNet, config=config),
            "stride in the 3×3 (v1.5)" if config.bottleneck else "the paper's",
        )
    for depth in (50, 101, 152):
        row(
            f"resnet{depth}_paper",
            "resnet",
            partial(resnet.ResNet, config=resnet.paper(depth)),
            "the paper's: stride in the first 1×1 (v1)",
        )
    row(
        "plain34",
        "resnet",
        partial(resnet.ResNet, config=resnet.plain(resnet.IMAGENET[34])),
        "resnet34 without shortcuts",
    )
    small: dict[str, Any] = {"side": 32, "num_classes": 10}
    for depth in (20, 32, 44, 56, 110, 1202):
        row(
            f"resnet{depth}_cifar",
            "resnet",
            partial(resnet.ResNet, config=resnet.cifar(depth)),
            "the paper's for 32×32 images, shortcuts A",
            **small,
        )
    for depth in (20, 32, 44, 56):
        row(
            f"plain{depth}_cifar",
            "resnet",
            partial(resnet.ResNet, config=resnet.plain(resnet.cifar(depth))),
            f"resnet{depth}_cifar without shortcuts",
            **small,
        )

    for name, (scaling, form) in efficientnet.VARIANTS.items():
        row(
            name,
            "efficientnet",
            partial(efficientnet.EfficientNet, scaling=scaling, form=form),
            "EfficientNet for phones" if name in efficientnet.LITE else "B0 scaled",
            side=scaling.resolution,
        )
    for name, variant in convnext.VARIANTS.items():
        row(name, "convnext", partial(convnext.ConvNeXt, config=variant), "the paper's")
    for name, step in convnext_steps.ROAD.items():
        row(
            f"convnext_step_{name}",
            "convnext_steps",
            partial(convnext_steps.SteppedNet, step=step),
            "on the road from ResNet-50 to ConvNeXt-T",
        )
    for side, name in ((224, "vit_b_16"), (384, "vit_b_16_384")):
        row(
            name,
            "vit",
            partial(vit.ViT, resolution=side),
            f"the paper's, for {side}×{side}",
            side=side,
        )
    return MappingProxyType(rows)


_ENTRIES = _rows()


def entry(name: str) -> Entry:
    """The row of a name.

    Args:
        name: One of `list_models`, or ``timm/NAME`` with a name of timm's, such as
            ``timm/resnet18`` or, for one of several published weights, its tag too:
            ``timm/resnet18.a1_in1k``.

    Raises:
        ValueError: There is no such name; the message offers the nearest.
        ModuleNotFoundError: The name is timm's, and timm is not installed.
    """
    if name.startswith(TIMM):
        return _timm_entry(name)
    if name in _ENTRIES:
        return _ENTRIES[name]
    near = get_close_matches(name, _ENTRIES, n=3, cutoff=0.4)
    hint = f"known: {', '.join(_ENTRIES)}"
    if near:
        hint = f"did you mean {' or '.join(near)}? (All: lineage-lab models)"
    raise ValueError(f"no network is called {name!r}: {hint}")


def _timm() -> Any:
    try:
        return import_module("timm")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "names that begin with timm/ need the package timm. Install it with: pip install timm"
        ) from error


def _timm_entry(name: str) -> Entry:
    timm = _timm()
    theirs = name.removeprefix(TIMM)
    try:
        config = timm.get_pretrained_cfg(theirs, allow_unregistered=False)
    except RuntimeError:
        near = get_close_matches(theirs, [*timm.list_models(), *timm.list_pretrained()], n=3)
        hint = f"did you mean {' or '.join(TIMM + n for n in near)}? " if near else ""
        raise ValueError(
            f"timm has no network called {theirs!r}: {hint}timm.list_models() gives all names"
        ) from None
    return Entry(
        name=name,
        family="timm",
        input_size=tuple(config.input_size),
        num_classes=config.num_classes,
        build=partial(_build_timm, theirs),
        note="timm's",
        mean=tuple(config.mean),
        std=tuple(config.std),
    )


def _build_timm(name: str, *, num_classes: int, pretrained: bool = False) -> nn.Module:
    """The network as timm makes it, but surely with a head."""
    timm = _timm()
    config = timm.get_pretrained_cfg(name)
    if pretrained and not config.has_weights:
        raise ValueError(f"timm has no published weights for {name}")
    try:
        model: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=num_classes)
    except OSError as error:  # the hub's errors are of this kind
        if not pretrained:
            raise
        source = config.hf_hub_id or config.url
        if config.hf_hub_id:
            cache = Path(import_module("huggingface_hub").constants.HF_HUB_CACHE)
            path = cache / f"models--{source.replace('/', '--')}"
            advice = f"run `hf download {source}` on a machine with network, and copy the folder to"
        else:
            path = Path(hub.get_dir()) / "checkpoints" / Path(source).name
            advice = "fetch that file on a machine with network, and copy it to"
        raise published.WeightsUnavailable(
            f"The weights of {TIMM}{name} can't be had.\n"
            f"  tried: {source}\n"
            f"  which gave: {error}\n"
            f"  If there is no network here, {advice} {path}",
            url=source,
            path=path,
        ) from error
    find_head(model)
    return model


def list_models(family: str | None = None) -> tuple[str, ...]:
    """The names of our networks.

    `create_model` takes ``timm/NAME`` too, for each name that ``timm.list_models()`` gives.

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
        name: One of `list_models`, or ``timm/NAME``: see `entry`.
        num_classes: Scores to give; ``None`` for as many as the published network has (1000
            on ImageNet, 10 for LeNet-5).
        weights: ``None`` for first weights drawn at random, ``"imagenet"`` for the best that
            are published for this network, ``"imagenet-v1"`` for the first that were. With
            another number of classes the body is loaded, the head is new, and the log says so.
            For timm's, ``"imagenet"`` means the weights that timm has for the name, whatever
            images they learnt from; timm finds them, and checks no hash.

    Returns:
        The network, in ``train`` mode, on the CPU.

    Raises:
        ValueError: Unknown name or weights, or ``num_classes`` below 1; the message offers
            what there is. Or an encoder of timm's that takes no head.
        WeightsUnavailable: The weights can't be had; the message says what to do.
        ModuleNotFoundError: The name is timm's, and timm is not installed.

    Examples:
        >>> model = create_model("efficientnet_lite0", num_classes=2)
        >>> model.head
        Linear(in_features=1280, out_features=2, bias=True)
    """
    row = entry(name)
    classes = row.num_classes if num_classes is None else num_classes
    if num_classes is None and not classes:
        raise ValueError(f"{name} has no head of its own: say how many classes, num_classes=…")
    if classes < 1:
        raise ValueError(f"num_classes must be 1 or more, not {classes}")
    if weights is None:
        return row.build(num_classes=classes)
    if name.startswith(TIMM):
        if weights != "imagenet":
            raise ValueError(
                f"{name} has no weights named {weights!r}: timm's are 'imagenet'; a tag in the "
                "name, as in timm/resnet18.a1_in1k, chooses among several"
            )
        model = row.build(num_classes=row.num_classes or classes, pretrained=True)
    else:
        model = row.build(num_classes=row.num_classes)
        published.load(model, published.find(name, weights))
    if classes != row.num_classes:
        logger.warning(
            "%s: the body has the weights %r; the head, %d classes in place of %d, is new",
            name,
            weights,
            classes,
            row.num_classes,
        )
        replace_head(model, classes)
    return model
