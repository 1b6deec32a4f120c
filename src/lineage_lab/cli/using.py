"""Commands for a network that is trained: ``predict``, ``evaluate``, ``embed``, ``export``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lineage_lab.cli.sources import source_from, source_options
from lineage_lab.files import one_line, refuse_to_replace

if TYPE_CHECKING:
    from lineage_lab.using.predictor import Predictor

__all__ = ["embed", "evaluate", "export", "predict"]

FILES = ("predictions.csv", "evaluation.json", "report.html")


_device = click.option("--device", default="auto", help="auto, cpu, cuda or mps.")
_overwrite = click.option("--overwrite", is_flag=True, help="Replace files that are there already.")
_batch_size = click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images at once."
)
_allow = click.option(
    "--allow",
    multiple=True,
    metavar="PACKAGE",
    help="Package that may be imported to build the network; may be repeated.",
)
_weights = click.option(
    "--weights",
    "weights_file",
    type=click.Path(path_type=Path),
    help="File of weights for SOURCE, from anywhere.",
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
@_weights
@_allow
def predict(
    source: str,
    paths: tuple[Path, ...],
    top: int,
    as_json: bool,
    out: Path | None,
    overwrite: bool,
    device: str,
    batch_size: int,
    weights_file: Path | None,
    allow: tuple[str, ...],
) -> None:
    """Name what is on each of PATHS (files or folders).

    SOURCE is a run's best.ckpt or best.safetensors, or the name of a network with ImageNet weights
    or with those of --weights.
    """
    import json
    from dataclasses import asdict

    from lineage_lab.files import write_whole
    from lineage_lab.using.tables import check_table, prediction_table

    if out:
        check_table(out)
        if not overwrite:
            refuse_to_replace(out, ways="give --overwrite, or another name")
    predictor = _predictor(source, device, allow, weights_file)
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
@_weights
@_allow
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
    weights_file: Path | None,
    allow: tuple[str, ...],
    **options: Any,
) -> None:
    """Score SOURCE on DATA, labelled images: what is missed, how sure that is, and on whom.

    SOURCE is as for predict. DATA is a name that
    `lineage-lab data` lists, a folder, or a table; classes are matched by name.
    """
    from dataclasses import replace

    from lineage_lab.cli.output import columns, counting
    from lineage_lab.files import write_whole
    from lineage_lab.training.metrics import METRICS
    from lineage_lab.using.predictor import read_trained
    from lineage_lab.using.scoring import evaluate as scored
    from lineage_lab.using.scoring_report import answer_in_words, report

    files = [out / name for name in FILES] if out else []
    if not overwrite:
        refuse_to_replace(*files, ways="give --overwrite, or another folder")
    images = source_from(data, options)
    predictor = _predictor(source, device, allow, weights_file)
    saved = read_trained(Path(source)) if _is_file(source) and weights_file is None else None
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


def _is_file(source: str) -> bool:
    return source.endswith((".ckpt", ".safetensors")) or Path(source).exists()


def _predictor(
    source: str, device: str, allow: tuple[str, ...], weights_file: Path | None
) -> "Predictor":
    """From a run's file, from a network and a file of weights, or from published weights."""
    from lineage_lab.training.device import pick_device
    from lineage_lab.using.predictor import Predictor

    if allow:  # what is named may stand in the folder that the command is given in
        sys.path.append(str(Path.cwd()))
    if weights_file is not None:
        predictor = Predictor.with_weights(source, weights_file)
    elif _is_file(source):
        predictor = Predictor.load(Path(source), allow=allow)
    else:
        predictor = Predictor.pretrained(source)
    predictor.model.to(pick_device(device))
    return predictor


@click.command()
@click.argument("source")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="FILE.npy (the paths beside it in FILE.txt) or FILE.parquet.",
)
@_overwrite
@_device
@_batch_size
@_weights
@_allow
def embed(
    source: str,
    paths: tuple[Path, ...],
    out: Path,
    overwrite: bool,
    device: str,
    batch_size: int,
    weights_file: Path | None,
    allow: tuple[str, ...],
) -> None:
    """Write what the network's head sees of each of PATHS: its pooled features.

    SOURCE is as for predict.
    """
    from lineage_lab.using import embedding

    if out.suffix not in (".npy", ".parquet"):
        raise click.UsageError(f"{out}: the name must end in .npy or .parquet")
    if not overwrite:
        refuse_to_replace(*embedding.files(out), ways="give --overwrite, or another name")
    predictor = _predictor(source, device, allow, weights_file)
    found = embedding.embed(predictor, paths, batch_size=batch_size)
    for path, problem in found.problems:
        click.echo(one_line(f"{path}: {problem}"), err=True)
    if not found.paths:
        raise click.UsageError("none of the files could be read: nothing was written")
    written = " and ".join(map(str, embedding.write(found, out)))
    rows, width = found.features.shape
    left = f"; {len(found.problems):,} could not be read" if found.problems else ""
    click.echo(f"{written}: {rows:,} files, {width:,} features each{left}")
    raise click.exceptions.Exit(1 if found.problems else 0)


