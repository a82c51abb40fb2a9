"""The control API of keys. Only a key that manages all models gets here; see `gate`.

The first key is made on the server's own machine, by `numen keys create`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from numen.core.key import EVERY, USUAL
from numen.registry import Registry
from numen.transport.status import responses


class NewKey(BaseModel):
    """What a key shall be."""

    name: Annotated[str, Field(min_length=1, max_length=64, description="What it is for.")]
    models: Annotated[list[str], Field(description="Names of models, or *.")] = [EVERY]
    actions: Annotated[list[str], Field(description="Some of predict, explain, read, manage.")] = (
        list(USUAL)
    )
    expires: Annotated[str | None, Field(description="Such as 12h or 30d.")] = None
    max_concurrency: Annotated[
        int | None, Field(strict=True, ge=1, le=10**6, description="Most predictions at once.")
    ] = None


def router(registry: Registry) -> APIRouter:
    """The routes under `/api/keys`."""
    routes = APIRouter(prefix="/api/keys", tags=["Keys"])

    @routes.get("", summary="All keys, without their secrets")
    async def ls() -> dict[str, list[dict[str, Any]]]:
        now = time.time()
        return {"keys": [key.as_dict(now) for key in await asyncio.to_thread(registry.keys.all)]}

    @routes.post("", summary="Make a key; its secret is said this once", responses=responses(400))
    async def create(body: NewKey) -> dict[str, Any]:
        def made() -> dict[str, Any]:
            key, secret = registry.keys.create(
                body.name, models=body.models, actions=body.actions, expires=body.expires,
                max_concurrency=body.max_concurrency,
            )  # fmt: skip
            return {**key.as_dict(time.time()), "key": secret}

        return await asyncio.to_thread(made)

    @routes.delete("/{id}", summary="Take a key back", responses=responses(400, 404))
    async def revoke(id: str) -> dict[str, Any]:  # noqa: A002 - the path says {id}
        key = await asyncio.to_thread(registry.keys.revoke, id)
        return key.as_dict(time.time())

    return routes
