"""The splits of a dataset as they are written: in constant memory, their digest on the way.

A split is a context manager; left in order it is whole, left by an error it is nobody's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import numpy as np
import pyarrow as pa

from numen.core.errors import InvalidData
from numen.core.signature import Array

_SORTED: Final = 65_536  # rows put in order at a time


@dataclass
class _Split:
    """One split while it is written: a context manager that is complete when left in order.

    Attributes:
        folder: Where `<name>.arrow` is written.
        name: The split's name.
        column: Name of the column of inputs.
        target: Name of the column of targets.
        origin: The file named when there is nothing in it.
        target_dtype: Of targets: `int64` of classes, else `float32`.
        target_shape: Of one row's target, where it is more than one number.
        rows: How many were written so far.
    """

    folder: Path
    name: str
    column: str
    target: str
    origin: str
    target_dtype: str = field(default="int64", kw_only=True)
    target_shape: tuple[int, ...] = field(default=(), kw_only=True)
    rows: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._inputs_digest = hashlib.sha256()
        self._target_digest = hashlib.sha256()
        self._others: tuple[Any, ...] = ()

    @property
    def digest(self) -> str:
        """Of the rows written so far, in their order."""
        digests = (self._inputs_digest, self._target_digest, *self._others)
        return "".join(digest.hexdigest() for digest in digests)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._close()
        if kind is None:
            if not self.rows:
                raise InvalidData(f"{self.origin}: expected at least one row, found none")
            self._finish()

    def _close(self) -> None:
        """Gives back what is open."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Completes the file."""


@dataclass
class FixedSplit(_Split):
    """Rows of one shape and type, kept as one block that maps straight into an array.

    They are collected in plain files first, so that memory does not grow with the rows.
    """

    shape: tuple[int, ...]
    dtype: str
    beside: Mapping[str, str] = field(default_factory=dict)  # more columns of numbers: their types
    by: Callable[..., Array] | None = None  # from those columns, the order of the rows in the file

    def __post_init__(self) -> None:
        super().__post_init__()
        self._others = tuple(hashlib.sha256() for _ in self.beside)
        self._files: list[BinaryIO] = [path.open("wb") for path in self._paths()]

    def append(self, inputs: Array, target: Array, *beside: Array) -> None:
        """Adds rows.

        Args:
            inputs: `dtype[n, *shape]`.
            target: `target_dtype[n, *target_shape]`.
            *beside: `[n]` of each further column.
        """
        kinds = (self.dtype, self.target_dtype, *self.beside.values())
        given = (inputs, target, *beside)
        arrays = [np.ascontiguousarray(a, dtype=k) for a, k in zip(given, kinds, strict=True)]
        assert arrays[0].shape == (len(target), *self.shape)
        if not len(target):
            return
        digests = (self._inputs_digest, self._target_digest, *self._others)
        for array, file, digest in zip(arrays, self._files, digests, strict=True):
            raw = array.reshape(-1).view(np.uint8).data
            file.write(raw)
            digest.update(raw)
        self.rows += len(target)

    def _paths(self) -> list[Path]:
        columns = ["inputs", "target", *(f"beside{place}" for place in range(len(self.beside)))]
        return [self.folder / f".{self.name}.{column}" for column in columns]

    def _close(self) -> None:
        for file in self._files:
            file.close()

    def _finish(self) -> None:
        shapes = [(self.dtype, self.shape), (self.target_dtype, self.target_shape)]
        shapes += [(dtype, ()) for dtype in self.beside.values()]
        if self.by is not None:
            self._arrange(self.by, shapes)
        blocks = [
            _block(_mapped(path), dtype, self.rows, shape)
            for path, (dtype, shape) in zip(self._paths(), shapes, strict=True)
        ]
        batch = pa.record_batch(blocks, names=[self.column, self.target, *self.beside])
        path = self.folder / f"{self.name}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        for part in self._paths():
            part.unlink()

    def _arrange(self, by: Callable[..., Array], shapes: Any) -> None:
        """Puts the rows of all columns in order, a part at a time."""
        columns = [
            np.memmap(path, dtype, "r", shape=(self.rows, *shape))
            for path, (dtype, shape) in zip(self._paths(), shapes, strict=True)
        ]
        order = by(*columns[2:])
        for path, column in zip(self._paths(), columns, strict=True):
            with path.with_suffix(".sorted").open("wb") as file:
                for start in range(0, self.rows, _SORTED):
                    file.write(column[order[start : start + _SORTED]].tobytes())
            path.with_suffix(".sorted").replace(path)


