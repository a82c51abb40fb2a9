"""The stored rows of one split, by number: arrays that map the file, pictures, sounds, texts.

`Rows` is what Split reads from. Nothing is held in memory but what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from numen.core.centre import centre, ink_of
from numen.core.errors import CorruptBundle
from numen.core.manifest import AudioInput, TextInput, WindowInput
from numen.core.signature import Array
from numen.data.pixels import decode, drawing, fit
from numen.data.stored import Stored, as_array, as_targets, open_split

_FULL = np.float32(32_768)  # of 16 bits: the sample that stands for 1


class Rows(Protocol):
    """The rows of one stored split.

    Attributes:
        table: The Arrow table they lie in.
        input: Name of the input.
        target: `int64[n]` class indices, `float32[n]`, or `float32[n, k]` of several quantities or
            of labels that are 0 or 1.
        row_bytes: Bytes one row takes as input.

    Rows that know it have two more: `group`, `int64[n]`, alike for rows that belong together, and
    `order`, `float64[n]`, when each row was; or None.
    """

    table: Any
    input: str
    target: Array
    row_bytes: int

    def part(self, start: int, stop: int) -> Array:
        """Inputs of rows `start` to `stop`, `[stop - start, …]`; a view where rows are fixed."""

    def pick(self, indices: Array) -> Array:
        """Inputs of the rows numbered `indices`, `[len(indices), …]`; a copy."""


def open_rows(folder: Path, name: str, stored: Stored) -> Rows:
    """Opens a split of a stored dataset.

    Raises:
        CorruptBundle: The file is not what numen wrote.
    """
    table = open_split(folder / f"{name}.arrow", stored.rows[name])
    try:
        if isinstance(stored.preprocess, WindowInput):
            return WindowRows(table, stored)
        if isinstance(stored.preprocess, AudioInput):
            return AudioRows(table, stored)
        if isinstance(stored.preprocess, TextInput):
            return TextRows(table, stored)
        return EncodedRows(table, stored) if stored.encoded else FixedRows(table, stored)
    except (KeyError, ValueError) as error:
        raise CorruptBundle(f"dataset {folder}: split {name}: {error}") from error


class FixedRows:
    """Rows of one shape and type in one block of the file."""

    def __init__(self, table: Any, stored: Stored):
        self.table = table
        self.input = stored.preprocess.input
        self._inputs = as_array(table.column(0), stored.shape)
        self.target = as_array(table.column(1), stored.target_shape)
        self.row_bytes = self._inputs[:1].nbytes
        last = table.num_columns - 1
        self.group = as_array(table.column(2), ()) if stored.group else None
        self.order = as_array(table.column(last), ()) if stored.order else None

    def part(self, start: int, stop: int) -> Array:
        """A read-only view of the mapped file."""
        return self._inputs[start:stop]

    def pick(self, indices: Array) -> Array:
        """A copy of the rows asked for."""
        return self._inputs[indices]


class WindowRows:
    """Windows over rows that lie in the file once, by group and in order.

    A row with a target ends a window: with it stand the rows of its group before it. Rows without
    a target are only part of others' windows.
    """

    def __init__(self, table: Any, stored: Stored):
        how = stored.preprocess
        assert isinstance(how, WindowInput)
        self.table = table
        self.input = how.input
        self._steps = how.steps
        self._values = as_array(table.column(0), how.shape[1:])
        target = as_array(table.column(1), stored.target_shape)
        group, order = (as_array(table.column(place), ()) for place in (2, 3))
        starts = np.flatnonzero(np.diff(group, prepend=-1))
        self._first = np.repeat(starts, np.diff(starts, append=len(group)))
        known = target >= 0 if stored.target_dtype == "int64" else ~np.isnan(target)
        self._ends = np.flatnonzero(known.reshape(len(known), -1).all(axis=1))
        self.target = target[self._ends]
        self.row_bytes = how.steps * self._values[:1].nbytes
        self.group = group[self._ends] if stored.group else None
        self.order = order[self._ends]

    def part(self, start: int, stop: int) -> Array:
        """A copy of a run of windows."""
        return self.pick(np.arange(start, stop))

    def pick(self, indices: Array) -> Array:
        """A copy of the windows asked for, `float32[n, steps, columns]`."""
        ends = self._ends[indices][:, None]
        places = ends - np.arange(self._steps - 1, -1, -1)
        before = places < self._first[ends]
        made = self._values[np.where(before, ends, places)]
        made[before] = np.nan
        return made


class EncodedRows:
    """Pictures as their files' bytes, decoded when they are read."""

    def __init__(self, table: Any, stored: Stored):
        self.table = table
        self.input = stored.preprocess.input
        self._shape = stored.shape
        self._centred = getattr(stored.preprocess, "centre", None) is True
        chunks = table.column(0).chunks
        self._chunks = chunks
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self.target = as_targets(table.column(1), stored.target_shape)
        self.row_bytes = int(np.prod(self._shape))

    def part(self, start: int, stop: int) -> Array:
        """Decodes a run of rows."""
        return self.pick(np.arange(start, stop))

    def pick(self, indices: Array) -> Array:
        """Decodes the rows asked for, at the common size; drawings are centred."""
        pixels = np.empty((len(indices), *self._shape), np.uint8)
        for place, index in enumerate(indices.tolist()):
            encoded, origin = self.encoded(index), f"row {index + 1}"
            if self._centred:
                pixels[place] = centre(ink_of(*drawing(encoded, origin)), *self._shape)
            else:
                pixels[place] = fit(decode(encoded, origin), self._shape)
        return pixels

    def encoded(self, index: int) -> memoryview:
        """The bytes of one picture's file, a view of the mapped file."""
        chunk = int(np.searchsorted(self._starts, index, side="right")) - 1
        scalar = self._chunks[chunk][index - int(self._starts[chunk])]
        return memoryview(scalar.as_buffer())


