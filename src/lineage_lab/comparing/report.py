"""A comparison as one page: an HTML file that needs nothing else, no script and no network.

It follows the reader's light or dark scheme, prints, and is read by a screen reader: tables have
captions and headings, pictures have words.
"""

from collections.abc import Iterable, Sequence
from html import escape
from itertools import count
from typing import Any

from lineage_lab.comparing.charts import curves, scatter
from lineage_lab.comparing.results import Comparison
from lineage_lab.comparing.runs import Row
from lineage_lab.training.device import Form
from lineage_lab.training.history import History

__all__ = ["report"]

MOST_CLASSES = 12  # a larger confusion matrix is shown by its largest numbers
SHADE = 45  # percent of the colour behind a cell that holds a whole class

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light dark;
  --ll-paper: #fffdf9; --ll-ink: #1c2128; --ll-muted: #57606a; --ll-line: #d8d4ca;
  --ll-conv: #1f5fbf; --ll-pool: #9a4d08; --ll-dense: #0b6b63; --ll-output: #a1245d;
  --ll-act: #6d4bb5; --ll-norm: #4d6a1d; }
@media (prefers-color-scheme: dark) { :root {
  --ll-paper: #14181f; --ll-ink: #e6e9ee; --ll-muted: #a3adba; --ll-line: #3a414d;
  --ll-conv: #7db0ff; --ll-pool: #f0a35e; --ll-dense: #4fd1c1; --ll-output: #f08bb5;
  --ll-act: #c0a6ff; --ll-norm: #b4d67a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--ll-paper);
  color: var(--ll-ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--ll-line); }
.scroll { overflow-x: auto; margin: 1rem 0; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--ll-output);
  outline-offset: 2px; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums;
  border-top: 2px solid var(--ll-ink); border-bottom: 1px solid var(--ll-ink); }
