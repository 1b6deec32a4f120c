"""The lineage at a glance: the family tree, its table, and what accuracy costs."""

from html import escape
from math import ceil

import torch

from lineage_lab.anatomy.network import Anatomy, describe
from lineage_lab.chapters.lineage import NETWORKS, PASSED_ON, TOP1, Gift, Network
from lineage_lab.comparing.choosing import Candidate, candidates
from lineage_lab.comparing.svg import Drawing
from lineage_lab.models.googlenet import GoogLeNet
from lineage_lab.registry import create_model, entry
from lineage_site.drawing.tables import table, table_row
from lineage_site.facts.printed import PRINTED
from lineage_site.pages.timeline.chart import AXES, NAMES, SERIES, YEARS, chart, full, value

__all__ = ["chapter", "draw"]

# Where the nodes of the tree stand: the middle of a box, in the order of time from the top.
NODES = {
    "lenet5": (330, 34),
    "alexnet": (330, 148),
    "vgg": (168, 280),
    "googlenet": (492, 280),
    "resnet": (330, 412),
    "efficientnet": (168, 544),
    "vit": (492, 580),
    "convnext": (330, 716),
}
MIDDLE = 330
BOX = (144, 48)
CHOICES = {"macs": "MACs", "parameters": "parameters", "size": "file size", "year": "year"}
NUMBERS = ((3, 4, 5, 6), (2, 3, 4, 5, 6, 7))  # columns of the two tables, to the right


def draw() -> dict[str, str]:
    """The page's figures and tables."""
    rows = tuple(c for c in candidates() if not c.published.startswith("efficientnet-lite"))
    charts = {f"chart-{axis}.svg": chart(rows, axis) for axis in AXES}
    return {
        "tree.svg": _tree(),
        "lineage.md": _lineage(),
        "gifts.md": _gifts(),
        "points.md": _points(rows),
        "controls.md": _controls(),
        **charts,
    }


def chapter(network: Network) -> str:
    """Where its chapter is, seen from a page beside the home page."""
    return f"../chapters/{network.key}/"


def _tree() -> str:
    """Boxes by time, arrows from who gave to who took; dashed where something stood between."""
    words = "; ".join(
        f"{NAMES[g.giver]} to {NAMES[g.receiver]}: {g.idea}"
        + (f", by way of {g.through}" if g.through else "")
        for g in PASSED_ON
    )
    d = Drawing(
        "timeline-tree",
        width=620,
        height=752,
        title="The family tree of the lineage",
        description=f"Eight networks, the oldest at the top. What was taken: {words}.",
    )
    for network in NETWORKS:
        x, y = NODES[network.key]
        d.line(58, y, x - BOX[0] / 2, y, dash="2 4")
    for year, y in sorted({(n.year, NODES[n.key][1]) for n in NETWORKS}):
        d.text(10, y + 4.5, str(year), weight=650)
    d.text(10, 95, "fourteen years", fill="muted", size=12)
    for gift in PASSED_ON:
        with d.group(class_="ll-edge", data_from=gift.giver, data_to=gift.receiver):
            _arrow(d, gift)
    for network in NETWORKS:
        x, y = NODES[network.key]
        kind = "output" if network.key == "vit" else "conv"
        count = f"{network.parameters / 1e6:,.1f} M parameters"
        if network.parameters < 1e6:
            count = f"{network.parameters:,} parameters"
        # Begins as the box reads: somebody who speaks to the computer says what is seen.
        told = f"{network.name} {count}, {network.year}: {network.idea}"
        node = {"class_": "ll-node", "data_key": network.key}
        with d.link(chapter(network), f"{told}. Its chapter", **node):
            left, top = x - BOX[0] / 2, y - BOX[1] / 2
            d.rect(left, top, *BOX, fill=f"{kind}-soft", stroke=kind, radius=5)
            d.text(x, y - 3, network.name, anchor="middle", weight=650, size=14)
            d.text(x, y + 15, count, anchor="middle", fill="muted", size=12)
    return d.svg()


