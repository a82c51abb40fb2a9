"""An explanation graph as a model of its own: it takes what the model takes, and `target`.

That is the place of the label that is explained, or -1 for the likeliest. The baseline and the
points on the way from it are in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from numen.core.signature import Array
from numen.explain import ATTRIBUTION, TARGET
from numen.explain.graph.write import (
    BASELINE,
    INTEGRATED,
    NODES,
    NOISE,
    PRODUCT,
    SALIENCY,
    SMOOTH,
    WEIGHTS,
    Explanation,
)

STEPS: Final = 32  # points of the Gauss-Legendre rule between baseline and input
_DRAWS: Final = 16  # of noise around the input
_ASKED: Final = "target:asked"
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
            drawn = np.random.default_rng(0).normal(0, 1, (_DRAWS, *row))
            given = drawn if method == SMOOTH else drawn[:1]  # else nobody looks at it
        if given is not None:
            kind = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            graph.initializer.append(numpy_helper.from_array(given.astype(kind), info.name))
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
    """What is explained is what is asked about, or else what the model answers."""
    (info,) = (each for each in graph.output if each.name == output)
    sizes = [dim.dim_value for dim in info.type.tensor_type.shape.dim]
    answer = helper.make_node("Cast", [output], ["target:answer"], to=TensorProto.INT64)
    if len(sizes) > 1:
        answer = helper.make_node("ArgMax", [output], ["target:answer"], axis=1, keepdims=0)
    made = [answer]
    if sizes[1:] in ([], [1]):  # there is but one
        answer.output[0] = TARGET
        graph.input.remove(next(each for each in graph.input if each.name == TARGET))
    else:
        for node in graph.node:
            node.input[:] = [_ASKED if name == TARGET else name for name in node.input]
        graph.initializer.append(numpy_helper.from_array(np.array(0), "target:least"))
        made += [
            helper.make_node("Less", [TARGET, "target:least"], ["target:open"]),
            helper.make_node("Where", ["target:open", "target:answer", TARGET], [_ASKED]),
        ]
    place = next(n for n, each in enumerate(graph.node) if output in each.output)
    for node in reversed(made):
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
