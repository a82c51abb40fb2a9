"""What a WebSocket's frames say: one request a frame, one answer a frame.

A text frame is an infer message of the Open Inference Protocol, or an object of named fields or a
`value`, as `/predict` takes them. A binary frame is the length of its JSON in 4 bytes,
little-endian, the JSON of an infer message, then its binary tensors' bytes.
"""

from __future__ import annotations

import re
import struct
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

import orjson

from numen.core.errors import InvalidInput, NumenError
from numen.core.manifest import Manifest
from numen.core.message import Answer, Request
from numen.runtime.answer import describe
from numen.runtime.process import read_input
from numen.serve.live import Endpoint
from numen.transport import v2
from numen.transport.form import Form
from numen.transport.tensors import document, kind

# An id at the beginning is taken out before the rest is read: what is left is the same from
# frame to frame, so that it need not be parsed again. It holds no quotes and no escapes.
_ID: Final = re.compile(rb'\s*\{\s*"id"\s*:\s*"([ !#-\[\]-~]{1,256})"\s*,')
_LENGTH: Final = struct.Struct("<I")
_TOP: Final = 5


class Message(Protocol):
    """A request as it was read.

    Attributes:
        latest: Whether it cancels those before it that wait.
    """

    latest: bool

    @property
    def request(self) -> Request:
        """What goes to the Service."""

    def answer(self, answer: Answer) -> tuple[bytes, bool]:
        """The answer's frame, and whether it is a binary one."""


def read(data: bytes, binary: bool, endpoint: Endpoint) -> Message:
    """Reads a frame.

    Raises:
        InvalidInput: It is malformed; what it lacks or has wrong is named.
    """
    if binary:
        return _read_binary(data, endpoint)
    if b'"inputs"' in data and (b'"value"' not in data or "inputs" in _loads(data)):
        return _read_tensors(data, None, endpoint)
    return _read_friendly(data, endpoint)


def id_of(data: bytes, binary: bool) -> Any:
    """The id of a frame that could not be read, where it has one."""
    if binary:
        (length,) = _LENGTH.unpack_from(data) if len(data) >= _LENGTH.size else (0,)
        data = data[_LENGTH.size : _LENGTH.size + length]
    try:
        return orjson.loads(data)["id"]
    except (orjson.JSONDecodeError, TypeError, KeyError, IndexError):
        return None


def failure(error: NumenError, id_: Any) -> bytes:
    """An error as a text frame."""
    return orjson.dumps({"id": id_, **error.as_dict()})


@dataclass(slots=True)
class _Tensors:
    request: Request
    form: Form
    latest: bool
    binary: bool

    def answer(self, answer: Answer) -> tuple[bytes, bool]:
        body, length = self.form.write(answer.outputs)
        said = b',"parameters":%b}' % _served(answer.served_by, answer.outcome)
        if self.request.id is not None and self.form.id is None:
            begin = b'{"id":%b,' % orjson.dumps(self.request.id)
            body = begin + body[1:]
            length = None if length is None else length + len(begin) - 1
        if length is None:
            text = body[:-1] + said
            return (_LENGTH.pack(len(text)) + text, True) if self.binary else (text, False)
        size = _LENGTH.pack(length - 1 + len(said))
        return b"".join([size, body[: length - 1], said, memoryview(body)[length:]]), True


def _read_binary(data: bytes, endpoint: Endpoint) -> Message:
    begin = _LENGTH.size
    (length,) = _LENGTH.unpack_from(data) if len(data) >= begin else (0,)
    if not 0 < length <= len(data) - begin:
        raise InvalidInput(
            "frame: expected the length of its JSON as 4 bytes, little-endian, then as many "
            f"bytes, received {length} and {max(len(data) - begin, 0)} bytes",
            hint="send JSON alone as a text frame",
        )
    message = _read_tensors(data[begin:], length, endpoint)
    head = data[begin : begin + length]
    # What does not say otherwise is answered as it was asked.
    if b'"binary_data"' not in head and b'"binary_data_output"' not in head:
        message.form = message.form.all_binary
    return message


def _read_tensors(body: bytes, length: int | None, endpoint: Endpoint) -> _Tensors:
    id_ = None
    if found := _ID.match(body, 0, len(body) if length is None else length):
        id_ = found.group(1).decode("ascii")
        body = b"{" + body[found.end() :]
        length = None if length is None else length - found.end() + 1
    request, form = v2.decode(body, length, endpoint)
    if id_ is not None:
        request.id = id_
    latest = b'"latest"' in body and _latest(_loads(body[:length]).get("parameters"))
    return _Tensors(request, form, latest, length is not None)


@dataclass(slots=True)
class _Friendly:
    request: Request
    manifest: Manifest
    latest: bool

    def answer(self, answer: Answer) -> tuple[bytes, bool]:
        rows = describe(self.manifest, answer.outputs, _TOP)
        said = orjson.dumps(
            {
                **({} if self.request.id is None else {"id": self.request.id}),
                "model": answer.model,
                "version": answer.version,
                **(rows[0] if len(rows) == 1 else {"rows": rows}),
            }
        )
        served = _served(answer.served_by, answer.outcome)
        return b'%b,"parameters":%b}' % (said[:-1], served), False


def _read_friendly(data: bytes, endpoint: Endpoint) -> Message:
    fields = _loads(data)
    id_, parameters = fields.pop("id", None), fields.pop("parameters", None)
    if not (id_ is None or (isinstance(id_, str) and id_)):
        raise InvalidInput(f'"id": expected text, received {kind(id_)}', field="id")
    latest, deadline = _latest(parameters), _deadline(parameters)
    if not fields:
        raise InvalidInput(
            'frame: expected "inputs", a "value" or named fields, received none', field="value"
        )
    value = fields["value"] if fields.keys() == {"value"} else fields
    inputs = read_input(endpoint.manifest, value)
    request = Request(endpoint.name, inputs, endpoint.version, id_, deadline)
    return _Friendly(request, endpoint.manifest, latest)


def _loads(data: bytes) -> dict[str, Any]:
    with document(data, "frame"):  # the one parser with a depth limit
        pass
    loaded: dict[str, Any] = orjson.loads(data)
    return loaded


def _latest(parameters: Any) -> bool:
    value = _parameter(parameters, "latest")
    if not (value is None or isinstance(value, bool)):
        raise InvalidInput(
            f'"latest": expected true or false, received {kind(value)}', field="latest"
        )
    return bool(value)


def _deadline(parameters: Any) -> float | None:
    amount = _parameter(parameters, "deadline_ms")
    if amount is None:
        return None
    if type(amount) not in (int, float) or amount < 0:
        raise InvalidInput('"deadline_ms": expected a number of at least 0', field="deadline_ms")
    return time.monotonic() + float(amount) / 1e3


def _parameter(parameters: Any, name: str) -> Any:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise InvalidInput(
            f'"parameters": expected an object, received {kind(parameters)}', field="parameters"
        )
    return parameters.get(name)


@lru_cache(maxsize=1024)
def _served(served_by: str, outcome: str) -> bytes:
    return orjson.dumps({"outcome": outcome, "served_by": served_by})
