"""Writes the graph that says why: attributions of a prediction graph's inputs, by four methods.

Saliency is the size of the gradient (Simonyan et al. 2014), of the score before a softmax or
sigmoid, which flatten it. Gradient × input and SmoothGrad (Smilkov et al. 2017) are of that score
too. Integrated gradients (Sundararajan et al. 2017) are of the output as it is served, so they add
up to how far it is from that of the baseline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from numen.explain.graph.forward import Forward, forward
from numen.explain.graph.path import averaged, hoisted, repeated, straight
from numen.explain.graph.rules import FLAT, RULES
from numen.explain.graph.tape import Step, Tape, Underivable

METHODS: Final = ("saliency", "gradient-x-input", "smoothgrad", "integrated-gradients")
TARGET, NODES, WEIGHTS, NOISE = "target", "path:nodes", "path:weights", "noise"
_NOISY: Final = 0.15  # of an input's range: the deviation of SmoothGrad's noise
_ENDS: Final = frozenset({"Softmax", "Sigmoid", "LogSoftmax"})


@dataclass(frozen=True)
class Explanation:
    """A graph of attributions.

    Attributes:
        model: Takes the prediction graph's inputs, `target` int64[rows] (which output), and what a
            method needs: `baseline:INPUT`, `path:nodes` and `path:weights` float[n], `noise`
            float[n, …]. Gives `METHOD:INPUT` for each method and input, and the prediction.
        inputs: What is explained: float inputs, or those read as places in a table of vectors.
        tokens: For a text that the graph cuts itself, the output that holds its pieces.
        output: The prediction's name.
    """

    model: onnx.ModelProto
    inputs: tuple[str, ...]
    tokens: str
    output: str


@dataclass(frozen=True)
class _Source:
    """What is explained: an input, or the vectors that its numbers or words stand for."""

    name: str
    wrt: str

    @property
    def embedded(self) -> bool:
        return self.wrt != self.name


def write(model: onnx.ModelProto, output: str = "") -> Explanation:
    """Differentiates a prediction graph.

    Args:
        model: Of one float output `[rows, n]` or `[rows]`; more inputs than one are fine.
        output: Which output; the first float one when empty.

    Raises:
        Underivable: An operator between input and output has no derivative; named.
    """
    found = forward(model)
    graph = found.model.graph
    output = output or _first_float(found)
    sources = _sources(found, output)
    kinds = found.kinds
    tape = Tape(found.shapes, kinds, found.values)
    kind = kinds[output]
    given = [helper.make_tensor_value_info(TARGET, TensorProto.INT64, ["rows"])]
    seed = _seed(tape, found, output)
    made: list[tuple[str, str]] = []

    score, chosen = _before_end(found, output)
    grads = _derive(tape, found, [s.wrt for s in sources], {score: seed if chosen else seed})
    for source in sources:
        grad = grads[source.wrt]
        made.append((f"{METHODS[0]}:{source.name}", _sized(tape, source, grad)))
        product = tape.op("Mul", grad, source.wrt)
        made.append((f"{METHODS[1]}:{source.name}", _of_tokens(tape, source, product)))

    for source in sources:
        spread = tape.op("Mul", _range(tape, found, source.wrt), tape.like(_NOISY, source.wrt))
        noise = f"{NOISE}:{source.name}" if len(sources) > 1 else NOISE
        row = found.shapes[source.wrt][1:]
        given.append(_info(noise, kind, ["samples", *(n if n else None for n in row)]))
        steps = tape.op("Unsqueeze", noise, tape.ints([1]))
        points, count = repeated(tape, source.wrt, tape.op("Mul", steps, spread))
        mean = averaged(tape, found, source.wrt, points, count, {score: seed}, _derive_steps)
        made.append((f"{METHODS[2]}:{source.name}", _sized(tape, source, mean, of_mean=True)))

    given.append(_info(NODES, kind, ["nodes"]))
    given.append(_info(WEIGHTS, kind, ["nodes"]))
    for source in sources:
        base = ""
        if not source.embedded:
            base = f"baseline:{source.name}"
            given.append(_info(base, kind, ["baselines", *found.shapes[source.wrt][1:]]))
            tape.shapes[base], tape.kinds[base] = found.shapes[source.wrt], kind
        prefix = [] if source.embedded else hoisted(found, source.wrt)
        mean, apart = straight(
            tape, found, source.wrt, base, prefix, (NODES, WEIGHTS), {output: seed}, _derive_steps
        )
        product = tape.op("Mul", mean, apart)
        made.append((f"{METHODS[3]}:{source.name}", _of_tokens(tape, source, product)))

    outputs = []
    rows = {s.name: found.shapes[s.wrt][: -1 if s.embedded else None] for s in sources}
    for name, value in made:
        plain = tape.op("Where", tape.op("IsNaN", value), tape.like(0, output), value)
        tape.nodes.append(helper.make_node("Identity", [plain], [name]))
        outputs.append(_info(name, kind, rows[name.partition(":")[2]]))
    graph.node.extend(tape.nodes)
    graph.initializer.extend(tape.constants)
    graph.input.extend(given)
    tokens = _pieces(found, sources)
    graph.output.extend(outputs)
    if tokens:
        graph.output.append(helper.make_tensor_value_info(tokens, TensorProto.STRING, found.shapes[tokens]))
    del graph.value_info[:]
    onnx.checker.check_model(found.model)
    return Explanation(found.model, tuple(s.name for s in sources), tokens, output)


def _info(name: str, kind: np.dtype[Any], shape: Sequence[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), shape)


def _first_float(found: Forward) -> str:
    for info in found.model.graph.output:
        if found.kinds.get(info.name, np.dtype("i8")).kind == "f":
            return str(info.name)
    raise Underivable("explain: the graph gives no numbers with a point")


def _sources(found: Forward, output: str) -> list[_Source]:
    """Inputs of numbers; of others, the vectors that are looked up by them."""
    sources = []
    for name in found.inputs:
        if found.kinds[name].kind == "f":
            if output in found.behind([name]):
                sources.append(_Source(name, name))
            continue
        reach = found.behind([name])
        for step in found.steps:
            table = found.values.get(step.inputs[0]) if step.kind == "Gather" else None
            if table is not None and step.inputs[1] in reach and table.dtype.kind == "f":
                if table.ndim == 2 and output in found.behind(step.outputs):
                    sources.append(_Source(name, step.outputs[0]))
                    break
    if not sources:
        raise Underivable(
            "explain: no input is a number or looked up in a table of vectors",
            hint="explain the model by perturbing its inputs: --method kernel",
        )
    return sources


def _seed(tape: Tape, found: Forward, output: str) -> str:
    """1 where the output is that which is asked about, `[rows, n]`."""
    shape = found.shapes.get(output, ())
    if len(shape) == 2 and shape[1]:
        places = tape.ints(range(shape[1]))
        asked = tape.op("Unsqueeze", TARGET, tape.ints([1]))
        return tape.op("CastLike", tape.op("Equal", asked, places), output)
    if len(shape) != 1:
        raise Underivable(
            f'explain: expected an output "{output}" [rows, n], it is {list(shape)}',
        )
    return tape.op("CastLike", tape.op("Equal", TARGET, TARGET), output)


def _before_end(found: Forward, output: str) -> tuple[str, bool]:
    """The score that a softmax or sigmoid at the end makes a probability of."""
    makers = {step.outputs[0]: step for step in found.steps}
    name = output
    while name in makers and makers[name].kind == "Identity":
        name = makers[name].inputs[0]
    step = makers.get(name)
    if step is None or step.kind not in _ENDS:
        return output, False
    if found.shapes.get(step.inputs[0]) != found.shapes.get(output):
        return output, False
    return step.inputs[0], True


def _derive(tape: Tape, found: Forward, wrt: list[str], seeds: dict[str, str]) -> dict[str, str]:
    return _derive_steps(tape, found.steps, wrt, seeds)


def _derive_steps(
    tape: Tape, steps: Iterable[Step], wrt: list[str], seeds: dict[str, str]
) -> dict[str, str]:
    """Goes through operators backwards.

    Args:
        tape: Where derivatives are written.
        steps: In the order they run.
        wrt: The tensors asked about.
        seeds: Gradients of those at the end.

    Returns:
        The gradient of each tensor of `wrt`.
    """
    steps = list(steps)
    tape.forget()
    tape.active.update(wrt)
    for step in steps:
        if step.kind not in FLAT and any(name in tape.active for name in step.inputs):
            tape.active.update(step.outputs)
    for name, gradient in seeds.items():
        tape.seed(name, gradient)
    for step in reversed(steps):
        gradients = [tape.pull(name) for name in step.outputs]
        if not any(gradients) or not any(name in tape.active for name in step.inputs):
            continue
        if any(name in wrt for name in step.outputs):
            continue
        rule = RULES.get(step.kind)
        if step.kind in FLAT:
            continue
        if rule is None:
            raise step.missing("has no rule for its derivative")
        rule(tape, step, gradients[0] or "")
    found = {}
    for name in wrt:
        gradient = tape.pull(name)
        if gradient is None:
            raise Underivable(f'explain: the output does not depend smoothly on "{name}"')
        found[name] = gradient
    return found


def _range(tape: Tape, found: Forward, name: str) -> str:
    """Of each row, how far its numbers reach; `[rows, 1, …]`."""
    axes = list(range(1, len(found.shapes[name])))
    flat = tape.op("Reshape", name, tape.ints([0, -1]))
    version = max(o.version for o in found.model.opset_import if o.domain in ("", "ai.onnx"))
    if version >= 18:
        one = tape.ints([1])
        high = tape.op("ReduceMax", flat, one, keepdims=1)
        low = tape.op("ReduceMin", flat, one, keepdims=1)
    else:
        high = tape.op("ReduceMax", flat, axes=[1], keepdims=1)
        low = tape.op("ReduceMin", flat, axes=[1], keepdims=1)
    reach = tape.op("Sub", high, low)
    return tape.op("Reshape", reach, tape.ints([-1, *(1 for _ in axes)]))


def _sized(tape: Tape, source: _Source, grad: str, *, of_mean: bool = False) -> str:
    """How steep: without its sign; of a vector, its length."""
    if not source.embedded:
        return tape.op("Abs", grad)
    square = tape.op("ReduceSum", tape.op("Mul", grad, grad), tape.ints([-1]), keepdims=0)
    return tape.op("Sqrt", square)


def _of_tokens(tape: Tape, source: _Source, value: str) -> str:
    if not source.embedded:
        return value
    return tape.op("ReduceSum", value, tape.ints([-1]), keepdims=0)


def _pieces(found: Forward, sources: list[_Source]) -> str:
    """The text's pieces, where the graph cuts it."""
    for source in sources:
        if not source.embedded:
            continue
        makers = {out: step for step in found.steps for out in step.outputs}
        names = [source.wrt]
        while names:
            step = makers.get(names.pop())
            if step is None:
                continue
            for name in step.inputs:
                if found.kinds.get(name) == np.dtype(object) and name not in found.inputs:
                    if name not in found.values:
                        return name
                if name not in found.values:
                    names.append(name)
    return ""
