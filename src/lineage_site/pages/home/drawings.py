"""The picture of the whole lineage, drawn from the ledger."""

from itertools import pairwise
from math import log10

from lineage_lab.chapters.lineage import NETWORKS
from lineage_lab.comparing.svg import Drawing

__all__ = ["draw"]

# Where each name stands beside its point, so that none lies on a line.
LABELS = {
    "lenet5": (12, 4, "start"),
    "alexnet": (-12, 4, "end"),
    "vgg": (-12, 4, "end"),
    "googlenet": (0, 22, "middle"),
    "resnet": (0, -12, "middle"),
    "efficientnet": (0, 22, "middle"),
    "vit": (0, -12, "middle"),
    "convnext": (0, 22, "middle"),
}


def draw() -> dict[str, str]:
    """The home page's figure and its list of chapters."""
    return {"lineage.svg": _lineage(), "chapters.md": _chapters()}


def _chapters() -> str:
    """A row a network."""
    rows = ["| Year | Chapter | What the network passed on |", "| --- | --- | --- |"]
    for n in NETWORKS:
        rows.append(f"| {n.year} | [{n.name}](chapters/{n.key}.md) | {n.idea} |")
    return "\n".join((*rows, ""))


def _lineage() -> str:
    """Networks by year and by number of parameters, on a logarithmic scale."""
    width, height, top, bottom, left = 720, 330, 24, 286, 64
    # The years between 1998 and 2012 hold no network of ours: that stretch is drawn shorter.
    first, gap_end, last = 1998, 2012, 2022

    def x(year: float) -> float:
        if year <= gap_end:
            return left + 30 + (year - first) / (gap_end - first) * 120
        return left + 150 + (year - gap_end) / (last - gap_end) * 440

    def y(parameters: float) -> float:
        return bottom - (log10(parameters) - 4.4) / (8.3 - 4.4) * (bottom - top)

    words = "; ".join(f"{n.name} {n.year}: {n.parameters:,}" for n in NETWORKS)
    d = Drawing(
        "lineage",
        width=width,
        height=height,
        title="The lineage by year and parameters",
        description=f"Each network by the year of its paper and its number of parameters: {words}.",
    )
    for exponent, label in ((5, "100 k"), (6, "1 M"), (7, "10 M"), (8, "100 M")):
        level = y(10**exponent)
        d.line(left, level, width - 8, level, dash="2 4")
        d.text(left - 8, level + 4, label, fill="muted", size=12, anchor="end")
    d.line(left, bottom, width - 8, bottom, stroke="muted")
    for year in (1998, 2012, 2014, 2015, 2019, 2020, 2022):
        d.line(x(year), bottom, x(year), bottom + 5, stroke="muted")
        d.text(x(year), bottom + 20, str(year), fill="muted", size=12, anchor="middle")
    d.text(left, height - 4, "parameters, by year of the paper", fill="muted", size=12)
    points = [(x(n.year), y(n.parameters)) for n in NETWORKS]
    # The neighbour is no descendant: the line of the ConvNets goes past it.
    line = [p for p, n in zip(points, NETWORKS, strict=True) if n.key != "vit"]
    for (x1, y1), (x2, y2) in pairwise(line):
        d.line(x1, y1, x2, y2, stroke="conv", stroke_width=1.5)
    for (px, py), network in zip(points, NETWORKS, strict=True):
        vit = network.key == "vit"
        kind = "output" if vit else "conv"
        d.circle(px, py, 6, fill=kind, stroke=kind)
        dx, dy, anchor = LABELS[network.key]
        d.text(px + dx, py + dy, network.name, anchor=anchor, weight=600)
    return d.svg()
