"""Commands that train: ``compare``, ``finetune``, ``probe``, ``lr-find``, and their options."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lineage_lab.cli.output import columns, progress, table
from lineage_lab.cli.sources import source_from, source_options
from lineage_lab.files import one_line, refuse_to_replace

if TYPE_CHECKING:
    from lineage_lab.data.sets import ImageSet
    from lineage_lab.training.pretrained import StartingPoint
    from lineage_lab.training.recipe import Recipe

__all__ = ["compare", "find_rate", "finetune", "probe"]


_OPTIONS: dict[str, Callable[[Callable[..., None]], Callable[..., None]]] = {
    "source": click.option("--data", "source", required=True,
        help="A name that `lineage-lab data` lists, a folder, or a table."),
    "epochs": click.option("--epochs", type=click.IntRange(1), help="Passes.  [default: 1]"),
    "minutes": click.option("--minutes", type=float,
        help="Train for so long in place of --epochs."),
    "limit": click.option("--limit", type=click.IntRange(8), help="Use about so many images."),
    "batch_size": click.option("--batch-size", type=click.IntRange(2), help="Images a step."),
    "lr": click.option("--lr", type=float, help="Learning rate of the body."),
    "head_lr": click.option("--head-lr", type=float, help="Learning rate of the new head."),
    "precision": click.option("--precision", help="auto, fp32, tf32, bf16 or fp16."),
    "device": click.option("--device", help="auto, cpu, cuda or mps."),
    "metric": click.option("--metric", help="What best.ckpt is chosen by, such as "
        "balanced_accuracy, f1 or auroc.  [default: by the classes' sizes]"),
    "patience": click.option("--patience", type=click.IntRange(0),
        help="Stop after so many epochs without a better one."),
    "threshold": click.option("--threshold", help="Choose on the validation images from where the "
        "smallest class is named: balanced, recall=0.9, precision=0.65, cost=5."),
    "test": click.option("--test", type=float,
        help="Keep this share of the images, which nothing is chosen by."),
    "lines": click.option("--set", "lines", multiple=True, metavar="FIELD=VALUE",
        help="Any other line of the recipe, such as mixup=0.2; may be repeated."),
    "threads": click.option("--threads", type=click.IntRange(1, 4096), help="Processor threads."),
    "random_weights": click.option("--random-weights", is_flag=True,
        help="Start from random weights, and say so."),
    "out": click.option("--out", type=click.Path(path_type=Path, file_okay=False),
        help="Folder for results and checkpoints."),
    "resume": click.option("--resume", is_flag=True, help="Go on with what --out holds."),
    "overwrite": click.option("--overwrite", is_flag=True, help="Replace what is there already."),
}  # fmt: skip
_OF_STEPS = ("epochs", "minutes", "batch_size", "lr", "head_lr", "patience", "resume")


def _training_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS.values()):
        command = option(command)
    return source_options(command)


def _probe_options(command: Callable[..., None]) -> Callable[..., None]:
    for name in reversed(_OPTIONS):
        if name not in _OF_STEPS:
            command = _OPTIONS[name](command)
    return source_options(command)


def _read_part(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Of ``K/N``; without it, of what torchrun tells each of its processes."""
    if text is None:
        size = int(os.environ.get("WORLD_SIZE", "1"))
        return (int(os.environ["RANK"]) + 1, size) if size > 1 else None
    which, _sign, of = text.partition("/")
    if not (which.isdecimal() and of.isdecimal() and 1 <= int(which) <= int(of)):
        raise click.BadParameter(f"{text!r}: expected K/N, such as 1/4 for the first of four")
    return int(which), int(of)


_weights = click.option(
    "--weights",
    "weights_file",
    type=click.Path(path_type=Path),
    help="File of weights to start from, from anywhere.",
)


def _files_of(names: tuple[str, ...], lines: tuple[str, ...]) -> dict[str, Path]:
    """Files of weights by network, from lines ``NAME=PATH``; both may hold more equals signs."""
    files = {}
    for line in lines:
        name = next((name for name in names if line.startswith(f"{name}=")), None)
        if name is None:
            raise click.BadParameter(
                f"{line!r}: expected NAME=PATH, one of {', '.join(names)} and its file",
                param_hint="--weights",
            )
        files[name] = Path(line.removeprefix(f"{name}="))
    return files


