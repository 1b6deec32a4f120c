"""Commands for a network that is trained: ``predict``, ``evaluate`` and ``export``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lineage_lab.cli.sources import source_from, source_options
from lineage_lab.files import one_line, refuse_to_replace

if TYPE_CHECKING:
    from lineage_lab.using.predictor import Predictor

__all__ = ["evaluate", "export", "predict"]

FILES = ("predictions.csv", "evaluation.json", "report.html")


_device = click.option("--device", default="auto", help="auto, cpu, cuda or mps.")
_overwrite = click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
_batch_size = click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images at once."
)


@click.command()
@click.argument("source")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, help="Classes shown.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a table with the probabilities of all classes: FILE.csv or FILE.parquet.",
)
@_overwrite
@_device
@_batch_size
def predict(
    source: str,
    paths: tuple[Path, ...],
    top: int,
    as_json: bool,
    out: Path | None,
    overwrite: bool,
    device: str,
    batch_size: int,
) -> None:
    """Name what is on each of PATHS (files or folders).

    SOURCE is a checkpoint, or the name of a network with ImageNet weights.
    """
    import json
    from dataclasses import asdict

    from lineage_lab.files import write_whole
    from lineage_lab.using.tables import check_table, prediction_table

    if out:
        check_table(out)
        if not overwrite:
            refuse_to_replace(out, ways="give --overwrite, or another name")
    predictor = _predictor(source, device)
    found = predictor.predict(paths, top=top, batch_size=batch_size)
    if out:
        write_whole(out, prediction_table(found, predictor.classes, out.suffix))
    for one in found:
        if as_json:
            row = {**asdict(one), "path": str(one.path)}
            del row["probabilities"]  # `top` has them by name
            click.echo(json.dumps(row, ensure_ascii=False))
        elif one.error:
            click.echo(one_line(f"{one.path}: {one.error}"), err=True)
        elif not out:
            named = ", ".join(f"{name} {100 * value:.1f} %" for name, value in one.top)
            click.echo(one_line(f"{one.path}: {named}"))
    failed = sum(bool(one.error) for one in found)
    if out:
        click.echo(f"{out}: {len(found) - failed:,} images, {failed:,} files that can't be read")
    raise click.exceptions.Exit(1 if failed else 0)


@click.command()
@click.argument("source")
@click.argument("data")
@source_options
@click.option(
    "--part",
    type=click.Choice(["all", "train", "val", "test"]),
    help="Of the data's own parts, or of the split that the checkpoint was trained with.  "
    "[default: the data's own test part, else all]",
)
@click.option("--limit", type=click.IntRange(8), help="As the training had it.")
@click.option(
    "--resamples",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Draws of the bootstrap behind each interval.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for evaluation.json, report.html and predictions.csv.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON in place of the table.")
@_overwrite
@_device
@_batch_size
def evaluate(
    source: str,
    data: str,
    part: str | None,
    limit: int | None,
    resamples: int,
    out: Path | None,
    as_json: bool,
    overwrite: bool,
    device: str,
    batch_size: int,
    **options: Any,
) -> None:
    """Score SOURCE on DATA, labelled images: what is missed, how sure that is, and on whom.

    SOURCE is a checkpoint, or the name of a network with ImageNet weights. DATA is a name that
    `lineage-lab data` lists, a folder, or a table; classes are matched by name.
    """
    from dataclasses import replace

    from lineage_lab.cli.output import columns, counting
    from lineage_lab.files import write_whole
    from lineage_lab.training import checkpoint
    from lineage_lab.training.metrics import METRICS
    from lineage_lab.using.scoring import evaluate as scored
    from lineage_lab.using.scoring_report import answer_in_words, report

    files = [out / name for name in FILES] if out else []
    if not overwrite:
        refuse_to_replace(*files, ways="give --overwrite, or another folder")
    images = source_from(data, options)
    predictor = _predictor(source, device)
    saved = checkpoint.load(Path(source)) if _is_checkpoint(source) else None
    recipe = saved.recipe if saved else {}
    with counting("images") as on_images:
        found = scored(
            predictor, images, part=part, seed=int(recipe.get("seed", 0)),
            test=recipe.get("test") or None,
            grouped=bool(recipe.get("grouped", False)), limit=limit, resamples=resamples,
            batch_size=batch_size, on_images=on_images,
        )  # fmt: skip
    if saved and found.data == saved.metrics.get("data"):
        seen = (
            f"The network was trained on a part of {found.data}, and these images may be among "
            "that part: the numbers flatter it. Score one part by --part."
        )
        found = replace(found, notes=(seen, *found.notes))
    if out:
        page = report(found)
        contents: tuple[str | bytes, ...] = (found.to_csv(), found.to_json(), page)
        for file, content in zip(files, contents, strict=True):
            write_whole(file, content)
    if as_json:
        click.echo(found.to_json(), nl=False)
    else:
        metrics = found.metrics
        click.echo(f"{found.network} on {found.data}: {metrics.images:,} images")
        rows: list[tuple[str, ...]] = [("number", "value and 95 % interval")]
        rows += [(METRICS[name], getattr(metrics, name).plain()) for name in METRICS]
        columns(rows)
        click.echo()
        rows = [("class", "images", "recall", "precision")]
        rows += [
            (row.name, f"{row.images:,}", row.recall.percent(), row.precision.percent())
            for row in metrics.classes
        ]
        columns(rows)
        click.echo()
        for words in (*answer_in_words(found), *found.notes, *metrics.notes):
            click.echo(one_line(f"- {words}"))
        if out:
            click.echo(f"written: {out / 'report.html'}, evaluation.json, predictions.csv")
    for words in found.unread.values():
        click.echo(one_line(words), err=True)
    raise click.exceptions.Exit(1 if found.unread else 0)


def _is_checkpoint(source: str) -> bool:
    return source.endswith(".ckpt") or Path(source).exists()


def _predictor(source: str, device: str) -> "Predictor":
    from lineage_lab.training.device import pick_device
    from lineage_lab.using.predictor import Predictor

    if _is_checkpoint(source):
        predictor = Predictor.load(Path(source))
    else:
        predictor = Predictor.pretrained(source)
    predictor.model.to(pick_device(device))
    return predictor


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--overwrite", is_flag=True, help="Replace the file that is there already.")
def export(checkpoint: Path, target: Path, overwrite: bool) -> None:
    """Write CHECKPOINT for other programs: TARGET ends in .onnx (ONNX) or .pt2 (torch.export)."""
    from lineage_lab.using.export import export_onnx, export_program
    from lineage_lab.using.predictor import Predictor

    kinds = {".onnx": export_onnx, ".pt2": export_program}
    if target.suffix not in kinds:
        raise click.UsageError(f"{target}: the name must end in .onnx or .pt2")
    if not overwrite:
        refuse_to_replace(target, ways="give --overwrite, or another name")
    written = kinds[target.suffix](Predictor.load(checkpoint), target)
    click.echo(f"{target}: checked against torch, largest difference {written.difference:.1e}")
