"""Sounds as a model hears them: one channel, one rate, one length, whoever reads the file.

Owns what training and serving must do alike, so that a model is served what it was trained on.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from numen.core.signature import Array

RATES: Final = (1_000, 768_000)  # samples a second that files may have
_CROSSINGS: Final = 16  # of the filter's sinc on either side: the steepness of its edge
_BETA: Final = 8.0  # of its Kaiser window: what is cut off lies 80 dB lower
_FINEST: Final = 1_000  # phases of the filter: rates whose ratio needs more are met nearly


def heard(sound: Array, rate: int, to: int, most: int) -> Array:
    """The beginning of a sound, mixed to one channel and brought to another rate.

    Args:
        sound: `float[n, channels]`.
        rate: Its samples a second.
        to: Samples a second to bring it to.
        most: Samples that are kept, at that rate.

    Returns:
        `float32[n]`, at most `most`.
    """
    one = sound[: reach(rate, to, most)].mean(axis=1, dtype=np.float32)
    return resample(one, rate, to)[:most]


def reach(rate: int, to: int, most: int) -> int:
    """How many samples at `rate` tell in the first `most` at the rate `to`."""
    # What lies behind the cut, as far as the filter reaches, is heard in what lies before it.
    return math.ceil((most + 1) * rate / to + 2 * _CROSSINGS * max(rate / to, 1.0))


def filled(samples: Array, count: int) -> Array:
    """`float32[count]`: cut at the end, or filled up there with silence."""
    row = np.zeros(count, np.float32)
    row[: min(len(samples), count)] = samples[:count]
    return row


def resample(samples: Array, rate: int, to: int) -> Array:
    """A signal at another rate, by a polyphase filter bank (Crochiere and Rabiner, 1983, ch. 4).

    Args:
        samples: `float32[n]`.
        rate: Samples a second.
        to: Samples a second wanted.

    Returns:
        `float32[ceil(n * to / rate)]`; frequencies that the lower rate cannot hold are gone.
    """
    up, down = _ratio(rate, to)
    if up == down or not len(samples):
        return samples.astype(np.float32)
    phases = _filter(up, down)
    half, taps = _CROSSINGS * max(up, down), phases.shape[1]
    count = -(-len(samples) * up // down)
    last = ((count - 1) * down + half) // up
    padded = np.zeros(max(last + taps, len(samples) + taps - 1), np.float32)
    padded[taps - 1 : taps - 1 + len(samples)] = samples
    windows = sliding_window_view(padded, taps)
    made = np.empty(count, np.float32)
    for first in range(min(up, count)):  # the outputs that share a phase of the filter
        base, phase = divmod(first * down + half, up)
        place = made[first::up]
        place[:] = windows[base::down][: len(place)] @ phases[phase]
    return made


def convolution(rate: int, to: int) -> tuple[Array, int, int]:
    """What `resample` does, as one convolution: for graphs, which know no polyphase filters.

    Args:
        rate: Samples a second.
        to: Samples a second wanted; not the same.

    Returns:
        The kernel, `float32[up, taps]`: the outputs of one step in their order; how many samples a
        step goes on; how many zeros stand before the first sample.
    """
    up, down = _ratio(rate, to)
    phases = _filter(up, down)
    half, taps = _CROSSINGS * max(up, down), phases.shape[1]
    places = [divmod(first * down + half, up) for first in range(up)]
    kernel = np.zeros((up, places[-1][0] + taps), np.float32)
    for row, (base, phase) in zip(kernel, places, strict=True):
        row[base : base + taps] = phases[phase]
    return kernel, down, taps - 1


def _ratio(rate: int, to: int) -> tuple[int, int]:
    ratio = Fraction(to, rate).limit_denominator(max(1, int(_FINEST * min(1, rate / to))))
    return ratio.numerator, ratio.denominator


@lru_cache(maxsize=16)
def _filter(up: int, down: int) -> Array:
    """A low-pass filter as its phases, `float32[up, taps]`, each from the latest sample back."""
    half = _CROSSINGS * max(up, down)
    at = np.arange(-half, half + 1)
    edge = 1 / max(up, down)  # of half the rate between the two
    low = up * edge * np.sinc(at * edge) * np.kaiser(2 * half + 1, _BETA)
    taps = -(-len(low) // up)
    return np.pad(low, (0, taps * up - len(low))).reshape(taps, up).T[:, ::-1].astype(np.float32)
