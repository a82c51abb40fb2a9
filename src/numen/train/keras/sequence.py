"""A network for windows of rows: time series and logs of events.

Convolutions along time that look back only, each twice as far as the one before, until the last
step has seen them all. Refuses rows without an order.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from numen.core.errors import InvalidInput
from numen.core.manifest import WindowInput
from numen.data.dataset import Dataset
from numen.train.keras.ends import front, head
from numen.train.recipe import Recipe, params_of

_SIZE = 3  # steps a convolution looks at


class SequenceParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Causal convolutions of `filters`, and a layer of `units` on what they end with."""

    filters: Annotated[int, msgspec.Meta(ge=1)] = 32
    units: Annotated[int, msgspec.Meta(ge=1)] = 64
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1


def build_sequence(keras: Any, data: Dataset, recipe: Recipe) -> Any:
    """Dilated causal convolutions with residuals, after Bai, Kolter and Koltun 2018 (a TCN).

    What the last step ends with stands beside the mean over all steps.

    Raises:
        InvalidInput: The data are not windows.
    """
    params = params_of(recipe, SequenceParams)
    if not isinstance(data.preprocess, WindowInput):
        raise InvalidInput(
            f'family "sequence": expected windows of rows, received {data.spec}',
            hint="say read.window, and read.order and read.group where they are",
            field="family",
        )
    layers, steps = keras.layers, data.preprocess.steps
    given, x = front(keras, data, recipe)
    x = layers.Dense(params.filters)(x)
    reach, dilation = 1, 1
    while reach < steps:
        y = layers.Conv1D(
            params.filters, _SIZE, padding="causal", dilation_rate=dilation, activation="relu"
        )(x)
        y = layers.Dropout(params.dropout)(y)
        x = layers.Add()([x, layers.Conv1D(params.filters, 1)(y)])
        reach += (_SIZE - 1) * dilation
        dilation *= 2
    x = layers.ReLU()(x)
    x = layers.Concatenate()([x[:, -1], keras.ops.mean(x, axis=1)])
    x = layers.Dense(params.units, activation="relu")(x)
    x = layers.Dropout(params.dropout)(x)
    return keras.Model(given, head(keras, data, x), name="sequence")
