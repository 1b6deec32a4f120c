"""Names for the networks: ``create_model("resnet50")``.

A row gives a name its builder, its input and its weights. ``timm/NAME`` is a row made when it
is asked for: timm, which is optional, builds that network and loads its weights.
"""

import logging
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import hub, nn

from lineage_lab.heads import find_head, replace_head, taken_shape, unwrapped
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
from lineage_lab.weights import builders, published
from lineage_lab.weights.forms import Form, form_of, set_form
from lineage_lab.weights.loading import Loaded, load_into, recognise, say
from lineage_lab.weights.reading import is_weights_path, read

__all__ = ["Entry", "create_model", "entry", "family_of", "input_size", "list_models", "name_of",
           "rebuilt"]  # fmt: skip

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
        kind: Family whose recipe suits it, where that is not `family`.
    """

    name: str
    family: str
    input_size: tuple[int, int, int]
    num_classes: int
    build: Callable[..., nn.Module]
    note: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    kind: str = ""

    @property
    def trained_as(self) -> str:
        """The family whose recipe it is trained by."""
        return self.kind or self.family

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


def entry(name: str, *, allow: Collection[str] | None = None) -> Entry:
    """The row of a name.

    Args:
        name: One of `list_models`, or ``timm/NAME`` with a name of timm's, such as
            ``timm/resnet18`` or, for one of several published weights, its tag too:
            ``timm/resnet18.a1_in1k``. Or what builds any other network, by import path and plain
            arguments: ``torchvision.models.swin_t()``, ``mynets.Net(width=8)``.
        allow: Packages that such an expression may import; ``None`` for those that it names,
            as befits one that the reader has written.

    Raises:
        ValueError: There is no such name; the message offers the nearest.
        ModuleNotFoundError: The name is timm's, and timm is not installed.
    """
    if name.startswith(TIMM):
        return _timm_entry(name)
    if builders.is_expression(name):
        return _built_entry(name, allow)
    if name in _ENTRIES:
        return _ENTRIES[name]
    near = get_close_matches(name, _ENTRIES, n=3, cutoff=0.4)
    hint = f"known: {', '.join(_ENTRIES)}"
    if near:
        hint = f"did you mean {' or '.join(near)}? (All: lineage-lab models)"
    raise ValueError(f"no network is called {name!r}: {hint}")


def _built_entry(name: str, allow: Collection[str] | None) -> Entry:
    """A row for an expression. Its input is the first that it takes."""
    allow = _roots(name) if allow is None else allow
    model = builders.build(name, allow=allow)
    classes = find_head(model)[1].weight.shape[0]
    return Entry(
        name=name,
        family=family_of(model),
        input_size=input_size(model),
        num_classes=int(classes),
        build=partial(_build, name, frozenset(allow)),
        note="built by its import path",
    )


def _roots(name: str) -> tuple[str, ...]:
    """The packages that an expression names, but for those whose builders are known."""
    known = ("torch", "torchvision", "timm", "transformers", "lineage_lab")
    names = re.findall(r"(?<![\w.'\"])([A-Za-z_]\w*)\.", name)
    return tuple(dict.fromkeys(root for root in names if root not in known))


def _build(name: str, allow: Collection[str], *, num_classes: int) -> nn.Module:
    model = builders.build(name, allow=allow)
    if find_head(model)[1].weight.shape[0] != num_classes:
        replace_head(model, num_classes)
    return model


def name_of(model: nn.Module) -> str:
    """What builds a network like this one: a name for `create_model`, in a new process too.

    Args:
        model: Any network; wrappers are looked through.

    Raises:
        Unknown: It can't be told; the message says why and what to pass.
    """
    inner = unwrapped(model)
    if (own := _own_name(inner)) is not None:
        return own
    return builders.expression_of(inner, name=_own_name)


def _own_name(model: nn.Module) -> str | None:
    """The row of one of our own networks, by building each of its family and comparing."""
    if not type(model).__module__.startswith("lineage_lab.models."):
        return None
    shapes = [t.shape for t in model.state_dict().values()]
    form = form_of(model)
    for row in _ENTRIES.values():
        kind = getattr(row.build, "func", row.build)
        if kind is not type(model):
            continue
        try:
            classes = find_head(model)[1].weight.shape[0]
        except ValueError:
            classes = row.num_classes
        with torch.device("meta"):
            other = row.build(num_classes=int(classes))
        set_form(other, form)
        if [t.shape for t in other.state_dict().values()] == shapes and builders.alike(
            model, other
        ):
            return row.name
    return None


def input_size(model: nn.Module) -> tuple[int, int, int]:
    """Channels, height and width that a network takes, by trying.

    Raises:
        ValueError: It took no image.
    """
    shape = taken_shape(model)
    if shape is None or len(shape) != 3:
        raise ValueError(
            f"{type(model).__name__} takes no image of the sizes that were tried: it must take "
            "[batch, channels, height, width] and give [batch, classes]"
        )
    return shape[0], shape[1], shape[2]


# How the kinds of networks are called where they come from, by their class.
_KINDS = (
    ("convnext", r"ConvNe[xX]t|MetaNeXt|InceptionNeXt"),
    (
        "vit",
        r"ViT|VisionTransformer|Deit|DeiT|Beit|BEiT|Eva|Swin|Dino|MaxxVit|Xcit|Cait|PoolFormer",
    ),
    ("vgg", r"VGG|Vgg"),
    ("alexnet", r"AlexNet"),
    ("lenet", r"LeNet"),
    ("efficientnet", r"EfficientNet|MobileNet|MNASNet"),
    ("resnet", r"ResNet|ResNeXt|RegNet|DenseNet|ShuffleNet"),
    ("googlenet", r"GoogLeNet|Inception3"),
)


def family_of(model: nn.Module) -> str:
    """The kind of a network, whose rates it is trained with.

    By the class that holds most of its weights, where its name is known; else by its norms: a
    network without batch norm is trained as a ViT if it attends, as a ConvNeXt if it has layer
    norms, and as a VGG if it has no norm at all.

    Args:
        model: Any network.

    Returns:
        A family, as in `lineage_lab.training.recipe.FAMILIES`; ``timm`` for what is none of them.
    """
    parts = [unwrapped(model), *model.modules()]
    total = sum(p.numel() for p in model.parameters())
    for part in parts:
        if 2 * sum(p.numel() for p in part.parameters()) < total:
            continue
        for family, pattern in _KINDS:
            if re.search(pattern, type(part).__name__):
                return family
    kinds = [type(part).__name__ for part in parts]
    if any("BatchNorm" in kind for kind in kinds):
        return "resnet"
    if any("Attention" in kind for kind in kinds):
        return "vit"
    return "convnext" if any("LayerNorm" in kind or "RMSNorm" in kind for kind in kinds) else "vgg"


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
        kind=_timm_kind(theirs),
        mean=tuple(config.mean),
        std=tuple(config.std),
    )


def _timm_kind(name: str) -> str:
    """The family of a network of timm, by the class that it is built of."""
    with torch.device("meta"):
        return family_of(_timm().create_model(name))


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


def rebuilt(
    name: str, *, num_classes: int, form: Form | None = None, allow: Collection[str] = ()
) -> nn.Module:
    """The network that a file names, to load the file's tensors into.

    Args:
        name: What `name_of` gave.
        num_classes: Scores to give.
        form: The form that it had.
        allow: Packages that the name may import beside those whose builders are known.

    Raises:
        ValueError: There is no such network here, or the name asks for what is not allowed.
    """
    model = entry(name, allow=allow).build(num_classes=num_classes)
    if form is not None:
        set_form(model, form)
    return model


def _from_file(row: Entry, path: Path, num_classes: int | None) -> tuple[nn.Module, Loaded]:
    """A network with the weights of a file, and what was done."""
    file = read(path)
    published_file = next((w for w in row.weights if w.filename == file.path.name), None)
    default = row.num_classes or num_classes or 1
    outline = _outline(row, default)
    head = _head_path(outline)
    found = recognise(outline, file, head=head, name=row.name)
    classes = num_classes or found.classes or default
    at_first = found.classes or default
    model = _outline(row, at_first)
    if all(t.is_meta for t in (*model.parameters(), *model.buffers())):
        model = model.to_empty(device="cpu")
    form = load_into(model, found, name=row.name, head=head)
    if published_file and published.is_published(file.path, published_file):
        published.as_published(model)
    head_is_new = bool(head) and (found.head is None or classes != found.classes)
    if head_is_new:
        replace_head(model, classes)
    return model, say(found, name=row.name, classes=classes, head_is_new=head_is_new, form=form)


def _outline(row: Entry, classes: int) -> nn.Module:
    """The network without numbers, if a file's tensors can stand for all that it holds."""
    if not row.name.startswith(TIMM):
        with torch.device("meta"):
            model = row.build(num_classes=classes)
        state = model.state_dict()
        if len(state) == len([*model.parameters(), *model.buffers()]):
            return model
    return row.build(num_classes=classes)


