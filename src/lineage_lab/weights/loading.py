"""Weights from a file into a network: recognised, strictly, and said in a line.

The names in a file are compared with those of each library that has the network. Its body must
be there whole and nothing else; a head may be missing, renamed or of another size, which is said.
What is around the tensors (``module.``, a moving average, a training's state) is taken off.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.weights.forms import Form, set_form
from lineage_lab.weights.libraries import Naming, namings
from lineage_lab.weights.reading import WRAPPERS, WeightsFile

__all__ = ["Loaded", "Recognised", "load_into", "recognise", "say"]

logger = logging.getLogger(__name__)

COUNTER = "num_batches_tracked"  # nothing depends on it, and old files don't have it
# Tensors that trainings and libraries keep beside a classifier and that its scores don't need.
HARMLESS = re.compile(
    r"(n_averaged|.*\.?num_batches_tracked|mask_token|.*\.mask_token|(vit\.)?pooler\.dense\.\w+)"
)
_NOWHERE = Path()
# With fewer of the names than this a file is of another network.
NEAR = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a file is to a network.

    Attributes:
        file: The file.
        naming: Whose names it has.
        state: The network's tensors by our names, without the head if the file has none.
        head: Of the file, by our names; ``None`` if it has none that fits.
        classes: Scores that the file's head gives; 0 without a head.
        renamed: What the head is called in the file, where it is not the library's name.
        left: Tensors of the file that are not taken, by its names.
        taken_off: Segments before the names that were taken off, such as ``module.``.
        config: The library's configuration, from beside the file, inside it or its name.
    """

    file: WeightsFile
    naming: Naming
    state: Mapping[str, Tensor]
    head: Mapping[str, Tensor] | None = None
    classes: int = 0
    renamed: str = ""
    left: tuple[str, ...] = ()
    taken_off: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was done, for whoever asks the program and not the log.

    Attributes:
        library: Whose names the file has.
        head_is_new: Whether the head's weights are drawn anew.
        form: What was set so that the logits are that library's, in words.
        words: All of it in a line.
    """

    library: str
    head_is_new: bool
    form: tuple[str, ...]
    words: str


def recognise(model: nn.Module, file: WeightsFile, *, head: str, name: str) -> Recognised:
    """Whose file it is, and which of its tensors is which of the network's.

    Args:
        model: The network; only the names and shapes of its tensors are looked at.
        file: What was read.
        head: Path of the network's head; empty if it has none that can be of another size.
        name: What the network is called, for the message.

    Raises:
        ValueError: The file is not of this network; the message tells how near it comes to
            each library's names.
    """
    known = namings(model)
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    attempts: list[tuple[float, str]] = []
    for tensors, taken_off in _unwrapped(file.tensors):
        for naming in known:
            found = _match(tensors, naming, shapes, head)
            if isinstance(found, Recognised):
                config = _config(file, naming)
                reason = naming.objection(config) if naming.objection else ""
                if reason:
                    raise ValueError(f"{file.path} is not of {name}: {reason}")
                return replace(found, file=file, taken_off=taken_off, config=config)
            attempts.append(found)
    share, words = max(attempts)
    if share < NEAR:
        libraries = ", ".join(dict.fromkeys(naming.library for naming in known))
        some = ", ".join(list(file.tensors)[:3])
        words = (
            f"its tensors ({len(file.tensors)}: {some}, …) have the names of no library that is "
            f"known for it ({libraries})"
        )
    raise ValueError(f"{file.path} is not of {name}: {words}. Nothing was loaded")


def _config(file: WeightsFile, naming: Naming) -> Mapping[str, Any]:
    """The library's configuration: beside the file, inside it, or its name."""
    if file.config:
        return file.config
    for text in (file.metadata.get("arch"), file.path.name, file.path.parent.name):
        if naming.guess and isinstance(text, str) and re.match(r"(tf_)?efficientnet_", text):
            return {"architecture": text}
    return {}