def _arrow(d: Drawing, gift: Gift) -> None:
    (x1, y1), (x2, y2) = NODES[gift.giver], NODES[gift.receiver]
    half = BOX[1] / 2
    dash = "5 3" if gift.through else ""
    if gift.giver == "lenet5" and gift.receiver == "googlenet":  # round the outside
        points = [(x1 + BOX[0] / 2, y1), (x2 + 40, y1), (x2 + 40, y2 - half)]
        place = (x2 + 40.0, 148.0)
    elif x1 == x2:
        points = [(x1, y1 + half), (x2, y2 - half)]
        place = (float(x1), (y1 + y2) / 2)
    else:
        # From the side of the giver's foot to the receiver's head, by a bend.
        start = (x1 + (34 if x2 > x1 else -34), y1 + half)
        end = (x2 + (34 if x1 > x2 else -34), y2 - half)
        points = [start, end]
        place = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        # Away from the middle, where a line or another label may be.
        place = (place[0] + (36 if place[0] > MIDDLE else -36), place[1])
    d.arrow(points, dash=dash, stroke_width=1.6)
    lines = _wrapped(gift.idea) + (_wrapped(f"by way of {gift.through}") if gift.through else [])
    width = max(map(len, lines)) * 6.3 + 10
    top = place[1] - 8.5 * len(lines)
    d.rect(place[0] - width / 2, top, width, 17 * len(lines), fill="paper")
    own = len(_wrapped(gift.idea))
    for index, line in enumerate(lines):
        d.text(
            place[0],
            top + 13 + 17 * index,
            line,
            anchor="middle",
            size=12,
            fill="ink" if index < own else "muted",
        )


def _wrapped(words: str, width: int = 24) -> list[str]:
    """Lines of about the same length, none much longer than `width`."""
    count = ceil(len(words) / width)
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) / 2 > len(words) / count and len(lines) < count:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def anatomy(network: Network) -> Anatomy:
    """Of the form that the ledger names, without auxiliary classifiers."""
    with torch.device("meta"):
        model = create_model(network.variant)
    if isinstance(model, GoogLeNet):
        model.auxiliary_4a = model.auxiliary_4d = None
    return describe(model, entry(network.variant).input_size)


def _lineage() -> str:
    """The tree as a table: a row for each network, all that is counted counted here."""
    best = {c.name: c for c in candidates()}
    for c in candidates():
        if c.weights == "imagenet":
            best[c.name] = c
    head = (
        "Year",
        "Network",
        "Authors",
        "Parameters",
        "MACs",
        "Receptive field",
        "Top-1, torchvision’s weights",
        "Top-1, the paper’s",
    )
    rows = []
    for network in NETWORKS:
        found = anatomy(network)
        linked = f'<a href="{chapter(network)}">{escape(network.name)}</a>'
        field = "whole image" if network.key == "vit" else f"{found.receptive_field:,}"
        if found.sees_whole_image and network.key != "vit":
            field += "; its gates: whole image"
        weights = best.get(network.variant)
        top1 = f"{weights.top1:.2f} %<br><code>{weights.published}</code>" if weights else "–"
        cells = (
            (network.year, str(network.year)),
            (network.name, f"{linked}<br><small>{escape(network.variant)}</small>"),
            (network.authors[0], _authors(network.authors)),
            (found.parameters, _beside(f"{found.parameters:,}", network, "parameters")),
            (found.macs, _beside(_giga(found.macs), network, "macs")),
            (found.receptive_field or 0, field),
            (weights.top1 if weights else "", top1),
            _printed_top1(network.key),
        )
        rows.append(table_row(cells, {"data-key": network.key}, NUMBERS[0]))
    return table("ll-lineage", "The networks of the lineage", head, rows, numbers=NUMBERS[0])


def _beside(ours: str, network: Network, quantity: str) -> str:
    """Our count, and below it what its paper prints of the same form."""
    year = str(network.year)
    for row in PRINTED:
        if (row.model, row.quantity, row.side) == (network.variant, quantity, None) and (
            year in row.source
        ):
            unit = {1.0: "", 1e6: " M", 1e9: " G"}[float(row.unit)]
            value = f"{int(row.value):,}" if row.unit == 1 else row.value
            return f"{ours}<br><small>printed: {value}{unit}</small>"
    return ours


