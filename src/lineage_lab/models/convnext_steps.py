"""The road from ResNet-50 to ConvNeXt-T, each step a network that can be built and run.

Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545, section 2 and Fig. 2;
the paper's cost (Table 10) and accuracy of each are kept in
`lineage_site.facts.printed.CONVNEXT_ROAD`.

Each step changes one thing of the step before it: a row differs from the row above in one
field. Read from the top: the road as data → block → the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from lineage_lab.models.blocks import LayerNorm2d, check_images

__all__ = ["ROAD", "Step", "SteppedBlock", "SteppedNet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A network on the road.

    Attributes:
        blocks: Blocks in each stage.
        patchify: The stem is a 4×4 convolution of stride 4, not a 7×7 and a pooling.
        depthwise: The spatial convolution filters each channel alone.
        width: Channels of the first stage's spatial convolution, or of its output when
            the block is inverted.
        inverted: A block is wide inside and narrow outside, not the reverse.
        early: The spatial convolution comes first in its block.
        kernel: Its side.
        gelu: GELU in place of ReLU.
        acts: Activations in a block: after each convolution and after the sum, or one.
        norms: Batch norms in a block: behind each convolution, or one.
        layer_norm: Layer norm in place of batch norm.
        separate: Layers of their own halve the map between stages, with a norm.
    """

    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    patchify: bool = False
    depthwise: bool = False
    width: int = 64
    inverted: bool = False
    early: bool = False
    kernel: int = 3
    gelu: bool = False
    acts: int = 3
    norms: int = 3
    layer_norm: bool = False
    separate: bool = False


def _road() -> dict[str, Step]:
    changes: dict[str, Mapping[str, object]] = {
        "resnet50": {},
        "stage_ratio": {"blocks": (3, 3, 9, 3)},
        "patchify_stem": {"patchify": True},
        "depthwise": {"depthwise": True},
        "width": {"width": 96},
        "inverted": {"inverted": True},
        "move_up": {"early": True},
        "kernel_5": {"kernel": 5},
        "kernel_7": {"kernel": 7},
        "gelu": {"gelu": True},
        "fewer_activations": {"acts": 1},
        "fewer_norms": {"norms": 1},
        "layer_norm": {"layer_norm": True},
        "separate_downsampling": {"separate": True},
    }
    road, step = {}, Step()
    for name, change in changes.items():
        step = replace(step, **change)  # type: ignore[arg-type]
        road[name] = step
    return road


ROAD: dict[str, Step] = _road()


def norm(channels: int, step: Step) -> nn.Module:
    """The step's normalisation."""
    return LayerNorm2d(channels, eps=1e-6) if step.layer_norm else nn.BatchNorm2d(channels)


def act(step: Step) -> nn.Module:
    """The step's activation."""
    return nn.GELU() if step.gelu else nn.ReLU(inplace=True)


class SteppedBlock(nn.Module):
    """A residual block somewhere between ResNet's bottleneck and ConvNeXt's block.

    Args:
        inputs: Channels that come in.
        width: The stage's width (see `Step`).
        stride: Of the spatial convolution.
        step: Where on the road.
    """

    def __init__(self, inputs: int, width: int, *, stride: int, step: Step) -> None:
        super().__init__()
        outputs, hidden = (width, 4 * width) if step.inverted else (4 * width, width)
        spatial = inputs if step.early else hidden
        groups = spatial if step.depthwise else 1
        window = {"kernel_size": step.kernel, "stride": stride, "padding": step.kernel // 2}
        first, second = (inputs, hidden), (hidden, outputs)
        pixelwise = {"kernel_size": 1}
        convolutions: list[tuple[int, int, dict[str, Any]]] = [
            (*first, pixelwise),
            (spatial, spatial, {**window, "groups": groups}),
            (*second, pixelwise),
        ]
        if step.early:
            convolutions[:2] = convolutions[1::-1]
        self.body = nn.Sequential()
        for index, (before, after, options) in enumerate(convolutions):
            normed = step.norms == 3 or options is not pixelwise
            bias = step.layer_norm or not normed  # a batch norm brings its own
            self.body.append(nn.Conv2d(before, after, bias=bias, **options))
            if normed:
                self.body.append(norm(after, step))
            if index == 1 or (index == 0 and step.acts == 3):
                self.body.append(act(step))
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            project = nn.Conv2d(inputs, outputs, 1, stride, bias=step.layer_norm)
            self.shortcut = nn.Sequential(project, norm(outputs, step))
        self.act = act(step) if step.acts == 3 else nn.Identity()

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch maps rows columns"]:
        """``[batch, in, height, width]`` to ``[batch, out, height / stride, width / stride]``."""
        y: Tensor = self.act(self.body(x) + self.shortcut(x))
        return y


class SteppedNet(nn.Module):
    """Stem → four stages → global average pooling → one linear layer.

    Layer scale and stochastic depth, which belong to ConvNeXt's training, are left out.

    Args:
        num_classes: Scores to give.
        step: Where on the road.
    """

    def __init__(self, *, num_classes: int = 1000, step: Step) -> None:
        super().__init__()
        channels = step.width
        bias = step.layer_norm
        if step.patchify:
            self.stem = nn.Sequential(nn.Conv2d(3, channels, 4, 4, bias=bias))
        else:
            self.stem = nn.Sequential(nn.Conv2d(3, channels, 7, 2, 3, bias=bias))
        self.stem.append(norm(channels, step))
        if step.acts == 3:  # the paper doesn't say when the stem's activation goes
            self.stem.append(act(step))
        if not step.patchify:
            self.stem.append(nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        self.stages = nn.Sequential()
        for number, count in enumerate(step.blocks):
            width, stage = step.width * 2**number, nn.Sequential()
            stride = 2 if number > 0 else 1
            if stride == 2 and step.separate:
                stage.append(norm(channels, step))
                stage.append(nn.Conv2d(channels, width, 2, 2))
                channels, stride = width, 1
            for _ in range(count):
                stage.append(SteppedBlock(channels, width, stride=stride, step=step))
                channels, stride = width if step.inverted else 4 * width, 1
            self.stages.append(stage)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.norm = norm(channels, step) if step.separate else nn.Identity()
        self.head = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Images normalised channel by channel to the logits ``[batch, classes]``."""
        check_images(images, smallest=32)
        x = self.stages(self.stem(images))
        x = self.norm(self.pool(x)).flatten(1)
        y: Tensor = self.head(x)
        return y
