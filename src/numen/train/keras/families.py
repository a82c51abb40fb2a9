"""Keras models numen knows by name, and the user's own `module:build`.

Pixels of 0-255 and raw columns go in; scaling, missing values and categories are handled inside
the graph, so the exported model needs nothing beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec

from numen.core.errors import InvalidInput
from numen.core.manifest import ImageInput
from numen.data.dataset import Dataset
from numen.train.base import expect_numbers
from numen.train.front import Front
from numen.train.keras import body, text
from numen.train.keras.audio import build_audio_cnn, hear
from numen.train.keras.ends import front, head
from numen.train.keras.sequence import build_sequence
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


class ResnetParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Residual blocks: `stages` of `blocks`, each stage of twice the filters and half the size."""

    filters: Count = 16
    stages: Annotated[int, msgspec.Meta(ge=1, le=6)] = 3
    blocks: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1
    dropout: Share = 0.1


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
        body: Whether it learns behind a network trained before.
        space: What is worth trying, as a recipe's table `[tune]` would say it.
    """

    build: Callable[..., Any]
    epochs: int
    batch_size: int
    falling: float = 0.0
    front: Callable[[Dataset, Recipe], Front] | None = None
    body: bool = False
    space: Mapping[str, Any] = field(default_factory=dict)


def build_mlp(keras: Any, data: Dataset, recipe: Recipe) -> Any:
    """Flatten, Dense, Dropout, Dense: the first network of every tutorial."""
    params = params_of(recipe, MlpParams)
    expect_numbers(data, recipe)
    layers = keras.layers
    given, x = front(keras, data, recipe)
    if len(x.shape) > 2:
        x = layers.Flatten()(x)
    for _ in range(params.layers):
        x = layers.Dense(params.units, activation=_activation(keras, params.activation))(x)
        x = layers.Dropout(params.dropout)(x)
    return keras.Model(given, head(keras, data, x), name="mlp")


def build_cnn(keras: Any, data: Dataset, recipe: Recipe) -> Any:
    """A small convolutional network for pictures.

    It halves by striding, not by pooling: on a processor JAX trains that ten times as fast, a
    served prediction costs a quarter, and on MNIST it is as often right.

    Raises:
        InvalidInput: The data are not pictures.
    """
    params = params_of(recipe, CnnParams)
    layers = keras.layers
    given, x = _picture(keras, data, recipe)
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
    return keras.Model(given, head(keras, data, x), name="cnn")


def build_resnet(keras: Any, data: Dataset, recipe: Recipe) -> Any:
    """A small residual network for pictures (He et al. 2016), without a fully connected part.

    Raises:
        InvalidInput: The data are not pictures.
    """
    params = params_of(recipe, ResnetParams)
    layers = keras.layers
    given, x = _picture(keras, data, recipe)

    def convolve(x: Any, filters: int, size: int, strides: int) -> Any:
        x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    x = layers.ReLU()(convolve(x, params.filters, 3, 2 if min(x.shape[1:3]) >= 24 else 1))
    for stage in range(params.stages):
        filters = params.filters * 2**stage
        for block in range(params.blocks):
            strides = 2 if stage and not block and min(x.shape[1:3]) > 1 else 1
            inner = layers.ReLU()(convolve(x, filters, 3, strides))
            inner = convolve(inner, filters, 3, 1)
            if x.shape[-1] != filters or strides > 1:
                x = convolve(x, filters, 1, strides)
            x = layers.ReLU()(layers.Add()([x, inner]))
    x = layers.Dropout(params.dropout)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(given, head(keras, data, x), name="resnet")


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
_TRANSFER_SPACE: Final = {
    "learning_rate": [1e-3, 3e-2],
    "units": {"choices": [0, 32, 128]},
    "dropout": [0.0, 0.7],
}
FAMILIES: Final = {
    "mlp": Family(build_mlp, epochs=5, batch_size=32, space=_MLP_SPACE),
    "cnn": Family(build_cnn, epochs=15, batch_size=64, falling=2e-3, space=_CNN_SPACE),
    "resnet": Family(build_resnet, epochs=8, batch_size=64, falling=4e-3),
    "sequence": Family(build_sequence, epochs=12, batch_size=64, falling=3e-3),
    "audio-cnn": Family(build_audio_cnn, epochs=20, batch_size=32, falling=2e-3, front=hear),
    "text-cnn": Family(text.build_cnn, epochs=8, batch_size=32, falling=2e-3, front=text.front),
    "gru": Family(text.build_gru, epochs=6, batch_size=64, falling=3e-3, front=text.front),
    "transformer": Family(
        text.build_transformer, epochs=8, batch_size=32, falling=1e-3, front=text.front
    ),
    "transfer": Family(
        body.build,
        epochs=50,
        batch_size=32,
        falling=1e-2,
        front=body.front,
        body=True,
        space=_TRANSFER_SPACE,
    ),
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


def _picture(keras: Any, data: Dataset, recipe: Recipe) -> tuple[Any, Any]:
    """The input, and the same as `[rows, height, width, channels]` of moderate size."""
    if not isinstance(data.preprocess, ImageInput):
        raise InvalidInput(
            f'family "{recipe.family}": expected pictures, received {data.spec}',
            hint="use mlp, forest or boosting",
            field="family",
        )
    given, x = front(keras, data, recipe)
    if len(x.shape) == 3:
        x = keras.layers.Reshape((*x.shape[1:], 1))(x)
    return given, x


def _activation(keras: Any, name: str) -> Any:
    try:
        return keras.activations.get(name)
    except ValueError as error:
        raise InvalidInput(
            f'params.activation: "{name}" is no Keras activation', field="activation"
        ) from error
