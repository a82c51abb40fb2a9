"""Writes the graph that says why: attributions of a prediction graph's inputs, by four methods.

Saliency is the size of the gradient (Simonyan et al. 2014), of the score before a softmax or
sigmoid, which flatten it. Gradient × input and SmoothGrad (Smilkov et al. 2017) are of that score
too. Integrated gradients (Sundararajan et al. 2017) are of the output as it is served, so they add
up to how far it is from that of the baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from numen.explain import TARGET, TOKENS
from numen.explain.graph.backward import derive
from numen.explain.graph.forward import Forward, forward
from numen.explain.graph.path import averaged, hoisted, repeated, straight
from numen.explain.graph.tape import Tape, Underivable

SALIENCY, PRODUCT, SMOOTH, INTEGRATED = METHODS = (
    "saliency", "gradient-x-input", "smoothgrad", "integrated-gradients",
)  # fmt: skip
NODES, WEIGHTS = PATH = ("path:nodes", "path:weights")
NOISE, BASELINE = "noise:", "baseline:"
_NOISY: Final = 0.15  # of an input's range: the deviation of SmoothGrad's noise
_NAMING: Final = frozenset({"ArgMax", "ArgMin", "Equal", "OneHot"})
_ENDS: Final = frozenset({"Softmax", "Sigmoid", "LogSoftmax"})


@dataclass(frozen=True)
class Explanation:
    """A graph of attributions.

    Attributes:
        model: Takes the prediction graph's inputs, `target` int64[rows] (which output), and what a
            method needs: `baseline:INPUT` as the input or of one row, `path:nodes` and
            `path:weights` float[n], `noise:INPUT` float[n, …] of deviation 1. Gives the prediction
            and `METHOD:INPUT` for each method and input; of what is looked up in a table of
            vectors, one number a place. A runtime that runs only what an output needs runs only
            one method.
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


@dataclass
class _Draft:
    """The graph as it is written: what it takes and gives beside the prediction."""

    found: Forward
    output: str
    tape: Tape = field(init=False)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tape = Tape(self.found.shapes, self.found.kinds, self.found.values)

    def take(self, name: str, shape: Sequence[int | str | None], kind: Any = None) -> str:
        """Adds an input, of the output's type where none is said."""
        self.inputs.append(_info(name, kind or self.found.kinds[self.output], shape))
        return name

    def give(self, name: str, value: str, shape: Sequence[int | str | None]) -> None:
        """Adds an output; what is not a number counts as nothing."""
        zero = self.tape.like(0, self.output)
        plain = self.tape.op("Where", self.tape.op("IsNaN", value), zero, value)
        self.tape.nodes.append(helper.make_node("Identity", [plain], [name]))
        self.outputs.append(_info(name, self.found.kinds[self.output], shape))

    def finished(self) -> onnx.ModelProto:
        """The model."""
        graph = self.found.model.graph
        graph.node.extend(self.tape.nodes)
        graph.initializer.extend(self.tape.constants)
        graph.input.extend(self.inputs)
        graph.output.extend(self.outputs)
        del graph.value_info[:]
        onnx.checker.check_model(self.found.model)
        return self.found.model


