"""The control API of evaluation: a published version on labelled rows, beside another of its own.

It reads data and computes for seconds, so one at a time, and only for who may manage the model.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from numen.control.origin import refuse_other_site
from numen.core.errors import InvalidInput
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.registry import Registry
from numen.transport.status import responses

Version = Annotated[int | None, Field(ge=1, lt=10**9)]


class Evaluation(BaseModel):
    """What to measure on what."""

    data: Annotated[
        str, Field(min_length=1, max_length=100, description="As the library has it: name@2")
    ]
    version: Annotated[Version, Field(description="Of the model; the default when absent")] = None
    against: Annotated[Version, Field(description="Another version, on the same rows")] = None
    split: Annotated[str, Field(max_length=100)] = "test"
    since: Annotated[
        Version, Field(description="The training rows that the data have since that version")
    ] = None


def router(registry: Registry, settings: Settings) -> APIRouter:
    """The route `/api/models/{name}/evaluate`."""
    routes = APIRouter(prefix="/api/models", tags=["Control"])
    turn = threading.Lock()

    @routes.post(
        "/{name}/evaluate",
        summary="How good a version is, and whether another is better beyond chance",
        responses=responses(400, 403, 404),
    )
    async def evaluate(request: Request, name: str, body: Evaluation) -> dict[str, Any]:
        refuse_other_site(request.headers)

        def found() -> dict[str, Any]:
            with turn:
                return _evaluate(registry, settings, name, body)

        return await asyncio.to_thread(found)

    return routes


def _evaluate(
    registry: Registry, settings: Settings, name: str, body: Evaluation
) -> dict[str, Any]:
    from numen.api.compare import added_since, measured  # not there on every server
    from numen.api.model import Model
    from numen.data.library import Library

    known = registry.model(name)
    first = known.resolve(Reference(name, version=body.version))
    second = known.resolve(Reference(name, version=body.against)) if body.against else None
    library = Library(registry.catalog, registry.blobs, settings.home_path)
    data = library.open(body.data)
    if body.since is not None:
        rows = added_since(data, library.open(f"{data.name}@{body.since}"))
    elif body.split in data.splits:
        rows = data.splits[body.split]
    else:
        raise InvalidInput(
            f"split: expected one of {', '.join(data.splits)}, received {body.split[:40]!r}",
            field="split",
        )
    models = [Model(registry.open(v, verify=False), v) for v in (first, second) if v is not None]
    said = measured(models[0], rows, models[1] if second else None)
    return {"model": name, "version": first.version, "data": body.data, **said}
