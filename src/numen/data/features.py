"""What of rows can be counted: columns as they are, and simple features of what has none.

A picture is its brightness, contrast and sharpness; a sound how loud and how shrill it is; a text
how long. Coarse, but what changes first when a camera, a microphone or an audience does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from numen.core.manifest import (
    AudioInput,
    Column,
    ColumnsInput,
    ImageInput,
    Preprocess,
    TextInput,
    WindowInput,
)
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.data.split import Split

_BATCH: Final = 1_024
_LABELS: Final = 50  # that are counted, where a row carries any number
_FLAG: Final = ("no", "yes")
_SILENT: Final = 0.01  # of full scale: 40 dB below it


@dataclass(frozen=True, slots=True)
class Measured:
    """One column of some rows.

    Attributes:
        name: What it is called.
        values: `float[rows]`; NaN is missing, a category is its place among the categories.
        categories: Of a category.
    """

    name: str
    values: Array
    categories: tuple[str, ...] | None = None


def measure(data: Dataset, split: Split) -> list[Measured]:
    """A split's columns or features, and its target.

    Args:
        data: Says what the rows are.
        split: The rows.
    """
    of = _OF[type(data.preprocess)]
    parts: dict[str, list[Array]] = {}
    for batch in split.batches(_BATCH):
        (rows,) = batch.inputs.values()
        for name, values in of(rows, data.preprocess):
            parts.setdefault(name, []).append(values)
    kinds = {column.name: column.categories for column in _columns(data.preprocess)}
    found = [Measured(name, np.concatenate(p), kinds.get(name)) for name, p in parts.items()]
    return [*found, *told("target", data, split.target)]


def told(what: str, data: Dataset, values: Array) -> list[Measured]:
    """Targets, or what a model says in their form, as columns.

    Args:
        what: `target`, or `said`.
        data: Says what the numbers are.
        values: `int[n]` classes, `float[n]`, or `float[n, k]` of quantities or of labels that are 0
            or 1.
    """
    if data.several:
        names = (data.labels or ())[:_LABELS]
        carried = Measured(f"{what}: labels a row", values.sum(axis=1).astype(np.float64))
        flags = values.astype(np.float64).T
        each = (Measured(f"{what}: {n}", v, _FLAG) for n, v in zip(names, flags, strict=False))
        return [carried, *each]
    if data.quantities:
        columns = values.astype(np.float64).T
        names = data.quantities
        return [Measured(f"{what}: {n}", v) for n, v in zip(names, columns, strict=True)]
    return [Measured(f"{what}: {data.target}", values.astype(np.float64), data.labels)]


def _columns(how: Preprocess) -> Sequence[Column]:
    return how.columns if isinstance(how, ColumnsInput | WindowInput) else ()


Named = Iterator[tuple[str, Array]]


def _of_columns(rows: Array, how: Preprocess) -> Named:
    table = rows.reshape(-1, rows.shape[-1]).astype(np.float64)  # of a window, every row counts
    at = 0
    for column in _columns(how):
        parts = range(column.width)
        for part in parts:
            name = column.name if len(parts) == 1 else f"{column.name} {part + 1}"
            yield name, table[:, at + part]
        at += column.width


def _of_pictures(pixels: Array, _: Preprocess) -> Named:
    values = pixels.astype(np.float32) / 255
    flat = values.reshape(len(values), -1)
    yield "brightness", flat.mean(1)
    yield "contrast", flat.std(1)
    yield "dark", (flat < 0.1).mean(1)
    yield "bright", (flat > 0.9).mean(1)
    steps = [np.abs(np.diff(values, axis=axis)).reshape(len(values), -1) for axis in (1, 2)]
    yield "sharpness", np.concatenate(steps, 1).mean(1) if steps[0].size else flat.std(1)
    if values.ndim == 4:
        for place, name in enumerate(("red", "green", "blue")):
            yield name, values[..., place].reshape(len(values), -1).mean(1)


def _of_sounds(samples: Array, how: Preprocess) -> Named:
    assert isinstance(how, AudioInput)
    x = samples.reshape(len(samples), -1).astype(np.float32)
    yield "loudness (dB)", 10 * np.log10(np.maximum((x**2).mean(1), 1e-10))
    yield "peak", np.abs(x).max(1)
    yield "silence", (np.abs(x) < _SILENT).mean(1)
    power = np.abs(np.fft.rfft(x, axis=1)) ** 2
    pitch = np.fft.rfftfreq(x.shape[1], 1 / how.rate)
    yield "centroid (Hz)", (power @ pitch) / np.maximum(power.sum(1), 1e-10)


def _of_texts(texts: Array, _: Preprocess) -> Named:
    lines = [str(text) for text in texts.reshape(-1)]
    words = [line.split() for line in lines]
    yield "characters", np.array([len(line) for line in lines], np.float64)
    yield "words", np.array([len(each) for each in words], np.float64)
    lengths = [sum(map(len, each)) / len(each) if each else np.nan for each in words]
    yield "letters a word", np.array(lengths)
    foreign = [sum(not c.isascii() for c in line) / max(len(line), 1) for line in lines]
    yield "not ASCII", np.array(foreign)
    capital = [sum(c.isupper() for c in line) / max(len(line), 1) for line in lines]
    yield "capitals", np.array(capital)


_OF: Final[dict[type, Callable[[Array, Preprocess], Named]]] = {
    ColumnsInput: _of_columns,
    WindowInput: _of_columns,
    ImageInput: _of_pictures,
    AudioInput: _of_sounds,
    TextInput: _of_texts,
}