def write(model: onnx.ModelProto, output: str = "") -> Explanation:
    """Differentiates a prediction graph.

    Args:
        model: Of one float output `[rows, n]` or `[rows]`; more inputs than one are fine.
        output: Which output; the first float one when empty.

    Raises:
        Underivable: An operator between input and output has no derivative; named.
    """
    found = forward(model)
    output = output or _first_float(found)
    sources = _sources(found, output)
    _check_steps(found, sources, output)
    draft = _Draft(found, output)
    seed = _seed(draft)
    score = _before_end(found, output)
    grads = derive(draft.tape, found.steps, [s.wrt for s in sources], {score: seed})
    for source in sources:
        row = found.shapes[source.wrt][: -1 if source.embedded else None]
        steep = grads[source.wrt]
        draft.give(f"{SALIENCY}:{source.name}", _sized(draft.tape, source, steep), row)
        product = draft.tape.op("Mul", steep, source.wrt)
        draft.give(f"{PRODUCT}:{source.name}", _placed(draft.tape, source, product), row)
        smooth = _smooth(draft, source, {score: seed})
        draft.give(f"{SMOOTH}:{source.name}", _sized(draft.tape, source, smooth), row)
    draft.take(NODES, ["nodes"])
    draft.take(WEIGHTS, ["nodes"])
    for source in sources:
        row = found.shapes[source.wrt][: -1 if source.embedded else None]
        parts = _placed(draft.tape, source, _integrated(draft, source, {output: seed}))
        draft.give(f"{INTEGRATED}:{source.name}", parts, row)
    tokens = _give_tokens(draft, sources)
    return Explanation(draft.finished(), tuple(s.name for s in sources), tokens, output)


def _smooth(draft: _Draft, source: _Source, seeds: dict[str, str]) -> str:
    """The mean gradient around the input."""
    tape, found = draft.tape, draft.found
    noise = draft.take(f"{NOISE}{source.name}", ["samples", *found.shapes[source.wrt][1:]])
    size = tape.op("Mul", _range(tape, found, source.wrt), tape.like(_NOISY, source.wrt))
    steps = tape.op("Mul", tape.op("Unsqueeze", noise, tape.ints([1])), size)
    points, count = repeated(tape, source.wrt, steps)
    return averaged(tape, found, source.wrt, points, count, seeds)


def _integrated(draft: _Draft, source: _Source, seeds: dict[str, str]) -> str:
    """The mean gradient on the way from the baseline, times how long the way is."""
    tape, found = draft.tape, draft.found
    base, prefix = "", []
    if not source.embedded:
        base = draft.take(f"{BASELINE}{source.name}", ["baselines", *found.shapes[source.wrt][1:]])
        tape.shapes[base], tape.kinds[base] = found.shapes[source.wrt], found.kinds[source.wrt]
        prefix = hoisted(found, source.wrt)
    mean, way = straight(tape, found, source.wrt, base, prefix, PATH, seeds)
    return tape.op("Mul", mean, way)


def _info(name: str, kind: np.dtype[Any], shape: Sequence[int | str | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), shape)


def _first_float(found: Forward) -> str:
    for info in found.model.graph.output:
        if found.kinds.get(info.name, np.dtype("i8")).kind == "f":
            return str(info.name)
    raise Underivable("the graph gives no numbers with a point")


def _sources(found: Forward, output: str) -> list[_Source]:
    """Inputs of numbers; of others, the vectors that are looked up by them."""
    sources = []
    for name in found.inputs:
        if found.kinds[name].kind != "f":
            sources += [_Source(name, vectors) for vectors in _looked_up(found, name, output)[:1]]
        elif output in found.behind([name]):
            sources.append(_Source(name, name))
    if not sources:
        raise Underivable("no input is a number or looked up in a table of vectors")
    return sources


def _looked_up(found: Forward, name: str, output: str) -> list[str]:
    """The vectors that an input's numbers or words stand for."""
    reach = found.behind([name])
    tables = {
        name for name, array in found.values.items() if (array.ndim, array.dtype.kind) == (2, "f")
    }
    return [
        step.outputs[0]
        for step in found.steps
        if step.kind == "Gather" and step.inputs[0] in tables and step.inputs[1] in reach
        and output in found.behind(step.outputs)
    ]  # fmt: skip


