"""Mends what the theme's HTML lacks: names, landmarks, valid attributes.

Done on the finished page, in a few plain rules, so that no template of the theme has to be copied.
Each rule is held by a test of the built pages (tests/site), so that one which no longer finds its
place is seen. A hook of mkdocs.
"""

import logging
import re
from fnmatch import fnmatch
from typing import Any

from mkdocs.structure.files import Files

LOG = logging.getLogger("mkdocs.hooks.theme")

NAV = re.compile(r"<nav\b[^>]*>|</nav>")
# Parts of a list of links are no landmarks of their own: the whole list is one already.
PART = re.compile(r'<nav class="(md-nav|md-search__options)"([^>]*)>')
LEVEL = re.compile(r' data-md-level="\d+"')
TAG = re.compile(r"<[^>]+>")
# A folded listing under an API entry: the largest page had 24,000 elements of them.
SOURCE = re.compile(
    r'(<details class="mkdocstrings-source"[^>]*>\s*<summary>.*?</summary>)'
    r".*?<code>(.*?)</code>.*?</details>",
    re.DOTALL,
)
OUTWARD = re.compile(r'(<a\b[^>]*?href="https?://([^/"]+)[^>]*?)>')
BUTTON = (
    '<nav class="md-code__nav" role="presentation"><button class="md-code__button" '
    'title="Copy to clipboard" data-clipboard-text="" data-md-type="copy"></button></nav>'
)


def copied(match: re.Match[str]) -> str:
    """A block of code with its copy button; lab.js says what it copies."""
    plain = re.search(r"doc-signature|\boutput\b", match[1])
    return f"{match[1]} no-copy{match[2]}{'' if plain else BUTTON}{match[3]}"


RULES = (
    # Names, spaces, brackets and operators look as the text around them: an element for each was
    # half of a chapter's elements, and a phone styles each one.
    (re.compile(r'<span class="[nwpo]">([^<]*)</span>'), r"\1"),
    # The search's dialog has no name.
    (re.compile(r'(data-md-component="search" role="dialog")'), r'\1 aria-label="Search"'),
    # The boxes that parts of the menu hang on: lab.css lets a keyboard reach them. The theme's
    # script looks for what is labelled by the label, to say whether it is open.
    (re.compile(r'(<input class="md-nav__toggle md-toggle[^>]*id="(__nav_\w+)")'),
     r'\1 aria-labelledby="\2_label"'),
    (re.compile(r'(<label class="md-nav__link[^>]*>)(\s*<span class="md-nav__icon)'),
     r'\1<span class="ll-hidden">Pages of this part</span>\2'),
    # The copy buttons are there from the start: the theme lays the page out again for each that it
    # adds. Signatures and outputs have none.
    (re.compile(r'(<div [^>]*?class="language-[^"]*\bhighlight)(">(?:<span class="filename">[^<]*'
                r"</span>)?<pre[^>]*>(?:<span></span>)?)(<code>)"), copied),
    # What scrolls is a stop of the tab key while there are results: lab.js sees to it.
    (re.compile(r'(<div class="md-search__scrollwrap") tabindex="0"'), r"\1"),
    # The note that something was copied is read out.
    (re.compile(r'(<div class="md-dialog")'), r'\1 role="status"'),
    # An empty `tabindex` is no number.
    (re.compile(r'(<label class="md-nav__link[^>]*?) tabindex=""'), r"\1"),
    # The corner of a table is no heading of anything.
    (re.compile(r"<th(\b[^>]*)>\s*</th>"), r"<td\1></td>"),
)  # fmt: skip


def parts(page: str) -> str:
    """The page with its lists of links as one landmark each."""
    opened: list[bool] = []

    def change(match: re.Match[str]) -> str:
        if match[0] == "</nav>":
            return "</div>" if opened.pop() else match[0]
        found = PART.match(match[0])
        opened.append(found is not None)
        if found is None:
            return match[0]
        level = LEVEL.search(found[2])
        return f'<div class="{found[1]}"{level[0] if level else ""}>'

    return NAV.sub(change, page)


def plain(match: re.Match[str]) -> str:
    """A listing of the package's source without its colours: an element, not one for each name."""
    code = TAG.sub("", match[2]).strip("\n")
    return f'{match[1]}<pre class="ll-source">{code}\n</pre></details>'


def outward(match: re.Match[str]) -> str:
    """A link that leaves the site says where it leads, and tells nobody where it came from."""
    more = "" if "title=" in match[0] else f' title="Leads to {match[2].removeprefix("www.")}"'
    more += "" if "rel=" in match[0] else ' rel="noopener noreferrer"'
    return f"{match[1]}{more}>"


# A page without an entry of the API uses nothing of this style sheet.
API_STYLE = re.compile(r'<link rel="stylesheet" href="[^"]*_mkdocstrings\.css">\s*')


def mended(page: str) -> str:
    if 'class="doc ' not in page:
        page = API_STYLE.sub("", page)
    page = OUTWARD.sub(outward, SOURCE.sub(plain, parts(page)))
    for pattern, text in RULES:
        page = pattern.sub(text, page)
    return page


def on_post_page(output: str, /, **_: Any) -> str:
    return mended(output)


def on_post_template(output: str, /, template_name: str, **_: Any) -> str:
    return mended(output) if template_name.endswith(".html") else output


# What makes a browser style every element again each time that a page opens, in the theme's files:
# each file, what is looked for, and what stands there instead.
AGAIN = (
    # The rule that nothing may be in motion while the scheme changes.
    ("*/palette.*.css", re.compile(r"\[data-md-color-switching\] \*[^}]*\}"), ""),
    # The browser is told the scheme before there is anything to style: partials/early.js, lab.js.
    (
        "assets/javascripts/bundle.*.js",
        re.compile('name:"color-scheme"'),
        'name:"late-color-scheme"',
    ),
)


def on_files(files: Files, /, **_: Any) -> None:
    for name, pattern, text in AGAIN:
        for file in (f for f in files if fnmatch(f.src_uri, name)):
            file.content_string, found = pattern.subn(text, file.content_string)
            if not found:
                LOG.warning(
                    "%s has no %s: see src/lineage_site/mkdocs/theme.py",
                    file.src_uri,
                    pattern.pattern,
                )
