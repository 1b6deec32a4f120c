"""Makes `mkdocs serve --dirty` (what `make serve` runs) right as well as quick.

A dirty build renders only the pages whose own file changed. Here a page also counts as changed when
something that it shows did: an included snippet, a documented module, a template, a hook, the
configuration. Links to the API keep their targets, which the first build counted. And the outputs
of executed labs stay in the cache, though a dirty build doesn't ask for them. A hook of mkdocs.
"""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocstrings import Inventory

SNIPPET = re.compile(r'^\s*--8<-- "([^":]+)', re.MULTILINE)
MODULE = re.compile(r"^::: ([\w.]+)", re.MULTILINE)
WEEK = 7 * 24 * 3600
_dirty = False


def on_startup(*, command: str, dirty: bool) -> None:
    global _dirty
    _dirty = dirty


def shown(page: Path, root: Path) -> Iterator[Path]:
    """The files that a page shows, itself first."""
    yield page
    if page.suffix != ".md":
        return
    text = page.read_text(encoding="utf-8")
    for name in SNIPPET.findall(text):
        yield from (root / "docs" / name, root / name)
    if "<!-- verified:" in text:
        yield root / "docs/verified.json"
    for name in MODULE.findall(text):
        path = root / "src" / name.replace(".", "/")
        yield path.with_suffix(".py")
        yield from path.glob("*.py")


def changed(path: Path) -> float:
    return path.stat().st_mtime if path.is_file() else 0.0


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Marks as stale what shows something newer than itself."""
    if not _dirty:
        return
    root = Path(config.config_file_path).parent
    house = [
        root / "mkdocs.yml",
        *root.glob("overrides/**/*"),
        *root.glob("src/lineage_site/mkdocs/*.py"),
    ]
    newest = max(map(changed, house))
    for file in files.documentation_pages():
        built = Path(file.abs_dest_path)
        if file.abs_src_path is None or not built.is_file():
            continue
        if max(newest, *map(changed, shown(Path(file.abs_src_path), root))) > changed(built):
            os.utime(built, (0, 0))  # older than its source: mkdocs builds it again


def on_env(env: Any, config: MkDocsConfig, **_: Any) -> None:
    """Tells autorefs where the API's names are, and mkdocs-jupyter what to keep."""
    labs: Any = config.plugins["mkdocs-jupyter"]
    cache = Path(labs.config["cache_dir"]).glob("*.json")
    labs._used_cache_paths.update(p for p in cache if time.time() - changed(p) < WEEK)
    kept = Path(config.site_dir, "all.inv")
    if not _dirty or not kept.is_file():
        return
    autorefs: Any = config.plugins["autorefs"]
    base = urlsplit(config.site_url or "/").path
    with kept.open("rb") as stream:
        for item in Inventory.parse_sphinx(stream).values():
            autorefs.register_url(item.name, base + item.uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Keeps the first build's list of the API's names; later ones know only their own."""
    latest, kept = Path(config.site_dir, "objects.inv"), Path(config.site_dir, "all.inv")
    if _dirty and latest.is_file() and not kept.is_file():
        shutil.copy(latest, kept)
