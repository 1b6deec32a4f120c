"""Commands that train: ``compare``, ``finetune``, ``lr-find``, and the options that they share."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lineage_lab.cli.output import columns, progress, table

__all__ = ["compare", "find_rate", "finetune"]


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


def _read_part(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Of ``K/N``; without it, of what torchrun tells each of its processes."""
    if text is None:
        size = int(os.environ.get("WORLD_SIZE", "1"))
        return (int(os.environ["RANK"]) + 1, size) if size > 1 else None
    which, _sign, of = text.partition("/")
    if not (which.isdecimal() and of.isdecimal() and 1 <= int(which) <= int(of)):
        raise click.BadParameter(f"{text!r}: expected K/N, such as 1/4 for the first of four")
    return int(which), int(of)


weights_option = click.option(
    "--weights",
    "weights_file",
    type=click.Path(path_type=Path),
    help="File of weights to start from, from anywhere.",
)


def _read_files(_: click.Context, __: click.Parameter, lines: tuple[str, ...]) -> dict[str, Path]:
    """Of ``NAME=PATH``."""
    files = {}
    for line in lines:
        name, sign, path = line.rpartition("=")
        if not sign:
            raise click.BadParameter(f"{line!r}: expected NAME=PATH, one of NAMES and its file")
        files[name] = Path(path)
    return files


@click.command()
@click.argument("names", nargs=-1, required=True)
@_training_options
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the results.")
@click.option(
    "--weights",
    "files_of_weights",
    multiple=True,
    metavar="NAME=PATH",
    callback=_read_files,
    help="File of weights that one of NAMES starts from; may be repeated.",
)
@click.option(
    "--part",
    metavar="K/N",
    callback=_read_part,
    help="Of several machines on one --out, this is the K-th of N.",
)
def compare(
    names: tuple[str, ...],
    source: str,
    limit: int | None,
    seeds: int,
    random_weights: bool,
    json_file: Path | None,
    files_of_weights: dict[str, Path],
    part: tuple[int, int] | None,
    out: Path | None,
    resume: bool,
    threads: int | None,
    lines: tuple[str, ...],
    **settings: Any,
) -> None:
    """Fine-tune each of NAMES on the same images with the same budget; print the table.

    With --out the folder gets comparison.json, table.md, report.html, and each finished run.

    Several machines share a folder: --part 1/4 to 4/4 of a job array, or torchrun, whose
    processes take a part each. The part that ends last prints the table.
    """
    from lineage_lab.comparing import comparison
    from lineage_lab.files import write_whole

    changes = _changes(threads, settings, lines)
    files = [json_file] if json_file else []
    if out:
        files.append(out / "comparison.json")
    for file in files:  # found out before hours of training, not after
        if file.is_dir():
            raise click.UsageError(f"{file} is a folder; --json takes a file")
    if part and not out:
        raise click.UsageError("parts of a comparison meet in a folder: give it by --out")
    if part:
        os.environ.pop("WORLD_SIZE", None)  # each run is of one process
    which, of = part or (1, 1)
    total = len(range(which - 1, len(names) * seeds, of))
    with progress(total) as report:
        result: comparison.Comparison | None
        if part and out:
            result = comparison.compare_part(
                names, source, part, None, seeds, out=out, limit=limit,
                random_weights=random_weights, weights=files_of_weights, on_step=report, **changes,
            )  # fmt: skip
        else:
            result = comparison.compare(
                names, source, None, seeds, limit=limit, random_weights=random_weights,
                weights=files_of_weights, out=out, resume=resume, on_step=report, **changes,
            )  # fmt: skip
    if result is None:
        click.echo(
            f"part {which} of {of} is done, others are not: its runs are in {out}. The part that "
            "ends last prints the table; so does this command with --resume in place of --part"
        )
        return
    table(result)
    for words in result.words:
        click.echo(words)
    for file in files:
        result.save(file)
    if out:
        from lineage_lab.comparing.report import report as html_report

        write_whole(out / "table.md", result.to_markdown())
        write_whole(out / "report.html", html_report(result))


@click.command()
@click.argument("name")
@_training_options
@click.option("--seed", type=int, default=0, show_default=True)
@weights_option
def finetune(
    name: str,
    weights_file: Path | None,
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

    NAME is one that `lineage-lab models` lists, timm/NAME, or what builds any other network by its
    import path and plain arguments: "torchvision.models.swin_t()", "mynets.Net(width=8)".

    Several GPUs or machines: torchrun --nproc-per-node N -m lineage_lab finetune NAME …
    """
    from dataclasses import replace

    from lineage_lab.data.sets import load, split
    from lineage_lab.training.loop import finetune as routine
    from lineage_lab.training.pretrained import starting_point
    from lineage_lab.training.recipe import recipe_for

    if resume and not out:
        raise click.UsageError(
            "--resume goes on with a run that was kept: give its folder by --out"
        )
    start = starting_point(name, random=random_weights, weights_file=weights_file)
    recipe = replace(
        recipe_for(start.entry.trained_as), **_changes(threads, settings, lines), seed=seed
    )
    train, val = split(load(source, size=start.entry.input_size[-1]), seed=seed, limit=limit)
    model = start.model(len(train.classes), seed=seed)
    with progress(1) as report:

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
        click.echo(
            f"kept: {out / 'best.ckpt'} (to use), {out / 'best.safetensors'} (for other programs), "
            f"{out / 'last.ckpt'} (to go on)"
        )
        click.echo(f"try:  lineage-lab predict {shlex.quote(str(out / 'best.ckpt'))} IMAGE …")


@click.command("lr-find")
@click.argument("name")
@_training_options
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curve.")
@weights_option
def find_rate(
    name: str,
    weights_file: Path | None,
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

    from lineage_lab.data.sets import load, split
    from lineage_lab.training.lr_finder import lr_find
    from lineage_lab.training.pretrained import starting_point
    from lineage_lab.training.recipe import recipe_for

    start = starting_point(name, random=random_weights, weights_file=weights_file)
    recipe = replace(recipe_for(start.entry.trained_as), **_changes(threads, settings, lines))
    train, _ = split(load(source, size=start.entry.input_size[-1]), seed=0, limit=limit)
    curve = lr_find(start.model(len(train.classes), seed=0), train, recipe,
                    mean=start.mean, std=start.std)  # fmt: skip
    rows: list[tuple[str, ...]] = [("rate of the body", "loss, smoothed")]
    rows += [(f"{r:.2e}", f"{e:.3f}") for r, e in zip(curve.rates, curve.losses, strict=True)]
    columns(rows)
    click.echo(f"falls fastest at {curve.steepest:.1e}; stay below {curve.highest:.1e}")
    if svg:
        from lineage_lab.cli.rates import rate_curve
        from lineage_lab.files import write_whole

        write_whole(svg, rate_curve(curve))


def _changes(
    threads: int | None, settings: dict[str, Any], lines: tuple[str, ...]
) -> dict[str, Any]:
    """The lines of the recipe that the options set."""
    import json

    from lineage_lab.training.recipe import Recipe

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
