"""Temperature scaling: a model as often right as it says, by one number divided into its graph.

The likeliest class stays the likeliest, so accuracy stays what it was (Guo, Pleiss, Sun and
Weinberger 2017, On Calibration of Modern Neural Networks).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification
from numen.core.signature import Array
from numen.train.evaluate.figures import TINY

_LEAST: Final = 0.05
_MOST: Final = 20.0
_STEPS: Final = 60


def fit_temperature(probabilities: Array, target: Array) -> float:
    """The temperature of the least cross-entropy, within 0.05 and 20.

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
        how: How its output is read: logits are divided, of probabilities their logarithms.
        temperature: Over 1 makes it less sure.

    Raises:
        InvalidInput: The output is not one score a class.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(graph)
    (place,) = [i for i, out in enumerate(model.graph.output) if out.name == how.output]
    width = model.graph.output[place].type.tensor_type.shape.dim[-1].dim_value
    if how.activation == "sigmoid" or width == 1:
        raise InvalidInput(
            f'calibrate: expected one score a class in "{how.output}", received independent ones',
            hint="temperature scaling is for classes of which one is right",
            field="calibrate",
        )
    times = sum(each.name.startswith("temperature") for each in model.graph.initializer)
    raw = f"{how.output}/uncalibrated{times or ''}"
    divisor, least = f"temperature{times or ''}", f"{raw}/least"
    for node in model.graph.node:
        node.input[:] = [raw if name == how.output else name for name in node.input]
        node.output[:] = [raw if name == how.output else name for name in node.output]
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in ((divisor, temperature), (least, TINY))
    )
    nodes = [helper.make_node("Div", [raw, divisor], [how.output])]
    if how.activation == "none":
        nodes = [
            helper.make_node("Max", [raw, least], [f"{raw}/held"]),
            helper.make_node("Log", [f"{raw}/held"], [f"{raw}/logs"]),
            helper.make_node("Div", [f"{raw}/logs", divisor], [f"{raw}/scores"]),
            helper.make_node("Softmax", [f"{raw}/scores"], [how.output], axis=-1),
        ]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save_model(model, target)
