"""Messages that differ from earlier ones in their tensors' values only, read without parsing.

A client sends the same JSON with every call of one shape. What stands around the values, to the
byte, is the key to what it said when it was parsed in full; only the values are read anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from numen.core.signature import Array
from numen.transport import tensors


class Layout(Protocol):
    """Where values lie in messages of one outline."""

    def read(self, data: bytes) -> dict[str, Array] | None:
        """The tensors, or None where the values do not fit and the message must be parsed."""


def outline(body: bytes, header_length: int | None) -> tuple[bytes, bytes]:
    """A message's key, and the part of it that holds the values.

    With binary tensors the key is the JSON header and the part is the whole body. Else the part
    is the last array of the JSON that holds no other, and the key is what stands around it.
    """
    if header_length is not None:
        return body[:header_length], body
    begin = body.rfind(b"[")
    end = body.find(b"]", begin) + 1
    return b"%b\0%b" % (body[:begin], body[end:]), body[begin:end]


def layout_of(inputs: Mapping[str, Array], body: bytes, header_length: int | None) -> Layout | None:
    """The layout of a message that was parsed, or None where none can be relied on."""
    if header_length is not None:
        return BinaryLayout.of(inputs, header_length, len(body))
    return FlatLayout.of(inputs, body)


class BinaryLayout:
    """Binary tensors behind one header.

    Args:
        inputs: The tensors of one such message, in order.
        at: Where the first begins.
        length: The messages' length.
    """

    __slots__ = ("_length", "_places")

    def __init__(self, inputs: Mapping[str, Array], at: int, length: int):
        self._length = length
        self._places: list[tuple[str, np.dtype[Any], int, int, tuple[int, ...]]] = []
        for name, array in inputs.items():
            self._places.append((name, array.dtype, array.size, at, array.shape))
            at += array.nbytes

    @classmethod
    def of(cls, inputs: Mapping[str, Array], at: int, length: int) -> BinaryLayout | None:
        """The layout, unless a tensor came as JSON or as BYTES, or is empty."""
        arrays = inputs.values()
        if any(array.dtype == object or not array.size for array in arrays):
            return None
        whole = sum(array.nbytes for array in arrays) == length - at
        return cls(inputs, at, length) if whole else None

    def read(self, data: bytes) -> dict[str, Array] | None:
        """The tensors of a body, sharing its memory."""
        if len(data) != self._length:
            return None
        return {
            name: np.frombuffer(data, dtype, size, at).reshape(shape)
            for name, dtype, size, at, shape in self._places
        }


class FlatLayout:
    """One tensor whose numbers are one flat JSON array.

    Args:
        name: The input's name.
        array: The tensor of one such message.
    """

    __slots__ = ("_dtype", "_name", "_shape", "_size")

    def __init__(self, name: str, array: Array):
        self._name = name
        self._dtype = array.dtype.name
        self._size = array.size
        self._shape = array.shape

    @classmethod
    def of(cls, inputs: Mapping[str, Array], body: bytes) -> FlatLayout | None:
        """The layout, where the array that the outline leaves out is surely the tensor's data.

        A message of one tensor holds at least three arrays: inputs, shape and data. If it has
        just three opening brackets, none is in a text or anywhere else, and the last one, behind
        the key `data`, is the tensor's.
        """
        before = body[: body.rfind(b"[")].rstrip(b" ")
        if len(inputs) != 1 or body.count(b"[") != 3 or not before.endswith(b'"data":'):
            return None
        ((name, array),) = inputs.items()
        return cls(name, array) if array.dtype.kind in "fiu" else None

    def read(self, data: bytes) -> dict[str, Array] | None:
        """The tensor, from the text of its array."""
        array = tensors.read_text(data, self._dtype, self._size)
        return None if array is None else {self._name: array.reshape(self._shape)}
