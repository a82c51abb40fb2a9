"""Spectrograms: the same in NumPy and in ONNX, of any loudness, and how they are varied."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from numen.core.signature import TensorSpec
from numen.core.sound import resample
from numen.train.sound import at_rate, band_places, frames, log_mel, mel_filters
from numen.train.voices import Variation, varied


def sounds(rate: int, samples: int) -> np.ndarray:
    """Noise, a tone, a tone that stops, something faint, and silence."""
    at = np.arange(samples) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * at)
    noise = np.random.default_rng(0).standard_normal(samples) * 0.1
    rows = [noise, tone, np.where(at < at[-1] / 2, tone, 0), tone * 1e-3 + noise * 1e-5, at * 0]
    return np.array(rows, np.float32)


@pytest.mark.parametrize(
    ("rate", "samples", "bands"), [(8_000, 6_001, 40), (16_000, 16_000, 64), (11_025, 353, 20)]
)
def test_onnx_does_what_numpy_does(rate: int, samples: int, bands: int) -> None:
    front = log_mel(TensorSpec("audio", "float32", (None, samples)), rate, bands)
    x = sounds(rate, samples)
    made = front.encode(x)
    assert made.shape == (5, frames(samples, rate), bands) == (5, *front.spec.row)
    session = onnxruntime.InferenceSession(front.graph.SerializeToString())
    (received,) = session.run([front.spec.name], {"audio": x})
    np.testing.assert_allclose(received, made, atol=1e-4)
    (one,) = session.run(None, {"audio": x[1:2]})
    np.testing.assert_allclose(one, made[1:2], atol=1e-4)


@pytest.mark.parametrize(
    ("rate", "to", "samples"),
    [(8_000, 16_000, 1000), (44_100, 16_000, 5001), (16_000, 8_000, 777), (48_000, 16_000, 3),
     (11_025, 16_000, 999), (16_000, 16_000, 50)],
)  # fmt: skip
def test_another_rate_is_what_files_are_brought_to(rate: int, to: int, samples: int) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (2, samples)).astype(np.float32)
    graph = at_rate(TensorSpec("sound", "float32", (None, samples)), rate, to)
    (found,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"sound": x})
    np.testing.assert_allclose(found, [resample(row, rate, to) for row in x], atol=2e-6)


def test_only_operators_that_engines_know() -> None:
    graph = log_mel(TensorSpec("audio", "float32", (None, 800)), 8_000).graph
    assert {node.op_type for node in graph.graph.node} <= {
        "Reshape", "Conv", "Mul", "Add", "Log", "ReduceMax", "Max", "Sub", "Relu", "Transpose",
    }  # fmt: skip


def test_a_tone_stands_in_its_band_and_silence_is_nothing() -> None:
    front = log_mel(TensorSpec("audio", "float32", (None, 8_000)), 8_000)
    noise, tone, stopped, _, silence = front.encode(sounds(8_000, 8_000))
    band = int(np.abs(np.round(band_places(8_000, 40, np.ones((1, 1)))[0]) - np.arange(40)).max())
    assert band == 0
    middle = mel_filters(8_000, 256, 40)[round(440 / 8_000 * 256)].argmax()
    assert abs(int(tone.mean(axis=0).argmax()) - int(middle)) <= 1
    assert stopped[60:].max() == 0
    assert silence.max() == 0
    assert 0.9 < noise.max() <= 1


def test_loudness_does_not_matter() -> None:
    front = log_mel(TensorSpec("audio", "float32", (None, 4_000)), 8_000)
    x = sounds(8_000, 4_000)[:2]
    np.testing.assert_allclose(front.encode(x * 0.1), front.encode(x), atol=1e-4)


def test_filters_pass_all_that_lies_between_the_first_and_the_last() -> None:
    weights = mel_filters(16_000, 512, 40)
    assert weights.shape == (257, 40)
    np.testing.assert_allclose(weights[20:230].sum(axis=1), 1, atol=0.05)
    assert (weights.max(axis=0) > 0).all()


def test_varied_rows_are_the_same_for_the_same_seed() -> None:
    rows = log_mel(TensorSpec("audio", "float32", (None, 4_000)), 8_000).encode(
        sounds(8_000, 4_000)
    )
    one, two, other = (
        varied(rows, np.random.default_rng(seed), 8_000, Variation()) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.1
    assert (one.shape, one.dtype) == (rows.shape, np.float32)
    assert np.isfinite(one).all()


def test_nothing_is_varied_by_nothing() -> None:
    rows = log_mel(TensorSpec("audio", "float32", (None, 4_000)), 8_000).encode(
        sounds(8_000, 4_000)
    )
    same = varied(rows, np.random.default_rng(0), 8_000, Variation().times(0))
    np.testing.assert_allclose(same, rows, atol=1e-6)


def test_a_higher_voice_moves_the_bands() -> None:
    places = band_places(8_000, 40, np.array([[1.0], [1.1]]))
    np.testing.assert_allclose(places[0], np.arange(40), atol=1e-9)
    assert (places[1] > places[0]).all()