@click.command()
@click.argument("names", nargs=-1, required=True)
@_training_options
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the results.")
@click.option(
    "--weights",
    "weights_lines",
    multiple=True,
    metavar="NAME=PATH",
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
    weights_lines: tuple[str, ...],
    part: tuple[int, int] | None,
    out: Path | None,
    resume: bool,
    overwrite: bool,
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

    images = source_from(source, settings)
    changes = _changes(threads, settings, lines)
    weights_files = _files_of(names, weights_lines)
    files = [json_file] if json_file else []
    if out:
        files.append(out / "comparison.json")
    for file in files:  # found out before hours of training, not after
        if file.is_dir():
            raise click.UsageError(f"{file} is a folder; --json takes a file")
    if json_file and not (resume or overwrite):
        refuse_to_replace(json_file, ways="give --overwrite, or another name")
    if out and not (part or resume or overwrite):
        comparison.refuse_earlier_runs(out)
    if out and (part or resume) and not overwrite and files[-1].is_file():
        _refuse_to_lose(files[-1], names)
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
                names, images, part, None, seeds, out=out, limit=limit,
                random_weights=random_weights, weights=weights_files, on_step=report, **changes,
            )  # fmt: skip
        else:
            result = comparison.compare(
                names, images, None, seeds, limit=limit, random_weights=random_weights,
                weights=weights_files, out=out, resume=resume, overwrite=overwrite,
                on_step=report, **changes,
            )  # fmt: skip
    if result is None:
        click.echo(
            f"part {which} of {of} is done, others are not: its runs are in {out}. The part that "
            "ends last prints the table; so does this command with --resume in place of --part"
        )
        return
    for file in files:  # on the disk before anything is printed, which may fail
        result.save(file)
    if out:
        from lineage_lab.comparing.report import report as html_report

        write_whole(out / "table.md", result.to_markdown())
        write_whole(out / "report.html", html_report(result))
    table(result)
    for words in (*result.words, *result.metric_words):
        click.echo(one_line(words))


def _refuse_to_lose(file: Path, names: tuple[str, ...]) -> None:
    """An earlier table may gain networks, and lose none without being asked."""
    from lineage_lab.comparing.results import Comparison

    lost = [row.name for row in Comparison.load(file).rows if row.name not in names]
    if lost:
        raise FileExistsError(
            f"{file} has {', '.join(lost)} too, which this comparison leaves out, and nothing was "
            "changed: name them as well, give --overwrite, or choose another folder"
        )