@click.command()
@click.argument("source")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--batch",
    type=click.Choice(["dynamic", "1"]),
    default="dynamic",
    show_default=True,
    help="Images a call takes: any number, or one (a fixed shape).",
)
@click.option(
    "--opset",
    type=click.IntRange(18),
    default=18,
    show_default=True,
    help="Version of ONNX's operators.",
)
@click.option("--fp16", "precision", flag_value="fp16", help="Half precision.")
@click.option("--int8", "precision", flag_value="int8", help="Whole numbers, calibrated.")
@click.option(
    "--images",
    "folder",
    type=click.Path(path_type=Path, exists=True),
    help="Images to calibrate and compare on, like those that it will see.",
)
@click.option("--force", is_flag=True, help="Write it however few images agree.")
@click.option(
    "--names",
    type=click.Choice(["own", "torchvision"]),
    default="own",
    show_default=True,
    help="Whose names the tensors get (.safetensors).",
)
@_overwrite
@_weights
@_allow
def export(
    source: str,
    target: Path,
    batch: str,
    opset: int,
    precision: str | None,
    folder: Path | None,
    force: bool,
    names: str,
    overwrite: bool,
    weights_file: Path | None,
    allow: tuple[str, ...],
) -> None:
    """Write SOURCE for other programs.

    TARGET ends in .onnx (ONNX), .pt2 (torch.export) or .safetensors (the weights alone).

    SOURCE is as for predict.
    """  # fmt: skip
    from lineage_lab.using import export as exports

    if target.suffix not in (".onnx", ".pt2", ".safetensors"):
        raise click.UsageError(f"{target}: the name must end in .onnx, .pt2 or .safetensors")
    if precision and target.suffix != ".onnx":
        raise click.UsageError(f"--{precision} is a precision of .onnx files, not of {target}")
    if precision and folder is None:
        raise click.UsageError(
            f"--{precision} is compared on real images: --images FOLDER, with about 100 like those "
            "that the network will see"
        )
    if not overwrite:
        refuse_to_replace(target, ways="give --overwrite, or another name")
    predictor = _predictor(source, "cpu", allow, weights_file)
    if target.suffix == ".safetensors":
        click.echo(f"{target}: {exports.export_safetensors(predictor, target, names=names)}")
        return
    options: dict[str, Any] = {"images": _images(predictor, folder) if folder else None}
    if target.suffix == ".pt2":
        written = exports.export_program(predictor, target, **options)
    else:
        options |= {"opset": opset, "dynamic": batch == "dynamic"}
        if precision:
            options |= {"precision": precision, "report": lambda found: click.echo(str(found))}
        if force:
            options["least_agreement"] = 0.0
        written = exports.export_onnx(predictor, target, **options)
    click.echo(f"{target}: checked against torch on {written.checked_on}, largest difference "
               f"{written.difference:.1e} of the scores' spread")  # fmt: skip


def _images(predictor: "Predictor", folder: Path) -> Any:
    """Decoded images of a folder, at most as many as are of use, evenly chosen."""
    import torch

    from lineage_lab.data.sets import read_image
    from lineage_lab.using.predictor import files_of
    from lineage_lab.using.quantizing import ENOUGH

    files = [path for path, error in files_of([folder]) if not error]
    images = []
    for path in files[:: max(1, len(files) // (2 * ENOUGH))]:
        try:
            images.append(read_image(path, predictor.preprocessing))
        except (ValueError, OSError) as problem:
            click.echo(one_line(f"passed over: {problem}"), err=True)
    if len(images) < 4:
        raise click.UsageError(f"{folder} holds {len(images)} readable image(s): 4 at least")
    return torch.stack(images)