def _unwrapped(
    tensors: Mapping[str, Tensor],
) -> Iterator[tuple[dict[str, Tensor], tuple[str, ...]]]:
    """The tensors as named, then without wrappers, then without one common first segment.

    Lightning's ``model.``, a criterion's tensors beside the network's: each first segment is
    tried as the network's.
    """
    plain = {_without_wrappers(key): value for key, value in tensors.items()}
    taken = tuple(f"{w}." for w in WRAPPERS if any(w in key.split(".") for key in tensors))
    if len(plain) == len(tensors):
        yield plain, taken
    if taken:
        yield dict(tensors), ()
    level, prefix = plain, ""
    for _ in range(3):
        roots = dict.fromkeys(key.split(".", 1)[0] for key in level if "." in key)
        counts = {root: sum(key.startswith(f"{root}.") for key in level) for root in roots}
        if not counts:
            return
        root = max(counts, key=lambda key: counts[key])
        if counts[root] < NEAR * len(level):
            return
        prefix += f"{root}."
        inner = {
            k.removeprefix(f"{root}."): t for k, t in level.items() if k.startswith(f"{root}.")
        }
        outer = {f"<{k}>": t for k, t in plain.items() if not k.startswith(prefix)}
        yield inner | outer, (*taken, prefix)
        level = inner


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _match(
    tensors: Mapping[str, Tensor], naming: Naming, shapes: Mapping[str, torch.Size], head: str
) -> Recognised | tuple[float, str]:
    """The file under one naming; else how near it comes, and in words what is wrong."""
    heads = {f"{head}.weight", f"{head}.bias"} & set(shapes) if head else set()
    sources = naming.sources
    if naming.prefix and not any(name.startswith(naming.prefix) for name in tensors):
        # A body that was saved by itself: its names have no prefix.
        sources = {
            ours: replace(source, names=tuple(n.removeprefix(naming.prefix) for n in source.names))
            for ours, source in sources.items()
        }
    used: set[str] = set()
    state: dict[str, Tensor] = {}
    missing: list[str] = []
    wrong: list[str] = []
    optional = _optional(shapes)
    for ours, source in sources.items():
        absent = [name for name in source.names if name not in tensors]
        if absent:
            if ours not in heads and ours not in optional and not ours.endswith(COUNTER):
                missing += absent
            continue
        try:
            tensor = source.read(*(tensors[name] for name in source.names))
        except (RuntimeError, IndexError) as error:
            wrong.append(f"{source.names[0]} ({error})")
            continue
        used.update(source.names)
        if tensor.shape != shapes[ours] and not _of_classes(ours, heads, tensor, shapes[ours]):
            wrong.append(f"{source.names[0]} {list(tensor.shape)}, not {list(shapes[ours])}")
        state[ours] = tensor
    left = [name for name in tensors if name not in used and not HARMLESS.fullmatch(name)]
    outside = [name for name in left if name.startswith("<")]
    left = [name for name in left if not name.startswith("<")]
    found_head = {ours: state.pop(ours) for ours in heads if ours in state}
    renamed = ""
    if heads and len(found_head) < len(heads):
        found_head, renamed, left = _other_head(heads, head, shapes, left, tensors, found_head)
    others = [name for name in left if not _is_another_head(name, naming, heads, tensors, shapes)]
    if missing or wrong or others:
        share = sum(n in used for s in sources.values() for n in s.names) / max(1, len(tensors))
        words = "; ".join(
            f"{len(names)} {what}, {', '.join(names[:3])}{', …' if len(names) > 3 else ''}"
            for what, names in (
                ("tensor(s) are missing", missing),
                ("have another shape", wrong),
                ("are not of this network", others),
            )
            if names
        )
        return share, f"by {naming.library}'s names {words}"
    classes = 0
    if found_head:
        classes = len(found_head[f"{head}.weight"])
    passed = (*left, *(name.strip("<>") for name in outside))
    return Recognised(
        file=WeightsFile(path=_NOWHERE, tensors={}), naming=naming, state=state,
        head=found_head or None, classes=classes, renamed=renamed, left=passed,
    )  # fmt: skip


def _optional(shapes: Mapping[str, torch.Size]) -> set[str]:
    """GoogLeNet's auxiliary classifiers may be missing, both of them."""
    return {name for name in shapes if name.startswith("auxiliary_")}


def _of_classes(ours: str, heads: set[str], tensor: Tensor, wanted: torch.Size) -> bool:
    """Whether a tensor is that of a head, but for the number of classes."""
    auxiliary = re.fullmatch(r"auxiliary_\w+\.head\.(weight|bias)", ours)
    return (ours in heads or auxiliary is not None) and tensor.shape[1:] == wanted[1:]


def _other_head(
    heads: set[str],
    head: str,
    shapes: Mapping[str, torch.Size],
    left: list[str],
    tensors: Mapping[str, Tensor],
    found: dict[str, Tensor],
) -> tuple[dict[str, Tensor], str, list[str]]:
    """A head under another name: the one dense layer that is left and takes the same features."""
    features = shapes[f"{head}.weight"][1]
    dense = [
        name.removesuffix(".weight")
        for name in left
        if name.endswith(".weight") and tensors[name].dim() >= 2
    ]
    fits = [
        base for base in dense
        if tensors[f"{base}.weight"].dim() == 2 and tensors[f"{base}.weight"].shape[1] == features
    ]  # fmt: skip
    if len(dense) != 1 or len(fits) != 1 or found:
        return {}, "", left
    (base,) = fits
    scores = len(tensors[f"{base}.weight"])
    bias = tensors.get(f"{base}.bias")
    if len(heads) == 2 and (bias is None or bias.shape != (scores,)):
        return {}, "", left
    new = {f"{head}.weight": tensors[f"{base}.weight"]}
    if len(heads) == 2 and bias is not None:
        new[f"{head}.bias"] = bias
    return new, base, [name for name in left if name not in (f"{base}.weight", f"{base}.bias")]


