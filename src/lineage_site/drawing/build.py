"""The figures and tables of the pages, drawn from the networks and from the ledger.

``python -m lineage_lab.figures`` writes them to ``docs/generated``; the site's build calls
`build` before every build. Each topic is one module with a function ``draw() -> {name: text
or bytes}``; what lies under ``data/`` is served to the pages' scripts, the rest is included in
pages. What a topic's sources (the package's modules that it was drawn from) have not changed
is not drawn again. Several topics are drawn side by side, each in a process. Nothing outside
this package draws.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from hashlib import sha256
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

__all__ = ["TOPICS", "build"]

_Files = dict[str, str | bytes]

# What every chapter's figures are drawn with.
_SHARED = (
    "anatomy.py",
    "data.py",
    "experiments.py",
    "figures/chapter.py",
    "figures/charts.py",
    "figures/kept.py",
    "figures/photos.py",
    "figures/style.py",
)


def _chapter(slug: str, *more: str, topic: str = "") -> tuple[str, ...]:
    """What a chapter's figures come from; its modules begin with the topic's name."""
    topic = topic or slug
    own = (f"ledger/{slug}.py", f"quizzes/{slug}.py", f"models/{topic}*.py", f"figures/{topic}*.py")
    return (*_SHARED, *own, f"../../docs/results/{slug}.json", *more)


# Topic -> the package's files whose change makes its figures stale.
TOPICS: dict[str, tuple[str, ...]] = {
    "faults": ("faults.py", "figures/faults.py"),
    "home": ("lineage.py", "figures/home.py", "figures/style.py"),
    "lenet": _chapter("lenet5", topic="lenet"),
    "digit": (
        "data.py",
        "experiments.py",
        "figures/digit.py",
        "figures/style.py",
        "models/lenet*.py",
    ),
    "alexnet": _chapter("alexnet"),
    "vgg": _chapter("vgg", "registry.py"),
    "googlenet": _chapter("googlenet"),
    "resnet": _chapter("resnet", "printed.py"),
    "efficientnet": _chapter("efficientnet", "printed.py", "../../docs/results/models.json"),
    "vit": _chapter("vit", "registry.py", "weights.py"),
    "convnext": _chapter("convnext", "printed.py"),
    "house": (
        "*.py",
        "*/*.py",
        "../../docs/results/growth.json",
        "../../docs/results/proof.json",
        "../../docs/verified.json",
    ),
    "references": ("lineage.py", "references.py", "figures/references.py"),
    "names": ("lineage.py", "registry.py", "models/*.py", "figures/names.py"),
    "reading": ("ledger/read_the_resnet_paper.py", "figures/chapter.py", "figures/reading.py"),
    "recipes": (
        "results.py",
        "runs.py",
        "exercises/finetune.py",
        "figures/kept.py",
        "figures/recipes.py",
        "significance.py",
        "../../docs/results/elpv-lite.json",
        "../../docs/results/recipe-lines.json",
    ),
    "peers": (
        "figures/kept.py",
        "figures/peers.py",
        "../../docs/results/finetune-*.json",
        "../../docs/results/depthwise.json",
        "../../docs/results/models-all.json",
    ),
    "your_run": (
        "figures/charts.py",
        "figures/results.py",
        "figures/style.py",
        "figures/your_run.py",
        "recipe.py",
        "results.py",
        "runs.py",
        "../../docs/results/elpv-lite.json",
    ),
    "choosing": (
        "choosing.py",
        "figures/charts.py",
        "figures/choosing.py",
        "figures/kept.py",
        "figures/style.py",
        "figures/t*.py",
        "lineage.py",
        "weights.py",
        "../../docs/results/latency.json",
    ),
    "photo": (
        "data.py",
        "decode.py",
        "export.py",
        "figures/photo*.py",
        "figures/style.py",
        "imagenet_classes.txt",
        "models/efficientnet*.py",
        "predict.py",
        "weights.py",
        "../../docs/assets/vendor/onnxruntime-web/*",
    ),
    "fields": (
        *_SHARED,
        "figures/fields*.py",
        "figures/tables.py",
        "models/*.py",
        "operators.py",
        "probe.py",
        "registry.py",
        "shadow.py",
    ),
    "anatomy": (
        *_SHARED,
        "blocks.py",
        "figures/anatomy*.py",
        "figures/tables.py",
        "models/*.py",
        "probe.py",
    ),
    "timeline": (
        "anatomy.py",
        "choosing.py",
        "figures/charts.py",
        "figures/style.py",
        "figures/t*.py",
        "lineage.py",
        "models/*.py",
        "printed.py",
        "weights.py",
    ),
}


def build(out: Path, *, force: bool = False) -> list[Path]:
    """Draw every figure and table that is missing or stale.

    It starts processes: a script calls it under ``if __name__ == "__main__"``.

    Args:
        out: Folder to write to; it is made if it is missing.
        force: Draw all of them again.

    Returns:
        The files that were written; empty if all were up to date.
    """
    keys = {topic: _key(sources) for topic, sources in TOPICS.items()}
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
        # The dearest stand late in the table: the last to begin are short.
        stale.reverse()
        for topic, files in zip(stale, draw(_draw, stale), strict=True):
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


def _draw(topic: str) -> _Files:
    files: _Files = import_module(f"{__name__}.{topic}").draw()
    return files


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


def _key(sources: tuple[str, ...]) -> str:
    def parts() -> Iterator[bytes]:
        package = Path(__file__).parents[1]
        for source in sources:
            yield source.encode()
            for path in sorted(package.glob(source)):
                yield path.read_bytes()

    digest = sha256()
    for part in parts():
        digest.update(part)
    return digest.hexdigest()
