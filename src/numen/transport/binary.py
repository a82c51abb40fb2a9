"""Binary tensors: an array's bytes, little-endian; BYTES elements carry their length as 4 bytes."""

from __future__ import annotations

import struct
import sys
from math import prod
from typing import Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array, TensorSpec

_SWAPPED: Final = sys.byteorder == "big"


def from_bytes(data: memoryview, dtype: str, shape: tuple[int, ...], name: str) -> Array:
    """A tensor's bytes as an array that shares their memory (BYTES are copied).

    Raises:
        InvalidInput: There are more or fewer bytes than the shape needs.
    """
    count = prod(shape)
    if dtype == "string":
        return _strings(data, count, name).reshape(shape)
    kind_ = np.dtype(dtype).newbyteorder("<")
    if count * kind_.itemsize != len(data):
        raise InvalidInput(
            f'input "{name}": expected {count * kind_.itemsize} bytes for {dtype}{list(shape)}, '
            f"received {len(data)}",
            field=name,
        )
    return np.frombuffer(data, kind_).reshape(shape)


def _strings(data: memoryview, count: int, name: str) -> Array:
    items: list[str] = []
    at = 0
    try:
        while at < len(data) and len(items) < count:
            (length,) = struct.unpack_from("<I", data, at)
            item = bytes(data[at + 4 : at + 4 + length])
            if len(item) != length:
                raise ValueError("cut short")
            items.append(item.decode())
            at += 4 + length
        if at != len(data) or len(items) != count:
            raise ValueError("another number of elements")
    except (struct.error, ValueError):
        raise InvalidInput(
            f'input "{name}": expected {count} UTF-8 elements, each with its length as 4 bytes',
            field=name,
        ) from None
    return np.array(items, dtype=object)


def to_bytes(array: Array, spec: TensorSpec) -> bytes:
    """An array as a binary tensor."""
    if spec.dtype != "string":
        if _SWAPPED:
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        return array.tobytes()
    items = (v if isinstance(v, bytes) else str(v).encode() for v in array.reshape(-1))
    return b"".join(struct.pack("<I", len(item)) + item for item in items)
