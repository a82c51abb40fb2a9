"""Weights in files of other frameworks, read as arrays without those frameworks.

Two forms: safetensors, and what PyTorch wrote before its version 1.6. The latter holds a pickle,
of which only the five names that a table of weights needs are known here, and none is run as it
is: a file that asks for any other is refused before anything of it happens.
"""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from numen.core.signature import Array

_DTYPES: Final = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
# PyTorch's serialization.py: a number that begins such a file, and the version of its form.
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001
_LARGEST: Final = 100 << 20  # bytes of a head


class NotWeights(ValueError):
    """A file is none of these forms, or holds something else than arrays."""


def read_safetensors(path: Path) -> dict[str, Array]:
    """Arrays by name.

    Raises:
        NotWeights: It is no such file.
    """
    data = np.fromfile(path, np.uint8)
    length = int.from_bytes(data[:8].tobytes(), "little")
    if not 2 <= length <= min(_LARGEST, len(data) - 8):
        raise NotWeights("no head of safetensors")
    try:
        head = json.loads(data[8 : 8 + length].tobytes())
        body = data[8 + length :]
        found = {}
        for name, about in head.items():
            if name == "__metadata__":
                continue
            begin, end = about["data_offsets"]
            dtype = np.dtype(_DTYPES[about["dtype"]])
            if not 0 <= begin <= end <= len(body):
                raise NotWeights(f"{name} lies outside of the file")
            found[name] = body[begin:end].view(dtype).reshape(about["shape"])
    except NotWeights:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotWeights(f"no safetensors: {error}") from error
    return found


def read_torch(path: Path) -> dict[str, Array]:
    """Arrays by name, of a file that PyTorch's `save` wrote before version 1.6.

    Raises:
        NotWeights: It is no such file, or holds more than arrays.
    """
    with path.open("rb") as file:
        try:
            if (_read(file), _read(file)) != (_MAGIC, _PROTOCOL):
                raise NotWeights("no file of PyTorch before 1.6")
            _read(file)  # of the machine it was written on
            storages: dict[str, _Storage] = {}
            table = _read(file, storages)
            for key in _read(file):
                storage = storages[key]
                count = int.from_bytes(file.read(8), "little")
                if count != storage.count:
                    raise NotWeights(f"expected {storage.count} numbers, found {count}")
                raw = file.read(count * storage.dtype.itemsize)
                storage.values = np.frombuffer(raw, storage.dtype)
            return {name: part.array() for name, part in table.items()}
        except NotWeights:
            raise
        except Exception as error:  # whatever bytes of chance make of the reader
            raise NotWeights(f"no weights of PyTorch: {error}") from error


@dataclass(slots=True)
class _Storage:
    """Numbers in a row; they come after the table."""

    dtype: np.dtype[Any]
    count: int
    values: Array | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """An array's place among such numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> Array:
        """The numbers, in the order of the shape."""
        values = self.storage.values
        if not len(self.shape) == len(self.strides) or min(self.shape, default=1) < 1:
            raise NotWeights(f"an array of shape {self.shape}, strides {self.strides}")
        last = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        inside = values is not None and self.offset >= 0 and self.offset + last < len(values)
        if values is None or not inside or min(self.strides, default=0) < 0:
            raise NotWeights("an array lies outside of its numbers")
        bytes_ = [step * values.itemsize for step in self.strides]
        return as_strided(values[self.offset :], self.shape, bytes_, writeable=False)


def _part(
    storage: Any, offset: Any, shape: Any, strides: Any, _gradient: Any, _hooks: Any
) -> _Part:
    if not isinstance(storage, _Storage):
        raise NotWeights("an array without numbers")
    return _Part(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


# What a table of weights names beside arrays; PyTorch's storages are stood in for by their type.
_STORAGES: Final[Mapping[str, str]] = {
    "FloatStorage": "<f4",
    "LongStorage": "<i8",
    "HalfStorage": "<f2",
}


class _Table(pickle.Unpickler):
    """Reads a table of weights and nothing else."""

    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]):
        super().__init__(file)
        self._storages = storages

    def find_class(self, module_name: str, global_name: str) -> Any:
        """One of the five names.

        Raises:
            NotWeights: It is another one.
        """
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return partial(_part)  # not itself: a file may write on what it is given
        if module_name == "torch" and global_name in _STORAGES:
            return _STORAGES[global_name]
        raise NotWeights(f"it asks for {module_name}.{global_name}, no part of a table of weights")

    def persistent_load(self, pid: Any) -> _Storage:
        """The numbers that a key stands for."""
        what, dtype, key, _, count, view = pid
        if what != "storage" or dtype not in _STORAGES.values() or view is not None:
            raise NotWeights(f"it refers to {what!r}")
        return self._storages.setdefault(str(key), _Storage(np.dtype(dtype), int(count)))


def _read(file: BinaryIO, storages: dict[str, _Storage] | None = None) -> Any:
    return _Table(file, {} if storages is None else storages).load()
