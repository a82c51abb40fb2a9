"""The two networks that are served, with made-up weights, and rows to ask them about.

`mlp` is the tutorial's 784-128-10, which costs next to nothing a row, so that the server's own
work shows; `cnn` is two convolutions, a pool and two dense layers, where the model's work does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, TensorProto, helper, numpy_helper, save

SHAPES = {"mlp": (784,), "cnn": (1, 28, 28)}


def mlp() -> ModelProto:
    layers = [*dense("x", "h", 784, 128), *activated("h", "a"), *dense("a", "z", 128, 10)]
    return network("mlp", layers)


def cnn() -> ModelProto:
    layers = [
        *convolution("x", "c", 1, 32), *activated("c", "d"),
        *convolution("d", "e", 32, 64), *activated("e", "f"),
        helper.make_node("MaxPool", ["f"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p"], ["g"]),
        *dense("g", "h", 9216, 128), *activated("h", "a"), *dense("a", "z", 128, 10),
    ]  # fmt: skip
    return network("cnn", layers)


def dense(source: str, target: str, inputs: int, outputs: int) -> list[Any]:
    return weighted("Gemm", source, target, (inputs, outputs), outputs)


def convolution(source: str, target: str, inputs: int, outputs: int) -> list[Any]:
    return weighted("Conv", source, target, (outputs, inputs, 3, 3), outputs)


def activated(source: str, target: str) -> list[Any]:
    return [helper.make_node("Relu", [source], [target])]


def weighted(operator: str, source: str, target: str, shape: tuple[int, ...], outputs: int):
    """An operator and its weights, which keep the size of what passes through about the same."""
    random = np.random.default_rng(list(target.encode()))
    scale = np.sqrt(outputs / prod(shape))
    weights = {
        f"{target}.w": random.standard_normal(shape) * scale,
        f"{target}.b": random.standard_normal(outputs) * 0.1,
    }
    tensors = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in weights.items()]
    return [*tensors, helper.make_node(operator, [source, *weights], [target])]


def network(name: str, layers: list[Any]) -> ModelProto:
    tensors = [part for part in layers if isinstance(part, TensorProto)]
    nodes = [part for part in layers if not isinstance(part, TensorProto)]
    graph = helper.make_graph(
        [*nodes, helper.make_node("Softmax", ["z"], ["y"], axis=1)],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *SHAPES[name]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(folder: Path) -> dict[str, Path]:
    """Write both; their files by name."""
    paths = {}
    for build in (mlp, cnn):
        paths[build.__name__] = folder / f"{build.__name__}.onnx"
        save(build(), paths[build.__name__])
    return paths


def reference(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The model as onnxruntime runs it in this process, on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def digits(model: str, rows: int, random: np.random.Generator) -> np.ndarray:
    """Rows with about as much ink as MNIST's, float32[rows, ...] in 0-1."""
    pixels = random.integers(1, 256, (rows, 784)) * (random.random((rows, 784)) < 0.19)
    return (pixels / np.float32(255)).astype(np.float32).reshape(rows, *SHAPES[model])
