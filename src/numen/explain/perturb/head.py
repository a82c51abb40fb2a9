"""A graph parted behind its first layer, of which coalitions are sums: only the rest runs for each.

What a number adds to a layer y = f(x) W depends on no other number as long as f changes each by
itself: scales it, fills a gap, tells it from categories. A player's share of y is then the same
whoever else is there: y of a coalition is y of the background, and what each of its players adds.
Needs onnx: models are parted when published.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper, shape_inference
from onnx.utils import Extractor

from numen.core.observe import logger
from numen.core.signature import Array

# Of one number each; of several only where those stand at the same place.
_EACH: Final = frozenset(
    {
        "Abs", "Add", "And", "Cast", "Ceil", "Clip", "Div", "Equal", "Erf", "Exp", "Floor",
        "Greater", "GreaterOrEqual", "Identity", "Imputer", "IsInf", "IsNaN", "LabelEncoder",
        "Less", "LessOrEqual", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow",
        "Reciprocal", "Relu", "Round", "Scaler", "Sigmoid", "Sign", "Sqrt", "Sub", "Sum", "Tanh",
        "Where",
    }
)  # fmt: skip
_MOVING: Final = frozenset(
    {
        "ArrayFeatureExtractor", "Concat", "Flatten", "Gather", "OneHotEncoder", "Reshape", "Slice",
        "Squeeze", "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_LAYERS: Final = frozenset({"Gemm", "MatMul"})
_LINEAR: Final = frozenset({"LinearClassifier", "LinearRegressor"})
_WORTH: Final = 8  # a layer of a smaller part of all weights is not what takes the time
_GROUPS: Final = 8  # players, and sets of them, that a parted graph is tried with
_CLOSE: Final = 1e-4
_log = logger(__name__)


def parted(model: onnx.ModelProto, samples: Array) -> tuple[bytes, bytes] | None:
    """Head and tail of a graph, as ONNX.

    The head takes what the graph takes and gives `[rows, …]`, the first layer. The tail takes
    sets `[n, 1 + players]` of zeros and ones, and what they add to the layer of all copies
    `[1 + players, copies · …]`: first the background, which is in every set. It gives what the
    graph gives of `n · copies` rows.

    Args:
        model: A graph of one input and one output.
        samples: `[rows, …]`, inputs to try it with.

    Returns:
        Nothing where the graph does not begin so, or has most of its weights elsewhere.
    """
    if any(
        part.type in (part.GRAPH, part.GRAPHS) for n in model.graph.node for part in n.attribute
    ):
        return None  # what graphs inside it need is not written at their nodes
    opened = shape_inference.infer_shapes(_opened(model))
    held = {each.name: each for each in opened.graph.initializer}
    (source,) = (each.name for each in opened.graph.input if each.name not in held)
    layer = _layer(opened.graph, source)
    if layer is None or layer.input[1] not in held:
        return None
    sizes = {name: math.prod(each.dims) for name, each in held.items()}
    if sizes[layer.input[1]] * _WORTH < sum(sizes.values()):
        return None
    end, target = _with_bias(opened.graph, layer, source), opened.graph.output[0].name
    if source in _needed(opened.graph, target, end):
        return None
    if end not in {each.name for each in (*opened.graph.value_info, *opened.graph.output)}:
        kind = held[layer.input[1]].data_type
        opened.graph.value_info.append(helper.make_tensor_value_info(end, kind, None))
    try:
        return _tried(model, opened, (source, end, target), samples)
    except Exception as error:  # whatever the libraries make of parts that do not run alone
        _log.info("the graph is not parted: %s", error)
        return None


def _tried(
    model: onnx.ModelProto, opened: onnx.ModelProto, ends: tuple[str, str, str], samples: Array
) -> tuple[bytes, bytes] | None:
    """Head and tail if they give what the graph gives: no type tells whether rows are mixed."""
    source, end, target = ends
    part = Extractor(opened).extract_model([source], [end])
    part.graph.name = "head"  # an exporter's may be made up each time
    whole = np.isfinite(samples.astype(float)).reshape(len(samples), -1).all(1)
    behind, row = samples[np.flatnonzero(whole)[[0, -1]] if whole.any() else [0, -1]]
    random = np.random.default_rng(0)
    drawn = random.random((_GROUPS, _GROUPS)) < 0.5
    sets = np.concatenate([np.eye(_GROUPS + 1, _GROUPS, -1, dtype=bool), drawn])
    rows = np.where(sets[:, random.integers(0, _GROUPS, row.shape)], row, behind)
    layer = _run(part.SerializeToString(), rows[: 1 + _GROUPS])
    kind = helper.np_dtype_to_tensor_dtype(layer.dtype)
    shape = ["rows", *layer.shape[1:]]
    part.graph.output[0].CopyFrom(helper.make_tensor_value_info(end, kind, shape))
    tail = _summed(opened, end, target, layer).SerializeToString()
    added = layer.reshape(len(layer), -1)
    added[1:] -= added[0]
    found = _run(tail, np.insert(sets, 0, True, 1).astype(layer.dtype), added)
    wanted = _run(model.SerializeToString(), rows)
    alike = wanted.shape == found.shape and np.allclose(found, wanted, _CLOSE, _CLOSE)
    return (part.SerializeToString(), tail) if alike else None


def _opened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Linear models as a product, and themselves with weights that change nothing."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.graph.node[:]
    for node in model.graph.node:
        said = {part.name: helper.get_attribute_value(part) for part in node.attribute}
        given = np.array(said.get("coefficients", ()), np.float32)
        bias = np.array(said.get("intercepts", ()), np.float32)
        if node.op_type not in _LINEAR or not bias.size:
            made.graph.node.append(node)
            continue
        count, layer = len(bias), f"{node.output[-1]}/layer"
        weights = given.reshape(count, -1).T
        made.graph.initializer.extend(
            numpy_helper.from_array(array, f"{layer}/{name}")
            for name, array in (("weights", weights), ("bias", bias))
        )
        names = [node.input[0], f"{layer}/weights", f"{layer}/bias"]
        made.graph.node.append(helper.make_node("Gemm", names, [layer]))
        said |= {"coefficients": np.eye(count).reshape(-1).tolist(), "intercepts": [0.0] * count}
        made.graph.node.append(
            helper.make_node(node.op_type, [layer], node.output, domain=node.domain, **said)
        )
    return made


def _layer(graph: onnx.GraphProto, source: str) -> onnx.NodeProto | None:
    """The first product with constants of numbers that depend on one of the input's each."""
    constant = {each.name for each in graph.initializer} | {""}
    shapes = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim[1:]]
        for info in (*graph.input, *graph.value_info, *graph.output)
        if info.type.tensor_type.HasField("shape")
    }
    shapes = {name: row for name, row in shapes.items() if all(row)}
    like = {source: source}  # of each tensor the first whose numbers stand where its own do
    for node in graph.node:
        changing = [name for name in node.input if name not in constant]
        if not changing:
            constant.update(node.output)
        if not changing or not all(name in like for name in changing):
            continue
        if node.op_type in _LAYERS:
            turned = any(part.name == "transA" and part.i for part in node.attribute)
            if changing == [node.input[0]] and not turned:
                return node
            continue
        made, first = node.output[0], like[changing[0]]
        if node.op_type in _EACH and all(like[name] == first for name in changing):
            kept = made in shapes and shapes[made] == shapes.get(first)
            like[made] = first if kept else made
        elif node.op_type in _MOVING and (len(changing) == 1 or node.op_type == "Concat"):
            like[made] = made
    return None


