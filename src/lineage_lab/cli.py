"""The command ``lineage-lab``: the package's functions from a terminal.

Results go to stdout, progress and messages to stderr. Exit codes: 0 for a finished run, 1 where
a check found something, 2 for a mistake that the message explains (no traceback; ``--debug``
shows it), 130 for Ctrl-C, 143 for SIGTERM. Neighbours: `lineage_lab.comparison`,
`lineage_lab.finetuning`, `lineage_lab.predict`, `lineage_lab.export` and `lineage_lab.doctor` do
the work. torch is imported when a command needs it, so that ``--help`` is quick.
"""

import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from lineage_lab import __version__
from lineage_lab.faults import EXIT_CODES

__all__ = ["main"]

Report = Callable[[str, int, int, int, float], None]


def main() -> None:
    """Run the command line; never shows a traceback for a user's mistake."""
    debug = "--debug" in sys.argv
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("lineage_lab").setLevel(logging.INFO)
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
        if number := getattr(error, "signal", 0):  # finetuning.Interrupted
            click.echo(f"\n{error}\nTo go on:\n  {_again()}", err=True)
            sys.exit(128 + number)
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        if hasattr(error, "url"):  # WeightsUnavailable
            click.echo(
                "  To go on without pretrained weights: --random-weights "
                "(it learns from nothing, and the results say so)",
                err=True,
            )
        sys.exit(2)


def _again() -> str:
    """This very command, with ``--resume``."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    return shlex.join(["lineage-lab", *words, "--resume"])


def _exit_codes() -> str:
    """For ``--help``: the ledger's words, a line each."""
    width = max(len(str(code)) for code in EXIT_CODES)
    lines = [f"{code:>{width}}  {words}" for code, words in EXIT_CODES.items()]
    return "\b\nExit codes:\n" + "\n".join(lines)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_exit_codes())
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


@cli.group(invoke_without_command=True)
@click.pass_context
def data(context: click.Context) -> None:
    """List the data sets; ``data check DIR`` looks at a folder of your own."""
    if context.invoked_subcommand:
        return
    from lineage_lab.datasets import DATASETS

    rows: list[tuple[str, ...]] = [("data set", "images", "classes", "licence", "")]
    for name, found in DATASETS.items():
        rows.append((name, f"{found.images:,}", str(found.classes), found.licence, found.state()))
    rows.append(
        ("FOLDER", "", "", "", "a folder of class folders, or of train/ and val/ with them")
    )
    _columns(rows)


@data.command("check")
@click.argument("folder", type=click.Path(path_type=Path))
def check_data(folder: Path) -> None:
    """Open every image of FOLDER and tell all that is wrong at once; exit code 1 if anything is."""
    from lineage_lab.folders import check

    report = check(folder)
    click.echo(str(report))
    sys.exit(0 if report.ok else 1)


