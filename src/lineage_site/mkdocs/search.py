"""Loads the search when somebody searches: its index is the largest file of the site.

The theme asks for search/search_index.json on every page. Here that file keeps only its settings,
the whole goes to search/index.json, and assets/search.js stands before the theme's worker and
loads both at the first query. A hook of mkdocs.
"""

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

WORKER = re.compile(r'"search": "([^"]*?)assets/javascripts/workers/(search\.\w+\.min\.js)"')


def lazy(page: str, name: str) -> str:
    """The page with our worker, which is told the name of the theme's."""
    page, count = WORKER.subn(r'"search": "\1assets/search.js?\2"', page)
    if count != 1:
        raise PluginError(f"{name}: the theme names its search worker in another way now")
    return page


def on_post_page(output: str, /, page: Any, **_: Any) -> str:
    return lazy(output, page.file.src_uri)


def on_post_template(output: str, /, template_name: str, **_: Any) -> str:
    return lazy(output, template_name) if template_name == "404.html" else output


def on_post_build(config: MkDocsConfig) -> None:
    whole = Path(config.site_dir, "search/search_index.json")
    index = json.loads(whole.read_text(encoding="utf-8"))
    if index["docs"]:
        whole.replace(whole.with_name("index.json"))
        stub = json.dumps({"config": index["config"], "docs": []}, separators=(",", ":"))
        whole.write_text(stub, encoding="utf-8")