@dataclass
class EncodedSplit(_Split):
    """Pictures as the bytes of their files, sounds as their samples, in batches of a few MB."""

    batch_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = _target_type(self.target_dtype, self.target_shape)
        self._schema = pa.schema([(self.column, pa.binary()), (self.target, kind)])
        self._sink = pa.OSFile(str(self.folder / f"{self.name}.arrow"), "wb")
        self._stream = pa.ipc.new_stream(self._sink, self._schema)
        self._held: list[tuple[bytes, Any]] = []
        self._size = 0

    def append(self, encoded: bytes, decoded: Array, target: int | Array) -> None:
        """Adds a row.

        Args:
            encoded: What is kept: a picture's file, or a sound's samples.
            decoded: What they stand for: `uint8[h, w]`, `uint8[h, w, 3]` or `int16[samples]`.
            target: The class, or `target_dtype[*target_shape]`.
        """
        self._inputs_digest.update(np.asarray(decoded.shape, "<i8").tobytes())
        self._inputs_digest.update(np.ascontiguousarray(decoded).data)
        said = np.asarray(target, self.target_dtype)
        assert said.shape == self.target_shape
        self._target_digest.update(said.tobytes())
        self._held.append((encoded, said.tolist()))
        self._size += len(encoded)
        self.rows += 1
        if self._size >= self.batch_bytes:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            columns = [list(column) for column in zip(*self._held, strict=True)]
            self._stream.write_batch(pa.record_batch(columns, schema=self._schema))
            self._held, self._size = [], 0

    def _close(self) -> None:
        self._flush()
        self._stream.close()
        self._sink.close()


@dataclass
class TextSplit(_Split):
    """Texts as they are, in batches of a few megabytes."""

    batch_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = _target_type(self.target_dtype, self.target_shape)
        self._schema = pa.schema([(self.column, pa.string()), (self.target, kind)])
        self._sink = pa.OSFile(str(self.folder / f"{self.name}.arrow"), "wb")
        self._stream = pa.ipc.new_stream(self._sink, self._schema)
        self._texts: list[str] = []
        self._targets: list[Array] = []
        self._size = 0

    def append(self, texts: list[str], target: Array) -> None:
        """Adds texts and their targets, `target_dtype[n, *target_shape]`."""
        target = np.ascontiguousarray(target, self.target_dtype)
        assert target.shape == (len(texts), *self.target_shape)
        for text in texts:
            raw = text.encode()
            self._inputs_digest.update(len(raw).to_bytes(8, "little") + raw)
            self._size += len(raw)
        self._target_digest.update(target.data)
        self._texts += texts
        self._targets.append(target)
        self.rows += len(texts)
        if self._size >= self.batch_bytes:
            self._flush()

    def _flush(self) -> None:
        if self._texts:
            targets = pa.array(np.concatenate(self._targets).reshape(-1))
            for size in reversed(self.target_shape):
                targets = pa.FixedSizeListArray.from_arrays(targets, size)
            columns = [pa.array(self._texts, pa.string()), targets]
            self._stream.write_batch(pa.record_batch(columns, schema=self._schema))
            self._texts, self._targets, self._size = [], [], 0

    def _close(self) -> None:
        self._flush()
        self._stream.close()
        self._sink.close()


def _target_type(dtype: str, shape: tuple[int, ...]) -> Any:
    kind = pa.from_numpy_dtype(np.dtype(dtype))
    for size in reversed(shape):
        kind = pa.list_(kind, size)
    return kind


def _mapped(path: Path) -> Any:
    with pa.memory_map(str(path)) as file:
        return file.read_buffer()


def _block(buffer: Any, dtype: str, rows: int, shape: tuple[int, ...]) -> Any:
    kind = pa.from_numpy_dtype(np.dtype(dtype))
    count = rows * int(np.prod(shape, dtype=np.int64))
    values = pa.Array.from_buffers(kind, count, [None, buffer])
    for size in reversed(shape):
        values = pa.FixedSizeListArray.from_arrays(values, size)
    return values
