"""One rule for each Keras operation: what `x + y`, `keras.ops.relu(x)` and activations become.

A rule gets the walk, the operation and its arguments, tensors as `Value`. It says how the result
is stored; the walk knows its shape and type from Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from numen.train.keras.graph import Graph, Unsupported, Value

if TYPE_CHECKING:
    from numen.train.keras.onnx import Walk

Rule = Callable[..., "Value | list[Value]"]
_LARGEST: Final = float(np.finfo("float32").max)


def elementwise(emit: Callable[[Graph, str, Any], str]) -> Rule:
    """A rule for what treats every number alike, in whatever order they are stored."""

    def rule(walk: Walk, operation: Any, x: Value) -> Value:
        x = walk.graph.cast(x, "float32")
        return replace(x, name=emit(walk.graph, x.name, operation))

    return rule


def simple(op: str, **attributes: Any) -> Rule:
    """A rule for what ONNX has an operator for."""
    return elementwise(lambda g, x, _: g.add(op, x, **attributes))


def arithmetic(op: str, to: str = "") -> Rule:
    """A rule for two operands that broadcast: tensors, variables or numbers.

    Args:
        op: The ONNX operator.
        to: The type both are brought to; empty is the result's own.
    """

    def rule(walk: Walk, _: Any, x1: Any, x2: Any) -> Value:
        dtype = to or walk.dtype
        a, b = (walk.graph.cast(walk.value(x, dtype), dtype) for x in (x1, x2))
        name, turned = walk.together(op, [a, b])
        return Value(name, (), "bool" if op == "Equal" else dtype, turned)

    return rule


def softmax_over(axis_of: Callable[[Any], int], op: str = "Softmax") -> Rule:
    """A rule for what normalizes along one axis."""

    def rule(walk: Walk, operation: Any, x: Value) -> Value:
        axis = axis_of(operation)
        if isinstance(axis, (list, tuple)):
            if len(axis) != 1:
                raise Unsupported(f"normalizes over several axes, {axis}")
            axis = axis[0]
        return replace(x, name=walk.graph.add(op, x.name, axis=x.axis(axis)))

    return rule


def clip(g: Graph, x: str, low: float, high: float) -> str:
    """`min(max(x, low), high)`."""
    return g.add("Clip", x, g.constant(low), g.constant(high))


def relu(g: Graph, x: str, options: Any) -> str:
    """Keras's relu with its `negative_slope`, `max_value` and `threshold`."""
    slope, high, least = options.negative_slope, options.max_value, options.threshold
    if not slope and not least:
        return g.add("Relu", x) if high is None else clip(g, x, 0.0, high)
    if not least and high is None:
        return g.add("LeakyRelu", x, alpha=float(slope))
    zero = g.constant(0.0)
    above = g.add("Where", g.add("Greater", x, g.constant(least)), x, zero)
    top = g.add("Clip", above, zero, g.constant(_LARGEST if high is None else high))
    if not slope:
        return top
    below = g.add("Relu", g.add("Sub", g.constant(least), x))
    return g.add("Sub", top, g.add("Mul", below, g.constant(slope)))


def _gelu(g: Graph, x: str, operation: Any) -> str:
    if operation.approximate:
        cube = g.add("Mul", g.add("Mul", x, x), x)
        inner = g.add("Add", x, g.add("Mul", cube, g.constant(0.044715)))
        gate = g.add("Tanh", g.add("Mul", inner, g.constant(math.sqrt(2 / math.pi))))
    else:
        gate = g.add("Erf", g.add("Mul", x, g.constant(math.sqrt(0.5))))
    half = g.add("Mul", x, g.constant(0.5))
    return g.add("Mul", half, g.add("Add", gate, g.constant(1.0)))


def _gated(gate: Callable[[Graph, str], str]) -> Rule:
    """`x * gate(x)`."""
    return elementwise(lambda g, x, _: g.add("Mul", x, gate(g, x)))


