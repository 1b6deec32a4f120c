"""The EfficientNet chapter's tables: the family beside its paper, B0's stages, measured times."""

from functools import cache
from math import log

import torch

from lineage_lab.anatomy.network import Anatomy
from lineage_lab.models.efficientnet import STAGES, VARIANTS, EfficientNet, MBConv, Scaling
from lineage_site.chapters.efficientnet.quiz import anatomy as anatomy_of
from lineage_site.drawing.chapter import count_macs
from lineage_site.drawing.records import machine, read
from lineage_site.facts.printed import PRINTED

__all__ = ["counted", "tables"]

TIMED = {
    "vgg16": "VGG\u201116",
    "resnet50": "ResNet\u201150",
    "efficientnet_b0": "B0",
    "convnext_tiny": "ConvNeXt\u2011T",
}


def tables(b0: Anatomy) -> dict[str, str]:
    """All of the chapter's tables but those that every chapter has."""
    return {
        "family.md": _family(),
        "powers.md": _powers(),
        "stages.md": _stages(b0),
        "times.md": _times(),
    }


@cache
def counted(scaling: Scaling) -> tuple[int, int, list[tuple[int, int]]]:
    """Weights, multiply-adds, and each block's channels and side, at the scaling's resolution."""
    side, blocks = scaling.resolution, []
    with torch.device("meta"):
        model = EfficientNet(scaling=scaling).eval()
    for module in model.modules():
        if isinstance(module, MBConv):
            module.register_forward_hook(lambda _, __, y: blocks.append((y.shape[1], y.shape[3])))
    macs = count_macs(model, side)
    weights = sum(parameter.numel() for parameter in model.parameters())
    return weights, macs, blocks


def _printed(model: str, quantity: str) -> tuple[str, float, str]:
    row = next(p for p in PRINTED if p.model == model and p.quantity == quantity)
    return row.value, row.unit, row.cause


def _family() -> str:
    """B0 to B7, derived, beside what Table 2 prints."""
    lines = [
        "| | depth | width | pixels | blocks | weights | printed | MACs | printed |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for number in range(8):
        name = f"efficientnet_b{number}"
        scaling = VARIANTS[name][0]
        own, macs_own, blocks = counted(scaling)
        weights, unit, why_weights = _printed(name, "parameters")
        macs, giga, why_macs = _printed(name, "macs")
        cells = (
            f"B{number}",
            f"{scaling.depth:g}",
            f"{scaling.width:g}",
            str(scaling.resolution),
            str(len(blocks)),
            f"{own / unit:.2f} M",
            f"{weights} M" + (" ≠" if why_weights else ""),
            f"{macs_own / giga:.3g} G",
            f"{macs} G" + (" ≠" if why_macs else ""),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join((*lines, ""))


def _powers() -> str:
    """Which φ each published coefficient would come from."""
    lines = [
        "| | depth = 1.2^φ | width = 1.1^φ | pixels / 224 = 1.15^φ |",
        "| --- | --: | --: | --: |",
    ]
    for number in range(1, 8):
        s = VARIANTS[f"efficientnet_b{number}"][0]
        found = (
            f"{value:.4g} → φ = {log(value) / log(root):.1f}"
            for value, root in ((s.depth, 1.2), (s.width, 1.1), (s.resolution / 224, 1.15))
        )
        lines.append(f"| B{number} | {' | '.join(found)} |")
    return "\n".join((*lines, ""))


def _stages(anatomy: Anatomy) -> str:
    """B0 by stages: what Table 1 says, and what each stage costs and sees."""
    lines = [
        "| stage | blocks | output | weights | MACs | local field |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    parts = [("stem", "3×3 convolution, stride 2")]
    for index, stage in enumerate(STAGES):
        times = f"{stage.blocks} × " if stage.blocks > 1 else ""
        stride = ", stride 2 first" if stage.stride == 2 else ""
        words = f"{times}MBConv{stage.expand}, {stage.kernel}×{stage.kernel}{stride}"
        parts.append((f"stages.{index}", words))
    parts += [("last", "1×1 convolution"), ("head", "mean over the map, linear")]
    for number, (prefix, words) in enumerate(parts, 1):
        inside = [
            layer
            for layer in anatomy.layers
            if layer.name.split(".0")[0] == prefix
            or layer.name == prefix
            or layer.name.startswith(f"{prefix}.")
        ]
        fields = [layer.receptive_field for layer in inside if layer.receptive_field]
        cells = (
            str(number) if number < 9 else ("9" if prefix == "last" else ""),
            words,
            "×".join(map(str, inside[-1].output_shape)),
            f"{sum(layer.parameters for layer in inside):,}",
            f"{sum(layer.macs for layer in inside) / 1e6:.1f} M",
            f"{fields[-1]}" if fields else "all",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(f"| **all** | | | **{anatomy.parameters:,}** | **{anatomy.macs / 1e6:.1f} M** | |")
    return "\n".join((*lines, ""))


def _times() -> str:
    """Measured time beside what was counted: multiply-adds are not time."""
    found = read("models")
    lines = [
        "| | MACs | activations | answer, an image | training step, an image | MACs a second |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, words in TIMED.items():
        anatomy = anatomy_of(name)
        answer, step = (
            found["runs"][name][part]["ours_seconds"] / found["settings"]["batch"] * 1000
            for part in ("forward", "step")
        )
        cells = (
            words,
            f"{anatomy.macs / 1e9:.2f} G",
            f"{anatomy.activations / 1e6:.1f} M",
            f"{answer:.0f} ms",
            f"{step:.0f} ms",
            f"{anatomy.macs / answer / 1e6:.0f} G",
        )
        lines.append(f"| {' | '.join(cells)} |")
    where = (
        f"In fp32; medians of {found['settings']['rounds']} rounds, in which the networks took "
        f"turns with torchvision's and timm's. {machine(found)}"
    )
    return "\n".join((*lines, "", where, ""))
