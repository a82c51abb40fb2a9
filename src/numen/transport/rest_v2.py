"""The Open Inference Protocol over HTTP: health, metadata, infer, repository, statistics.

`infer` is here for callers that the fast door does not take (HTTP/1.0, `Expect`, behind a slow
request on one connection); both share one codec, so both say the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final, Protocol

import orjson
from fastapi import APIRouter, Request, Response

import numen
from numen.core.signature import DATATYPES, TensorSpec
from numen.serve.service import Service
from numen.serve.stats import Histogram, Stats
from numen.transport import v2
from numen.transport.caller import Head, predict, served
from numen.transport.explain import explain
from numen.transport.status import responses

_TENSOR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "enum": list(DATATYPES)},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": {}},
    },
}
_REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {
            "type": "array",
            "items": {**_TENSOR, "required": [*_TENSOR["required"], "data"]},
        },
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
            },
        },
    },
}
_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
_INFER_DOC: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": _REQUEST}},
    },
    "responses": {
        "200": {
            "description": "The outputs",
            "content": {
                "application/json": {"schema": _ANSWER},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
}
_READY: Final = {"ready": True, "live": True}
_MISSING: Final = responses(404, 503)
_ERRORS: Final = responses(400, 404, 413, 415, 429, 503, 504)


class Repository(Protocol):
    """Who loads and unloads models; the serving process gives one."""

    async def load(self, name: str) -> None:
        """Makes a published model live."""

    async def unload(self, name: str) -> None:
        """Takes a model out of service."""

    async def index(self) -> list[dict[str, str]]:
        """All published models, live or not: name, version, state, reason."""


def router(service: Service, repository: Repository | None) -> APIRouter:
    """The protocol's routes."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    @routes.get("", summary="Server metadata")
    @routes.get("/", include_in_schema=False)
    async def server_metadata() -> dict[str, Any]:
        extensions = ["binary_tensor_data", "model_repository", "statistics"]
        return {"name": "numen", "version": numen.__version__, "extensions": extensions}

    @routes.get("/health/live", summary="The process answers")
    async def live() -> dict[str, bool]:
        return {"live": True, "ready": service.ready}

    @routes.get("/health/ready", summary="All models are warm", responses=responses(503))
    async def ready() -> Response:
        trouble = service.trouble()
        said = {"ready": False, "live": True, "reason": trouble} if trouble else _READY
        return Response(orjson.dumps(said), 503 if trouble else 200, media_type="application/json")

    @routes.get("/models/stats", summary="What all live models have done")
    async def all_statistics() -> dict[str, Any]:
        counts = service.tally().counts
        rows = [(name, *each) for name, versions in counts.items() for each in versions.items()]
        return {"model_stats": [_statistics(*row) for row in rows]}

    @_model_route(routes.get, "/ready", summary="The model is live", responses=_MISSING)
    async def model_ready(name: str, version: str | None = None) -> dict[str, Any]:
        found = service.find(name, version)
        return {"name": found.name, "version": found.version, "ready": True}

    @_model_route(routes.get, "", summary="Model metadata", responses=_MISSING)
    async def metadata(name: str, version: str | None = None) -> dict[str, Any]:
        endpoint = await service.awake(name, version)
        return {
            "name": endpoint.name,
            "versions": sorted(service.model(name).versions, key=int),
            "platform": "onnxruntime_onnx",
            "inputs": [_tensor(spec) for spec in endpoint.signature.inputs],
            "outputs": [_tensor(spec) for spec in endpoint.signature.outputs],
        }

    @_model_route(routes.get, "/stats", summary="What the model has done", responses=_MISSING)
    async def statistics(name: str, version: str | None = None) -> dict[str, Any]:
        found = service.find(name, version)
        stats = service.tally().counts.get(found.name, {}).get(found.version) or Stats()
        return {"model_stats": [_statistics(found.name, found.version, stats)]}

    @_model_route(
        routes.post, "/infer", summary="Predict", responses=_ERRORS, openapi_extra=_INFER_DOC,
        response_class=Response,
    )  # fmt: skip
    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        head = Head(request.headers.raw)
        service.find(name, version)  # what is not there is said first, as on the fast road
        until = head.deadline()
        body = await request.body()
        endpoint = await service.awake(name, version, until)
        call, form = v2.decode_call(head, body, endpoint, until)
        answer = await predict(service, request, call)
        reply, header_length = form.write(answer.outputs)
        headers = served(answer)
        if header_length is None:
            return Response(reply, media_type="application/json", headers=headers)
        headers["inference-header-content-length"] = str(header_length)
        return Response(reply, media_type="application/octet-stream", headers=headers)

    @_model_route(
        routes.post, "/explain", summary="Explain an answer", responses=_ERRORS,
        openapi_extra=_INFER_DOC, response_class=Response,
    )  # fmt: skip
    async def why(request: Request, name: str, version: str | None = None) -> Response:
        return await explain(service, request, name, version)

    if repository is not None:
        _add_repository(routes, repository)
    return routes


def _model_route(method: Callable[..., Any], path: str, **how: Any) -> Callable[..., Any]:
    """Registers a handler for a model and for one version of it."""

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        method(f"/models/{{name}}{path}", **how)(_without_version(handler))
        how["summary"] += " (one version)"
        method(f"/models/{{name}}/versions/{{version}}{path}", **how)(handler)
        return handler

    return register


def _without_version(handler: Callable[..., Any]) -> Callable[..., Any]:
    # The framework would make the missing path parameter a query parameter.
    parameters = [p for p in inspect.signature(handler).parameters.values() if p.name != "version"]

    @wraps(handler)
    async def plain(**arguments: Any) -> Any:
        return await handler(**arguments)

    plain.__signature__ = inspect.signature(handler).replace(parameters=parameters)  # type: ignore[attr-defined]
    return plain


def _add_repository(routes: APIRouter, repository: Repository) -> None:
    @routes.post("/repository/index", summary="All published models")
    async def index() -> list[dict[str, str]]:
        return await repository.index()

    @routes.post(
        "/repository/models/{name}/load", summary="Make a model live", responses=responses(404, 409)
    )
    async def load(name: str) -> dict[str, Any]:
        await repository.load(name)
        return {}

    @routes.post(
        "/repository/models/{name}/unload", summary="Take a model out", responses=responses(404)
    )
    async def unload(name: str) -> dict[str, Any]:
        await repository.unload(name)
        return {}


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    shape = [-1 if size is None else size for size in spec.shape]
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape}


def _statistics(name: str, version: str, stats: Stats) -> dict[str, Any]:
    ran = stats.variants.values()

    def span(histograms: Iterable[Histogram]) -> dict[str, int]:
        known = list(histograms)
        seconds = sum(histogram.seconds for histogram in known)
        return {"count": sum(h.count for h in known), "ns": int(seconds * 1e9)}

    return {
        "name": name,
        "version": version,
        "inference_count": sum(variant.rows for variant in ran),
        "execution_count": sum(variant.compute.count for variant in ran),
        "inference_stats": {
            "success": span(variant.total for variant in ran),
            "fail": span(stats.failures.values()),
            "queue": span(variant.queue for variant in ran),
            "compute_infer": span(variant.compute for variant in ran),
        },
    }
