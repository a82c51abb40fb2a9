"""The stored rows of one split, by number: arrays that map the file, or pictures still encoded.

`Rows` is what Split reads from. Nothing is held in memory but what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from numen.core.errors import CorruptBundle
from numen.core.signature import Array
from numen.data.pixels import decode, fit
from numen.data.stored import Stored, as_array, flat, open_split


class Rows(Protocol):
    """The rows of one stored split.

    Attributes:
        table: The Arrow table they lie in.
        input: Name of the input.
        target: `int64[n]` class indices or `float32[n]`, a view of the file.
        row_bytes: Bytes one row takes as input.
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
        return EncodedRows(table, stored) if stored.encoded else FixedRows(table, stored)
    except (KeyError, ValueError) as error:
        raise CorruptBundle(f"dataset {folder}: split {name}: {error}") from error


class FixedRows:
    """Rows of one shape and type in one block of the file."""

    def __init__(self, table: Any, stored: Stored):
        self.table = table
        self.input = stored.preprocess.input
        self._inputs = as_array(table.column(0), stored.shape)
        self.target = as_array(table.column(1), ())
        self.row_bytes = self._inputs[:1].nbytes

    def part(self, start: int, stop: int) -> Array:
        """A read-only view of the mapped file."""
        return self._inputs[start:stop]

    def pick(self, indices: Array) -> Array:
        """A copy of the rows asked for."""
        return self._inputs[indices]


class EncodedRows:
    """Pictures as their files' bytes, decoded when they are read."""

    def __init__(self, table: Any, stored: Stored):
        self.table = table
        self.input = stored.preprocess.input
        self._shape = stored.shape
        chunks = table.column(0).chunks
        self._chunks = chunks
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks)])
        self.target = np.concatenate([flat(chunk) for chunk in table.column(1).chunks])
        self.row_bytes = int(np.prod(self._shape))

    def part(self, start: int, stop: int) -> Array:
        """Decodes a run of rows."""
        return self.pick(np.arange(start, stop))

    def pick(self, indices: Array) -> Array:
        """Decodes the rows asked for, at the common size."""
        pixels = np.empty((len(indices), *self._shape), np.uint8)
        for place, index in enumerate(indices.tolist()):
            pixels[place] = fit(decode(self.encoded(index), f"row {index + 1}"), self._shape)
        return pixels

    def encoded(self, index: int) -> memoryview:
        """The bytes of one picture's file, a view of the mapped file."""
        chunk = int(np.searchsorted(self._starts, index, side="right")) - 1
        scalar = self._chunks[chunk][index - int(self._starts[chunk])]
        return memoryview(scalar.as_buffer())


class Taught:
    """Rows with other targets than those stored, or with inputs coded otherwise."""

    def __init__(self, rows: Rows, target: Array, recode: Callable[[Array], Array] | None = None):
        self.table, self.input, self.row_bytes = rows.table, rows.input, rows.row_bytes
        self.target = target
        self._rows, self._recode = rows, recode

    def part(self, start: int, stop: int) -> Array:
        """Inputs of rows `start` to `stop`."""
        made = self._rows.part(start, stop)
        return made if self._recode is None else self._recode(made)

    def pick(self, indices: Array) -> Array:
        """Inputs of the rows asked for."""
        made = self._rows.pick(indices)
        return made if self._recode is None else self._recode(made)
