"""The control API of data sets: which there are, and labelled rows that become the next version.

What a program has seen and somebody has set right goes back into the data it learns from.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from numen.control.origin import refuse_other_site
from numen.core.errors import Conflict, InvalidInput
from numen.core.reference import check_name
from numen.core.settings import Settings
from numen.registry import Registry
from numen.transport.status import responses

MOST_ROWS: Final = 1_000
MOST_TIMES: Final = 1_000
MOST_IN_ALL: Final = 20_000
_TRIES: Final = 3


class Row(BaseModel):
    """A row and its label.

    A picture or a sound is its file in base64, a picture also its pixels; a text is text, a
    table's row named fields.
    """

    value: str | list[Any] | dict[str, Any]
    label: Annotated[str, Field(max_length=1_000)]


class Rows(BaseModel):
    """Rows to be learnt from."""

    rows: Annotated[list[Row], Field(min_length=1, max_length=MOST_ROWS)]
    times: Annotated[
        int, Field(ge=1, le=MOST_TIMES, description="How often each stands among the training rows")
    ] = 1
    base: Annotated[
        int | None,
        Field(
            ge=1, lt=10**9,
            description="The version to add to, which must be the newest: then a request that is "
            "sent twice counts once",
        ),
    ] = None  # fmt: skip
    note: Annotated[str, Field(max_length=500, description="Where the labels come from")] = ""


def router(registry: Registry, settings: Settings) -> APIRouter:
    """The routes under `/api/datasets`."""
    routes = APIRouter(prefix="/api/datasets", tags=["Control"])
    turn = threading.Lock()  # each reads a whole data set: one at a time

    @routes.get("", summary="The newest version of every data set in the library")
    async def ls() -> dict[str, list[dict[str, Any]]]:
        found = await asyncio.to_thread(registry.catalog.datasets.newest)
        return {
            "datasets": [
                {"name": v.name, "version": v.version, "digest": v.digest, "created": v.created}
                for v in found
            ]
        }

    @routes.post(
        "/{dataset}/rows",
        summary="Labelled rows become the next version of a data set",
        description="They are added behind its training rows; its test rows stay those they were.",
        responses=responses(400, 403, 404, 409, 413),
    )
    async def add(request: Request, dataset: str, body: Rows) -> dict[str, Any]:
        refuse_other_site(request.headers)
        check_name(dataset, "dataset")
        if len(body.rows) * body.times > MOST_IN_ALL:
            raise InvalidInput(
                f"rows: expected at most {MOST_IN_ALL:,} in all, "
                f"received {len(body.rows):,} times {body.times:,}",
                field="rows",
            )

        def added() -> dict[str, Any]:
            with turn:
                return _add(registry, settings, dataset, body)

        return await asyncio.to_thread(added)

    return routes


def _add(registry: Registry, settings: Settings, name: str, body: Rows) -> dict[str, Any]:
    from numen.data import labelled  # what reads data is not there on every server
    from numen.data.library import Library

    library = Library(registry.catalog, registry.blobs, settings.home_path)
    said = f": {body.note}" if body.note else ""
    times = f", each {body.times} times" if body.times > 1 else ""
    note = f"{len(body.rows)} labelled rows came over the network{times}{said}"
    for left in reversed(range(_TRIES)):
        base = body.base or library.versions(name)[-1].version
        reference = f"{name}@{base}"
        given = [(row.value, row.label) for row in body.rows]
        rows, target = labelled.read(given, library.open(reference))
        try:
            found = library.extend(
                reference, rows * body.times, target * body.times, note, newest=True
            )
        except Conflict:
            if body.base is not None or not left:
                raise
            continue
        version = found.version
        return {
            "name": version.name, "version": version.version, "digest": version.digest,
            "created": version.created, "rows": found.profile.rows, "added": len(rows),
            "new": found.new,
        }  # fmt: skip
    raise AssertionError  # the last try returns or raises
