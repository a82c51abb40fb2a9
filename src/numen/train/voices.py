"""Spectrograms varied for training, so that a handful of voices and rooms stands for many.

Another length of the vocal tract and of the word, another moment, microphone and noise, and parts
blotted out. All of it is drawn anew for each row, in NumPy, at a tenth of what a step costs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from numen.core.signature import Array
from numen.train.sound import DEPTH, band_places

_PIECE: Final = 256  # rows that are varied at once
_RIPPLES: Final = (0.5, 1.0, 2.0)  # half waves a microphone's colour has over all bands


@dataclass(frozen=True, slots=True)
class Variation:
    """How far rows are varied.

    Attributes:
        pitch: Most that frequencies are stretched by, as a logarithm (Jaitly and Hinton,
            Vocal Tract Length Perturbation, 2013).
        pace: Most that time is: how long a word takes says little of which it is.
        shift: Most that a row is moved, as a share of its length.
        contrast: Most that what is fainter than the loudest is made fainter still, or less so,
            as a logarithm: one voice hisses an s that another hardly breathes.
        colour: Most that a band is louder or fainter, of the spectrogram's depth.
        noise: Loudest noise, of the spectrogram's depth; a third of the rows have none.
        mask: Most of the time, and of the bands, that is blotted out (Park et al., SpecAugment,
            2019).
    """

    pitch: float = 0.15
    pace: float = 0.5
    shift: float = 0.15
    contrast: float = 0.35
    colour: float = 0.2
    noise: float = 0.5
    mask: float = 0.2

    def times(self, factor: float) -> Variation:
        """More or less of everything."""
        return Variation(*(min(getattr(self, f.name) * factor, 0.9) for f in fields(self)))


def varied(spectrograms: Array, random: np.random.Generator, rate: int, how: Variation) -> Array:
    """Spectrograms as other voices might have made them elsewhere.

    Args:
        spectrograms: `float32[n, frames, bands]`, 0 to 1, as `log_mel` gives them.
        random: What decides.
        rate: Samples a second of the sounds.
        how: How far.

    Returns:
        A varied copy of the same shape.
    """
    made = np.empty_like(spectrograms)
    for at in range(0, len(made), _PIECE):
        rows = _stretched(spectrograms[at : at + _PIECE], random, rate, how)
        rows = _coloured(_contrasted(rows, random, how.contrast), random, how.colour)
        rows = _noisy(rows, random, how.noise)
        made[at : at + _PIECE] = _masked(_masked(rows, random, how.mask, 1), random, how.mask, 2)
    return made


def _stretched(rows: Array, random: np.random.Generator, rate: int, how: Variation) -> Array:
    """Other frequencies, another pace and another beginning, read between the numbers."""
    count, length, bands = rows.shape
    pace = np.exp(random.uniform(-how.pace, how.pace, (count, 1)))
    move = random.uniform(-how.shift, how.shift, (count, 1)) * length
    pitch = np.exp(random.uniform(-how.pitch, how.pitch, (count, 1)))
    times = (np.arange(length) - move) * pace
    heard = (times >= 0) & (times <= length - 1)
    rows = _between(rows, times, 1) * heard[:, :, None]
    return _between(rows, band_places(rate, bands, pitch), 2)


def _between(rows: Array, places: Array, axis: int) -> Array:
    """Values at broken places `[n, size]` along an axis, by the line between two."""
    last = rows.shape[axis] - 1
    places = np.clip(places, 0, last)
    low = np.minimum(places.astype(np.int64), max(last - 1, 0))
    shape = (*places.shape, 1) if axis == 1 else (places.shape[0], 1, places.shape[1])
    share = (places - low).astype(np.float32).reshape(shape)
    before = np.take_along_axis(rows, low.reshape(shape), axis)
    after = np.take_along_axis(rows, np.minimum(low + 1, last).reshape(shape), axis)
    return np.asarray(before + (after - before) * share)


def _contrasted(rows: Array, random: np.random.Generator, most: float) -> Array:
    """What is fainter than the loudest, by more or by less; silence stays silent."""
    factor = np.exp(random.uniform(-most, most, (len(rows), 1, 1))).astype(np.float32)
    return np.where(rows > 0, np.maximum(1 - (1 - rows) * factor, 0), 0)


def _coloured(rows: Array, random: np.random.Generator, most: float) -> Array:
    """Bands louder and fainter on smooth curves; silence stays silent."""
    count, _, bands = rows.shape
    at = np.arange(bands) / bands
    curve = np.zeros((count, bands), np.float32)
    for ripple in _RIPPLES:
        size = random.uniform(-1, 1, (count, 1)) * most / 2
        curve += size * np.cos(np.pi * ripple * at + random.uniform(0, 2 * np.pi, (count, 1)))
    return np.where(rows > 0, np.maximum(rows + curve[:, None], 0), 0)


def _noisy(rows: Array, random: np.random.Generator, most: float) -> Array:
    """Noise whose power adds to the sound's."""
    if not most:
        return rows
    count, _, bands = rows.shape
    level = random.uniform(-most / 2, most, (count, 1, 1))
    tilt = random.uniform(-0.1, 0.1, (count, 1, 1)) * np.linspace(-1, 1, bands)
    grain = np.log10(random.standard_exponential(rows.shape, np.float32) + 1e-3) / DEPTH
    noise = np.maximum(grain + (level + tilt).astype(np.float32), 0)
    scale = np.float32(DEPTH * np.log(10))
    # Both stand above a floor of power 1, which must not count twice.
    return np.asarray(np.log(np.exp(scale * rows) + np.exp(scale * noise) - 1) / scale)


def _masked(rows: Array, random: np.random.Generator, most: float, axis: int) -> Array:
    size = rows.shape[axis]
    width = random.uniform(0, most * size, (len(rows), 1))
    start = random.uniform(-width, size)
    at = np.arange(size)
    kept = (at < start) | (at >= start + width)
    return np.asarray(rows * (kept[:, :, None] if axis == 1 else kept[:, None]))
