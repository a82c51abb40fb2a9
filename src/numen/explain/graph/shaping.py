"""Operators that move numbers about and change none."""

from __future__ import annotations

from typing import Final

import numpy as np

from numen.core.signature import Array
from numen.explain.graph.tape import Step, Tape


def _pass(tape: Tape, step: Step, gradient: str) -> None:
    tape.push(step.inputs[0], gradient)


def _reshape(tape: Tape, step: Step, gradient: str) -> None:
    tape.push(step.inputs[0], tape.shaped_as(gradient, step.inputs[0]))


def _cast(tape: Tape, step: Step, gradient: str) -> None:
    source, made = (tape.kinds[name] for name in (step.inputs[0], step.outputs[0]))
    if source.kind != "f" or made.kind != "f":
        raise step.missing(
            "numbers are read as places in a list, such as a category's, which has no slope"
        )
    tape.push(step.inputs[0], tape.op("CastLike", gradient, step.inputs[0]))


def _transpose(tape: Tape, step: Step, gradient: str) -> None:
    rank = len(tape.shape(step, step.inputs[0]))
    order = step.attributes.get("perm", [*range(rank)][::-1])
    tape.push(step.inputs[0], tape.op("Transpose", gradient, perm=np.argsort(order).tolist()))


def _axis(tape: Tape, step: Step, name: str, axis: int) -> int:
    return axis % len(tape.shape(step, name))


def _concat(tape: Tape, step: Step, gradient: str) -> None:
    axis = _axis(tape, step, step.inputs[0], step.attributes["axis"])
    lengths = [tape.shape(step, name)[axis] for name in step.inputs]
    start = 0
    for name, length in zip(step.inputs, lengths, strict=True):
        if length is None:
            raise step.missing("joins along an axis whose length is not known")
        if name in tape.active:
            ends = (tape.ints([start]), tape.ints([start + length]), tape.ints([axis]))
            tape.push(name, tape.op("Slice", gradient, *ends))
        start += length


def _split(tape: Tape, step: Step, _gradient: str) -> None:
    axis = _axis(tape, step, step.inputs[0], step.attributes.get("axis", 0))
    parts = []
    for name in step.outputs:
        part = tape.pull(name)
        if part is None:
            zero = tape.like(0, name)
            part = tape.op("Mul", name, zero)
        parts.append(part)
    tape.push(step.inputs[0], tape.op("Concat", *parts, axis=axis))


def _slice(tape: Tape, step: Step, gradient: str) -> None:
    """The gradient in its place among zeros, whatever the steps: along each axis a 0/1 matrix."""
    source = step.inputs[0]
    shape = tape.shape(step, source)
    starts, ends = (tape.fixed(step, name).tolist() for name in step.inputs[1:3])
    more = [*step.inputs[3:], "", ""]
    axes = tape.fixed(step, more[0]).tolist() if more[0] else range(len(starts))
    strides = tape.fixed(step, more[1]).tolist() if more[1] else [1] * len(starts)
    for start, end, axis, stride in zip(starts, ends, axes, strides, strict=True):
        place = axis % len(shape)
        length = shape[place]
        if length is None:
            if (start, stride) == (0, 1) and end >= np.iinfo(np.int32).max:
                continue
            raise step.missing("cuts an axis whose length is not known")
        taken = np.arange(length)[slice(start, None if end < -length else end, stride)]
        if len(taken) == length and stride == 1:
            continue
        gradient = _placed(tape, gradient, source, place, taken, length)
    tape.push(source, gradient)


def _placed(tape: Tape, gradient: str, like: str, axis: int, taken: np.ndarray, length: int) -> str:
    """The parts of a gradient at these places of an axis, zeros at the others."""
    rank = len(tape.shapes[like])
    if len(taken) and (np.diff(taken) == 1).all():
        pads = [0] * (2 * rank)
        pads[axis], pads[rank + axis] = int(taken[0]), int(length - 1 - taken[-1])
        return tape.op("Pad", gradient, tape.ints(pads), tape.like(0, like))
    return _spread(tape, gradient, like, axis, taken, length)


