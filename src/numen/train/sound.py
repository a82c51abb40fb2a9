"""What is done to a sound before a network sees it: another rate, its log-mel spectrogram.

In NumPy to train, as convolutions of ONNX to serve. The spectrogram has the same loudness for every
recording and is 0 where there is silence, wherever that was filled up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import helper, numpy_helper

from numen.core.signature import Array, TensorSpec
from numen.core.sound import convolution
from numen.train.front import Front

Vary = Callable[[Array, np.random.Generator], Array]

BANDS: Final = 40
_WINDOW: Final = 0.032  # seconds
_STEP: Final = 0.010
_LOWEST: Final = 60.0  # Hz: below it lie hum and handling
_HIGHEST: Final = 8_000.0
DEPTH: Final = 8.0  # powers of ten below a recording's loudest that are told apart: 80 dB
_FAINTEST: Final = 1e-7  # power a recording's loudest band must have to count as loud
_NOTHING: Final = 1e-15  # keeps the logarithm of silence finite
_CHUNK: Final = 64  # rows whose frames are held at once
_OPSET: Final = 15


def at_rate(source: TensorSpec, rate: int, to: int) -> onnx.ModelProto:
    """A sound at another rate, as `numen.core.sound.resample` has it.

    Args:
        source: The sound, `float32[?, samples]`.
        rate: Its samples a second.
        to: Samples a second wanted.

    Returns:
        Gives `heard`, `float32[?, ceil(samples * to / rate)]`.
    """
    (samples,) = source.row
    assert samples is not None
    if rate == to:
        heard = TensorSpec("heard", "float32", source.shape)
        return _model([_node("Identity", [source.name], "heard")], source, heard, {})
    kernel, step, before = convolution(rate, to)
    up, taps = kernel.shape
    count = -(-samples * up // step)
    steps = -(-count // up)
    after = max(0, (steps - 1) * step + taps - before - samples)
    constants = {
        "around": np.array([0, before, 0, after]),
        "channel": np.array([0, 1, -1]),
        "kernel": kernel[:, None],
        "row": np.array([0, -1]),
        "from": np.array([0]),
        "until": np.array([count]),
        "axis": np.array([1]),
    }
    nodes = [
        _node("Pad", [source.name, "around"], "padded"),
        _node("Reshape", ["padded", "channel"], "lone"),
        _node("Conv", ["lone", "kernel"], "phases", strides=[step]),
        _node("Transpose", ["phases"], "turned", perm=[0, 2, 1]),
        _node("Reshape", ["turned", "row"], "joined"),
        _node("Slice", ["joined", "from", "until", "axis"], "heard"),
    ]
    return _model(nodes, source, TensorSpec("heard", "float32", (None, count)), constants)


def frames(samples: int, rate: int) -> int:
    """How many frames a sound of so many samples has; none where it is shorter than a window."""
    window, step = _sizes(rate)
    return max(0, 1 + (samples - window) // step)


def log_mel(source: TensorSpec, rate: int, bands: int = BANDS, vary: Vary | None = None) -> Front:
    """The log-mel spectrogram as a Front.

    Args:
        source: The sound, `float32[?, samples]`, at least one window of 32 ms long.
        rate: Samples a second.
        bands: Bands of frequency.
        vary: What training rows are turned into first; see `Front`.

    Returns:
        Gives `float32[?, frames, bands]`: 1 is a recording's loudest, 0 is 80 dB less.
    """
    (samples,) = source.row
    assert samples is not None
    count = frames(samples, rate)
    target = TensorSpec("spectrogram", "float32", (None, count, bands))
    window, step = _sizes(rate)
    shape = np.hanning(window + 1)[:window]
    weights = mel_filters(rate, window, bands) / (shape.sum() / 2) ** 2  # a full sine has power 1

    def encode(x: Array) -> Array:
        made = np.empty((len(x), count, bands), np.float32)
        for at in range(0, len(x), _CHUNK):
            framed = sliding_window_view(x[at : at + _CHUNK], window, axis=1)[:, ::step]
            waves = np.fft.rfft(framed * shape.astype(np.float32))
            power = waves.real**2 + waves.imag**2
            made[at : at + _CHUNK] = _levelled(power @ weights.astype(np.float32))
        return made

    return Front(target, encode, _graph(source, target, shape, weights, step), vary)


def mel_filters(rate: int, window: int, bands: int) -> Array:
    """Triangles that overlap by half on the mel scale (O'Shaughnessy, Speech Communication, 1987).

    Returns:
        `float64[window // 2 + 1, bands]`, from bins of the spectrum to bands. A band narrower
        than a bin takes its share of the two it lies between.
    """
    points = _points(rate, bands)
    # Each bin stands for the stretch of frequencies around it, sampled finely.
    fine = 16
    bins = window // 2 + 1
    at = (np.arange(bins * fine) + 0.5) / fine - 0.5
    hertz = at[:, None] * rate / window
    low, middle, high = points[:-2], points[1:-1], points[2:]
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles.reshape(bins, fine, bands).mean(axis=1))


def band_places(rate: int, bands: int, factors: Array) -> Array:
    """Where among the bands frequencies lie that are `factors` times those of the bands.

    Args:
        rate: Samples a second.
        bands: How many bands.
        factors: `[n, 1]`.

    Returns:
        `float64[n, bands]`, from 0, outside `0…bands - 1` where there is no such band.
    """
    points = _points(rate, bands)
    lowest, highest = _mel(points[0]), _mel(points[-1])
    return np.asarray(
        (_mel(points[1:-1] * factors) - lowest) / (highest - lowest) * (bands + 1) - 1
    )


def _points(rate: int, bands: int) -> Array:
    """Where each triangle of a band begins, has its top and ends: every third of them, in Hz."""
    lowest, highest = _mel(np.array([_LOWEST, min(_HIGHEST, rate / 2)]))
    return np.asarray(700 * (10 ** (np.linspace(lowest, highest, bands + 2) / 2595) - 1))


def _mel(hertz: Array) -> Array:
    return np.asarray(2595 * np.log10(1 + hertz / 700))


def _sizes(rate: int) -> tuple[int, int]:
    return round(_WINDOW * rate), max(1, round(_STEP * rate))


def _levelled(power: Array) -> Array:
    """`[n, frames, bands]` of power to 0-1, each recording by its own loudest."""
    level = np.log10(power + np.float32(_NOTHING))
    loudest = np.maximum(level.max(axis=(1, 2), keepdims=True), np.log10(_FAINTEST))
    return np.asarray(np.maximum((level - loudest) / np.float32(DEPTH) + 1, 0), np.float32)


def _graph(
    source: TensorSpec, target: TensorSpec, shape: Array, weights: Array, step: int
) -> onnx.ModelProto:
    """The same as ONNX: a convolution with the window's sines and cosines, one with the bands."""
    used = np.flatnonzero(weights.any(axis=1))
    turn = 2 * np.pi * np.outer(used, np.arange(len(shape))) / len(shape)
    waves = np.concatenate([np.cos(turn), np.sin(turn)]) * shape
    bands = np.concatenate([weights[used], weights[used]]).T
    constants = {
        "channel": np.array([0, 1, -1], np.int64),
        "waves": waves[:, None].astype(np.float32),
        "bands": bands[:, :, None].astype(np.float32),
        "nothing": np.float32(_NOTHING),
        "faintest": np.float32(np.log(_FAINTEST)),
        "depth": np.float32(1 / (DEPTH * np.log(10))),
        "one": np.float32(1),
    }
    nodes = [
        _node("Reshape", [source.name, "channel"], "lone"),
        _node("Conv", ["lone", "waves"], "parts", strides=[step]),
        _node("Mul", ["parts", "parts"], "squares"),
        _node("Conv", ["squares", "bands"], "power"),
        _node("Add", ["power", "nothing"], "more"),
        _node("Log", ["more"], "level"),
        _node("ReduceMax", ["level"], "most", axes=[1, 2], keepdims=1),
        _node("Max", ["most", "faintest"], "loudest"),
        _node("Sub", ["level", "loudest"], "below"),
        _node("Mul", ["below", "depth"], "scaled"),
        _node("Add", ["scaled", "one"], "raised"),
        _node("Relu", ["raised"], "levelled"),
        _node("Transpose", ["levelled"], target.name, perm=[0, 2, 1]),
    ]
    return _model(nodes, source, target, constants)


def _model(
    nodes: list[onnx.NodeProto], source: TensorSpec, target: TensorSpec, constants: dict[str, Any]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "sound", [_info(source)], [_info(target)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8, producer_name="numen"
    )


def _node(op: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=output, **attributes)


def _info(spec: TensorSpec) -> onnx.ValueInfoProto:
    shape = ["batch" if size is None else size for size in spec.shape]
    return helper.make_tensor_value_info(spec.name, onnx.TensorProto.FLOAT, shape)
