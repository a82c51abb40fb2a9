"""A graph being differentiated: what is known of its tensors, and the nodes that are added.

Reverse mode (Griewank and Walther 2008): operators are gone through from the last to the first,
and each hands the gradient of its output on to its inputs. Shapes are as the graph's inference
tells them; an axis that is not known before a model runs is None, and stays open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from numen.core.signature import Array

Shape = tuple[int | None, ...]


class Underivable(Exception):
    """A graph, or a part of it, has no derivative."""


@dataclass(frozen=True)
class Step:
    """An operator of the graph, as a rule sees it.

    Attributes:
        kind: Its name, such as `Conv`.
        name: What its author called it.
        inputs: Tensors by name; one that is left out is empty.
        outputs: Likewise.
        attributes: As ONNX has them.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, node: onnx.NodeProto) -> Step:
        """The operator that a node is."""
        said = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        text = {k: v.decode() if isinstance(v, bytes) else v for k, v in said.items()}
        return cls(node.op_type, node.name, tuple(node.input), tuple(node.output), text)

    def missing(self, why: str) -> Underivable:
        """The error that says why this operator has no derivative here."""
        called = f' "{self.name}"' if self.name else ""
        return Underivable(f"operator {self.kind}{called}: {why}")


class Tape:
    """Where derivatives are written down.

    Args:
        shapes: Of the graph's tensors, as far as they are known.
        kinds: The types of their elements.
        values: Those that are constant.

    Attributes:
        nodes: What was added, in the order it must run.
        constants: What the added nodes use.
    """

    def __init__(
        self,
        shapes: Mapping[str, Shape],
        kinds: Mapping[str, np.dtype[Any]],
        values: Mapping[str, Array],
    ):
        self.shapes, self.kinds, self.values = dict(shapes), dict(kinds), dict(values)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.active: set[str] = set()
        self._grads: dict[str, str] = {}
        self._known: dict[tuple[bytes, str, Shape], str] = {}
        self._count = 0

    def fresh(self, about: str) -> str:
        """A name that nothing has."""
        self._count += 1
        return f"explain/{about}/{self._count}"

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operator; returns its output."""
        made = self.fresh(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [made], **attributes))
        return made

    def const(self, value: Any, kind: Any = None) -> str:
        """A constant; equal ones are kept once."""
        array = np.array(value, kind, order="C")
        key = (array.tobytes(), str(array.dtype), array.shape)
        if key not in self._known:
            made = self._known[key] = self.fresh("constant")
            self.constants.append(numpy_helper.from_array(array, made))
            self.values[made] = array
        return self._known[key]

    def ints(self, values: Iterable[int]) -> str:
        """A constant int64[n]."""
        return self.const(list(values), np.int64)

    def like(self, value: Any, name: str) -> str:
        """A constant of the type that a tensor of the graph has."""
        return self.const(value, self.kinds[name])

    def shape(self, step: Step, name: str) -> Shape:
        """What is known of a tensor's shape.

        Raises:
            Underivable: Not even how many axes it has.
        """
        if name not in self.shapes:
            raise step.missing(f'the shape of "{name}" is not known')
        return self.shapes[name]

    def fixed(self, step: Step, name: str) -> Array:
        """The value of an input that must be constant.

        Raises:
            Underivable: It is computed when the model runs.
        """
        if name not in self.values:
            raise step.missing(f'"{name}" is not constant')
        return self.values[name]

    def begin(self, wrt: Iterable[str], seeds: Mapping[str, str]) -> None:
        """Forgets all gradients but those of the ends; what is asked about is active."""
        self.active = set(wrt)
        self._grads = dict(seeds)

    def pull(self, name: str) -> str | None:
        """What the gradient of a tensor has come to; None where nothing depends on it."""
        return self._grads.get(name)

    def push(self, name: str, gradient: str) -> None:
        """Adds to the gradient of a tensor."""
        before = self._grads.get(name)
        self._grads[name] = self.op("Add", before, gradient) if before else gradient

    def summed_to(self, step: Step, gradient: str, source: str, shape: Shape | None = None) -> str:
        """Sums a gradient over the axes along which `source` was repeated to give the output.

        Args:
            step: The operator that repeated it.
            gradient: Of the shape of the output.
            source: The input.
            shape: The output's; as it is known where not given.
        """
        out = self.shape(step, step.outputs[0]) if shape is None else shape
        given = self.shape(step, source)
        more = len(out) - len(given)
        axes = [
            axis for axis in range(len(out))
            if axis < more or (given[axis - more] == 1 and out[axis] != 1)
        ]  # fmt: skip
        if axes:
            gradient = self.op("ReduceSum", gradient, self.ints(axes), keepdims=1)
        if more:
            gradient = self.op("Squeeze", gradient, self.ints(range(more)))
        return gradient

    def shaped_as(self, gradient: str, source: str) -> str:
        """The gradient's numbers in the shape of a tensor of the graph."""
        known = self.shapes.get(source)
        if known is not None and sum(n is None for n in known) <= 1:
            sizes = [-1 if n is None else n for n in known]
            if 0 not in sizes:
                return self.op("Reshape", gradient, self.ints(sizes))
        return self.op("Reshape", gradient, self.op("Shape", source))

    def turned(self, name: str, rank: int) -> str:
        """The last two axes swapped; of a constant at once."""
        if name in self.values:
            return self.const(np.swapaxes(self.values[name], -1, -2))
        order = [*range(rank - 2), rank - 1, rank - 2]
        return self.op("Transpose", name, perm=order)


def size(step: Step, shape: Sequence[int | None], axes: Iterable[int]) -> int:
    """How many elements lie along some axes.

    Raises:
        Underivable: One is not known before the model runs.
    """
    sizes = [shape[axis] for axis in axes]
    if None in sizes:
        raise step.missing("sums over an axis whose length is not known")
    return math.prod(n for n in sizes if n is not None)
