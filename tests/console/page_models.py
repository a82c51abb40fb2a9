"""Small models of sounds, texts, pictures and rows, made without training: what they say is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
from onnx import TensorProto, helper, numpy_helper

from numen.core.bundle import Bundle, Golden, pack_golden
from numen.core.manifest import (
    AudioInput,
    Classification,
    Column,
    ColumnsInput,
    ImageInput,
    Manifest,
    Preprocess,
    TextInput,
    Variant,
    WindowInput,
)
from numen.core.signature import Signature, TensorSpec
from numen.runtime.base import open_variant

RATE, SAMPLES = 8_000, 2_000
PITCHES = {"high": 1_500, "low": 400}
MOODS = ("bad", "good")
HALVES = ("early", "late")
TRENDS = ("down", "up")
COLOURS = ("red", "green", "blue")


def tone(hertz: float, seconds: float = 0.25, rate: int = RATE) -> np.ndarray:
    """A sine with little noise, `float64[n]`."""
    at = np.arange(round(rate * seconds)) / rate
    return 0.4 * np.sin(2 * np.pi * hertz * at) + 0.003 * np.random.default_rng(0).normal(
        size=len(at)
    )


def write_tone(path: Path, hertz: float, seconds: float = 0.25, rate: int = RATE) -> Path:
    """Such a tone as a WAV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(hertz, seconds, rate), rate)
    return path


def pitch_bundle(folder: Path, samples: int = SAMPLES) -> Bundle:
    """Tells `high` from `low` by how much neighbouring samples differ, against their size."""
    slices = {"first": 0, "second": 1, "before": samples - 1, "end": samples, "axis": 1}
    small = np.array([1e-4], np.float32)
    nodes = [
        helper.make_node("Slice", ["audio", "second", "end", "axis"], ["later"]),
        helper.make_node("Slice", ["audio", "first", "before", "axis"], ["sooner"]),
        helper.make_node("Sub", ["later", "sooner"], ["steps"]),
        helper.make_node("ReduceL1", ["steps", "axis"], ["change"], keepdims=1),
        helper.make_node("ReduceL1", ["audio", "axis"], ["size"], keepdims=1),
        helper.make_node("Add", ["size", "small"], ["some"]),
        helper.make_node("Div", ["change", "some"], ["ratio"]),  # 2 sin(pi f / rate) of a sine
        helper.make_node("Gemm", ["ratio", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    weights = {
        **{name: np.array([value], np.int64) for name, value in slices.items()},
        "small": small,
        "w": np.array([[8, -8]], np.float32),
        "b": np.array([-5.6, 5.6], np.float32),
    }
    x = np.stack([tone(hertz, samples / RATE) for hertz in PITCHES.values()]).astype(np.float32)
    how = AudioInput("audio", RATE, samples)
    return _bundle(folder, nodes, weights, how, tuple(PITCHES), x, 18)


def mood_bundle(folder: Path) -> Bundle:
    """Says `good` of a text with that word in it, `bad` of any other."""
    nodes = [
        helper.make_node("RegexFullMatch", ["text"], ["found"], pattern=r"(?s).*\bgood\b.*"),
        helper.make_node("Cast", ["found"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["number", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    weights = {"w": np.array([[-4, 4]], np.float32), "b": np.array([2, -2], np.float32)}
    x = np.array([["a good film"], ["dull"]], object)
    return _bundle(folder, nodes, weights, TextInput("text"), MOODS, x, 20)


def colour_bundle(folder: Path) -> Bundle:
    """Says which of red, green and blue there is most of in a picture of 8 by 8."""
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Softmax", ["mean"], ["probabilities"], axis=1),
    ]
    how = ImageInput("image", 8, 8, channels=3, layout="hwc", scale=1 / 32)
    x = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    return _bundle(folder, nodes, {"axes": np.array([1, 2])}, how, COLOURS, x, 18)


def season_bundle(folder: Path) -> Bundle:
    """Tells rows of the first half of a year from those of the second, by the month of a date."""
    columns = (
        Column("age"), Column("platform", ("desktop", "phone")), Column("since", date="ymd"),
        Column("note", words=4),
    )  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["features", "month"], ["only"], axis=1),
        helper.make_node("Gemm", ["only", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    weights = {
        "month": np.array([3]),  # age, platform, days, month
        "w": np.array([[-1, 1]], np.float32),
        "b": np.array([6.5, -6.5], np.float32),
    }
    x = np.arange(22, dtype=np.float32).reshape(2, 11)
    return _bundle(folder, nodes, weights, ColumnsInput("features", columns), HALVES, x, 18)


def trend_bundle(folder: Path) -> Bundle:
    """Of the last two of four rows, says whether the price went up or down."""
    nodes = [
        helper.make_node("Gather", ["rows", "last"], ["now"], axis=1),
        helper.make_node("Gather", ["rows", "sooner"], ["before"], axis=1),
        helper.make_node("Sub", ["now", "before"], ["step"]),
        helper.make_node("Gemm", ["step", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    weights = {
        "last": np.array(3), "sooner": np.array(2), "w": np.array([[-2, 2]], np.float32),
        "b": np.zeros(2, np.float32),
    }  # fmt: skip
    x = np.array([1, 2, 3, 4, 4, 3, 2, 1], np.float32).reshape(2, 4, 1)
    return _bundle(
        folder, nodes, weights, WindowInput("rows", (Column("price"),), 4), TRENDS, x, 18
    )


def _bundle(
    folder: Path,
    nodes: list[Any],
    weights: dict[str, np.ndarray],
    how: Preprocess,
    labels: tuple[str, ...],
    x: np.ndarray,
    opset: int,
) -> Bundle:
    folder.mkdir(parents=True, exist_ok=True)
    text = isinstance(how, TextInput)
    dtype, kind = ("string", TensorProto.STRING) if text else ("float32", TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "known",
        [helper.make_tensor_value_info(how.input, kind, ["n", *how.shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(labels)])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    path = folder / "known.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    manifest = Manifest(
        signature=Signature(
            (
                TensorSpec(
                    how.input,
                    dtype,
                    (None, *how.shape),
                    isinstance(how, ColumnsInput | WindowInput),
                ),
            ),
            (TensorSpec("probabilities", "float32", (None, len(labels))),),
        ),
        variants=(Variant("fp32", "onnx", "predict.onnx"),),
        preprocess=how,
        postprocess=Classification("probabilities", labels),
        framework="numpy",
        family="known",
    )
    parts = {"predict.onnx": path}
    first = Bundle.write(folder / "first", manifest, parts)
    y = open_variant(first).predict({how.input: x})
    golden = pack_golden(Golden({how.input: x}, y))
    return Bundle.write(folder / "bundle", manifest, {**parts, "golden.npz": golden})
