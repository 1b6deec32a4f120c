#!/usr/bin/env bash
# onnxruntime 1.32.0, CPU, x86-64 with AVX2 and no VNNI: a convolution with unsigned 8-bit
# activations and signed 8-bit weights (what quantize_static writes by QUInt8 and QInt8) gives other
# numbers than the same file with graph optimisations off, by much more than rounding, and nothing is
# said. Pairs of products are added in 16 bits, which overflow at 2 x 255 x 127. With weights of 7
# bits (reduce_range=True) both agree. On a processor with VNNI both forms agree: the script then says
# so and checks nothing.
#
# Seen on an AMD EPYC with AVX2 and no VNNI: see the last line of the output; the largest error of
# the 8-bit form is more than ten times that of the 7-bit form.
#
# Exits with 0 while this is so, and with 1 when it has changed.
set -euo pipefail
if grep -q -m1 -E 'avx512_vnni|avx_vnni' /proc/cpuinfo; then
  echo "this processor has VNNI: nothing to see here"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 sympy
cat > "$folder/try.py" <<'PY'
import logging
import os

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

logging.disable(logging.WARNING)
draw = np.random.default_rng(0)
weight = draw.normal(size=(16, 64, 1, 1)).astype(np.float32)
weight[:, 1:] = np.abs(weight[:, 1:])  # mostly of one sign, as after a ReLU's network is trained
node = helper.make_node("Conv", ["images", "w"], ["scores"])
graph = helper.make_graph(
    [node], "one", [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 64, 8, 8])],
    [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 16, 8, 8])],
    [numpy_helper.from_array(weight, "w")],
)
folder = os.path.dirname(os.path.abspath(__file__))
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
onnx.save(model, f"{folder}/float.onnx")
images = draw.uniform(0, 6, size=(4, 1, 64, 8, 8)).astype(np.float32)


class Reader(CalibrationDataReader):
    def __init__(self):
        self.rows = iter(images)

    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {"images": row}


def run(path, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"images": row})[0] for row in images])


wanted = run(f"{folder}/float.onnx", ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
error = {}
for bits, reduce in ((8, False), (7, True)):
    path = f"{folder}/{bits}.onnx"
    quantize_static(f"{folder}/float.onnx", path, Reader(), quant_format=QuantFormat.QDQ,
                    per_channel=True, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, reduce_range=reduce)
    for name, level in (("optimised", ort.GraphOptimizationLevel.ORT_ENABLE_ALL),
                        ("as written", ort.GraphOptimizationLevel.ORT_DISABLE_ALL)):
        error[bits, name] = float(np.abs(run(path, level) - wanted).max() / wanted.std())
        print(f"{bits}-bit weights, {name}: largest error {error[bits, name]:.3f} sd")
changed = error[8, "optimised"] < 10 * error[7, "optimised"]
raise SystemExit(1 if changed else 0)
PY
"$folder/venv/bin/python" "$folder/try.py"
