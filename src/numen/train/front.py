"""What is done to an input before a network sees it: in Python to train, in the graph to serve.

A sound becomes a spectrogram and a text the numbers of its words once for all epochs, not once an
epoch; the exported graph does the same from the raw input on. Only training rows are varied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from onnx import compose

from numen.core.errors import ExportFailed
from numen.core.signature import Array, TensorSpec

Seed = int | tuple[int, ...]


# From 15 to 17 operators came to be, and none that was there changed what it means.
ALIKE: Final = range(15, 18)


@dataclass(frozen=True, slots=True)
class Front:
    """The part of a model that is not learnt by its trainer.

    Attributes:
        spec: What it gives, such as `float32[?, 98, 40]`: the network's input.
        encode: Does it: `[rows, …]` as the data has it to `[rows, …]` as `spec` says.
        graph: The same as ONNX: one input as the data's, one output named as `spec`.
        vary: What training rows are turned into after that, anew each epoch: `[rows, …]` as
            `spec` says and what decides, to as many rows alike. None leaves them.
        licence: Of weights in it that others trained.
    """

    spec: TensorSpec
    encode: Callable[[Array], Array]
    graph: onnx.ModelProto
    vary: Callable[[Array, np.random.Generator], Array] | None = None
    licence: str = ""

    def varied(self, encoded: Array, seed: Seed) -> Array:
        """Training rows as an epoch sees them: the same for the same seed."""
        return self.vary(encoded, np.random.default_rng(seed)) if self.vary else encoded

    def before(self, network: onnx.ModelProto) -> onnx.ModelProto:
        """The whole model: this, then a network whose input is named as `spec`.

        Raises:
            ExportFailed: They do not fit together.
        """
        try:
            made = joined(self.graph, network, self.spec.name)
            onnx.checker.check_model(made)
        except Exception as error:  # whatever the library finds wrong
            raise ExportFailed(f"export: {error}") from error
        return made


def joined(
    first: onnx.ModelProto, second: onnx.ModelProto, between: str, place: str = "front/"
) -> onnx.ModelProto:
    """Two networks as one: the only output of the first is the only input of the second.

    Args:
        first: Its input keeps its name; all other names of it are put under `place`.
        second: Its output keeps its name, and all other names too.
        between: The second's input.
        place: Such as `front/`.

    Raises:
        ValueError: They do not fit together.
    """
    (given,) = (value.name for value in _given(first))
    (made,) = (value.name for value in first.graph.output)
    first = compose.add_prefix(first, place)
    level(first, second)
    _rename(first.graph, {place + given: given})
    whole = compose.merge_models(first, second, io_map=[(place + made, between)])
    # Both speak of the same domains, and some tools want each said once.
    said = {each.domain: each.version for each in whole.opset_import}
    del whole.opset_import[:]
    whole.opset_import.extend(onnx.helper.make_opsetid(*each) for each in said.items())
    return whole


def level(*models: onnx.ModelProto) -> None:
    """Lets graphs of opsets that mean the same speak of the newest of these."""
    said = [o for model in models for o in model.opset_import if o.domain in ("", "ai.onnx")]
    newest = max((each.version for each in said), default=0)
    for each in said:
        if each.version in ALIKE and newest in ALIKE:
            each.version = newest


def _given(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename(attribute.g, names)
