"""The reference beside which the page "Your run" puts the reader's own table."""

import json
from html import escape

from lineage_lab.comparing.charts import scatter
from lineage_lab.comparing.results import Comparison
from lineage_lab.training.recipe import Recipe
from lineage_site.drawing.records import RESULTS

__all__ = ["draw"]

REFERENCE = "elpv-lite.json"


def draw() -> dict[str, str]:
    """The reference's table and picture, its data for the page's script, and its file."""
    result = Comparison.load(RESULTS / REFERENCE)
    return {
        "reference.md": _shown(result),
        "data.md": _data(result),
        f"data/{REFERENCE}": (RESULTS / REFERENCE).read_text(encoding="utf-8"),
    }


def _shown(result: Comparison) -> str:
    """As the script shows the reader's; no blank line, since Markdown would end the block."""
    head, *body = result.cells()
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = (
        f'<tr><th scope="row"><span>{escape(first)}</span></th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in body
    )
    words = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.words)
    return "\n".join(
        (
            '<section class="ll-run" id="ll-reference">',
            f"<p>{escape(result.caption)}</p>",
            '<div class="ll-cells" role="region" tabindex="0" aria-label="The reference’s table">',
            f'<table class="ll-table"><thead><tr>{columns}</tr></thead>',
            f"<tbody>{''.join(lines)}</tbody></table>",
            "</div>",
            f'<figure class="ll-figure">{scatter(result)}</figure>',
            *((f"<ul>{words}</ul>",) if words else ()),
            f'<p class="ll-note">{escape(result.footnote)}</p>',
            "</section>",
            "",
        )
    )


def _data(result: Comparison) -> str:
    """The reference without its single answers, which no rule of the page needs."""
    found = json.loads(result.to_json())
    del found["derived"]
    for row in found["rows"]:
        for run in row["runs"]:
            run.update(truth=[], answers=[], losses=[], epochs=[])
    data = {"reference": found, "defaults": Recipe().to_dict()}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="ll-data">{text}</script>\n'
