"""Lesser graphs made of a graph: 8-bit weights, fewer trees, other ends on a student's.

Each takes an ONNX file and writes another; whether what comes out is worth serving is measured by
`numen.api.compress`, never assumed here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from numen.core.errors import InvalidInput
from numen.core.manifest import ImageInput
from numen.core.signature import Arrays, TensorSpec
from numen.train.shapes import inferred

# Convolutions are not among them: one that reckons its scales for each call is slower than float.
_DYNAMIC: Final = ("MatMul", "Gemm", "LSTM", "Attention")
_STATIC: Final = (
    "Conv", "MatMul", "Gemm", "Relu", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Clip",
)  # fmt: skip
_TREES: Final = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")
_LEAST: Final = 1e-7  # probabilities below count as this where logarithms are taken


def quantize_dynamic(graph: Path, target: Path) -> None:
    """Weights in 8 bits, activations scaled anew in each call; convolutions stay as they are.

    Raises:
        InvalidInput: The graph has no layer that this is for.
    """
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization import quantize_dynamic as quantize

    _need(graph, _DYNAMIC, "dynamic int8")
    with _plain(graph) as plain:
        quantize(plain, target, list(_DYNAMIC), weight_type=QuantType.QInt8, reduce_range=True)


def quantize_static(graph: Path, target: Path, rows: Iterable[Arrays]) -> None:
    """Weights and activations in 8 bits, their ranges learnt from rows.

    Weights keep to 7 bits: without VNNI, sums of products of 8 bits overflow on x86, and a bundle
    does not know where it will run.

    Args:
        graph: The exact model.
        target: The file to write.
        rows: Batches of the model's inputs; of training rows.

    Raises:
        InvalidInput: The graph has no layer that this is for.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as quantize

    _need(graph, ("Conv", "MatMul", "Gemm"), "static int8")

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        left: Iterator[Arrays] = iter(rows)

        def get_next(self) -> Any:
            batch = next(self.left, None)
            return None if batch is None else dict(batch)

    with _plain(graph) as plain:
        quantize(
            plain,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_STATIC),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


