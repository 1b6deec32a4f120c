"""The charts of the timeline: accuracy by one of four axes, a disc for each file of weights."""

from itertools import pairwise
from math import sqrt

from lineage_lab.chapters.lineage import NETWORKS
from lineage_lab.comparing.axes import LETTER, Axes, Box
from lineage_lab.comparing.choosing import Candidate
from lineage_lab.comparing.svg import Drawing

__all__ = ["AXES", "NAMES", "SERIES", "YEARS", "chart", "free", "full", "value"]

YEARS = {network.key: network.year for network in NETWORKS}
NAMES = {network.key: network.name for network in NETWORKS}
# A series of the chart: colour and dash of a family.
SERIES = {
    "alexnet": ("input", ""),
    "vgg": ("pool", "8 3"),
    "googlenet": ("norm", ""),
    "resnet": ("conv", ""),
    "efficientnet": ("dense", "10 3 2 3"),
    "convnext": ("act", "5 2"),
    "vit": ("output", "2 3"),
}
AXES = {
    "macs": "10⁹ multiply-adds an image (logarithmic)",
    "parameters": "10⁶ parameters (logarithmic)",
    "size": "MiB of the file (logarithmic)",
    "year": "year of the paper",
}


def _short(c: Candidate) -> str:
    """The label at a disc: what tells it from the others of its family."""
    if c.family in ("alexnet", "googlenet"):
        return NAMES[c.family]
    if c.family == "vit":
        return {"imagenet": "ViT-B/16", "imagenet-swag": "ViT-B/16 at 384, SWAG"}.get(
            c.weights, "ViT-B/16, SWAG"
        )
    tail = c.name.removeprefix(c.family).strip("_")
    version = " V1" if c.weights == "imagenet-v1" else ""
    return (
        tail.upper()[:2].strip("_") + version
        if c.family == "efficientnet"
        else (tail[0].upper() if c.family == "convnext" else tail.replace("_bn", " BN") + version)
    )


def full(c: Candidate) -> str:
    """The network's name as a sentence has it."""
    names = {
        "resnet": "ResNet-",
        "vgg": "VGG-",
        "efficientnet": "EfficientNet-",
        "convnext": "ConvNeXt-",
    }
    if c.family == "convnext":
        return f"ConvNeXt-{c.name.split('_')[1].capitalize()}"
    return names.get(c.family, "") + _short(c).removesuffix(" V1")


def value(c: Candidate, axis: str) -> float:
    """Where a row stands on one of `AXES`."""
    return {
        "macs": c.gmacs,
        "parameters": c.parameters / 1e6,
        "size": c.megabytes,
        "year": YEARS[c.family],
    }[axis]


