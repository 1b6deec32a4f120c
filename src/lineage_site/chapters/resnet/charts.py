"""What the ResNet chapter's trainings found, as pictures and a table."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from lineage_lab.comparing.axes import Axes
from lineage_lab.comparing.svg import Drawing
from lineage_site.drawing.records import read

__all__ = ["draw"]

Runs = list[dict[str, Any]]
COLOUR = {"plain": "conv", "residual": "output"}


def draw() -> dict[str, str]:
    """The charts and the table, from the file of results alone."""
    found = read("resnet")
    runs: Runs = found["runs"]
    return {
        "degradation.svg": _degradation(runs),
        "gradients.svg": _gradients(runs),
        "deleted.svg": _deleted(runs),
        "results.md": _results(runs),
        "setup.md": _setup(found),
    }


def _of(runs: Runs, form: str, layers: int) -> Runs:
    return [r for r in runs if r["form"] == form and r["layers"] == layers]


def _means(runs: Runs, key: str) -> list[float]:
    return [mean(values) for values in zip(*(r[key] for r in runs), strict=True)]


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f}"


def _lines(
    d: Drawing, axes: Axes, xs: Sequence[float], runs: Runs, key: str, kind: str, dash: str = ""
) -> None:
    """Each seed thin, their mean thick."""
    for run in runs:
        points = [(axes.x(x), axes.y(y)) for x, y in zip(xs, run[key], strict=True)]
        d.arrow(points, stroke=kind, stroke_width=0.5, head=False)
    points = [(axes.x(x), axes.y(y)) for x, y in zip(xs, _means(runs, key), strict=True)]
    d.arrow(points, stroke=kind, stroke_width=2.2, dash=dash, head=False)


def _degradation(runs: Runs) -> str:
    """Fig. 6 of the paper on digits: the training loss, plain left, residual right."""
    ends = {
        (form, n): mean(r["losses"][-1] for r in _of(runs, form, n))
        for form in ("plain", "residual")
        for n in (20, 56)
    }
    d = Drawing(
        "resnet-degradation",
        width=760,
        height=330,
        title="Training loss of plain and of residual networks of 20 and 56 layers",
        description="Two charts of the training loss over 500 steps, five seeds each. At the end: "
        + "; ".join(f"{form} {n} layers {loss:.2f}" for (form, n), loss in ends.items())
        + ". The deeper plain network stays above the shallower one all the time.",
    )
    xs = [10 * i + 5 for i in range(50)]
    highest = max(max(r["losses"]) for r in runs)
    for index, form in enumerate(("plain", "residual")):
        box = (56 + 372 * index, 46, 372 + 372 * index, 272)
        axes = Axes(d, box, (0, 500), (0, 1.02 * highest), ("step", f"training loss, {form}"))
        for layers, dash in ((20, "6 3"), (56, "")):
            _lines(d, axes, xs, _of(runs, form, layers), "losses", COLOUR[form], dash)
        for row, (layers, dash) in enumerate(((20, "6 3"), (56, ""))):
            x = box[2] - 118
            y = 20 * row + (box[1] + 16 if form == "residual" else axes.y(0.85))
            d.arrow(
                [(x, y - 4), (x + 30, y - 4)],
                stroke=COLOUR[form],
                stroke_width=2.2,
                dash=dash,
                head=False,
            )
            d.text(x + 38, y, f"{layers} layers", size=12)
    return d.svg()


def _relative(runs: Runs, key: str) -> Runs:
    """Each block's norm divided by that of the last block."""
    return [{key: [value / r[key][-1] for value in r[key]]} for r in runs]


