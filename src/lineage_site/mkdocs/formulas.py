"""Sets the formulas while the site is built, so that a page needs no script for them.

KaTeX is a script; here it runs in QuickJS. What it makes holds MathML for screen readers beside the
letters that are seen. A page with formulas loads KaTeX's style sheet. A hook of mkdocs.
"""

import html
import re
from functools import cache
from pathlib import Path
from typing import Any

import quickjs
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL
)  # what pymdownx.arithmatex writes
# The list is joined since QuickJS hands out no string that is still in pieces.
SET = "(source, display) => [katex.renderToString(source, { displayMode: display })].join('')"


@cache
def context(script: Path) -> Any:
    """QuickJS with KaTeX in it; a wrong formula raises, which stops the build."""
    made = quickjs.Context()
    made.eval(script.read_text(encoding="utf-8"))
    return made, made.eval(SET)


def on_page_content(text: str, /, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    if 'class="arithmatex"' not in text:
        return text
    script = Path(config.docs_dir, "assets/vendor/katex/katex.min.js")

    def formula(match: re.Match[str]) -> str:
        tag, opening, source = match.groups()
        _, set_ = context(script)
        done = set_(html.unescape(source), opening == "[")
        return f'<{tag} class="arithmatex">{done}</{tag}>'

    page.meta["formulas"] = True
    return FORMULA.sub(formula, text)
