"""Lays out a chapter for a network that the package can build already.

`make new-chapter SLUG=squeezenet NAME=SqueezeNet YEAR=2016 MODEL=squeezenet1_1` writes the page,
its ledger of facts and its figures' module, puts the page into the navigation by its year, marks
the network's `forward` for it, and runs its first snippet. Nothing that is there is written over.
What is left to write is marked in the page.
"""

from __future__ import annotations

import argparse
import ast
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

LEDGER = string.Template('''"""$name. Sections and tables are those of the paper."""

from lineage_site.facts.ledger import Fact

__all__ = ["FACTS"]

FACTS = (Fact("First published", $year, "the paper's first version"),)
''')

FIGURES = string.Template('''"""The $name chapter's figures and tables."""

from lineage_site.drawing.chapter import fact_table

__all__ = ["draw"]


def draw() -> dict[str, str]:
    """All of the chapter's figures."""
    return {"facts.md": fact_table("$slug")}
''')


def fail(words: str) -> None:
    print(f"new-chapter: {words}", file=sys.stderr)
    raise SystemExit(2)


def marked(source: str) -> str:
    """A network's file with marks around its `forward`, for the page; empty where it has none."""
    if "[start:forward]" in source:
        return source
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    inside = classes[-1].body if classes else []
    found = [n for n in inside if isinstance(n, ast.FunctionDef) and n.name == "forward"]
    if not found:
        return ""
    lines = source.splitlines()
    start, end = found[0].lineno - 1, found[0].end_lineno
    marks = (f"    # --8<-- [{word}:forward]" for word in ("start", "end"))
    return "\n".join(
        [*lines[:start], next(marks), *lines[start:end], "", next(marks), *lines[end:], ""]
    )


def in_navigation(config: str, slug: str, name: str, year: int) -> str:
    """mkdocs.yml with the page after the last chapter that is not younger."""
    rows = list(re.finditer(r"^ +- [^\n]*\((\d{4})\): chapters/[^\n]*\n", config, re.M))
    if not rows:
        fail("mkdocs.yml lists no chapters as `- Name (year): chapters/slug.md`")
    older = [row for row in rows if int(row[1]) <= year]
    place = older[-1].end() if older else rows[0].start()
    return f"{config[:place]}      - {name} ({year}): chapters/{slug}.md\n{config[place:]}"


def in_topics(source: str, slug: str) -> str:
    """The list of figures' topics with the chapter after the other ones."""
    rows = list(re.finditer(r"^    \"\w+\": _chapter\([^\n]*\),\n", source, re.M))
    place = rows[-1].end()
    return f'{source[:place]}    "{slug}": _chapter("{slug}"),\n{source[place:]}'


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
    code = marked(network.read_text(encoding="utf-8"))
    if not code:
        fail(f"{network.relative_to(ROOT)} has no class with a forward at its end")
    from lineage_lab.registry import list_models

    if given.model not in list_models():
        fail(f"MODEL={given.model} is no row of src/lineage_lab/registry.py")
    page = ROOT / f"docs/chapters/{given.slug}.md"
    words = {"slug": given.slug, "name": given.name, "year": given.year, "model": given.model}
    new = {
        page: PAGE,
        ROOT / f"src/lineage_lab/ledger/{given.slug}.py": LEDGER,
        ROOT / f"src/lineage_lab/figures/{given.slug}.py": FIGURES,
    }
    for path in new:
        if path.exists():
            fail(f"{path.relative_to(ROOT)} is there already; nothing was written")
    config, topics = ROOT / "mkdocs.yml", ROOT / "src/lineage_site/drawing/build.py"
    navigation = in_navigation(config.read_text("utf-8"), given.slug, given.name, given.year)
    listed = in_topics(topics.read_text("utf-8"), given.slug)
    for path, template in new.items():
        path.write_text(template.substitute(words), encoding="utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT)}")
    for path, text in ((config, navigation), (topics, listed), (network, code)):
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"added to {path.relative_to(ROOT)}")
    accept = [sys.executable, "-m", "tests.docs.harness", "accept", str(page)]
    if code := subprocess.run(accept, cwd=ROOT, check=False).returncode:
        return code
    print(f"now write {page.relative_to(ROOT)}: docs/contributing/add-an-architecture.md says how")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
