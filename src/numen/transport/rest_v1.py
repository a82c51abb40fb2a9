"""TensorFlow Serving's REST API: its routes, status, metadata, predict in rows and columns.

Errors keep that API's shape (`{"error": …}`) and carry numen's code and hint beside it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from numen.core.errors import InvalidInput
from numen.core.message import Request as Call
from numen.core.reference import EXPLAINS
from numen.core.signature import Array, Signature, TensorSpec
from numen.serve.live import Endpoint, Listed, LiveModel
from numen.serve.service import Service
from numen.transport import caller, tensors
from numen.transport.caller import Head
from numen.transport.rest_v1_examples import (
    CLASSIFY_DOC,
    REGRESS_DOC,
    Decoded,
    Outputs,
    check_signature_name,
    classify,
    regress,
)
from numen.transport.status import responses
from numen.transport.tensors import JsonArray, JsonObject, kind

_ERRORS: Final = responses(400, 404, 413, 415, 429, 503, 504)
_MISSING: Final = responses(404, 503)
_PREDICT_DOC: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "signature_name": {"type": "string"},
                        "instances": {"type": "array", "items": {}, "minItems": 1},
                        "inputs": {},
                    },
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "`predictions` for `instances`, `outputs` for `inputs`",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "predictions": {"type": "array", "items": {}},
                            "outputs": {},
                        },
                    }
                }
            },
        }
    },
}


class _Plain(StringConvertor):
    regex = "[^/:]+"  # or `{name}` would take `name:predict` as well


register_url_convertor("plain", _Plain())


def router(service: Service) -> APIRouter:
    """The API's routes, for a model, one version of it, and what a label stands for."""
    routes = APIRouter(prefix="/v1/models", tags=["TensorFlow Serving"])
    for verb, (read, doc) in {
        "predict": (_predict, _PREDICT_DOC),
        "classify": (classify, CLASSIFY_DOC),
        "regress": (regress, REGRESS_DOC),
    }.items():
        _add_verb(routes, service, verb, read, doc)
    _add_verb(routes, service, "explain", _predict, _PREDICT_DOC, beside=EXPLAINS)
    _add_looks(routes, service)
    return routes


def _add_verb(
    routes: APIRouter, service: Service, verb: str,
    read: Callable[[bytes, Endpoint], Decoded], doc: dict[str, Any], *, beside: str = "",
) -> None:  # fmt: skip
    async def run(request: Request, name: str, version: str | None) -> Response:
        head = Head(request.headers.raw)
        deadline = head.deadline()
        body = await request.body()
        service.find(name, version)  # of what is not there it is said by its own name
        endpoint = await service.awake(name + beside, version, deadline)
        head.check_json()
        arrays, write = read(body, endpoint)
        answer = await caller.predict(
            service, request, Call(name + beside, arrays, version, deadline=deadline)
        )
        return Response(write(answer.outputs), media_type="application/json")

    async def of_default(request: Request, name: str) -> Response:
        return await run(request, name, None)

    async def of_version(request: Request, name: str, version: str) -> Response:
        return await run(request, name, version)

    async def of_label(request: Request, name: str, label: str) -> Response:
        return await run(request, name, label)

    for where, handler, of in (
        ("", of_default, ""),
        ("/versions/{version}", of_version, " (one version)"),
        ("/labels/{label}", of_label, " (one label)"),
    ):
        routes.add_api_route(
            f"/{{name}}{where}:{verb}", handler, methods=["POST"], response_class=Response,
            summary=verb.capitalize() + of, responses=_ERRORS, openapi_extra=doc,
        )  # fmt: skip


def _add_looks(routes: APIRouter, service: Service) -> None:
    @routes.get("/{name:plain}", summary="Status", responses=_MISSING)
    async def status(name: str) -> dict[str, Any]:
        service.find(name)
        return _status(service.model(name))

    @routes.get(
        "/{name}/versions/{version:plain}", summary="Status of a version", responses=_MISSING
    )
    async def version_status(name: str, version: str) -> dict[str, Any]:
        found = service.find(name, version)
        return _status(service.model(name), found)

    @routes.get("/{name}/labels/{label:plain}", summary="Status of a label", responses=_MISSING)
    async def label_status(name: str, label: str) -> dict[str, Any]:
        found = service.find(name, label)
        return _status(service.model(name), found)

    @routes.get("/{name}/metadata", summary="Metadata", responses=_MISSING)
    async def metadata(name: str) -> dict[str, Any]:
        return _metadata(await service.awake(name))

    @routes.get(
        "/{name}/versions/{version}/metadata", summary="Metadata of a version", responses=_MISSING
    )
    async def version_metadata(name: str, version: str) -> dict[str, Any]:
        return _metadata(await service.awake(name, version))

    @routes.get(
        "/{name}/labels/{label}/metadata", summary="Metadata of a label", responses=_MISSING
    )
    async def label_metadata(name: str, label: str) -> dict[str, Any]:
        return _metadata(await service.awake(name, label))


def _predict(body: bytes, endpoint: Endpoint) -> Decoded:
    arrays, columns = decode(body, endpoint.signature)
    return arrays, lambda outputs: encode(endpoint, outputs, columns)


def decode(body: bytes, signature: Signature) -> tuple[dict[str, Array], bool]:
    """Reads a predict request.

    Returns:
        The arrays by input name, and whether they came as columns (`inputs`).

    Raises:
        InvalidInput: It is malformed; what it lacks or has wrong is named.
    """
    with tensors.document(body) as doc:
        keys = [key for key in ("instances", "inputs") if key in doc]
        if len(keys) != 1:
            raise InvalidInput(
                'body: expected either "instances" (rows) or "inputs" (columns), received '
                + ("both" if keys else "neither"),
                field="instances",
            )
        check_signature_name(doc.get("signature_name"))
        columns = keys[0] == "inputs"
        value = doc[keys[0]]
        arrays = _columns(value, signature) if columns else _rows(value, signature)
        del value
    return arrays, columns


