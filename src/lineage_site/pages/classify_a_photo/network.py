"""EfficientNet-Lite0 as one ONNX file that gives its scores and each class's map of evidence.

The network ends in a mean over the map and a linear layer. The two can change places, so each
class has a map whose mean, with the class's bias, is its score. The maps are a second output,
from the same weights.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from lineage_lab.using.export import export_onnx
from lineage_lab.using.predictor import Predictor

__all__ = ["NAME", "network"]

NAME = "efficientnet_lite0.onnx"


def network(predictor: Predictor) -> bytes:
    """The file: ``images [1, 3, 224, 224]`` to ``scores [1, classes]`` and ``maps``.

    Args:
        predictor: The network with its weights.

    Returns:
        An ONNX model; ``maps`` is ``[1, classes, places]``, the places row by row.

    Raises:
        ModuleNotFoundError: A package of the extra ``export`` is not installed.
        ValueError: The network does not end in a mean and a linear layer.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, NAME)
        export_onnx(predictor, path, dynamic=False)  # the page asks for one photograph
        import onnx

        model = onnx.load(path)
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    head = made["scores"]
    flat = made.get(head.input[0])
    mean = made.get(flat.input[0]) if flat else None
    if head.op_type != "Gemm" or mean is None or mean.op_type != "ReduceMean":
        raise ValueError("the network's last layers are not a mean over the map and a linear one")
    # What the exporter notes of where it ran is of no use to a reader.
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")

    helper, kinds = onnx.helper, onnx.TensorProto
    graph.initializer.append(helper.make_tensor("flat_shape", kinds.INT64, [3], [0, 0, -1]))
    graph.node.append(helper.make_node("Reshape", [mean.input[0], "flat_shape"], ["places"]))
    graph.node.append(helper.make_node("MatMul", [head.input[1], "places"], ["maps"]))
    shape: list[str | int | None] = [1, len(predictor.classes), "places"]
    graph.output.append(helper.make_tensor_value_info("maps", kinds.FLOAT, shape))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
