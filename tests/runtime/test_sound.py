"""WAV files as a model's input: every kind of sample, other rates, and what is no WAV."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from numen.core.errors import InvalidInput, NumenError, TooLarge, UnsupportedMedia
from numen.core.manifest import AudioInput
from numen.core.sound import filled, heard, resample
from numen.runtime import sound as wav
from numen.runtime.sound import decode_sound

HOW = AudioInput("audio", 8_000, 4_000)


def tone(rate: int, hertz: float = 440.0, seconds: float = 0.5) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype("f4")


def wave(samples: np.ndarray, rate: int = 8_000, kind: str = "PCM_16", **how) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, kind, format=how.get("format", "WAV"))
    return file.getvalue()


def heard_by(data: bytes, how: AudioInput = HOW) -> np.ndarray:
    row = decode_sound(data, how)["audio"]
    assert (row.shape, row.dtype) == ((1, how.samples), np.float32)
    return row[0]


@pytest.mark.parametrize(
    ("kind", "apart"),
    [
        ("PCM_U8", 1e-2),
        ("PCM_16", 1e-4),
        ("PCM_24", 1e-6),
        ("PCM_32", 1e-6),
        ("FLOAT", 1e-7),
        ("DOUBLE", 1e-7),
    ],
)
@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
def test_every_kind_of_sample(kind: str, apart: float, form: str) -> None:
    data = wave(tone(8_000), kind=kind, format=form)
    np.testing.assert_allclose(heard_by(data), tone(8_000), atol=apart)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_channels_are_mixed(channels: int) -> None:
    many = np.stack([tone(8_000) * (place + 1) / channels for place in range(channels)], axis=1)
    found = heard_by(wave(many, kind="FLOAT"))
    np.testing.assert_allclose(found, many.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 44_056])
def test_other_rates_give_the_same_tone(rate: int) -> None:
    middle = slice(400, -400)  # a tone that begins at once has no band that holds it
    np.testing.assert_allclose(
        heard_by(wave(tone(rate), rate, "FLOAT"))[middle], tone(8_000)[middle], atol=1e-2
    )


def test_what_the_lower_rate_cannot_hold_is_gone() -> None:
    assert np.abs(resample(tone(16_000, 5_500), 16_000, 8_000))[200:-200].max() < 1e-3


def test_it_is_cut_or_filled_up() -> None:
    short, long = tone(8_000, seconds=0.1), tone(8_000, seconds=2)
    np.testing.assert_array_equal(heard_by(wave(short, kind="FLOAT"))[len(short) :], 0)
    np.testing.assert_allclose(heard_by(wave(long, kind="FLOAT")), long[:4_000], atol=1e-7)
    assert len(filled(long, 7)) == 7


@settings(deadline=None, max_examples=50)
@given(
    rate=st.integers(1_000, 48_000),
    to=st.integers(1_000, 48_000),
    count=st.integers(1, 2_000),
    most=st.integers(1, 500),
)
def test_the_cut_does_not_change_what_is_before_it(
    rate: int, to: int, count: int, most: int
) -> None:
    samples = np.random.default_rng(0).standard_normal((count, 2)).astype("f4")
    whole = resample(samples.mean(axis=1), rate, to)
    assert len(whole) == pytest.approx(count * to / rate, rel=5e-3, abs=1)
    np.testing.assert_allclose(heard(samples, rate, to, most), whole[:most], atol=1e-5)


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    return name + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)


def form(kind=1, channels=1, rate=8_000, block=2, bits=16) -> bytes:
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits))


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


PCM = np.arange(100, dtype="<i2").tobytes()


def test_other_chunks_are_passed_over() -> None:
    data = riff(chunk(b"LIST", b"odd"), form(), chunk(b"fact", b"1234"), chunk(b"data", PCM))
    np.testing.assert_array_equal(heard_by(data)[:100], np.arange(100) / 32_768)


def test_a_stream_of_unknown_length() -> None:
    np.testing.assert_array_equal(
        heard_by(riff(form(), chunk(b"data", PCM, 0xFFFFFFFF)))[:100], np.arange(100) / 32_768
    )


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", InvalidInput, "0 bytes that are none"),
        (b"RIFF\0\0\0\0AVI ", InvalidInput, "that are none"),
        (riff(), InvalidInput, '"fmt " and then "data"'),
        (riff(chunk(b"data", PCM), form()), InvalidInput, '"fmt " and then "data"'),
        (riff(form(), chunk(b"data", PCM, 999)), InvalidInput, "cut short"),
        (riff(form(), chunk(b"data", b"")), InvalidInput, "at least one sample"),
        (riff(form(), chunk(b"data", b"x")), InvalidInput, "at least one sample"),
        (riff(chunk(b"fmt ", b"short"), chunk(b"data", PCM)), InvalidInput, "16 bytes"),
        (riff(form(kind=0xFFFE), chunk(b"data", PCM)), InvalidInput, "26 bytes"),
        (riff(form(channels=0, block=0), chunk(b"data", PCM)), InvalidInput, "channels, received 0"),
        (riff(form(channels=65), chunk(b"data", PCM)), InvalidInput, "received 65"),
        (riff(form(rate=0), chunk(b"data", PCM)), InvalidInput, "samples a second, received 0"),
        (riff(form(block=4), chunk(b"data", PCM)), InvalidInput, "2 bytes a moment, received 4"),
        (riff(form(kind=7, block=1, bits=8), chunk(b"data", PCM)), UnsupportedMedia, "format 7"),
        (riff(form(bits=12, block=2, kind=3), chunk(b"data", PCM)), UnsupportedMedia, "12 bits"),
        (b"fLaC\0\0\0", UnsupportedMedia, "received FLAC"),
        (b"OggS", UnsupportedMedia, "received OGG"),
        (b"\x1a\x45\xdf\xa3", UnsupportedMedia, "received WebM"),
        (wave(np.array([0.1, np.nan, 0.2], "f4"), kind="FLOAT"), InvalidInput, "finite"),
        (wave(np.array([1e300, 0.2]), kind="DOUBLE"), InvalidInput, "finite"),
    ],
)  # fmt: skip
def test_what_is_no_wav_is_refused(data: bytes, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        decode_sound(data, HOW)


def test_a_huge_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return wav.MAX_BYTES + 1

    with pytest.raises(TooLarge, match="at most 1073741824 bytes"):
        decode_sound(Large(riff(form(), chunk(b"data", PCM))), HOW)


@settings(deadline=None)
@given(
    head=st.binary(min_size=16, max_size=44),
    body=st.binary(max_size=300),
    size=st.one_of(st.none(), st.integers(0, 2**32 - 1)),
)
def test_bytes_of_chance_give_a_row_or_a_typed_error(head: bytes, body: bytes, size) -> None:
    data = riff(chunk(b"fmt ", head), chunk(b"data", body, size))
    try:
        row = heard_by(data)
    except NumenError:
        return
    assert np.isfinite(row).all()
    assert np.abs(row).max() <= 2


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_gives_a_row_or_a_typed_error(data) -> None:
    whole = bytearray(wave(tone(8_000, seconds=0.05), kind="PCM_24", format="WAVEX"))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, 100))] = data.draw(st.integers(0, 255))
    try:
        row = heard_by(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except NumenError:
        return
    assert np.isfinite(row).all()
