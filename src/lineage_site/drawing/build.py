"""The figures and tables of the pages, drawn from the networks and from the ledger.

``python -m lineage_site`` writes them to ``docs/generated``; the site's build calls `build` before
every build. Each topic is one module with a function ``draw() -> {name: text or bytes}``; what lies
under ``data/`` is served to the pages' scripts, the rest is included in pages. A topic is drawn
again when a file changes that it is drawn from: its module, whatever that imports, and the files
named beside it. Several topics are drawn side by side, each in a process.
"""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from hashlib import sha256
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

__all__ = ["TOPICS", "build", "imported"]

SOURCE = Path(__file__).parents[2]
IMPORT = re.compile(
    r"^[ \t]*(?:from (lineage_(?:lab|site)[\w.]*)|import (lineage_(?:lab|site)[\w.]*))"
    r"(?: import (\([^)]*\)|[^\n(]*))?",
    re.MULTILINE,
)

_Files = dict[str, str | bytes]


def _chapters() -> dict[str, tuple[str, ...]]:
    """A topic for each chapter that draws, and the record of its long runs."""
    slugs = sorted(p.parent.name for p in SOURCE.glob("lineage_site/chapters/*/drawings.py"))
    return {slug: (f"chapters.{slug}", f"docs/results/{slug}*.json") for slug in slugs}


# Folder of docs/generated -> the module that draws it, and what it reads beside Python files.
TOPICS: dict[str, tuple[str, ...]] = {
    "faults": ("pages.troubleshooting", "docs/results/hostile-images.json"),
    "home": ("pages.home",),
    "digit": ("pages.draw_a_digit",),
    **_chapters(),
    "efficientnet": (
        "chapters.efficientnet", "docs/results/efficientnet*.json", "docs/results/models.json",
    ),
    "house": (
        "pages.house",
        "src/*/*.py",
        "src/*/*/*.py",
        "docs/results/growth.json",
        "docs/results/proof.json",
        "docs/verified.json",
    ),
    "references": ("pages.references",),
    "names": ("pages.models",),
    "counters": ("pages.count_it_with_another_tool", "docs/results/counters.json"),
    "serving": (
        "pages.from_training_to_serving",
        "docs/results/serving.json",
        "docs/results/same-name.json",
    ),
    "reading": ("pages.read_the_resnet_paper",),
    "recipes": (
        "pages.fine_tune.recipes",
        "docs/results/elpv-lite.json",
        "docs/results/recipe-lines.json",
        "docs/results/elpv-blocks.json",
        "docs/results/elpv-rows.json",
    ),
    "peers": (
        "pages.fine_tune.peers",
        "docs/results/finetune-*.json",
        "docs/results/depthwise.json",
        "docs/results/models-all.json",
    ),
    "weights": (
        "pages.weights_from_anywhere",
        "docs/results/same-weights.json",
        "docs/results/int8.json",
    ),
    "your_run": ("pages.your_run", "docs/results/elpv-lite.json"),
    "choosing": ("pages.choosing", "docs/results/latency.json"),
    "photo": (
        "pages.classify_a_photo",
        "src/lineage_lab/weights/imagenet_classes.txt",
        "docs/assets/vendor/onnxruntime-web/*",
    ),
    "fields": ("pages.receptive_fields",),
    "anatomy": ("pages.block_anatomy",),
    "timeline": ("pages.timeline",),
}  # fmt: skip

# Topics that take longest, the longest first.
DEAREST = ("vit", "efficientnet", "digit", "photo", "convnext", "lenet", "fields", "resnet",
           "timeline", "googlenet", "vgg", "anatomy")  # fmt: skip


def build(out: Path, *, force: bool = False) -> list[Path]:
    """Draw every figure and table that is missing or stale.

    It starts processes: a script calls it under ``if __name__ == "__main__"``.

    Args:
        out: Folder to write to; it is made if it is missing.
        force: Draw all of them again.

    Returns:
        The files that were written; empty if all were up to date.
    """
    imported.cache_clear()
    digests: dict[Path, bytes] = {}
    keys = {topic: _key(topic, digests) for topic in TOPICS}
    stale = [topic for topic, key in keys.items() if force or _stamped(out / topic) != key]
    written: list[Path] = []
    with ExitStack() as stack:
        draw: Callable[..., Iterator[_Files]] = map
        if (processes := min(len(stale), os.cpu_count() or 1, 4)) > 1:
            spawn = get_context("spawn")  # torch's threads don't survive a fork
            pool = ProcessPoolExecutor(
                processes, mp_context=spawn, initializer=_one_of, initargs=(processes,)
            )
            draw = stack.enter_context(pool).map
        # The dearest begin first, so that no process is left alone with one of them at the end.
        stale.sort(key=lambda topic: DEAREST.index(topic) if topic in DEAREST else len(DEAREST))
        for topic, files in zip(stale, draw(_draw, map(_module, stale)), strict=True):
            written += _write(out / topic, files)
            (out / topic / ".key").write_text(keys[topic])
    return written


def _stamped(folder: Path) -> str | None:
    stamp = folder / ".key"
    return stamp.read_text() if stamp.is_file() else None


def _one_of(processes: int) -> None:
    """The processor's cores are shared among the processes that draw."""
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // processes))


def _draw(module: str) -> _Files:
    files: _Files = import_module(module).draw()
    return files


def _module(topic: str) -> str:
    """The module with the topic's ``draw``: a folder's is called ``drawings``."""
    name = f"lineage_site.{TOPICS[topic][0]}"
    return f"{name}.drawings" if (_path(name) / "drawings.py").is_file() else name


def _path(module: str) -> Path:
    """A module's path without its ending, which is a folder's or a file's."""
    return SOURCE.joinpath(*module.split("."))


@cache
def imported(module: str) -> frozenset[str]:
    """The modules of both packages that a module names in its imports, wherever they stand in it.

    Args:
        module: Its whole name, such as ``lineage_lab.heads``; a package stands for its
            ``__init__``.

    Returns:
        Whole names of modules that exist as files.
    """
    path = _path(module)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        return frozenset()
    names: set[str] = set()
    for first, second, items in IMPORT.findall(file.read_text(encoding="utf-8")):
        name = first or second
        names |= {name, *(f"{name}.{item}" for item in re.findall(r"\w+", items))}
    return frozenset(n for n in names if _path(n).with_suffix(".py").is_file() or _path(n).is_dir())


def _sources(module: str) -> set[str]:
    """The module itself and all that it imports, and what those import."""
    found: set[str] = set()
    ahead = {module}
    while ahead:
        name = ahead.pop()
        found.add(name)
        ahead |= imported(name) - found
    return found


def _write(folder: Path, files: _Files) -> list[Path]:
    """Writes what is not there as it is; gives what it wrote."""
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        told = content.encode() if isinstance(content, str) else content
        if not path.is_file() or path.read_bytes() != told:
            path.write_bytes(told)
            written.append(path)
    return written


def _key(topic: str, digests: dict[Path, bytes]) -> str:
    """A hash of all that the topic is drawn from; `digests` keeps each file's, read once."""
    _, *others = TOPICS[topic]
    files = {
        path
        for name in _sources(_module(topic))
        for path in (_path(name).with_suffix(".py"), _path(name) / "__init__.py")
        if path.is_file()
    }
    whole = sha256()
    for path in sorted(files.union(*(SOURCE.parent.glob(pattern) for pattern in others))):
        if path not in digests:
            digests[path] = sha256(path.read_bytes()).digest()
        whole.update(path.relative_to(SOURCE.parent).as_posix().encode() + digests[path])
    return whole.hexdigest()