def _rows(value: Any, signature: Signature) -> dict[str, Array]:
    if not isinstance(value, JsonArray) or not len(value):
        received = "an empty array" if isinstance(value, JsonArray) else kind(value)
        raise InvalidInput(f'"instances": expected rows, received {received}', field="instances")
    first = value[0]
    named = isinstance(first, JsonObject) and "b64" not in first
    del first
    if not named:
        (spec,) = _single(signature, "instances")
        return tensors.in_columns({spec.name: _tensor(value, spec)}, signature)
    columns: dict[str, list[Any]] = {spec.name: [] for spec in signature.required}
    for place, row in enumerate(value):
        fields = row.as_dict() if isinstance(row, JsonObject) else None
        if fields is None or fields.keys() != columns.keys():
            raise InvalidInput(
                f'"instances[{place}]": expected an object with {", ".join(columns)}',
                field="instances",
            )
        for name, item in fields.items():
            columns[name].append(item)
    made = {
        spec.name: _tensor(tensors.json_array(columns[spec.name]), spec)
        for spec in signature.required
    }
    return tensors.in_columns(made, signature)


def _columns(value: Any, signature: Signature) -> dict[str, Array]:
    if isinstance(value, JsonObject) and "b64" not in value:
        specs = {spec.name: spec for spec in signature.inputs}
        made = {
            name: _tensor(value[name], specs.get(name) or signature.input(name))
            for name in list(value.keys())
        }
    else:
        made = {spec.name: _tensor(value, spec) for spec in _single(signature, "inputs")}
    return tensors.in_columns(made, signature)


def _single(signature: Signature, form: str) -> tuple[TensorSpec, ...]:
    required = signature.required
    if len(required) != 1:
        names = ", ".join(spec.name for spec in required)
        raise InvalidInput(
            f'"{form}": this model takes several inputs, expected each by name ({names})',
            field=form,
        )
    return required


def _tensor(value: Any, spec: TensorSpec) -> Array:
    shape = tensors.infer_shape(value, spec.name)
    if spec.dtype == "string":
        return _strings(value, shape, spec)
    return tensors.read(value, spec.dtype, shape, spec.name)


def _strings(value: Any, shape: tuple[int, ...], spec: TensorSpec) -> Array:
    if shape:
        tensors.check_nesting(value, shape, spec.name)

    def plain(item: Any) -> Any:
        if isinstance(item, JsonArray):
            return [plain(inner) for inner in item]
        if isinstance(item, str):
            return item
        try:
            return base64.b64decode(item["b64"], validate=True).decode()
        except (TypeError, KeyError, binascii.Error, UnicodeDecodeError):
            raise InvalidInput(
                f'input "{spec.name}": expected text or {{"b64": …}} of UTF-8, '
                f"received {kind(item)}",
                field=spec.name,
            ) from None

    return np.array(plain(value), dtype=object)


def encode(endpoint: Endpoint, outputs: Outputs, columns: bool) -> bytes:
    """Writes a predict answer, in the form the request had."""
    dumped = {spec.name: outputs[spec.name] for spec in endpoint.signature.outputs}
    if len(dumped) == 1:
        (array,) = dumped.values()
        return b'{"%b":%b}' % (b"outputs" if columns else b"predictions", tensors.dump(array))
    if columns:
        parts = (b"%b:%b" % (orjson.dumps(k), tensors.dump(v)) for k, v in dumped.items())
        return b'{"outputs":{%b}}' % b",".join(parts)
    count = len(next(iter(dumped.values())))

    def row(i: int) -> bytes:
        # Of one row, less the brackets around it: an output `[rows]` has a bare value a row.
        values = ((name, tensors.dump(array[i : i + 1])[1:-1]) for name, array in dumped.items())
        return b"{%b}" % b",".join(b"%b:%b" % (orjson.dumps(name), v) for name, v in values)

    rows = map(row, range(count))
    return b'{"predictions":[%b]}' % b",".join(rows)


def _status(model: LiveModel, only: Listed | None = None) -> dict[str, Any]:
    endpoints = [only] if only else list(model.versions.values())
    return {
        "name": model.name,  # this and the next for KServe's clients
        "ready": True,
        "model_version_status": [
            {
                "version": endpoint.version,
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
            for endpoint in endpoints
        ],
    }


_TF_TYPES: Final = {
    "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF", "string": "DT_STRING",
    "bool": "DT_BOOL", "int8": "DT_INT8", "int16": "DT_INT16", "int32": "DT_INT32",
    "int64": "DT_INT64", "uint8": "DT_UINT8", "uint16": "DT_UINT16", "uint32": "DT_UINT32",
    "uint64": "DT_UINT64",
}  # fmt: skip


def _metadata(endpoint: Endpoint) -> dict[str, Any]:
    def tensor(spec: TensorSpec) -> dict[str, Any]:
        dims = [{"size": str(-1 if size is None else size), "name": ""} for size in spec.shape]
        return {
            "dtype": _TF_TYPES[spec.dtype],
            "tensor_shape": {"dim": dims, "unknown_rank": False},
            "name": f"{spec.name}:0",
        }

    signature = endpoint.signature
    serving = {
        "inputs": {spec.name: tensor(spec) for spec in signature.inputs},
        "outputs": {spec.name: tensor(spec) for spec in signature.outputs},
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {
            "name": endpoint.name, "signature_name": "", "version": endpoint.version,
        },
        "metadata": {"signature_def": {"signature_def": {"serving_default": serving}}},
    }  # fmt: skip
