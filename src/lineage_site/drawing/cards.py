"""The picture that other sites show beside a link to a page.

Drawn by Pillow with the site's own font: no service is asked. A card is kept in a folder under a
hash of its words and of this file, so that a build draws what has changed.
"""

import functools
import hashlib
import io
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFont

SIZE = (1200, 630)
MARGIN = 84
PAPER, INK, MUTED, LINE, ACCENT = "#fffdf9", "#1c2128", "#57606a", "#c9c4b8", "#1f5fbf"
FONT = "assets/fonts/source-serif-4-latin-wght-normal.woff2"
FIRST, LAST = 1998, 2022
YEAR = re.compile(r"\((\d{4})\)$")


@functools.cache
def font(docs: str, size: int, weight: int) -> ImageFont.FreeTypeFont:
    """The site's font; `docs` is the pages' folder."""
    face = ImageFont.truetype(str(Path(docs) / FONT), size)
    face.set_variation_by_axes([weight])
    return face


def draw(title: str, description: str, years: dict[str, int], *, docs: str, site: str) -> bytes:
    """One card: the title, what the page is, and the lineage's years with the page's own marked.

    Args:
        title: The page's title; "(1998)" at its end is a chapter's year.
        description: What the page is, cut after three lines.
        years: Every chapter's name and year.
        docs: The pages' folder, for the font.
        site: The site's name.
    """
    image = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(image)
    year = years_of([title]).get(title)
    name = title.removesuffix(f" ({year})")
    width = SIZE[0] - 2 * MARGIN

    pen.text((MARGIN, 62), site, font=font(docs, 34, 600), fill=MUTED)
    if year:
        thin = font(docs, 34, 400)
        pen.text((SIZE[0] - MARGIN, 62), str(year), font=thin, fill=MUTED, anchor="ra")
    pen.line((MARGIN, 122, SIZE[0] - MARGIN, 122), fill=INK, width=2)

    size = 92
    while size > 48 and len(lines(name, font(docs, size, 640), width)) > 2:
        size -= 4
    top = 158.0
    for line in lines(name, font(docs, size, 640), width)[:3]:
        pen.text((MARGIN, top), line, font=font(docs, size, 640), fill=INK)
        top += size * 1.12
    top += 22
    body = font(docs, 33, 400)
    body_lines = lines(description, body, width)
    room = max(1, min(len(body_lines), int((SIZE[1] - 130 - top) // 44), 4))
    if len(body_lines) > room:
        short = textwrap.shorten(" ".join(body_lines[:room]), 400, placeholder="")
        while len(lines(f"{short} …", body, width)) > room:
            short = short.rpartition(" ")[0]
        body_lines = lines(f"{short.rstrip(',;:')} …", body, width)
    for line in body_lines[:room]:
        pen.text((MARGIN, top), line, font=body, fill=MUTED)
        top += 44

    base = SIZE[1] - 78
    pen.line((MARGIN, base, SIZE[0] - MARGIN, base), fill=LINE, width=2)
    for other, when in years.items():
        x = MARGIN + (when - FIRST) / (LAST - FIRST) * width
        own = other == title
        radius = 13 if own else 7
        box = (x - radius, base - radius, x + radius, base + radius)
        pen.ellipse(box, fill=ACCENT if own else PAPER, outline=ACCENT if own else MUTED, width=3)
    small = font(docs, 24, 400)
    pen.text((MARGIN, base + 22), str(FIRST), font=small, fill=MUTED)
    pen.text((SIZE[0] - MARGIN, base + 22), str(LAST), font=small, fill=MUTED, anchor="ra")
    file = io.BytesIO()
    colours = image.quantize(palette=palette(), dither=Image.Dither.NONE)
    colours.save(file, "PNG", optimize=True)
    return file.getvalue()


@functools.cache
def palette() -> Image.Image:
    """The card's colours with their steps towards paper, which smooth a letter's edge."""
    paper = ImageColor.getrgb(PAPER)[:3]
    steps: list[tuple[int, ...]] = [paper]
    for colour, count in ((INK, 11), (MUTED, 10), (ACCENT, 10), (LINE, 1)):
        full = ImageColor.getrgb(colour)[:3]
        steps += [
            tuple(round(p + (c - p) * step / count) for p, c in zip(paper, full, strict=True))
            for step in range(1, count + 1)
        ]
    image = Image.new("P", (1, 1))
    image.putpalette([part for step in steps for part in step])
    return image


def lines(text: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    """The text broken at blanks so that each line fits."""
    broken = [""]
    for word in text.split():
        longer = f"{broken[-1]} {word}".strip()
        if face.getlength(longer) > width and broken[-1]:
            broken.append(word)
        else:
            broken[-1] = longer
    return broken


def card(
    title: str, description: str, years: dict[str, int], *, docs: str, site: str, cache: Path
) -> bytes:
    """The PNG of these words as `draw` makes it, from the cache if it is there."""
    words = (title, description, years, site)
    key = hashlib.sha256(Path(__file__).read_bytes() + repr(words).encode()).hexdigest()[:24]
    file = cache / f"{key}.png"
    if not file.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        file.write_bytes(draw(title, description, years, docs=docs, site=site))
    return file.read_bytes()


def years_of(titles: Iterable[str]) -> dict[str, int]:
    """The year at the end of each title that has one, such as "LeNet-5 (1998)"."""
    return {title: int(year[1]) for title in titles if (year := YEAR.search(title))}
