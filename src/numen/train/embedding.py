"""A network's last layer without its last layer: a graph that gives what it decides by as well."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import onnx
from onnx import TensorProto, helper

EMBEDDING: Final = "numen/embedding"
_LAST: Final = ("MatMul", "Gemm")


def with_embedding(graph: Path, target: Path) -> bool:
    """Writes a graph with one more output, the input of its last matrix, `[rows, width]`.

    Args:
        graph: The ONNX file.
        target: The file to write.

    Returns:
        Whether there is such a layer; nothing is written if not.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(graph))
    made = {name for node in model.graph.node for name in node.output}
    known = {info.name: info.type.tensor_type for info in model.graph.value_info}
    for node in reversed(model.graph.node):
        source = node.input[0] if node.op_type in _LAST else ""
        if source not in made:  # the model's own input is no embedding
            continue
        kind = known.get(source)
        if kind is None or kind.elem_type != TensorProto.FLOAT or len(kind.shape.dim) != 2:
            return False
        model.graph.node.append(helper.make_node("Identity", [source], [EMBEDDING]))
        width = kind.shape.dim[1].dim_value or None
        info = helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["batch", width])
        model.graph.output.append(info)
        onnx.save_model(model, target)
        return True
    return False