@contextmanager
def _plain(graph: Path) -> Iterator[Path]:
    """The graph with its constants folded and its shapes known, which quantizing builds on."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        onnx.save_model(inferred(onnx.load(graph)), plain)
        try:
            quant_pre_process(plain, plain, skip_symbolic_shape=True)
            yield plain
        except Exception as error:  # whatever the library cannot do
            raise InvalidInput(
                f"compress: the graph cannot be brought to 8 bits: {error}",
                hint="--distill is for anything",
                field="int8",
            ) from error


def has(graph: Path, *kinds: str) -> bool:
    """Whether the graph has an operator of one of these kinds."""
    return any(node.op_type in kinds for node in onnx.load(graph).graph.node)


def _need(graph: Path, kinds: tuple[str, ...], what: str) -> None:
    if not has(graph, *kinds):
        raise InvalidInput(
            f"compress: expected a graph with one of {', '.join(kinds)} for {what}, found none",
            hint="--prune is for trees, --distill for anything",
            field="int8",
        )


def rounds(graph: Path) -> int:
    """How many trees the graph has, or rounds of them where each is of one class; 0 has none."""
    node = _ensemble(onnx.load(graph))
    if node is None:
        return 0
    ids = _attributes(node)["nodes_treeids"].ints
    return len(set(ids)) // _each(node)


def keep_rounds(graph: Path, target: Path, count: int, mean: bool) -> None:
    """Writes the graph with its first `count` rounds of trees.

    Args:
        graph: A model of trees.
        target: The file to write.
        count: Rounds to keep.
        mean: The trees' mean is the answer, as a forest's is: the rest then count for more.
    """
    model = onnx.load(graph)
    node = _ensemble(model)
    assert node is not None
    known = _attributes(node)
    order = sorted(set(known["nodes_treeids"].ints))
    kept = set(order[: count * _each(node)])
    scale = len(order) / len(kept) if mean else 1.0
    leaves = "target" if "target_ids" in known else "class"
    for prefix in ("nodes", leaves):
        inside = [tree in kept for tree in known[f"{prefix}_treeids"].ints]
        for name, attribute in known.items():
            if not name.startswith(f"{prefix}_"):
                continue
            for field in (attribute.ints, attribute.floats, attribute.strings):
                if len(field) == len(inside):
                    field[:] = [value for value, stays in zip(field, inside, strict=True) if stays]
    weights = known[f"{leaves}_weights"].floats
    weights[:] = [weight * scale for weight in weights]
    onnx.save_model(model, target)


def _ensemble(model: onnx.ModelProto) -> Any:
    return next((node for node in model.graph.node if node.op_type in _TREES), None)


def _attributes(node: Any) -> dict[str, Any]:
    return {attribute.name: attribute for attribute in node.attribute}


def _each(node: Any) -> int:
    """Trees a round: as many as there are classes, where every tree speaks of one only."""
    known = _attributes(node)
    leaves = "target" if "target_ids" in known else "class"
    trees, said = known[f"{leaves}_treeids"].ints, known[f"{leaves}_ids"].ints
    spoken: dict[int, set[int]] = {}
    for tree, what in zip(trees, said, strict=True):
        spoken.setdefault(tree, set()).add(what)
    classes = set().union(*spoken.values())
    alone = all(len(whats) == 1 for whats in spoken.values())
    return len(classes) if alone and len(spoken) % max(len(classes), 1) == 0 else 1


def conform(
    graph: Path,
    target: Path,
    ends: tuple[TensorSpec, TensorSpec],
    activations: tuple[str, str],
    pictures: tuple[ImageInput, ImageInput] | None,
) -> None:
    """Gives a student's graph the teacher's ends, so that either may answer.

    Args:
        graph: The student's: one input, one output.
        target: The file to write.
        ends: The teacher's input and output.
        activations: What is still to be done to the student's output and to the teacher's.
        pictures: How the student's input and the teacher's come from pixels, where they do.

    Raises:
        InvalidInput: The one cannot be made of the other.
    """
    model = onnx.load(graph)
    prefixed = onnx.compose.add_prefix(model, "student/")
    given, made = prefixed.graph.input[0].name, prefixed.graph.output[0].name
    source, goal = ends
    before, x = _undo(source, pictures, prefixed.graph.initializer)
    before.append(helper.make_node("Identity", [x], [given]))
    after = _finish(made, goal.name, activations, prefixed.graph.initializer)
    nodes = [*before, *prefixed.graph.node, *after]
    del prefixed.graph.node[:]
    prefixed.graph.node.extend(nodes)
    for field, spec in ((prefixed.graph.input, source), (prefixed.graph.output, goal)):
        kind = helper.np_dtype_to_tensor_dtype(spec.numpy)
        shape = ["batch" if size is None else size for size in spec.shape]
        del field[:]
        field.append(helper.make_tensor_value_info(spec.name, kind, shape))
    onnx.checker.check_model(prefixed)
    onnx.save_model(prefixed, target)


def _undo(
    source: TensorSpec, pictures: tuple[ImageInput, ImageInput] | None, constants: Any
) -> tuple[list[Any], str]:
    """From the teacher's input back to the pixels that the student takes."""
    if pictures is None or pictures[0] == pictures[1]:
        return [], source.name
    mine, its = pictures
    nodes, x = [], source.name
    for name, op, value in (("offset", "Sub", its.offset), ("scale", "Div", its.scale)):
        constants.append(numpy_helper.from_array(np.array(value, np.float32), f"from/{name}"))
        nodes.append(helper.make_node(op, [x, f"from/{name}"], [f"from/{op}"]))
        x = f"from/{op}"
    if mine.layout != its.layout:
        if its.layout == "chw" and mine.channels == 3:
            nodes.append(helper.make_node("Transpose", [x], ["from/hwc"], perm=[0, 2, 3, 1]))
            return nodes, "from/hwc"
        if mine.layout != "hw" or its.channels != 1:
            raise InvalidInput(
                f"distill: expected pictures laid out as {mine.layout}, the model takes "
                f"{its.layout} of {its.channels} channels",
                field="distill",
            )
        shape = np.array([-1, mine.height, mine.width], np.int64)
        constants.append(numpy_helper.from_array(shape, "from/shape"))
        nodes.append(helper.make_node("Reshape", [x, "from/shape"], ["from/hw"]))
        x = "from/hw"
    return nodes, x


def _finish(made: str, goal: str, activations: tuple[str, str], constants: Any) -> list[Any]:
    """From the student's output to what the teacher gives."""
    steps = {
        ("none", "none"): ["Identity"],
        ("softmax", "softmax"): ["Identity"],
        ("sigmoid", "sigmoid"): ["Identity"],
        ("softmax", "none"): ["Softmax"],
        ("none", "softmax"): ["Max", "Log"],
    }.get(activations)
    if steps is None:
        raise InvalidInput(
            f"distill: expected an output of {activations[1]} scores, the student's are "
            f"{activations[0]}",
            field="distill",
        )
    nodes = []
    constants.append(numpy_helper.from_array(np.array(_LEAST, np.float32), "to/least"))
    for place, op in enumerate(steps):
        name = goal if place == len(steps) - 1 else f"to/{op}"
        more = ["to/least"] if op == "Max" else []
        nodes.append(helper.make_node(op, [made, *more], [name]))
        made = name
    return nodes
