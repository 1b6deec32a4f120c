"""A finished page, mended and put under its policy: HTML in, HTML out.

What the theme's HTML lacks (names, landmarks, valid attributes) is mended in a few plain rules, so
that no template of the theme has to be copied. Each rule is held by a test of the built pages
(tests/site), so that one which no longer finds its place is seen. Photographs leave the figures,
the search is loaded when somebody searches, and last comes the policy, which hashes what stands
there.
"""

import base64
import hashlib
import html
import re
from fnmatch import fnmatch

NAV = re.compile(r"<nav\b[^>]*>|</nav>")
# Parts of a list of links are no landmarks of their own: the whole list is one already.
PART = re.compile(r'<nav class="(md-nav|md-search__options)"([^>]*)>')
LEVEL = re.compile(r' data-md-level="\d+"')
OUTWARD = re.compile(r'(<a\b[^>]*?href="https?://([^/"]+)[^>]*?)>')
# A page without an entry of the API uses nothing of this style sheet.
API_STYLE = re.compile(r'<link rel="stylesheet" href="[^"]*_mkdocstrings\.css">\s*')
BUTTON = (
    '<nav class="md-code__nav" role="presentation"><button class="md-code__button" '
    'title="Copy to clipboard" data-clipboard-text="" data-md-type="copy"></button></nav>'
)
LEAST = 1500  # characters; what is smaller costs less inside the page than a request of its own
PHOTOGRAPH = re.compile(rf'href="data:image/(webp|png);base64,([A-Za-z0-9+/=]{{{LEAST},}})"')
WORKER = re.compile(r'"search": "([^"]*?)assets/javascripts/workers/(search\.\w+\.min\.js)"')
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
CHARSET = re.compile(r'<meta charset="utf-8">\s*', re.IGNORECASE)
DATA = re.compile(r'type="?(application/(?:ld\+)?json|speculationrules)', re.IGNORECASE)


class PageError(ValueError):
    """A page in which a rule no longer finds its place; the message says which."""


def _with_button(match: re.Match[str]) -> str:
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
                r"</span>)?<pre[^>]*>(?:<span></span>)?)(<code>)"), _with_button),
    # What scrolls is a stop of the tab key while there are results: lab.js sees to it.
    (re.compile(r'(<div class="md-search__scrollwrap") tabindex="0"'), r"\1"),
    # The note that something was copied is read out.
    (re.compile(r'(<div class="md-dialog")'), r'\1 role="status"'),
    # An empty `tabindex` is no number.
    (re.compile(r'(<label class="md-nav__link[^>]*?) tabindex=""'), r"\1"),
    # The corner of a table is no heading of anything.
    (re.compile(r"<th(\b[^>]*)>\s*</th>"), r"<td\1></td>"),
)  # fmt: skip


def _landmarks(page: str) -> str:
    """The page with its lists of links as one landmark each."""
    opened: list[bool] = []

    def change(match: re.Match[str]) -> str:
        if match[0] == "</nav>":
            return "</div>" if opened.pop() else match[0]
        part = PART.match(match[0])
        opened.append(part is not None)
        if part is None:
            return match[0]
        level = LEVEL.search(part[2])
        return f'<div class="{part[1]}"{level[0] if level else ""}>'

    return NAV.sub(change, page)


def _outward(match: re.Match[str]) -> str:
    """A link that leaves the site says where it leads, and tells nobody where it came from."""
    more = "" if "title=" in match[0] else f' title="Leads to {match[2].removeprefix("www.")}"'
    more += "" if "rel=" in match[0] else ' rel="noopener noreferrer"'
    return f"{match[1]}{more}>"


def mended(page: str) -> str:
    """The page with all that the theme's HTML lacks."""
    if 'class="doc ' not in page:
        page = API_STYLE.sub("", page)
    page = OUTWARD.sub(_outward, _landmarks(page))
    for pattern, text in RULES:
        page = pattern.sub(text, page)
    return page


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


def styles_again(name: str) -> bool:
    """Whether a file of the theme, by its path in the site, is one of these."""
    return any(fnmatch(name, pattern) for pattern, _, _ in AGAIN)


def without_restyling(name: str, text: str) -> str:
    """A file of the theme without what styles a page again.

    Raises:
        PageError: The theme has no such place any more.
    """
    for pattern, place, instead in AGAIN:
        if fnmatch(name, pattern):
            text, count = place.subn(instead, text)
            if not count:
                raise PageError(f"{name} has no {place.pattern}: see after_page.py")
    return text


def without_photographs(page: str, up: str) -> tuple[str, dict[str, bytes]]:
    """The page with its figures' photographs taken out, and these by their path in the site.

    A figure's file carries its photographs, so that it can be looked at alone. On a page they would
    come before the text that follows them, and again for each figure that shows them.

    Args:
        page: The page.
        up: Way from the page to the site's root, such as `../../`.
    """
    photographs: dict[str, bytes] = {}

    def address(match: re.Match[str]) -> str:
        content = base64.b64decode(match[2])
        path = f"assets/pictures/{hashlib.sha256(content).hexdigest()[:16]}.{match[1]}"
        photographs[path] = content
        return f'href="{up}{path}"'

    return PHOTOGRAPH.sub(address, page), photographs


def with_late_search(page: str, name: str) -> str:
    """The page with our search worker, which is told the name of the theme's.

    The theme loads the index, the largest file of the site, on every page; assets/search.js loads
    it at the first query.

    Raises:
        PageError: The theme names its worker in another way.
    """
    page, count = WORKER.subn(r'"search": "\1assets/search.js?\2"', page)
    if count != 1:
        raise PageError(f"{name}: the theme names its search worker in another way now")
    return page


def hashes(page: str) -> list[str]:
    """The hashes of the scripts that stand in a page itself, each once, in their order."""
    digests: dict[str, None] = {}
    for attributes, body in SCRIPT.findall(page):
        if "src=" not in attributes and not DATA.search(attributes):
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            digests[f"'sha256-{digest}'"] = None
    return list(digests)


def policy(page: str, *, wasm: bool = False) -> str:
    """What a page may load and run."""
    scripts = ["'self'", *hashes(page), *(["'wasm-unsafe-eval'"] if wasm else [])]
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(scripts),
        "style-src": "'self'",
        "style-src-attr": "'unsafe-inline'",
        "img-src": "'self' data:",  # the theme's icons, and small pictures inside figures
        "font-src": "'self'",
        "connect-src": "'self'",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "object-src": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def guarded(page: str, name: str, *, wasm: bool = False) -> str:
    """The page with a content security policy of its own, first in its head.

    A page's own inline scripts (the theme has four) are allowed by their hashes, none else. Style
    attributes stay allowed: KaTeX places letters with them, and Markdown aligns columns. The meta
    element has to come before anything that it should govern; only the character set stands before
    it. `mkdocs serve` adds a script of its own to each answer, other on each one, so that no hash
    can allow it: what is served while writing has no policy.

    Args:
        page: The finished page.
        name: Its source, for the error.
        wasm: Whether it may compile WebAssembly (front matter `csp: wasm`).

    Raises:
        PageError: The page has no head.
    """
    rules = html.escape(policy(page, wasm=wasm), quote=True).replace("&#x27;", "'")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{rules}">\n      '
    page = CHARSET.sub("", page, count=1)
    whole, count = re.subn(
        r"<head>\s*", lambda m: f'{m[0]}<meta charset="utf-8">\n      {meta}', page, count=1
    )
    if count != 1:
        raise PageError(f"{name} has no head for its content security policy")
    return whole
