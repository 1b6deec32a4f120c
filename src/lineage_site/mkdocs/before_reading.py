"""What one pass over a page's Markdown yields: its pieces, its reading time, what it has to do.

`read` walks a page's lines once, over the blocks that `before_fences` finds. Notebooks and
llms-full.txt are made of the pieces: prose and the fences that run. In the prose, what only this
site can show (figures, forms, quizzes) becomes a line that says where to see it; included tables,
notes, boxes and formulas become plain Markdown. Standard library only.
"""

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lineage_site.mkdocs.before_fences import (
    INCLUDE,
    Block,
    Info,
    find_blocks,
    parse_info,
    section_of,
)

BOX = re.compile(r'^(?P<mark>!!!|\?\?\?\+?) (?P<kind>\w+)(?: "(?P<title>[^"]*)")?$')
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<to>[^)\s]+)\)(?:\{[^}]*\})?")
API = re.compile(r"\[(?P<text>`[^`]+`|[^\]\[]+)\]\[(?P<to>[\w.]*)\]")
# What the API's pages are made of is in the docstrings.
API_ENTRY = re.compile(r"^::: (\S+)(?:\n    .*)*", re.MULTILINE)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
REFERENCE = re.compile(r"`[^`\n]*`|\[\^([^\]]+)\]")
NOTE = re.compile(r"^\[\^(?P<name>[^\]]+)\]:[ \t]*(?P<text>.*)$", re.MULTILINE)
# Block markup that frames Markdown: the frame goes, the text stays.
FRAME = re.compile(r"</?(?:div|section|p|summary|details|dfn|abbr)\b[^>]*>")
# A part that scripts bring to life, and what such a part is known by.
PART = re.compile(r'^<(div|section|form) [^>]*(?:id="ll-|class="ll-draw)[^>]*>', re.MULTILINE)
LIVELY = re.compile(r"<(?:form|canvas|button|input|select|svg)\b")
ON_PAGE = "*[This part is on the page.]({page})*"
# Folded boxes that the reading time leaves out, and what it reckons with.
FOLDED = ("success", "tip", "example")
WORDS, LINES, FIGURES = 200, 30, 6  # a minute
# Notes, includes and tags; the `<` of an include is none that begins a tag.
UNREAD = re.compile(r"^\[\^[^\n]*$|^[ \t]*--8<--[^\n]*$|</?[a-zA-Z!][^>]*>", re.MULTILINE)
FIGURE = '<figure class="ll-figure"'
# What a reader can do, beside copying a snippet.
QUESTION = '<section class="ll-question"'
EXERCISES, EXERCISE = re.compile(r"## Exercises\b"), re.compile(r"\*\*\d+\. ")
INCLUDE_LINE = re.compile(rf"^{INCLUDE.pattern}$", re.MULTILINE)
NO_INFO = Info("text", (), {})


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


@dataclass(frozen=True)
class Reading:
    """A page, read.

    Attributes:
        pieces: Prose and fences that run, in their order, as any reader of Markdown has them.
        minutes: Time that the page takes, in whole minutes, one at least. Prose is read at 200
            words a minute, code and output at 30 lines a minute; a figure takes ten seconds.
            Folded solutions are not counted.
        snippets: Number of code blocks that are no output.
        questions: Number of the quiz's questions.
        exercises: Number of exercises.
    """

    pieces: tuple[Piece, ...]
    minutes: int
    snippets: int
    questions: int
    exercises: int

    @property
    def runs(self) -> bool:
        """Whether the page has a fence that runs."""
        return any(piece.code for piece in self.pieces)


def read(text: str, place: Place) -> Reading:
    """Reads a page.

    Args:
        text: The page's Markdown as it stands in its file.
        place: Where the page stands.
    """
    walk = _Walk(text, place)
    front = re.match(r"---\n.*?\n---\n", text, re.DOTALL)
    walk.through(text.count("\n", 0, front.end()) if front else 0, len(walk.lines))
    prose = "".join(walk.prose)
    minutes = (
        len(UNREAD.sub("", prose).split()) / WORDS
        + walk.code_lines / LINES
        + prose.count(FIGURE) / FIGURES
    )
    return Reading(
        pieces=tuple(_plain(walk.pieces, place)),
        minutes=max(1, round(minutes)),
        snippets=walk.snippets,
        questions=walk.questions,
        exercises=walk.exercises,
    )


def included(path: str, section: str | None, place: Place) -> str:
    """The text of an include, from the pages' folder or the repository's root."""
    file = next(f for f in (place.docs / path, place.root / path) if f.is_file())
    text = file.read_text(encoding="utf-8")
    if section and (lines := section_of(text, section)) is not None:
        text = lines
    return textwrap.dedent(text).strip("\n")


def _info(block: Block) -> Info:
    return parse_info(block.info.strip()) or NO_INFO


