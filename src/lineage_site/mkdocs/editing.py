"""Makes `mkdocs serve --dirty` (what `make serve` runs) right as well as quick.

A dirty build renders only the pages whose own file changed. Here a page also counts as changed when
something that it shows did: an included snippet, a documented module, a template, a hook, the
configuration. Links to the API keep their targets, which the first build counted. And the outputs
of executed labs stay in the cache, though a dirty build doesn't ask for them.
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

from lineage_site.mkdocs.before_fences import INCLUDE

MODULE = re.compile(r"^::: ([\w.]+)", re.MULTILINE)
WEEK = 7 * 24 * 3600
ALL_NAMES = "all.inv"


def shown(page: Path, root: Path) -> Iterator[Path]:
    """The files that a page shows, itself first."""
    yield page
    if page.suffix != ".md":
        return
    text = page.read_text(encoding="utf-8")
    for include in INCLUDE.finditer(text):
        yield from (root / "docs" / include["path"], root / include["path"])
    if "<!-- verified:" in text:
        yield root / "docs/verified.json"
    for name in MODULE.findall(text):
        path = root / "src" / name.replace(".", "/")
        yield path.with_suffix(".py")
        yield from path.glob("*.py")


def changed(path: Path) -> float:
    """When a file was written, in seconds; 0 where there is none."""
    return path.stat().st_mtime if path.is_file() else 0.0


def mark_stale(files: Files, root: Path) -> None:
    """Marks as stale what shows something newer than itself.

    Args:
        files: Those of the site.
        root: The repository's folder.
    """
    house = [root / "mkdocs.yml", *root.glob("overrides/**/*")]
    house += root.glob("src/lineage_site/mkdocs/**/*")
    newest = max(map(changed, house))
    for file in files.documentation_pages():
        built = Path(file.abs_dest_path)
        if file.abs_src_path is None or not built.is_file():
            continue
        if max(newest, *map(changed, shown(Path(file.abs_src_path), root))) > changed(built):
            os.utime(built, (0, 0))  # older than its source: mkdocs builds it again


def keep_labs(config: MkDocsConfig) -> None:
    """Tells mkdocs-jupyter to keep the outputs of the last week."""
    labs: Any = config.plugins["mkdocs-jupyter"]
    cache = Path(labs.config["cache_dir"]).glob("*.json")
    labs._used_cache_paths.update(p for p in cache if time.time() - changed(p) < WEEK)


def recall_api(config: MkDocsConfig) -> None:
    """Tells autorefs where the API's names are, which this build may not render."""
    names = Path(config.site_dir, ALL_NAMES)
    if not names.is_file():
        return
    autorefs: Any = config.plugins["autorefs"]
    base = urlsplit(config.site_url or "/").path
    with names.open("rb") as stream:
        for item in Inventory.parse_sphinx(stream).values():
            autorefs.register_url(item.name, base + item.uri)


def keep_api(config: MkDocsConfig) -> None:
    """Keeps the first build's list of the API's names; later ones know only their own."""
    latest, names = Path(config.site_dir, "objects.inv"), Path(config.site_dir, ALL_NAMES)
    if latest.is_file() and not names.is_file():
        shutil.copy(latest, names)
