"""An evaluation as one page, for somebody who has to decide whether to use the network.

What is found and what is missed stands first, in words; the numbers follow, then the worst
mistakes as pictures. The file needs nothing else: no script and no network.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from io import BytesIO
from itertools import pairwise

import numpy as np
from PIL import Image
from torch import Tensor

from lineage_lab.comparing.report import POLICY, STYLE
from lineage_lab.comparing.svg import Drawing
from lineage_lab.training.metrics import METRICS, ClassMetrics, Measure, Metrics
from lineage_lab.using.scoring import Evaluation, Part

__all__ = ["answer_in_words", "report"]

MISTAKES = 12
SIDE = 168  # pixels of a picture
MOST_CLASSES = 12  # of a confusion matrix that is shown whole
MOST_PARTS = 60
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # recalls of the table of thresholds
MORE_STYLE = """
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr));
  gap: 1rem; padding: 0; list-style: none; }
.mistakes img { width: 100%; height: auto; display: block; }
.mistakes figure { margin: 0; } .mistakes figcaption { overflow-wrap: anywhere; }
.answer { font-size: 1.1rem; }
"""


def answer_in_words(found: Evaluation) -> tuple[str, ...]:
    """What the numbers mean, a sentence each: what is missed, what is a false alarm, how sure.

    Args:
        found: The evaluation.

    Returns:
        Two sentences for each of the two rarest classes that there are images of, and one on
        what a network that looks at nothing would have.
    """
    metrics = found.metrics
    present = sorted((row for row in metrics.classes if row.images), key=lambda row: row.images)
    sentences = [words for row in present[:2] for words in _of_class(row)]
    if present:
        most = present[-1]
        share = most.images / metrics.images
        sentences.append(
            f"Accuracy is {metrics.accuracy.percent()}. To answer {most.name!r} each time, without "
            f"looking, would have {100 * share:.1f} %; balanced accuracy, which counts each class "
            f"alike, is {metrics.balanced_accuracy.percent()}, and would be "
            f"{100 / len(present):.1f} %."
        )
    return tuple(sentences)


def _of_class(row: ClassMetrics) -> Iterator[str]:
    if row.recall.value is not None:
        missed = round((1 - row.recall.value) * row.images)
        yield (
            f"Of {row.images:,} images of {row.name!r} it finds {row.images - missed:,} and misses "
            f"{missed:,}: recall {row.recall.percent()}."
        )
    if row.precision.value is not None:
        right = round(row.precision.value * row.named)
        yield (
            f"Of {row.named:,} images that it calls {row.name!r}, {right:,} are: precision "
            f"{row.precision.percent()}."
        )


def report(found: Evaluation, *, mistakes: int = MISTAKES) -> str:
    """The whole evaluation as an HTML page.

    Args:
        found: The evaluation.
        mistakes: How many pictures of wrong answers at most.

    Returns:
        The file's text. Nothing in it asks another place for anything, and a policy in its head
        forbids it.
    """
    title = f"{found.network} on {found.data}"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_safe(title)}</title>",
            f"<style>{STYLE}{MORE_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{_safe(title)}</h1>",
            *_sections(found, mistakes),
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )


def _sections(found: Evaluation, mistakes: int) -> Iterator[str]:
    metrics = found.metrics
    how = (
        f"{metrics.groups} groups of images that belong together"
        if metrics.groups
        else f"{metrics.images:,} images"
    )
    yield "<h2>What it finds and what it misses</h2>"
    yield from (f'<p class="answer">{_safe(words)}</p>' for words in answer_in_words(found))
    yield (
        f'<p class="note">In brackets: 95 % intervals, from {metrics.resamples:,} draws of {how}. '
        f"Answers by: {_safe(found.threshold)}.</p>"
    )
    notes = (*found.notes, *metrics.notes)
    if notes:
        yield "<h2>What to know before you rely on it</h2>\n<ul>"
        yield from (f"<li>{_safe(words)}</li>" for words in notes)
        yield "</ul>"
    yield "<h2>All numbers</h2>"
    yield _table(
        "The whole part. Log loss and calibration error are better when lower.",
        ("number", "value and 95 % interval"),
        [(METRICS[name], _shown(name, getattr(metrics, name))) for name in METRICS],
    )
    yield _table(
        "Class by class.",
        ("class", "images", "named so", "recall", "precision", "F1", "AUROC", "average precision"),
        [
            (
                row.name, f"{row.images:,}", f"{row.named:,}", row.recall.percent(),
                row.precision.percent(), row.f1.plain(), row.auroc.plain(),
                row.average_precision.plain(),
            )
            for row in metrics.classes
        ],
    )  # fmt: skip
    yield from _confusion(found)
    if len(found.classes) == 2:
        yield from _thresholds(found)
    yield "<h2>Is it sure of itself?</h2>"
    yield _figure(
        _curve(metrics),
        "Each point is about the same number of images. On the diagonal an answer that is 80 % "
        "sure is right in 80 % of the cases; below it the network is too sure of itself.",
    )
    yield from _parts("kind", found.kinds, found.classes)
    yield from _parts("group", found.groups, found.classes)
    yield from _mistakes(found, mistakes)
    if found.unread:
        yield "<h2>Files that can't be read</h2>\n<ul>"
        yield from (f"<li>{_safe(words)}</li>" for words in found.unread.values())
        yield "</ul>"


def _confusion(found: Evaluation) -> Iterator[str]:
    names, counts = found.classes, found.metrics.confusion
    if len(names) <= MOST_CLASSES:
        yield _table(
            "Confusion matrix: a line for each true class, a column for each answer.",
            ("true class", *names),
            [(name, *(f"{n:,}" for n in line)) for name, line in zip(names, counts, strict=True)],
        )
        return
    pairs = sorted(
        (
            (n, names[t], names[a])
            for t, line in enumerate(counts)
            for a, n in enumerate(line)
            if n and t != a
        ),
        key=lambda pair: -pair[0],
    )
    yield _table(
        f"What is confused most, {min(len(pairs), MOST_CLASSES)} of {len(pairs)} pairs; the JSON "
        "has all.",
        ("true class", "answer", "images"),
        [(truth, answer, f"{n:,}") for n, truth, answer in pairs[:MOST_CLASSES]],
    )


def _thresholds(found: Evaluation) -> Iterator[str]:
    """What another threshold would give for the rarer class."""
    rarer = int(np.bincount(found.truth, minlength=2).argmin())
    is_of = found.truth == rarer
    if is_of.all() or not is_of.any():
        return
    chance = found.probabilities[:, rarer]
    order = np.sort(chance[is_of])[::-1]
    lines = []
    for wanted in THRESHOLDS:
        threshold = order[max(0, int(np.ceil(wanted * len(order) - 1e-9)) - 1)]
        named = chance >= threshold
        hits = int((named & is_of).sum())
        lines.append(
            (
                f"{threshold:.3f}",
                f"{100 * hits / len(order):.1f} %",
                f"{100 * hits / int(named.sum()):.1f} %",
                f"{int(named.sum()) - hits:,}",
            )
        )
    yield "<h2>What another threshold would give</h2>"
    yield _table(
        f"{found.classes[rarer]!r} named from a probability on. To choose one by these images and "
        "quote its numbers from them would flatter it: choose on others.",
        ("from", "recall", "precision", "false alarms"),
        lines,
    )


def _parts(what: str, parts: Sequence[Part], classes: Sequence[str]) -> Iterator[str]:
    if not parts:
        return
    worst = sorted(
        parts,
        key=lambda p: (p.metrics.balanced_accuracy.value or 0.0, p.name),
    )
    few = len(classes) <= MOST_CLASSES
    left = len(worst) - MOST_PARTS
    yield f"<h2>{what.capitalize()} by {what}</h2>"
    yield _table(
        f"The {what} with the lowest balanced accuracy first."
        + (f" The other {left} are in the JSON." if left > 0 else ""),
        (what, "images", "accuracy", *([f"recall of {name}" for name in classes] if few else []),
         "balanced accuracy"),
        [
            (
                part.name,
                f"{part.metrics.images:,}",
                part.metrics.accuracy.percent(),
                *([row.recall.percent() for row in part.metrics.classes] if few else []),
                part.metrics.balanced_accuracy.percent(),
            )
            for part in worst[:MOST_PARTS]
        ],
    )  # fmt: skip


def _mistakes(found: Evaluation, most: int) -> Iterator[str]:
    wrong = int((found.truth != found.answers).sum())
    chosen = found.worst(most)
    if not chosen:
        return
    yield "<h2>The worst mistakes</h2>"
    yield (
        f"<p>{len(chosen)} of {wrong:,} wrong answers: of each class in turn the one that the "
        "network was surest of. Look for what they have in common.</p>"
    )
    yield '<ul class="mistakes">'
    for place in chosen:
        truth, answer = found.classes[found.truth[place]], found.classes[found.answers[place]]
        sure = 100 * found.probabilities[place, found.answers[place]]
        words = f"is {truth}, named {answer} with {sure:.0f} %"
        yield (
            f'<li><figure><img alt="{_safe(words)}" src="{_picture(found.pixels(place))}">'
            f"<figcaption>{_safe(words)}<br>{_safe(found.paths[place])}</figcaption></figure></li>"
        )
    yield "</ul>"


def _picture(pixels: Tensor) -> str:
    rgb = pixels.expand(3, -1, -1).permute(1, 2, 0).numpy()
    image = Image.fromarray(np.ascontiguousarray(rgb)).resize((SIDE, SIDE))
    file = BytesIO()
    image.save(file, "WEBP", quality=66, method=6)
    return f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"


def _curve(metrics: Metrics) -> str:
    """The reliability curve."""
    side, left, top = 280.0, 56.0, 16.0
    d = Drawing(
        "reliability",
        width=left + side + 240,
        height=top + side + 48,
        title="How sure the network is, and how often it is right",
        description="; ".join(
            f"sure to {100 * b.confidence:.0f} percent, right in {100 * b.accuracy:.0f} percent of "
            f"{b.images}"
            for b in metrics.reliability
        ),
    )

    def x(share: float) -> float:
        return left + side * share

    def y(share: float) -> float:
        return top + side * (1 - share)

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        d.line(x(tick), y(0), x(tick), y(1))
        d.line(x(0), y(tick), x(1), y(tick))
        d.text(x(tick), y(0) + 18, f"{100 * tick:.0f}", fill="muted", anchor="middle")
        d.text(x(0) - 8, y(tick) + 4, f"{100 * tick:.0f}", fill="muted", anchor="end")
    d.line(x(0), y(0), x(1), y(1), stroke="muted", stroke_width=1.5)
    points = metrics.reliability
    for a, b in pairwise(points):
        d.line(x(a.confidence), y(a.accuracy), x(b.confidence), y(b.accuracy),
               stroke="conv", stroke_width=2)  # fmt: skip
    for b in points:
        d.circle(x(b.confidence), y(b.accuracy), 4, fill="conv", stroke="paper")
    d.text(x(0), y(0) + 38, "how sure, in percent", fill="muted")
    d.text(x(1) + 16, y(1) + 12, "up: how often right, in percent", fill="muted")
    d.text(x(1) + 16, y(1) + 34, f"calibration error {metrics.calibration_error.plain()}")
    d.text(x(1) + 16, y(1) + 54, f"{len(points)} of {metrics.bins} bins hold images", fill="muted")
    return d.svg()


def _shown(name: str, found: Measure) -> str:
    return found.percent() if name in ("accuracy", "balanced_accuracy") else found.plain()


def _table(caption: str, head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    columns = "".join(f'<th scope="col">{_safe(name)}</th>' for name in head)
    lines = "\n".join(
        f'<tr><th scope="row">{_safe(first)}</th>'
        + "".join(f"<td>{_safe(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in body
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{_safe(caption)}">\n<table>\n'
        f"<caption>{_safe(caption)}</caption>\n<thead><tr>{columns}</tr></thead>\n"
        f"<tbody>\n{lines}\n</tbody>\n</table>\n</div>"
    )


def _figure(svg: str, words: str) -> str:
    return f"<figure>\n{svg}<figcaption>{escape(words)}</figcaption>\n</figure>"


def _safe(text: str) -> str:
    """Escaped; a name that is no Unicode is shown with replacement signs."""
    return escape(text.encode("utf-8", "replace").decode())
