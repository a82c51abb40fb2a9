"""The control API of models: cards, aliases. What the console reads."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, BeforeValidator, Field

from numen.core import device
from numen.core.bundle import Bundle
from numen.core.errors import NotFound
from numen.core.reference import DEFAULT_ALIAS, Reference
from numen.core.signature import TensorSpec
from numen.explain.explanation import Explainer
from numen.explain.overall import IMPORTANCE
from numen.registry import Model, Registry
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.store.catalog import ModelVersion
from numen.transport.caller import Head
from numen.transport.status import responses


def _whole(value: Any) -> Any:
    # JSON has one kind of number: 3.0 is as whole as 3.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Promotion(BaseModel):
    """Which version an alias shall stand for."""

    version: Annotated[int, Field(strict=True, ge=1, lt=10**9), BeforeValidator(_whole)]


class DeviceFile(BaseModel):
    """A file for a device; its URL is relative to that of what names it."""

    url: str
    sha256: str
    size: int


class DeviceModel(DeviceFile):
    """The graph, and the operator sets it asks for; ONNX's own has no name."""

    opset: dict[str, int]


class DeviceBundle(BaseModel):
    """A model as it goes to a device; see `numen.core.device`."""

    format: int
    name: str
    version: str
    digest: str
    model: DeviceModel
    golden: DeviceFile | None
    signature: dict[str, list[dict[str, Any]]]
    preprocess: dict[str, Any] | None
    postprocess: dict[str, Any] | None
    licence: str


_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASK: Final = "no-cache"  # keep it, but ask whether it is still that


def router(service: Service, registry: Registry) -> APIRouter:
    """The routes under `/api/models`."""
    routes = APIRouter(prefix="/api/models", tags=["Control"])

    @routes.get("", summary="All published models that the caller may read")
    async def models(request: Request) -> dict[str, list[dict[str, Any]]]:
        credential = Head(request.headers.raw).credential
        published = await asyncio.to_thread(registry.names)
        names = service.admission.allowed(credential, published, "read")

        def cards() -> list[dict[str, Any]]:
            return [card(service, registry, name) for name in names]

        return {"models": await asyncio.to_thread(cards)}

    @routes.get("/{name}", summary="A model's card", responses=responses(404))
    async def model(name: str) -> dict[str, Any]:
        return await asyncio.to_thread(card, service, registry, name)

    @routes.put("/{name}/aliases/{alias}", summary="Move an alias", responses=responses(400, 404))
    async def promote(name: str, alias: str, body: Promotion) -> dict[str, Any]:
        reference = Reference(name, version=body.version)
        await asyncio.to_thread(registry.promote, reference, alias, opened=True)
        return await asyncio.to_thread(card, service, registry, name)

    @routes.post(
        "/{name}/aliases/{alias}/rollback",
        summary="Undo an alias's last move",
        responses=responses(400, 404, 409),
    )
    async def rollback(name: str, alias: str = DEFAULT_ALIAS) -> dict[str, Any]:
        await asyncio.to_thread(registry.rollback, name, alias)
        return await asyncio.to_thread(card, service, registry, name)

    @routes.get(
        "/{model}/bundle",
        summary="All that is needed to run a model on a device",
        responses=responses(400, 404),
        response_model=DeviceBundle,
    )
    async def bundle(request: Request, model: str) -> Response:
        def found() -> bytes:
            version, opened = _published(registry, model)
            at = f"../{version.name}@{version.version}/bundle/"
            said = device.describe(opened, version.name, str(version.version), at)
            return json.dumps(said, separators=(",", ":")).encode()

        body = await asyncio.to_thread(found)
        # What a name or an alias stands for may change at any time; what a version is, never.
        fixed = Reference.parse(model).version is not None
        return _tagged_reply(request, body, "application/json", _FOR_GOOD if fixed else _ASK)

    @routes.get(
        "/{model}/bundle/{file}",
        summary="A file of what a device needs: the graph, or the recorded samples",
        response_class=Response,
        responses={**responses(400, 404), 200: {"content": {"application/octet-stream": {}}}},
    )
    async def bundle_file(request: Request, model: str, file: str) -> Response:
        def found() -> tuple[str, Path | bytes]:
            _, opened = _published(registry, model)
            return opened.digest, device.content(opened, file)

        digest, content = await asyncio.to_thread(found)
        kind = "application/json" if file.endswith(".json") else "application/octet-stream"
        fixed = Reference.parse(model).version is not None
        headers = {"etag": f'"{digest}/{file}"', "cache-control": _FOR_GOOD if fixed else _ASK}
        if _has(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        if isinstance(content, Path):
            return FileResponse(content, media_type=kind, headers=headers)
        return Response(content, media_type=kind, headers=headers)

    return routes


def _published(registry: Registry, model: str) -> tuple[ModelVersion, Bundle]:
    version = registry.resolve(model)
    return version, registry.open(version, verify=False)


def _tagged_reply(request: Request, body: bytes, kind: str, caching: str) -> Response:
    tag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {"etag": tag, "cache-control": caching}
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=kind, headers=headers)