def _training_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        [
            click.option("--data", "source", required=True,
                         help="A name that `lineage-lab data` lists, or a folder."),
            click.option("--epochs", type=click.IntRange(1), help="Passes.  [default: 1]"),
            click.option("--minutes", type=float, help="Train for so long in place of --epochs."),
            click.option("--limit", type=click.IntRange(8), help="Use about so many images."),
            click.option("--batch-size", type=click.IntRange(2), help="Images a step."),
            click.option("--lr", type=float, help="Learning rate of the body."),
            click.option("--head-lr", type=float, help="Learning rate of the new head."),
            click.option("--precision", help="auto, fp32, tf32, bf16 or fp16."),
            click.option("--device", help="auto, cpu, cuda or mps."),
            click.option("--set", "lines", multiple=True, metavar="FIELD=VALUE",
                         help="Any other line of the recipe, such as mixup=0.2; may be repeated."),
            click.option("--threads", type=click.IntRange(1), help="Processor threads."),
            click.option("--random-weights", is_flag=True,
                         help="Start from random weights, and say so."),
            click.option("--out", type=click.Path(path_type=Path, file_okay=False),
                         help="Folder for results and checkpoints."),
            click.option("--resume", is_flag=True, help="Go on with what --out holds."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@cli.command()
@click.argument("names", nargs=-1, required=True)
@_training_options
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the results.")
def compare(
    names: tuple[str, ...],
    source: str,
    limit: int | None,
    seeds: int,
    random_weights: bool,
    json_file: Path | None,
    out: Path | None,
    resume: bool,
    threads: int | None,
    lines: tuple[str, ...],
    **settings: Any,
) -> None:
    """Fine-tune each of NAMES on the same images with the same budget; print the table.

    With --out the folder gets comparison.json, table.md, report.html, and each finished run.
    """
    from lineage_lab import comparison
    from lineage_lab.files import write_whole

    changes = _changes(threads, settings, lines)
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
            None,
            seeds,
            limit=limit,
            random_weights=random_weights,
            out=out,
            resume=resume,
            on_step=report,
            **changes,
        )
    _table(result)
    for words in result.words:
        click.echo(words)
    for file in files:
        result.save(file)
    if out:
        from lineage_lab.figures.report import report as html_report

        write_whole(out / "table.md", result.to_markdown())
        write_whole(out / "report.html", html_report(result))


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
    out: Path | None,
    resume: bool,
    threads: int | None,
    lines: tuple[str, ...],
    **settings: Any,
) -> None:
    """Fine-tune the network NAME once; with --out keep its checkpoints.

    Several GPUs or machines: torchrun --nproc-per-node N -m lineage_lab finetune NAME …
    """
    from dataclasses import replace

    from lineage_lab.data import load, split
    from lineage_lab.finetuning import finetune as routine
    from lineage_lab.recipe import recipe_for
    from lineage_lab.starting import starting_point

    if resume and not out:
        raise click.UsageError(
            "--resume goes on with a run that was kept: give its folder by --out"
        )
    start = starting_point(name, random=random_weights)
    recipe = replace(
        recipe_for(start.entry.family), **_changes(threads, settings, lines), seed=seed
    )
    train, val = split(load(source, size=start.entry.input_size[-1]), seed=seed, limit=limit)
    model = start.model(len(train.classes), seed=seed)
    with _progress(1) as report:

        def on_step(step: int, steps: int, loss: float) -> None:
            report(name, seed, step, steps, loss)

        history = routine(
            model, train, val, recipe, mean=start.mean, std=start.std, name=name, folder=out,
            resume=resume, on_step=on_step,
        )  # fmt: skip
    if os.environ.get("RANK", "0") != "0":  # of several processes one speaks for all
        return
    click.echo(
        f"{name} on {train.name}, seed {seed}: {100 * history.val_accuracy:.1f} % of {len(val):,} "
        f"validation images right after {history.train_seconds:.1f} s of training on "
        f"{history.device} ({history.images_per_second:.1f} images/s, {history.precision}, "
        f"{history.memory_format}{', compiled' if history.compiled else ''})"
    )
    if out:
        click.echo(f"kept: {out / 'best.ckpt'} (to use), {out / 'last.ckpt'} (to go on)")
        click.echo(f"try:  lineage-lab predict {shlex.quote(str(out / 'best.ckpt'))} IMAGE …")