def chart(rows: tuple[Candidate, ...], axis: str) -> str:
    """Top-1 by one of four axes; a disc's area is the number of parameters."""
    values = [value(c, axis) for c in rows]
    year = axis == "year"
    low, high = (2011, 2023) if year else (min(values) * 0.8, max(values) * 1.35)
    d = Drawing(
        f"timeline-{axis}",
        width=680,
        height=490,
        title=f"Top-1 accuracy by {axis if axis != 'macs' else 'MACs'}",
        description="A disc for each published file of weights; its area is the number of "
        "parameters. "
        + "; ".join(
            f"{full(c)} {c.published}: {v:,g}, {c.top1:.1f} %"
            for c, v in zip(rows, values, strict=True)
        )
        + ".",
    )
    box = (44.0, 36.0, 668.0, 410.0)
    axes = Axes(
        d,
        box,
        (low, high),
        (54, 88),
        (AXES[axis], "% top-1 on ImageNet"),
        logarithmic=not year,
        grouped=not year,
    )
    for each in sorted({YEARS[c.family] for c in rows}) if year else ():
        d.line(axes.x(each), 410, axes.x(each), 415, stroke="muted")
        if each % 5:  # the axis has the others
            d.text(axes.x(each), 430, str(each), size=12, anchor="middle", fill="muted")
    for line in _lines(rows):
        if not year:
            kind, dash = SERIES[line[0].family]
            for a, b in pairwise(line):
                ends = {
                    "data_from_row": f"{a.name}/{a.weights}",
                    "data_to_row": f"{b.name}/{b.weights}",
                }
                with d.group(class_="ll-line", **ends):
                    d.line(
                        axes.x(value(a, axis)),
                        axes.y(a.top1),
                        axes.x(value(b, axis)),
                        axes.y(b.top1),
                        stroke=kind,
                        dash=dash,
                    )
    taken: list[Box] = []
    places = [(axes.x(v), axes.y(c.top1)) for c, v in zip(rows, values, strict=True)]
    for c, (x, y) in zip(rows, places, strict=True):
        radius = _radius(c)
        taken.append((x - radius, y - radius, x + radius, y + radius))
    order = sorted(range(len(rows)), key=lambda i: -rows[i].parameters)
    for i in order:
        c, (x, y) = rows[i], places[i]
        kind = SERIES[c.family][0]
        attributes = {
            "class_": "ll-disc",
            "data_row": f"{c.name}/{c.weights}",
            "data_family": c.family,
            "data_year": str(YEARS[c.family]),
        }
        with d.group(**attributes):
            d.tip(
                f"{full(c)}, {c.published}: {c.top1:.2f} % top-1, {c.gmacs:.2f} G MACs, "
                f"{c.parameters / 1e6:.1f} M parameters, {c.megabytes:.1f} MiB"
            )
            d.circle(x, y, _radius(c), fill=f"{kind}-soft", stroke=kind)
    if not year:  # the discs of one year stand in one column: the table names them
        for i in sorted(order, key=lambda i: places[i][0]):
            c, (x, y) = rows[i], places[i]
            attributes = {"class_": "ll-label", "data_row": f"{c.name}/{c.weights}"}
            width = len(_short(c)) * LETTER
            shift = max(0.0, _radius(c) - 8)
            spot = free(x, y, width, shift, box, taken)
            if spot:
                with d.group(**attributes):
                    d.text(*spot, _short(c), size=11.5)
    _legend(d)
    return d.svg()


def free(
    x: float, y: float, width: float, shift: float, box: Box, taken: list[Box]
) -> tuple[float, float] | None:
    """A free place beside a disc, or none: then the pointer and the table say what it is."""
    tries = [(x + 9 + shift, y + 4), (x - 9 - shift - width, y + 4)]
    tries += [(x - width / 2, y - 9 - shift), (x - width / 2, y + 19 + shift)]
    for left, base in tries:
        spot = (left - 1, base - 10, left + width + 1, base + 2)
        inside = spot[0] > box[0] and spot[2] < box[2] and spot[1] > box[1] - 8
        if inside and all(
            spot[2] < t[0] or t[2] < spot[0] or spot[3] < t[1] or t[3] < spot[1] for t in taken
        ):
            taken.append(spot)
            return left, base
    return None


def _radius(c: Candidate) -> float:
    return max(3.5, 19 * sqrt(c.parameters / 197.8e6))


def _lines(rows: tuple[Candidate, ...]) -> list[list[Candidate]]:
    """Sizes of one family, trained alike."""
    found: dict[tuple[str, bool, bool], list[Candidate]] = {}
    for c in rows:
        if c.family in ("vgg", "resnet", "efficientnet", "convnext"):
            second = c.family == "resnet" and c.published.endswith("V2")
            older = c.family == "efficientnet" and c.weights == "imagenet-v1"
            if not older:
                found.setdefault((c.family, c.name.endswith("_bn"), second), []).append(c)
    return [sorted(line, key=lambda c: c.parameters) for line in found.values()]


def _legend(d: Drawing) -> None:
    x = 30.0
    for family, (kind, dash) in SERIES.items():
        d.circle(x + 6, 474, 5, fill=f"{kind}-soft", stroke=kind)
        if dash or family == "resnet":
            d.line(x + 12, 474, x + 26, 474, stroke=kind, dash=dash)
        d.text(x + (30 if dash or family == "resnet" else 15), 478, NAMES[family], size=12)
        x += len(NAMES[family]) * LETTER + (54 if dash or family == "resnet" else 34)
