"""Writes how long a page takes to read, counted from the page: nobody types it.

A hook of mkdocs: it replaces `<!-- reading:time -->`. Prose is read at 200 words a minute, code and
output at 30 lines a minute; a figure takes ten seconds. Folded solutions are not counted. Standard
library only.
"""

import re
from typing import Any

MARK = "<!-- reading:time -->"
FENCE = re.compile(r"^([ \t]*)(`{3,})[^\n]*\n(.*?)^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
FOLDED = re.compile(
    r"^\?\?\? (?:success|tip|example)[^\n]*\n(?:[ \t]*\n|[ ]{4}[^\n]*\n)*", re.MULTILINE
)


def minutes(markdown: str) -> int:
    """How long a page takes, in whole minutes, one at least."""
    text = re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL)
    text = FOLDED.sub("", text)
    lines = sum(len(fence[2].strip().splitlines()) for fence in FENCE.findall(text))
    figures = text.count('<figure class="ll-figure"')
    prose = re.sub(r"^\[\^[^\n]*$|<[^>]*>", "", FENCE.sub("", text), flags=re.MULTILINE)
    return max(1, round(len(prose.split()) / 200 + lines / 30 + figures / 6))


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the time in place of the mark."""
    if MARK not in markdown:
        return markdown
    time = minutes(markdown)
    return markdown.replace(MARK, f"About {time} minute{'s' * (time > 1)} to read")
