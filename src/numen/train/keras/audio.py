"""The family `audio-cnn`: a small convolutional network on the log-mel spectrogram of a sound.

Training rows are varied anew each epoch, so that a handful of voices stands for many: faster and
slower with the pitch that goes with it, earlier and later, with noise, with stretches of time and
of frequency blotted out. Nothing of that is left in the exported graph.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import AudioInput
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.train.front import Front
from numen.train.recipe import Recipe, params_of
from numen.train.sound import BANDS, frames, log_mel

Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
_MEAN, _SPREAD = 0.4, 0.3  # of the spectrogram's numbers, roughly


class AudioCnnParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network, and how much training rows are varied.

    Attributes:
        filters: Of the first convolution; doubled in the second, as many in those after it.
        blocks: Convolutions that halve the spectrogram.
        units: Of the layer before the last.
        dropout: Share of numbers left out.
        bands: Bands of frequency.
        speed: Most a row is sped up or slowed down, with its pitch.
        shift: Most of its length that a row is moved by.
        noise: Loudest noise, as a share of the loudest sample.
        mask: Most of the time, and of the bands, that is blotted out.
    """

    filters: Count = 32
    blocks: Annotated[int, msgspec.Meta(ge=1, le=6)] = 3
    units: Count = 128
    dropout: Share = 0.4
    bands: Annotated[int, msgspec.Meta(ge=8, le=256)] = BANDS
    speed: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.15
    shift: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.1
    noise: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.03
    mask: Share = 0.2


def hear(data: Dataset, recipe: Recipe) -> Front:
    """What the family's rows go through first: they are varied, then become spectrograms.

    Raises:
        InvalidInput: The data are not sounds, or shorter than a window of the spectrogram.
    """
    params = params_of(recipe, AudioCnnParams)
    how = data.preprocess
    if not isinstance(how, AudioInput) or data.labels is None:
        raise InvalidInput(
            f'family "{recipe.family}": expected sounds of classes, received {data.spec}',
            hint="use cnn for pictures, boosting for tables",
            field="family",
        )
    if frames(how.samples, how.rate) < 1:
        raise InvalidInput(
            f'family "{recipe.family}": expected sounds of at least 32 ms, '
            f"received {1e3 * how.samples / how.rate:.1f} ms",
            field="data",
        )

    def vary(sounds: Array, random: np.random.Generator) -> Array:
        return varied(sounds, random, params.speed, params.shift, params.noise)

    return log_mel(data.spec, how.rate, params.bands, vary)


def varied(
    sounds: Array, random: np.random.Generator, speed: float, shift: float, noise: float
) -> Array:
    """Sounds as another voice might have made them elsewhere.

    Args:
        sounds: `float32[n, samples]`.
        random: What decides.
        speed: Most that each is sped up or slowed down, with its pitch; a share of 1.
        shift: Most that each is moved by, as a share of its length.
        noise: Loudest white noise, as a share of its loudest sample; far fainter as often.

    Returns:
        A copy of the same shape.
    """
    count, length = sounds.shape
    at = np.arange(length, dtype=np.float32)
    paces = random.uniform(1 - speed, 1 + speed, count)
    moves = random.uniform(-shift, shift, count) * length
    made = np.empty_like(sounds)
    for row, sound, pace, move in zip(made, sounds, paces, moves, strict=True):
        row[:] = np.interp((at - move) * pace, at, sound, left=0, right=0)
    if noise:
        loudest = np.abs(made).max(axis=1, initial=0)
        level = loudest * noise * 10 ** random.uniform(-2.5, 0, count)
        made += random.standard_normal(made.shape, np.float32) * level[:, None].astype(np.float32)
    return made


def build_audio_cnn(keras: Any, data: Dataset, recipe: Recipe, front: Front) -> Any:
    """A small convolutional network; it halves by striding, as the family `cnn` does."""
    params = params_of(recipe, AudioCnnParams)
    layers = keras.layers
    given = keras.Input(front.spec.row, name=front.spec.name, dtype="float32")
    x = layers.Rescaling(1 / _SPREAD, -_MEAN / _SPREAD)(given)
    if params.mask:
        x = _mask_layer()(params.mask, recipe.seed)(x)
    x = layers.Reshape((*front.spec.row, 1))(x)
    for block in range(params.blocks):
        filters = params.filters * (1 if block == 0 else 2)
        size = 5 if block == 0 else 3
        x = layers.Conv2D(filters, size, strides=2, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU()(x)
    x = layers.Dropout(params.dropout)(layers.Flatten()(x))
    x = layers.Dense(params.units, activation="relu")(x)
    x = layers.Dropout(params.dropout)(x)
    assert data.labels is not None
    x = layers.Dense(len(data.labels), activation="softmax", name="probabilities")(x)
    return keras.Model(given, x, name="audio_cnn")


@cache
def _mask_layer() -> Any:
    """The layer's class; Keras is imported by who chose its back end."""
    import keras

    class Mask(keras.layers.Layer):  # type: ignore[misc]
        """Blots out one stretch of time and one of the bands (Park et al., SpecAugment, 2019)."""

        def __init__(self, most: float, seed: int):
            super().__init__(name="mask")
            self.most = most
            self.generator = keras.random.SeedGenerator(seed)

        def call(self, x: Any, training: bool = False) -> Any:
            """Varies `[rows, frames, bands]` in training; else gives it as it is."""
            return self.masked(self.masked(x, 1), 2) if training else x

        def masked(self, x: Any, axis: int) -> Any:
            """Zeroes, which stand for the mean, along one axis."""
            ops, size = keras.ops, x.shape[axis]
            shape = (ops.shape(x)[0], 1)
            width = keras.random.uniform(shape, 0, self.most * size, seed=self.generator)
            start = keras.random.uniform(shape, -width, size, seed=self.generator)
            at = ops.arange(size, dtype="float32")[None]
            kept = ops.cast((at < start) | (at >= start + width), "float32")
            return x * ops.expand_dims(kept, 3 - axis)

    return Mask
