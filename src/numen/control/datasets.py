"""The control API of data sets: which there are in the library, by name."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from numen.registry import Registry


def router(registry: Registry) -> APIRouter:
    """The route `/api/datasets`."""
    routes = APIRouter(prefix="/api/datasets", tags=["Control"])

    @routes.get("", summary="The newest version of every data set in the library")
    async def ls() -> dict[str, list[dict[str, Any]]]:
        found = await asyncio.to_thread(registry.catalog.datasets)
        return {
            "datasets": [
                {"name": v.name, "version": v.version, "digest": v.digest, "created": v.created}
                for v in found
            ]
        }

    return routes
