"""Tables that a page's script can sort: HTML, since Markdown has no place for ``data-``."""

from html import escape

__all__ = ["table", "table_row"]


def table_row(
    cells: tuple[tuple[float | str, str], ...],
    attributes: dict[str, str],
    numbers: tuple[int, ...],
) -> str:
    """A row of HTML: of each cell what it is sorted by and what is shown; then attributes."""
    told = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
    inner = "".join(
        f'<td data-value="{escape(str(value))}"{" data-number" if index in numbers else ""}>'
        f"{text}</td>"
        for index, (value, text) in enumerate(cells)
    )
    return f"<tr{told}>{inner}</tr>"


def table(
    name: str, caption: str, head: tuple[str, ...], rows: list[str], numbers: tuple[int, ...]
) -> str:
    """HTML, since Markdown has no place for the ``data-`` attributes."""
    cells = "".join(
        f'<th scope="col"{" data-number" if index in numbers else ""}>{words}</th>'
        for index, words in enumerate(head)
    )
    return "\n".join(
        (
            f'<div class="ll-data" id="{name}" role="region" aria-label="{caption}" tabindex="0">',
            "<table>",
            f"<caption>{caption}</caption>",
            f"<thead><tr>{cells}</tr></thead>",
            "<tbody>",
            *rows,
            "</tbody>",
            "</table>",
            "</div>",
            "",
        )
    )
