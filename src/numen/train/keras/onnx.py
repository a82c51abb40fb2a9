"""From a Keras model to ONNX: walks the model's graph, one small rule a layer or operation.

Models of any back end take this road, because it reads the layers and not what a back end
compiled them to. What has no rule is traced into operations; what then has no rule goes to
Keras's own export where that works, and else fails with the layer's name.
"""

from __future__ import annotations

import inspect
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import onnx

from numen.core.errors import ExportFailed
from numen.core.signature import Signature
from numen.train.keras.attention import ATTENTION
from numen.train.keras.graph import Graph, Unsupported, Value
from numen.train.keras.layers import LAYERS
from numen.train.keras.operations import FUNCTIONS, OPERATIONS
from numen.train.keras.recurrent import RECURRENT

_LAYERS: Final = LAYERS | RECURRENT | ATTENTION


def convert(keras: Any, model: Any, signature: Signature) -> onnx.ModelProto:
    """The model as ONNX with the signature's names, its batch size open.

    Raises:
        ExportFailed: No converter knows one of its layers; the layer is named.
    """
    reasons = []
    for converter in (_by_rules, _by_keras):
        try:
            return converter(keras, model, signature)
        except Unsupported as error:
            reasons.append(str(error))
    raise ExportFailed(
        f"export: {reasons[0]}",
        hint=f"write that layer from Keras's own layers or keras.ops ({reasons[1]})",
    )


def _by_rules(keras: Any, model: Any, signature: Signature) -> onnx.ModelProto:
    graph = Graph()
    walk = Walk(keras, graph)
    given = [Value(spec.name, spec.shape, spec.dtype) for spec in signature.inputs]
    outputs = walk.model(model, given)
    if len(outputs) != len(signature.outputs):
        raise Unsupported(f"the model has {len(outputs)} outputs")
    graph.scope = ""
    for spec, value in zip(signature.outputs, outputs, strict=True):
        name = graph.plain(graph.cast(value, spec.dtype))
        graph.nodes.append(onnx.helper.make_node("Identity", [name], [spec.name], name=spec.name))
    return graph.model(list(signature.inputs), list(signature.outputs))