class AudioRows(EncodedRows):
    """Sounds as 16-bit samples, each as long as it lasts; read as numbers from -1 to 1."""

    def __init__(self, table: Any, stored: Stored):
        super().__init__(table, stored)
        self.row_bytes *= 4

    def pick(self, indices: Array) -> Array:
        """The rows asked for, `float32[n, samples]`, filled up with silence."""
        sounds = np.zeros((len(indices), *self._shape), np.float32)
        for row, index in zip(sounds, indices.tolist(), strict=True):
            samples = np.frombuffer(self.encoded(index), "<i2")
            np.divide(samples, _FULL, out=row[: len(samples)], dtype=np.float32)
        return sounds


class TextRows:
    """Texts, taken out of the file when they are read."""

    def __init__(self, table: Any, stored: Stored):
        self.table = table
        self.input = stored.preprocess.input
        self._texts = table.column(0)
        self.target = as_targets(table.column(1), stored.target_shape)
        self.row_bytes = _OBJECT + self._texts.nbytes // max(len(self._texts), 1)

    def part(self, start: int, stop: int) -> Array:
        """A run of texts, `str[stop - start, 1]` as objects."""
        return _objects(self._texts.slice(start, stop - start))

    def pick(self, indices: Array) -> Array:
        """The texts asked for, `str[len(indices), 1]` as objects."""
        return _objects(self._texts.take(indices))


_OBJECT: Final = 64  # bytes of a Python string and of the reference to it, beside its characters


def _objects(texts: Any) -> Array:
    made = np.empty((len(texts), 1), object)
    made[:, 0] = texts.to_pylist()
    return made


class Taught:
    """Rows with other targets than those stored, or with inputs coded otherwise."""

    def __init__(self, rows: Rows, target: Array, recode: Callable[[Array], Array] | None = None):
        self.table, self.input, self.row_bytes = rows.table, rows.input, rows.row_bytes
        self.target = target
        self.group: Array | None = getattr(rows, "group", None)
        self.order: Array | None = getattr(rows, "order", None)
        self._rows, self._recode = rows, recode

    def part(self, start: int, stop: int) -> Array:
        """Inputs of rows `start` to `stop`."""
        made = self._rows.part(start, stop)
        return made if self._recode is None else self._recode(made)

    def pick(self, indices: Array) -> Array:
        """Inputs of the rows asked for."""
        made = self._rows.pick(indices)
        return made if self._recode is None else self._recode(made)
