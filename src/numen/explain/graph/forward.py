"""A prediction graph made ready: constants folded, compound operators opened, shapes known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import inliner, numpy_helper, shape_inference, version_converter

from numen.core.signature import Array
from numen.explain.graph import recurrent
from numen.explain.graph.pooling import tiles
from numen.explain.graph.rules import FLAT, RULES
from numen.explain.graph.tape import Shape, Step, Underivable

OPSET: Final = 18  # what older graphs are brought to; ScatterElements adds from there on
_LEAST: Final = 16
_SAME: Final = (15, 17)  # between these no operator that has a rule changed what it means


@dataclass
class Forward:
    """A graph that can be gone through backwards.

    Attributes:
        model: It, with every tensor's shape as far as that can be told.
        steps: Its operators, each behind those it needs.
        values: Constants.
        shapes: Of all tensors, where known.
        kinds: Types of elements, where known.
    """

    model: onnx.ModelProto
    steps: list[Step]
    values: dict[str, Array]
    shapes: dict[str, Shape]
    kinds: dict[str, np.dtype[Any]]
    inputs: tuple[str, ...] = field(default=())

    def behind(self, names: Iterable[str]) -> set[str]:
        """All tensors that depend on some, those included."""
        found = set(names)
        for step in self.steps:
            if any(name in found for name in step.inputs):
                found.update(step.outputs)
        return found


def forward(model: onnx.ModelProto) -> Forward:
    """Makes a graph ready.

    Raises:
        Underivable: It is not a graph that onnxruntime opens, or a recurrent layer cannot be
            opened.
    """
    model = _simple(model)
    version = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if version == _SAME[0]:
        next(o for o in model.opset_import if o.domain in ("", "ai.onnx")).version = _SAME[1]
    elif version < _LEAST:
        model = version_converter.convert_version(model, OPSET)
    model = _opened(model)
    found = _read(model)
    if any(step.kind in recurrent.KINDS for step in found.steps):
        found = _read(_unrolled(found))
    for node, step in zip(found.model.graph.node, found.steps, strict=True):
        x = step.inputs[0] if step.inputs else ""
        if node.op_type != "MaxPool" or tiles(step, found.shapes.get(x), found.kinds.get(x)):
            continue
        if len(node.output) == 1:
            node.output.append(f"{node.output[0]}/places")
    return _read(found.model)


def _simple(model: onnx.ModelProto) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "simple.onnx")
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # whatever the runtime makes of it
            raise Underivable(f"the graph cannot be opened: {error}") from error
        return onnx.load(options.optimized_model_filepath)


def _opened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Operators that ONNX defines by others, where those have rules and they have not."""
    kinds = {node.op_type for node in model.graph.node if node.domain in ("", "ai.onnx")}
    others = [("", kind) for kind in sorted(kinds - RULES.keys() - FLAT)]
    if not others:
        return model
    # What the library opens must have its types written down, constants too.
    model.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(each.name, each.data_type, each.dims)
        for each in model.graph.initializer
    )
    return inliner.inline_selected_functions(model, others, inline_schema_functions=True)


def _unrolled(found: Forward) -> onnx.ModelProto:
    model = onnx.ModelProto()
    model.CopyFrom(found.model)
    del model.graph.node[:]
    for number, (node, step) in enumerate(zip(found.model.graph.node, found.steps, strict=True)):
        if step.kind not in recurrent.KINDS:
            model.graph.node.append(node)
            continue
        shape = found.shapes.get(step.inputs[0], (None, None, None))
        nodes, constants = recurrent.opened(step, shape, found.values, number)
        model.graph.node.extend(nodes)
        model.graph.initializer.extend(constants)
    return model


def _read(model: onnx.ModelProto) -> Forward:
    # Unless told what a Tokenizer of the runtime's gives, the library ends the process behind it.
    model.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, None)
        for node in model.graph.node
        if node.op_type == "Tokenizer"
        for name in set(node.output) - {known.name for known in model.graph.value_info}
    )
    model = shape_inference.infer_shapes(model, data_prop=True)
    graph = model.graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].HasField("t"):
            values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    shapes: dict[str, Shape] = {name: array.shape for name, array in values.items()}
    kinds: dict[str, Any] = {name: array.dtype for name, array in values.items()}
    for info in (*graph.input, *graph.value_info, *graph.output):
        tensor = info.type.tensor_type
        if tensor.elem_type:
            kinds[info.name] = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        if tensor.HasField("shape"):
            shapes[info.name] = tuple(
                dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim
            )
    steps = [Step.of(node) for node in graph.node]
    known = set(values)
    inputs = tuple(info.name for info in graph.input if info.name not in known)
    return Forward(model, steps, values, shapes, kinds, inputs)
