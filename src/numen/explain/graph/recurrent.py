"""Recurrent layers, opened into the products and activations they are made of, moment by moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from numen.core.signature import Array
from numen.explain.graph.tape import Shape, Step

LONGEST: Final = 512  # moments; more would make a graph that takes seconds to open
_ACTIVATIONS: Final = frozenset({"Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Softplus"})


class _Writer:
    """Nodes that are written, with names of their own."""

    def __init__(self, step: Step, number: int):
        self.step, self.prefix, self.count = step, f"opened/{step.kind}/{number}", 0
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, into: str = "", **attributes: Any) -> str:
        self.count += 1
        made = into or f"{self.prefix}/{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [made], **attributes))
        return made

    def const(self, value: Array) -> str:
        self.count += 1
        made = f"{self.prefix}/{self.count}"
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), made))
        return made

    def ints(self, *values: int) -> str:
        return self.const(np.array(values, np.int64))


@dataclass(frozen=True)
class _Moment:
    """What a cell sees: its input's product with the weights, and what it remembers."""

    given: str
    h: str
    c: str
    weights: str
    bias: str
    units: int
    acts: list[str]

    def inner(self, writer: _Writer) -> str:
        """What the last output adds."""
        return writer.op("Add", writer.op("MatMul", self.h, self.weights), self.bias)


