"""What the commands print: a bar or lines while a run goes on, tables, columns."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import click

from lineage_lab.files import one_line

__all__ = ["columns", "counting", "progress", "table"]

Report = Callable[[str, int, int, int, float], None]


@contextmanager
def progress(runs: int) -> Iterator[Report]:
    """A bar on a terminal; in a log a line at the start of each run and every ten seconds."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    console = Console(stderr=True)
    run = 0
    last = time.monotonic()

    def begins(step: int) -> None:
        nonlocal run
        run += step == 1

    if console.is_terminal:
        with Progress(console=console, transient=True) as bar:
            task = bar.add_task("reading images and warming up", total=None)

            def on_bar(name: str, seed: int, step: int, steps: int, loss: float) -> None:
                begins(step)
                words = escape(f"{name}, seed {seed} ({run}/{runs})  loss {loss:.3f}")
                bar.update(task, description=words, completed=step, total=steps)

            yield on_bar
        return

    def on_line(name: str, seed: int, step: int, steps: int, loss: float) -> None:
        nonlocal last
        begins(step)
        if step in (1, steps) or time.monotonic() - last > 10:
            last = time.monotonic()
            where = f"[{run}/{runs}] {name}, seed {seed}"
            click.echo(f"{where}: step {step}/{steps}, loss {loss:.3f}", err=True)

    yield on_line


@contextmanager
def counting(what: str = "opening images") -> Iterator[Callable[[int, int], None] | None]:
    """A bar over a number of images on a terminal; nothing in a log."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def table(result: Any) -> None:
    """Print a comparison's table with its caption and footnote."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head, *body = result.cells()
    console = Console()
    # In a log there is no width to keep to: the table stays in one piece.
    if not console.is_terminal:
        console = Console(width=200)

    def shown(text: str) -> Text:
        """As `Text`: a name may hold what Rich would read as markup."""
        return Text(one_line(text).encode(console.encoding, "plain").decode(console.encoding))

    drawn = Table(box=box.SIMPLE_HEAD, title=shown(result.caption), title_justify="left")
    for column, name in enumerate(head):
        side: Literal["left", "right"] = "left" if column in (0, len(head) - 1) else "right"
        drawn.add_column(shown(name), justify=side)
    for row in body:
        drawn.add_row(*(shown(cell) for cell in row))
    console.print(drawn)
    console.print(shown(result.footnote))


def columns(rows: list[tuple[str, ...]]) -> None:
    """Print rows of text, each column as wide as it must be."""
    rows = [tuple(one_line(cell) for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
