"""A page as any other reader of Markdown understands it: for notebooks and llms-full.txt.

`pieces` splits a page into prose and the fences that run. In the prose, what only this site can
show (figures, forms, quizzes) becomes a line that says where to see it; included tables, notes,
boxes and formulas become plain Markdown. Standard library only.
"""

import posixpath
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^\n]*)$")
BOX = re.compile(r'^(?P<mark>!!!|\?\?\?\+?) (?P<kind>\w+)(?: "(?P<title>[^"]*)")?$')
INCLUDE = re.compile(r'^--8<-- "(?P<path>[^":]+)(?::(?P<section>[\w-]+))?"$')
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<to>[^)\s]+)\)(?:\{[^}]*\})?")
API = re.compile(r"\[(?P<text>`[^`]+`|[^\]\[]+)\]\[(?P<to>[\w.]*)\]")
NOTE = re.compile(r"^\[\^(?P<name>[^\]]+)\]:[ \t]*(?P<text>.*)$", re.MULTILINE)
# Block markup that frames Markdown: the frame goes, the text stays.
FRAME = re.compile(r"</?(?:div|section|p|summary|details|dfn|abbr)\b[^>]*>")
# A part that scripts bring to life, and what such a part is known by.
PART = re.compile(r'^<(div|section|form) [^>]*(?:id="ll-|class="ll-draw)[^>]*>', re.MULTILINE)
LIVELY = re.compile(r"<(?:form|canvas|button|input|select|svg)\b")
ON_PAGE = "*[This part is on the page.]({page})*"


@dataclass(frozen=True)
class Piece:
    """A stretch of prose, or a fence that runs with what it prints."""

    text: str
    code: bool = False
    output: str = ""
    folded: bool = False  # a solution: shown folded where that is possible


@dataclass(frozen=True)
class Place:
    """Where a page stands: its address, its sources, and how its links are resolved."""

    page: str
    docs: Path
    root: Path
    resolve: Callable[[str], str]


def place_of(page: Any, config: Any, files: Any) -> Place:
    """Where a page stands; its links are resolved against the site's pages."""
    address = urljoin(config["site_url"] or "", page.url)
    folder = posixpath.dirname(page.file.src_uri)

    def resolve(link: str) -> str:
        path, _, anchor = link.partition("#")
        if not path or "://" in path:
            return f"{address}{link}" if not path else link
        file = files.get_file_from_path(posixpath.normpath(posixpath.join(folder, path)))
        there = urljoin(config["site_url"] or "", file.url) if file else urljoin(address, path)
        return there + (f"#{anchor}" if anchor else "")

    docs = Path(config["docs_dir"])
    return Place(address, docs, Path(config["config_file_path"]).parent, resolve)


def front_matter_removed(text: str) -> str:
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)


def included(path: str, section: str | None, place: Place) -> str:
    """The text of an include, from the pages' folder or the repository's root."""
    file = next(f for f in (place.docs / path, place.root / path) if f.is_file())
    text = file.read_text(encoding="utf-8")
    if section:
        marks = rf"\[start:{section}\][^\n]*\n(.*?)\n[^\n]*\[end:{section}\]"
        text = re.search(marks, text, re.DOTALL)[1]
    return textwrap.dedent(text).strip("\n")


def pieces(text: str, place: Place) -> list[Piece]:
    """The page's prose and its runnable fences, in their order.

    Args:
        text: The page's Markdown as it stands in its file.
        place: Where the page stands.
    """
    text = re.sub(r"<!--.*?-->", "", front_matter_removed(text), flags=re.DOTALL)
    text, notes = _without_notes(text)
    found = _read(text.splitlines(), place, folded=False)
    if notes:
        lines = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
        found.append(Piece("## References\n\n" + "\n".join(lines)))
    shown = []
    for piece in _joined(found):
        if piece.code:
            shown.append(piece)
        elif prose := _prose(piece.text, place):
            shown.append(Piece(prose))
    return shown


def _without_notes(text: str) -> tuple[str, list[str]]:
    """Footnotes as numbers, in the order of their first use; their texts as a list."""
    texts = {m["name"]: m["text"] for m in NOTE.finditer(text)}
    text = NOTE.sub("", text)
    order: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] not in order:
            order.append(match[1])
        return f"<sup>{order.index(match[1]) + 1}</sup>"

    text = re.sub(r"\[\^([^\]]+)\]", number, text)
    return text, [texts[name] for name in order]


