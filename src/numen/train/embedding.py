"""A network's last layer without its last layer: a graph that gives what it decides by as well."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import onnx
from onnx import TensorProto, helper

from numen.train.shapes import inferred

EMBEDDING: Final = "numen/embedding"
_LAST: Final = ("MatMul", "Gemm")
_WIDEST: Final = 4_096


def with_embedding(graph: Path, target: Path) -> bool:
    """Writes a graph with one more output, the input of its last matrix, `[rows, width]`.

    Args:
        graph: The ONNX file.
        target: The file to write.

    Returns:
        Whether there is such a layer; nothing is written if not.
    """
    model = inferred(onnx.load(graph))
    made = {name for node in model.graph.node for name in node.output}
    known = {info.name: info.type.tensor_type for info in model.graph.value_info}
    for node in reversed(model.graph.node):
        source = node.input[0] if node.op_type in _LAST else ""
        if source not in made:  # the model's own input is no embedding
            continue
        kind = known.get(source)
        if kind is None or kind.elem_type != TensorProto.FLOAT or len(kind.shape.dim) != 2:
            return False
        width = kind.shape.dim[1].dim_value or None
        if width is not None and width > _WIDEST:  # counts of words, say, are no embedding
            return False
        model.graph.node.append(helper.make_node("Identity", [source], [EMBEDDING]))
        info = helper.make_tensor_value_info(EMBEDDING, TensorProto.FLOAT, ["batch", width])
        model.graph.output.append(info)
        onnx.save_model(model, target)
        return True
    return False
