"""An ONNX file in lower precision: fp16, or int8 by the scheme that measured best.

int8 is static: weights a channel at a time, activations as unsigned bytes, the ranges from
images like those that the network will see. `docs/results/int8.json` has what each part of the
scheme is worth.
"""

import statistics
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ENOUGH", "compared", "halved", "quantized", "speed_ratio"]

Images = NDArray[np.float32]
ENOUGH = 128  # images to calibrate and compare with
LAPS = 15


def halved(content: bytes) -> bytes:
    """The file with its numbers as float16; what goes in and comes out stays float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = onnx.load_model_from_string(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about numbers that become 0
        made: bytes = convert_float_to_float16(model, keep_io_types=True).SerializeToString()
    return made


def _session(content: bytes, *, threads: int = 0, plain: bool = False) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _scores(content: bytes, images: Images) -> Images:
    session = _session(content)
    rows = [session.run(["scores"], {"images": image[None]})[0] for image in images]
    return np.concatenate(rows)


def compared(content: bytes, made: bytes, images: Images) -> tuple[float, float]:
    """How near a file comes to the float32 one.

    Args:
        content: The float32 file.
        made: The other.
        images: The network's input, ``[n, channels, height, width]``.

    Returns:
        Share of the images whose first class is the same, and the largest difference of a score as
        a share of the scores' spread.
    """
    wanted, found = _scores(content, images), _scores(made, images)
    spread = float(wanted.max() - wanted.min()) or 1.0
    agreement = float((wanted.argmax(axis=1) == found.argmax(axis=1)).mean())
    return agreement, float(np.abs(wanted - found).max()) / spread


def speed_ratio(content: bytes, made: bytes, image: Images) -> float:
    """How many times as fast a file is as the float32 one, one thread, in turns."""
    sessions = [_session(each, threads=1) for each in (content, made)]
    times: tuple[list[float], list[float]] = ([], [])
    for lap in range(LAPS + 2):
        for session, taken in zip(sessions, times, strict=True):
            start = time.perf_counter()
            session.run(["scores"], {"images": image})
            if lap > 1:
                taken.append(time.perf_counter() - start)
    return statistics.median(times[0]) / statistics.median(times[1])


def quantized(content: bytes, images: Images) -> bytes:
    """The file in int8.

    Args:
        content: The float32 file.
        images: Input to calibrate on, ``[n, channels, height, width]``.

    Returns:
        The file, in the form of quantise and dequantise pairs, which ONNX Runtime and OpenVINO
        run in whole numbers.
    """
    import tempfile
    from pathlib import Path

    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rows: Iterator[Images] = iter(images)

        def get_next(self) -> dict[str, Images] | None:
            image = next(self.rows, None)
            return None if image is None else {"images": image[None]}

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, after = Path(folder, "before.onnx"), Path(folder, "after.onnx")
        before.write_bytes(content)
        quantize_static(
            before, after, Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        return after.read_bytes()