caption { text-align: left; padding: 0 0 .5rem; color: var(--ll-muted); }
th, td { padding: .3rem .55rem; text-align: right; vertical-align: top; white-space: nowrap; }
td { border-top: 1px solid var(--ll-line); }
tbody th { border-top: 1px solid var(--ll-line); font-weight: 600; }
th:first-child, .words td, .words th { text-align: left; }
table { min-width: min(100%, 30rem); }
.words td { white-space: normal; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
figure { margin: 1rem 0; overflow-x: auto; }
figure svg { min-width: 34rem; }
figcaption, .note { color: var(--ll-muted); font-size: .86rem; }
summary { cursor: pointer; font-weight: 600; margin: .6rem 0; }
.hash { overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: .8rem; }
@media print { figure, table { break-inside: avoid; } }
"""


def report(result: Comparison) -> str:
    """The whole comparison as an HTML page.

    Args:
        result: The comparison; where the answers were not recorded there are fewer sections.

    Returns:
        The file's text. Nothing in it asks another place for anything, and a policy in its head
        forbids it.
    """
    what = "Several backbones" if len(result.rows) > 1 else result.rows[0].name
    title = f"{', '.join(row.name for row in result.rows)} on {result.data['name']}"
    parts = [
        f"<h1>{escape(what)} on {escape(result.data['name'])}</h1>",
        f"<p>{escape(result.caption)}</p>",
        *_Page(result).sections(),
        f'<p class="note">{escape(result.footnote)}</p>',
    ]
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *parts,
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )


class _Page:
    """The page's sections, in their order."""

    def __init__(self, result: Comparison) -> None:
        self.result = result
        self.ids = count(1)

    def sections(self) -> Iterable[str]:
        result = self.result
        head, *body = result.cells()
        yield "<h2>The table</h2>"
        yield self.table("Accuracy on the validation images, and what it costs.", head, body)
        yield _figure(
            scatter(result),
            "Up is better, left is faster."
            + (" The bars are a standard deviation each way." if len(result.seeds) > 1 else ""),
        )
        if result.differences:
            yield "<h2>Do they differ?</h2>"
            yield "<ul>"
            sentences = (*result.words, *result.metric_words)
            yield from (f"<li>{escape(words)}</li>" for words in sentences)
            yield "</ul>"
            yield self.differences()
            yield (
                '<p class="note">Few seeds show only large differences, and many pairs ask more of '
                "each: where none is shown, more seeds may show one.</p>"
            )
        if drawn := curves(result):
            yield "<h2>Learning curves</h2>"
            yield _figure(
                drawn,
                "Left, the training loss, smoothed, mean over the seeds. Right, the accuracy after "
                "each epoch, a line for each seed. Neither warm-up nor validation is counted.",
            )
        if any(map(result.classes, result.rows)):
            yield "<h2>Class by class</h2>"
            for row in result.rows:
                yield self.classes(row)
                yield self.confusion(row)
        yield "<h2>How it was made</h2>"
        yield self.runs()
        for row in result.rows:
            yield f"<details><summary>Recipe and weights of {escape(row.name)}</summary>"
            yield self.settings(row)
            yield "</details>"
        yield "<details><summary>Machine and versions</summary>"
        yield self.table(
            "Several values are of several machines or days.",
            ("what", "value"),
            [(key, value) for key, value in result.provenance.items()],
            words=True,
        )
        yield "</details>"

    def differences(self) -> str:
        body = [
            (
                f"{d.first} − {d.second}",
                f"{d.points:+.1f}",
                f"{d.low:+.1f} to {d.high:+.1f}",
                _p(d.p),
                _p(d.p_holm),
                ", ".join(map(_p, d.mcnemar)),
            )
            for d in self.result.differences
        ]
        head = ("pair", "points", "95 % interval", "p", "p, Holm", "McNemar, each seed")
        lines = [(pair, *(cell.replace("-", "−") for cell in cells)) for pair, *cells in body]
        return self.table(
            "Differences of accuracy in percentage points. The interval and p are of the pair "
            "alone; Holm's p is corrected for the number of pairs.",
            head,
            lines,
        )

    def classes(self, row: Row) -> str:
        body = [
            (c.name, _percent(c.recall), _percent(c.precision), f"{c.support:,}")
            for c in self.result.classes(row)
        ]
        return self.table(
            f"{row.name}: each class, counted over all seeds.",
            ("class", "recall", "precision", "images"),
            body,
        )

    def confusion(self, row: Row) -> str:
        names: Sequence[str] = self.result.data["classes"]
        counts = self.result.confusion(row)
        if len(names) > MOST_CLASSES:
            wrong = sorted(
                (
                    (number, names[t], names[a])
                    for t, line in enumerate(counts)
                    for a, number in enumerate(line)
                    if number and t != a
                ),
                key=lambda cell: -cell[0],
            )[:MOST_CLASSES]
            return self.table(
                f"{row.name}: what is confused most, counted over all seeds.",
                ("true class", "answer", "images"),
                [(truth, answer, f"{number:,}") for number, truth, answer in wrong],
            )
        lines = []
        for t, line in enumerate(counts):
            cells = "".join(
                f'<td style="background: color-mix(in srgb, '
                f"var(--ll-{'conv' if t == a else 'pool'}) "
                f'{SHADE * number / max(1, sum(line)):.0f}%, var(--ll-paper))">{number:,}</td>'
                for a, number in enumerate(line)
            )
            lines.append(f'<tr><th scope="row">{escape(names[t])}</th>{cells}</tr>')
        return self.frame(
            f"{row.name}: confusion matrix over all seeds. A line for each true class, a column "
            "for each answer; right answers stand on the diagonal.",
            ("true class", *names),
            "\n".join(lines),
        )

    def runs(self) -> str:
        body = [
            (
                row.name,
                str(run.seed),
                _percent(run.val_accuracy),
                f"{run.train_seconds:.1f} s",
                f"{run.warmup_seconds:.1f} s",
                f"{run.images_per_second:.1f}",
                "–" if run.peak_memory is None else f"{run.peak_memory / 2**30:.2f} GiB",
                "–" if run.energy_joules is None else f"{run.energy_joules / 1000:.2f} kJ",
                _form(run),
                run.device,
            )
            for row in self.result.rows
            for run in row.runs
        ]
        costs = ("training", "warm-up", "images/s", "peak memory", "energy")
        head = ("network", "seed", "accuracy", *costs, "form", "device")
        return self.table("Each run. Warm-up is not part of the time.", head, body)

    def settings(self, row: Row) -> str:
        body: list[tuple[str, Any]] = [
            ("weights", row.weights_file or row.weights),
            ("SHA-256 of the weights", row.sha256 or "–"),
            ("fingerprint of the images", row.fingerprint or "–"),
            *((key, "–" if value is None else str(value)) for key, value in row.recipe.items()),
        ]
        return self.table(
            f"What decides the runs of {row.name}, but for the seed.",
            ("what", "value"),
            body,
            words=True,
        )

    def table(
        self,
        caption: str,
        head: Sequence[str],
        body: Sequence[Sequence[str]],
        *,
        words: bool = False,
    ) -> str:
        lines = (
            f'<tr><th scope="row">{escape(first)}</th>'
            + "".join(f"<td{_hash(cell)}>{escape(cell)}</td>" for cell in cells)
            + "</tr>"
            for first, *cells in body
        )
        return self.frame(caption, head, "\n".join(lines), words=words)

    def frame(self, caption: str, head: Sequence[str], lines: str, *, words: bool = False) -> str:
        """A table that scrolls on a narrow screen, by keyboard too."""
        label = f"table-{next(self.ids)}"
        columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
        return (
            f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{label}">\n'
            + ('<table class="words">\n' if words else "<table>\n")
            + f'<caption id="{label}">{escape(caption)}</caption>\n'
            f"<thead><tr>{columns}</tr></thead>\n<tbody>\n{lines}\n</tbody>\n</table>\n</div>"
        )


def _figure(svg: str, words: str) -> str:
    return f"<figure>\n{svg}<figcaption>{escape(words)}</figcaption>\n</figure>"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"


def _form(run: History) -> str:
    return str(
        Form(precision=run.precision, memory_format=run.memory_format, compiled=run.compiled)
    )


def _hash(cell: str) -> str:
    return ' class="hash"' if len(cell) == 64 and cell.isalnum() else ""
