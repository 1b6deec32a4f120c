"""Puts a content security policy first into the head of every built page.

A page's own inline scripts (the theme has four) are allowed by their hashes, none else.
Style attributes stay allowed: KaTeX places letters with them, and Markdown aligns columns. A page
whose front matter says `csp: wasm` may compile WebAssembly. The meta element has to come before
anything that it should govern; only the character set stands before it.

`mkdocs serve` adds a script of its own to each answer, other on each one, so that no hash can allow
it: the policy belongs to the build, and what is served while writing has none. A hook of mkdocs.
"""

import base64
import hashlib
import html
import re
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
CHARSET = re.compile(r'<meta charset="utf-8">\s*', re.IGNORECASE)
DATA = re.compile(r'type="?(application/(?:ld\+)?json|speculationrules)', re.IGNORECASE)
_serving = False


def on_startup(*, command: str, **_: Any) -> None:
    global _serving
    _serving = command == "serve"


def hashes(page: str) -> list[str]:
    """The hashes of the scripts that stand in a page itself, each once, in their order."""
    found = {}
    for attributes, body in SCRIPT.findall(page):
        if "src=" not in attributes and not DATA.search(attributes):
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            found[f"'sha256-{digest}'"] = None
    return list(found)


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
    """The page with its policy."""
    if _serving:
        return page
    rules = html.escape(policy(page, wasm=wasm), quote=True).replace("&#x27;", "'")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{rules}">\n      '
    page = CHARSET.sub("", page, count=1)
    whole, count = re.subn(
        r"<head>\s*", lambda m: f'{m[0]}<meta charset="utf-8">\n      {meta}', page, count=1
    )
    if count != 1:
        raise PluginError(f"{name} has no head for its content security policy")
    return whole


def on_post_page(output: str, /, page: Page, **_: Any) -> str:
    return guarded(output, page.file.src_uri, wasm=page.meta.get("csp") == "wasm")


def on_post_template(output: str, /, template_name: str, **_: Any) -> str:
    return guarded(output, template_name) if template_name.endswith(".html") else output
