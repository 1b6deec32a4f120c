"""The one visual language of the figures: SVG that takes its colours from the page.

Colour goes by the kind of operation (``--ll-conv``, ``--ll-pool``, ``--ll-dense``, …, set in
the site's style sheet for the light and for the dark scheme, with a pale twin ``-soft`` for
areas), width by channels, height by resolution.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import BytesIO
from math import hypot

from PIL import Image

__all__ = ["KIND_COLOUR", "Drawing"]

# Fallbacks after the comma serve a reader who opens the file without the site's style sheet.
KIND_COLOUR = {
    "input": "var(--ll-input, #57606a)",
    "conv": "var(--ll-conv, #1f5fbf)",
    "pool": "var(--ll-pool, #a3540b)",
    "dense": "var(--ll-dense, #0f766e)",
    "output": "var(--ll-output, #a1245d)",
    "act": "var(--ll-act, #6d4bb5)",
    "norm": "var(--ll-norm, #4d6a1d)",
    "ink": "var(--ll-ink, #1c2128)",
    "muted": "var(--ll-muted, #57606a)",
    "line": "var(--ll-line, #c9ced6)",
    "paper": "var(--ll-paper, #ffffff)",
}


def colour(name: str) -> str:
    """The CSS colour of a kind of operation, or of its pale twin (``conv-soft``)."""
    if name in KIND_COLOUR:
        return KIND_COLOUR[name]
    return f"var(--ll-{name}, #e8ecf2)" if name.endswith("-soft") else name


class Drawing:
    """An SVG in the making.

    Args:
        name: File name without ending; its ids start with it.
        width: In units of the view box; text of 13 units reads well on a desktop.
        height: Height of the picture, in the same unit.
        title: What the picture is, for a screen reader.
        description: What the picture shows, in words that replace it.
    """

    def __init__(
        self, name: str, *, width: float, height: float, title: str, description: str
    ) -> None:
        self._name = name
        self._masks = 0
        self._linked = False
        self._head = (
            f'<svg class="ll-svg" viewBox="0 0 {width:g} {height:g}" role="img" '
            f'aria-labelledby="{name}-title {name}-desc" xmlns="http://www.w3.org/2000/svg" '
            f'style="--ll-natural-width: {width:g}px">\n'
            f'<title id="{name}-title">{escape(title)}</title>\n'
            f'<desc id="{name}-desc">{escape(description)}</desc>\n'
        )
        self._body: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "none",
        stroke: str = "none",
        stroke_width: float = 1.2,
        radius: float = 0,
        dash: str = "",
    ) -> None:
        """A rectangle; ``fill`` and ``stroke`` are names of `KIND_COLOUR` or CSS colours."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        rounded = f' rx="{radius:g}"' if radius else ""
        outline = (
            f' stroke="{colour(stroke)}" stroke-width="{stroke_width:g}"{dashed}'
            if stroke != "none"
            else ""
        )
        self._body.append(
            f'<rect x="{x:.5g}" y="{y:.5g}" width="{width:.5g}" height="{height:.5g}"{rounded} '
            f'fill="{colour(fill)}"{outline}/>'
        )

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        stroke: str = "line",
        stroke_width: float = 1.2,
        dash: str = "",
    ) -> None:
        """A straight line."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._body.append(
            f'<line x1="{x1:.5g}" y1="{y1:.5g}" x2="{x2:.5g}" y2="{y2:.5g}" '
            f'stroke="{colour(stroke)}" stroke-width="{stroke_width:g}"{dashed}/>'
        )

    def circle(self, x: float, y: float, radius: float, *, fill: str, stroke: str = "none") -> None:
        """A disc."""
        outline = f' stroke="{colour(stroke)}" stroke-width="1.5"' if stroke != "none" else ""
        self._body.append(
            f'<circle cx="{x:.5g}" cy="{y:.5g}" r="{radius:.4g}" fill="{colour(fill)}"{outline}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        fill: str = "ink",
        size: float = 13,
        anchor: str = "start",
        weight: int = 400,
    ) -> None:
        """A line of text, its baseline at ``y``."""
        bold = f' font-weight="{weight}"' if weight != 400 else ""
        self._body.append(
            f'<text x="{x:.5g}" y="{y:.5g}" font-size="{size:g}" text-anchor="{anchor}"{bold} '
            f'fill="{colour(fill)}">{escape(words, quote=False)}</text>'
        )

    def picture(
        self,
        x: float,
        y: float,
        cell: float,
        levels: Sequence[Sequence[float]],
        *,
        ink: str = "ink",
        frame: str = "line",
    ) -> None:
        """A small picture of levels from 0 (paper) to 1 (ink), each cell a sharp square.

        The levels are a mask over a flat colour: a few hundred bytes, right in both schemes.
        """
        height, width = len(levels), len(levels[0])
        pixels = bytes(round(255 * min(max(v, 0.0), 1.0)) for line in levels for v in line)
        file = BytesIO()
        Image.frombytes("L", (width, height), pixels).save(file, "PNG", optimize=True)
        data = b64encode(file.getvalue()).decode()
        place = f'x="{x:.5g}" y="{y:.5g}" width="{width * cell:.5g}" height="{height * cell:.5g}"'
        self._masks += 1
        mask = f"{self._name}-mask-{self._masks}"
        self._body.append(
            f'<mask id="{mask}"><image {place} href="data:image/png;base64,{data}" '
            f'style="image-rendering:pixelated"/></mask>\n'
            f'<rect {place} fill="{colour(ink)}" mask="url(#{mask})"/>'
        )
        if frame != "none":
            self.rect(x, y, width * cell, height * cell, stroke=frame)

    def arrow(
        self,
        points: Sequence[tuple[float, float]],
        *,
        stroke: str = "muted",
        stroke_width: float = 1.4,
        dash: str = "",
        head: bool = True,
    ) -> None:
        """A line through all points, with an arrow's head at the last; for data that flow."""
        path = " ".join(f"{x:.5g},{y:.5g}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._body.append(
            f'<polyline points="{path}" fill="none" stroke="{colour(stroke)}" '
            f'stroke-width="{stroke_width:g}" stroke-linejoin="round"{dashed}/>'
        )
        if head:
            (x1, y1), (x2, y2) = points[-2], points[-1]
            length = hypot(x2 - x1, y2 - y1)
            ux, uy = (x2 - x1) / length, (y2 - y1) / length
            left = (x2 - 7 * ux - 3.5 * uy, y2 - 7 * uy + 3.5 * ux)
            right = (x2 - 7 * ux + 3.5 * uy, y2 - 7 * uy - 3.5 * ux)
            corners = " ".join(f"{x:.5g},{y:.5g}" for x, y in ((x2, y2), left, right))
            self._body.append(f'<polygon points="{corners}" fill="{colour(stroke)}"/>')

    def box(
        self, x: float, y: float, width: float, height: float, words: Sequence[str], kind: str
    ) -> None:
        """A layer in a block diagram: its colour by the kind of operation, its words inside.

        The first line of `words` is bold.
        """
        self.rect(x, y, width, height, fill=f"{kind}-soft", stroke=kind, radius=4)
        first = y + height / 2 - 8 * (len(words) - 1) + 4.5
        for index, line in enumerate(words):
            self.text(
                x + width / 2,
                first + 16 * index,
                line,
                anchor="middle",
                size=12.5 - index,
                weight=400 if index else 650,
                fill="muted" if index else "ink",
            )

    @contextmanager
    def group(self, **attributes: str) -> Iterator[None]:
        """What is drawn inside belongs together; ``data_key`` becomes ``data-key``."""
        self._body.append(f"<g{_attributes(attributes)}>")
        yield
        self._body.append("</g>")

    @contextmanager
    def link(self, href: str, words: str, **attributes: str) -> Iterator[None]:
        """What is drawn inside leads to a page; `words` is its accessible name.

        A picture with links is no image to a screen reader, which would hide them, but a group.
        """
        self._linked = True
        name = f' href="{escape(href)}" aria-label="{escape(words)}"'
        self._body.append(f"<a{name}{_attributes(attributes)}>")
        yield
        self._body.append("</a>")

    def tip(self, words: str) -> None:
        """Words that a pointer brings up, for the group that is being drawn."""
        self._body.append(f"<title>{escape(words)}</title>")

    def photo(self, x: float, y: float, width: float, image: Image.Image) -> None:
        """A photograph as a WebP inside the file; its height follows from its form."""
        file = BytesIO()
        image.convert("RGB").save(file, "WEBP", quality=66, method=6)
        data = b64encode(file.getvalue()).decode()
        self._body.append(
            f'<image x="{x:.5g}" y="{y:.5g}" width="{width:.5g}" '
            f'height="{width * image.height / image.width:.5g}" '
            f'href="data:image/webp;base64,{data}"/>'
        )

    def svg(self) -> str:
        """The finished file. No blank line: Markdown would end the block there."""
        head = self._head.replace('role="img"', 'role="group"', 1) if self._linked else self._head
        return head + "\n".join(self._body) + "\n</svg>\n"


def _attributes(attributes: dict[str, str]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
    )