def _check_steps(found: Forward, sources: Sequence[_Source], output: str) -> None:
    """Refuses graphs that read a number of the input as the number of something, as a category.

    What is between two such numbers means nothing, nor does a slope.
    """
    reach = found.behind([source.wrt for source in sources])
    sized: set[str] = set()  # what comes of shapes is not of the input
    for step in found.steps:
        if step.kind in ("Shape", "Size") or (step.inputs and sized.issuperset(step.inputs)):
            sized.update(step.outputs)
        given = [name for name in step.inputs if name in reach - sized]
        made = found.kinds.get(step.outputs[0])
        places = step.kind == "Cast" and made is not None and made.kind in "iu"
        if given and (places or step.kind in _NAMING) and output in found.behind(step.outputs):
            raise step.missing("reads a number as the place of a category, which has no slope")


def _seed(draft: _Draft) -> str:
    """1 where the output is that which is asked about, `[rows, n]`."""
    tape, shape = draft.tape, draft.found.shapes.get(draft.output, ())
    draft.take(TARGET, ["rows"], np.dtype(np.int64))
    if len(shape) == 2 and shape[1]:
        asked = tape.op("Unsqueeze", TARGET, tape.ints([1]))
        chosen = tape.op("Equal", asked, tape.ints(range(shape[1])))
        return tape.op("CastLike", chosen, draft.output)
    if len(shape) != 1:
        raise Underivable(
            f'explain: expected an output "{draft.output}" [rows, n], it is {list(shape)}'
        )
    return tape.op("CastLike", tape.op("Equal", TARGET, TARGET), draft.output)


def _before_end(found: Forward, output: str) -> str:
    """The score that a softmax or sigmoid at the end makes a probability of, or the output."""
    makers = {step.outputs[0]: step for step in found.steps}
    name = output
    while name in makers and makers[name].kind == "Identity":
        name = makers[name].inputs[0]
    step = makers.get(name)
    if step is None or step.kind not in _ENDS:
        return output
    score = step.inputs[0]
    return score if found.shapes.get(score) == found.shapes.get(output) else output


def _range(tape: Tape, found: Forward, name: str) -> str:
    """Of each row, how far its numbers reach; `[rows, 1, …]`."""
    flat = tape.op("Reshape", name, tape.ints([0, -1]))
    # Where the axes of ReduceMax stand depends on the version; TopK has stood still.
    one = tape.ints([1])
    high, low = (
        helper.make_node("TopK", [flat, one], [tape.fresh("TopK"), tape.fresh("TopK")], largest=n)
        for n in (1, 0)
    )
    tape.nodes += [high, low]
    reach = tape.op("Sub", high.output[0], low.output[0])
    return tape.op("Reshape", reach, tape.ints([-1] + [1] * (len(found.shapes[name]) - 1)))


def _sized(tape: Tape, source: _Source, grad: str) -> str:
    """How steep: without its sign; of a vector, its length."""
    if not source.embedded:
        return tape.op("Abs", grad)
    square = tape.op("ReduceSum", tape.op("Mul", grad, grad), tape.ints([-1]), keepdims=0)
    return tape.op("Sqrt", square)


def _placed(tape: Tape, source: _Source, value: str) -> str:
    """One number a place; of vectors, their sum."""
    if not source.embedded:
        return value
    return tape.op("ReduceSum", value, tape.ints([-1]), keepdims=0)


def _give_tokens(draft: _Draft, sources: Sequence[_Source]) -> str:
    """Gives a text's pieces, where the graph cuts it; says what they are called."""
    found, tape = draft.found, draft.tape
    makers = {out: step for step in found.steps for out in step.outputs}
    for source in sources:
        if not source.embedded:
            continue
        name = makers[source.wrt].inputs[1]
        while name in makers and found.kinds.get(name) != np.dtype(object):
            name = makers[name].inputs[0]
        if name in makers:
            flat = tape.ints([0, -1])
            tape.nodes.append(helper.make_node("Reshape", [name, flat], [TOKENS]))
            info = helper.make_tensor_value_info(TOKENS, TensorProto.STRING, ["rows", "pieces"])
            draft.outputs.append(info)
            return TOKENS
    return ""
