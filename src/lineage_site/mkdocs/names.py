"""Lets the search find chapters by what people know them by: names for create_model, and authors.

A hook of mkdocs. The words are those of generated/names/names.json. They are a field of the search
index of their own, which is searched first and never shown (mkdocs.yml: `fields`). The package's
source, which API pages fold away, is left out: it would make the index half as large again.
"""

import json
from pathlib import Path
from typing import Any

SOURCE = '<details class="mkdocstrings-source"'


_dirty = False


def on_startup(*, dirty: bool, **_: Any) -> None:
    global _dirty
    _dirty = dirty


def on_page_content(html: str, **_: Any) -> str:
    return html.replace(SOURCE, f'{SOURCE} data-search-exclude=""')


def with_names(index: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    """The index whose pages carry their names; each of these pages must be in it."""
    entries = {entry["location"]: entry for entry in index["docs"]}
    for location, words in names.items():
        entries[location]["names"] = words
    return index


def on_post_build(config: Any) -> None:
    if _dirty:
        return  # a preview of some pages, whose index holds no others
    file = Path(config["site_dir"]) / "search" / "search_index.json"
    names = Path(config["docs_dir"]) / "generated" / "names" / "names.json"
    index = with_names(
        json.loads(file.read_text(encoding="utf-8")), json.loads(names.read_text(encoding="utf-8"))
    )
    file.write_text(json.dumps(index, separators=(",", ":")), encoding="utf-8")