def _gradients(runs: Runs) -> str:
    """The gradient on its way down: at the start and after training."""
    parts = (("gradients_start", "before training"), ("gradients_end", "after 500 steps"))
    series = {
        (form, key): _relative(_of(runs, form, 56), key)
        for form in ("plain", "residual")
        for key, _ in parts
    }
    values = [v for (_, key), rows in series.items() for r in rows for v in r[key]]
    first = {name: mean(r[name[1]][0] for r in rows) for name, rows in series.items()}
    d = Drawing(
        "resnet-gradients",
        width=760,
        height=330,
        title="The gradient on its way down through 27 blocks",
        description="The norm of the loss's gradient at each block's output, divided by that at "
        "the last block; 56 layers, five seeds. At the first block: "
        + "; ".join(
            f"{form}, {words}: {first[form, key]:,.1f}"
            for key, words in parts
            for form in ("plain", "residual")
        )
        + ".",
    )
    low, high = min(values) / 1.5, max(values) * 1.5
    for index, (key, words) in enumerate(parts):
        box = (64 + 372 * index, 46, 372 + 372 * index, 272)
        axes = Axes(
            d, box, (1, 27), (low, high), ("block", f"gradient’s norm, {words}"), logarithmic_y=True
        )
        for form in ("plain", "residual"):
            rows = series[form, key]
            _lines(d, axes, range(1, 28), rows, key, COLOUR[form])
        for row, form in enumerate(("plain", "residual")):
            y = box[1] + 14 + 20 * row
            d.arrow(
                [(box[2] - 110, y - 4), (box[2] - 80, y - 4)],
                stroke=COLOUR[form],
                stroke_width=2.2,
                head=False,
            )
            d.text(box[2] - 72, y, form, size=12)
    return d.svg()


def _deleted(runs: Runs) -> str:
    """Accuracy after one block is taken out, by block: seeds as bars from worst to best."""
    panels = ((20, ("plain", "residual")), (56, ("residual",)))
    d = Drawing(
        "resnet-deleted",
        width=760,
        height=330,
        title="Accuracy after one block is taken out of a trained network",
        description=" ".join(
            f"{form}, {layers} layers, mean accuracy without block: "
            + ", ".join(
                f"{block + 1}: {mean(values):.0%}"
                for block, values in enumerate(_columns(_of(runs, form, layers)))
                if values
            )
            + "."
            for layers, forms in panels
            for form in forms
        ),
    )
    for index, (layers, forms) in enumerate(panels):
        box = (56 + 372 * index, 46, 372 + 372 * index, 272)
        count = (layers - 2) // 2
        axes = Axes(
            d,
            box,
            (0.5, count + 0.5),
            (0, 100),
            ("block taken out", f"accuracy in %, {layers} layers"),
        )
        for shift, form in enumerate(forms):
            rows = _of(runs, form, layers)
            whole = axes.y(100 * mean(r["accuracy"] for r in rows))
            d.line(box[0], whole, box[2], whole, stroke=COLOUR[form], dash="5 3")
            for block, values in enumerate(_columns(rows)):
                if not values:
                    continue
                x = axes.x(block + 1) + (8 * shift - 4 if len(forms) > 1 else 0)
                d.line(
                    x,
                    axes.y(100 * min(values)),
                    x,
                    axes.y(100 * max(values)),
                    stroke=COLOUR[form],
                    stroke_width=1.6,
                )
                d.circle(x, axes.y(100 * mean(values)), 4, fill=COLOUR[form])
        for place, form in enumerate(forms):
            x = box[0] + 14 + 110 * place
            d.circle(x, 310, 4, fill=COLOUR[form])
            d.text(x + 10, 314, form, size=12)
    return d.svg()


def _columns(runs: Runs) -> list[list[float]]:
    """For each block, the accuracies of the seeds without it; empty where it can't be left out."""
    columns = zip(*(r["deleted"] for r in runs), strict=True)
    return [[] if None in values else list(values) for values in columns]


def _results(runs: Runs) -> str:
    lines = [
        "| network | loss, last 50 steps | training digits named rightly | test digits |",
        "| --- | --: | --: | --: |",
    ]
    for form in ("plain", "residual"):
        for layers in sorted({r["layers"] for r in runs}):
            rows = _of(runs, form, layers)
            if len(rows) < 2:
                continue
            cells = (
                f"{form}, {layers} layers",
                _spread([mean(r["losses"][-5:]) for r in rows], 2),
                _spread([100 * r["train_accuracy"] for r in rows], 1) + " %",
                _spread([100 * r["accuracy"] for r in rows], 1) + " %",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join((*lines, ""))


def _setup(found: dict[str, Any]) -> str:
    """Where and with what the results were made, as one sentence."""
    made = found["provenance"]
    return (
        f"Run on {made['date']} with torch {made['torch']} on one core ({made['processor']}); "
        "the file with every run is "
        "[`docs/results/resnet.json`](https://github.com/lineage-lab/lineage-lab/blob/main/docs/"
        "results/resnet.json).\n"
    )
