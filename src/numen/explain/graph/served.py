"""An explanation graph as a model of its own: it takes what the model takes and needs no more.

It explains what the model answers, the likeliest label or the one value, from a baseline and along
points that are in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from numen.core.signature import Array
from numen.explain.graph.write import (
    BASELINE,
    INTEGRATED,
    NODES,
    NOISE,
    PRODUCT,
    SALIENCY,
    TARGET,
    WEIGHTS,
    Explanation,
)

STEPS: Final = 32  # points of the Gauss-Legendre rule between baseline and input
ATTRIBUTION: Final = "attribution:"
_CHEAP: Final = (SALIENCY, PRODUCT)  # of one gradient, which costs little beside a path of them


def served(
    explanation: Explanation, baselines: Mapping[str, Array], method: str = INTEGRATED
) -> onnx.ModelProto:
    """The graph of one method.

    Args:
        explanation: The graph of all.
        baselines: What inputs are compared with, `[1, …]` by name; zeros where not given.
        method: What is called `attribution:INPUT`; saliency and gradient × input are given beside
            it, called by their names.
    """
    model = onnx.ModelProto()
    model.CopyFrom(explanation.model)
    graph = model.graph
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    bound: dict[str, Array] = {NODES: (nodes + 1) / 2, WEIGHTS: weights / 2}
    for info in list(graph.input):
        given = bound.get(info.name)
        row = [dim.dim_value for dim in info.type.tensor_type.shape.dim[1:]]
        if info.name.startswith(BASELINE):
            given = baselines.get(info.name.removeprefix(BASELINE), np.zeros((1, *row)))
        if info.name.startswith(NOISE):
            given = np.zeros((1, *row))
        if given is not None:
            kind = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            graph.initializer.append(numpy_helper.from_array(given.astype(kind), info.name))
        if given is not None or info.name == TARGET:
            graph.input.remove(info)
    _choose(graph, explanation.output)
    kept = {explanation.output, explanation.tokens}
    for name in explanation.inputs:
        kept |= {f"{each}:{name}" for each in _CHEAP}
    outputs = [info for info in graph.output if info.name in kept]
    for name in explanation.inputs:
        made = next(info for info in graph.output if info.name == f"{method}:{name}")
        graph.node.append(helper.make_node("Identity", [made.name], [f"{ATTRIBUTION}{name}"]))
        info = onnx.ValueInfoProto()
        info.CopyFrom(made)
        info.name = f"{ATTRIBUTION}{name}"
        outputs.append(info)
    del graph.output[:]
    graph.output.extend(outputs)
    _prune(graph)
    onnx.checker.check_model(model)
    return model


def _choose(graph: onnx.GraphProto, output: str) -> None:
    """What is explained is what the model answers."""
    (info,) = (each for each in graph.output if each.name == output)
    if len(info.type.tensor_type.shape.dim) > 1:
        node = helper.make_node("ArgMax", [output], [TARGET], axis=1, keepdims=0)
    else:
        node = helper.make_node("Cast", [output], [TARGET], to=TensorProto.INT64)
    place = next(n for n, each in enumerate(graph.node) if output in each.output)
    graph.node.insert(place + 1, node)


def _prune(graph: onnx.GraphProto) -> None:
    """Drops what no output needs."""
    needed = {info.name for info in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    constants = [each for each in graph.initializer if each.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)