def _hard_sigmoid(g: Graph, x: str) -> str:
    return g.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def _squareplus(g: Graph, x: str, operation: Any) -> str:
    root = g.add("Sqrt", g.add("Add", g.add("Mul", x, x), g.constant(operation.b)))
    return g.add("Mul", g.add("Add", x, root), g.constant(0.5))


def _nan_to_num(g: Graph, x: str, operation: Any) -> str:
    known = g.add("Where", g.add("IsNaN", x), g.constant(operation.nan), x)
    high = _LARGEST if operation.posinf is None else operation.posinf
    low = -_LARGEST if operation.neginf is None else operation.neginf
    if (high, low) != (_LARGEST, -_LARGEST):
        raise Unsupported("nan_to_num with values for the infinities")
    return clip(g, known, low, high)


def _identity(_walk: Walk, _: Any, x: Value) -> Value:
    return x


def _cast(walk: Walk, _: Any, x: Value) -> Value:
    return walk.graph.cast(x, walk.dtype)


def _take(walk: Walk, operation: Any, x: Value, indices: Any) -> Value:
    if isinstance(indices, Value) or operation.axis is None:
        raise Unsupported("takes at places that are computed")
    places = walk.graph.constant(np.asarray(indices), "int64")
    name = walk.graph.add("Gather", walk.graph.plain(x), places, axis=operation.axis % x.rank)
    return Value(name, (), x.dtype)


def _get_item(walk: Walk, _: Any, x: Value, key: Any) -> Value:
    """Basic slices of step forward; integers drop their axis."""
    g = walk.graph
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    if Ellipsis in keys:
        place = keys.index(Ellipsis)
        keys[place : place + 1] = [slice(None)] * (x.rank - len(keys) + 1)
    cuts, dropped = [], []
    for axis, part in enumerate(keys):
        if isinstance(part, int):
            cuts.append((axis, part, part + 1 if part != -1 else 2**31, 1))
            dropped.append(axis)
        elif isinstance(part, slice) and (part.step or 1) > 0:
            if part != slice(None):
                stop = 2**31 if part.stop is None else part.stop
                cuts.append((axis, part.start or 0, stop, part.step or 1))
        else:
            raise Unsupported(f"indexes with {part!r}")
    name = g.plain(x)
    if cuts:
        axes, starts, stops, steps = (g.constant(c, "int64") for c in zip(*cuts, strict=True))
        name = g.add("Slice", name, starts, stops, axes, steps)
    if dropped:
        name = g.add("Squeeze", name, g.constant(dropped, "int64"))
    return Value(name, (), x.dtype)


def _not_equal(walk: Walk, _: Any, x1: Any, x2: Any) -> Value:
    same = OPERATIONS["Equal"](walk, None, x1, x2)
    assert isinstance(same, Value)
    return replace(same, name=walk.graph.add("Not", same.name))


def _expand_dims(walk: Walk, operation: Any, x: Value) -> Value:
    axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
    places = walk.graph.constant([a % (x.rank + len(axes)) for a in axes], "int64")
    return Value(walk.graph.add("Unsqueeze", walk.graph.plain(x), places), (), x.dtype)


def _reshape(walk: Walk, operation: Any, x: Value) -> Value:
    return Value(walk.reshaped(x, operation.newshape[1:]), (), x.dtype)


def _concatenate(walk: Walk, operation: Any, xs: Any) -> Value:
    return walk.concatenated(xs, operation.axis)


def _matmul(walk: Walk, _: Any, x1: Any, x2: Any) -> Value:
    a, b = (walk.value(x, "float32") for x in (x1, x2))
    return Value(walk.graph.add("MatMul", walk.graph.plain(a), walk.graph.plain(b)), ())


