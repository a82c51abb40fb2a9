"""The Open Inference Protocol's `ModelInfer` messages: bytes to a Request, an Answer to bytes.

Tensors travel raw (`raw_input_contents`) or typed (`contents`), in one message never both ways.
Answers are always raw. What a message says beside its values is remembered; see `grpc_outline`.
"""

from __future__ import annotations

import sys
import time
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from google.protobuf.message import DecodeError

from numen.core.errors import InvalidInput
from numen.core.message import Answer, Request
from numen.core.signature import Array, TensorSpec
from numen.serve.live import Endpoint
from numen.transport import tensors
from numen.transport.binary import from_bytes, to_bytes
from numen.transport.grpc_outline import Memory, Outline, varint
from numen.transport.proto import INFERENCE
from numen.transport.v2 import MAX_VALUES

_REQUEST: Final = INFERENCE.ModelInferRequest
_RESPONSE: Final = INFERENCE.ModelInferResponse
_CONTENTS: Final = {
    "bool": "bool_contents",
    "int8": "int_contents", "int16": "int_contents", "int32": "int_contents",
    "int64": "int64_contents",
    "uint8": "uint_contents", "uint16": "uint_contents", "uint32": "uint_contents",
    "uint64": "uint64_contents",
    "float32": "fp32_contents", "float64": "fp64_contents",
    "string": "bytes_contents",
}  # fmt: skip
_ID: Final = b"\x1a"
_RAW_OUTPUT: Final = b"\x32"


# What goes to the Service, and the names of the wanted outputs; None is all of them.
Call: TypeAlias = tuple[Request, tuple[str, ...] | None]
Metadata: TypeAlias = tuple[tuple[str, str], ...]
# An answer's message, and what is said beside it.
Reply: TypeAlias = tuple[bytes, Metadata]


def target(body: bytes) -> tuple[str, str | None]:
    """The model and the version that a message is for.

    Raises:
        InvalidInput: It is not a `ModelInferRequest`.
    """
    # The two come first, and short, from every protocol buffer library.
    if len(body) > 3 and body[0] == 0x0A and body[1] < 0x80:
        end = 2 + body[1]
        try:
            name = body[2:end].decode()
            if body[end] != 0x12:
                return name, None
            if body[end + 1] < 0x80:
                return name, body[end + 2 : end + 2 + body[end + 1]].decode() or None
        except (IndexError, UnicodeDecodeError):
            pass
    message = _parse(body)
    return message.model_name, message.model_version or None


def decode(body: bytes, endpoint: Endpoint, memory: Memory) -> Call:
    """Reads a call of the endpoint, whose messages' memory is given.

    Raises:
        InvalidInput: The message is malformed; what it lacks or has wrong is named.
    """
    for outline in memory.outlines.get(len(body), ()):
        inputs = outline.read(body)
        if inputs is not None:
            request = Request(endpoint.name, inputs, endpoint.version, outline.id_of(body))
            if outline.seconds is not None:
                request.deadline = time.monotonic() + outline.seconds
            return request, outline.outputs
    message = _parse(body)
    if (message.model_name, message.model_version or None) != target(body):
        raise InvalidInput('"model_name" or "model_version" is given twice', field="model_name")
    inputs = _inputs(message)
    tensors.in_columns(inputs, endpoint.signature)
    outputs = _outputs(message, endpoint)
    seconds = _seconds(message.parameters)
    memory.learn(Outline.of(body, inputs, outputs, seconds))
    deadline = None if seconds is None else time.monotonic() + seconds
    request = Request(endpoint.name, inputs, endpoint.version, message.id or None, deadline)
    return request, outputs


def memory_of(endpoint: Endpoint) -> Memory:
    """What was learnt of the messages to and from an endpoint."""
    found = endpoint.known.get(b"grpc")
    if not isinstance(found, Memory):
        found = endpoint.known[b"grpc"] = Memory()
    return found


def _parse(body: bytes) -> Any:
    try:
        return _REQUEST.FromString(body)
    except DecodeError:
        raise InvalidInput("the message is not a ModelInferRequest", field="message") from None


def _inputs(message: Any) -> dict[str, Array]:
    raw = message.raw_input_contents
    given = [tensor.name for tensor in message.inputs if tensor.HasField("contents")]
    if raw and given:
        raise InvalidInput(
            f'input "{given[0]}": expected either raw_input_contents for all inputs or contents '
            "in each, received both",
            field=given[0],
        )
    if raw and len(raw) != len(message.inputs):
        raise InvalidInput(
            f"raw_input_contents: expected {len(message.inputs)}, one for each input, "
            f"received {len(raw)}",
            field="raw_input_contents",
        )
    arrays: dict[str, Array] = {}
    for place, tensor in enumerate(message.inputs):
        name = tensor.name
        if not name:
            raise InvalidInput(f'"inputs[{place}].name" is missing', field="inputs")
        if name in arrays:
            raise InvalidInput(f'input "{name}" is given twice', field=name)
        if "shared_memory_region" in tensor.parameters:
            raise InvalidInput(
                f'input "{name}": shared memory is not supported',
                hint="send raw_input_contents",
                field=name,
            )
        dtype = tensors.datatype(tensor.datatype, name)
        shape = _shape(tensor.shape, name)
        if raw:
            arrays[name] = from_bytes(memoryview(raw[place]), dtype, shape, name)
        else:
            arrays[name] = _typed(tensor.contents, dtype, shape, name)
    return arrays


