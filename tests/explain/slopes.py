"""Gradients as the graph says them and as central differences do, both with double digits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from numen.explain.graph.backward import derive
from numen.explain.graph.forward import forward
from numen.explain.graph.tape import Tape

STEP = 1e-6


class Erf(OpRun):
    """The library's own gives single digits."""

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[np.float64])(x),)


class Gelu(OpRun):
    """Likewise."""

    def _run(self, x, *, approximate="none"):
        if approximate == "tanh":
            inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
            return (0.5 * x * (1 + np.tanh(inner)),)
        return (0.5 * x * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2))),)


class GroupNormalization(OpRun):
    """Likewise."""

    def _run(self, x, scale, bias, *, num_groups, epsilon=1e-5, stash_type=1):
        apart = x.reshape(len(x), num_groups, -1)
        spread = np.sqrt(apart.var(2, keepdims=True) + epsilon)
        plain = ((apart - apart.mean(2, keepdims=True)) / spread).reshape(x.shape)
        channels = (-1, *(1,) * (x.ndim - 2))
        return (plain * scale.reshape(channels) + bias.reshape(channels),)


class ConvTranspose(OpRun):
    """The library's own knows no groups: every output is the sum of what falls on its place."""

    def _run(self, x, w, *, dilations=None, group=1, pads, strides, output_padding=None, **_):
        rows, channels, *given = x.shape
        size = w.shape[2:]
        dilations = dilations or [1] * len(size)
        reach = [(n - 1) * s + (k - 1) * d + 1
                 for n, s, k, d in zip(given, strides, size, dilations, strict=True)]  # fmt: skip
        made = np.zeros((rows, group, w.shape[1], *reach))
        apart = x.reshape(rows, group, channels // group, *given)
        kernels = w.reshape(group, channels // group, *w.shape[1:])
        for place in np.ndindex(*size):
            falls = np.einsum("rgc...,gco->rgo...", apart, kernels[(..., *place)])
            where = tuple(
                slice(p * d, p * d + (n - 1) * s + 1, s)
                for p, d, n, s in zip(place, dilations, given, strides, strict=True)
            )
            made[(slice(None), slice(None), slice(None), *where)] += falls
        made = made.reshape(rows, -1, *reach)
        count = len(reach)
        more = output_padding or [0] * count
        made = np.pad(made, [(0, 0), (0, 0), *((0, n) for n in more)])
        inner = tuple(
            slice(pads[n], reach[n] + more[n] - pads[count + n]) for n in range(count)
        )  # fmt: skip
        return (made[(slice(None), slice(None), *inner)],)


class MaxPool(OpRun):
    """The library's own says other places than the standard."""

    def _run(self, x, *, kernel_shape, pads=None, strides=None, **_):
        count = len(kernel_shape)
        pads, strides = pads or [0] * 2 * count, strides or [1] * count
        around = [(0, 0), (0, 0), *zip(pads[:count], pads[count:], strict=True)]
        wide = np.pad(x, around, constant_values=-np.inf)
        places = np.pad(np.arange(x.size).reshape(x.shape), around, constant_values=-1)
        axes = tuple(range(2, 2 + count))
        each = (slice(None), slice(None), *(slice(None, None, s) for s in strides))
        windows, where = (
            sliding_window_view(a, kernel_shape, axes)[each].reshape(
                *_shape(a, kernel_shape, strides), -1
            )
            for a in (wide, places)
        )
        best = windows.argmax(-1)[..., None]
        return tuple(np.take_along_axis(a, best, -1)[..., 0] for a in (windows, where))


def _shape(array, size, strides):
    lengths = zip(array.shape[2:], size, strides, strict=True)
    return (*array.shape[:2], *((n - k) // s + 1 for n, k, s in lengths))


def evaluator(model: onnx.ModelProto) -> ReferenceEvaluator:
    return ReferenceEvaluator(
        model, new_ops=[Erf, Gelu, GroupNormalization, ConvTranspose, MaxPool]
    )


def model_of(
    nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Sequence[int]],
    constants: Mapping[str, np.ndarray], *, opset: int = 18, rows: bool = True,
) -> onnx.ModelProto:  # fmt: skip
    """A model that gives `y`; the first axis of what it takes is open."""
    graph = helper.make_graph(
        list(nodes), "g",
        [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, ["rows" if rows else shape[0], *shape[1:]]
            )
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(c), name) for name, c in constants.items()],
    )  # fmt: skip
    graph.output[0].type.tensor_type.ClearField("shape")
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(made)


def doubled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with double digits throughout."""
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            array = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    for info in (*graph.input, *graph.output):
        if info.type.tensor_type.elem_type == TensorProto.FLOAT:
            info.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to":
                attribute.i = (
                    TensorProto.DOUBLE if attribute.i == TensorProto.FLOAT else attribute.i
                )
            if attribute.name == "value" and attribute.t.data_type == TensorProto.FLOAT:
                array = numpy_helper.to_array(attribute.t).astype(np.float64)
                attribute.t.CopyFrom(numpy_helper.from_array(array))
    del graph.value_info[:]
    return model


def gradients(model: onnx.ModelProto, given: Mapping[str, np.ndarray]) -> tuple[Any, Any]:
    """By input: of the sum of `y` times fixed weights, from the graph, and from differences."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    plain = doubled(plain)
    run = evaluator(plain)
    found = forward(model)
    tape = Tape(found.shapes, found.kinds, found.values)
    names = list(given)
    grads = derive(tape, found.steps, names, {"y": "weights"})
    graph = found.model.graph
    graph.node.extend(tape.nodes)
    graph.initializer.extend(tape.constants)
    graph.input.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, None))
    graph.input[-1].type.tensor_type.ClearField("shape")
    del graph.output[:]
    for name in names:
        graph.output.append(helper.make_tensor_value_info(grads[name], TensorProto.FLOAT, None))
    backward = evaluator(doubled(found.model))
    wide = {name: x.astype(np.float64) for name, x in given.items()}
    (y,) = run.run(None, wide)
    weights = np.random.default_rng(1).normal(size=np.shape(y))
    made = dict(zip(names, backward.run(None, {**wide, "weights": weights}), strict=True))
    expected = {}
    for name, x in wide.items():
        slope = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            sides = []
            for sign in (1, -1):
                moved = x.copy()
                moved[place] += sign * STEP
                sides.append((run.run(None, {**wide, name: moved})[0] * weights).sum())
            slope[place] = (sides[0] - sides[1]) / (2 * STEP)
        expected[name] = slope
    return made, expected


def check(model: onnx.ModelProto, given: Mapping[str, np.ndarray]) -> None:
    """Asserts that both agree to 1e-6 of the largest."""
    made, expected = gradients(model, given)
    for name, slope in expected.items():
        assert made[name].shape == slope.shape
        size = max(1.0, np.abs(slope).max())
        np.testing.assert_allclose(made[name] / size, slope / size, atol=1e-6, err_msg=name)
