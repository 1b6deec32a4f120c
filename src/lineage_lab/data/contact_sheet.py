"""A look at a data set as one HTML file: counts, contact sheets, twins, and what is left out.

The file needs nothing else, no script and no network. Few pictures of each class are in it, small,
so that its size does not grow with the set.
"""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

from lineage_lab.data.checking import Examination
from lineage_lab.data.decoding import Reading, Unreadable, inspect
from lineage_lab.data.kinds import shown
from lineage_lab.data.listing import in_words

__all__ = ["contact_sheet"]

SIDE = 96  # pixels
A_CLASS, PAIRS, ODD, CLASSES = 12, 12, 24, 200

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
li { overflow-wrap: anywhere; margin: .2rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-top: 1px solid #8886; }
th:first-child { text-align: left; overflow-wrap: anywhere; }
.sheet { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 0; list-style: none; }
.sheet figure { margin: 0; width: 96px; }
.pair { display: flex; gap: .5rem; padding: .3rem; border: 1px solid #8886; }
img { display: block; width: 96px; height: 96px; object-fit: contain; background: #8882; }
figcaption { font-size: .7rem; line-height: 1.25; overflow-wrap: anywhere; }
"""


def contact_sheet(found: Examination) -> str:
    """The page of a look at a data set.

    Args:
        found: The look.

    Returns:
        The file's text.
    """
    report = found.report
    title = f"{report.folder}: a look at its images"
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
            f"<h1>{escape(title)}</h1>",
            *_sections(found),
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )


def _sections(found: Examination) -> Iterable[str]:
    report, listing = found.report, found.listing
    reading = listing.reading
    total = sum(sum(numbers) for _, numbers in report.counts)
    yield f"<p>{total:,} images in {len(report.counts):,} classes.</p>"
    problems = in_words(report.problems)
    yield from _lines("Problems: mend these first", problems)
    yield from _lines("Left out, and why", report.left_out)
    yield from _lines("To know", report.notes)
    yield "<h2>Counts</h2>"
    parts = report.parts or ("images",)
    head = "".join(f'<th scope="col">{escape(part)}</th>' for part in parts)
    yield f'<table>\n<thead><tr><th scope="col">class</th>{head}</tr></thead>\n<tbody>'
    for name, numbers in report.counts:
        cells = "".join(f"<td>{number:,}</td>" for number in numbers)
        yield f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'
    yield "</tbody>\n</table>"
    for twins in found.twins:
        yield f"<h2>{escape(twins.words.split(':')[0])}</h2>"
        yield '<div class="sheet">'
        for pair in twins.pairs[:PAIRS]:
            yield '<div class="pair">'
            yield from (_figure(path, report.folder, reading) for path in pair)
            yield "</div>"
        yield "</div>"
    if found.odd:
        yield "<h2>Far from the rest</h2>"
        yield from _sheet([path for path, _ in found.odd[:ODD]], report.folder, reading,
                          [words for _, words in found.odd[:ODD]])  # fmt: skip
    yield "<h2>Class by class</h2>"
    by_class: dict[int, list[Path]] = {}
    for file, label in zip(listing.files, listing.labels, strict=True):
        by_class.setdefault(label, []).append(file)
    for label, name in list(enumerate(listing.classes))[:CLASSES]:
        files = by_class.get(label, [])
        yield f"<h3>{escape(name)} ({len(files):,})</h3>"
        step = max(1, len(files) // A_CLASS)
        yield from _sheet(files[::step][:A_CLASS], report.folder, reading)
    if len(listing.classes) > CLASSES:
        yield f"<p>{len(listing.classes) - CLASSES:,} more classes are not shown.</p>"


def _lines(title: str, lines: Sequence[str]) -> Iterable[str]:
    if lines:
        yield f"<h2>{title}</h2>"
        yield "<ul>"
        yield from (f"<li>{escape(line)}</li>" for line in lines)
        yield "</ul>"


def _sheet(
    files: Sequence[Path], folder: Path, reading: Reading, words: Sequence[str] = ()
) -> Iterable[str]:
    yield '<div class="sheet">'
    for place, path in enumerate(files):
        yield _figure(path, folder, reading, words[place] if words else "")
    yield "</div>"


def _figure(path: Path, folder: Path, reading: Reading, words: str = "") -> str:
    name = shown(path.relative_to(folder) if path.is_relative_to(folder) else path)
    caption = escape(f"{name}: {words}" if words else name)
    try:
        image, _ = inspect(path, size=SIDE, mode="RGB", reading=reading)
    except Unreadable:
        return f"<figure><figcaption>{caption}: can't be read</figcaption></figure>"
    file = io.BytesIO()
    ImageOps.contain(image, (SIDE, SIDE), Image.Resampling.BILINEAR).save(file, "jpeg", quality=80)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{escape(name)}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