def _shape(sizes: Any, name: str) -> tuple[int, ...]:
    shape = tuple(sizes)
    if (
        len(shape) > tensors.MAX_RANK
        or any(size < 0 for size in shape)
        or prod(size or 1 for size in shape) > MAX_VALUES
    ):
        raise InvalidInput(
            f'input "{name}": expected shape as up to {tensors.MAX_RANK} whole numbers, '
            f"with a product of at most {MAX_VALUES}",
            field=name,
        )
    return shape


def _typed(contents: Any, dtype: str, shape: tuple[int, ...], name: str) -> Array:
    wanted = _CONTENTS.get(dtype)
    if wanted is None:
        raise InvalidInput(
            f'input "{name}": FP16 has no typed contents', hint="send raw_input_contents",
            field=name,
        )  # fmt: skip
    for field, _ in contents.ListFields():
        if field.name != wanted:
            raise InvalidInput(
                f'input "{name}": expected {wanted}, received {field.name}', field=name
            )
    values = getattr(contents, wanted)
    if len(values) != prod(shape):
        raise InvalidInput(
            f'input "{name}": expected {prod(shape)} values for shape {list(shape)}, '
            f"received {len(values)}",
            field=name,
        )
    if dtype == "string":
        try:
            texts = [value.decode() for value in values]
        except UnicodeDecodeError:
            raise InvalidInput(f'input "{name}": expected UTF-8 text', field=name) from None
        return np.array(texts, dtype=object).reshape(shape)
    try:
        # The list first: NumPy takes a repeated field's values one by one.
        return np.array(list(values), dtype=dtype).reshape(shape)
    except OverflowError:
        raise InvalidInput(
            f'input "{name}": expected {dtype}, received a value out of its range', field=name
        ) from None


def _outputs(message: Any, endpoint: Endpoint) -> tuple[str, ...] | None:
    names: list[str] = []
    for wanted in message.outputs:
        name = wanted.name
        endpoint.signature.output(name)
        if name in names:
            raise InvalidInput(f'output "{name}" is asked for twice', field=name)
        for parameter, hint in (
            ("classification", "ask /predict for labels"),
            ("shared_memory_region", "take raw_output_contents"),
        ):
            if parameter in wanted.parameters:
                raise InvalidInput(
                    f'output "{name}": {parameter} is not supported', hint=hint, field=name
                )
        names.append(name)
    return tuple(names) or None


def _seconds(parameters: Any) -> float | None:
    """How long the answer is wanted, as the message's parameters say."""
    seconds: float | None = None
    for key, per_second in (("deadline_ms", 1e3), ("timeout", 1e6)):
        if key not in parameters:
            continue
        choice = parameters[key].WhichOneof("parameter_choice")
        amount: Any = getattr(parameters[key], choice) if choice else None
        if type(amount) not in (int, float) or not 0 <= amount < 1e15:
            raise InvalidInput(f'"{key}": expected a number of at least 0', field=key)
        if amount or key == "deadline_ms":  # Triton's timeout of 0 means none
            given = amount / per_second
            seconds = given if seconds is None else min(given, seconds)
    return seconds


def encode(call: Call, endpoint: Endpoint, memory: Memory, answer: Answer) -> Reply:
    """Writes an answer."""
    request, wanted = call
    outputs = answer.outputs
    key: tuple[object, ...] = (
        answer.variant, answer.degraded, wanted, *[array.shape for array in outputs.values()]
    )  # fmt: skip
    form = memory.forms.get(key)
    if form is None:
        form = _form(wanted, endpoint, answer)
        memory.learn_form(key, form)
    metadata, parts = form
    if len(parts) == 1 and request.id is None:
        head, name, spec = parts[0]
        if spec is None:
            return head + outputs[name].tobytes(), metadata
    pieces: list[bytes] = []
    for head, name, spec in parts:
        if spec is None:
            pieces += (head, outputs[name].tobytes())
        else:
            data = to_bytes(outputs[name], spec)
            pieces += (head, _RAW_OUTPUT, varint(len(data)), data)
    if request.id is not None:
        id_ = request.id.encode()
        pieces += (_ID, varint(len(id_)), id_)
    return b"".join(pieces), metadata


# The metadata that go along with all answers of one form, and for each output what comes before
# its bytes, its name and, where their number is not known beforehand, its spec.
Form: TypeAlias = tuple[Metadata, list[tuple[bytes, str, TensorSpec | None]]]


def _form(wanted: tuple[str, ...] | None, endpoint: Endpoint, answer: Answer) -> Form:
    served_by, outcome = answer.served_by, answer.outcome
    message = _RESPONSE(model_name=endpoint.name, model_version=endpoint.version)
    message.parameters["numen_served_by"].string_param = served_by
    message.parameters["numen_outcome"].string_param = outcome
    specs = [endpoint.signature.output(name) for name in wanted or ()]
    parts: list[tuple[bytes, str, TensorSpec | None]] = []
    for spec in specs or endpoint.signature.outputs:
        array = answer.outputs[spec.name]
        message.outputs.add(name=spec.name, datatype=spec.datatype, shape=array.shape)
        if array.dtype.kind == "O" or array.dtype.byteorder == ">" or sys.byteorder == "big":
            parts.append((b"", spec.name, spec))
        else:
            parts.append((_RAW_OUTPUT + varint(array.nbytes), spec.name, None))
    first, name, unknown = parts[0]
    parts[0] = (message.SerializeToString() + first, name, unknown)
    return (("numen-served-by", served_by), ("numen-outcome", outcome)), parts
