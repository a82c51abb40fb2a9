"""Small models, each of which shows one thing the doors must carry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from numen.core.bundle import GOLDEN, Bundle, Golden, pack_golden
from numen.core.conformal import Conformal
from numen.core.manifest import (
    Classification,
    Column,
    ColumnsInput,
    Manifest,
    Regression,
    TextInput,
    Variant,
)
from numen.core.signature import DATATYPES, Signature, TensorSpec
from numen.runtime.onnx import OnnxRuntime

_ONNX: Final = {
    "bool": TensorProto.BOOL, "string": TensorProto.STRING,
    "float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE,
    **{f"int{n}": getattr(TensorProto, f"INT{n}") for n in (8, 16, 32, 64)},
    **{f"uint{n}": getattr(TensorProto, f"UINT{n}") for n in (8, 16, 32, 64)},
}  # fmt: skip


def _bundle(
    folder: Path, name: str, signature: Signature, nodes: list[Any], weights: list[Any],
    golden: dict[str, np.ndarray], **manifest: Any,
) -> Bundle:  # fmt: skip
    def info(spec: TensorSpec) -> Any:
        sizes = [size or f"d{place}" for place, size in enumerate(spec.shape)]
        return helper.make_tensor_value_info(spec.name, _ONNX[spec.dtype], sizes)

    graph = helper.make_graph(
        nodes, name, [info(s) for s in signature.inputs], [info(s) for s in signature.outputs],
        weights,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.onnx"
    onnx.save(model, file)
    runtime = OnnxRuntime()
    runtime.open(file)
    recorded = pack_golden(Golden(golden, runtime.predict(golden)))
    runtime.close()
    how = Manifest(signature, (Variant("fp32", "onnx", "predict.onnx"),), **manifest)
    return Bundle.write(folder / name, how, {"predict.onnx": file, GOLDEN: recorded})


def echo(folder: Path) -> Bundle:
    """Every number type and BOOL, `[?, 2, ?]`, given back: `x_fp32` comes out as `y_fp32`."""
    types = {v2.lower(): dtype for v2, dtype in DATATYPES.items() if dtype != "string"}
    signature = Signature(
        tuple(TensorSpec(f"x_{v2}", dtype, (None, 2, None)) for v2, dtype in types.items()),
        tuple(TensorSpec(f"y_{v2}", dtype, (None, 2, None)) for v2, dtype in types.items()),
    )
    nodes = [helper.make_node("Identity", [f"x_{v2}"], [f"y_{v2}"]) for v2 in types]
    golden = {f"x_{v2}": np.ones((2, 2, 3), dtype) for v2, dtype in types.items()}
    return _bundle(folder, "echo", signature, nodes, [], golden)


def pair(folder: Path) -> Bundle:
    """`a` and `b` int64[?, 2] to `sum` and `difference`."""
    signature = Signature(
        (TensorSpec("a", "int64", (None, 2)), TensorSpec("b", "int64", (None, 2))),
        (TensorSpec("sum", "int64", (None, 2)), TensorSpec("difference", "int64", (None, 2))),
    )
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
    ]
    golden = {"a": np.array([[1, 2]]), "b": np.array([[3, 5]])}
    return _bundle(folder, "pair", signature, nodes, [], golden)


def words(folder: Path) -> Bundle:
    """Texts `text`[?, 2] to a `length` float32[?, 2] each: of "a", "grün" and "日本"."""
    signature = Signature(
        (TensorSpec("text", "string", (None, 2)),), (TensorSpec("length", "float32", (None, 2)),)
    )
    known = {"a": 1.0, "grün": 4.0, "日本": 2.0}
    nodes = [
        helper.make_node(
            "LabelEncoder", ["text"], ["length"], domain="ai.onnx.ml",
            keys_strings=list(known), values_floats=list(known.values()), default_float=-1.0,
        )
    ]  # fmt: skip
    golden = {"text": np.array([["a", "grün"], ["日本", "b"]], object)}
    return _bundle(folder, "words", signature, nodes, [], golden)


def table(folder: Path) -> Bundle:
    """Named fields `age` and `city` to a price."""
    signature = Signature(
        (TensorSpec("row", "float32", (None, 2)),), (TensorSpec("price", "float32", (None, 1)),)
    )
    nodes = [helper.make_node("MatMul", ["row", "w"], ["price"])]
    weights = [numpy_helper.from_array(np.array([[2.0], [10.0]], np.float32), "w")]
    return _bundle(
        folder, "table", signature, nodes, weights, {"row": np.ones((2, 2), np.float32)},
        preprocess=ColumnsInput("row", (Column("age"), Column("city", ("Bonn", "Köln")))),
        postprocess=Regression("price", "price"),
    )  # fmt: skip


def mood(folder: Path) -> Bundle:
    """A text a row to the probability of `good` and `bad`: of "grün" and "日本" as of nothing.

    It has sets of labels.
    """
    signature = Signature(
        (TensorSpec("text", "string", (None, 1)),), (TensorSpec("odds", "float32", (None, 2)),)
    )
    known = {"fine": 0.75, "poor": 0.25, "grün": 1.0}
    nodes = [
        helper.make_node(
            "LabelEncoder", ["text"], ["good"], domain="ai.onnx.ml",
            keys_strings=list(known), values_floats=list(known.values()), default_float=0.5,
        ),
        helper.make_node("Sub", ["one", "good"], ["bad"]),
        helper.make_node("Concat", ["good", "bad"], ["odds"], axis=1),
    ]  # fmt: skip
    weights = [numpy_helper.from_array(np.ones((1, 1), np.float32), "one")]
    return _bundle(
        folder, "mood", signature, nodes, weights, {"text": np.array([["fine"], ["x"]], object)},
        preprocess=TextInput("text"),
        postprocess=Classification(
            "odds", ("good", "bad"), conformal=Conformal(level=0.9, threshold=0.4, rows=100)
        ),
    )  # fmt: skip


def log(folder: Path) -> Bundle:
    """The logarithm of `x` float32[?, 2]: of -1 it is not a number, of 0 not finite."""
    signature = Signature(
        (TensorSpec("x", "float32", (None, 2)),), (TensorSpec("y", "float32", (None, 2)),)
    )
    nodes = [helper.make_node("Log", ["x"], ["y"])]
    return _bundle(folder, "log", signature, nodes, [], {"x": np.ones((1, 2), np.float32)})


ALL: Final[dict[str, Callable[[Path], Bundle]]] = {
    "echo": echo, "pair": pair, "words": words, "table": table, "log": log,
    "mood": mood,
}  # fmt: skip
