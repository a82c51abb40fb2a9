"""What goes over the wire: a request's body for some rows, and the array that an answer holds.

A door is a way into a server: where it is, and the language spoken there. Three languages of the
Open Inference Protocol, JSON, binary tensors and gRPC; and rows as nested lists under some key, for
servers that have a shape of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np


class Door(Protocol):
    """Where a request goes, what it carries, what its answer means."""

    path: str

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        """A request's body and headers."""

    def decode(self, body: bytes, headers: Mapping[str, str]) -> np.ndarray:
        """The answer to it, flat."""


class Tensors:
    """JSON of the Open Inference Protocol."""

    def __init__(self, model: str):
        self.path = f"/v2/models/{model}/infer"

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        body = compact({"inputs": [{**tensor(x), "data": x.ravel().tolist()}]})
        return body, {"content-type": "application/json"}

    def decode(self, body: bytes, headers: Mapping[str, str]) -> np.ndarray:
        return np.ravel(json.loads(body)["outputs"][0]["data"])


class BinaryTensors(Tensors):
    """The same with the binary tensor extension, both ways."""

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        size = {"parameters": {"binary_data_size": x.nbytes}}
        head = compact(
            {"inputs": [{**tensor(x), **size}], "parameters": {"binary_data_output": True}}
        )
        return head + x.tobytes(), {
            "content-type": "application/octet-stream",
            "inference-header-content-length": str(len(head)),
        }

    def decode(self, body: bytes, headers: Mapping[str, str]) -> np.ndarray:
        return np.frombuffer(body[int(headers["inference-header-content-length"]) :], np.float32)


class Rows:
    """JSON of a server's own: `{key: rows}` there, rows back, bare or under whatever key."""

    def __init__(self, path: str, key: str):
        self.path = path
        self._key = key

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        return compact({self._key: x.tolist()}), {"content-type": "application/json"}

    def decode(self, body: bytes, headers: Mapping[str, str]) -> np.ndarray:
        rows = json.loads(body)
        return np.ravel(next(iter(rows.values())) if isinstance(rows, dict) else rows)


class Grpc:
    """ModelInfer with raw contents; bodies are the bare messages, without gRPC's five-byte prefix.

    The messages are four fields deep at most, so they are written and read here and neither a
    compiler nor its output is needed.
    """

    path = "/inference.GRPCInferenceService/ModelInfer"

    def __init__(self, model: str):
        self._model = model

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        shape = b"".join(map(varint, x.shape))
        entry = field(1, b"x") + field(2, b"FP32") + field(3, shape)
        message = field(1, self._model.encode()) + field(5, entry) + field(7, x.tobytes())
        return message, {"content-type": "application/grpc", "te": "trailers"}

    def decode(self, body: bytes, headers: Mapping[str, str]) -> np.ndarray:
        raw = next(value for number, value in fields(body) if number == 6)
        return np.frombuffer(raw, np.float32)


def door(kind: str, model: str, shape: Mapping[str, str]) -> Door:
    """The door of a kind: "json", "binary" or "grpc"; `shape` where the JSON is not standard."""
    if shape:
        return Rows(**shape)
    return {"json": Tensors, "binary": BinaryTensors, "grpc": Grpc}[kind](model)


def tensor(x: np.ndarray) -> dict[str, Any]:
    return {"name": "x", "shape": list(x.shape), "datatype": "FP32"}


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def varint(number: int) -> bytes:
    """Protocol buffers' integer: seven bits a byte, the lowest first."""
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message that have a length (strings, bytes, messages); others are passed."""
    at = 0

    def integer() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = integer()
        size = integer()
        if tag & 7 == 2:
            yield tag >> 3, message[at : at + size]
            at += size
