"""The command ``lineage-lab``: the package's functions from a terminal.

Results go to stdout, progress and messages to stderr. Exit codes: 0 for a finished run, 2 for
a mistake that the message explains (no traceback; ``--debug`` shows it), 130 for Ctrl-C.
Neighbours: `lineage_lab.comparison` and `lineage_lab.finetuning` do the work. torch is
imported when a command needs it, so that ``--help`` is quick.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lineage_lab import __version__

if TYPE_CHECKING:
    from lineage_lab.recipe import Recipe

__all__ = ["main"]

Report = Callable[[str, int, int, int, float], None]


def main() -> None:
    """Run the command line; never shows a traceback for a user's mistake."""
    debug = "--debug" in sys.argv
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted: nothing was written", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        if hasattr(error, "url"):  # WeightsUnavailable
            click.echo(
                "  To go on without pretrained weights: --random-weights (each row then says so)",
                err=True,
            )
        sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lineage-lab")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """The networks from LeNet-5 to ViT: take them apart, fine-tune them, compare them."""


@cli.command()
@click.option("--family", help="Only this family.")
def models(family: str | None) -> None:
    """List the networks."""
    from lineage_lab.registry import entry, list_models

    rows: list[tuple[str, ...]] = [("network", "family", "input", "weights", "")]
    for name in list_models(family):
        row = entry(name)
        weights = ", ".join(w.name for w in row.weights) or "–"
        rows.append((name, row.family, "×".join(map(str, row.input_size)), weights, row.note))
    _columns(rows)


@cli.command()
@click.argument("model")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
def describe(model: str, markdown: bool) -> None:
    """Take MODEL apart: each layer's parameters, MACs and receptive field."""
    from lineage_lab import anatomy
    from lineage_lab.registry import create_model, entry

    found = anatomy.describe(create_model(model), entry(model).input_size)
    click.echo(found.to_markdown() if markdown else str(found))


@cli.command()
def data() -> None:
    """List the data sets that install from packages."""
    from lineage_lab.data import DATASETS, load

    rows: list[tuple[str, ...]] = [("data set", "images", "classes", "licence")]
    for name in DATASETS:
        try:
            found = load(name, size=32)
        except FileNotFoundError as error:
            rows.append((name, "–", "–", str(error)))
        else:
            rows.append((name, f"{len(found):,}", ", ".join(found.classes), found.licence))
    rows.append(("FOLDER", "", "", "a folder of class folders, or of train/ and val/ with them"))
    _columns(rows)


def _training_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        [
            click.option("--data", "source", required=True, help="elpv, digits, or a folder."),
            click.option("--epochs", type=click.IntRange(1), default=1, show_default=True),
            click.option("--limit", type=click.IntRange(8), help="Use about so many images."),
            click.option("--batch-size", type=click.IntRange(2), default=16, show_default=True),
            click.option("--lr", type=float, help="Learning rate of the body."),
            click.option("--head-lr", type=float, help="Learning rate of the new head."),
            click.option("--precision", type=click.Choice(["auto", "fp32", "bf16"])),
            click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"])),
            click.option("--threads", type=click.IntRange(1), help="Processor threads."),
            click.option(
                "--random-weights", is_flag=True, help="Start from random weights, and say so."
            ),
        ]
    ):
        command = option(command)
    return command


@cli.command()
@click.argument("names", nargs=-1, required=True)
@_training_options
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the results.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for comparison.json and table.md."
)
def compare(
    names: tuple[str, ...],
    source: str,
    limit: int | None,
    seeds: int,
    random_weights: bool,
    json_file: Path | None,
    out: Path | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Fine-tune each of NAMES on the same images with the same recipe; print the table."""
    from lineage_lab import comparison
    from lineage_lab.files import write_whole

    recipe = _recipe(threads, settings)
    files = [json_file] if json_file else []
    if out:
        files.append(out / "comparison.json")
    for file in files:  # found out before hours of training, not after
        if file.is_dir():
            raise click.UsageError(f"{file} is a folder; --json takes a file")
    with _progress(len(names) * seeds) as report:
        result = comparison.compare(
            names,
            source,
            recipe,
            seeds,
            limit=limit,
            random_weights=random_weights,
            on_step=report,
        )
    _table(result)
    for file in files:
        result.save(file)
    if out:
        write_whole(out / "table.md", result.to_markdown())


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
def show(file: Path, markdown: bool) -> None:
    """Print the table of FILE, which ``compare --json`` wrote."""
    from lineage_lab.comparison import Comparison

    result = Comparison.load(file)
    if markdown:
        click.echo(result.to_markdown(), nl=False)
    else:
        _table(result)


@cli.command()
@click.argument("name")
@_training_options
@click.option("--seed", type=int, default=0, show_default=True)
def finetune(
    name: str,
    source: str,
    limit: int | None,
    seed: int,
    random_weights: bool,
    threads: int | None,
    **settings: Any,
) -> None:
    """Fine-tune the network NAME once and print what came of it."""
    from lineage_lab import comparison

    recipe = _recipe(threads, settings)
    with _progress(1) as report:
        result = comparison.compare(
            (name,),
            source,
            recipe,
            (seed,),
            limit=limit,
            random_weights=random_weights,
            on_step=report,
        )
    _table(result)


def _recipe(threads: int | None, settings: dict[str, Any]) -> "Recipe":
    import torch

    from lineage_lab.recipe import Recipe

    if threads:
        torch.set_num_threads(threads)
    return Recipe(**{name: value for name, value in settings.items() if value is not None})


@contextmanager
def _progress(runs: int) -> Iterator[Report]:
    """A bar on a terminal; in a log a line at the start of each run and every ten seconds."""
    from rich.console import Console
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
                words = f"{name}, seed {seed} ({run}/{runs})  loss {loss:.3f}"
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


def _table(result: Any) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    head, *body = result.cells()
    console = Console()
    # In a log there is no width to keep to: the table stays in one piece.
    if not console.is_terminal:
        console = Console(width=200)
    table = Table(box=box.SIMPLE_HEAD, title=result.caption, title_justify="left")
    for column, name in enumerate(head):
        table.add_column(name, justify="left" if column in (0, len(head) - 1) else "right")
    for row in body:
        table.add_row(*row)
    console.print(table)
    console.print(result.footnote, highlight=False)


def _columns(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