def _read(lines: list[str], place: Place, *, folded: bool) -> list[Piece]:
    """Splits lines at the margin; a box is read as a text of its own."""
    found: list[Piece] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if opening := FENCE.match(line):
            close = next(
                i for i in range(number + 1, len(lines)) if lines[i].rstrip() == opening["fence"]
            )
            _add_fence(found, opening, lines[number + 1 : close], place, folded=folded)
            number = close + 1
        elif box := BOX.match(line):
            end = number + 1
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ")):
                end += 1
            inner = [line.removeprefix("    ") for line in lines[number + 1 : end]]
            title = box["title"] or box["kind"].capitalize()
            parts = _read(inner, place, folded=box["mark"] != "!!!")
            if box["mark"] != "!!!" and not any(part.code for part in parts):
                whole = "\n\n".join(part.text.strip() for part in parts)
                folding = f"\n<details><summary>{title}</summary>\n\n{whole}\n\n</details>\n"
                found.append(Piece(folding))
            else:
                found += [Piece(f"\n**{title}**\n"), *parts]
            number = end
        else:
            found.append(Piece(line))
            number += 1
    return found


def _add_fence(
    found: list[Piece], opening: re.Match[str], body: list[str], place: Place, *, folded: bool
) -> None:
    info, text = opening["info"].strip(), "\n".join(body)
    if ".output" in info:
        last = max((i for i, piece in enumerate(found) if piece.code), default=None)
        if last is not None and not any(p.text.strip() for p in found[last + 1 :]):
            found[last] = Piece(found[last].text, True, text, found[last].folded)
            return
    shown = INCLUDE.match(text.strip())
    language = re.match(r"\{?[ \t]*\.?([\w-]+)", info)
    name = language[1] if language else "text"
    if name == "python" and not shown and ".skip" not in info:
        found.append(Piece(text, code=True, folded=folded))
        return
    if shown:
        text = "\n".join(
            included(m["path"], m["section"], place)
            for m in map(INCLUDE.match, filter(str.strip, body))
            if m is not None
        )
        title = re.search(r'title="([^"]*)"', info)
        if title:
            found.append(Piece(f"\nFrom `{title[1].split(',')[0]}`:"))
    found.append(Piece(f"\n{opening['fence']}{name}\n{text}\n{opening['fence']}\n"))


def _joined(found: list[Piece]) -> list[Piece]:
    """Neighbouring prose as one piece."""
    joined: list[Piece] = []
    for piece in found:
        if joined and not piece.code and not joined[-1].code:
            joined[-1] = Piece(joined[-1].text + "\n" + piece.text)
        else:
            joined.append(piece)
    return joined


def _prose(text: str, place: Place) -> str:
    """Prose without what only this site understands. Fences in it stay as they are."""
    parts = re.split(r"^(`{3,}[^\n]*\n.*?^`{3,})$", text, flags=re.MULTILINE | re.DOTALL)
    for index in range(0, len(parts), 2):
        parts[index] = _words(parts[index], place)
    return re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()


def _words(text: str, place: Place) -> str:
    text = re.sub(r"^[ ]*· ", "", text, flags=re.MULTILINE)  # the reading time stood before it
    text = re.sub(r"<(script|style|noscript)\b.*?</\1>|<link\b[^>]*>", "", text, flags=re.DOTALL)
    text = _without_lively_parts(text, place)
    text = re.sub(r"<figure\b.*?</figure>", lambda m: _figure(m[0], place), text, flags=re.DOTALL)
    text = re.sub(INCLUDE.pattern, lambda m: _table(m, place), text, flags=re.MULTILINE)
    folds = re.findall(r"<details><summary>.*?</summary>|</details>", text)
    for index, fold in enumerate(folds):
        text = text.replace(fold, f"\0{index}\0", 1)
    text = FRAME.sub("", text)
    for index, fold in enumerate(folds):
        text = text.replace(f"\0{index}\0", fold, 1)
    text = re.sub(r"\\\((.+?)\\\)", r"$\1$", text, flags=re.DOTALL)
    text = API.sub(lambda m: m["text"], text)
    return LINK.sub(lambda m: f"[{m['text']}]({place.resolve(m['to'])})", text)


def _without_lively_parts(text: str, place: Place) -> str:
    """Without what works on the page only: a line says where it is."""
    start = 0
    while opening := PART.search(text, start):
        depth, end = 0, len(text)
        for tag in re.finditer(rf"<(/?){opening[1]}\b", text[opening.start() :]):
            depth += -1 if tag[1] else 1
            if depth == 0:
                end = text.index(">", opening.start() + tag.start()) + 1
                break
        start = opening.end()
        if LIVELY.search(text, opening.start(), end):
            text = text[: opening.start()] + ON_PAGE.format(page=place.page) + text[end:]
    return re.sub(r"<button\b.*?</button>\n*", "", text, flags=re.DOTALL)


def _figure(markup: str, place: Place) -> str:
    caption = re.search(r"<figcaption>(.*?)</figcaption>", markup, re.DOTALL)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", caption[1])).strip() if caption else ""
    return f"> [Figure, on the page]({place.page}). {words}".rstrip()


def _table(match: re.Match[str], place: Place) -> str:
    """An included table or text; anything of markup is on the page."""
    text = included(match["path"], match["section"], place)
    if match["path"].endswith(".md") and not text.lstrip().startswith("<"):
        return text
    return ON_PAGE.format(page=place.page)
