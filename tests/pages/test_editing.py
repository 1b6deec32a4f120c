"""What `make serve` builds again after an edit: the pages that show what changed, no other."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = """
site_name: Small
site_url: https://example.org/small/
theme: {name: mkdocs}
exclude_docs: part.md
plugins:
  - mkdocs-jupyter: {include: ["*.ipynb"]}
  - mkdocstrings: {handlers: {python: {paths: [src]}}}
hooks: [hook.py]
markdown_extensions:
  - pymdownx.snippets: {base_path: [docs], check_paths: true}
"""
# What the site's own events do of it.
HOOK = """
from pathlib import Path
from lineage_site.mkdocs import editing

def on_files(files, config):
    editing.mark_stale(files, Path(config.config_file_path).parent)

def on_env(env, config, files):
    editing.keep_labs(config)
    editing.recall_api(config)

def on_post_build(config):
    editing.keep_api(config)
"""
PAGES = {
    "hook.py": HOOK,
    "docs/index.md": "# Home\n\nSee [twice][small.twice].\n",
    "docs/shows.md": '# Shows\n\n--8<-- "part.md"\n',
    "docs/alone.md": "# Alone\n",
    "docs/api.md": "# API\n\n::: small\n",
    "docs/part.md": "The first words.\n",
    "src/small.py": 'def twice(x):\n    """Twice as much."""\n    return 2 * x\n',
    "mkdocs.yml": CONFIG,
}


def build(project: Path, site: Path | None = None) -> set[str]:
    """Builds as `mkdocs serve --dirty` does; the pages that were rendered."""
    site = site or project / "site"
    before = {path: path.read_bytes() for path in site.glob("**/index.html")}
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--dirty", "--site-dir", str(site)],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Could not find" not in done.stderr
    rendered = {path for path in site.glob("**/index.html") if path.stat().st_mtime >= started}
    assert all(path in rendered or path.read_bytes() == text for path, text in before.items())
    return {path.parent.name for path in rendered}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for name, text in PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    assert build(folder) == {"site", "shows", "alone", "api"}
    assert build(folder) == set()
    return folder


@pytest.mark.parametrize(
    ("edited", "old", "new", "page"),
    [
        ("docs/part.md", "first", "second", "shows"),
        ("docs/alone.md", "# Alone", "# Still alone", "alone"),
        ("src/small.py", "Twice as much", "Two times", "api"),
    ],
)
def test_the_page_that_shows_it_is_built_again(
    project: Path, edited: str, old: str, new: str, page: str
) -> None:
    file = project / edited
    file.write_text(file.read_text().replace(old, new))
    assert build(project) == {page}
    assert new.lstrip("# ") in (project / "site" / page / "index.html").read_text()


def test_a_link_to_the_api_keeps_its_target(project: Path) -> None:
    (project / "docs/index.md").write_text("# Home\n\nLook at [twice][small.twice].\n")
    assert build(project) == {"site"}
    assert "api/#small.twice" in (project / "site/index.html").read_text()


def test_a_change_of_the_configuration_builds_everything(project: Path) -> None:
    (project / "mkdocs.yml").write_text(CONFIG.replace("Small", "Smaller"))
    assert build(project) == {"site", "shows", "alone", "api"}


def test_this_site_builds_an_edited_page_alone_with_all_its_hooks(
    built_site: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(built_site, site)
    shutil.copy(site / "objects.inv", site / "all.inv")  # what the first build of `serve` keeps
    os.utime(site / "chapters/vgg/index.html", (0, 0))  # as if the chapter were newer
    assert build(ROOT, site) == {"vgg"}
