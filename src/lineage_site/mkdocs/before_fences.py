"""The code blocks of a Markdown text, as pymdownx.superfences shows them.

The one reader of fences: of the site, and of the tests that run the pages (tests/docs/harness),
which say what a fence may be. Text in, `Block`s out, each with its place in the text and its
info line read. Sybil's own Markdown lexer is not used: it runs fences that stand in HTML comments,
and it skips in silence those with an info line that it does not know. Standard library only.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$")
AFTER_MARKER = re.compile(
    r"^[ \t]*(?:>[ \t]*)+(?:`{3,}|~{3,})|^[ \t]*(?:[-*+]|\d+[.)])[ \t]+(?:`{3,}|~{3,})"
)
# What may hold indented lines that are no code block: lists, admonitions, tabs, notes, definitions.
CONTAINER = re.compile(r"^[ \t]*(?:[-*+][ \t]|\d+[.)][ \t]|!!!|\?\?\?|===[ \t!+]|\[\^|:[ \t]|/// )")
OPTION = r'[\w-]+="[^"]*"'
PLAIN = re.compile(rf"(?P<language>[\w#.+-]+)(?P<options>(?:[ \t]+{OPTION})*)[ \t]*")
BRACES = re.compile(
    rf"\{{[ \t]*\.(?P<language>[\w#+-]+)(?P<options>(?:[ \t]+(?:\.[\w-]+|{OPTION}))*)[ \t]*\}}"
)
# A line of pymdownx.snippets: a file of docs/ or of the repository, and a section of it.
INCLUDE = re.compile(r'-{1,}8<-{1,}[ \t]+"(?P<path>[^":]+)(?::(?P<section>[\w-]+))?"')


@dataclass(frozen=True)
class Info:
    """An info line, read: `{.python .continues title="x"}` and its plain form."""

    language: str
    classes: tuple[str, ...]
    options: Mapping[str, str]


@dataclass(frozen=True)
class Block:
    """One fence of a page. `line` is that of its opening, from 1; offsets are in characters.

    `body` has the fence's own indentation taken away. `text[start:end]` is the whole block with its
    indentation and without its last line end; `text[body_start:body_end]` is the body as it stands.
    """

    line: int
    indent: str
    fence: str
    info: str
    body: str
    start: int
    end: int
    body_start: int
    body_end: int

    @property
    def last_line(self) -> int:
        """Line of the closing, from 1."""
        return self.line + self.body.count("\n") + 1


@dataclass(frozen=True)
class Problem:
    """Something that a page may not hold."""

    line: int
    message: str


def _without_indent(lines: list[str], indent: str) -> str:
    # A blank line inside an indented fence need not be indented, and stays a line.
    return "".join(line.removeprefix(indent) if line.strip() else "\n" for line in lines)


def find_blocks(text: str) -> tuple[tuple[Block, ...], tuple[Problem, ...]]:
    """Finds every block, and whatever looks like one but would not be shown as one.

    Args:
        text: The page; its lines end with a line feed alone.

    Returns:
        The blocks in their order, and the problems.
    """
    blocks: list[Block] = []
    problems: list[Problem] = []
    lines = text.splitlines(keepends=True)
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    number = 0
    if lines and lines[0].rstrip() == "---":  # front matter
        number = next((i + 1 for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0)
    contained = False  # the last line at the margin opened something that holds indented lines
    blank = True
    while number < len(lines):
        line = lines[number].rstrip("\n")
        if line.lstrip().startswith("<!--"):
            closing = text.find("-->", offsets[number])
            if closing < 0:
                problems.append(Problem(number + 1, "this HTML comment is never closed"))
                break
            number = text.count("\n", 0, closing) + 1
            blank = True
            continue
        opening = FENCE.match(line)
        if opening and not (opening["fence"][0] == "`" and "`" in opening["info"]):
            indent, fence = opening["indent"], opening["fence"]
            close = next(
                (i for i in range(number + 1, len(lines)) if lines[i].rstrip() == indent + fence),
                None,
            )
            if close is None:
                message = f"this fence is never closed (by {fence} with the same indentation)"
                problems.append(Problem(number + 1, message))
                break
            body = _without_indent(lines[number + 1 : close], indent)
            blocks.append(
                Block(
                    line=number + 1,
                    indent=indent,
                    fence=fence,
                    info=opening["info"].rstrip(),
                    body=body,
                    start=offsets[number],
                    end=offsets[close] + len(lines[close].rstrip("\n")),
                    body_start=offsets[number + 1],
                    body_end=offsets[close],
                )
            )
            number = close + 1
            blank = False
            continue
        if AFTER_MARKER.match(line):
            message = "a fence may not start behind a list marker or a quote's >"
            problems.append(Problem(number + 1, message))
        elif re.match(r"\s*<pre\b", line):
            problems.append(Problem(number + 1, "code in <pre> would not be run; write a fence"))
        elif line.strip():
            indented = line.startswith(("    ", "\t"))
            if indented and blank and not contained:
                message = "an indented code block would not be run; write a fence"
                problems.append(Problem(number + 1, message))
                contained = True  # say it once for the block
            elif not indented and (blank or not contained):
                contained = bool(CONTAINER.match(line))
        blank = not line.strip()
        number += 1
    return tuple(blocks), tuple(problems)


def parse_info(info: str) -> Info | None:
    """The parts of an info line; None where it follows neither form."""
    match = (BRACES if info.startswith("{") else PLAIN).fullmatch(info)
    if match is None:
        return None
    words = re.findall(rf"\.[\w-]+|{OPTION}", match["options"])
    classes = tuple(word[1:] for word in words if word.startswith("."))
    options = {k: v.strip('"') for k, _, v in (w.partition("=") for w in words if w[0] != ".")}
    return Info(match["language"], classes, options)


def section_of(text: str, name: str) -> str | None:
    """The lines between `[start:name]` and `[end:name]` of an included file, or None."""
    marks = rf"\[start:{name}\][^\n]*\n(.*?)\n[^\n]*\[end:{name}\]"
    lines = re.search(marks, text, re.DOTALL)
    return lines[1] if lines else None


def dedent(text: str) -> str:
    """The text without common indentation and without blank lines around it."""
    return textwrap.dedent(text).strip("\n")
