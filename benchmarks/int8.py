"""What int8 keeps of a network: agreement with float32, size and speed, by scheme.

EfficientNet-Lite0 with its published weights names random crops of photographs that scikit-image
and scikit-learn ship. Each scheme is calibrated on other crops of the same photographs. ONNX
Runtime's own ways stand beside ours, and ours with one part of it left out or changed. `robust`
says whether a scheme's weights have the 7 bits that no x86 processor overflows.

    pip install -e ".[bench,export]"
    python -m benchmarks.int8 --json docs/results/int8.json
"""

import argparse
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from benchmarks.serving import NETWORK, crops
from lineage_lab.comparing.provenance import provenance
from lineage_lab.data.sets import read_image
from lineage_lab.using import quantizing
from lineage_lab.using.export import export_onnx
from lineage_lab.using.predictor import Predictor

OURS = "ours"
Images = np.ndarray[Any, np.dtype[np.float32]]


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Images one by one, as ONNX Runtime's calibration takes them."""

    def __init__(self, images: Images) -> None:
        self._left: Iterator[Images] = iter(images)

    def get_next(self) -> dict[str, Images] | None:
        image = next(self._left, None)
        return None if image is None else {"images": image[None]}


def static(content: bytes, images: Images, **options: Any) -> bytes:
    """By ONNX Runtime's static quantisation."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.onnx"), Path(folder, "out.onnx")
        source.write_bytes(content)
        quantize_static(source, target, Reader(images), **options)
        return target.read_bytes()


def dynamic(content: bytes, images: Images, *, weight_type: QuantType) -> bytes:
    """By ONNX Runtime's dynamic quantisation, which needs no images."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.onnx"), Path(folder, "out.onnx")
        source.write_bytes(content)
        quantize_dynamic(source, target, weight_type=weight_type)
        return target.read_bytes()


def nearest(content: bytes, images: Images) -> bytes:
    """Ours, each weight rounded to the nearest."""
    with patch.object(quantizing, "_round", lambda *args, **options: None):
        return quantizing.quantized(content, images)


UNSIGNED = {"per_channel": True, "activation_type": QuantType.QUInt8}
SCHEMES: dict[str, tuple[Callable[[bytes, Images], bytes], bool]] = {
    "ONNX Runtime, static, by default": (static, False),
    "ONNX Runtime, static, a channel at a time, unsigned": (
        lambda content, images: static(content, images, **UNSIGNED), False),
    "the same with weights of 7 bits": (
        lambda content, images: static(content, images, reduce_range=True, **UNSIGNED), True),
    "ONNX Runtime, dynamic, QUInt8": (
        lambda content, images: dynamic(content, images, weight_type=QuantType.QUInt8), False),
    OURS: (quantizing.quantized, True),
    "ours, weights rounded to the nearest": (nearest, True),
    "ours, no layer in float32": (
        lambda content, images: quantizing.quantized(content, images, floats=0), True),
    "ours, six layers in float32": (
        lambda content, images: quantizing.quantized(content, images, floats=6), True),
    "ours, weights of 8 bits": (
        lambda content, images: quantizing.quantized(content, images, levels=127), False),
    "fp16": (lambda content, images: quantizing.halved(content), True),
}  # fmt: skip


def prepared(predictor: Predictor, number: int, seed: int) -> Images:
    """Crops as the network takes them, ``[n, 3, side, side]``."""
    with tempfile.TemporaryDirectory() as folder:
        paths = crops(Path(folder), number, seed)
        images = torch.stack([read_image(path, predictor.preprocessing) for path in paths])
    return predictor.prepare(images).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--crops", type=int, default=240)
    parser.add_argument("--calibrate", type=int, default=quantizing.ENOUGH)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    predictor = Predictor.pretrained(NETWORK)
    calibrating = prepared(predictor, arguments.calibrate, seed=1)
    judging = prepared(predictor, arguments.crops, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        export_onnx(predictor, Path(folder, "float.onnx"))
        content = Path(folder, "float.onnx").read_bytes()
    rows: dict[str, dict[str, Any]] = {}
    for name, (scheme, robust) in SCHEMES.items():
        made = scheme(content, calibrating)
        agreement, difference = quantizing.compared(content, made, judging)
        rows[name] = {
            "agreement": agreement,
            "difference": difference,
            "size_ratio": len(made) / len(content),
            "speed_ratio": quantizing.speed_ratio(content, made, judging[:1]),
            "robust": robust,
        }
        print(f"{name:52} {100 * agreement:5.1f} %  size {rows[name]['size_ratio']:.3f}  "
              f"speed {rows[name]['speed_ratio']:.2f}", flush=True)  # fmt: skip
    if arguments.json:
        result = {
            "provenance": provenance() | {"onnxruntime": onnxruntime.__version__},
            "network": NETWORK,
            "crops": arguments.crops,
            "calibrated_on": arguments.calibrate,
            "levels": quantizing.LEVELS,
            "floats": quantizing.FLOATS,
            "ours": OURS,
            "rows": rows,
        }
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