def _has(request: Request, tag: str) -> bool:
    """Whether the caller has it already. Compressing on the way makes a tag a weak one."""
    known = (
        each.strip().removeprefix("W/")
        for each in request.headers.get("if-none-match", "").split(",")
    )
    return any(each in (tag, "*") for each in known)


def card(service: Service, registry: Registry, name: str) -> dict[str, Any]:
    """What a person should know of a model's default version, and its other versions' numbers."""
    model = registry.model(name)
    version = model.default
    live = service.models.get(name)
    endpoint = live.versions.get(str(version.version)) if live else None
    if isinstance(endpoint, Endpoint):
        bundle = endpoint.bundle
    else:
        bundle = registry.open(version, verify=False)
    return {**describe(model, version, bundle), "ready": endpoint is not None}


def describe(model: Model, version: ModelVersion, bundle: Bundle) -> dict[str, Any]:
    """A version's card as plain data."""
    manifest = bundle.manifest
    return {
        "name": model.name,
        "version": str(version.version),
        "versions": [str(v.version) for v in model.versions],
        "aliases": {alias: str(number) for alias, number in model.aliases.items()},
        "digest": version.digest,
        "created": version.created,
        "size": version.size,
        "signature": {
            "inputs": [_tensor(spec) for spec in manifest.signature.inputs],
            "outputs": [_tensor(spec) for spec in manifest.signature.outputs],
        },
        "preprocess": _tagged(manifest.preprocess),
        "postprocess": _tagged(manifest.postprocess),
        "explains": _explains(bundle),
        "importance": _importance(bundle),
        "metrics": manifest.metrics,
        "framework": manifest.framework,
        "family": manifest.family,
        "dataset": manifest.dataset,
        "parity": manifest.parity,
        "licence": manifest.licence,
    }


def _explains(bundle: Bundle) -> dict[str, Any] | None:
    """How the model's answers are explained, the usual way first, and how true that was found."""
    try:
        inner = bundle.explanation().manifest
    except NotFound:
        return None
    return {
        "methods": Explainer(inner, inner.signature).methods,
        "faithfulness": inner.metrics,
    }


def _importance(bundle: Bundle) -> dict[str, Any] | None:
    """What each column of a table was found to be worth to the model."""
    try:
        found: dict[str, Any] = json.loads(bundle.file(IMPORTANCE).read_bytes())
    except (NotFound, OSError, ValueError):
        return None
    return found


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name, "dtype": spec.dtype, "datatype": spec.datatype,
        "shape": list(spec.shape), "missing": spec.missing,
    }  # fmt: skip


def _tagged(value: Any) -> Any:
    return None if value is None else msgspec.to_builtins(value)