def opened(
    step: Step, shape: Shape, values: Mapping[str, Array], number: int
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """What computes the same as a GRU, LSTM or RNN.

    Args:
        step: The operator.
        shape: Of its input, `[moments, rows, columns]`.
        values: The graph's constants.
        number: Makes names apart.

    Raises:
        Underivable: The number of moments is not known or too large, or weights are computed.
    """
    if step.attributes.get("layout", 0):
        raise step.missing("has its rows first")
    moments = shape[0]
    if moments is None or moments > LONGEST:
        raise step.missing(f"runs over {moments or 'a number that is not known of'} moments")
    if len(step.inputs) > 4 and step.inputs[4]:
        raise step.missing("is told how long each row is")
    writer = _Writer(step, number)
    names = [*step.inputs, *[""] * 8]
    weights = [values.get(name) for name in names[1:3]]
    if weights[0] is None or weights[1] is None:
        raise step.missing("its weights are not constant")
    direction = step.attributes.get("direction", "forward")
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    outputs = [*step.outputs, "", "", ""][:3]
    found: list[tuple[list[str], str, str]] = []
    for place, backwards in enumerate(ways):
        found.append(_run(writer, step, names, values, moments, place, backwards))
    if outputs[0]:
        each = []
        for moment in range(moments):
            ways_of = [
                writer.op("Unsqueeze", hidden[moment], writer.ints(0, 1)) for hidden, _, _ in found
            ]
            each.append(writer.op("Concat", *ways_of, axis=1) if len(ways_of) > 1 else ways_of[0])
        writer.op("Concat", *each, into=outputs[0], axis=0)
    for place, name in enumerate(outputs[1:], 1):
        if name:
            states = [(h, c)[place - 1] for _, h, c in found]
            last = [writer.op("Unsqueeze", state, writer.ints(0)) for state in states]
            writer.op("Concat", *last, into=name, axis=0)
    return writer.nodes, writer.constants


def _run(
    writer: _Writer, step: Step, names: list[str], values: Mapping[str, Array],
    moments: int, way: int, backwards: bool,
) -> tuple[list[str], str, str]:  # fmt: skip
    """One direction: each moment's output `[rows, units]`, the last one, and the last cell."""
    x, w, r, b = names[:4]
    cell = _CELLS[step.kind]
    units = values[r].shape[-1]
    kind = values[w].dtype
    parts = values[w].shape[1] // units
    bias = values[b][way] if b else np.zeros(2 * parts * units, kind)
    given = writer.op("MatMul", x, writer.const(values[w][way].T))
    given = writer.op("Add", given, writer.const(bias[: parts * units]))
    recurrent = writer.const(values[r][way].T)
    inner = writer.const(bias[parts * units :])
    acts = [
        str(a) if isinstance(a, str) else a.decode() for a in step.attributes.get("activations", [])
    ]
    own = len(acts) // max(1, 2 if step.attributes.get("direction") == "bidirectional" else 1)
    chosen = acts[way * own : (way + 1) * own] or list(_USUAL[step.kind])
    if not set(chosen) <= _ACTIVATIONS or step.attributes.get("clip"):
        raise step.missing(f"has activations {', '.join(chosen)}, or clips")
    states = []
    for place in (5, 6):
        if names[place]:
            states.append(writer.op("Gather", names[place], writer.const(np.array(way)), axis=0))
        else:
            first = writer.op("Gather", given, writer.const(np.array(0)), axis=0)
            cut = writer.op("Slice", first, writer.ints(0), writer.ints(units), writer.ints(1))
            states.append(writer.op("Mul", cut, writer.const(np.zeros((), kind))))
    h, c = states
    hidden = [""] * moments
    for moment in reversed(range(moments)) if backwards else range(moments):
        now = writer.op("Gather", given, writer.const(np.array(moment)), axis=0)
        h, c = cell(writer, step, _Moment(now, h, c, recurrent, inner, units, chosen))
        hidden[moment] = h
    return hidden, h, c


def _parts(writer: _Writer, whole: str, units: int, count: int) -> list[str]:
    cuts = [writer.ints(n * units) for n in range(count + 1)]
    axis = writer.ints(1)
    return [writer.op("Slice", whole, cuts[n], cuts[n + 1], axis) for n in range(count)]


def _gru(writer: _Writer, step: Step, at: _Moment) -> tuple[str, str]:
    """Cho et al. 2014; `linear_before_reset` is the form that Keras and PyTorch have."""
    update_x, reset_x, new_x = _parts(writer, at.given, at.units, 3)
    if not step.attributes.get("linear_before_reset", 0):
        raise step.missing("resets before it multiplies (linear_before_reset=0)")
    update_h, reset_h, new_h = _parts(writer, at.inner(writer), at.units, 3)
    update = writer.op(at.acts[0], writer.op("Add", update_x, update_h))
    reset = writer.op(at.acts[0], writer.op("Add", reset_x, reset_h))
    new = writer.op(at.acts[1], writer.op("Add", new_x, writer.op("Mul", reset, new_h)))
    kept = writer.op("Mul", update, writer.op("Sub", at.h, new))
    return writer.op("Add", new, kept), at.c


def _lstm(writer: _Writer, step: Step, at: _Moment) -> tuple[str, str]:
    """Hochreiter and Schmidhuber 1997, forgetting; ONNX has gates as input, output, forget."""
    if len(step.inputs) > 7 and step.inputs[7]:
        raise step.missing("has peepholes")
    whole = writer.op("Add", at.given, at.inner(writer))
    enter, leave, forget, new = _parts(writer, whole, at.units, 4)
    enter, leave, forget = (writer.op(at.acts[0], gate) for gate in (enter, leave, forget))
    taken = writer.op("Mul", enter, writer.op(at.acts[1], new))
    c = writer.op("Add", writer.op("Mul", forget, at.c), taken)
    return writer.op("Mul", leave, writer.op(at.acts[2], c)), c


def _rnn(writer: _Writer, step: Step, at: _Moment) -> tuple[str, str]:
    """Elman 1990."""
    del step
    return writer.op(at.acts[0], writer.op("Add", at.given, at.inner(writer))), at.c


Cell = Callable[[_Writer, Step, _Moment], tuple[str, str]]
_CELLS: Final[dict[str, Cell]] = {"GRU": _gru, "LSTM": _lstm, "RNN": _rnn}
_USUAL: Final = {"GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh"), "RNN": ("Tanh",)}
KINDS: Final = frozenset(_CELLS)