def _spread(tape: Tape, gradient: str, like: str, axis: int, taken: Array, length: int) -> str:
    """The same by a matrix of 0 and 1, for places in any order, some of them twice."""
    places = np.zeros((len(taken), length))
    places[np.arange(len(taken)), taken] = 1
    order = [n for n in range(len(tape.shapes[like])) if n != axis] + [axis]
    last = tape.op("Transpose", gradient, perm=order)
    wide = tape.op("MatMul", last, tape.like(places, like))
    return tape.op("Transpose", wide, perm=np.argsort(order).tolist())


def _pad(tape: Tape, step: Step, gradient: str) -> None:
    if step.attributes.get("mode", "constant") != "constant":
        raise step.missing("fills edges by mirroring or repeating")
    source = step.inputs[0]
    rank = len(tape.shape(step, source))
    pads = tape.fixed(step, step.inputs[1]).astype(int).tolist()
    named = step.inputs[3] if len(step.inputs) > 3 else ""
    axes = [a % rank for a in tape.fixed(step, named).tolist()] if named else [*range(rank)]
    begin, end = pads[: len(axes)], pads[len(axes) :]
    moved = [
        (a, b, e) for a, b, e in zip(axes, begin, end, strict=True) if b or e
    ]  # fmt: skip
    if moved:
        stops = [-e if e > 0 else np.iinfo(np.int64).max for _, _, e in moved]
        if any(b < 0 or e < 0 for _, b, e in moved):
            raise step.missing("cuts edges off")
        gradient = tape.op(
            "Slice", gradient, tape.ints(b for _, b, _ in moved), tape.ints(stops),
            tape.ints(a for a, _, _ in moved),
        )  # fmt: skip
    tape.push(source, gradient)


def _expand(tape: Tape, step: Step, gradient: str) -> None:
    tape.push(step.inputs[0], tape.summed_to(step, gradient, step.inputs[0]))


def _tile(tape: Tape, step: Step, gradient: str) -> None:
    source = step.inputs[0]
    shape = tape.shape(step, source)
    repeats = tape.fixed(step, step.inputs[1]).tolist()
    sizes: list[int] = []
    axes: list[int] = []
    for n, times in zip(shape, repeats, strict=True):
        if times != 1:
            axes.append(len(sizes))
            sizes.append(times)
        sizes.append(-1 if n is None else n)
    if sizes.count(-1) > 1:
        raise step.missing("repeats axes whose lengths are not known")
    if axes:
        apart = tape.op("Reshape", gradient, tape.ints(sizes))
        gradient = tape.op("ReduceSum", apart, tape.ints(axes), keepdims=0)
    tape.push(source, gradient)


def _gather(tape: Tape, step: Step, gradient: str) -> None:
    source, places = step.inputs
    axis = _axis(tape, step, source, step.attributes.get("axis", 0))
    length = tape.shape(step, source)[axis]
    where = tape.fixed(step, places)
    if length is None:
        raise step.missing("takes from an axis whose length is not known")
    taken = where.reshape(-1) % length
    if where.ndim == 0:
        gradient = tape.op("Unsqueeze", gradient, tape.ints([axis]))
    elif where.ndim > 1:
        raise step.missing("takes a table of places")
    tape.push(source, _spread(tape, gradient, source, axis, taken, length))


def _resize(tape: Tape, step: Step, gradient: str) -> None:
    """Of whole multiples by the nearest: sums what was repeated."""
    source = step.inputs[0]
    given, made = tape.shape(step, source), tape.shape(step, step.outputs[0])
    pairs = list(zip(given[2:], made[2:], strict=True))
    whole = all(a and b and b % a == 0 for a, b in pairs)
    if step.attributes.get("mode", "nearest") != "nearest" or not whole:
        raise step.missing("does not repeat by a whole number")
    sizes = [0, 0]
    for a, b in pairs:
        assert a is not None
        assert b is not None
        sizes += [a, b // a]
    apart = tape.op("Reshape", gradient, tape.ints(sizes))
    axes = range(3, len(sizes), 2)
    tape.push(source, tape.op("ReduceSum", apart, tape.ints(axes), keepdims=0))


RULES: Final = {
    "Cast": _cast,
    "CastLike": _cast,
    "Concat": _concat,
    "Dropout": _pass,
    "Expand": _expand,
    "Flatten": _reshape,
    "Gather": _gather,
    "Identity": _pass,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _reshape,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
