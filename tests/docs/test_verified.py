"""The record of the pages' runs: what is green, current and complete is written, nothing else."""

import json
import pathlib
from typing import Any

import pytest

from tests.docs.harness import verified
from tests.docs.harness.page import Page

GOOD = """\
```python
print(0.25, 12)
```

```{.text .output}
0.25 12
```

```pycon
>>> 1 + 1
2
```

```toml
a = 1
```

```{.bash .skip data-reason="asks for a password"}
sudo true
```
"""
COVERED = (
    '```{.bash .covered data-by="tests/repository/test_make.py::test_readme_commands"}\n'
    "make serve\n```\n"
)
LAB = {"cells": [{"cell_type": "code", "source": ["x = 1\n", "x"]}, {"cell_type": "markdown"}]}


class Site:
    """A folder with a page, a covered page and a notebook in place of the repository."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.page, self.lab = root / "docs" / "good.md", root / "docs" / "labs" / "a.ipynb"
        self.lab.parent.mkdir(parents=True)
        self.page.write_text(GOOD, encoding="utf-8")
        (root / "docs" / "plain.md").write_text("Words alone.\n", encoding="utf-8")
        (root / "README.md").write_text("```yaml\na: 1\n```\n", encoding="utf-8")
        self.lab.write_text(json.dumps(LAB), encoding="utf-8")

    def run(self) -> None:
        """What a test run does with each page and notebook."""
        for path in (self.page, self.root / "README.md"):
            page = Page(path)
            for fence in page.sheet.fences:
                if fence.action in ("run", "parse"):
                    page.execute(fence)
            verified.write_cache(page)
        self.executed(green=True)

    def executed(self, *, green: bool) -> None:
        entry = {"green": green, **verified.lab_contents(self.lab), "seconds": 1.5}
        verified.write_result("docs/labs/a.ipynb", entry)


@pytest.fixture
def site(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(verified, "ROOT", tmp_path)
    monkeypatch.setattr("tests.docs.harness.page.ROOT", tmp_path)
    monkeypatch.setattr(verified, "FILE", tmp_path / "docs" / "verified.json")
    monkeypatch.setattr(verified, "CACHE", tmp_path / ".cache" / "verified")
    return Site(tmp_path)


def test_what_was_run_is_written(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert verified.committed() == {}
    site.run()
    assert verified.main([]) == 0
    assert capsys.readouterr().out == "docs/verified.json: 3 pages\n"
    pages = verified.committed()
    assert list(pages) == ["README.md", "docs/good.md", "docs/labs/a.ipynb"]
    entry = pages["docs/good.md"]
    wanted = {"fences": 5, "run": 2, "parsed": 1, "included": 0, "outputs": 2, "numbers": 3}
    assert {key: entry[key] for key in wanted} == wanted
    assert entry["skips"] == [{"line": 18, "reason": "asks for a password"}]
    assert entry["covered"] == []
    assert "green" not in entry
    assert pages["docs/labs/a.ipynb"]["cells"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda site: site.page.write_text(GOOD.replace("12)", "13)")), "its last run was red"),
        (lambda site: site.page.write_text(GOOD.replace(">>> 1 + 1\n2", ">>> 1 + 1\n3")), "red"),
        (lambda site: site.page.write_text(GOOD + "```python\n1 / 0\n```\n"), "was red"),
        (lambda site: site.page.write_text(GOOD + "```rust\n```\n"), "its last run was red"),
    ],
)
def test_a_red_page_is_refused(
    site: Site, capsys: pytest.CaptureFixture[str], change: Any, told: str
) -> None:
    change(site)
    site.run()
    assert verified.main([]) == 1
    assert told in capsys.readouterr().out
    assert not verified.FILE.exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.25 12\n```", "0.26 12\n```"),
        (">>> 1 + 1\n2", ">>> 1 + 1\n3"),
        ("a password", "a word"),
        ("```toml\na = 1\n```\n", ""),
        ("```toml", "```yaml\n```\n\n```toml"),
    ],
)
def test_a_page_that_was_changed_since_is_refused(
    site: Site, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    site.run()
    site.page.write_text(GOOD.replace(old, new), encoding="utf-8")
    assert verified.main([]) == 1
    assert capsys.readouterr().out == "docs/good.md: changed since its last run; run pytest\n"


def test_what_was_not_run_is_refused(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.run()
    (verified.CACHE / "docs.good.md.json").unlink()
    (verified.CACHE / "docs.labs.a.ipynb.json").unlink()
    assert verified.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "docs/good.md: was not run; run pytest",
        "docs/labs/a.ipynb: was not executed as it stands; run pytest",
    ]


def test_a_notebook_red_or_changed_is_refused(site: Site) -> None:
    site.run()
    site.executed(green=False)
    assert verified.main([]) == 1
    site.executed(green=True)
    assert verified.main([]) == 0
    site.lab.write_text(json.dumps(LAB).replace("x = 1", "x = 2"), encoding="utf-8")
    assert verified.main([]) == 1
    # Words may change: a notebook is its cells of code.
    site.lab.write_text(json.dumps({"cells": [*LAB["cells"], {"cell_type": "raw"}]}))
    assert verified.main([]) == 0


def test_half_a_run_writes_nothing(site: Site) -> None:
    page = Page(site.page)
    page.execute(page.sheet.fences[0])
    verified.write_cache(page)
    assert not verified.CACHE.exists()


def test_a_page_that_is_gone_is_forgotten(site: Site) -> None:
    site.run()
    assert verified.main([]) == 0
    verified.write({**verified.committed(), "docs/gone.md": {}})
    assert "docs/gone.md" not in verified.committed()


def test_what_tests_of_their_own_run_needs_no_run_here(site: Site) -> None:
    site.run()
    readme = site.root / "README.md"
    readme.write_text(COVERED, encoding="utf-8")
    assert verified.main([]) == 0
    entry = verified.committed()["README.md"]
    assert entry["covered"] == ["tests/repository/test_make.py::test_readme_commands"]
    assert entry["seconds"] == 0
    # Its entry stays until its text changes: then `accept` says so.
    readme.write_text(COVERED + "\n```{.text .output}\n1\n```\n", encoding="utf-8")
    assert verified.main([]) == 1


def test_how_a_page_differs_from_its_entry_is_said() -> None:
    entry = verified.contents(verified.read_page(GOOD))
    assert verified.stale(GOOD, None) == "is not in docs/verified.json"
    assert verified.stale(GOOD, entry) is None
    assert "its outputs were changed by hand" in str(
        verified.stale(GOOD.replace("0.25 12\n```", "0.25 13\n```"), entry)
    )
    assert "fences: 5 -> 4" in str(verified.stale(GOOD.replace("```toml\na = 1\n```\n", ""), entry))
    assert "skips: ['asks for a password'] -> ['no']" in str(
        verified.stale(GOOD.replace("asks for a password", "no"), entry)
    )
    assert verified.stale("Text.\n\n" + GOOD, entry) is None  # the line of a skip may move
