"""The family `audio-cnn`: a small convolutional network on the log-mel spectrogram of a sound.

It says what there is in a sound, not when: what the convolutions find is pooled over time. Its
training rows are varied anew each epoch, so that a handful of voices stands for many.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

import msgspec

from numen.core.errors import InvalidInput
from numen.core.manifest import AudioInput
from numen.data.dataset import Dataset
from numen.train.front import Front
from numen.train.keras.ends import head
from numen.train.recipe import Recipe, params_of
from numen.train.sound import BANDS, frames, log_mel
from numen.train.voices import Variation, varied

Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
_SPREAD: Final = 0.3  # of the spectrogram's numbers, and their mean


class AudioCnnParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The network, and how much training rows are varied.

    Attributes:
        filters: Of the first convolution; the two after it have twice as many.
        units: Of the two convolutions over time.
        dropout: Share of numbers left out.
        bands: Bands of frequency.
        vary: How much training rows are varied: 1 suits speech, 0 leaves them as they are.
    """

    filters: Count = 32
    units: Count = 96
    dropout: Share = 0.3
    bands: Annotated[int, msgspec.Meta(ge=8, le=256)] = BANDS
    vary: Annotated[float, msgspec.Meta(ge=0, le=2)] = 1.0


def hear(data: Dataset, recipe: Recipe) -> Front:
    """What the family's rows go through first: they become spectrograms, which are varied.

    Raises:
        InvalidInput: The data are not sounds of classes, or shorter than one window.
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
    variation = Variation().times(params.vary)
    vary = partial(varied, rate=how.rate, how=variation) if params.vary else None
    return log_mel(data.spec, how.rate, params.bands, vary)


def build_audio_cnn(keras: Any, data: Dataset, recipe: Recipe, front: Front) -> Any:
    """A small convolutional network; it halves by striding, as the family `cnn` does."""
    params = params_of(recipe, AudioCnnParams)
    layers = keras.layers
    given = keras.Input(front.spec.row, name=front.spec.name, dtype="float32")
    x = layers.Rescaling(1 / _SPREAD, -1.0)(given)
    x = layers.Reshape((*front.spec.row, 1))(x)
    for size, filters, step in ((5, 1, 2), (3, 2, 2), (3, 2, 1)):
        x = layers.Conv2D(
            params.filters * filters, size, strides=(step, 2), padding="same", use_bias=False
        )(x)
        x = _settled(layers, x)
    # From here on a moment is one row of numbers, whatever band they came from.
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(params.dropout)(x)
    for apart in (1, 2):  # together they span half a second
        x = layers.Conv1D(params.units, 5, padding="same", dilation_rate=apart, use_bias=False)(x)
        x = _settled(layers, x)
    # The mean over time, and that of the squares, in which short and strong moments tell.
    square = layers.Multiply()([x, x])
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(each) for each in (x, square)])
    x = layers.Dropout(params.dropout)(x)
    return keras.Model(given, head(keras, data, x), name="audio_cnn")


def _settled(layers: Any, x: Any) -> Any:
    # A momentum of 0.9: a few hundred sounds make too few steps for Keras's 0.99.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
