"""Operators that make one number of many, and those that set numbers in relation to others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from numen.explain.graph.pooling import shared
from numen.explain.graph.tape import Step, Tape, size


@dataclass(frozen=True)
class _Reduction:
    """What a rule of a reduction needs; gradient and y keep the axes that were reduced."""

    tape: Tape
    x: str
    gradient: str
    y: str
    axes: list[int]
    count: int | None

    def times(self, factor: str) -> str:
        return self.tape.op("Mul", self.gradient, factor)


def _axes(tape: Tape, step: Step) -> list[int]:
    """Which axes are reduced: an attribute says it before opset 13 or 18, afterwards an input."""
    rank = len(tape.shape(step, step.inputs[0]))
    said = step.attributes.get("axes")
    if said is None and len(step.inputs) > 1 and step.inputs[1]:
        said = tape.fixed(step, step.inputs[1]).tolist()
    if not said and step.attributes.get("noop_with_empty_axes", 0):
        return []
    return sorted(axis % rank for axis in said) if said else [*range(rank)]


def _kept(tape: Tape, step: Step, name: str, axes: list[int]) -> str:
    """A reduced tensor with the axes that it lost, of length 1."""
    if step.attributes.get("keepdims", 1) or not axes:
        return name
    return tape.op("Unsqueeze", name, tape.ints(axes))


def _over(part: Callable[[_Reduction], str]) -> Callable[[Tape, Step, str], None]:
    """A rule from the gradient of each number, before it is spread over those it was made of."""

    def rule(tape: Tape, step: Step, gradient: str) -> None:
        axes, x = _axes(tape, step), step.inputs[0]
        kept, y = (_kept(tape, step, name, axes) for name in (gradient, step.outputs[0]))
        lengths = [tape.shape(step, x)[axis] for axis in axes]
        count = None if None in lengths else size(step, lengths, range(len(lengths)))
        found = part(_Reduction(tape, x, kept, y, axes, count))
        tape.push(x, tape.op("Expand", found, tape.op("Shape", x)))

    return rule


def _mean(of: _Reduction) -> str:
    """Divides by how many there are, which may not be known before the model runs."""
    if of.count is not None:
        return of.times(of.tape.like(1 / of.count, of.x))
    sizes = [of.tape.op("CastLike", of.tape.op("Size", name), of.x) for name in (of.y, of.x)]
    return of.times(of.tape.op("Div", *sizes))


def _extreme(of: _Reduction) -> str:
    return shared(of.tape, of.x, of.y, of.gradient, of.tape.ints(of.axes))


def _product(of: _Reduction) -> str:
    """The product over each number; none may be 0."""
    return of.times(of.tape.op("Div", of.y, of.x))


def _length(of: _Reduction) -> str:
    return of.times(of.tape.op("Div", of.x, of.y))


def _squares(of: _Reduction) -> str:
    return of.times(of.tape.op("Mul", of.x, of.tape.like(2, of.x)))


def _signs(of: _Reduction) -> str:
    return of.times(of.tape.op("Sign", of.x))


def _log_sum_exp(of: _Reduction) -> str:
    return of.times(of.tape.op("Exp", of.tape.op("Sub", of.x, of.y)))


def _softmax(tape: Tape, step: Step, gradient: str) -> None:
    y = step.outputs[0]
    axis = tape.ints([step.attributes.get("axis", -1)])
    mean = tape.op("ReduceSum", tape.op("Mul", gradient, y), axis, keepdims=1)
    tape.push(step.inputs[0], tape.op("Mul", y, tape.op("Sub", gradient, mean)))


def _log_softmax(tape: Tape, step: Step, gradient: str) -> None:
    axis = tape.ints([step.attributes.get("axis", -1)])
    total = tape.op("ReduceSum", gradient, axis, keepdims=1)
    share = tape.op("Mul", tape.op("Exp", step.outputs[0]), total)
    tape.push(step.inputs[0], tape.op("Sub", gradient, share))


def _batch_norm(tape: Tape, step: Step, gradient: str) -> None:
    x, scale, _, _, variance = step.inputs
    epsilon = step.attributes.get("epsilon", 1e-5)
    factor = tape.fixed(step, scale) / np.sqrt(tape.fixed(step, variance) + epsilon)
    apart = factor.reshape(-1, *(1,) * (len(tape.shape(step, x)) - 2))
    tape.push(x, tape.op("Mul", gradient, tape.like(apart, x)))


def _instance_norm(tape: Tape, step: Step, gradient: str) -> None:
    """Each row's each channel to mean 0 and variance 1: Ioffe and Szegedy 2015, section 3."""
    x, scale, _ = step.inputs
    shape = tape.shape(step, x)
    axes = tape.ints(range(2, len(shape)))
    each = tape.like(1 / size(step, shape, range(2, len(shape))), x)

    def mean(name: str) -> str:
        return tape.op("Mul", tape.op("ReduceSum", name, axes, keepdims=1), each)

    small = tape.like(step.attributes.get("epsilon", 1e-5), x)
    apart = tape.op("Sub", x, mean(x))
    spread = tape.op("Sqrt", tape.op("Add", mean(tape.op("Mul", apart, apart)), small))
    plain = tape.op("Div", apart, spread)
    channel = tape.fixed(step, scale).reshape(-1, *(1,) * (len(shape) - 2))
    scaled = tape.op("Mul", gradient, tape.like(channel, x))
    along = tape.op("Mul", plain, mean(tape.op("Mul", scaled, plain)))
    rest = tape.op("Sub", tape.op("Sub", scaled, mean(scaled)), along)
    tape.push(x, tape.op("Div", rest, spread))


def _lp_norm(tape: Tape, step: Step, gradient: str) -> None:
    x, y = step.inputs[0], step.outputs[0]
    if step.attributes.get("p", 2) != 2:
        raise step.missing("divides by another length than the usual")
    axis = tape.ints([step.attributes.get("axis", -1)])
    length = tape.op(
        "Sqrt", tape.op("ReduceSum", tape.op("Mul", x, x), axis, keepdims=1)
    )  # fmt: skip
    along = tape.op("ReduceSum", tape.op("Mul", gradient, y), axis, keepdims=1)
    tape.push(x, tape.op("Div", tape.op("Sub", gradient, tape.op("Mul", y, along)), length))


def _cumulated(tape: Tape, step: Step, gradient: str) -> None:
    said = step.attributes
    found = tape.op(
        "CumSum", gradient, step.inputs[1],
        reverse=1 - said.get("reverse", 0), exclusive=said.get("exclusive", 0),
    )  # fmt: skip
    tape.push(step.inputs[0], found)


RULES: Final = {
    "BatchNormalization": _batch_norm,
    "CumSum": _cumulated,
    "InstanceNormalization": _instance_norm,
    "LogSoftmax": _log_softmax,
    "LpNormalization": _lp_norm,
    "ReduceL1": _over(_signs),
    "ReduceL2": _over(_length),
    "ReduceLogSumExp": _over(_log_sum_exp),
    "ReduceMax": _over(_extreme),
    "ReduceMean": _over(_mean),
    "ReduceMin": _over(_extreme),
    "ReduceProd": _over(_product),
    "ReduceSum": _over(lambda of: of.gradient),
    "ReduceSumSquare": _over(_squares),
    "Softmax": _softmax,
}