def _head_path(model: nn.Module) -> str:
    """Path of the head that can be of another size; empty if there is none."""
    try:
        return find_head(model)[0]
    except ValueError:
        return ""


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
    name: str, *, num_classes: int | None = None, weights: str | Path | None = None
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
            Or the path of a file or folder (a text with a slash or an ending, or a `Path`): see
            `lineage_lab.weights.reading` for the formats and `lineage_lab.weights.libraries` for
            whose names are known. Without ``num_classes`` the network gets the file's head; the
            log says whose file it is and what is new.

    Returns:
        The network, in ``train`` mode, on the CPU.

    Raises:
        ValueError: Unknown name or weights, or ``num_classes`` below 1; the message offers
            what there is. Or an encoder of timm's that takes no head.
        WeightsUnavailable: The weights can't be had; the message says what to do.
        FileNotFoundError: There is no such file of weights.
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
    if is_weights_path(weights):
        return _from_file(row, Path(weights), num_classes)[0]
    if name.startswith(TIMM):
        if weights != "imagenet":
            raise ValueError(
                f"{name} has no weights named {weights!r}: timm's are 'imagenet'; a tag in the "
                "name, as in timm/resnet18.a1_in1k, chooses among several"
            )
        model = row.build(num_classes=row.num_classes or classes, pretrained=True)
    else:
        model = row.build(num_classes=row.num_classes)
        published.load(model, published.find(name, str(weights)))
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
