"""Recurrent layers and attention against Keras itself, over shapes and options."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras_parity import parity

from numen.core.errors import ExportFailed
from numen.core.signature import Signature, TensorSpec
from numen.train.keras.backend import load_keras
from numen.train.keras.onnx import convert

keras = load_keras()
L = keras.layers
K = keras.ops
SOME = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
KINDS = {"gru": L.GRU, "lstm": L.LSTM, "simple": L.SimpleRNN}
INNER = ["tanh", "relu", "linear", "softsign", "elu", "softplus"]
GATES = ["sigmoid", "hard_sigmoid", "tanh"]


def rows(steps, size):
    return np.random.default_rng(steps).normal(0, 1, (3, steps, size)).astype("float32")


@st.composite
def recurrent(draw):
    kind = draw(st.sampled_from(sorted(KINDS)))
    options = {
        "units": draw(st.integers(1, 5)),
        "return_sequences": draw(st.booleans()),
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from(INNER)),
    }
    if kind != "simple":
        options["recurrent_activation"] = draw(st.sampled_from(GATES))
    if kind == "gru":
        options["reset_after"] = draw(st.booleans())
    return KINDS[kind], options


@SOME
@given(recurrent(), st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_recurrent(chosen, steps, size, backwards):
    kind, options = chosen
    x = keras.Input((steps, size))
    model = keras.Model(x, kind(go_backwards=backwards, **options)(x))
    assert parity(model, rows(steps, size))[0] < 2e-5


@SOME
@given(recurrent(), st.sampled_from(["concat", "sum", "mul", "ave"]), st.integers(1, 6))
def test_both_directions(chosen, merge, steps):
    kind, options = chosen
    x = keras.Input((steps, 3))
    model = keras.Model(x, L.Bidirectional(kind(**options), merge_mode=merge)(x))
    assert parity(model, rows(steps, 3))[0] < 2e-5


def test_recurrent_layers_one_behind_the_other():
    x = keras.Input((5,), dtype="int32")
    y = L.Embedding(9, 4)(x)
    y = L.Bidirectional(L.LSTM(3, return_sequences=True))(y)
    y = L.GRU(2)(L.Conv1D(3, 2)(y))
    ids = np.random.default_rng(0).integers(0, 9, (3, 5)).astype("int32")
    assert parity(keras.Model(x, y), ids, "int32")[0] < 1e-5


@SOME
@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.integers(2, 6),
    st.sampled_from([0.0, 0.3]),
)
def test_attention(heads, size, bias, causal, steps, dropout):
    x = keras.Input((steps, 5))
    # Keras on JAX takes values of another size only where it writes the attention out itself.
    other = 3 if dropout else size
    layer = L.MultiHeadAttention(heads, size, value_dim=other, use_bias=bias, dropout=dropout)
    model = keras.Model(x, layer(x, x, use_causal_mask=causal))
    assert parity(model, rows(steps, 5))[0] < 2e-5


def test_attention_to_other_rows_behind_a_mask():
    x = keras.Input((6, 4))
    other, seen = x[:, 1:], K.expand_dims(K.not_equal(K.maximum(x[:, 1:, 0], -9.0), -9.0), 1)
    layer = L.MultiHeadAttention(2, 3, output_shape=7)
    model = keras.Model(x, layer(x, other, key=other * 2.0, attention_mask=seen))
    given_rows = rows(6, 4)
    given_rows[0, 3:, 0] = given_rows[1, 5, 0] = -9.0
    worst, _ = parity(model, given_rows)
    assert worst < 2e-5
    plain = keras.Model(x, layer(x, other, key=other * 2.0))
    assert not np.allclose(model(given_rows), plain(given_rows))  # the mask tells


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: L.LSTM(3, stateful=True, name="memory"), "memory.*stateful"),
        (lambda: L.GRU(3, activation=lambda x: x / 2, name="memory"), "memory.*activation"),
        (lambda: L.Bidirectional(L.LSTM(3), merge_mode=None, name="memory"), "merge_mode"),
    ],
)
def test_what_has_no_rule_is_named(layer, named):
    x = keras.Input((4, 2), batch_size=3)
    made = layer()(x)
    model = keras.Model(x, made[0] if isinstance(made, (list, tuple)) else made)
    ends = TensorSpec("x", "float32", (None, 4, 2)), TensorSpec("y", "float32", (None, 3))
    with pytest.raises(ExportFailed, match=named):
        convert(keras, model, Signature(ends[:1], ends[1:]))
