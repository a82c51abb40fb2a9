"""Temperature scaling: a model as often right as it says, by one number divided into its graph.

The likeliest class stays the likeliest, so accuracy stays what it was (Guo, Pleiss, Sun and
Weinberger 2017, On Calibration of Modern Neural Networks).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification
from numen.core.signature import Array
from numen.train.evaluate.several import TINY

_LEAST: Final = 1e-3
_MOST: Final = 1e3
_STEPS: Final = 80
# What may stand between an activation and the output: `1 - p` beside `p` of two classes.
_PASSING: Final = ("Softmax", "Sigmoid", "Identity", "Concat", "Sub")


def fit_temperature(probabilities: Array, target: Array) -> float:
    """The temperature of the least cross-entropy, within 0.001 and 1,000.

    Args:
        probabilities: float[rows, classes], of rows the model has not learnt from.
        target: int64[rows].
    """
    logs = np.log(np.clip(probabilities.astype(np.float64), TINY, 1))
    rows = np.arange(len(target))
    low, high = 1 / _MOST, 1 / _LEAST  # of the inverse, in which the loss is convex
    for _ in range(_STEPS):
        middle = (low + high) / 2
        powers = np.exp(logs * middle - (logs * middle).max(1, keepdims=True))
        expected = (powers * logs).sum(1) / powers.sum(1)
        if (expected - logs[rows, target]).sum() > 0:  # the slope of the loss
            high = middle
        else:
            low = middle
    return 2 / (low + high)


def cooled(probabilities: Array, temperature: float) -> Array:
    """Probabilities at a temperature: the softmax of their logarithms divided by it."""
    logs = np.log(np.clip(probabilities, TINY, 1)) / temperature
    powers = np.exp(logs - logs.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True), probabilities.dtype)


def cool(graph: Path, target: Path, how: Classification, temperature: float) -> None:
    """Writes a graph again with its scores divided by a temperature.

    Args:
        graph: The ONNX file.
        target: The file to write.
        how: How its output is read.
        temperature: Over 1 makes it less sure.

    Raises:
        InvalidInput: The output is not one score a class.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(graph)
    (output,) = [each for each in model.graph.output if each.name == how.output]
    width = output.type.tensor_type.shape.dim[-1].dim_value
    if how.activation == "sigmoid" or width == 1:
        raise InvalidInput(
            f'calibrate: expected one score a class in "{how.output}", received independent ones',
            hint="temperature scaling is for classes of which one is right",
            field="calibrate",
        )
    times = sum(each.name.startswith("temperature") for each in model.graph.initializer)
    divisor = f"temperature{times or ''}"

    def constant(name: str, value: float) -> str:
        made = numpy_helper.from_array(np.array(value, np.float32), name)
        model.graph.initializer.append(made)
        return name

    constant(divisor, temperature)
    last = None if how.activation == "softmax" else _activation(model.graph, how.output, width)
    if last is not None:
        scores = last.input[0]
        cooler = helper.make_node("Div", [scores, divisor], [f"{divisor}/scores"])
        last.input[0] = f"{divisor}/scores"
        place = list(model.graph.node).index(last)
        model.graph.node.insert(place, cooler)
    else:
        raw = f"{how.output}/{divisor}"
        for node in model.graph.node:
            node.input[:] = [raw if name == how.output else name for name in node.input]
            node.output[:] = [raw if name == how.output else name for name in node.output]
        nodes = [helper.make_node("Div", [raw, divisor], [how.output])]
        if how.activation == "none":
            nodes = [
                helper.make_node("Max", [raw, constant(f"{raw}/least", TINY)], [f"{raw}/held"]),
                helper.make_node("Log", [f"{raw}/held"], [f"{raw}/logs"]),
                helper.make_node("Div", [f"{raw}/logs", divisor], [f"{raw}/scores"]),
                helper.make_node("Softmax", [f"{raw}/scores"], [how.output], axis=-1),
            ]
        model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save_model(model, target)


def _activation(graph: Any, output: str, width: int) -> Any:
    """The node whose softmax, or whose sigmoid of two classes, is the output; None has none.

    Dividing before it loses no digits, which the logarithm of a probability next to 0 or 1 does.
    """
    makers = {name: node for node in graph.node for name in node.output}
    constants = {each.name for each in graph.initializer}
    found: dict[int, Any] = {}
    waiting = [output]
    while waiting:
        name = waiting.pop()
        node = makers.get(name)
        if name in constants:
            continue
        if node is None or node.op_type not in _PASSING:
            return None
        if node.op_type in ("Softmax", "Sigmoid"):
            found[id(node)] = node
        else:
            waiting += list(node.input)
    (node, *more) = found.values()
    fits = node.op_type == "Softmax" or width == 2
    return node if fits and not more else None
