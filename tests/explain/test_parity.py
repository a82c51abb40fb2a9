"""The slopes that a graph says are those of the framework, for the networks that numen builds."""

from __future__ import annotations

import kinds
import numpy as np
import onnxruntime
import pytest
from gradients import CASES, gaps

from numen.core.signature import Signature, TensorSpec
from numen.explain.graph import write
from numen.explain.graph.write import NODES, NOISE, WEIGHTS
from numen.train.keras.backend import load_keras
from numen.train.keras.families import FAMILIES
from numen.train.keras.onnx import convert
from numen.train.recipe import make

WITHOUT_SLOPE = {"columns/mlp", "gaps/mlp"}  # some of their columns are categories


@pytest.fixture(scope="module", params=[case for case in CASES if case not in WITHOUT_SLOPE])
def built(request, tmp_path_factory):
    """A network with the weights of no training, and what it takes."""
    folder = tmp_path_factory.mktemp("parity")
    keras = load_keras()
    kind, name = request.param.split("/")
    data = {**kinds.KINDS, "gaps": gaps}[kind](folder)
    family = FAMILIES[name]
    said = {"family": name, "params": CASES[request.param]}
    if family.body:
        said["body"] = str(kinds.body(folder.parent / "body.onnx"))
    recipe = make(said)
    front = family.front(data, recipe) if family.front else None
    model = family.build(keras, data, recipe, *([front] if front else []))
    model.layers[-1].activation = keras.activations.linear  # slopes are of the score before it
    random = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 0.2, variable.shape).astype("float32"))
    x = data.train.arrays().inputs[data.spec.name][:6]
    x = x.astype("float32") if front is None else front.encode(x)
    spec = front.spec if front else data.spec
    return keras, model, np.asarray(x, spec.numpy), spec


def slopes(keras, model, x, output):
    """From JAX: of the input, or of each row of a table that the input's numbers are looked up in."""
    import jax

    embedding = next((layer for layer in model.layers if "Embedding" in type(layer).__name__), None)
    rest = [v.value for v in model.non_trainable_variables]
    weights = [v.value for v in model.trainable_variables]

    def score(variables, given):
        return model.stateless_call(variables, rest, given, training=False)[0][:, output].sum()

    if embedding is None:
        return np.asarray(jax.grad(score, 1)(weights, x))
    (place,) = (n for n, v in enumerate(model.trainable_variables) if v is embedding.embeddings)
    return np.asarray(jax.grad(score)(weights, x)[place])


def test_saliency_is_the_frameworks_gradient(built) -> None:
    keras, model, x, spec = built
    outputs = model.output_shape[-1]
    signature = Signature((spec,), (TensorSpec("y", "float32", (None, outputs)),))
    made = write(convert(keras, model, signature))
    session = onnxruntime.InferenceSession(made.model.SerializeToString())
    embedded = spec.dtype.startswith("int")
    if embedded:  # one row whose numbers are all different, so that each has a row of the table
        x = np.arange(1, 1 + x.shape[1], dtype=x.dtype)[None]
    given = {spec.name: x, "target": np.full(len(x), outputs - 1)}
    for each in session.get_inputs():
        size = [n if isinstance(n, int) else 1 for n in each.shape]
        if each.name in (NODES, WEIGHTS):
            given[each.name] = np.ones(1, np.float32)
        elif each.name not in given:
            given[each.name] = np.zeros(size, np.float32)
            assert each.name.startswith((NOISE, "baseline:"))
    (found,) = session.run([f"saliency:{spec.name}"], given)
    expected = slopes(keras, model, x, outputs - 1)
    if embedded:
        expected = np.linalg.norm(expected[x[0]], axis=1)[None]
    size = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found / size, np.abs(expected) / size, atol=1e-5)