@click.command()
@click.argument("name")
@_training_options
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option(
    "--curve", is_flag=True, help="Train on 10, 30 and 100 % of the images: would more help?"
)
@_weights
def finetune(
    name: str,
    weights_file: Path | None,
    source: str,
    limit: int | None,
    seed: int,
    curve: bool,
    random_weights: bool,
    out: Path | None,
    resume: bool,
    overwrite: bool,
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

    from lineage_lab.data.sets import load
    from lineage_lab.training.loop import finetune as routine
    from lineage_lab.training.metrics import METRICS, wilson
    from lineage_lab.training.pretrained import starting_point
    from lineage_lab.training.recipe import recipe_for
    from lineage_lab.training.resume import refuse_earlier_run
    from lineage_lab.training.validation import split_for

    if resume and not out:
        raise click.UsageError(
            "--resume goes on with a run that was kept: give its folder by --out"
        )
    if out and not (resume or overwrite):
        refuse_earlier_run(out)
    images = source_from(source, settings)
    start = starting_point(name, random=random_weights, weights_file=weights_file)
    recipe = replace(
        recipe_for(start.entry.trained_as), **_changes(threads, settings, lines), seed=seed
    )
    channels, _, side = start.entry.input_size
    train, val, *_ = split_for(load(images, size=side, channels=channels), recipe, limit=limit)
    if curve:
        _draw_curve(start, train, val, recipe, out)
        return
    model = start.model(len(train.classes), seed=seed)
    with progress(1) as report:

        def on_step(step: int, steps: int, loss: float) -> None:
            report(name, seed, step, steps, loss)

        history = routine(
            model, train, val, recipe, mean=start.mean, std=start.std, name=name, folder=out,
            resume=resume, overwrite=overwrite, on_step=on_step,
        )  # fmt: skip
    if os.environ.get("RANK", "0") != "0":  # of several processes one speaks for all
        return
    # What is printed is what the kept file gives; without a folder nothing but the last is there.
    number = history.best_epoch if out else len(history.epochs)
    epoch = history.epochs[number - 1]
    low, high = wilson(epoch.val_accuracy * len(val), len(val))
    click.echo(
        f"{name} on {one_line(train.name)}, seed {seed}: {100 * epoch.val_accuracy:.1f} % "
        f"(95 % interval {100 * low:.1f} to {100 * high:.1f}) of {len(val):,} "
        f"validation images right after {history.train_seconds:.1f} s of training on "
        f"{history.device} ({history.images_per_second:.1f} images/s, {history.precision}, "
        f"{history.memory_format}{', compiled' if history.compiled else ''})"
    )
    words = []
    if history.metric != "accuracy":
        value = "–" if epoch.val_score is None else f"{epoch.val_score:.3f}"
        words.append(f"{METRICS[history.metric]} {value}")
    if len(history.epochs) > 1:
        which = f"the best by {METRICS[history.metric]}" if out else "the last"
        words.append(f"after epoch {number} of {len(history.epochs)}, {which}")
    if words:
        click.echo("; ".join(words))
    if len(set(history.answers)) == 1:
        only = train.classes[history.answers[0]]
        click.echo(f"after the last epoch every validation image is named {only!r}: the network "
                   "tells nothing apart")  # fmt: skip
    if out:
        click.echo(
            f"kept: {out / 'best.ckpt'} (to use), {out / 'best.safetensors'} (for other programs), "
            f"{out / 'last.ckpt'} (to go on)"
        )
        if recipe.test:
            best = shlex.quote(str(out / "best.ckpt"))
            click.echo(f"then: lineage-lab evaluate {best} {shlex.quote(source)} --part test")
        click.echo(f"try:  lineage-lab predict {shlex.quote(str(out / 'best.ckpt'))} IMAGE …")


def _draw_curve(
    start: "StartingPoint", train: "ImageSet", val: "ImageSet", recipe: "Recipe", out: Path | None
) -> None:
    """The same training on parts of the images: a line each, a sentence, with --out a picture."""
    from lineage_lab.comparing.image_curve import SHARES, image_curve
    from lineage_lab.files import write_whole
    from lineage_lab.training.metrics import METRICS

    with progress(len(SHARES)) as report:

        def on_step(step: int, steps: int, loss: float) -> None:
            report(start.entry.name, recipe.seed, step, steps, loss)

        found = image_curve(start, train, val, recipe, on_step=on_step)
    rows: list[tuple[str, ...]] = [("images to train on", METRICS[found.metric])]
    rows += [(f"{n:,}", point.plain()) for n, point in zip(found.images, found.points, strict=True)]
    columns(rows)
    click.echo(found.words)
    if out:
        write_whole(out / "curve.svg", found.svg())
        click.echo(f"drawn: {out / 'curve.svg'}")


@click.command()
@click.argument("name")
@_probe_options
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--mirrors", is_flag=True, help="Fit on the mirror images too that the set allows.")
@click.option(
    "--way",
    type=click.Choice(["auto", "eager", "folded", "onnx"]),
    default="auto",
    show_default=True,
    help="How the body runs; auto finds the fastest.",
)
def probe(
    name: str,
    source: str,
    limit: int | None,
    seed: int,
    mirrors: bool,
    way: str,
    random_weights: bool,
    out: Path | None,
    overwrite: bool,
    threads: int | None,
    lines: tuple[str, ...],
    **settings: Any,
) -> None:
    """Fit the head of NAME alone, on features that its body gives once; with --out keep it.

    The features are kept in the cache: a second run, or one that was stopped, is quicker.
    """
    from dataclasses import replace

    from lineage_lab.cli.output import counting
    from lineage_lab.data.sets import load
    from lineage_lab.training.metrics import METRICS, score, wilson
    from lineage_lab.training.pretrained import starting_point
    from lineage_lab.training.probe import probe as routine
    from lineage_lab.training.recipe import recipe_for
    from lineage_lab.training.resume import refuse_earlier_run
    from lineage_lab.training.validation import split_for

    if out and not overwrite:
        refuse_earlier_run(out)
    images = source_from(source, settings)
    start = starting_point(name, random=random_weights)
    recipe = replace(
        recipe_for(start.entry.family), **_changes(threads, settings, lines), seed=seed
    )
    channels, _, side = start.entry.input_size
    train, val, *_ = split_for(load(images, size=side, channels=channels), recipe, limit=limit)
    with counting("features") as count:
        found = routine(
            start.model(len(train.classes), seed=seed), train, val, recipe, mean=start.mean,
            std=start.std, name=name, mirrors=mirrors, way=way, folder=out, overwrite=overwrite,
            on_images=count,
        )  # fmt: skip
    accuracy, truth = found.validation.accuracy, val.labels.numpy()
    low, high = wilson(accuracy * len(val), len(val))
    click.echo(
        f"{name} on {one_line(train.name)}, seed {seed}: {100 * accuracy:.1f} % (95 % interval "
        f"{100 * low:.1f} to {100 * high:.1f}) of {len(val):,} validation images by a probe"
    )
    words = []
    for metric in dict.fromkeys(("balanced_accuracy", "auroc", found.metric)):
        value = score(metric, truth, found.validation.probabilities)
        if metric != "accuracy":
            words.append(f"{METRICS[metric]} {'–' if value is None else f'{value:.3f}'}")
    click.echo("; ".join(words))
    passed = f"{found.passed:,} views through the body" if found.passed else "all of them kept"
    click.echo(
        f"{found.width:,} features an image in {found.feature_seconds:.1f} s ({found.way}, "
        f"{passed}); head in {found.fit_seconds:.1f} s (C = {found.penalty:g})"
    )
    if out:
        best = shlex.quote(str(out / "best.ckpt"))
        click.echo(f"kept: {out / 'best.ckpt'} (to use)")
        if recipe.test:
            click.echo(f"then: lineage-lab evaluate {best} {shlex.quote(source)} --part test")
        click.echo(f"try:  lineage-lab predict {best} IMAGE …")


@click.command("lr-find")
@click.argument("name")
@_training_options
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the curve.")
@_weights
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
    overwrite: bool,
    **settings: Any,
) -> None:
    """Raise the learning rate step by step and watch the loss of NAME (nothing is kept)."""
    from dataclasses import replace

    from lineage_lab.data.sets import load, split
    from lineage_lab.training.lr_finder import lr_find
    from lineage_lab.training.pretrained import starting_point
    from lineage_lab.training.recipe import recipe_for

    if svg and not overwrite:
        refuse_to_replace(svg, ways="give --overwrite, or another name")
    images = source_from(source, settings)
    start = starting_point(name, random=random_weights, weights_file=weights_file)
    recipe = replace(recipe_for(start.entry.trained_as), **_changes(threads, settings, lines))
    channels, _, side = start.entry.input_size
    train, _ = split(load(images, size=side, channels=channels), seed=0, limit=limit)
    curve = lr_find(start.model(len(train.classes), seed=0), train, recipe,
                    mean=start.mean, std=start.std)  # fmt: skip
    if svg:
        from lineage_lab.cli.rates import rate_curve
        from lineage_lab.files import write_whole

        write_whole(svg, rate_curve(curve))
    rows: list[tuple[str, ...]] = [("rate of the body", "loss, smoothed")]
    rows += [(f"{r:.2e}", f"{e:.3f}") for r, e in zip(curve.rates, curve.losses, strict=True)]
    columns(rows)
    click.echo(f"falls fastest at {curve.steepest:.1e}; stay below {curve.highest:.1e}")


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
        if isinstance(getattr(Recipe(), name, None), str):  # of a class called 3, say
            changes[name] = text.strip('"')
    changes = {k: getattr(Recipe.from_dict(changes), k) for k in changes}
    if threads:
        import torch

        torch.set_num_threads(threads)
    return changes
