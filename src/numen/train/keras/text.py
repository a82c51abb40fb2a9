"""Networks that read texts: words become numbers before them, in Python and in the graph alike.

Texts are filled up behind to one length, and what is filled up counts for nothing or may be
learnt to: no layer needs a mask that ONNX has not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import onnx

from numen.core.errors import InvalidInput
from numen.core.manifest import TextInput
from numen.core.signature import Array, TensorSpec
from numen.data.dataset import Dataset
from numen.train.front import Front
from numen.train.keras.ends import head
from numen.train.recipe import Recipe, params_of
from numen.train.words import Nodes, Vocabulary, cut

Count = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
TOKENS: Final = "tokens"
_COVERED: Final = 0.99  # of the training texts are read to their end, length permitting


class TextParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every network of texts has.

    Attributes:
        vocabulary: Words that are known, the most frequent; one seen only once is not.
        length: Words of a text that are read at most.
        embedding: Numbers that stand for a word.
        units: Numbers of the layers after it.
        dropout: Part of the numbers that training leaves out at each step.
    """

    vocabulary: Annotated[int, msgspec.Meta(ge=1, le=500_000)] = 20_000
    length: Annotated[int, msgspec.Meta(ge=1, le=4_096)] = 256
    embedding: Count = 64
    units: Count = 64
    dropout: Share = 0.5


class TransformerParams(TextParams, frozen=True, forbid_unknown_fields=True):
    """A small encoder: `blocks` of attention with so many `heads`."""

    blocks: Annotated[int, msgspec.Meta(ge=1, le=24)] = 1
    heads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 4
    dropout: Share = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFront(Front):
    """Words as numbers.

    Attributes:
        size: One more than the largest number.
    """

    size: int


def front(data: Dataset, recipe: Recipe) -> TextFront:
    """The words of a text by number, `int32[?, length]`, by what the training texts have.

    Raises:
        InvalidInput: The data are no texts.
    """
    if not isinstance(data.preprocess, TextInput):
        raise InvalidInput(
            f'family "{recipe.family}": expected texts, received {data.spec}',
            hint="use mlp, cnn, forest or boosting",
            field="family",
        )
    params = params_of(recipe, _PARAMS[recipe.family])
    (texts,) = data.train.arrays().inputs.values()
    plain = texts[:, 0].tolist()
    lengths = np.array([len(cut(text, "words")) for text in plain])
    length = min(params.length, max(1, int(np.quantile(lengths, _COVERED))))
    known = Vocabulary.learn(plain, "words", params.vocabulary, length, least=2)
    spec = TensorSpec(TOKENS, "int32", (None, length))
    nodes = Nodes()
    numbers = known.graph(nodes, data.spec.name)
    missing = nodes.constant(np.zeros(length))
    rows = nodes.add("Slice", nodes.add("Shape", numbers), *nodes.constants([0], [1]))
    shape = nodes.add("Concat", rows, nodes.constant([length]), axis=0)
    behind = nodes.add("Expand", missing, shape)
    whole = nodes.add("Concat", numbers, behind, axis=1)
    whole = nodes.add("Slice", whole, *nodes.until(length))
    nodes.nodes.append(
        onnx.helper.make_node("Cast", [whole], [spec.name], to=onnx.TensorProto.INT32)
    )
    return TextFront(spec, known.rows, nodes.model(data.spec, spec), size=known.size)


def build_cnn(keras: Any, data: Dataset, recipe: Recipe, before: TextFront) -> Any:
    """Convolutions over 3, 4 and 5 words, the strongest of each (Kim 2014)."""
    params = params_of(recipe, TextParams)
    layers = keras.layers
    given, x = _embedded(keras, params, before)
    found = []
    for size in (3, 4, 5):
        each = layers.Conv1D(params.units, size, padding="same", activation="relu")(x)
        found.append(layers.GlobalMaxPooling1D()(each))
    x = layers.Dropout(params.dropout)(layers.Concatenate()(found))
    return keras.Model(given, head(keras, data, x), name="text-cnn")


def build_gru(keras: Any, data: Dataset, recipe: Recipe, before: TextFront) -> Any:
    """Gated recurrent units (Cho et al. 2014) in both directions, the strongest of all steps."""
    params = params_of(recipe, TextParams)
    layers = keras.layers
    given, x = _embedded(keras, params, before)
    # Two layers side by side, not Keras's Bidirectional: that imports TensorFlow where it can.
    found = []
    for backwards in (False, True):
        steps = layers.GRU(params.units, return_sequences=True, go_backwards=backwards)(x)
        found.append(layers.GlobalMaxPooling1D()(steps))
    x = layers.Dropout(params.dropout)(layers.Concatenate()(found))
    return keras.Model(given, head(keras, data, x), name="gru")


def build_transformer(keras: Any, data: Dataset, recipe: Recipe, before: TextFront) -> Any:
    """An encoder (Vaswani et al. 2017), the mean of its steps.

    Raises:
        InvalidInput: The embedding has no whole number of numbers a head.
    """
    params = params_of(recipe, TransformerParams)
    if params.embedding % params.heads:
        raise InvalidInput(
            f"params.embedding: expected a multiple of heads ({params.heads}), "
            f"received {params.embedding}",
            field="embedding",
        )
    layers, ops = keras.layers, keras.ops
    length = before.spec.shape[1] or 1
    given, x = _embedded(keras, params, before)
    x = x + _places(length, params.embedding)
    read = ops.cast(ops.not_equal(given, 0), "float32")
    for _ in range(params.blocks):
        attention = layers.MultiHeadAttention(
            params.heads, params.embedding // params.heads, dropout=params.dropout
        )
        seen = attention(x, x, attention_mask=ops.not_equal(ops.expand_dims(read, 1), 0))
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(params.dropout)(seen))
        wide = layers.Dense(2 * params.units, activation="relu")(x)
        wide = layers.Dropout(params.dropout)(layers.Dense(params.embedding)(wide))
        x = layers.LayerNormalization(epsilon=1e-6)(x + wide)
    read = ops.expand_dims(read, 2)
    count = ops.maximum(ops.sum(read, axis=1), 1.0)
    x = layers.Dropout(params.dropout)(ops.sum(x * read, axis=1) / count)
    return keras.Model(given, head(keras, data, x), name="transformer")


_PARAMS: Final[dict[str, type[TextParams]]] = {
    "text-cnn": TextParams,
    "gru": TextParams,
    "transformer": TransformerParams,
}


def _embedded(keras: Any, params: TextParams, before: TextFront) -> tuple[Any, Any]:
    """The input, and each word as numbers."""
    given = keras.Input(before.spec.row, name=before.spec.name, dtype="int32")
    x = keras.layers.Embedding(before.size, params.embedding)(given)
    return given, keras.layers.Dropout(params.dropout / 2)(x)


def _places(length: int, size: int) -> Array:
    """Where a step stands, as waves of many lengths: float32[1, length, size]."""
    rates = np.exp(-np.log(10_000.0) * (np.arange(size) // 2 * 2) / size)
    angles = np.arange(length)[:, None] * rates
    waves = np.where(np.arange(size) % 2 == 0, np.sin(angles), np.cos(angles))
    placed: Array = 0.1 * waves[None]
    return placed.astype("float32")
