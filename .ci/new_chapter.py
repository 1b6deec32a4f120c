"""Lays out a chapter for a network that the package can build already.

`make new-chapter SLUG=squeezenet NAME=SqueezeNet YEAR=2016 MODEL=squeezenet1_1` writes the page
and the chapter's folder, with its facts and its drawings, puts the page into the navigation by its
year, and runs its first snippet. Nothing that is there is written over. What is left to write is
marked in the page.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import string
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

PAGE = string.Template("""---
title: $name ($year)
description: $name, built as its paper has it, counted and tried.
tags:
  - history
  - $slug
---

# $name ($year)

<!-- verified:line -->

<p class="ll-lead">*Write here: what was new, in two sentences.*</p>

<div class="ll-meta" markdown>
<!-- reading:time --> · Level 2 · You need: [LeNet-5](lenet5.md) · To run the whole page: *how long*
</div>

<div class="ll-facts" markdown>
--8<-- "generated/$slug/facts.md"
</div>

## The problem

*Write here: what could not be done before.*

```python
import torch

from lineage_lab import create_model, describe
```

## The idea

*Write here: the idea, with the figure that makes it click.*

## The block

```python title="lineage_lab/models/$slug.py"
--8<-- "src/lineage_lab/models/$slug.py:forward"
```

## The network

```python
with torch.device("meta"):
    model = create_model("$model")
anatomy = describe(model)
print(f"{anatomy.parameters:,} parameters, {anatomy.macs:,} MACs")
print("receptive field:", anatomy.receptive_field)
```

## Try it

*Write here: snippets that show the idea work, and one that breaks it; five seeds or more.*

## Where ours departs from the paper

*Write here: each departure; a test pins it.*

## What it passed on

*Write here: what later networks took from it.*
""")

FOLDER = string.Template('"""$name, the chapter."""\n')

FACTS = string.Template('''"""$name. Sections and tables are those of the paper."""

from lineage_site.facts.ledger import Fact

__all__ = ["FACTS"]

FACTS = (Fact("First published", $year, "the paper's first version"),)
''')

DRAWINGS = string.Template('''"""The $name chapter's figures and tables."""

from lineage_site.drawing.chapter import fact_table

__all__ = ["draw"]


def draw() -> dict[str, str]:
    """All of the chapter's figures."""
    return {"facts.md": fact_table("$slug")}
''')


def fail(words: str) -> None:
    print(f"new-chapter: {words}", file=sys.stderr)
    raise SystemExit(2)


def in_navigation(config: str, slug: str, name: str, year: int) -> str:
    """mkdocs.yml with the page after the last chapter that is not younger."""
    rows = [line for line in config.splitlines() if ": chapters/" in line]
    if not rows:
        fail("mkdocs.yml lists no chapters as `- Name (year): chapters/slug.md`")
    new = f"      - {name} ({year}): chapters/{slug}.md"
    older = [row for row in rows if int(row.partition("(")[2][:4]) <= year]
    beside = older[-1] if older else rows[0]
    pair = f"{beside}\n{new}\n" if older else f"{new}\n{beside}\n"
    return config.replace(f"{beside}\n", pair)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="new-chapter", description="Lays out a chapter.")
    parser.add_argument("slug", help="file name without ending, such as squeezenet")
    parser.add_argument("name", help="the network's name, as its paper has it")
    parser.add_argument("year", type=int, help="of the paper's first version")
    parser.add_argument("model", help="a name that create_model takes")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", given.slug):
        fail(f"SLUG={given.slug} must be lower-case letters, digits and _")
    network = ROOT / f"src/lineage_lab/models/{given.slug}.py"
    if not network.is_file():
        fail(f"first write {network.relative_to(ROOT)}")
    if "[start:forward]" not in network.read_text(encoding="utf-8"):
        fail(f"{network.relative_to(ROOT)} has no marks around its forward, as alexnet.py has them")
    from lineage_lab.registry import list_models

    if given.model not in list_models():
        fail(f"MODEL={given.model} is no row of src/lineage_lab/registry.py")
    page = ROOT / f"docs/chapters/{given.slug}.md"
    words = {"slug": given.slug, "name": given.name, "year": given.year, "model": given.model}
    folder = ROOT / "src/lineage_site/chapters" / given.slug
    new = {
        page: PAGE,
        folder / "__init__.py": FOLDER,
        folder / "facts.py": FACTS,
        folder / "drawings.py": DRAWINGS,
    }
    for path in new:
        if path.exists():
            fail(f"{path.relative_to(ROOT)} is there already; nothing was written")
    config = ROOT / "mkdocs.yml"
    navigation = in_navigation(config.read_text("utf-8"), given.slug, given.name, given.year)
    for path, template in new.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(template.substitute(words), encoding="utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT)}")
    config.write_text(navigation, encoding="utf-8", newline="\n")
    print(f"added to {config.relative_to(ROOT)}")
    accept = [sys.executable, "-m", "tests.docs.harness", "accept", str(page)]
    if code := subprocess.run(accept, cwd=ROOT, check=False).returncode:
        return code
    print(f"now write {page.relative_to(ROOT)}: docs/contributing/add-an-architecture.md says how")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
