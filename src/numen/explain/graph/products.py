"""Operators that multiply by weights: matrix products and convolutions."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from numen.explain.graph.tape import Shape, Step, Tape


def _gemm(tape: Tape, step: Step, gradient: str) -> None:
    a, b, *rest = step.inputs
    said = step.attributes
    alpha = said.get("alpha", 1.0)
    if rest and rest[0] in tape.active:
        part = gradient
        if said.get("beta", 1.0) != 1:
            part = tape.op("Mul", gradient, tape.like(said["beta"], a))
        tape.push(rest[0], tape.summed_to(step, part, rest[0]))
    scaled = gradient if alpha == 1 else tape.op("Mul", gradient, tape.like(alpha, a))
    if a in tape.active:
        other = b if said.get("transB", 0) else tape.turned(b, 2)
        found = tape.op("MatMul", scaled, other)
        tape.push(a, tape.turned(found, 2) if said.get("transA", 0) else found)
    if b in tape.active:
        other = a if said.get("transA", 0) else tape.turned(a, 2)
        found = tape.op("MatMul", other, scaled)
        tape.push(b, tape.turned(found, 2) if said.get("transB", 0) else found)


def _matmul(tape: Tape, step: Step, gradient: str) -> None:
    a, b = step.inputs
    ranks = [len(tape.shape(step, name)) for name in (a, b)]
    if min(ranks) < 2:
        raise step.missing("multiplies by a vector")
    if a in tape.active:
        found = tape.op("MatMul", gradient, tape.turned(b, ranks[1]))
        tape.push(a, _summed(tape, step, found, a))
    if b in tape.active:
        found = tape.op("MatMul", tape.turned(a, ranks[0]), gradient)
        tape.push(b, _summed(tape, step, found, b))


def _summed(tape: Tape, step: Step, found: str, source: str) -> str:
    """Sums over the matrices that one matrix was multiplied by."""
    shape = tape.shape(step, source)
    out = tape.shape(step, step.outputs[0])
    return tape.summed_to(step, found, source, (*out[:-2], *shape[-2:]))


def _einsum(tape: Tape, step: Step, gradient: str) -> None:
    """The gradient of each factor is the sum of the products of the others with the output's."""
    equation = str(step.attributes["equation"]).replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    plain = arrow and "." not in equation and all(len(set(t)) == len(t) for t in terms)
    for place, (name, term) in enumerate(zip(step.inputs, terms, strict=True)):
        if name not in tape.active:
            continue
        others = [
            (t, n) for i, (t, n) in enumerate(zip(terms, step.inputs, strict=True)) if i != place
        ]
        known = set(out).union(*(t for t, _ in others))
        if not plain or not set(term) <= known:
            raise step.missing(f'no rule for "{equation}"')
        whole = ",".join([out, *(t for t, _ in others)]) + "->" + term
        tape.push(name, tape.op("Einsum", gradient, *(n for _, n in others), equation=whole))


def spread(
    tape: Tape, step: Step, gradient: str, kernel: str, source: Shape, made: Shape,
    *, strides: list[int], dilations: list[int], begin: list[int], size: list[int], group: int,
) -> str:  # fmt: skip
    """The transpose of a convolution: every output handed back to the places it came from.

    Args:
        tape: Where it is written.
        step: The operator.
        gradient: `[rows, out, …]`.
        kernel: `[out, in / group, …]`.
        source: The input's shape.
        made: The output's.
        strides: Along each axis.
        dilations: Likewise.
        begin: Zeros before the input.
        size: The kernel's.
        group: Parts that do not mix.
    """
    given, out = source[2:], made[2:]
    if None in given or None in out:
        raise step.missing("slides over an axis whose length is not known")
    lengths, ends = ([n for n in shape if n is not None] for shape in (given, out))
    reach = [
        (o - 1) * s + (k - 1) * d + 1
        for o, s, k, d in zip(ends, strides, size, dilations, strict=True)
    ]
    # Zeros behind the input that the windows reach; where they reach less far, what is missing.
    end = [r - b - n for r, b, n in zip(reach, begin, lengths, strict=True)]
    short = [max(0, -e) for e in end]
    pads = [*begin, *(max(0, e) for e in end)]
    plain = all(s == 1 for s in strides)
    weights = tape.values.get(kernel)
    back = [(k - 1) * d for k, d in zip(size, dilations, strict=True)]
    room = [b - p for b, p in zip(back * 2, pads, strict=True)]
    if plain and group == 1 and weights is not None and min(room) >= 0 and not any(short):
        # A convolution with the kernel turned about, which runtimes are faster at.
        axes = tuple(range(2, weights.ndim))
        turned = tape.const(np.flip(weights.swapaxes(0, 1), axes))
        return tape.op("Conv", gradient, turned, pads=room, dilations=dilations, kernel_shape=size)
    made_up = tape.op(
        "ConvTranspose", gradient, kernel, strides=strides, dilations=dilations, pads=pads,
        kernel_shape=size, group=group,
    )  # fmt: skip
    if any(short):
        filled = [0] * (2 + len(short)) + [0, 0, *short]
        made_up = tape.op("Pad", made_up, tape.ints(filled), tape.like(0, step.inputs[0]))
    return made_up


