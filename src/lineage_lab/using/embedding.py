"""Pooled features: what a network's head sees of each image, for whoever trains something on it."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lineage_lab.data.sets import read_image
from lineage_lab.files import one_line, write_whole
from lineage_lab.heads import find_head
from lineage_lab.using.predictor import AT_ONCE, Predictor, files_of

__all__ = ["Embedded", "embed", "files", "pooled", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The features of files.

    Attributes:
        paths: Files that were read, in the order of the rows.
        features: ``float32 [files, features]``.
        problems: Each file that can't be read, with the reason.
    """

    paths: tuple[Path, ...]
    features: NDArray[np.float32]
    problems: tuple[tuple[Path, str], ...]


def pooled(model: nn.Module, images: Tensor) -> Tensor:
    """What goes into the head, ``float [n, features]``.

    Args:
        model: Any network whose head is found; its mode is as it was.
        images: Its input, normalised, on its device.

    Returns:
        The head's input; where the head is a 1×1 convolution, its mean over the map.
    """
    seen: list[Tensor] = []
    _, head = find_head(model)

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0])

    handle = head.register_forward_pre_hook(note)
    try:
        with torch.inference_mode():
            model(images)
    finally:
        handle.remove()
    features = seen[0].float()
    return features.flatten(2).mean(dim=2) if features.dim() > 2 else features


def embed(
    predictor: Predictor, paths: Iterable[Path | str], *, batch_size: int = AT_ONCE
) -> Embedded:
    """The features of each file.

    Args:
        predictor: The network with its preprocessing.
        paths: Files, and folders that are searched as by `Predictor.predict`.
        batch_size: Images at once.

    Returns:
        The features, and what could not be read.
    """
    read: list[Path] = []
    rows: list[Tensor] = []
    waiting: list[Tensor] = []
    problems: list[tuple[Path, str]] = []

    def take() -> None:
        rows.append(pooled(predictor.model, predictor.prepare(torch.stack(waiting))).cpu())
        waiting.clear()

    for path, error in files_of(paths):
        if not error:
            try:
                waiting.append(read_image(path, predictor.preprocessing))
                read.append(path)
            except (ValueError, OSError) as problem:
                error = str(problem)
        if error:
            problems.append((path, error))
        if len(waiting) == batch_size:
            take()
    if waiting:
        take()
    features = torch.cat(rows).numpy() if rows else np.zeros((0, 0), np.float32)
    return Embedded(paths=tuple(read), features=features, problems=tuple(problems))


def files(path: Path) -> tuple[Path, ...]:
    """Files that `write` makes for this path: with ``.npy`` the list of the rows' paths too."""
    return (path, path.with_suffix(".txt")) if path.suffix == ".npy" else (path,)


def write(found: Embedded, path: Path) -> tuple[Path, ...]:
    """Write features to ``.npy``, with the files' paths in a ``.txt`` beside it, or ``.parquet``.

    Args:
        found: The features.
        path: Where to. A Parquet table has the columns ``path`` and ``features``.

    Returns:
        What was written.

    Raises:
        ValueError: The ending is another one.
        ModuleNotFoundError: Parquet needs pyarrow, which is not installed.
        OSError: It can't be written; an older file of this name is as it was.
    """
    path = Path(path)
    if path.suffix == ".npy":
        content = io.BytesIO()
        np.save(content, found.features)
        write_whole(path, content.getvalue())
        write_whole(files(path)[1], "".join(f"{one_line(str(name))}\n" for name in found.paths))
        return files(path)
    if path.suffix != ".parquet":
        raise ValueError(f"{path}: the name must end in .npy or .parquet")
    write_whole(path, _parquet(found.paths, found.features))
    return (path,)


def _parquet(paths: Sequence[Path], features: NDArray[np.float32]) -> bytes:
    if find_spec("pyarrow") is None:
        raise ModuleNotFoundError(
            "a Parquet table needs pyarrow, which is not installed. Install it with: pip install "
            '"lineage-lab[parquet]", or write .npy'
        )
    import pyarrow as pa
    import pyarrow.parquet as pq

    width = features.shape[1] if len(features) else 0
    column = pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), max(1, width))
    table = pa.table({"path": pa.array([str(path) for path in paths]), "features": column})
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()
