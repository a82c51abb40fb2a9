"""The shapes and types of what flows through an ONNX graph, as the library finds them."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper, shape_inference


def inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the types and shapes of its values, where they can be told.

    The library knows no operators of other domains, and where one of its own stands behind such a
    Tokenizer it ends the process; so what a Tokenizer gives is said beforehand.
    """
    known = {value.name for value in model.graph.value_info}
    model.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.STRING, None)
        for node in model.graph.node
        if node.op_type == "Tokenizer"
        for name in node.output
        if name not in known
    )
    return shape_inference.infer_shapes(model)
