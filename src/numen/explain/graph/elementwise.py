"""Operators that compute each number from those in its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from numen.explain.graph.tape import Step, Tape

Local = Callable[[Tape, Step], str]


def _by(slope: Local) -> Callable[[Tape, Step, str], None]:
    """A rule from the slope of a function of one number."""

    def rule(tape: Tape, step: Step, gradient: str) -> None:
        tape.push(step.inputs[0], tape.op("Mul", gradient, slope(tape, step)))

    return rule


def _relu(tape: Tape, step: Step, gradient: str) -> None:
    # A product, as choosing takes onnxruntime eight times as long.
    x = step.inputs[0]
    above = tape.op("Greater", step.outputs[0], tape.like(0, x))
    tape.push(x, tape.op("Mul", gradient, tape.op("CastLike", above, x)))


def _leaky(tape: Tape, step: Step, gradient: str) -> None:
    x = step.inputs[0]
    low = tape.op("Mul", gradient, tape.like(step.attributes.get("alpha", 0.01), x))
    above = tape.op("GreaterOrEqual", x, tape.like(0, x))
    tape.push(x, tape.op("Where", above, gradient, low))


def _elu(tape: Tape, step: Step) -> str:
    x, y = step.inputs[0], step.outputs[0]
    below = tape.op("Add", y, tape.like(step.attributes.get("alpha", 1.0), x))
    return tape.op("Where", tape.op("Greater", x, tape.like(0, x)), tape.like(1, x), below)


def _selu(tape: Tape, step: Step) -> str:
    x, y = step.inputs[0], step.outputs[0]
    alpha = step.attributes.get("alpha", 1.6732631921768188)
    gamma = step.attributes.get("gamma", 1.0507010221481323)
    below = tape.op("Add", y, tape.like(alpha * gamma, x))
    return tape.op("Where", tape.op("Greater", x, tape.like(0, x)), tape.like(gamma, x), below)


def _prelu(tape: Tape, step: Step, gradient: str) -> None:
    x, slope = step.inputs
    above = tape.op("GreaterOrEqual", x, tape.like(0, x))
    if x in tape.active:
        tape.push(x, tape.op("Where", above, gradient, tape.op("Mul", gradient, slope)))
    if slope in tape.active:
        below = tape.op("Where", above, tape.like(0, x), tape.op("Mul", gradient, x))
        tape.push(slope, tape.summed_to(step, below, slope))


def _hard_sigmoid(tape: Tape, step: Step, gradient: str) -> None:
    x, y = step.inputs[0], step.outputs[0]
    zero = tape.like(0, x)
    between = tape.op(
        "And", tape.op("Greater", y, zero), tape.op("Less", y, tape.like(1, x))
    )  # fmt: skip
    steep = tape.op("Mul", gradient, tape.like(step.attributes.get("alpha", 0.2), x))
    tape.push(x, tape.op("Where", between, steep, zero))


def _clip(tape: Tape, step: Step, gradient: str) -> None:
    x, *bounds = step.inputs
    zero = tape.like(0, x)
    for bound, inside in zip(bounds, ("GreaterOrEqual", "LessOrEqual"), strict=False):
        if bound:
            gradient = tape.op("Where", tape.op(inside, x, bound), gradient, zero)
    tape.push(x, gradient)


def _sigmoid(tape: Tape, step: Step) -> str:
    y = step.outputs[0]
    return tape.op("Mul", y, tape.op("Sub", tape.like(1, y), y))


def _tanh(tape: Tape, step: Step) -> str:
    y = step.outputs[0]
    return tape.op("Sub", tape.like(1, y), tape.op("Mul", y, y))


def _erf(tape: Tape, step: Step) -> str:
    x = step.inputs[0]
    bell = tape.op("Exp", tape.op("Neg", tape.op("Mul", x, x)))
    return tape.op("Mul", tape.like(2 / math.sqrt(math.pi), x), bell)


def _sqrt(tape: Tape, step: Step) -> str:
    y = step.outputs[0]
    return tape.op("Div", tape.like(0.5, y), y)


def _reciprocal(tape: Tape, step: Step) -> str:
    y = step.outputs[0]
    return tape.op("Neg", tape.op("Mul", y, y))


def _softplus(tape: Tape, step: Step) -> str:
    return tape.op("Sigmoid", step.inputs[0])


def _softsign(tape: Tape, step: Step) -> str:
    x = step.inputs[0]
    far = tape.op("Add", tape.op("Abs", x), tape.like(1, x))
    return tape.op("Reciprocal", tape.op("Mul", far, far))


def _gelu(tape: Tape, step: Step) -> str:
    """Hendrycks and Gimpel 2016: of x·Φ(x), or of the form with tanh."""
    x = step.inputs[0]
    half, one = tape.like(0.5, x), tape.like(1, x)
    if step.attributes.get("approximate", "none") == "tanh":
        a, b = math.sqrt(2 / math.pi), 0.044715
        square = tape.op("Mul", x, x)
        inner = tape.op(
            "Mul", tape.like(a, x),
            tape.op("Mul", x, tape.op("Add", one, tape.op("Mul", tape.like(b, x), square))),
        )  # fmt: skip
        t = tape.op("Tanh", inner)
        steep = tape.op("Add", tape.like(a, x), tape.op("Mul", tape.like(3 * a * b, x), square))
        rise = tape.op("Mul", tape.op("Sub", one, tape.op("Mul", t, t)), steep)
        return tape.op(
            "Mul", half, tape.op("Add", tape.op("Add", one, t), tape.op("Mul", x, rise))
        )  # fmt: skip
    scaled = tape.op("Erf", tape.op("Mul", x, tape.like(math.sqrt(0.5), x)))
    share = tape.op("Mul", half, tape.op("Add", one, scaled))
    bell = tape.op("Exp", tape.op("Mul", tape.like(-0.5, x), tape.op("Mul", x, x)))
    density = tape.op("Mul", tape.like(1 / math.sqrt(2 * math.pi), x), bell)
    return tape.op("Add", share, tape.op("Mul", x, density))


def _add(tape: Tape, step: Step, gradient: str) -> None:
    for name in step.inputs:
        if name in tape.active:
            tape.push(name, tape.summed_to(step, gradient, name))


def _mean(tape: Tape, step: Step, gradient: str) -> None:
    share = tape.like(1 / len(step.inputs), step.outputs[0])
    _add(tape, step, tape.op("Mul", gradient, share))


def _sub(tape: Tape, step: Step, gradient: str) -> None:
    a, b = step.inputs
    if a in tape.active:
        tape.push(a, tape.summed_to(step, gradient, a))
    if b in tape.active:
        tape.push(b, tape.op("Neg", tape.summed_to(step, gradient, b)))


def _mul(tape: Tape, step: Step, gradient: str) -> None:
    for name, other in (step.inputs, step.inputs[::-1]):
        if name in tape.active:
            tape.push(name, tape.summed_to(step, tape.op("Mul", gradient, other), name))


def _div(tape: Tape, step: Step, gradient: str) -> None:
    a, b = step.inputs
    part = tape.op("Div", gradient, b)
    if a in tape.active:
        tape.push(a, tape.summed_to(step, part, a))
    if b in tape.active:
        falls = tape.op("Neg", tape.op("Mul", part, step.outputs[0]))
        tape.push(b, tape.summed_to(step, falls, b))


def _pow(tape: Tape, step: Step, gradient: str) -> None:
    base, power = step.inputs
    if base in tape.active:
        # The exponent may be of another type than the base.
        power_as = power
        if tape.kinds[power] != tape.kinds[base]:
            power_as = tape.op("CastLike", power, base)
        lower = tape.op("Pow", base, tape.op("Sub", power_as, tape.like(1, base)))
        slope = tape.op("Mul", power_as, lower)
        tape.push(base, tape.summed_to(step, tape.op("Mul", gradient, slope), base))
    if power in tape.active:
        slope = tape.op("Mul", step.outputs[0], tape.op("Log", base))
        tape.push(power, tape.summed_to(step, tape.op("Mul", gradient, slope), power))


def _extreme(tape: Tape, step: Step, gradient: str) -> None:
    """Of Max and Min: to the input that it is; to the first where several are."""
    taken: str | None = None
    for name in step.inputs:
        chosen = tape.op("Equal", name, step.outputs[0])
        if taken is not None:
            chosen, taken = (
                tape.op("And", chosen, tape.op("Not", taken)),
                tape.op("Or", chosen, taken),
            )
        else:
            taken = chosen
        if name in tape.active:
            part = tape.op("Where", chosen, gradient, tape.like(0, name))
            tape.push(name, tape.summed_to(step, part, name))


def _select(tape: Tape, step: Step, gradient: str) -> None:
    condition, yes, no = step.inputs
    zero = tape.like(0, step.outputs[0])
    for name, order in ((yes, (gradient, zero)), (no, (zero, gradient))):
        if name in tape.active:
            part = tape.op("Where", condition, *order)
            tape.push(name, tape.summed_to(step, part, name))


RULES: Final = {
    "Abs": _by(lambda tape, step: tape.op("Sign", step.inputs[0])),
    "Add": _add,
    "Clip": _clip,
    "Cos": _by(lambda tape, step: tape.op("Neg", tape.op("Sin", step.inputs[0]))),
    "Div": _div,
    "Elu": _by(_elu),
    "Erf": _by(_erf),
    "Exp": _by(lambda _, step: step.outputs[0]),
    "Gelu": _by(_gelu),
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky,
    "Log": _by(lambda tape, step: tape.op("Reciprocal", step.inputs[0])),
    "Max": _extreme,
    "Mean": _mean,
    "Min": _extreme,
    "Mul": _mul,
    "Neg": lambda tape, step, gradient: tape.push(step.inputs[0], tape.op("Neg", gradient)),
    "PRelu": _prelu,
    "Pow": _pow,
    "Reciprocal": _by(_reciprocal),
    "Relu": _relu,
    "Selu": _by(_selu),
    "Sigmoid": _by(_sigmoid),
    "Sin": _by(lambda tape, step: tape.op("Cos", step.inputs[0])),
    "Softplus": _by(_softplus),
    "Softsign": _by(_softsign),
    "Sqrt": _by(_sqrt),
    "Sub": _sub,
    "Sum": _add,
    "Tanh": _by(_tanh),
    "Where": _select,
}