@dataclass
class _Walk:
    """The one pass: pieces as they stand in the page, and what is counted on the way."""

    text: str
    place: Place
    pieces: list[Piece] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)  # what is read, line by line
    code_lines: int = 0
    snippets: int = 0
    questions: int = 0
    exercises: int = 0
    in_exercises: bool = False

    def __post_init__(self) -> None:
        self.lines = self.text.splitlines()
        self.blocks = {block.line - 1: block for block in find_blocks(self.text)[0]}

    def through(
        self,
        number: int,
        stop: int,
        *,
        indent: str = "",
        folded: bool = False,
        unread: bool = False,
    ) -> None:
        """Goes through lines of one indentation; a box is gone through as a text of its own."""
        blank = True
        while number < stop:
            if block := self.blocks.get(number):
                self._count_fence(block, unread=unread)
                if block.indent == indent:
                    self._add_fence(block, folded=folded)
                else:
                    block_lines = self.lines[number : block.last_line]
                    self.pieces += [Piece(line.removeprefix(indent)) for line in block_lines]
                number, blank = block.last_line, False
                continue
            line = self.lines[number].removeprefix(indent)
            box = BOX.match(line)
            unread_box = bool(box and box["mark"] == "???" and box["kind"] in FOLDED)
            if not (unread or unread_box):
                self.prose.append(f"{line}\n")
            self._count_line(line, after_blank=blank)
            blank = not line.strip()
            number += 1
            if box is None:
                self.pieces.append(Piece(line))
                continue
            inner, end = f"{indent}    ", number
            while end < stop and (not self.lines[end].strip() or self.lines[end].startswith(inner)):
                end += 1
            outside, self.pieces = self.pieces, []
            self.through(
                number,
                end,
                indent=inner,
                folded=box["mark"] != "!!!",
                unread=unread or unread_box,
            )
            self.pieces = outside + _boxed(box, self.pieces)
            number, blank = end, True

    def _count_fence(self, block: Block, *, unread: bool) -> None:
        if not unread:
            self.code_lines += len(block.body.strip().splitlines())
        self.snippets += "output" not in _info(block).classes

    def _count_line(self, line: str, *, after_blank: bool) -> None:
        """What there is to do in a line of prose, or in what it includes."""
        if EXERCISES.match(line):
            self.in_exercises = True
        self.exercises += self.in_exercises and after_blank and bool(EXERCISE.match(line))
        include = INCLUDE.fullmatch(line.strip())
        text = included(include["path"], include["section"], self.place) if include else line
        self.questions += text.count(QUESTION)
        if include and include["path"].endswith(".md"):
            blocks, _ = find_blocks(text)
            self.snippets += sum("output" not in _info(block).classes for block in blocks)

    def _add_fence(self, block: Block, *, folded: bool) -> None:
        info, text = _info(block), block.body.removesuffix("\n")
        if "output" in info.classes:
            last = max((i for i, piece in enumerate(self.pieces) if piece.code), default=None)
            if last is not None and not any(p.text.strip() for p in self.pieces[last + 1 :]):
                before = self.pieces[last]
                self.pieces[last] = Piece(before.text, True, text, before.folded)
                return
        body = [line for line in text.splitlines() if line.strip()]
        includes = [match for line in body if (match := INCLUDE.fullmatch(line.strip()))]
        if info.language == "python" and not includes and "skip" not in info.classes:
            self.pieces.append(Piece(text, code=True, folded=folded))
            return
        if includes:
            text = "\n".join(included(m["path"], m["section"], self.place) for m in includes)
            if title := info.options.get("title"):
                self.pieces.append(Piece(f"\nFrom `{title.split(',')[0]}`:"))
        self.pieces.append(Piece(f"\n{block.fence}{info.language}\n{text}\n{block.fence}\n"))


def _boxed(box: re.Match[str], inner: list[Piece]) -> list[Piece]:
    """A box's pieces under its title; folded where nothing in it runs."""
    title = box["title"] or box["kind"].capitalize()
    if box["mark"] == "!!!" or any(piece.code for piece in inner):
        return [Piece(f"\n**{title}**\n"), *inner]
    whole = "\n\n".join(piece.text.strip() for piece in inner)
    return [Piece(f"\n<details><summary>{title}</summary>\n\n{whole}\n\n</details>\n")]


def _plain(pieces: list[Piece], place: Place) -> list[Piece]:
    """The pieces as any reader of Markdown has them; the footnotes at the end."""
    notes: dict[str, str] = {}
    order: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] is None:  # code between backticks
            return match[0]
        if match[1] not in order:
            order.append(match[1])
        return f"<sup>{order.index(match[1]) + 1}</sup>"

    def note(match: re.Match[str]) -> str:
        notes[match["name"]] = match["text"]
        return ""

    shown = []
    for piece in _joined(pieces):
        if piece.code:
            shown.append(piece)
            continue
        text = NOTE.sub(note, COMMENT.sub("", piece.text))
        if prose := _prose(REFERENCE.sub(number, text), place):
            shown.append(Piece(prose))
    if order:
        lines = [f"{n}. {notes[name]}" for n, name in enumerate(order, 1)]
        references = _prose("## References\n\n" + "\n".join(lines), place)
        if shown and not shown[-1].code:
            references = f"{shown.pop().text}\n\n{references}"
        shown.append(Piece(references))
    return shown


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Neighbouring prose as one piece."""
    joined: list[Piece] = []
    for piece in pieces:
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
    text = INCLUDE_LINE.sub(lambda m: _table(m, place), text)
    text = API_ENTRY.sub(r"See the page for `\1`.", text)
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
