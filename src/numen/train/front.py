"""What is done to an input before a network sees it: in Python to train, in the graph to serve.

A sound becomes a spectrogram and a text the numbers of its words once for all epochs, not once an
epoch; the exported graph does the same from the raw input on. Only training rows are varied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import compose

from numen.core.errors import ExportFailed
from numen.core.signature import Array, TensorSpec

Seed = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Front:
    """The part of a model that is not learnt by its trainer.

    Attributes:
        spec: What it gives, such as `float32[?, 98, 40]`: the network's input.
        encode: Does it: `[rows, …]` as the data has it to `[rows, …]` as `spec` says.
        graph: The same as ONNX: one input as the data's, one output named as `spec`.
        vary: What training rows are turned into after that, anew each epoch: `[rows, …]` as
            `spec` says and what decides, to as many rows alike. None leaves them.
    """

    spec: TensorSpec
    encode: Callable[[Array], Array]
    graph: onnx.ModelProto
    vary: Callable[[Array, np.random.Generator], Array] | None = None

    def varied(self, encoded: Array, seed: Seed) -> Array:
        """Training rows as an epoch sees them: the same for the same seed."""
        return self.vary(encoded, np.random.default_rng(seed)) if self.vary else encoded

    def before(self, network: onnx.ModelProto) -> onnx.ModelProto:
        """The whole model: this, then a network whose input is named as `spec`.

        Raises:
            ExportFailed: They do not fit together.
        """
        try:
            front = compose.add_prefix(
                self.graph, "front/", rename_inputs=False, rename_outputs=False
            )
            made = compose.merge_models(front, network, io_map=[(self.spec.name, self.spec.name)])
            onnx.checker.check_model(made)
        except Exception as error:  # whatever the library finds wrong
            raise ExportFailed(f"export: {error}") from error
        return made
