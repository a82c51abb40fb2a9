"""Outlines of messages: where the values lie in one, for the next of its kind.

Callers send the same message again and again, with other values and another id. An outline holds
every byte of a parsed message but those; a message of the same length with the same bytes in
those places means the same. Whatever differs is parsed in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from numen.core.signature import Array

MAX_FIXED: Final = 2048
_MAX_LENGTHS: Final = 256
_MAX_ALIKE: Final = 4
_MAX_FORMS: Final = 1024
_VALUE: Final = 2  # the wire type of bytes, texts and messages
# Fields on the way to a tensor's values.
_ID, _INPUTS, _RAW, _CONTENTS, _FP32, _FP64 = 3, 5, 7, 5, 6, 7


class Outline:
    """One kind of message.

    Attributes:
        length: Bytes of the message.
        outputs: Names of the outputs that it asks for.
        seconds: How long its answer is wanted.
    """

    __slots__ = ("_fixed", "_id", "_tensors", "length", "outputs", "seconds")

    def __init__(
        self,
        length: int,
        fixed: list[tuple[bytes, int]],
        id_: slice | None,
        tensors: list[tuple[str, tuple[int, ...], np.dtype[Any], int]],
        outputs: tuple[str, ...] | None,
        seconds: float | None,
    ):
        self.length = length
        self._fixed = fixed
        self._id = id_
        self._tensors = tensors
        self.outputs = outputs
        self.seconds = seconds

    @classmethod
    def of(
        cls,
        body: bytes,
        inputs: dict[str, Array],
        outputs: tuple[str, ...] | None,
        seconds: float | None,
    ) -> Outline | None:
        """The outline of a message that was parsed; None where its values are not in one piece."""
        ids = [(at, end) for field, at, end in _fields(body, 0, len(body)) if field == _ID]
        places = _places(body)
        if len(ids) > 1 or places is None or len(places) != len(inputs):
            return None
        tensors = []
        for (name, array), (begin, end) in zip(inputs.items(), places, strict=True):
            if array.dtype.kind == "O" or array.nbytes != end - begin:
                return None
            tensors.append((name, array.shape, array.dtype.newbyteorder("<"), begin))
        fixed = []
        at = 0
        for begin, end in sorted([*ids, *places]):
            fixed.append((body[at:begin], at))
            at = end
        fixed.append((body[at:], at))
        if sum(len(part) for part, _ in fixed) > MAX_FIXED:
            return None
        id_ = slice(*ids[0]) if ids else None
        return cls(len(body), [part for part in fixed if part[0]], id_, tensors, outputs, seconds)

    def read(self, body: bytes) -> dict[str, Array] | None:
        """The arrays in a message of the outline's length; they share its memory.

        Returns:
            None where the message is of another kind.
        """
        for part, at in self._fixed:
            if not body.startswith(part, at):
                return None
        if self._id is not None and not body[self._id].isascii():
            return None
        return {
            name: np.ndarray(shape, dtype, body, at) for name, shape, dtype, at in self._tensors
        }

    def id_of(self, body: bytes) -> str | None:
        """The id that a message of this kind has."""
        return None if self._id is None else body[self._id].decode() or None


class Memory:
    """What was learnt of the messages to and from one endpoint.

    Attributes:
        outlines: Kinds of messages by their length.
        forms: What answers say beside their values.
    """

    __slots__ = ("forms", "outlines")

    def __init__(self) -> None:
        self.outlines: dict[int, list[Outline]] = {}
        self.forms: dict[Any, Any] = {}

    def learn(self, outline: Outline | None) -> None:
        """Remembers one more kind; forgets others where there are too many."""
        if outline is None:
            return
        if len(self.outlines) >= _MAX_LENGTHS:
            self.outlines.clear()
        alike = self.outlines.setdefault(outline.length, [])
        alike.insert(0, outline)
        del alike[_MAX_ALIKE:]

    def learn_form(self, key: Any, form: Any) -> None:
        """Remembers what answers of a form say; forgets others where there are too many."""
        if len(self.forms) >= _MAX_FORMS:
            self.forms.clear()
        self.forms[key] = form


def varint(number: int) -> bytes:
    """A whole number as protocol buffers write it."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _places(body: bytes) -> list[tuple[int, int]] | None:
    """Where the tensors' values begin and end; None where some are not in one piece."""
    raw = []
    typed = []
    for number, begin, end in _fields(body, 0, len(body)):
        if number == _RAW:
            raw.append((begin, end))
        elif number == _INPUTS:
            contents = [span for field, *span in _fields(body, begin, end) if field == _CONTENTS]
            if len(contents) == 1:
                values = list(_fields(body, *contents[0]))
                if len(values) != 1 or values[0][0] not in (_FP32, _FP64):
                    return None
                typed.append(values[0][1:])
    return raw or typed


def _fields(body: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a sound message that hold bytes: number, and where the bytes begin and end."""
    sizes = {1: 8, 5: 4}
    while at < end:
        tag, at = _varint(body, at)
        kind = tag & 7
        if kind == _VALUE:
            length, at = _varint(body, at)
            yield tag >> 3, at, at + length
            at += length
        elif kind == 0:
            _, at = _varint(body, at)
        else:
            at += sizes.get(kind, end)  # groups are of the past: what follows is not read


def _varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        number |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return number, at
        shift += 7