@cli.command("lr-find")
@click.argument("name")
@_training_options
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curve.")
def find_rate(
    name: str,
    source: str,
    limit: int | None,
    random_weights: bool,
    threads: int | None,
    lines: tuple[str, ...],
    svg: Path | None,
    out: Path | None,
    resume: bool,
    **settings: Any,
) -> None:
    """Raise the learning rate step by step and watch the loss of NAME (nothing is kept)."""
    from dataclasses import replace

    from lineage_lab.data import load, split
    from lineage_lab.lr_finder import lr_find
    from lineage_lab.recipe import recipe_for
    from lineage_lab.starting import starting_point

    start = starting_point(name, random=random_weights)
    recipe = replace(recipe_for(start.entry.family), **_changes(threads, settings, lines))
    train, _ = split(load(source, size=start.entry.input_size[-1]), seed=0, limit=limit)
    curve = lr_find(start.model(len(train.classes), seed=0), train, recipe,
                    mean=start.mean, std=start.std)  # fmt: skip
    rows: list[tuple[str, ...]] = [("rate of the body", "loss, smoothed")]
    rows += [(f"{r:.2e}", f"{e:.3f}") for r, e in zip(curve.rates, curve.losses, strict=True)]
    _columns(rows)
    click.echo(f"falls fastest at {curve.steepest:.1e}; stay below {curve.highest:.1e}")
    if svg:
        from lineage_lab.figures.rates import rate_curve
        from lineage_lab.files import write_whole

        write_whole(svg, rate_curve(curve))


@cli.command()
@click.argument("source")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, help="Classes shown.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
def predict(source: str, paths: tuple[Path, ...], top: int, as_json: bool) -> None:
    """Name what is on each of PATHS (files or folders).

    SOURCE is a checkpoint, or the name of a network with ImageNet weights.
    """
    import json
    from dataclasses import asdict

    from lineage_lab.predict import Predictor

    is_file = source.endswith(".ckpt") or Path(source).exists()
    predictor = Predictor.load(Path(source)) if is_file else Predictor.pretrained(source)
    failed = 0
    for found in predictor.predict(paths, top=top):
        failed += bool(found.error)
        if as_json:
            click.echo(json.dumps({**asdict(found), "path": str(found.path)}, ensure_ascii=False))
        elif found.error:
            click.echo(f"{found.path}: {found.error}", err=True)
        else:
            named = ", ".join(f"{name} {100 * value:.1f} %" for name, value in found.top)
            click.echo(f"{found.path}: {named}")
    sys.exit(1 if failed else 0)


@cli.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
def export(checkpoint: Path, target: Path) -> None:
    """Write CHECKPOINT for other programs: TARGET ends in .onnx (ONNX) or .pt2 (torch.export)."""
    from lineage_lab.export import export_onnx, export_program
    from lineage_lab.predict import Predictor

    kinds = {".onnx": export_onnx, ".pt2": export_program}
    if target.suffix not in kinds:
        raise click.UsageError(f"{target}: the name must end in .onnx or .pt2")
    written = kinds[target.suffix](Predictor.load(checkpoint), target)
    click.echo(f"{target}: checked against torch, largest difference {written.difference:.1e}")


@cli.command()
@click.option("--offline", is_flag=True, help="Don't try the network.")
def doctor(offline: bool) -> None:
    """Print versions, devices, caches and what can be reached, to paste into an issue."""
    from lineage_lab.doctor import report

    _columns(list(report(ask_network=not offline)))


@cli.command()
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
    from lineage_lab.beside import beside
    from lineage_lab.comparison import Comparison

    results = [Comparison.load(each) for each in (file, other) if each]
    for number, result in enumerate(results):
        if number:
            click.echo()
        if markdown:
            click.echo(result.to_markdown(), nl=False)
        else:
            _table(result)
            for words in result.words:
                click.echo(words)
    if len(results) > 1:
        click.echo()
        for words in beside(*results):
            click.echo(f"- {words}" if markdown else words)


def _changes(
    threads: int | None, settings: dict[str, Any], lines: tuple[str, ...]
) -> dict[str, Any]:
    """The lines of the recipe that the options set."""
    import json

    from lineage_lab.recipe import Recipe

    changes = {name: value for name, value in settings.items() if value is not None}
    for line in lines:
        name, sign, text = line.partition("=")
        if not sign:
            raise click.UsageError(f"--set {line}: expected FIELD=VALUE, such as mixup=0.2")
        try:
            changes[name] = json.loads(text)
        except json.JSONDecodeError:
            changes[name] = text
    changes = {k: getattr(Recipe.from_dict(changes), k) for k in changes}
    if threads:
        import torch

        torch.set_num_threads(threads)
    return changes


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
