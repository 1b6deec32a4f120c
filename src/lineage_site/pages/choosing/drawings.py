"""Which backbone: the candidates as tables, a chart of measured time, and the form's data."""

import json
from dataclasses import asdict
from math import sqrt
from typing import Any

from lineage_lab.chapters.lineage import NETWORKS
from lineage_lab.comparing.axes import LETTER, Axes, Box
from lineage_lab.comparing.choosing import (
    BATCH,
    CAUTIONS,
    COSTS,
    PICKS,
    Candidate,
    Choice,
    candidates,
    pick,
)
from lineage_lab.comparing.svg import Drawing
from lineage_site.drawing.records import read
from lineage_site.drawing.tables import table, table_row
from lineage_site.pages.timeline.chart import NAMES, SERIES, free
from lineage_site.pages.timeline.drawings import chapter

__all__ = ["NEEDS", "draw"]


# The decision list: what somebody needs, and how the rule is asked for it.
NEEDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Nothing special: images, classes, a GPU", {}),
    ("A strong baseline that costs what a ResNet-50 costs",
     {"first": "accuracy", "gmacs": 5, "gib": 4}),
    ("A phone or a small board", {"first": "macs", "top1": 75}),
    ("The most accurate in a file of at most 50 MiB", {"first": "accuracy", "megabytes": 50}),
    ("The most accurate that trains on a GPU of 8 GiB", {"first": "accuracy", "gib": 8}),
    ("A transformer, in a product that is sold", {"kind": "transformer", "commercial": True}),
    ("The most accurate, in a product that is sold, whatever it costs",
     {"first": "accuracy", "commercial": True}),
)  # fmt: skip
HEAD = (
    "Network",
    "Weights",
    "Top-1, %",
    "Parameters, M",
    "MACs, G",
    "File, MiB",
    "Training, GiB",
    "An image, ms",
    "Licence of the weights",
)


def draw() -> dict[str, str]:
    """The page's tables, its chart, its form and the data of the form."""
    record = read("latency")
    measured = {name: row["median"] for name, row in record["rows"].items()}
    rows = candidates(measured)
    return {
        "picks.md": _picks(rows, record),
        "candidates.md": _candidates(rows, record),
        "decisions.md": _decisions(rows),
        "measured.md": _measured(record),
        "claim.md": _claim(record),
        "convnext.md": _convnext(record),
        "latency.svg": _chart(rows, record),
        "form.md": _form(),
        "data.md": _data(rows),
    }


def shown(name: str) -> str:
    """A network's name as it is written in a sentence."""
    for start, word in (
        ("resnet", "ResNet-"),
        ("vgg", "VGG-"),
        ("efficientnet_", "EfficientNet-"),
        ("convnext_", "ConvNeXt-"),
    ):
        if name.startswith(start):
            size = name.removeprefix(start)
            return word + size[0].upper() + size[1:].replace("_bn", " BN")
    return {"alexnet": "AlexNet", "googlenet": "GoogLeNet", "vit_b_16": "ViT-B/16"}.get(
        name, "ViT-B/16 at 384"
    )


def _time(name: str, record: dict[str, Any]) -> str:
    row = record["rows"].get(name)
    return f"{row['median']:.0f} ({row['q1']:.0f} to {row['q3']:.0f})" if row else "–"


