"""Rows that went through a network trained before, kept: they come out of it the same each time.

A search trains many heads behind one body, and to measure and to compare asks for the same rows
again. What is kept is bounded, and only of the last few bodies.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

import numpy as np
import onnx

from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.train.bodies import FEATURES

_ROWS: Final = 32  # that go through a body at once
_MOST: Final = 512 << 20  # bytes kept of what one body gave
_BODIES: Final = 2
_kept: dict[bytes, _Encoder] = {}


def encoder(body: onnx.ModelProto, given: str) -> Callable[[Array], Array]:
    """What runs a body: `[rows, …]` to `float32[rows, features]`.

    Args:
        body: One input, one output `FEATURES`.
        given: The input's name.

    Raises:
        InvalidInput: The body does not run.
    """
    graph = body.SerializeToString()
    digest = blake2b(graph).digest()
    if digest not in _kept:
        while len(_kept) >= _BODIES:
            del _kept[next(iter(_kept))]
        _kept[digest] = _Encoder(graph, given)
    return _kept[digest]


class _Encoder:
    """A body, and what it gave so far."""

    def __init__(self, graph: bytes, given: str):
        import onnxruntime

        try:
            self._session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        except Exception as error:  # whatever the runtime cannot do
            raise InvalidInput(f"body: it does not run: {error}", field="body") from error
        self._given = given
        self._rows: dict[bytes, Array] = {}
        self._size = 0

    def __call__(self, x: Array) -> Array:
        rows = x if x.dtype == object else x.astype(np.float32, copy=False)
        keys = [_key(row) for row in rows]
        new = {key: place for place, key in enumerate(keys) if key not in self._rows}
        # Texts of one length together: a short one beside a long one is filled up to it.
        places = sorted(new.values(), key=lambda place: _length(rows[place]))
        found = dict(self._rows) if self._size > _MOST else self._rows
        if found is not self._rows:
            self._rows, self._size = {}, 0
        for begin in range(0, len(places), _ROWS):
            some = places[begin : begin + _ROWS]
            (made,) = self._session.run([FEATURES], {self._given: rows[some]})
            for place, row in zip(some, made, strict=True):
                found[keys[place]] = self._rows[keys[place]] = row
                self._size += row.nbytes
        return np.stack([found[key] for key in keys])


def _key(row: Array) -> bytes:
    plain = "\0".join(row.tolist()).encode() if row.dtype == object else row.tobytes()
    return blake2b(plain, digest_size=16).digest()


def _length(row: Array) -> int:
    return len(row[0]) if row.dtype == object else 0