def _with_bias(graph: onnx.GraphProto, layer: onnx.NodeProto, source: str) -> str:
    """What the layer is called, with constants added to it."""
    changing = _behind(graph, source)
    end = str(layer.output[0])
    while True:
        users = [node for node in graph.node if end in node.input]
        others = [name for node in users for name in node.input if name != end]
        if len(users) != 1 or users[0].op_type != "Add" or not others or changing & {*others}:
            return end
        end = str(users[0].output[0])


def _behind(graph: onnx.GraphProto, source: str) -> set[str]:
    """All that depends on the input."""
    found = {source}
    for node in graph.node:
        if not found.isdisjoint(node.input):
            found.update(node.output)
    return found


def _needed(graph: onnx.GraphProto, target: str, end: str) -> set[str]:
    """All that the output is made from, as far back as the layer."""
    found = {target}
    for node in reversed(graph.node):
        if not found.isdisjoint(node.output) and end not in node.output:
            found.update(node.input)
    return found


def _summed(model: onnx.ModelProto, end: str, target: str, layer: Array) -> onnx.ModelProto:
    """The graph behind the layer, which is a sum over the players of a set."""
    tail = Extractor(model).extract_model([end], [target])
    tail.graph.name = "tail"
    kind = helper.np_dtype_to_tensor_dtype(layer.dtype)
    *given, total, shape = (f"{end}/{what}" for what in ("sets", "added", "sum", "row"))
    del tail.graph.input[:]
    for name, sizes in zip(given, (["n", "k"], ["k", "m"]), strict=True):
        tail.graph.input.append(helper.make_tensor_value_info(name, kind, sizes))
    row = np.array([-1, *layer.shape[1:]])
    tail.graph.initializer.append(numpy_helper.from_array(row, shape))
    tail.graph.node.insert(0, helper.make_node("MatMul", given, [total]))
    tail.graph.node.insert(1, helper.make_node("Reshape", [total, shape], [end]))
    return tail


def _run(graph: bytes, *given: Any) -> Array:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return np.asarray(session.run(None, dict(zip(names, given, strict=True)))[0])