def _picks(rows: tuple[Candidate, ...], record: dict[str, Any]) -> str:
    """The four answers of the course beside each other."""
    found = {(c.name, c.weights): c for c in rows}
    lines = [
        "| | top-1 | parameters | MACs | file | training | an image |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for name in PICKS:
        c = found[name, "imagenet"]
        lines.append(
            f"| **{shown(name)}** | {c.top1:.1f} % | {c.parameters / 1e6:.1f} M | {c.gmacs:.2f} G "
            f"| {c.megabytes:.0f} MiB | {c.gib:.1f} GiB | {record['rows'][name]['median']:.0f} ms |"
        )
    return "\n".join((*lines, ""))


def _candidates(rows: tuple[Candidate, ...], record: dict[str, Any]) -> str:
    lines = []
    for c in rows:
        cells: tuple[tuple[float | str, str], ...] = (
            (c.name, f"{shown(c.name)}<br><code>{c.name}</code>"),
            (c.published, f"<code>{c.weights}</code><br><small>{c.published}</small>"),
            (c.top1, f"{c.top1:.2f}"),
            (c.parameters, f"{c.parameters / 1e6:.1f}"),
            (c.gmacs, f"{c.gmacs:.2f}"),
            (c.megabytes, f"{c.megabytes:.1f}"),
            (c.gib, f"{c.gib:.1f}"),
            ("" if c.milliseconds is None else c.milliseconds, _time(c.name, record)),
            (c.licence, c.licence),
        )
        attributes = {"data-row": f"{c.name}/{c.weights}", "data-family": c.family}
        lines.append(table_row(cells, attributes, (2, 3, 4, 5, 6, 7)))
    return table("ll-candidates", "All candidates", HEAD, lines, (2, 3, 4, 5, 6, 7))


def _decisions(rows: tuple[Candidate, ...]) -> str:
    """What the rule answers to the usual needs: for who reads with scripts off, too."""
    lines = []
    for words, asked in NEEDS:
        first, *others = pick(rows, **asked)
        call = ", ".join(("networks", *(f"{k}={json.dumps(v)}" for k, v in asked.items())))
        call = call.replace("true", "True")
        lines.append(
            f"- **{words}:** take **{shown(first.candidate.name)}**, {first.gains[0]}."
            + "".join(f" Or {_other(o)}." for o in others)
            + f"<br>`pick({call})`"
        )
    return "\n".join((*lines, ""))


def _other(choice: Choice) -> str:
    gains, costs = choice.gains[0], choice.costs[0] if choice.costs else ""
    return f"{shown(choice.candidate.name)}: {gains}" + (f", but {costs}" if costs else "")


def _measured(record: dict[str, Any]) -> str:
    """Where the times were measured, and whether they can be trusted."""
    here = record["provenance"]
    counts = [len(row["times"]) for row in record["rows"].values()]
    beside = (
        "The machine had no other work."
        if record["quiet"]
        else f"**The machine had other work** (a load of up to {max(record['loads']):.0f} on "
        f"{here['cores']} cores). So what is given is the time of the thread on the processor, "
        "without its waiting; trust the order of what lies far apart, not the last digit."
    )
    return (
        f"Time for one image: the median of {min(counts)} to {max(counts)} calls, in brackets the "
        f"quartiles; 32-bit numbers, one thread, no compiler, all networks in turn. "
        f"{here['processor']}, torch {here['torch']}, {here['system']}, {here['date']}. {beside}\n"
    )


def _claim(record: dict[str, Any]) -> str:
    """How far time follows MACs, for the two that the page compares."""
    macs = {name: COSTS[name][1] for name in ("resnet50", "efficientnet_b0")}
    time = {name: record["rows"][name]["median"] for name in macs}
    return (
        f"B0 has {macs['resnet50'] / macs['efficientnet_b0']:.1f} times fewer MACs than "
        f"ResNet-50. On the processor that we measured, it was "
        f"{time['resnet50'] / time['efficientnet_b0']:.1f} times as fast "
        f"({time['efficientnet_b0']:.0f} ms and {time['resnet50']:.0f} ms an image).\n"
    )


def _convnext(record: dict[str, Any]) -> str:
    """Its time beside that of the network it is to replace."""
    old, new = (record["rows"][name]["median"] for name in ("resnet50", "convnext_tiny"))
    return (
        f"And measure its time where it is to run. On our processor an image took "
        f"{new:.0f} ms, and {old:.0f} ms with ResNet-50. Another library may run its 7×7 "
        "depthwise convolutions better, or worse.\n"
    )


def _chart(rows: tuple[Candidate, ...], record: dict[str, Any]) -> str:
    """Top-1 by measured time, with the quartiles."""
    best: dict[str, Candidate] = {}
    for c in rows:
        if c.milliseconds is not None and (c.name not in best or c.top1 > best[c.name].top1):
            best[c.name] = c
    points = sorted(best.values(), key=lambda c: -c.parameters)
    times = record["rows"]
    lowest = min(times[c.name]["q1"] for c in points)
    highest = max(times[c.name]["q3"] for c in points)
    d = Drawing(
        "choosing-latency",
        width=680,
        height=490,
        title="Top-1 accuracy by measured time for one image",
        description="A disc for each network with its most accurate weights, a bar from the first "
        "to the third quartile of its time. "
        + "; ".join(f"{shown(c.name)}: {c.milliseconds:.0f} ms, {c.top1:.1f} %" for c in points)
        + ".",
    )
    box: Box = (44, 36, 668, 410)
    axes = Axes(
        d,
        box,
        (lowest * 0.85, highest * 1.2),
        (54, 88),
        ("milliseconds an image, one thread (logarithmic)", "% top-1 on ImageNet"),
        logarithmic=True,
    )
    places = {c.name: (axes.x(times[c.name]["median"]), axes.y(c.top1)) for c in points}
    taken: list[Box] = []
    for c in points:
        (x, y), kind = places[c.name], SERIES[c.family][0]
        row, radius = times[c.name], max(3.5, 15 * sqrt(c.parameters / 197.8e6))
        with d.group(class_="ll-disc", data_row=f"{c.name}/{c.weights}", data_family=c.family):
            d.tip(f"{shown(c.name)}: {_time(c.name, record)} ms, {c.top1:.1f} % top-1")
            d.line(axes.x(row["q1"]), y, axes.x(row["q3"]), y, stroke=kind, stroke_width=2)
            d.circle(x, y, radius, fill=f"{kind}-soft", stroke=kind)
        taken.append((x - radius, y - radius, x + radius, y + radius))
    for c in sorted(points, key=lambda c: (c.name not in PICKS, places[c.name])):
        words = shown(c.name).replace("EfficientNet-", "").replace("ConvNeXt-", "")
        x, y = places[c.name]
        shift = max(0.0, 15 * sqrt(c.parameters / 197.8e6) - 8)
        spot = free(x, y, len(words) * LETTER, shift, box, taken)
        if spot:
            with d.group(class_="ll-label", data_row=f"{c.name}/{c.weights}"):
                d.text(*spot, words, size=11.5, weight=650 if c.name in PICKS else 400)
    x = 40.0
    for family, (kind, _) in SERIES.items():
        d.circle(x + 6, 474, 5, fill=f"{kind}-soft", stroke=kind)
        d.text(x + 15, 478, NAMES[family], size=12)
        x += len(NAMES[family]) * LETTER + 34
    return d.svg()


def _form() -> str:
    """The picker; the page's script shows it, since it does nothing without."""
    goals = {
        "general": "nothing in particular",
        "accuracy": "accuracy",
        "size": "a small file",
        "macs": "few MACs",
        "latency": "a fast answer",
    }
    radios = "".join(
        f'<label><input type="radio" name="first" value="{goal}"'
        f"{' checked' if goal == 'general' else ''}> {words}</label>"
        for goal, words in goals.items()
    )
    limits = {
        "top1": ("Top-1 at least", "%"),
        "megabytes": ("File at most", "MiB"),
        "gmacs": ("MACs at most", "G"),
        "gib": ("Memory to train at most", "GiB"),
        "milliseconds": ("An image at most", "ms"),
    }
    fields = "".join(
        f'<label>{words} <input type="number" name="{name}" min="0" step="any"> {unit}</label>'
        for name, (words, unit) in limits.items()
    )
    return "\n".join(
        (
            '<form class="ll-controls" id="ll-picker" hidden>',
            f"<fieldset><legend>What matters most</legend>{radios}</fieldset>",
            f"<fieldset><legend>Limits, if any</legend>{fields}</fieldset>",
            '<label>Kind <select name="kind"><option value="any">any</option>',
            '<option value="convnet">convolutional</option>',
            '<option value="transformer">transformer</option></select></label>',
            '<label><input type="checkbox" name="commercial">',
            "the licence must allow commercial use</label>",
            '<button type="reset">Start again</button>',
            '<output aria-live="polite"></output>',
            "</form>",
            '<div id="ll-answers"></div>',
            "",
        )
    )


def _data(rows: tuple[Candidate, ...]) -> str:
    """What the page's script reads; it can hold no end of its own element."""
    chapters = {n.key: chapter(n) for n in NETWORKS}
    data = {
        "batch": BATCH,
        "picks": dict(PICKS),
        "cautions": dict(CAUTIONS),
        "chapters": chapters,
        "families": NAMES,
        "candidates": [
            {**asdict(c), "code": c.code, "commercial": c.commercial, "shown": shown(c.name)}
            for c in rows
        ],
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="ll-data">{text}</script>\n'
