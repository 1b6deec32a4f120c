"""An ONNX file in lower precision: fp16, or int8 by the scheme that measured best.

int8 is static: weights a channel at a time, activations as unsigned bytes, the ranges from
images like those that the network will see. The weights are rounded so that each layer's outputs
change least on those images (GPTQ), not each to the nearest. `docs/results/int8.json` has what
each part of the scheme is worth.
"""

import statistics
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ENOUGH", "compared", "halved", "quantized", "speed_ratio"]

Images = NDArray[np.float32]
ENOUGH = 128  # images to calibrate and compare with
LAPS = 15
# 8-bit weights times 8-bit activations, added in pairs, overflow 16 bits on x86 processors without
# VNNI, which then give other scores without a word: 7 bits don't.
LEVELS = 64
OPERATORS = ("Conv", "Gemm", "MatMul", "Add", "Clip", "Relu", "MaxPool", "AveragePool",
             "GlobalAveragePool", "Reshape", "Flatten", "Concat")  # fmt: skip
# The first layers have few channels and large maps: in whole numbers they gain no time, and their
# error goes through all of the others.
FLOATS = 2
PLACES = 96  # of an image, at which a layer's inputs are looked at
DAMPING = 0.01  # share of the mean moment that is added to each (GPTQ, section 3.3)


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


