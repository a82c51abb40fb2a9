"""Keras models numen knows by name, and the user's own `module:build`.

Pixels of 0-255 and raw columns go in; scaling, missing values and categories are handled inside
the graph, so the exported model needs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import ColumnsInput, ImageInput
from numen.data.dataset import Dataset
from numen.train.front import Front
from numen.train.own import find_build
from numen.train.recipe import Recipe, params_of

Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class MlpParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dense layers: `layers` of `units` each, dropout after every one."""

    units: Count = 128
    layers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 1
    dropout: Share = 0.2
    activation: str = "relu"


class CnnParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Convolutions that halve the picture: `filters` in the first, doubled in each later one."""

    filters: Count = 24
    blocks: Annotated[int, msgspec.Meta(ge=1, le=8)] = 2
    units: Count = 128
    dropout: Share = 0.3


@dataclass(frozen=True, slots=True)
class Family:
    """A built-in model and how to train it unless the recipe says.

    Attributes:
        build: Makes the model, not compiled: input named as the data's, output last.
        epochs: Passes over the data.
        batch_size: Rows a step.
        falling: First learning rate of Adam, falling to nothing on a cosine; 0 is Adam's own.
        front: What the training rows go through first, learnt from them where it must be;
            `build` then gets it as its last argument, and makes what comes behind it.
        space: What is worth trying, as a recipe's table `[tune]` would say it.
    """

    build: Callable[..., Any]
    epochs: int
    batch_size: int
    falling: float = 0.0
    front: Callable[[Dataset, Recipe], Front] | None = None
    space: Mapping[str, Any] = field(default_factory=dict)


def build_mlp(keras: Any, data: Dataset, recipe: Recipe) -> Any:
    """Flatten, Dense, Dropout, Dense: the first network of every tutorial."""
    params = params_of(recipe, MlpParams)
    layers = keras.layers
    given, x = _front(keras, data)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    for _ in range(params.layers):
        x = layers.Dense(params.units, activation=_activation(keras, params.activation))(x)
        x = layers.Dropout(params.dropout)(x)
    return keras.Model(given, _head(keras, data, x), name="mlp")


def build_cnn(keras: Any, data: Dataset, recipe: Recipe) -> Any:
    """A small convolutional network for pictures.

    It halves by striding, not by pooling: on a processor JAX trains that ten times as fast, a
    served prediction costs a quarter, and on MNIST it is as often right.

    Raises:
        InvalidInput: The data are not pictures.
    """
    params = params_of(recipe, CnnParams)
    if not isinstance(data.preprocess, ImageInput):
        raise InvalidInput(
            f'family "cnn": expected pictures, received {data.spec}',
            hint="use mlp, forest or boosting",
            field="family",
        )
    layers = keras.layers
    given, x = _front(keras, data)
    if len(x.shape) == 3:
        x = layers.Reshape((*x.shape[1:], 1))(x)
    for block in range(params.blocks):
        if min(x.shape[1:3]) < 4:  # too small to halve again
            break
        size = 5 if block == 0 and min(x.shape[1:3]) >= 16 else 3
        x = layers.Conv2D(params.filters * 2**block, size, strides=2, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(params.dropout)(layers.Flatten()(x))
    x = layers.Dense(params.units, activation="relu")(x)
    x = layers.Dropout(params.dropout)(x)
    return keras.Model(given, _head(keras, data, x), name="cnn")


_MLP_SPACE: Final = {
    "learning_rate": [1e-4, 1e-2],
    "units": [32, 512],
    "layers": [1, 3],
    "dropout": [0.0, 0.5],
}
_CNN_SPACE: Final = {
    "learning_rate": [3e-4, 1e-2],
    "filters": [8, 48],
    "units": [32, 256],
    "dropout": [0.0, 0.5],
}
FAMILIES: Final = {
    "mlp": Family(build_mlp, epochs=5, batch_size=32, space=_MLP_SPACE),
    "cnn": Family(build_cnn, epochs=6, batch_size=64, falling=2e-3, space=_CNN_SPACE),
}


def build_own(keras: Any, data: Dataset, recipe: Recipe) -> Any:
    """Calls the user's `module:build` as `build(data, **params)`; the working directory counts.

    Raises:
        InvalidInput: It cannot be found, or what it returns is not a Keras model.
    """
    build = find_build(recipe.family)
    model = build(data, **recipe.params)
    if not isinstance(model, keras.Model):
        raise InvalidInput(
            f'family "{recipe.family}": expected a keras.Model, received {type(model).__name__}',
            field="family",
        )
    return model


def _front(keras: Any, data: Dataset) -> tuple[Any, Any]:
    """The input, and what the layers after it get: numbers of moderate size, none missing."""
    given = keras.Input(data.spec.row, name=data.spec.name, dtype="float32")
    if isinstance(data.preprocess, ImageInput):
        return given, keras.layers.Rescaling(1 / 255)(given)
    return given, _columns(keras, data, given)


def _columns(keras: Any, data: Dataset, given: Any) -> Any:
    """Numbers to mean 0 and variance 1, categories to one column each; missing becomes 0."""
    known = data.preprocess.columns if isinstance(data.preprocess, ColumnsInput) else ()
    sizes = {i: len(c.categories) for i, c in enumerate(known) if c.categories}
    numbers = [i for i in range(data.spec.row[0] or 0) if i not in sizes]
    parts = []
    if numbers:
        x = given if not sizes else keras.ops.take(given, numbers, axis=1)
        mean, variance = _moments(data)
        x = keras.layers.Normalization(mean=mean[numbers], variance=variance[numbers])(x)
        parts.append(keras.ops.nan_to_num(x))
    for column, size in sizes.items():
        code = keras.ops.take(given, [column], axis=1)
        each = np.arange(size, dtype="float32")[None]
        parts.append(keras.ops.cast(keras.ops.equal(code, each), "float32"))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)


def _moments(data: Dataset) -> tuple[Any, Any]:
    """Mean and variance of each training column, missing values left out.

    Batches are merged by their own means (Chan et al. 1979), so a column of large values with a
    small spread, such as a timestamp, keeps its variance.
    """
    rows = mean = spread = np.zeros(())
    for batch in data.train.batches(65_536):
        x = batch.inputs[data.spec.name].astype("float64")
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


def _head(keras: Any, data: Dataset, x: Any) -> Any:
    if data.labels is None:
        # Learning near 0 and scaling after it: targets of any size train alike.
        target = data.train.target.astype("float64")
        x = keras.layers.Dense(1)(x)
        return keras.layers.Rescaling(target.std() or 1.0, target.mean(), name="value")(x)
    return keras.layers.Dense(len(data.labels), activation="softmax", name="probabilities")(x)


def _activation(keras: Any, name: str) -> Any:
    try:
        return keras.activations.get(name)
    except ValueError as error:
        raise InvalidInput(
            f'params.activation: "{name}" is no Keras activation', field="activation"
        ) from error
