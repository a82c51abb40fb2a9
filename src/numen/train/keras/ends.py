"""What stands before and behind the layers of every network of numen's own.

Before them pixels and columns become numbers of moderate size, none missing; behind them stands
one score a label, or one value a quantity. All of it is inside the graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numen.core.manifest import ImageInput
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.train.keras.augment import augmented
from numen.train.recipe import Recipe, refuse


def front(keras: Any, data: Dataset, recipe: Recipe) -> tuple[Any, Any]:
    """The input, and what the layers after it get: numbers of moderate size, none missing.

    Of windows the last number of each step says whether there was a row.
    """
    given = keras.Input(data.spec.row, name=data.spec.name, dtype="float32")
    if isinstance(data.preprocess, ImageInput):
        return given, augmented(keras, keras.layers.Rescaling(1 / 255)(given), recipe)
    refuse(recipe, "augment")
    return given, _columns(keras, data, given)


def _columns(keras: Any, data: Dataset, given: Any) -> Any:
    """Numbers to mean 0 and variance 1, categories to one column each; missing becomes 0."""
    width = data.spec.row[-1] or 0
    sizes = {place: size for place, size in data.categories.items() if place < width}
    numbers = [i for i in range(width) if i not in sizes]
    parts = []
    if numbers:
        x = given if not sizes else keras.ops.take(given, numbers, axis=-1)
        mean, variance = _moments(data)
        x = keras.layers.Normalization(
            mean=mean[numbers], variance=variance[numbers], dtype="float32"
        )(x)
        parts.append(keras.ops.nan_to_num(x))
    for column, size in sizes.items():
        code = keras.ops.take(given, [column], axis=-1)
        each = np.arange(size, dtype="float32").reshape((1,) * (len(given.shape) - 1) + (-1,))
        parts.append(keras.ops.cast(keras.ops.equal(code, each), "float32"))
    if len(given.shape) > 2:
        known = keras.ops.nan_to_num(given * 0.0 + 1.0)
        parts.append(keras.ops.max(known, axis=-1, keepdims=True))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)


def _moments(data: Dataset) -> tuple[Any, Any]:
    """Mean and variance of each training column, missing values left out.

    Batches are merged by their own means (Chan et al. 1979), so a column of large values with a
    small spread, such as a timestamp, keeps its variance.
    """
    rows = mean = spread = np.zeros(())
    for batch in data.train.batches(65_536):
        x = batch.inputs[data.spec.name]
        x = x.reshape(-1, x.shape[-1]).astype("float64")
        known = np.isfinite(x)
        n = known.sum(0)
        m = np.where(known, x, 0).sum(0) / np.maximum(n, 1)
        total = np.maximum(rows + n, 1)
        spread = (
            spread + (np.where(known, x - m, 0) ** 2).sum(0) + (m - mean) ** 2 * rows * n / total
        )
        mean = mean + (m - mean) * n / total
        rows = rows + n
    variance = spread / np.maximum(rows, 1)
    # A constant column tells nothing; dividing by its zero spread would make it shout.
    constant = variance <= (1e-7 * mean) ** 2
    return mean.astype("float32"), np.where(constant, 1, variance).astype("float32")


def head(keras: Any, data: Dataset, x: Any) -> Any:
    """The output: one probability a label, or one value of each quantity's own size."""
    if data.labels is None:
        # Learning near 0 and scaling after it: targets of any size train alike.
        mean, deviation = sizes(data.train.target)
        x = keras.layers.Dense(data.width)(x)
        return keras.layers.Rescaling(deviation, mean, name="value")(x)
    activation = "sigmoid" if data.several else "softmax"
    return keras.layers.Dense(data.width, activation=activation, name="probabilities")(x)


def sizes(target: Array) -> tuple[Any, Any]:
    """Mean and standard deviation of a quantity, or of each of several as lists of numbers."""
    whole = target.astype("float64")
    deviation = whole.std(axis=0)
    return whole.mean(axis=0).tolist(), np.where(deviation > 0, deviation, 1.0).tolist()
