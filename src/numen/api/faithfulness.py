"""How far a model's explanation can be trusted, measured on its samples when it is published."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from numen.core.manifest import Manifest
from numen.core.signature import Array, Arrays
from numen.explain import ATTRIBUTION, TOKENS, faithful
from numen.runtime.base import Runtime
from numen.runtime.onnx import OnnxRuntime

_ROWS: Final = 8  # that are looked at
_SEED: Final = 20_261_125


def deletion(
    manifest: Manifest, graph: Path, rows: faithful.Rows, outputs: Arrays
) -> dict[str, float]:
    """Deletion of what the explanation names, beside deletion in any order.

    Args:
        manifest: Of the model.
        graph: It.
        rows: What was explained.
        outputs: What the explanation gave.

    Returns:
        See `numen.explain.faithful.deletion`.
    """
    (source,), (output,) = manifest.signature.inputs, manifest.signature.outputs
    answers = outputs[output.name].reshape(len(outputs[output.name]), -1)
    asked = answers.argmax(1)
    model = OnnxRuntime()
    model.open(graph)
    try:

        def score(made: Array, row: int) -> Array:
            said = model.predict({source.name: made})[output.name]
            chosen: Array = said.reshape(len(made), -1)[:, asked[row]].astype(float)
            return chosen

        return faithful.deletion(score, rows)
    finally:
        model.close()


def rows_of(manifest: Manifest, given: Arrays, outputs: Arrays, baseline: Array) -> faithful.Rows:
    """The first of the rows that were explained."""
    (source,) = manifest.signature.inputs
    tokens = outputs[TOKENS][:_ROWS] if TOKENS in outputs else None
    values = np.asarray(outputs[f"{ATTRIBUTION}{source.name}"][:_ROWS], float)
    return faithful.Rows(given[source.name][:_ROWS], values, tokens, baseline)


def shuffled(model: Any) -> Any:
    """The ONNX graph with each layer's weights in an order of chance: it has learnt nothing."""
    import onnx
    from onnx import numpy_helper

    source = np.random.default_rng(_SEED)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim > 1 and values.dtype.kind == "f":
            mixed = source.permutation(values.reshape(-1)).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    return made


def stability(runtime: Runtime, manifest: Manifest, given: Arrays, rows: faithful.Rows) -> float:
    """How alike the explanation stays when its input is moved a little, to 1."""
    (source,) = manifest.signature.inputs
    return faithful.stability(partial(_values, runtime, source.name, given), rows)


def _values(runtime: Runtime, name: str, given: Arrays, moved: Array) -> Array:
    others = {each: array[: len(moved)] for each, array in given.items()}
    return runtime.predict({**others, name: moved})[f"{ATTRIBUTION}{name}"]