def _printed_top1(key: str) -> tuple[float | str, str]:
    for row in TOP1:
        if row.key == key:
            table = row.source.rpartition(", ")[2]
            told = escape(f"{row.model}; {row.how}; {table}")
            return float(row.accuracy), f"{row.accuracy} %<br><small>{told}</small>"
    return "", "–"


def _authors(names: tuple[str, ...]) -> str:
    shown = ", ".join(escape(n.rsplit(" ", 1)[-1]) for n in names[:2])
    more = len(names) - 2
    return shown + (
        f" and {more} more" if more > 1 else f", {names[2].split()[-1]}" if more else ""
    )


def _giga(macs: int) -> str:
    return f"{macs / 1e9:.2f} G" if macs >= 1e8 else f"{macs / 1e6:.2f} M"


def _gifts() -> str:
    """Who took what from whom, with the place that says so."""
    rows = (
        f"| {NAMES[g.giver]} ({YEARS[g.giver]}) | {NAMES[g.receiver]} ({YEARS[g.receiver]}) | "
        f"{g.idea}{f', by way of {g.through}' if g.through else ''} | {g.source} |"
        for g in PASSED_ON
    )
    return "\n".join(("| from | to | what | says who |", "| --- | --- | --- | --- |", *rows, ""))


def _points(rows: tuple[Candidate, ...]) -> str:
    """The chart as a table."""
    head = (
        "Network",
        "Weights",
        "Year",
        "Side",
        "Top-1, %",
        "MACs, G",
        "Parameters, M",
        "File, MiB",
    )
    lines = []
    for c in rows:
        cells: tuple[tuple[float | str, str], ...] = (
            (full(c), full(c)),
            (c.published, f"<code>{c.published}</code>"),
            (YEARS[c.family], str(YEARS[c.family])),
            (c.side, str(c.side)),
            (c.top1, f"{c.top1:.2f}"),
            (c.gmacs, f"{c.gmacs:.2f}"),
            (round(c.parameters / 1e6, 1), f"{c.parameters / 1e6:.1f}"),
            (c.megabytes, f"{c.megabytes:.1f}"),
        )
        attributes = {
            "data-row": f"{c.name}/{c.weights}",
            "data-family": c.family,
            **{f"data-{axis}": f"{value(c, axis):g}" for axis in AXES},
        }
        lines.append(table_row(cells, attributes, NUMBERS[1]))
    return table("ll-points", "torchvision’s published weights", head, lines, numbers=NUMBERS[1])


def _controls() -> str:
    """The chart's form; the page's script shows it, since it does nothing without."""
    axes = "".join(
        f'<label><input type="radio" name="axis" value="{axis}"'
        f"{' checked' if axis == 'macs' else ''}> {words}</label>"
        for axis, words in CHOICES.items()
    )
    families = "".join(f'<option value="{key}">{NAMES[key]}</option>' for key in SERIES)
    years = sorted({YEARS[key] for key in SERIES})
    since = "".join(f"<option>{year}</option>" for year in years)
    until = "".join(
        f"<option{' selected' if year == years[-1] else ''}>{year}</option>" for year in years
    )
    lines = (
        '<form class="ll-controls" id="ll-chart-controls" hidden>',
        f"<fieldset><legend>Across</legend>{axes}</fieldset>",
        '<label data-limit>At most <input type="number" name="most" min="0" step="any">',
        "<span data-unit>G MACs</span></label>",
        '<label>Family <select name="family"><option value="">all</option>',
        f"{families}</select></label>",
        f'<label>From <select name="since">{since}</select></label>',
        f'<label>to <select name="until">{until}</select></label>',
        '<button type="reset">Show all</button>',
        '<output aria-live="polite"></output>',
        "</form>",
        '<p class="ll-readout" id="ll-readout" hidden></p>',
        "",
    )
    return "\n".join(lines)
