"""The trees runtime: a tree ensemble's answers, and exactly what each column added to them.

The file is an `.npz` of the ensemble's paths; the prediction graph lies beside it, under the same
name with `.onnx`. What is explained is the sum of the trees: the margin before a sigmoid or softmax
of boosted trees, the probability or the value of a forest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.explain import ATTRIBUTION, EXPECTED, target
from numen.explain.trees import Paths, Shapley
from numen.runtime.onnx import OnnxRuntime


class TreesRuntime:
    """Runs one ensemble."""

    def __init__(self) -> None:
        self._graph = OnnxRuntime()
        self._signature = Signature((), ())

    def open(self, path: Path, *, threads: int = 1) -> None:
        """Loads paths and graph; see `Runtime.open`."""
        paths = Paths.load(path)
        self._shapley = Shapley(paths)
        self._base = paths.base
        self._graph.open(path.with_suffix(".onnx"), threads=threads)
        (rows,), (output,) = self._graph.signature.inputs, self._graph.signature.outputs
        self._rows, self._output = rows, output
        self._labels = output.shape[1] or 1
        self._signature = Signature(
            (rows, target.SPEC) if self._labels > 1 else (rows,),
            (
                output,
                TensorSpec(f"{ATTRIBUTION}{rows.name}", "float32", rows.shape),
                TensorSpec(EXPECTED, "float32", (None,)),
            ),
        )

    @property
    def signature(self) -> Signature:
        """What the graph takes and `target`; what the graph gives and attributions."""
        return self._signature

    def predict(self, inputs: Arrays) -> dict[str, Array]:
        """Runs a batch; see `Runtime.predict`."""
        given = inputs[self._rows.name]
        outputs = self._graph.predict({self._rows.name: given})
        asked = target.places(inputs, outputs[self._output.name])
        added = self._shapley(given.reshape(len(given), -1))
        rows = np.arange(len(given))
        if self._labels == 2 and self._shapley.targets == 1:  # the second's, and against the first
            sign = np.where(asked == 1, 1.0, -1.0)
            chosen, base = added[..., 0] * sign[:, None], self._base[0] * sign
        else:
            chosen, base = added[rows, :, asked], self._base[asked]
        return {
            **outputs,
            f"{ATTRIBUTION}{self._rows.name}": chosen.reshape(given.shape).astype(np.float32),
            EXPECTED: base.astype(np.float32),
        }

    def close(self) -> None:
        """Drops the session."""
        self._graph.close()