class Walk:
    """Follows Keras's record of who called whom, from inputs to outputs."""

    def __init__(self, keras: Any, graph: Graph):
        self.keras = keras
        self.graph = graph
        self.dtype = "float32"  # of the result of the node at hand

    def model(self, model: Any, given: list[Value]) -> list[Value]:
        """A model's outputs for given inputs; nested models come here too."""
        inner = getattr(model, "_functional", None) or model  # Sequential keeps its graph inside
        if hasattr(inner, "_nodes_by_depth"):
            return self._function(inner, given)
        return self._traced(model, given)

    def _function(self, function: Any, given: list[Value]) -> list[Value]:
        values = {}
        for tensor, value in zip(function.inputs, given, strict=True):
            dtype = _graph_dtype(tensor.dtype)
            values[id(tensor)] = self.graph.cast(replace(value, shape=tuple(tensor.shape)), dtype)
        for depth in sorted(function._nodes_by_depth, reverse=True):
            for node in function._nodes_by_depth[depth]:
                if node.is_input or any(id(x) not in values for x in node.input_tensors):
                    continue
                args, kwargs = node.arguments.fill_in(values)
                self.dtype = _graph_dtype(node.outputs[0].dtype)
                made = self._node(node.operation, args, kwargs)
                for tensor, value in zip(node.outputs, made, strict=True):
                    shape, dtype = tuple(tensor.shape), _graph_dtype(tensor.dtype)
                    values[id(tensor)] = self.graph.cast(replace(value, shape=shape), dtype)
        return [values[id(tensor)] for tensor in function.outputs]

    def _node(self, operation: Any, args: Any, kwargs: dict[str, Any]) -> list[Value]:
        kind = type(operation)
        outer, self.graph.scope = self.graph.scope, operation.name
        try:
            kwargs.pop("training", None)  # Keras overrides it when it predicts
            if kwargs.pop("mask", None) is not None:
                raise Unsupported("is called with a mask")
            if isinstance(operation, self.keras.Model):
                return self.model(operation, _flat(args, kwargs))
            rule = _rule(kind)
            if rule is None:
                return self._traced(operation, _flat(args, kwargs))
            made = rule(self, operation, *args, **kwargs)
            return [made] if isinstance(made, Value) else list(made)
        except Unsupported as error:
            what = str(error)
            if not what.startswith("layer "):
                what = f'layer "{operation.name}" ({kind.__name__}): {what}'
            raise Unsupported(what) from error
        finally:
            self.graph.scope = outer

    def activated(self, activation: Any, x: Value) -> Value:
        """What a layer's `activation` makes of `x`: a Keras function, a layer or the user's own."""
        if activation is None or activation is self.keras.activations.linear:
            return x
        rule = FUNCTIONS.get(getattr(activation, "__name__", ""))
        if rule and activation is getattr(self.keras.activations, activation.__name__, None):
            return cast("Value", rule(self, None, x))
        if isinstance(activation, self.keras.layers.Layer):
            return self._node(activation, (x,), {})[0]
        return self._traced(activation, [x])[0]

    def value(self, x: Any, dtype: str) -> Value:
        """A tensor as it is; a number, array or variable as a constant."""
        if isinstance(x, Value):
            return x
        array = np.asarray(x, dtype=dtype)
        return Value(self.graph.constant(array, dtype), array.shape, dtype)

    def together(self, op: str, xs: list[Value]) -> tuple[str, bool]:
        """An operator over tensors that broadcast, turned if all can be and one is."""
        g = self.graph
        turned = any(x.turned for x in xs) and len({x.rank for x in xs}) == 1
        if not turned and any(x.turned for x in xs) and min(x.rank for x in xs) == 0:
            turned = True  # a number goes with any order
        names = [g.turned(x) if turned and x.rank else g.plain(x) for x in xs]
        return g.add(op, *names), turned

    def concatenated(self, xs: list[Value], axis: int) -> Value:
        """Tensors joined along an axis of Keras's order."""
        turned = all(x.turned for x in xs)
        names = [self.graph.turned(x) if turned else self.graph.plain(x) for x in xs]
        place = xs[0].axis(axis) if turned else axis % xs[0].rank
        return Value(self.graph.add("Concat", *names, axis=place), (), xs[0].dtype, turned)

    def reshaped(self, x: Value, rest: Any) -> str:
        """The tensor with its axes after the batch as given, one of them open at most."""
        sizes = [-1 if size is None else int(size) for size in rest]
        if sizes.count(-1) > 1:
            raise Unsupported(f"reshapes to {rest}")
        shape = self.graph.constant([0, *sizes], "int64")
        return self.graph.add("Reshape", self.graph.plain(x), shape)

    def reduced(self, op: str, name: str, axes: list[int], keep: bool) -> str:
        """A reduction over stored axes; opset 15 has them as input for sums only."""
        keepdims = int(keep)
        if op == "ReduceSum":
            places = self.graph.constant(axes, "int64")
            return self.graph.add(op, name, places, keepdims=keepdims)
        return self.graph.add(op, name, axes=axes, keepdims=keepdims)

    def _traced(self, thing: Any, given: list[Value]) -> list[Value]:
        """Runs a layer's or function's code on symbols and converts what it did.

        A layer of the user's own that is written in Keras operations becomes their graph.
        """
        call = getattr(thing, "call", thing)
        symbols = [self.keras.KerasTensor(v.shape, dtype=v.dtype) for v in given]
        names = inspect.signature(call).parameters
        options = {"training": False} if "training" in names else {}
        try:
            made = call(*symbols, **options)
            flat = self.keras.tree.flatten(made)
            function = self.keras.Function(symbols, flat)
        except Exception as error:  # the user's code: anything may happen
            raise Unsupported(
                f"no rule, and its code cannot be traced: {_first_line(error)}"
            ) from error
        return self._function(function, given)


def _rule(kind: type) -> Callable[..., Any] | None:
    """The rule for one of Keras's own classes; a user's class of the same name has none."""
    module = kind.__module__
    if module.startswith("keras.src.layers."):
        return _LAYERS.get(kind.__name__)
    if module.startswith(("keras.src.ops.", "keras.src.activations.")):
        rule = OPERATIONS.get(kind.__name__)
        if rule is None:
            raise Unsupported("no rule for this operation")
        return rule
    return None


def _flat(args: Any, kwargs: dict[str, Any]) -> list[Value]:
    flat: list[Value] = []

    def take(thing: Any) -> None:
        if isinstance(thing, Value):
            flat.append(thing)
        elif isinstance(thing, (list, tuple)):
            for part in thing:
                take(part)
        elif isinstance(thing, dict):
            for name in sorted(thing):
                take(thing[name])
        elif thing is not None:
            raise Unsupported(f"is called with {thing!r} beside tensors")

    take(list(args))
    take(list(kwargs.values()))
    return flat


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _graph_dtype(dtype: str) -> str:
    """The graph computes in float32 whatever precision Keras was told to use."""
    return "float32" if "float" in dtype else dtype


def _by_keras(_: Any, model: Any, signature: Signature) -> onnx.ModelProto:
    """Keras's own export, its ends renamed; needs a package of the back end's."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        try:
            model.export(str(path), format="onnx", verbose=False)
            made = onnx.load_model(path)
        except Exception as error:  # whatever tf2onnx, jax2onnx or torch throw
            raise Unsupported(f"Keras's own export: {_first_line(error)}") from error
    ends = (
        *zip(made.graph.input, signature.inputs, strict=True),
        *zip(made.graph.output, signature.outputs, strict=True),
    )
    names = {have.name: want.name for have, want in ends}
    for have, _ in ends:
        have.name = names[have.name]
        have.type.tensor_type.shape.dim[0].dim_param = "batch"
    for node in made.graph.node:
        node.input[:] = [names.get(n, n) for n in node.input]
        node.output[:] = [names.get(n, n) for n in node.output]
    onnx.checker.check_model(made)
    return made
