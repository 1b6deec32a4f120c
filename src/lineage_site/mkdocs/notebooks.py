"""Makes a notebook of each page that has snippets, and the box that says how to run them.

A hook of mkdocs. The cells are the page's Markdown and its fences in their order, with the outputs
that the tests assert. The box is overrides/partials/run.html, set under a page's small line, or at
the top of a lab.
"""

import json
import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import nbformat
from plain import Piece, pieces, place_of

MARK, BOX = '<div class="ll-meta">', "<!-- partial:run -->"
MADE: dict[str, str] = {}  # path in the site -> notebook
# The same as the labs' first cell, which a test holds it to.
INSTALL = '''\
# Installs the package where it is missing, as on a hosted notebook; does nothing otherwise.
import importlib.util

if importlib.util.find_spec("lineage_lab") is None:
    %pip install -q "lineage-lab[docs] @ git+https://github.com/lineage-lab/lineage-lab"'''


def notebook(parts: list[Piece], page: str) -> str:
    """The parts as cells. Cell names are numbers, so that the same page gives the same file."""
    cells = [
        nbformat.v4.new_markdown_cell(f"*This notebook is the page <{page}>, with its snippets.*"),
        nbformat.v4.new_code_cell(INSTALL),
    ]
    for part in parts:
        if not part.code:
            cells.append(nbformat.v4.new_markdown_cell(part.text))
            continue
        cell = nbformat.v4.new_code_cell(part.text)
        if part.output:
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=part.output)]
        if part.folded:
            cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
        cells.append(cell)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(book)
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def name_of(page: Any) -> str:
    return posixpath.basename(page.file.src_uri).rpartition(".")[0] + ".ipynb"


def on_page_content(html: str, page: Any, config: Any, files: Any, **_: Any) -> str:
    """Makes the page's notebook; sets the box under its small line, or at the top of a lab."""
    page.notebook = name_of(page)
    page.lab = page.file.src_uri.endswith(".ipynb")
    if page.lab:
        return BOX + html
    if MARK not in html:
        return html
    parts = pieces(page.file.content_string, place_of(page, config, files))
    if not any(part.code for part in parts):
        return html
    MADE[page.url + page.notebook] = notebook(parts, urljoin(config["site_url"] or "", page.url))
    end = html.index("</div>", html.index(MARK)) + len("</div>")
    return html[:end] + BOX + html[end:]


def on_post_build(config: Any) -> None:
    for path, text in MADE.items():
        target = Path(config["site_dir"]) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