def window(tape: Tape, step: Step, size: list[int]) -> dict[str, Any]:
    """How a window slides, of whatever says so by ONNX's attributes."""
    said, count = step.attributes, len(size)
    strides = list(said.get("strides", [1] * count))
    dilations = list(said.get("dilations", [1] * count))
    begin = list(said.get("pads", [0] * 2 * count))[:count]
    auto = said.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        given, out = (tape.shape(step, n)[2:] for n in (step.inputs[0], step.outputs[0]))
        for axis, (n, o) in enumerate(zip(given, out, strict=True)):
            if n is None or o is None:
                raise step.missing("slides over an axis whose length is not known")
            whole = max((o - 1) * strides[axis] + (size[axis] - 1) * dilations[axis] + 1 - n, 0)
            begin[axis] = whole // 2 if auto == "SAME_UPPER" else whole - whole // 2
    return {"strides": strides, "dilations": dilations, "begin": begin, "size": size}


def _conv(tape: Tape, step: Step, gradient: str) -> None:
    x, kernel, *rest = step.inputs
    if kernel in tape.active:
        raise step.missing("its kernel depends on the input")
    if rest and rest[0] in tape.active:
        axes = [0, *range(2, len(tape.shape(step, step.outputs[0])))]
        tape.push(rest[0], tape.op("ReduceSum", gradient, tape.ints(axes), keepdims=0))
    if x not in tape.active:
        return
    size = [n or 0 for n in tape.shape(step, kernel)[2:]]
    found = spread(
        tape, step, gradient, kernel, tape.shape(step, x), tape.shape(step, step.outputs[0]),
        group=step.attributes.get("group", 1), **window(tape, step, size),
    )  # fmt: skip
    tape.push(x, found)


def _conv_transpose(tape: Tape, step: Step, gradient: str) -> None:
    x, kernel, *_ = step.inputs
    if kernel in tape.active:
        raise step.missing("its kernel depends on the input")
    said = step.attributes
    size = [n or 0 for n in tape.shape(step, kernel)[2:]]
    count = len(size)
    strides = list(said.get("strides", [1] * count))
    dilations = list(said.get("dilations", [1] * count))
    given, out = tape.shape(step, x)[2:], tape.shape(step, step.outputs[0])[2:]
    pads = list(said.get("pads", [0] * 2 * count))
    if said.get("auto_pad", "NOTSET") != "NOTSET" or said.get("output_shape"):
        raise step.missing("finds its own padding")
    for axis in range(count):
        n, o = given[axis], out[axis]
        if n is None or o is None:
            raise step.missing("slides over an axis whose length is not known")
        # As far as windows over the output reach, no further.
        pads[count + axis] = (
            (n - 1) * strides[axis] + (size[axis] - 1) * dilations[axis] + 1 - o - pads[axis]
        )
    cut = [min(0, p) for p in pads[count:]]
    if any(cut):
        ends = (tape.ints([0] * count), tape.ints(c or np.iinfo(np.int64).max for c in cut))
        gradient = tape.op("Slice", gradient, *ends, tape.ints(range(2, 2 + count)))
    found = tape.op(
        "Conv", gradient, kernel, strides=strides, dilations=dilations,
        pads=[max(0, p) for p in pads], kernel_shape=size, group=said.get("group", 1),
    )  # fmt: skip
    tape.push(x, found)


RULES: Final = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
