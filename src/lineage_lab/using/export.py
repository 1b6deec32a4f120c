"""Take a trained network elsewhere: to ONNX, or to a program of `torch.export`.

What is written was first compared with the network itself, at two sizes of batch: a wrong
export never gets its name. It takes normalised images, ``float [batch, channels, size, size]``,
and gives scores, ``float [batch, classes]``; the classes' names and the preprocessing are
inside.
"""

import copy
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lineage_lab.files import write_whole
from lineage_lab.heads import scores
from lineage_lab.training import checkpoint
from lineage_lab.using.predictor import Predictor
from lineage_lab.weights.forms import form_of
from lineage_lab.weights.naming import torchvision_names

__all__ = ["Export", "export_onnx", "export_program", "export_safetensors"]

BATCHES = (1, 3)
TOLERANCE = 1e-4  # of the scores' spread
PRECISIONS = ("fp32", "fp16", "int8")
LEAST_AGREEMENT = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was written, and how near it is.

    Attributes:
        path: The file.
        size: In bytes.
        difference: The largest difference to the network's own scores, as a share of the
            spread of its scores (largest less smallest, over all the images).
        checked_on: What the two were compared on, in words.
        agreement: Share of those images whose first class is the network's own.
        size_ratio: Size as a share of the float32 file's.
        speed_ratio: How many times as fast as the float32 file, one image at a time.
    """

    path: Path
    size: int
    difference: float
    checked_on: str
    agreement: float = 1.0
    size_ratio: float = 1.0
    speed_ratio: float = 1.0

    def __str__(self) -> str:
        """What it is worth, in a line."""
        return (
            f"{self.path}: {100 * self.agreement:.1f} % of {self.checked_on} get the network's own "
            f"first class; {self.size_ratio:.2f} of the float32 file's size, "
            f"{self.speed_ratio:.2f} times as fast at batch 1 on this processor"
        )


def export_onnx(
    predictor: Predictor,
    path: Path,
    *,
    images: Tensor | None = None,
    opset: int = 18,
    dynamic: bool = True,
    precision: str = "fp32",
    least_agreement: float = LEAST_AGREEMENT,
    report: Callable[[Export], None] = lambda found: None,
) -> Export:
    """Write a network as ONNX, after it was run by ONNX Runtime and compared.

    The metadata ``classes`` and ``preprocessing`` are JSON, ``model`` is the network's name, and
    ``scores`` says that what it gives are logits.

    Args:
        predictor: The network with its classes and preprocessing.
        path: Where to, such as ``cells.onnx``.
        images: Decoded images to compare on, ``uint8 [n, channels, size, size]``, three or
            more; noise if ``None``.
        opset: The version of ONNX's operators.
        dynamic: Whether a call takes any number of images. If not it takes one: some runtimes
            want a fixed shape, and the export needs less than half of the time.
        precision: ``fp32``; ``fp16``, half the size; or ``int8``, calibrated on every second of
            `images` and compared on the others: see `lineage_lab.using.quantizing`.
        least_agreement: Share of the images that must keep their first class, below which a
            file of lower precision is refused; 0 takes any.
        report: Called with what was found before the file gets its name.

    Returns:
        What was written.

    Raises:
        ModuleNotFoundError: The extra ``export`` is not installed.
        ValueError: The scores differ, too few images keep their first class, or the images don't
            fit. Nothing was written.
        OSError: It can't be written; an older file of this name is as it was.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is one of {', '.join(PRECISIONS)}, not {precision!r}")
    for package in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(package) is None:
            raise ModuleNotFoundError(
                f"the export to ONNX needs {package}, which is not installed. Install it with: "
                'pip install "lineage-lab[export]" (from the repository: pip install -e '
                '".[export]")'
            )
    import onnxruntime

    model, batch, checked_on = _prepared(predictor, images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the exporter's own parts
        program = torch.onnx.export(
            model,
            (batch if dynamic else batch[:1],),
            dynamo=True,
            opset_version=opset,
            input_names=["images"],
            output_names=["scores"],
            dynamic_shapes=({0: torch.export.Dim("batch")},) if dynamic else None,
            verbose=False,
        )
    assert program is not None  # as it always is with dynamo
    program.model.metadata_props.update(_metadata(predictor))
    content: bytes = program.model_proto.SerializeToString()
    del program

    if precision != "fp32":
        lowered = lower(content, predictor, images, precision, Path(path))
        if lowered.found.agreement < least_agreement:
            raise ValueError(
                f"{path} was not written: only {100 * lowered.found.agreement:.1f} % of "
                f"{lowered.found.checked_on} keep their first class in {precision}, less than "
                f"{100 * least_agreement:.0f} %. Give more images like those that it will see, or "
                "take fp16; to have it all the same, least_agreement=0 (--force)"
            )
        report(lowered.found)
        write_whole(Path(path), lowered.content)
        return lowered.found

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> Tensor:
        calls = (x,) if dynamic else x.split(1)  # type: ignore[no-untyped-call]
        parts = [session.run(["scores"], {"images": call.numpy()})[0] for call in calls]
        return torch.cat([torch.from_numpy(part) for part in parts])

    return _checked(Path(path), content, model, run, batch, checked_on)


def export_program(predictor: Predictor, path: Path, *, images: Tensor | None = None) -> Export:
    """Write a network as a program that PyTorch loads without this package.

    ``torch.export.load(path).module()`` gives the network back. The classes' names, the
    preprocessing and the network's name are ``extra_files``.

    Args:
        predictor: The network with its classes and preprocessing.
        path: Where to, such as ``cells.pt2``.
        images: See `export_onnx`.

    Returns:
        What was written.

    Raises:
        ValueError: The scores differ, or the images don't fit. Nothing was written.
        OSError: It can't be written; an older file of this name is as it was.
    """
    model, batch, checked_on = _prepared(predictor, images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            model, (batch,), dynamic_shapes=({0: torch.export.Dim("batch")},)
        )
        file = io.BytesIO()
        torch.export.save(program, file, extra_files=dict(_metadata(predictor)))
        file.seek(0)
        run: Callable[[Tensor], Tensor] = torch.export.load(file).module()
    return _checked(Path(path), file.getvalue(), model, run, batch, checked_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lowered:
    """A file of lower precision, and what it is worth."""

    content: bytes
    found: Export


def lower(
    content: bytes, predictor: Predictor, images: Tensor | None, precision: str, path: Path
) -> _Lowered:
    """A float32 file in fp16 or int8, compared with it."""
    from lineage_lab.using import quantizing

    if images is None:
        raise ValueError(
            f"{precision} is compared on real images: give images=…, or --images FOLDER with about "
            f"{quantizing.ENOUGH} like those that the network will see"
        )
    ready = predictor.prepare(images).cpu().contiguous().numpy()
    calibration, checked = ready[::2], ready[1::2]
    if precision == "fp16":
        checked = ready
        made = quantizing.halved(content)
    else:
        made = quantizing.quantized(content, calibration)
    agreement, difference = quantizing.compared(content, made, checked)
    what = "images" if precision == "fp16" else "images that it was not calibrated on"
    found = Export(
        path=path, size=len(made), difference=difference, checked_on=f"{len(checked)} {what}",
        agreement=agreement, size_ratio=len(made) / len(content),
        speed_ratio=quantizing.speed_ratio(content, made, checked[:1]),
    )  # fmt: skip
    return _Lowered(content=made, found=found)


def _prepared(predictor: Predictor, images: Tensor | None) -> tuple[nn.Module, Tensor, str]:
    """A copy of the network on the CPU, images for it, and what these are."""
    size, channels = predictor.preprocessing.size, predictor.preprocessing.channels
    checked_on = f"{max(BATCHES)} of the given images"
    if images is None:
        noise = torch.Generator().manual_seed(0)
        shape = (max(BATCHES), channels, size, size)
        images = torch.randint(256, shape, generator=noise, dtype=torch.uint8)
        checked_on = "noise"
    if images.dtype != torch.uint8 or images.shape[1:] != (channels, size, size):
        raise ValueError(
            f"the images must be uint8 [n, {channels}, {size}, {size}], as read_image gives them "
            f"with the network's preprocessing: {images.dtype} {list(images.shape)}"
        )
    if len(images) < max(BATCHES):
        raise ValueError(f"{max(BATCHES)} images or more are needed, not {len(images)}")
    batch = predictor.prepare(images[: max(BATCHES)]).cpu().contiguous()
    model = _Scores(copy.deepcopy(predictor.model).cpu().float().eval()).eval()
    model.to(memory_format=torch.contiguous_format)
    return model.requires_grad_(False), batch, checked_on


class _Scores(nn.Module):
    """A network that gives its scores as a plain tensor, whatever it gives by itself."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """``[batch, channels, size, size]`` to ``[batch, classes]``."""
        return scores(self.model(images))


def _metadata(predictor: Predictor) -> dict[str, str]:
    return {
        "model": predictor.name,
        "classes": json.dumps(predictor.classes, ensure_ascii=False),
        "preprocessing": json.dumps(predictor.preprocessing.to_dict()),
        "scores": "logits",
    }


def _checked(
    path: Path,
    content: bytes,
    model: nn.Module,
    run: Callable[[Tensor], Any],
    images: Tensor,
    checked_on: str,
) -> Export:
    """Compares, then writes."""
    with torch.no_grad():
        own = {size: model(images[:size]) for size in BATCHES}
    # Not the largest score: LeNet-5's are all near -84, and what differs is small. And of all
    # images: of one that the network is unsure of, two scores can be almost the same.
    every = torch.cat(tuple(own.values()))
    scale = float(every.max() - every.min()) or 1.0
    largest = 0.0
    for size, wanted in own.items():
        with torch.no_grad():
            try:
                found = run(images[:size])
            except Exception as error:
                raise ValueError(
                    f"{path} was not written: the exported network fails on a batch of {size}: "
                    f"{error}"
                ) from error
        if found.shape != wanted.shape:
            raise ValueError(
                f"{path} was not written: the exported network gives {list(found.shape)}, not "
                f"{list(wanted.shape)}"
            )
        difference = float((found - wanted).abs().max()) / scale
        if not difference < TOLERANCE:  # NaN is not
            raise ValueError(
                f"{path} was not written: on a batch of {size} its scores differ from the "
                f"network's own by {difference:.1e} of their spread, more than {TOLERANCE:.0e}. "
                "Please report it, with the network's name and the versions of torch and onnx"
            )
        largest = max(largest, difference)
    write_whole(path, content)
    return Export(path=path, size=len(content), difference=largest, checked_on=checked_on)


def export_safetensors(predictor: Predictor, path: Path, *, names: str = "own") -> str:
    """Write a network's weights alone, with its classes and preprocessing as metadata.

    Args:
        predictor: The network with its classes and preprocessing.
        path: Where to, such as ``cells.safetensors``.
        names: ``own``, or ``torchvision`` for the names of torchvision's network.

    Returns:
        In words, what was written.

    Raises:
        ValueError: torchvision has no such network.
        OSError: It can't be written; an older file of this name is as it was.
    """
    state = dict(predictor.model.state_dict())
    theirs = torchvision_names(predictor.model) if names == "torchvision" else None
    checkpoint.save_safetensors(
        Path(path),
        checkpoint.Checkpoint(
            model=predictor.name, classes=predictor.classes, recipe={}, state=state,
            preprocessing=predictor.preprocessing.to_dict(), training=None, metrics={},
            form=form_of(predictor.model).to_dict(),
        ),
        names=theirs,
    )  # fmt: skip
    return f"{len(state)} tensors under {'torchvision' if theirs else 'its own'}'s names".replace(
        "its own's", "our"
    )
