"""Commands for a network that is trained: ``predict`` and ``export``."""

from pathlib import Path

import click

from lineage_lab.files import one_line, refuse_to_replace

__all__ = ["export", "predict"]


@click.command()
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

    from lineage_lab.using.predictor import Predictor

    is_file = source.endswith(".ckpt") or Path(source).exists()
    predictor = Predictor.load(Path(source)) if is_file else Predictor.pretrained(source)
    failed = 0
    for found in predictor.predict(paths, top=top):
        failed += bool(found.error)
        if as_json:
            click.echo(json.dumps({**asdict(found), "path": str(found.path)}, ensure_ascii=False))
        elif found.error:
            click.echo(one_line(f"{found.path}: {found.error}"), err=True)
        else:
            named = ", ".join(f"{name} {100 * value:.1f} %" for name, value in found.top)
            click.echo(one_line(f"{found.path}: {named}"))
    raise click.exceptions.Exit(1 if failed else 0)


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
