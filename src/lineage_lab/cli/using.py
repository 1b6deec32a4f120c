"""Commands for a network that is trained: ``predict``, ``embed`` and ``export``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lineage_lab.using.predictor import Predictor

__all__ = ["embed", "export", "predict"]

allow_option = click.option(
    "--allow",
    multiple=True,
    metavar="PACKAGE",
    help="Package that may be imported to build the network; may be repeated.",
)
weights_option = click.option(
    "--weights",
    "weights_file",
    type=click.Path(path_type=Path),
    help="File of weights for SOURCE, from anywhere.",
)


def _predictor(source: str, allow: tuple[str, ...], weights_file: Path | None) -> "Predictor":
    """From a checkpoint, from a network and a file, or from a network's published weights."""
    from lineage_lab.using.predictor import Predictor

    if allow:  # what is named may stand in the folder that the command is given in
        sys.path.append(str(Path.cwd()))
    if weights_file is not None:
        return Predictor.with_weights(source, weights_file)
    is_file = source.endswith((".ckpt", ".safetensors")) or Path(source).exists()
    if is_file:
        return Predictor.load(Path(source), allow=allow)
    return Predictor.pretrained(source)


@click.command()
@click.argument("source")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=1, show_default=True, help="Classes shown.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@weights_option
@allow_option
def predict(
    source: str,
    paths: tuple[Path, ...],
    top: int,
    as_json: bool,
    weights_file: Path | None,
    allow: tuple[str, ...],
) -> None:
    """Name what is on each of PATHS (files or folders).

    SOURCE is a run's best.ckpt or best.safetensors, or the name of a network with ImageNet weights
    or with those of --weights.
    """
    import json
    from dataclasses import asdict

    predictor = _predictor(source, allow, weights_file)
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


@click.command()
@click.argument("source")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="FILE.npy (the paths beside it in FILE.txt) or FILE.parquet.",
)
@weights_option
@allow_option
def embed(
    source: str,
    paths: tuple[Path, ...],
    out: Path,
    weights_file: Path | None,
    allow: tuple[str, ...],
) -> None:
    """Write what the network's head sees of each of PATHS: its pooled features.

    SOURCE is as for predict.
    """
    from lineage_lab.using import embedding

    if out.suffix not in (".npy", ".parquet"):
        raise click.UsageError(f"{out}: the name must end in .npy or .parquet")
    found = embedding.embed(_predictor(source, allow, weights_file), paths)
    for path, problem in found.problems:
        click.echo(f"{path}: {problem}", err=True)
    if not found.paths:
        raise click.UsageError("none of the files could be read: nothing was written")
    written = " and ".join(map(str, embedding.write(found, out)))
    rows, width = found.features.shape
    left = f"; {len(found.problems):,} could not be read" if found.problems else ""
    click.echo(f"{written}: {rows:,} files, {width:,} features each{left}")
    sys.exit(1 if found.problems else 0)


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
@weights_option
@allow_option
def export(
    source: str,
    target: Path,
    batch: str,
    opset: int,
    precision: str | None,
    folder: Path | None,
    force: bool,
    names: str,
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
    predictor = _predictor(source, allow, weights_file)
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
    from lineage_lab.using.predictor import listed
    from lineage_lab.using.quantizing import ENOUGH

    files = [path for path, error in listed([folder]) if not error]
    images = []
    for path in files[:: max(1, len(files) // (2 * ENOUGH))]:
        try:
            images.append(read_image(path, predictor.preprocessing))
        except (ValueError, OSError) as problem:
            click.echo(f"passed over: {problem}", err=True)
    if len(images) < 4:
        raise click.UsageError(f"{folder} holds {len(images)} readable image(s): 4 at least")
    return torch.stack(images)
