"""Operators that keep the largest or the mean of a window."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from numen.core.signature import Array
from numen.explain.graph.products import spread, window
from numen.explain.graph.tape import Shape, Step, Tape, size


def tiles(step: Step, shape: Shape | None, kind: np.dtype[Any] | None) -> bool:
    """Whether the windows of a MaxPool lie beside one another, over an input of known size."""
    said, size = step.attributes, list(step.attributes["kernel_shape"])
    plain = (
        list(said.get("strides", [1] * len(size))) == size
        and not any(said.get("pads", ()))
        and said.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
        and not said.get("ceil_mode", 0)
        and set(said.get("dilations", [1])) == {1}
    )
    return plain and kind == np.float32 and shape is not None and None not in shape[2:]


def _max_pool(tape: Tape, step: Step, gradient: str) -> None:
    """To where each largest number stood; the operator says where, if it is asked to."""
    if len(step.outputs) == 1:
        _max_of_tiles(tape, step, gradient)
        return
    x = step.inputs[0]
    where = step.outputs[1]
    flat = tape.ints([-1])
    count = tape.op("Reshape", tape.op("Size", x), flat)
    zeros = tape.op("Expand", tape.like([0], x), count)
    found = tape.op(
        "ScatterElements", zeros, tape.op("Reshape", where, flat),
        tape.op("Reshape", gradient, flat), axis=0, reduction="add",
    )  # fmt: skip
    tape.push(x, tape.shaped_as(found, x))


def _max_of_tiles(tape: Tape, step: Step, gradient: str) -> None:
    """To all of a window that are as large as its largest, in equal parts.

    Four times as fast in onnxruntime as to ask where the largest stood and to scatter.
    """
    x, y = step.inputs[0], step.outputs[0]
    kernel = list(step.attributes["kernel_shape"])
    sizes = [n or 0 for n in tape.shape(step, x)[2:]]
    kept = [n // k * k for n, k in zip(sizes, kernel, strict=True)]
    axes = range(2, 2 + len(kernel))
    source = x
    if kept != sizes:
        source = tape.op("Slice", x, tape.ints([0] * len(kernel)), tape.ints(kept), tape.ints(axes))
    largest = tape.op("Equal", source, _repeated(tape, y, kernel))
    chosen = tape.op("CastLike", largest, x)
    part = tape.op("AveragePool", chosen, kernel_shape=kernel, strides=kernel)
    count = tape.op("Mul", part, tape.like(math.prod(kernel), x))
    share = _repeated(tape, tape.op("Div", gradient, count), kernel)
    found = tape.op("Mul", chosen, share)
    if kept != sizes:
        rest = [n - k for n, k in zip(sizes, kept, strict=True)]
        found = tape.op("Pad", found, tape.ints([0] * (2 + len(kernel)) + [0, 0, *rest]))
    tape.push(x, found)


def _repeated(tape: Tape, name: str, times: list[int]) -> str:
    """Each number so many times along each axis behind the first two."""
    return tape.op(
        "Resize", name, "", tape.const([1, 1, *times], np.float32), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def _average_pool(tape: Tape, step: Step, gradient: str) -> None:
    x, y = step.inputs[0], step.outputs[0]
    given, made = tape.shape(step, x), tape.shape(step, y)
    kernel = list(step.attributes["kernel_shape"])
    slides = window(tape, step, kernel)
    channels = size(step, given, [1])
    counts = np.ones(())
    for axis, k in enumerate(kernel):
        n, o = given[2 + axis], made[2 + axis]
        if n is None or o is None:
            raise step.missing("slides over an axis whose length is not known")
        counts = counts[..., None] * _counted(step, slides, axis, n, o, k)
    share = tape.op("Mul", gradient, tape.like(1 / counts, x))
    ones = tape.like(np.ones((channels, 1, *kernel)), x)
    tape.push(x, spread(tape, step, share, ones, given, made, group=channels, **slides))


def _counted(
    step: Step, slides: dict[str, list[int]], axis: int, n: int, o: int, k: int
) -> np.ndarray:
    """How many numbers each window's mean is of along an axis, int64[windows]."""
    begin, stride = slides["begin"][axis], slides["strides"][axis]
    dilation = slides["dilations"][axis]
    places = (np.arange(o) * stride)[:, None] + np.arange(k) * dilation
    low, high = begin, begin + n
    if step.attributes.get("count_include_pad", 0):
        said = step.attributes.get("pads")
        low, high = 0, begin + n + (said[len(said) // 2 + axis] if said else begin)
    counts: Array = np.maximum(((places >= low) & (places < high)).sum(1), 1)
    return counts


def _global_average(tape: Tape, step: Step, gradient: str) -> None:
    x = step.inputs[0]
    shape = tape.shape(step, x)
    share = tape.like(1 / size(step, shape, range(2, len(shape))), x)
    tape.push(x, tape.op("Expand", tape.op("Mul", gradient, share), tape.op("Shape", x)))


def _global_max(tape: Tape, step: Step, gradient: str) -> None:
    x, y = step.inputs[0], step.outputs[0]
    axes = range(2, len(tape.shape(step, x)))
    tape.push(x, shared(tape, x, y, gradient, tape.ints(axes)))


def shared(tape: Tape, x: str, y: str, gradient: str, axes: str) -> str:
    """A largest number's gradient, in parts to all that are as large."""
    chosen = tape.op("CastLike", tape.op("Equal", x, y), x)
    many = tape.op("ReduceSum", chosen, axes, keepdims=1)
    return tape.op("Mul", chosen, tape.op("Div", gradient, many))


RULES: Final = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "MaxPool": _max_pool,
}