def _is_another_head(
    name: str,
    naming: Naming,
    heads: set[str],
    tensors: Mapping[str, Tensor],
    shapes: Mapping[str, torch.Size],
) -> bool:
    """Whether a tensor that is left over belongs to a head of another form, not to the body.

    A head of several layers stands under one name, of which no tensor of the body is.
    """
    if not heads:
        return False
    body = {
        _root(theirs)
        for ours, source in naming.sources.items()
        if ours not in heads
        for theirs in source.names
    }
    root = _root(name)
    of_root = [other for other in tensors if _root(other) == root]
    features = max(shapes[key][1] for key in heads if len(shapes[key]) == 2)
    takes = any(
        tensors[other].dim() == 2 and tensors[other].shape[1] == features for other in of_root
    )
    return root not in body and takes


def _root(name: str) -> str:
    return re.split(r"[./]", name, maxsplit=1)[0]


def load_into(model: nn.Module, found: Recognised, *, name: str, head: str) -> tuple[str, ...]:
    """Put a file's tensors into the network, and set the form that its library has.

    Args:
        model: The network, whose head has as many scores as the file's where that is taken.
        found: What `recognise` gave.
        name: What the network is called.
        head: Path of its head; empty if it has none.

    Returns:
        What of the form was set, in words.

    Raises:
        ValueError: A tensor does not fit after all.
    """
    state = dict(found.state)
    if found.head is not None:
        state |= found.head
    kept = model.state_dict()
    absent = [key for key in kept if key not in state]
    auxiliary = [key for key in absent if key.startswith("auxiliary_")]
    form = _recorded_form(found)
    if form is None:
        form = found.naming.form(found.config) if found.naming.form else Form()
    if auxiliary:
        form = replace(form, auxiliaries=False)
    changed = set_form(model, form)
    absent = [key for key in absent if key not in auxiliary]
    allowed = {key for key in absent if key.endswith(COUNTER) or key.startswith(f"{head}.")}
    if set(absent) - allowed:
        raise ValueError(f"{found.file.path} lacks {', '.join(sorted(set(absent) - allowed)[:3])}")
    for key in absent:
        if key.endswith(COUNTER):
            kept[key].zero_()
    model.load_state_dict(state, strict=False)
    return changed


def _recorded_form(found: Recognised) -> Form | None:
    """The form that our own files carry."""
    recorded = found.file.metadata.get("form")
    if isinstance(recorded, str):
        import json

        recorded = json.loads(recorded)
    return Form.from_dict(recorded) if isinstance(recorded, Mapping) else None


def say(
    found: Recognised, *, name: str, classes: int, head_is_new: bool, form: tuple[str, ...]
) -> Loaded:
    """The line that tells whose file it is and what is new, also to the log."""
    file, naming = found.file, found.naming
    also = f" ({', '.join(naming.also)} has the same)" if naming.also else ""
    parts = [f"{name}: {file.path} has the names of {naming.library}{also}"]
    around = [*file.unpacked, *found.taken_off]
    if around:
        parts.append(f"inside {', '.join(around)}")
    if head_is_new:
        was = f"{found.classes} in the file" if found.classes else "the file has none that fits"
        parts.append(f"the head, {classes} classes, is new ({was})")
    else:
        named = f" (called {found.renamed} there)" if found.renamed else ""
        parts.append(f"the head of {classes} classes is the file's{named}")
    if form:
        parts.append(f"set as there, so that the logits are the same: {', '.join(form)}")
    if naming.guess and not found.config:
        parts.append(
            "its names don't tell whether it is of timm's tf_ form: taken as one without. If it "
            f'is, put config.json beside it, or take the name "timm/tf_{name}"'
        )
    if naming.note:
        parts.append(naming.note)
    left = [*found.left, *file.passed_over]
    if left:
        shown = ", ".join(left[:4]) + (f" and {len(left) - 4} more" if len(left) > 4 else "")
        parts.append(f"not taken: {shown}")
    words = "; ".join(parts)
    logger.warning("%s", words)
    return Loaded(library=naming.library, head_is_new=head_is_new, form=form, words=words)
