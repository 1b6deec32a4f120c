"""Commands that train nothing: ``models``, ``describe``, ``data``, ``doctor``, ``show``."""

import sys
from pathlib import Path

import click

from lineage_lab.cli.output import columns, table

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
        ("FOLDER", "", "", "", "a folder of class folders, or of train/ and val/ with them")
    )
    columns(rows)


@data.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
def check_data(folder: Path) -> None:
    """Open every image of FOLDER and tell all that is wrong at once; exit code 1 if anything is."""
    from lineage_lab.data.folders import check

    report = check(folder)
    click.echo(str(report))
    sys.exit(0 if report.ok else 1)


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
    from lineage_lab.comparing.comparable import beside
    from lineage_lab.comparing.results import Comparison

    results = [Comparison.load(each) for each in (file, other) if each]
    for number, result in enumerate(results):
        if number:
            click.echo()
        if markdown:
            click.echo(result.to_markdown(), nl=False)
        else:
            table(result)
            for words in result.words:
                click.echo(words)
    if len(results) > 1:
        click.echo()
        for words in beside(*results):
            click.echo(f"- {words}" if markdown else words)
