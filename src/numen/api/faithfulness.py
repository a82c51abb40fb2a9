"""How far a model's explanation can be trusted, measured on recorded samples when it is published."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper

from numen.core.manifest import Classification, Manifest
from numen.core.signature import Array, Arrays
from numen.explain import ATTRIBUTION, TOKENS, faithful
from numen.runtime.base import Runtime
from numen.runtime.onnx import OnnxRuntime

_ROWS: Final = 8  # that are looked at
_SEED: Final = 20_261_125


def faithfulness(
    manifest: Manifest, graph: Path, given: Arrays, outputs: Arrays, baseline: Array
) -> dict[str, float]:
    """Deletion of what the explanation names, beside deletion in any order.

    Args:
        manifest: Of the model.
        graph: It.
        given: What was explained.
        outputs: What the explanation gave.
        baseline: What takes the place of a number that is taken away, `[1, …]`.

    Returns:
        See `numen.explain.faithful.deletion`.
    """
    (source,), (output,) = manifest.signature.inputs, manifest.signature.outputs
    answers = outputs[output.name].reshape(len(outputs[output.name]), -1)
    one = answers.shape[1] == 1
    asked = np.zeros(len(answers), int) if one else answers.argmax(1)
    model = OnnxRuntime()
    model.open(graph)
    # One probability speaks of the second of two labels; the first is what it is not.
    about = isinstance(manifest.postprocess, Classification) and one
    try:

        def score(rows: Array, row: int) -> Array:
            made = model.predict({source.name: rows})[output.name]
            chosen: Array = made.reshape(len(rows), -1)[:, asked[row]].astype(float)
            return 1 - chosen if about and answers[row, 0] < 0.5 else chosen

        return faithful.deletion(score, rows_of(manifest, given, outputs, baseline))
    finally:
        model.close()


def rows_of(manifest: Manifest, given: Arrays, outputs: Arrays, baseline: Array) -> faithful.Rows:
    """The first of the rows that were explained."""
    (source,) = manifest.signature.inputs
    tokens = outputs[TOKENS][:_ROWS] if TOKENS in outputs else None
    values = np.asarray(outputs[f"{ATTRIBUTION}{source.name}"][:_ROWS], float)
    return faithful.Rows(given[source.name][:_ROWS], values, tokens, baseline)


def shuffled(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with each layer's weights in an order of chance: it has learnt nothing."""
    source = np.random.default_rng(_SEED)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim > 1 and values.dtype.kind == "f":
            mixed = source.permutation(values.reshape(-1)).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))
    return made


def moved(runtime: Runtime, manifest: Manifest, given: Arrays, rows: faithful.Rows) -> float:
    """How alike the explanation stays when its input is moved a little, to 1."""
    (source,) = manifest.signature.inputs
    return faithful.stability(partial(_values, runtime, source.name, given), rows)


def _values(runtime: Runtime, name: str, given: Arrays, moved: Array) -> Array:
    others = {each: array[: len(moved)] for each, array in given.items()}
    return runtime.predict({**others, name: moved})[f"{ATTRIBUTION}{name}"]
