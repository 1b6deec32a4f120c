"""The form of a network: what changes its scores and stands in no file of weights.

The same tensors are used with one epsilon or another, and with symmetric padding or TensorFlow's.
A form sets these on a network of this package, and reads them off one.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from torch import nn

from lineage_lab.models.efficientnet import EfficientNet
from lineage_lab.models.efficientnet_blocks import MBConv, SamePad, same_pad
from lineage_lab.models.googlenet import GoogLeNet, Rescale

__all__ = ["Form", "form_of", "set_form"]

NORMS = (nn.BatchNorm2d, nn.LayerNorm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is set; ``None`` leaves a line as it is.

    Attributes:
        epsilon: Epsilon of every norm.
        last_epsilon: Epsilon of the norm before the head, where it is another.
        padding: ``same`` (TensorFlow's) or ``centred``, in EfficientNet.
        rescale: Whether GoogLeNet turns ImageNet's normalisation into pixels from -1 to 1.
        auxiliaries: Whether GoogLeNet has its auxiliary classifiers.
    """

    epsilon: float | None = None
    last_epsilon: float | None = None
    padding: str | None = None
    rescale: bool | None = None
    auxiliaries: bool | None = None

    def to_dict(self) -> dict[str, float | str | bool]:
        """The lines that are set, for JSON and checkpoints."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "Form":
        """What `to_dict` gave.

        Raises:
            ValueError: A line is unknown or of another kind.
        """
        kinds: dict[str, tuple[type, ...]] = {
            "epsilon": (float,), "last_epsilon": (float,), "padding": (str,),
            "rescale": (bool,), "auxiliaries": (bool,),
        }  # fmt: skip
        for name, value in found.items():
            if type(value) not in kinds.get(name, ()):
                raise ValueError(
                    f"form: {name}={value!r} is none of {', '.join(f.name for f in fields(cls))}"
                )
        if found.get("padding", "same") not in ("same", "centred"):
            raise ValueError(f"form: padding is same or centred, not {found['padding']!r}")
        return cls(**found)


def form_of(model: nn.Module) -> Form:
    """The form that a network has; empty for one that is not of this package."""
    if not type(model).__module__.startswith("lineage_lab.models."):
        return Form()
    norms = [module for module in model.modules() if isinstance(module, NORMS)]
    epsilon = norms[0].eps if norms else None
    last = norms[-1].eps if norms and norms[-1].eps != epsilon else None
    padding = rescale = auxiliaries = None
    if isinstance(model, EfficientNet):
        padding = "same" if isinstance(model.pad, SamePad) else "centred"
    if isinstance(model, GoogLeNet):
        rescale = isinstance(model.rescale, Rescale)
        auxiliaries = model.auxiliary_4a is not None
    return Form(epsilon=epsilon, last_epsilon=last, padding=padding, rescale=rescale,
                auxiliaries=auxiliaries)  # fmt: skip


def set_form(model: nn.Module, form: Form) -> tuple[str, ...]:
    """Give a network a form, in place.

    Args:
        model: A network of this package.
        form: What to set.

    Returns:
        What was another before, in words, such as ``epsilon 0.001 (here it is 1e-05)``.
    """
    before = form_of(model)
    changed: list[str] = []
    norms = [module for module in model.modules() if isinstance(module, NORMS)]
    if form.epsilon is not None and norms:
        for norm in norms:
            norm.eps = form.epsilon
        if before.epsilon != form.epsilon:
            changed.append(f"epsilon {form.epsilon:g} (else {before.epsilon:g})")
    if form.last_epsilon is not None and norms:
        norms[-1].eps = form.last_epsilon
        if (before.last_epsilon or before.epsilon) != form.last_epsilon:
            was = before.last_epsilon or before.epsilon
            changed.append(f"the last norm's epsilon {form.last_epsilon:g} (else {was:g})")
    if isinstance(model, EfficientNet) and form.padding not in (None, before.padding):
        _pad(model, str(form.padding))
        words = "TensorFlow's" if form.padding == "same" else "the same on all sides"
        changed.append(f"padding {words}")
    if isinstance(model, GoogLeNet):
        if form.rescale is not None:
            model.rescale = Rescale() if form.rescale else nn.Identity()
        if form.auxiliaries is False:
            model.auxiliary_4a = model.auxiliary_4d = None
    return tuple(changed)


def _pad(model: EfficientNet, padding: str) -> None:
    """Each convolution with a stride, and what pads its input."""
    blocks = [module for module in model.modules() if isinstance(module, MBConv)]
    for holder, name in ((model, "stem"), *((block, "depthwise") for block in blocks)):
        conv = holder.get_submodule(name).get_submodule("0")
        assert isinstance(conv, nn.Conv2d)
        kernel, stride = conv.kernel_size[0], conv.stride[0]
        if stride > 1:
            tensorflow = padding == "same"
            holder.pad = same_pad(kernel, stride) if tensorflow else nn.Identity()
            conv.padding = (0, 0) if tensorflow else (kernel // 2, kernel // 2)
