"""Gradients averaged over points: around an input, or between it and a baseline, in one run.

Operators behind the points are repeated with all points as rows. Where a graph begins with linear
ones P, the straight path is walked behind them: P(b + a (x - b)) = P(b) + a (P(x) - P(b)), and the
transpose of P is applied once, to the mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import onnx
from onnx import helper

from numen.explain.graph.backward import derive
from numen.explain.graph.forward import Forward
from numen.explain.graph.tape import Step, Tape

_LINEAR: Final = frozenset(
    {
        "Add", "AveragePool", "BatchNormalization", "Cast", "Conv", "Div", "Flatten", "Gemm",
        "GlobalAveragePool", "Identity", "MatMul", "Mul", "Pad", "Reshape", "Squeeze", "Sub",
        "Transpose", "Unsqueeze",
    }
)  # fmt: skip
_WORTH: Final = frozenset({"Add", "Conv", "Gemm", "MatMul"})


def hoisted(found: Forward, start: str) -> list[Step]:
    """The linear operators that a graph begins with, one behind the other."""
    chain: list[Step] = []
    name = start
    while True:
        users = [step for step in found.steps if name in step.inputs]
        if len(users) != 1 or users[0].kind not in _LINEAR or users[0].inputs.count(name) != 1:
            break
        step = users[0]
        others = [each for each in step.inputs if each and each != name]
        if any(each not in found.values for each in others):
            break
        if step.kind == "Div" and step.inputs[0] != name:
            break
        if step.kind == "Cast" and found.kinds[step.outputs[0]].kind != "f":
            break
        shape = found.shapes.get(step.outputs[0])
        if shape is None or None in shape[1:]:
            break
        chain.append(step)
        name = step.outputs[0]
    while chain and chain[-1].kind not in _WORTH:
        chain.pop()
    return chain


def repeated(tape: Tape, name: str, steps: str) -> tuple[str, str]:
    """The points `name + steps[n]`, all as rows, `[n · rows, …]`, and n as int64[1].

    Args:
        tape: Where it is written.
        name: `[rows, …]`.
        steps: `[n, rows or 1, …]`.
    """
    around = tape.op("Add", tape.op("Unsqueeze", name, tape.ints([0])), steps)
    return _as_rows(tape, around, name), _count(tape, steps)


def _count(tape: Tape, steps: str) -> str:
    return tape.op("Slice", tape.op("Shape", steps), tape.ints([0]), tape.ints([1]))


def _as_rows(tape: Tape, points: str, name: str) -> str:
    row = tape.shapes[name][1:]
    if None not in row:
        return tape.op("Reshape", points, tape.ints([-1, *(n for n in row if n is not None)]))
    end = tape.ints([len(row) + 1])
    rest = tape.op("Slice", tape.op("Shape", name), tape.ints([1]), end)
    return tape.op("Reshape", points, tape.op("Concat", tape.ints([-1]), rest, axis=0))


def _again(
    tape: Tape, found: Forward, steps: list[Step], named: dict[str, str], count: str
) -> list[Step]:
    """The operators once more, with other tensors in the place of some.

    Args:
        tape: Where they are written.
        found: The graph.
        steps: In the order they run.
        named: What stands for what; grows by what they make.
        count: How often rows are repeated; a tensor of rows from elsewhere is repeated too. Empty
            where they are not.
    """
    copies = []
    alike: dict[str, str] = {}
    changing = found.behind(found.inputs) if count else set()
    for step in steps:
        inputs = []
        for name in step.inputs:
            if name in named or name not in changing or name in found.values:
                inputs.append(named.get(name, name))
                continue
            shape = found.shapes.get(name)
            if shape is None or not shape or shape[0] is not None:
                inputs.append(name)
                continue
            if name not in alike:
                alike[name] = _tiled(tape, name, count)
                tape.shapes[alike[name]] = shape
                if name in found.kinds:
                    tape.kinds[alike[name]] = found.kinds[name]
            inputs.append(alike[name])
        outputs = []
        for name in step.outputs:
            made = tape.fresh(step.kind) if name else ""
            outputs.append(made)
            if name:
                named[name] = made
                if name in found.shapes:
                    tape.shapes[made] = found.shapes[name]
                if name in found.kinds:
                    tape.kinds[made] = found.kinds[name]
        copy = replace(step, inputs=tuple(inputs), outputs=tuple(outputs))
        tape.nodes.append(_node(found, step, copy))
        copies.append(copy)
    return copies


def _node(found: Forward, step: Step, copy: Step) -> onnx.NodeProto:
    for node in found.model.graph.node:
        if tuple(node.output) == step.outputs:
            made = onnx.NodeProto()
            made.CopyFrom(node)
            made.name = ""
            del made.input[:], made.output[:]
            made.input.extend(copy.inputs)
            made.output.extend(copy.outputs)
            return made
    return helper.make_node(copy.kind, copy.inputs, copy.outputs, **copy.attributes)


def _tiled(tape: Tape, name: str, count: str) -> str:
    """Rows once for every point, `[n · rows, …]`."""
    rank = len(tape.shapes[name])
    more = tape.op("Unsqueeze", name, tape.ints([0]))
    sizes = tape.op("Concat", count, tape.ints([1] * rank), axis=0) if rank else count
    return _as_rows(tape, tape.op("Expand", more, sizes), name)


def _behind(found: Forward, start: str) -> list[Step]:
    reach = found.behind([start])
    return [step for step in found.steps if any(name in reach for name in step.inputs)]


def averaged(
    tape: Tape, found: Forward, wrt: str, points: str, count: str, seeds: dict[str, str],
    weights: str = "",
) -> str:  # fmt: skip
    """The mean gradient over points, of the shape of `wrt`.

    Args:
        tape: Where it is written.
        found: The graph.
        wrt: The tensor that the points stand for.
        points: `[n · rows, …]`.
        count: n, as int64[1].
        seeds: Gradients of the graph's ends, of one row each.
        weights: Of the points, float[n]; all alike where empty.
    """
    tape.shapes[points], tape.kinds[points] = found.shapes[wrt], found.kinds[wrt]
    named = {wrt: points}
    copies = _again(tape, found, _behind(found, wrt), named, count)
    ends = {}
    for name, gradient in seeds.items():
        tape.shapes[gradient] = found.shapes[name]
        ends[named[name]] = _tiled(tape, gradient, count)
    grad = derive(tape, copies, [points], ends)[points]
    apart = tape.op("Reshape", grad, tape.op("Concat", count, tape.ints([-1]), axis=0))
    if weights:
        flat = tape.op("MatMul", tape.op("Unsqueeze", weights, tape.ints([0])), apart)
    else:
        share = tape.op("CastLike", count, grad)
        flat = tape.op("Div", tape.op("ReduceSum", apart, tape.ints([0]), keepdims=0), share)
    return _as_rows(tape, flat, wrt)


def straight(
    tape: Tape, found: Forward, wrt: str, base: str, prefix: list[Step], path: tuple[str, str],
    seeds: dict[str, str],
) -> tuple[str, str]:  # fmt: skip
    """The mean gradient on the way from a baseline, and how long the way is.

    Args:
        tape: Where it is written.
        found: The graph.
        wrt: The tensor asked about.
        base: Where the way begins, of the shape of `wrt` or of one row; zeros where empty.
        prefix: Linear operators that the way is walked behind.
        path: Places on the way from 0 to 1, and their weights, float[n] each.
        seeds: Gradients of the graph's ends.
    """
    nodes, weights = path
    last = prefix[-1].outputs[0] if prefix else wrt
    begin = base
    if prefix:
        named = {wrt: base}
        _again(tape, found, prefix, named, "")
        begin = named[last]
    rank = len(found.shapes[last])
    along = tape.op("Unsqueeze", nodes, tape.ints(range(1, rank + 1)))
    if base:
        way = tape.op("Sub", last, begin)
        steps = tape.op("Mul", along, tape.op("Unsqueeze", way, tape.ints([0])))
        points, count = repeated(tape, begin, steps)
    else:
        points = _as_rows(
            tape, tape.op("Mul", along, tape.op("Unsqueeze", last, tape.ints([0]))), last
        )
        count = _count(tape, nodes)
    mean = averaged(tape, found, last, points, count, seeds, weights)
    if prefix:
        mean = derive(tape, prefix, [wrt], {last: mean})[wrt]
    return mean, tape.op("Sub", wrt, base) if base else wrt
