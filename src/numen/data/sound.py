"""Sound files become samples: WAV, FLAC, OGG and what else libsndfile knows.

A file is read only as far as it is kept, so that a long one costs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from numen.core.errors import InvalidData, MissingExtra
from numen.core.signature import Array
from numen.core.sound import RATES, heard, reach

try:
    import soundfile
except ModuleNotFoundError as error:
    raise MissingExtra.of("reading sounds", "train") from error

SUFFIXES: Final = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"}
)
FULL: Final = 32_768  # of 16 bits: the sample that stands for 1
MAX_CHANNELS: Final = 64


@dataclass(frozen=True, slots=True)
class Heading:
    """What a file says of itself.

    Attributes:
        rate: Samples a second.
        samples: How many of each channel.
        channels: How many.
    """

    rate: int
    samples: int
    channels: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples / self.rate


def heading(path: Path) -> Heading:
    """Reads a file's head.

    Raises:
        InvalidData: It is no sound, is empty, or is of a rate no sound has.
    """
    with _opened(path) as file:
        found = Heading(file.samplerate, file.frames, file.channels)
    if not RATES[0] <= found.rate <= RATES[1]:
        raise InvalidData(
            f"{path}: expected {RATES[0]} to {RATES[1]} samples a second, found {found.rate}"
        )
    if not 0 < found.channels <= MAX_CHANNELS:
        raise InvalidData(f"{path}: expected at most {MAX_CHANNELS} channels: {found.channels}")
    if found.samples < 1:
        raise InvalidData(f"{path}: expected a sound, found no samples")
    return found


def decode(path: Path, to: int, most: int) -> Array:
    """The beginning of a sound, mixed to one channel.

    Args:
        path: Its file.
        to: Samples a second to bring it to.
        most: Samples to keep, at that rate.

    Returns:
        `int16[n]`, at most `most`; 32,768 stands for 1.

    Raises:
        InvalidData: It is broken, or holds what is no number.
    """
    with _opened(path) as file:
        rate = file.samplerate
        sound = file.read(reach(rate, to, most), dtype="float32", always_2d=True)
    if not np.isfinite(sound).all():
        raise InvalidData(f"{path}: expected finite samples")
    if not len(sound):
        raise InvalidData(f"{path}: the sound is broken: it ends before its first sample")
    made = heard(sound, rate, to, most)
    return np.asarray(np.clip(np.rint(made * FULL), -FULL, FULL - 1), "<i2")


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        said = getattr(error, "error_string", error)
        raise InvalidData(f"{path}: not a sound that can be read: {said}") from error


def figures(sounds: Array, rate: int) -> Array:
    """What can be said of sounds in two numbers.

    Args:
        sounds: `float32[n, samples]`, filled up with silence.
        rate: Samples a second.

    Returns:
        `float64[n, 2]`: seconds until silence, and loudness in decibels below a full square wave
        until then (no number for a sound of nothing).
    """
    heard_at = sounds != 0
    lengths = np.where(heard_at.any(axis=1), sounds.shape[1] - heard_at[:, ::-1].argmax(axis=1), 0)
    power = np.square(sounds, dtype=np.float64).sum(axis=1) / np.maximum(lengths, 1)
    with np.errstate(divide="ignore"):
        loudness = np.where(power > 0, 10 * np.log10(power), np.nan)
    return np.stack([lengths / rate, loudness], axis=1)
