"""Two builds in one process, as `mkdocs serve` makes them: the second starts clean."""

import json
import shutil
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[2]
CONFIG = f"""
site_name: Small
site_url: https://example.org/small/
site_description: A small site.
theme: {{name: material, custom_dir: "{ROOT}/overrides", font: false}}
extra: {{shortcuts: {{}}, repository: https://example.org}}
plugins: [search, mkdocs-jupyter: {{include: ["*.ipynb"]}}]
markdown_extensions:
  - md_in_html
  - pymdownx.highlight: {{pygments_lang_class: true}}
  - pymdownx.superfences
hooks: ["{ROOT}/src/lineage_site/mkdocs/events.py"]
"""
PAGE = """---
title: {name} (2015)
description: What {name} is.
---
# {name}

<div class="ll-meta" markdown>
<!-- reading:time -->
</div>

```python
print("{name}")
```
"""
PROGRESS = """---
description: What is done.
---
# Progress

<div>
<!-- progress:pages -->
</div>
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("lineage_site.drawing.build.build", lambda _: [])
    files = {
        "mkdocs.yml": CONFIG,
        "CHANGELOG.md": "# Changelog\n",
        "docs/index.md": "---\ndescription: The first page.\n---\n# Home\n",
        "docs/progress.md": PROGRESS,
        "docs/generated/names/names.json": "{}",
        **{f"docs/chapters/{name}.md": PAGE.format(name=name) for name in ("one", "two")},
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("assets/progress.json", "assets/fonts"):
        source, target = ROOT / "docs" / name, tmp_path / "docs" / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    return tmp_path


def built(project: Path, site: str) -> dict[str, bytes]:
    """Path -> content of what a build writes, in this process."""
    build(load_config(str(project / "mkdocs.yml"), site_dir=str(project / site)))
    files = (project / site).rglob("*")
    return {p.relative_to(project / site).as_posix(): p.read_bytes() for p in files if p.is_file()}


def test_the_second_build_of_a_process_starts_clean(project: Path) -> None:
    first = built(project, "first")
    assert built(project, "again") == first
    assert {"chapters/two/two.ipynb", "assets/cards/chapters-two.png"} <= first.keys()
    assert "All 2 pages" in first["progress/index.html"].decode()
    (project / "docs/chapters/two.md").unlink()
    second = built(project, "second")
    assert not [path for path in second if "two" in path]
    assert list(json.loads(second["assets/progress.json"])["pages"]) == ["chapters/one"]
    assert "All 1 pages" in second["progress/index.html"].decode()
    for name in ("llms.txt", "llms-full.txt", "sitemap.xml", "search/index.json"):
        assert b"two" in first[name], name
        assert b"two" not in second[name], name
