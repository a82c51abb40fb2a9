"""A Keras model against what numen's rules make of it."""

from __future__ import annotations

import numpy as np
import onnxruntime

from numen.core.signature import Signature, TensorSpec
from numen.train.keras.backend import load_keras
from numen.train.keras.onnx import convert

keras = load_keras()


def parity(model, x, dtype="float32"):
    """Largest difference between Keras and the exported graph, at two batch sizes."""
    random = np.random.default_rng(3)
    for variable in model.weights:  # moving variances must stay positive
        low = -0.9 if variable.trainable else 0.1
        variable.assign(random.uniform(low, 0.9, variable.shape).astype("float32"))
    out = np.asarray(model(x, training=False))
    signature = Signature(
        (TensorSpec("x", dtype, (None, *x.shape[1:])),),
        (TensorSpec("y", "float32", (None, *out.shape[1:])),),
    )
    made = convert(keras, model, signature)
    assert made.ir_version <= 10
    assert {o.domain: o.version for o in made.opset_import} == {"": 15}
    session = onnxruntime.InferenceSession(made.SerializeToString())
    worst = 0.0
    for rows in (len(x), 1):
        (received,) = session.run(None, {"x": x[:rows]})
        expected = out[:rows]
        assert received.shape == expected.shape
        difference = np.abs(received - expected) / np.maximum(1, np.abs(expected))
        worst = max(worst, float(difference.max()))
    return worst, made
