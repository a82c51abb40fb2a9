"""One rule for each recurrent Keras layer: ONNX has the same cells, with gates in another order.

ONNX wants time first, and runs a sequence backwards by itself, giving its steps back in their own
order. Masks, states handed over and cells of the user's own have no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from numen.core.signature import Array
from numen.train.keras.graph import Graph, Unsupported, Value
from numen.train.keras.operations import Rule

if TYPE_CHECKING:
    from numen.train.keras.onnx import Walk

# Keras's name of an activation: ONNX's name, its alpha and its beta, where it takes them.
_Activation = tuple[str, tuple[float, ...], tuple[float, ...]]
_ACTIVATIONS: Final[dict[str, _Activation]] = {
    "elu": ("Elu", (1.0,), ()),
    "hard_sigmoid": ("HardSigmoid", (1 / 6,), (0.5,)),
    "linear": ("Affine", (1.0,), (0.0,)),
    "relu": ("Relu", (), ()),
    "sigmoid": ("Sigmoid", (), ()),
    "softplus": ("Softplus", (), ()),
    "softsign": ("Softsign", (), ()),
    "tanh": ("Tanh", (), ()),
}
# For each layer: ONNX's operator, where its gates lie in Keras's weights, and what of the cell's
# two activations it takes, in ONNX's order.
_CELLS: Final[dict[str, tuple[str, Sequence[int], tuple[str, ...]]]] = {
    "SimpleRNN": ("RNN", (0,), ("activation",)),
    "GRU": ("GRU", (0, 1, 2), ("recurrent_activation", "activation")),
    "LSTM": ("LSTM", (0, 3, 1, 2), ("recurrent_activation", "activation", "activation")),
}


def _recurrent(walk: Walk, layer: Any, x: Value, *states: Any, **more: Any) -> Value:
    if states or any(value is not None for value in more.values()):
        raise Unsupported("is called with an initial state")
    backward = bool(layer.go_backwards)
    steps, last = _run(walk, layer, x, backward)
    if not layer.return_sequences:
        return last
    if backward:  # Keras gives them as they were made, ONNX as they lie in time
        g = walk.graph
        ends = [g.constant([value], "int64") for value in (-1, -(2**31), 1, -1)]
        steps = Value(g.add("Slice", steps.name, *ends), ())
    return steps


def _bidirectional(walk: Walk, layer: Any, x: Value, *states: Any, **more: Any) -> Value:
    if states or any(value is not None for value in more.values()):
        raise Unsupported("is called with an initial state")
    merge = _MERGES.get(layer.merge_mode)
    if merge is None:
        raise Unsupported(f"merge_mode={layer.merge_mode}")
    names = []
    for each in (layer.forward_layer, layer.backward_layer):
        if type(each).__name__ not in _CELLS:
            raise Unsupported(f"of {type(each).__name__}")
        steps, last = _run(walk, each, x, bool(each.go_backwards))
        names.append((steps if layer.return_sequences else last).name)
    return Value(merge(walk.graph, *names), ())


def _run(walk: Walk, layer: Any, x: Value, backward: bool) -> tuple[Value, Value]:
    """The outputs of all steps `[n, steps, units]` in their order, and the last `[n, units]`."""
    if layer.return_state or layer.stateful:
        raise Unsupported("return_state=True" if layer.return_state else "stateful=True")
    g = walk.graph
    op, gates, used = _CELLS[type(layer).__name__]
    cell = layer.cell
    found = [_activation(walk, getattr(cell, name)) for name in used]
    options: dict[str, Any] = {
        "direction": "reverse" if backward else "forward",
        "hidden_size": layer.units,
        "activations": [each[0] for each in found],
    }
    # Each takes its own from the front of what is left of these.
    for name, place in (("activation_alpha", 1), ("activation_beta", 2)):
        if values := [value for each in found for value in each[place]]:
            options[name] = values
    after = op == "GRU" and bool(cell.reset_after)
    if op == "GRU":
        options["linear_before_reset"] = int(after)
    kernel, recurrent = (
        _gates(np.asarray(w, "float32"), gates) for w in (cell.kernel, cell.recurrent_kernel)
    )
    bias = np.zeros((2, kernel.shape[0]), "float32")
    if cell.use_bias:
        given = np.asarray(cell.bias, "float32").reshape(2 if after else 1, -1)
        bias[: len(given)] = [_gates(row[None], gates)[:, 0] for row in given]
    constants = [g.constant(w[None]) for w in (kernel, recurrent, bias.reshape(-1))]
    time_first = g.add("Transpose", g.plain(g.cast(x, "float32")), perm=[1, 0, 2])
    all_steps, last = g.several(2, op, time_first, *constants, **options)
    every = g.add("Squeeze", all_steps, g.constant([1], "int64"))
    final = g.add("Squeeze", last, g.constant([0], "int64"))
    return Value(g.add("Transpose", every, perm=[1, 0, 2]), (None,) * 3), Value(final, (None,) * 2)


def _gates(weights: Array, order: Sequence[int]) -> Array:
    """`[inputs, gates * units]` in Keras's order to `[gates * units, inputs]` in ONNX's."""
    parts = np.split(weights, len(order), axis=1)
    return np.concatenate([parts[place].T for place in order])


def _activation(walk: Walk, activation: Any) -> _Activation:
    name = getattr(activation, "__name__", "")
    if name not in _ACTIVATIONS or activation is not getattr(walk.keras.activations, name):
        raise Unsupported(f"activation {name or activation!r}")
    return _ACTIVATIONS[name]


def _average(g: Graph, a: str, b: str) -> str:
    return g.add("Mul", g.add("Add", a, b), g.constant(0.5))


_MERGES: Final[dict[str, Callable[[Graph, str, str], str]]] = {
    "ave": _average,
    "concat": lambda g, a, b: g.add("Concat", a, b, axis=-1),
    "mul": lambda g, a, b: g.add("Mul", a, b),
    "sum": lambda g, a, b: g.add("Add", a, b),
}

RECURRENT: Final[dict[str, Rule]] = {
    **dict.fromkeys(_CELLS, _recurrent),
    "Bidirectional": _bidirectional,
}
