"""The day on which each page last changed, for the sitemap: from git, or not at all.

A hook of mkdocs, which would otherwise call every page changed on the day of the build. A shallow
clone and an archive know no days; then the sitemap says none (overrides/sitemap.xml).
"""

import subprocess
from pathlib import Path
from typing import Any

DAYS: dict[str, str] = {}


def days(root: str) -> dict[str, str]:
    """Path from the repository's root -> day of the newest commit that changed it."""
    git = ["git", "-C", root, "-c", "core.quotePath=off"]
    try:
        shallow = subprocess.run(
            [*git, "rev-parse", "--is-shallow-repository"], capture_output=True, text=True
        )
        log = subprocess.run(
            [*git, "log", "--format=%x00%cs", "--name-only", "--", "docs"],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return {}
    if shallow.stdout.strip() != "false" or log.returncode:
        return {}
    found: dict[str, str] = {}
    for commit in log.stdout.split("\0")[1:]:
        day, *paths = commit.splitlines()
        for path in filter(None, paths):
            found.setdefault(path, day)
    return found


def on_pre_build(config: Any) -> None:
    DAYS.clear()
    DAYS.update(days(str(Path(config["config_file_path"]).parent)))


def on_pre_page(page: Any, **_: Any) -> Any:
    page.changed = DAYS.get(f"docs/{page.file.src_uri}")
    return page
