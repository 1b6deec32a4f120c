"""A page is read once: its pieces, how long it takes, and what there is to do on it."""

import json
import re
from pathlib import Path

import pytest

from lineage_site.mkdocs.before_filling import TIME, with_time
from lineage_site.mkdocs.before_reading import Place, Reading, read
from tests.docs.harness import verified
from tests.docs.harness.grammar import ROOT

WORDS = "word " * 1000


def reading(text: str, docs: Path = ROOT / "docs") -> Reading:
    return read(text, Place("https://example.org/page/", docs, ROOT, lambda link: link))


@pytest.mark.parametrize(
    ("more", "time"),
    [
        ("", 5),
        ("\n```python\n" + "x = 1\n" * 60 + "```\n", 7),
        ('\n<figure class="ll-figure">\n</figure>\n' * 12, 7),
        ('\n??? success "Solution"\n\n    ' + WORDS + "\n", 5),
        ('\n??? question "Why?"\n\n    ' + WORDS + "\n", 10),
        ("\n[^note]: " + WORDS + "\n", 5),
    ],
)
def test_prose_code_and_figures_count_and_what_is_folded_does_not(more: str, time: int) -> None:
    assert reading(f"---\ntitle: x\n---\n\n{WORDS}\n{more}").minutes == time


def test_what_follows_an_include_is_counted(tmp_path: Path) -> None:
    (tmp_path / "table.md").write_text("| a |\n| - |\n", encoding="utf-8")
    text = f'{WORDS}\n\n--8<-- "table.md"\n\n{WORDS}\n\n<p>end</p>\n'
    assert reading(text, tmp_path).minutes == 10


def test_the_mark_becomes_words() -> None:
    assert with_time(f"a {TIME} b", 1) == "a About 1 minute to read b"
    assert with_time(f"a {TIME} b", 12) == "a About 12 minutes to read b"
    assert with_time("nothing", 1) == "nothing"


PAGE = """---
title: x
---
# Page

<!-- ```python
hidden()
``` -->

A claim.[^b] Another.[^a]

```python
print(re.findall("[^x]", text))
```

```{.text .output}
[]
```

??? success "Solution"

    ```python
    solved = True
    ```

1. A list

    ```bash
    make
    ```

--8<-- "quiz.md"

## Exercises

**1. First.** Do it.

**2. Second.** Do that.

[^a]: A source.
[^b]: See [there](other.md).
"""


def test_one_pass_gives_the_pieces_and_what_there_is_to_do(tmp_path: Path) -> None:
    (tmp_path / "quiz.md").write_text('<section class="ll-question">\n\n```python\n1\n```\n')
    page = reading(PAGE, tmp_path)
    assert (page.snippets, page.questions, page.exercises) == (4, 1, 2)
    code = [piece for piece in page.pieces if piece.code]
    assert [(piece.text, piece.output, piece.folded) for piece in code] == [
        ('print(re.findall("[^x]", text))', "[]", False),  # brackets in code are no footnote
        ("solved = True", "", True),
    ]
    prose = "\n".join(piece.text for piece in page.pieces if not piece.code)
    assert "hidden" not in prose
    assert "A claim.<sup>1</sup> Another.<sup>2</sup>" in prose
    assert prose.endswith("## References\n\n1. See [there](other.md).\n2. A source.")


def test_no_page_types_its_time_and_each_chapter_has_one() -> None:
    for page in verified.site_pages():
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"About \d+ minutes?", text), page.name
        if page.parent.name == "chapters":
            assert TIME in text, page.name
            assert 12 <= reading(text).minutes <= 24, page.name


def test_what_is_counted_is_what_the_built_pages_mark(built_site: Path) -> None:
    pages = json.loads((built_site / "assets/progress.json").read_text(encoding="utf-8"))["pages"]
    assert len(pages) > 8
    for name, counts in pages.items():
        html = (built_site / name / "index.html").read_text(encoding="utf-8")
        marks = re.findall(rf'data-ll-mark="{name}/(\d+)"', html)
        items = [counts[kind] for kind in ("snippets", "questions", "exercises")]
        assert sorted(map(int, marks)) == sorted(n for item in items for n in range(1, item + 1))
        page = reading((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8"))
        assert f'data-minutes="{page.minutes}"' in html
