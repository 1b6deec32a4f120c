"""Commands that train nothing: ``models``, ``describe``, ``data``, ``doctor``, ``show``."""

from pathlib import Path
from typing import Any

import click

from lineage_lab.cli.output import columns, counting, table
from lineage_lab.cli.sources import source_from, source_options
from lineage_lab.files import one_line, refuse_to_replace

__all__ = ["data", "describe", "doctor", "models", "show"]


@click.command()
@click.option("--family", help="Only this family.")
def models(family: str | None) -> None:
    """List the networks."""
    from lineage_lab.registry import entry, list_models

    rows: list[tuple[str, ...]] = [("network", "family", "input", "weights", "")]
    for name in list_models(family):
        row = entry(name)
        weights = ", ".join(w.name for w in row.weights) or "–"
        rows.append((name, row.family, "×".join(map(str, row.input_size)), weights, row.note))
    columns(rows)


@click.command()
@click.argument("model")
@click.option("--size", type=click.IntRange(1), help="Side of the image in pixels.")
@click.option("--num-classes", type=click.IntRange(1), help="Classes of the head.")
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
def describe(model: str, size: int | None, num_classes: int | None, markdown: bool) -> None:
    """Take MODEL apart: each layer's parameters, MACs and receptive field.

    Without --size, at the size that its published weights were trained for.
    """
    from lineage_lab.anatomy import network as anatomy
    from lineage_lab.registry import create_model, entry

    row = entry(model)
    channels, *sides = row.input_size
    image = (channels, size, size) if size else (channels, *sides)
    classes = num_classes or row.num_classes
    seen = anatomy.describe(create_model(model, num_classes=num_classes), image)
    notes = [
        f"{model} on {'×'.join(map(str, image))} (channels × height × width), {classes:,} classes"
    ]
    if seen.left_out:
        notes.append(f"left out in eval: {', '.join(seen.left_out)}")
    if markdown:
        click.echo("\n\n".join((seen.to_markdown(), *notes)))
    else:
        head, *others = notes
        click.echo("\n".join((head, *others, "", str(seen))))


@click.group(invoke_without_command=True)
@click.pass_context
def data(context: click.Context) -> None:
    """List the data sets; ``data check DIR`` looks at a folder of your own."""
    if context.invoked_subcommand:
        return
    from lineage_lab.data.named import DATASETS

    rows: list[tuple[str, ...]] = [("data set", "images", "classes", "licence", "")]
    for name, found in DATASETS.items():
        rows.append((name, f"{found.images:,}", str(found.classes), found.licence, found.state()))
    rows.append(
        ("PATH", "", "", "", "a folder of class folders, or of train/, val/ and test/; or a table")
    )
    columns(rows)


@data.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
@source_options
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page to look at: pictures of each class, twins, what is left out.",
)
@click.option("--overwrite", is_flag=True, help="Replace the page that is there already.")
def check_data(folder: Path, html: Path | None, overwrite: bool, **options: Any) -> None:
    """Open every image of FOLDER (or of a table) and tell all that is wrong at once.

    The exit code is 1 if anything is.
    """
    from lineage_lab.data.checking import examine
    from lineage_lab.files import write_whole

    if html and not overwrite:
        refuse_to_replace(html, ways="give --overwrite, or another name")
    with counting() as on_image:
        found = examine(source_from(folder, options), on_image=on_image)
    if html:
        from lineage_lab.data.contact_sheet import contact_sheet

        write_whole(html, contact_sheet(found))
    click.echo(str(found.report))
    if html:
        click.echo(f"written: {html}")
    raise click.exceptions.Exit(0 if found.report.ok else 1)


@click.command()
@click.option("--offline", is_flag=True, help="Don't try the network.")
def doctor(offline: bool) -> None:
    """Print versions, devices, caches and what can be reached, to paste into an issue."""
    from lineage_lab.cli.doctor import report

    columns(list(report(ask_network=not offline)))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="Print a Markdown table.")
@click.option(
    "--beside",
    "other",
    type=click.Path(path_type=Path),
    help="Another such file: print its table too, and what may not be compared.",
)
def show(file: Path, markdown: bool, other: Path | None) -> None:
    """Print the table of FILE, which ``compare`` wrote."""
    from lineage_lab.comparing.comparable import comparability
    from lineage_lab.comparing.results import Comparison

    results = [Comparison.load(each) for each in (file, other) if each]
    for number, result in enumerate(results):
        if number:
            click.echo()
        if markdown:
            click.echo(result.to_markdown(), nl=False)
        else:
            table(result)
            for words in (*result.words, *result.metric_words):
                click.echo(one_line(words))
    if len(results) > 1:
        click.echo()
        for words in comparability(*results):
            click.echo(one_line(f"- {words}" if markdown else words))