def _reduction(op: str) -> Rule:
    def rule(walk: Walk, operation: Any, x: Value) -> Value:
        axis = operation.axis
        if axis is None:
            raise Unsupported("reduces over the batch")
        places = [a % x.rank for a in (axis if isinstance(axis, (list, tuple)) else [axis])]
        if 0 in places:
            raise Unsupported("reduces over the batch")
        name = walk.reduced(op, walk.graph.plain(x), places, bool(operation.keepdims))
        return Value(name, ())

    return rule


OPERATIONS: Final[dict[str, Rule]] = {
    "Add": arithmetic("Add"),
    "Subtract": arithmetic("Sub"),
    "Multiply": arithmetic("Mul"),
    "Divide": arithmetic("Div"),
    "TrueDivide": arithmetic("Div"),
    "Maximum": arithmetic("Max"),
    "Minimum": arithmetic("Min"),
    "Power": arithmetic("Pow", "float32"),
    "Equal": arithmetic("Equal", "float32"),
    "NotEqual": _not_equal,
    "ExpandDims": _expand_dims,
    "Matmul": _matmul,
    "Negative": simple("Neg"),
    "Absolute": simple("Abs"),
    "Abs": simple("Abs"),
    "Exp": simple("Exp"),
    "Log": simple("Log"),
    "Sqrt": simple("Sqrt"),
    "Reciprocal": simple("Reciprocal"),
    "Erf": simple("Erf"),
    "Rsqrt": elementwise(lambda g, x, _: g.add("Reciprocal", g.add("Sqrt", x))),
    "Square": elementwise(lambda g, x, _: g.add("Mul", x, x)),
    "Relu": simple("Relu"),
    "ReLU": elementwise(relu),
    "Relu6": elementwise(lambda g, x, _: clip(g, x, 0.0, 6.0)),
    "LeakyRelu": elementwise(lambda g, x, o: g.add("LeakyRelu", x, alpha=float(o.negative_slope))),
    "Elu": elementwise(lambda g, x, o: g.add("Elu", x, alpha=float(o.alpha))),
    "Celu": elementwise(lambda g, x, o: g.add("Celu", x, alpha=float(o.alpha))),
    "Selu": simple("Selu"),
    "Gelu": elementwise(_gelu),
    "Silu": _gated(lambda g, x: g.add("Sigmoid", x)),
    "HardSilu": _gated(_hard_sigmoid),
    "Mish": _gated(lambda g, x: g.add("Tanh", g.add("Softplus", x))),
    "Sigmoid": simple("Sigmoid"),
    "HardSigmoid": elementwise(lambda g, x, _: _hard_sigmoid(g, x)),
    "LogSigmoid": elementwise(lambda g, x, _: g.add("Neg", g.add("Softplus", g.add("Neg", x)))),
    "Tanh": simple("Tanh"),
    "HardTanh": elementwise(lambda g, x, _: clip(g, x, -1.0, 1.0)),
    "TanhShrink": elementwise(lambda g, x, _: g.add("Sub", x, g.add("Tanh", x))),
    "Softplus": simple("Softplus"),
    "Softsign": simple("Softsign"),
    "Squareplus": elementwise(_squareplus),
    "Softmax": softmax_over(lambda o: o.axis),
    "LogSoftmax": softmax_over(lambda o: o.axis, "LogSoftmax"),
    "NanToNum": elementwise(_nan_to_num),
    "StopGradient": _identity,
    "Copy": _identity,
    "ConvertToTensor": _identity,
    "Cast": _cast,
    "Take": _take,
    "GetItem": _get_item,
    "Reshape": _reshape,
    "Concatenate": _concatenate,
    "Mean": _reduction("ReduceMean"),
    "Sum": _reduction("ReduceSum"),
    "Max": _reduction("ReduceMax"),
    "Min": _reduction("ReduceMin"),
}

# Activations that Keras computes at once, without a record of the operations.
FUNCTIONS: Final[dict[str, Rule]] = {
    "hard_silu": OPERATIONS["HardSilu"],
    "mish": OPERATIONS["Mish"],
}
