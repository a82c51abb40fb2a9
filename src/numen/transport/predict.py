"""The friendly door, `/predict/{m}`: a picture, sound, text, fields or numbers in, a label out."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request, Response

from numen.core.errors import InvalidInput, UnsupportedMedia
from numen.core.manifest import AudioInput
from numen.core.message import Request as Call
from numen.core.reference import Reference
from numen.core.signature import Arrays
from numen.runtime.answer import describe
from numen.runtime.process import count_pixels, read_input
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.transport import caller
from numen.transport.binary import to_bytes
from numen.transport.caller import JSON, Head
from numen.transport.status import responses
from numen.transport.tensors import document

_PICTURES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp")
_SOUNDS: Final = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
_TEXT: Final = "text/plain"
_CSV: Final = "text/csv"
# Beyond this many pixels or bytes, reading it would hold up everybody else's requests.
_LARGE: Final = 1 << 20
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_PLAIN: Final = {"schema": {"type": "string"}}
_SCORE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "probability": {"type": "number"}},
}
_DOC: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys((*_PICTURES[:2], _SOUNDS[0]), _BINARY),
            **dict.fromkeys((_TEXT, _CSV), _PLAIN),
            "application/json": {"schema": {}},
        },
    },
    "responses": {
        "200": {
            "description": "What the model says of it",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["model", "version"],
                        "properties": {
                            "model": {"type": "string"},
                            "version": {"type": "string"},
                            **_SCORE["properties"],
                            "top": {"type": "array", "items": _SCORE},
                            "set": {
                                "type": "array",
                                "items": {"type": "string"},
                                "description": "Labels that cannot be ruled out, if it has sets",
                            },
                            "interval": {
                                "type": "array",
                                "items": {"type": "number"},
                                "description": "Where the quantity lies, if it has intervals",
                            },
                            "labels": {"type": "array", "items": {"type": "string"}},
                            "scores": {
                                "type": "object",
                                "additionalProperties": {"type": "number"},
                            },
                            "rows": {"type": "array", "items": {"type": "object"}},
                        },
                    }
                }
            },
        }
    },
}
_INPUT_DOC: Final[dict[str, Any]] = {
    "requestBody": _DOC["requestBody"],
    "responses": {
        "200": {
            "description": "Ready for /v2/models/{model}/infer and /explain",
            "content": {"application/octet-stream": _BINARY},
        }
    },
}
_REFUSALS: Final = responses(400, 404, 413, 415, 429, 503, 504)


def router(service: Service) -> APIRouter:
    """The door's route."""
    routes = APIRouter(tags=["Predict"])
    large = asyncio.Lock()  # one at a time: each may take hundreds of megabytes

    async def read(request: Request, model: str) -> tuple[Endpoint, Call]:
        """What a request's body becomes for the model that its path names."""
        reference = Reference.parse(model)
        version = reference.alias if reference.version is None else str(reference.version)
        head = Head(request.headers.raw)
        head.check_encoding()
        deadline = head.deadline()
        endpoint = await service.awake(reference.name, version, deadline)
        manifest = endpoint.manifest
        kind = head.content_type.decode("latin-1")
        if kind in _SOUNDS and not isinstance(manifest.preprocess, AudioInput):
            raise UnsupportedMedia(
                f"Content-Type: model {endpoint.name} does not take sounds", field="Content-Type"
            )
        body = await request.body()
        pixels = count_pixels(body) if kind in _PICTURES else 0
        if max(len(body), pixels) > _LARGE:
            async with large:
                inputs = await asyncio.to_thread(lambda: read_input(manifest, _value(kind, body)))
        else:
            inputs = read_input(manifest, _value(kind, body))
        return endpoint, Call(reference.name, inputs, version, deadline=deadline)

    @routes.post(
        "/predict/{model}",
        summary="A picture, a sound, a text, named fields or numbers to a label",
        responses=_REFUSALS,
        openapi_extra=_DOC,
    )
    async def predict(
        request: Request,
        model: str,
        top: Annotated[int, Query(ge=1, le=1000, description="How many labels to name")] = 5,
    ) -> dict[str, Any]:
        endpoint, call = await read(request, model)
        answer = await caller.predict(service, request, call)
        rows = describe(endpoint.manifest, answer.outputs, top)
        who = {"model": endpoint.name, "version": endpoint.version}
        return {**who, **rows[0]} if len(rows) == 1 else {**who, "rows": rows}

    @routes.post(
        "/predict/{model}/input",
        summary="The same as the model's input: a request of the Open Inference Protocol",
        response_class=Response,
        responses=_REFUSALS,
        openapi_extra=_INPUT_DOC,
    )
    async def as_input(request: Request, model: str) -> Response:
        endpoint, call = await read(request, model)
        return _written(endpoint, call.inputs)

    return routes


def _written(endpoint: Endpoint, inputs: Arrays) -> Response:
    """A request with binary tensors: JSON has no word for a value that is missing."""
    tensors, parts = [], []
    for name, array in inputs.items():
        spec = endpoint.signature.input(name)
        parts.append(to_bytes(array.astype(spec.numpy, copy=False), spec))
        tensors.append(
            {
                "name": name, "datatype": spec.datatype, "shape": array.shape,
                "parameters": {"binary_data_size": len(parts[-1])},
            }
        )  # fmt: skip
    head = orjson.dumps({"inputs": tensors})
    return Response(
        b"".join([head, *parts]),
        media_type="application/octet-stream",
        headers={"inference-header-content-length": str(len(head))},
    )


def _value(kind: str, body: bytes) -> Any:
    if not body:
        raise InvalidInput(
            "body: expected a picture, a sound, a text or JSON, received nothing", field="body"
        )
    if kind in _PICTURES or kind in _SOUNDS:
        return body
    if kind == _TEXT:
        return _text(body)
    if kind == _CSV:
        return _rows(_text(body))
    if kind.encode("latin-1") in JSON:
        return _json(body)
    raise UnsupportedMedia(
        f"Content-Type: expected {', '.join(_PICTURES)}, {_SOUNDS[0]}, {_TEXT}, {_CSV} "
        f"or application/json, received {kind[:80]!r}",
        field="Content-Type",
    )


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"body: expected text of UTF-8, received byte 0x{body[error.start]:02x} "
            f"at {error.start}",
            field="body",
        ) from error


def _rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file with a header, as objects of named fields."""
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        names = next(lines, [])
        if len(set(names)) < len(names):
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise InvalidInput(f'body: column "{twice}" is there twice', field="body")
        rows = []
        for row in filter(None, lines):
            if len(row) != len(names):
                raise InvalidInput(
                    f"body: line {lines.line_num}: expected {len(names)} fields, "
                    f"received {len(row)}",
                    field="body",
                )
            rows.append(dict(zip(names, row, strict=True)))
    except csv.Error as error:
        raise InvalidInput(f"body: line {lines.line_num}: {error}", field="body") from error
    if not rows:
        raise InvalidInput("body: expected a header and at least one row", field="body")
    return rows


def _json(body: bytes) -> Any:
    # Wrapped, so that any JSON value goes through the one parser with its depth limit.
    with document(b'{"value":%b}' % body) as doc:
        if len(doc) != 1:
            raise InvalidInput("body: expected one JSON value", field="body")
    return orjson.loads(body)
