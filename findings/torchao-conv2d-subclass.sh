#!/usr/bin/env bash
# torchao 0.18.0 with torch 2.14.1: after the default torch.export.export (strict=False), the x86
# quantiser of pt2e leaves each convolution in float whose class is a subclass of nn.Conv2d, even an
# empty one, and says nothing. With strict=True it quantises the same network whole.
#
# Cause: it looks for torch.nn.Conv2d, and in the non-strict export finds it by the class name in
# node.meta["nn_module_stack"], where the subclass has its own; the strict export has
# node.meta["source_fn_stack"] with the function conv2d beside it.
#
# Seen:
#   Conv2d   strict=False: 2 of 2 convolutions take int8
#   Conv2d   strict=True:  2 of 2 convolutions take int8
#   Subclass strict=False: 0 of 2 convolutions take int8
#   Subclass strict=True:  2 of 2 convolutions take int8
#
# Exits with 0 while this is so, and with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q torch==2.14.1 torchao==0.18.0
cat > "$folder/try.py" <<'PY'
import warnings

warnings.simplefilter("ignore")
import torch
from torch import nn
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)


class Subclass(nn.Conv2d):
    pass


def counted(kind, strict):
    torch.manual_seed(0)
    net = nn.Sequential(
        kind(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(),
        kind(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8),
    ).eval()
    images = (torch.randn(1, 3, 16, 16),)
    graph = torch.export.export(net, images, strict=strict).module()
    quantizer = X86InductorQuantizer()
    quantizer.set_global(get_default_x86_inductor_quantization_config())
    prepared = prepare_pt2e(graph, quantizer)
    prepared(*images)
    nodes = convert_pt2e(prepared).graph.nodes
    convolutions = [n for n in nodes if "aten.conv" in str(n.target)]
    return sum("dequantize" in str(n.args[0].target) for n in convolutions), len(convolutions)


seen = {}
for kind in (nn.Conv2d, Subclass):
    for strict in (False, True):
        seen[kind.__name__, strict] = counted(kind, strict)
        taken, of = seen[kind.__name__, strict]
        print(f"{kind.__name__:8} strict={strict}: {taken} of {of} convolutions take int8")
wanted = {("Conv2d", False): (2, 2), ("Conv2d", True): (2, 2),
          ("Subclass", False): (0, 2), ("Subclass", True): (2, 2)}
raise SystemExit(0 if seen == wanted else 1)
PY
"$folder/venv/bin/python" "$folder/try.py"
