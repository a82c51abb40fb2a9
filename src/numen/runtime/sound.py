"""WAV files become a model's input, with NumPy alone.

Reads PCM of 8, 16, 24 and 32 bits and floating samples, of any number of channels, only as far as
the model hears. Refuses what is compressed, cut short or contradicts itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from numen.core.errors import InvalidInput, TooLarge, UnsupportedMedia
from numen.core.manifest import AudioInput
from numen.core.signature import Array
from numen.core.sound import RATES, filled, heard, reach

MAX_BYTES: Final = 1 << 30
MAX_CHANNELS: Final = 64
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN: Final = 0xFFFFFFFF  # length of the data in a file that was written as a stream
_OTHERS: Final = {
    b"fLaC": "FLAC", b"OggS": "OGG", b"ID3": "MP3", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3",
    b"\x1a\x45\xdf\xa3": "WebM", b"FORM": "AIFF", b"RF64": "RF64", b"RIFX": "RIFX",
    b".snd": "AU",
}  # fmt: skip


def decode_sound(data: bytes, how: AudioInput) -> dict[str, Array]:
    """A WAV file as one row of the model's input.

    Args:
        data: The file's bytes.
        how: What the manifest says of sounds.

    Returns:
        float32[1, samples].

    Raises:
        InvalidInput: The bytes are no WAV file that can be read.
        UnsupportedMedia: They are a sound of another format.
        TooLarge: They are over `MAX_BYTES`.
    """
    wave = _read(data, how.input)
    sound = wave.samples(reach(wave.rate, how.rate, how.samples))
    if not np.isfinite(sound).all():
        raise InvalidInput("sound: expected finite samples", field=how.input)
    made = heard(np.clip(sound, -1, 1), wave.rate, how.rate, how.samples)
    return {how.input: filled(made, how.samples)[None]}


@dataclass(frozen=True, slots=True)
class _Wave:
    """A WAV file that was understood.

    Attributes:
        rate: Samples a second.
        channels: How many.
        width: Bytes a sample of one channel.
        number: Turns the bytes of samples into numbers from -1 to 1.
        data: The samples, channel by channel, one moment after the other.
    """

    rate: int
    channels: int
    width: int
    number: Callable[[memoryview], Array]
    data: memoryview

    def samples(self, most: int) -> Array:
        """The first `most` moments, `float32[n, channels]`."""
        step = self.width * self.channels
        count = min(most, len(self.data) // step)
        return self.number(self.data[: count * step]).reshape(count, self.channels)


def _read(data: bytes, field: str) -> _Wave:
    if len(data) > MAX_BYTES:
        raise TooLarge(
            f"sound: expected at most {MAX_BYTES} bytes, received {len(data)}", field=field
        )
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        for head, other in _OTHERS.items():
            if data.startswith(head):
                raise UnsupportedMedia(
                    f"sound: expected WAV, received {other}",
                    hint="convert it to WAV with PCM samples",
                    field=field,
                )
        raise _refusal(f"a WAV file, received {len(data)} bytes that are none", field)
    form: memoryview | None = None
    for name, part in _chunks(memoryview(data), field):
        if name == b"fmt ":
            form = part
        elif name == b"data":
            if form is None:
                break
            return _wave(form, part, field)
    raise _refusal(f'a WAV file with "fmt " and then "data", received {len(data)} bytes', field)


def _chunks(data: memoryview, field: str) -> Iterator[tuple[bytes, memoryview]]:
    at = 12
    while at + 8 <= len(data):
        name, size = bytes(data[at : at + 4]), struct.unpack_from("<I", data, at + 4)[0]
        at += 8
        if name == b"data" and size == _UNKNOWN:
            size = len(data) - at
        if at + size > len(data):
            raise _refusal(
                f"{size} bytes in part {name.decode('ascii', 'replace')!r}, "
                f"received {len(data) - at}: the file is cut short",
                field,
            )
        yield name, data[at : at + size]
        at += size + size % 2


def _wave(form: memoryview, data: memoryview, field: str) -> _Wave:
    if len(form) < 16:
        raise _refusal(f'16 bytes in part "fmt ", received {len(form)}', field)
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", form)
    if kind == _EXTENSIBLE:
        if len(form) < 26:
            raise _refusal(f'26 bytes in part "fmt ", received {len(form)}', field)
        kind = struct.unpack_from("<H", form, 24)[0]
    if not 0 < channels <= MAX_CHANNELS:
        raise _refusal(f"1 to {MAX_CHANNELS} channels, received {channels}", field)
    if not RATES[0] <= rate <= RATES[1]:
        raise _refusal(f"{RATES[0]} to {RATES[1]} samples a second, received {rate}", field)
    width = -(-bits // 8)
    number = _NUMBERS.get((kind, width))
    if number is None:
        raise UnsupportedMedia(
            f"sound: expected PCM of 8, 16, 24 or 32 bits or floating samples, "
            f"received format {kind} of {bits} bits",
            hint="convert it to WAV with PCM samples",
            field=field,
        )
    if block != width * channels:
        raise _refusal(f"{width * channels} bytes a moment, received {block}", field)
    if len(data) < block:
        raise _refusal("at least one sample, received none", field)
    return _Wave(rate, channels, width, number, data)


def _refusal(what: str, field: str) -> InvalidInput:
    return InvalidInput(f"sound: expected {what}", field=field)


def _whole(dtype: str, full: float) -> Callable[[memoryview], Array]:
    return lambda data: np.frombuffer(data, dtype) / np.float32(full)


def _unsigned(data: memoryview) -> Array:
    return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)


def _three_bytes(data: memoryview) -> Array:
    # Each sample becomes the upper three bytes of four.
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0] / np.float32(2**31)


def _floating(dtype: str) -> Callable[[memoryview], Array]:
    def number(data: memoryview) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as such
            return np.frombuffer(data, dtype).astype(np.float32)

    return number


_NUMBERS: Final[dict[tuple[int, int], Callable[[memoryview], Array]]] = {
    (_PCM, 1): _unsigned,
    (_PCM, 2): _whole("<i2", 2**15),
    (_PCM, 3): _three_bytes,
    (_PCM, 4): _whole("<i4", 2**31),
    (_FLOAT, 4): _floating("<f4"),
    (_FLOAT, 8): _floating("<f8"),
}