def quantized(
    content: bytes, images: Images, *, levels: int = LEVELS, floats: int = FLOATS
) -> bytes:
    """The file in int8.

    Args:
        content: The float32 file.
        images: Input to calibrate on, ``[n, channels, height, width]``.
        levels: Largest weight as a whole number, 127 or 64.
        floats: How many of the first convolutions stay in float32.

    Returns:
        The file, in the form of quantise and dequantise pairs, which ONNX Runtime and OpenVINO
        run in whole numbers.
    """
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    model = onnx.load_model_from_string(content)
    told = {entry.key: entry.value for entry in model.metadata_props}
    ranges, moments = _observed(model, images)
    _fit_biases(model, ranges)
    first = [node.name for node in model.graph.node if node.op_type == "Conv"][:floats]
    _round(model, moments, levels, left_out=first)
    data = {name: TensorData(lowest=np.float32(low), highest=np.float32(high))
            for name, (low, high) in ranges.items()}  # fmt: skip
    quantizer = QDQQuantizer(
        model, True, levels < 127, QuantType.QInt8, QuantType.QUInt8,
        TensorsData(CalibrationMethod.MinMax, data), [], first, list(OPERATORS), {},
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantizer.quantize_model()
    made = quantizer.model.model
    del made.metadata_props[:]
    onnx.helper.set_model_props(made, told)
    return bytes(made.SerializeToString())


def _weighted(model: Any) -> list[Any]:
    """The layers with a weight that stands in the file."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in stored
    ]


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _observed(
    model: Any, images: Images
) -> tuple[dict[str, tuple[float, float]], dict[str, NDArray[np.float64]]]:
    """The range of each tensor, and for each layer the second moments of what it takes.

    A layer's moments are the mean of ``x xᵀ`` over places of the images, where ``x`` is all that
    one output is made of: ``[inputs, inputs]``; of a depthwise layer one for each channel.
    """
    import copy

    import onnx

    shown = copy.deepcopy(model)
    names = [name for node in model.graph.node for name in node.output]
    outputs = {output.name for output in model.graph.output}
    for name in names:
        if name not in outputs:
            shown.graph.output.append(onnx.helper.make_tensor_value_info(name, 1, None))
    session = _session(shown.SerializeToString())
    low, high = dict.fromkeys([*names, "images"], 0.0), dict.fromkeys([*names, "images"], 0.0)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    moments: dict[str, NDArray[np.float64]] = {}
    places = np.random.default_rng(0)
    for image in images:
        values = dict(zip(names, session.run(names, {"images": image[None]}), strict=True))
        values["images"] = image[None]
        for name, value in values.items():
            if value.dtype == np.float32:
                low[name] = min(low[name], float(value.min()))
                high[name] = max(high[name], float(value.max()))
        for node in _weighted(model):
            taken = _taken(node, values[node.input[0]], shapes[node.input[1]], places)
            found = taken.swapaxes(-1, -2) @ taken / (taken.shape[-2] * len(images))
            moments[node.input[1]] = moments.get(node.input[1], 0) + found
    return {name: (low[name], high[name]) for name in low}, moments


def _taken(
    node: Any, value: Images, shape: tuple[int, ...], places: np.random.Generator
) -> NDArray[np.float64]:
    """What some outputs of a layer are made of, ``[places, inputs]``; by group if it has some."""
    if node.op_type != "Conv":
        return value.reshape(-1, value.shape[-1])[:PLACES].astype(np.float64)
    told = _attributes(node)
    group, (rows, columns) = told.get("group", 1), shape[2:]
    top, left, bottom, right = told.get("pads", [0, 0, 0, 0])
    step, across = told.get("strides", [1, 1])
    padded = np.pad(value[0], ((0, 0), (top, bottom), (left, right)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), axis=(1, 2))
    windows = windows[:, ::step, ::across]
    height, width = windows.shape[1:3]
    chosen = places.choice(height * width, min(PLACES, height * width), replace=False)
    parts = windows[:, chosen // width, chosen % width].astype(np.float64)
    channels, count = parts.shape[:2]
    parts = parts.reshape(group, channels // group, count, rows * columns)
    parts = parts.transpose(0, 2, 1, 3).reshape(group, count, -1)
    return parts if group > 1 else parts[0]


def _fit_biases(model: Any, ranges: dict[str, tuple[float, float]]) -> None:
    """Let each bias fit the 32 bits that it is stored in, in place.

    It is stored in steps of the input's step times the weight's. Of a channel whose weights are
    all but 0, as EfficientNet-Lite0 has 108, the step is so small that the bias would overflow:
    one of its weights is raised, to something that still makes no difference.
    """
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in _weighted(model):
        if len(node.input) < 3 or node.op_type == "MatMul":
            continue
        weight = numpy_helper.to_array(stored[node.input[1]]).copy()
        bias = numpy_helper.to_array(stored[node.input[2]])
        low, high = ranges[node.input[0]]
        rows = weight.reshape(len(weight), -1)
        least = np.abs(bias) / max((high - low) / 255, 1e-12) / 2**29 * 127
        for row in np.flatnonzero(np.abs(rows).max(axis=1) < least):
            place = np.abs(rows[row]).argmax()
            rows[row, place] = least[row] if rows[row, place] >= 0 else -least[row]
        stored[node.input[1]].CopyFrom(numpy_helper.from_array(weight, node.input[1]))


def _round(
    model: Any, moments: dict[str, NDArray[np.float64]], levels: int, *, left_out: list[str]
) -> None:
    """Round each layer's weights so that its outputs change least, in place."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in _weighted(model):
        name = node.input[1]
        if node.name in left_out:
            continue
        weight = numpy_helper.to_array(stored[name])
        by_column = node.op_type == "MatMul" or not (
            node.op_type == "Conv" or _attributes(node).get("transB")
        )
        if weight.ndim < 2 or (by_column and weight.ndim > 2):
            continue
        turned = weight.T if by_column else weight
        rows = turned.reshape(len(turned), -1).astype(np.float64)
        moment = moments[name]
        if moment.ndim == 2:
            rounded = _rounded(rows, moment, levels)
        else:
            groups = np.split(rows, len(moment))
            rounded = np.concatenate(
                [_rounded(part, each, levels) for part, each in zip(groups, moment, strict=True)]
            )
        new = rounded.reshape(turned.shape).astype(np.float32)
        new = np.ascontiguousarray(new.T if by_column else new)
        stored[name].CopyFrom(numpy_helper.from_array(new, name))


def _rounded(
    rows: NDArray[np.float64], moment: NDArray[np.float64], levels: int
) -> NDArray[np.float64]:
    """Weights on the grid of whole numbers, each one's error made good by those that follow.

    Frantar et al., "GPTQ", arXiv:2210.17323, section 3: the columns are rounded one by one, those
    that matter most first, and the error of each is spread over the rest so that the output, over
    the calibration images, changes least.

    Args:
        rows: ``[outputs, inputs]``.
        moment: ``[inputs, inputs]``, the second moments of the inputs.
        levels: Largest whole number.
    """
    outputs, inputs = rows.shape
    steps = np.abs(rows).max(axis=1) / levels
    steps[steps == 0] = 1
    largest = np.abs(rows).argmax(axis=1)  # it stays, for the step is read from it later
    ends = levels * np.sign(rows[np.arange(outputs), largest])
    mean = float(np.trace(moment)) / inputs
    order = np.argsort(-np.diag(moment))
    damped = moment[np.ix_(order, order)] + np.eye(inputs) * (DAMPING * mean + 1e-12)
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = rows[:, order].copy()
    found = np.empty_like(rows)
    for column in range(inputs):
        whole = np.clip(np.round(left[:, column] / steps), -levels, levels)
        held = largest == order[column]
        whole[held] = ends[held]
        found[:, order[column]] = whole * steps
        error = (left[:, column] - whole * steps) / factor[column, column]
        left[:, column + 1 :] -= np.outer(error, factor[column, column + 1 :])
    return found
