"""The Open Inference Protocol's messages: JSON, and the binary tensor extension.

A binary message is the JSON header, `Inference-Header-Content-Length` bytes long, then each
binary tensor's bytes in order, little-endian; BYTES elements carry their length as 4 bytes.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from numen.core.errors import InvalidInput, NumenError
from numen.core.message import Request
from numen.core.signature import Array, Signature, TensorSpec
from numen.serve.live import Endpoint
from numen.transport import tensors
from numen.transport.binary import from_bytes
from numen.transport.caller import Head
from numen.transport.form import Form
from numen.transport.layout import layout_of, outline
from numen.transport.tensors import MAX_RANK, JsonArray, JsonObject, kind, pick

MAX_VALUES: Final = 1 << 48
_TENSOR: Final = ("name", "datatype", "shape", "parameters", "data")


def decode_call(
    head: Head, body: bytes, endpoint: Endpoint, until: float | None = None
) -> tuple[Request, Form]:
    """Reads a call from its headers and body.

    Args:
        head: The headers.
        body: The body.
        endpoint: Which model is called.
        until: What the head's deadline came to when the request arrived; None if that is now.

    Raises:
        InvalidInput: It is malformed.
        UnsupportedMedia: It is of another content type or encoding.
    """
    head.check_json()
    deadline = head.deadline() if until is None else until
    request, form = decode(body, head.binary, endpoint)
    if deadline is not None:
        request.deadline = deadline
    return request, form


def decode(body: bytes, header_length: int | None, endpoint: Endpoint) -> tuple[Request, Form]:
    """Reads a call: what goes to the Service, and how its answer is to be written.

    Args:
        body: The request's body.
        header_length: Length of the JSON at its beginning; None is all of it, 0 is none of it
            (a raw request: the body is the model's only input).
        endpoint: Which model is called.

    Raises:
        InvalidInput: The message is malformed; what it lacks or has wrong is named.
    """
    if header_length == 0:
        return _decode_raw(body, endpoint)
    if header_length is not None and not 0 < header_length <= len(body):
        raise InvalidInput(
            f"Inference-Header-Content-Length: expected at most {len(body)} (the body), "
            f"received {header_length}",
            field="Inference-Header-Content-Length",
        )
    key, data = outline(body, header_length)
    known = endpoint.known.get(key)
    if known is not None:
        layout, form, rows = known
        inputs = layout.read(data)
        if inputs is not None:
            return _request(endpoint, inputs, form, rows), form
    said = _Said()
    inputs = _parse(body, header_length, said)
    tensors.in_columns(inputs, endpoint.signature)
    form = Form(endpoint, said.id, said.wanted(endpoint.signature), said.seconds)
    request = _request(endpoint, inputs, form, 0)
    if len(key) <= _MAX_KEY:
        found = layout_of(inputs, body, header_length)
        if found is not None:
            with contextlib.suppress(NumenError):  # what does not fit is refused by the Service
                request.rows = endpoint.signature.check_form(inputs)
                if len(endpoint.known) >= _MAX_KNOWN:
                    endpoint.known.clear()
                endpoint.known[key] = (found, form, request.rows)
    return request, form


def _request(endpoint: Endpoint, inputs: dict[str, Array], form: Form, rows: int) -> Request:
    deadline = None if form.seconds is None else time.monotonic() + form.seconds
    return Request(endpoint.name, inputs, endpoint.version, form.id, deadline, rows)


_MAX_KNOWN: Final = 128
_MAX_KEY: Final = 2048


@dataclass(slots=True)
class _Said:
    """What a message says beside its tensors; `outputs` None is all, `seconds` are to answer in."""

    id: str | None = None
    seconds: float | None = None
    binary: bool = False
    outputs: list[tuple[str, bool | None]] | None = None

    def wanted(self, signature: Signature) -> list[tuple[TensorSpec, bool]]:
        """The outputs wanted, and which of them as binary."""
        if not self.outputs:
            return [(spec, self.binary) for spec in signature.outputs]
        return [
            (signature.output(name), self.binary if binary is None else binary)
            for name, binary in self.outputs
        ]


def _parse(body: bytes, header_length: int | None, said: _Said) -> dict[str, Array]:
    head = body if header_length is None else body[:header_length]
    tail = memoryview(body)[len(head) :]
    with tensors.document(head) as doc:
        inputs = _message(doc, tail, said, head.count(b"["))
    if inputs is None:
        raise InvalidInput('"inputs" is missing: expected an array of tensors', field="inputs")
    return inputs


def _message(doc: Any, tail: memoryview, said: _Said, brackets: int) -> dict[str, Array] | None:
    id_, parameters, inputs, outputs = pick(doc, "id", "parameters", "inputs", "outputs")
    if parameters is not None:
        _parameters(parameters, said)
    if outputs is not None:
        said.outputs = _outputs(outputs)
    if id_ is not None:
        said.id = _text(id_, "id")
    if inputs is None:
        return None
    return _inputs(inputs, tail, brackets - (outputs is not None))


def _inputs(value: Any, tail: memoryview, brackets: int) -> dict[str, Array]:
    if not isinstance(value, JsonArray):
        raise InvalidInput(
            f'"inputs": expected an array of tensors, received {kind(value)}', field="inputs"
        )
    arrays: dict[str, Array] = {}
    at = 0
    # One bracket for the inputs, two for each one's shape and data: so no data is nested.
    flat = brackets == 1 + 2 * len(value)
    for place, item in enumerate(value):
        if not isinstance(item, JsonObject):
            raise InvalidInput(
                f'"inputs[{place}]": expected an object, received {kind(item)}', field="inputs"
            )
        name, kind_, sizes, parameters, data = pick(item, *_TENSOR)
        name = _text(name, f"inputs[{place}].name")
        if name in arrays:
            raise InvalidInput(f'input "{name}" is given twice', field=name)
        dtype = tensors.datatype(kind_, name)
        shape = _shape(sizes, name)
        size = _binary_size(parameters, name)
        if size is None:
            arrays[name] = tensors.read(data, dtype, shape, name, flat=flat)
        else:
            if data is not None:
                raise InvalidInput(
                    f'input "{name}": expected either data or binary_data_size, received both',
                    field=name,
                )
            if at + size > len(tail):
                raise InvalidInput(
                    f'input "{name}": expected {size} bytes of binary data, '
                    f"received {len(tail) - at}",
                    field=name,
                )
            arrays[name] = from_bytes(tail[at : at + size], dtype, shape, name)
            at += size
    if at != len(tail):
        raise InvalidInput(
            f'"binary_data_size": the inputs say {at} bytes of binary data in all, '
            f"received {len(tail)}",
            field="binary_data_size",
        )
    return arrays


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInput(
            f'"{field}": expected text, received '
            f"{'nothing' if value is None or value == '' else kind(value)}",
            field=field,
        )
    return value


def _shape(value: Any, name: str) -> tuple[int, ...]:
    sizes: Any = value.as_list() if isinstance(value, JsonArray) else value
    if (
        not isinstance(sizes, list)
        or len(sizes) > MAX_RANK
        or any(type(size) is not int or size < 0 for size in sizes)
        or prod(size or 1 for size in sizes) > MAX_VALUES
    ):
        raise InvalidInput(
            f'input "{name}": expected shape as up to {MAX_RANK} whole numbers, '
            f"with a product of at most {MAX_VALUES}",
            field=name,
        )
    return tuple(sizes)


def _binary_size(parameters: Any, name: str) -> int | None:
    if parameters is None:
        return None
    if not isinstance(parameters, JsonObject):
        raise InvalidInput(
            f'input "{name}": expected parameters as an object, received {kind(parameters)}',
            field=name,
        )
    (size,) = pick(parameters, "binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise InvalidInput(
            f'input "{name}": expected binary_data_size as a whole number', field=name
        )
    return size


def _decode_raw(body: bytes, endpoint: Endpoint) -> tuple[Request, Form]:
    specs = endpoint.signature.required
    if len(specs) != 1 or specs[0].dtype == "string" or None in specs[0].row:
        raise InvalidInput(
            f"model {endpoint.name}: a raw request needs a single input of fixed size",
            hint="send a JSON header",
            field="Inference-Header-Content-Length",
        )
    spec = specs[0]
    size = prod(size or 0 for size in spec.row) * spec.numpy.itemsize
    if not body or len(body) % size:
        raise InvalidInput(
            f'input "{spec.name}": expected a multiple of {size} bytes, received {len(body)}',
            field=spec.name,
        )
    shape = (len(body) // size, *(size or 0 for size in spec.row))
    array = from_bytes(memoryview(body), spec.dtype, shape, spec.name)
    wanted = [(output, True) for output in endpoint.signature.outputs]
    request = Request(endpoint.name, {spec.name: array}, endpoint.version)
    return request, Form(endpoint, None, wanted)


def _outputs(value: Any) -> list[tuple[str, bool | None]]:
    if not isinstance(value, JsonArray):
        raise InvalidInput(f'"outputs": expected an array, received {kind(value)}', field="outputs")
    wanted: list[tuple[str, bool | None]] = []
    for place, item in enumerate(value):
        if not isinstance(item, JsonObject):
            raise InvalidInput(
                f'"outputs[{place}]": expected an object, received {kind(item)}', field="outputs"
            )
        name = _text(item.get("name"), f"outputs[{place}].name")
        if any(name == other for other, _ in wanted):
            raise InvalidInput(f'output "{name}" is asked for twice', field=name)
        parameters = item.get("parameters")
        binary = None
        if parameters is not None:
            if not isinstance(parameters, JsonObject):
                raise InvalidInput(
                    f'output "{name}": expected parameters as an object, '
                    f"received {kind(parameters)}",
                    field=name,
                )
            if parameters.get("classification"):
                raise InvalidInput(
                    f'output "{name}": the classification extension is not supported',
                    hint="ask /predict for labels",
                    field=name,
                )
            binary = _flag(parameters, "binary_data")
        wanted.append((name, binary))
    return wanted


def _parameters(value: Any, said: _Said) -> None:
    if not isinstance(value, JsonObject):
        raise InvalidInput(
            f'"parameters": expected an object, received {kind(value)}', field="parameters"
        )
    said.binary = bool(_flag(value, "binary_data_output"))
    units = (("deadline_ms", 1e3), ("timeout", 1e6))
    amounts = pick(value, "deadline_ms", "timeout")
    for (key, per_second), amount in zip(units, amounts, strict=True):
        if amount is not None:
            if type(amount) not in (int, float) or amount < 0:
                raise InvalidInput(f'"{key}": expected a number of at least 0', field=key)
            if amount or key == "deadline_ms":  # Triton's timeout of 0 means none
                said.seconds = amount / per_second


def _flag(parameters: Any, name: str) -> bool | None:
    (value,) = pick(parameters, name)
    if value is not None and not isinstance(value, bool):
        raise InvalidInput(f'"{name}": expected true or false, received {kind(value)}', field=name)
    return value
