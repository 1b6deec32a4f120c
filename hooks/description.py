"""Gives a page without a description the first sentences of its text: labs and API pages have none.

Search engines and link previews show it. A hook of mkdocs.
"""

import html
import re
from typing import Any

from mkdocs.structure.pages import Page

FIRST = re.compile(r"</h1>\s*<p>(.*?)</p>", re.DOTALL)
LONGEST = 190


def on_page_content(text: str, /, page: Page, **_: Any) -> None:
    found = FIRST.search(text)
    if page.meta.get("description") or found is None:
        return
    words = html.unescape(re.sub(r"<[^>]+>", "", found[1]))
    sentences = re.split(r"(?<=[.?!:]) ", " ".join(words.split()))
    said = sentences[0]
    for sentence in sentences[1:]:
        if len(said) + len(sentence) >= LONGEST:
            break
        said += f" {sentence}"
    page.meta["description"] = html.escape(said, quote=True)
