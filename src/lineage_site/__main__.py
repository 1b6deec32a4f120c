"""Draw the pages' figures, or run a chapter's long experiments.

``python -m lineage_site [FOLDER]`` draws, into ``docs/generated`` where no folder is named;
``python -m lineage_site run SLUG [PART ...]`` runs the parts of a chapter that are named, or all.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from lineage_site.drawing.build import build


def main(args: Sequence[str]) -> int:
    """Gives the exit code: 2 for a chapter or a part that there is not."""
    if args[:1] == ["run"]:
        return run(args[1:])
    if len(args) > 1 or (args and args[0].startswith("-")):
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    for path in build(Path(args[0] if args else "docs/generated"), force=True):
        print(path)
    return 0


def run(args: Sequence[str]) -> int:
    """Calls ``lineage_site.chapters.SLUG.runs.main(parts)``."""
    chapters = sorted(p.parent.name for p in Path(__file__).parent.glob("chapters/*/runs.py"))
    slug, *parts = args or [""]
    if slug not in chapters:
        print(f"run {slug}: expected one of {', '.join(chapters)}", file=sys.stderr)
        return 2
    runs = import_module(f"lineage_site.chapters.{slug}.runs")
    for part in parts:
        if part not in runs.PARTS:
            print(f"run {slug} {part}: expected one of {', '.join(runs.PARTS)}", file=sys.stderr)
            return 2
    import torch

    torch.set_num_threads(1)  # so that whoever runs it again gets the same bits
    runs.main(parts or list(runs.PARTS))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
