"""An ONNX graph in the making, with the order in which each tensor's axes are stored.

Keras thinks in channels last, ONNX convolves channels first. A tensor stays in the order it was
made in until a rule needs the other one, so a network of convolutions is turned around twice,
not at every layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from numen.core.signature import Array

OPSET: Final = 15  # the newest that game engines read; what is missing is written out
IR_VERSION: Final = 8  # the first that goes with opset 15
_ONNX_TYPES: Final = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "string": TensorProto.STRING,
}


class Unsupported(Exception):
    """No rule covers this; the message says what exactly."""


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: Its name in the graph.
        shape: Its axes in Keras's order, None where any size goes.
        dtype: Its type in the graph; all floating types are `float32` there.
        turned: Stored with Keras's last axis moved to place 1.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"
    turned: bool = False

    @property
    def rank(self) -> int:
        """The number of axes, the batch included."""
        return len(self.shape)

    def axis(self, axis: int) -> int:
        """Where Keras's axis lies in the stored order."""
        axis %= self.rank
        if not self.turned or axis == 0:
            return axis
        return 1 if axis == self.rank - 1 else axis + 1


class Graph:
    """Nodes and constants, appended by rules."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.scope = ""
        self._count = 0
        self._other: dict[tuple[str, bool], str] = {}

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Appends an operator and returns the name of its output."""
        (name,) = self.several(1, op, *inputs, **attributes)
        return name

    def several(self, outputs: int, op: str, *inputs: str, **attributes: Any) -> list[str]:
        """Appends an operator and returns the names of its first outputs."""
        name = self._name(op)
        names = [name, *(f"{name}:{place}" for place in range(1, outputs))]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=name, **attributes))
        return names

    def constant(self, array: Any, dtype: str = "float32") -> str:
        """Adds an array and returns its name."""
        name = self._name("constant")
        array = np.ascontiguousarray(np.asarray(array), dtype=dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def plain(self, x: Value) -> str:
        """The tensor in Keras's order."""
        return self._ordered(x, turned=False)

    def turned(self, x: Value) -> str:
        """The tensor with its last axis at place 1."""
        return self._ordered(x, turned=True)

    def broadcast(self, x: Value, array: Any, axis: int = -1) -> str:
        """A constant that lies along one axis of `x`, ready to broadcast in its stored order.

        Args:
            x: What it is to be combined with.
            array: float[size] or a scalar.
            axis: The axis in Keras's order.
        """
        array = np.asarray(array)
        if array.ndim == 0:
            return self.constant(array)
        shape = [1] * x.rank
        shape[x.axis(axis)] = -1
        return self.constant(array.reshape(shape))

    def stored(self, x: Value, array: Array) -> str:
        """A constant of the rank of `x`, in Keras's order, brought into its stored order."""
        return self.constant(np.moveaxis(array, -1, 1) if x.turned else array)

    def cast(self, x: Value, dtype: str) -> Value:
        """The tensor in another type."""
        if x.dtype == dtype:
            return x
        name = self.add("Cast", x.name, to=_ONNX_TYPES[dtype])
        return Value(name, x.shape, dtype, x.turned)

    def model(self, inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
        """The finished model between specs of inputs and outputs."""
        graph = helper.make_graph(
            self.nodes,
            "numen",
            [_info(spec) for spec in inputs],
            [_info(spec) for spec in outputs],
            self.constants,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="numen",
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _ordered(self, x: Value, turned: bool) -> str:
        if x.turned == turned or x.rank < 3:
            return x.name
        key = (x.name, turned)
        if key not in self._other:
            self._other[key] = self._turn(x, turned)
        return self._other[key]

    def _turn(self, x: Value, turned: bool) -> str:
        *_, channels = x.shape
        spatial = x.shape[1:-1]
        if channels == 1 and None not in spatial:  # moving an axis of one moves no number
            shape = [0, 1, *spatial] if turned else [0, *spatial, 1]
            return self.add("Reshape", x.name, self.constant(shape, "int64"))
        order = list(range(x.rank))
        perm = [0, x.rank - 1, *order[1:-1]] if turned else [0, *order[2:], 1]
        return self.add("Transpose", x.name, perm=perm)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self.scope}/{kind}_{self._count}" if self.scope else f"{kind}_{self._count}"


def _info(spec: Any) -> onnx.ValueInfoProto:
    shape = [
        ("batch" if place == 0 else f"{spec.name}_{place}") if size is None else size
        for place, size in enumerate(spec.shape)
    ]
    return helper.make_tensor_value_info(spec.name, _ONNX_TYPES[spec.dtype], shape)
