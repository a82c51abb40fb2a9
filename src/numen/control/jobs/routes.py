"""The control API of jobs: ask for a training, look at it, follow it, stop it, take it up again.

Who may is the desk's to say: what counts is the model that a job is for, which no path names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from numen.control.jobs.desk import Desk, described
from numen.control.jobs.events import read
from numen.control.jobs.rules import MOST_EPOCHS
from numen.control.openapi import PATTERNS
from numen.control.origin import refuse_other_site
from numen.core.errors import InvalidInput, NumenError, UnsupportedMedia
from numen.train.recipe import Recipe
from numen.transport.caller import Head
from numen.transport.status import responses

_EXAMPLE: Final = {
    "name": "digits", "data": "digits", "family": "mlp", "epochs": 5, "params": {"units": 128},
}  # fmt: skip
# Seconds of silence after which a line that says nothing keeps the connection open.
_PING: Final = 15.0
_TICK: Final = 0.25


def router(desk: Desk) -> APIRouter:
    """The routes under `/api/jobs`."""
    routes = APIRouter(prefix="/api/jobs", tags=["Jobs"])

    @routes.get("", summary="Trainings whose models the caller may read, the newest first")
    async def ls(request: Request) -> dict[str, list[dict[str, Any]]]:
        return {"jobs": [described(job) for job in await desk.all(_credential(request))]}

    @routes.post(
        "",
        summary="Train in the background",
        description="The body is a recipe. Data is named as in the library, or as `sample:mnist`; "
        "paths and code of one's own are refused unless the server says `any_recipe`.",
        responses=responses(400, 403, 404, 415),
        openapi_extra={"requestBody": _body()},
    )
    async def train(request: Request) -> dict[str, Any]:
        refuse_other_site(request.headers)
        return described(await desk.train(await _recipe(request), _credential(request)))

    @routes.get("/{id}", summary="One job", responses=responses(404))
    async def show(request: Request, id: str) -> dict[str, Any]:  # noqa: A002 - the path's name
        return described(await desk.get(id, _credential(request)))

    @routes.get(
        "/{id}/events",
        summary="What a job tells, as it tells it: server-sent events, until it is over",
        description="Each event's data is JSON with `kind` (`state`, `begin`, `step`, `epoch`, "
        "`note`) and `at`. `Last-Event-ID` goes on from there; 204 says that nothing will follow.",
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
            204: {"description": "Nothing will follow."},
            **responses(400, 404),
        },
        response_class=Response,
    )
    async def events(request: Request, id: str) -> Response:  # noqa: A002
        job = await desk.get(id, _credential(request))
        after = _after(request)
        known = await asyncio.to_thread(read, desk.queue.events(job), after)
        if job.over and not known:
            return Response(status_code=204)
        return StreamingResponse(
            _stream(desk, id, _credential(request), after),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    for verb, act, summary in (
        ("cancel", desk.cancel, "Stop a job; the best model so far is kept"),
        ("resume", desk.resume, "Take up a job that did not finish, from its last checkpoint"),
    ):
        _add_verb(routes, verb, act, summary)
    return routes


def _add_verb(routes: APIRouter, verb: str, act: Any, summary: str) -> None:
    @routes.post(f"/{{id}}/{verb}", name=verb, summary=summary, responses=responses(403, 404, 409))
    async def change(request: Request, id: str) -> dict[str, Any]:  # noqa: A002
        refuse_other_site(request.headers)
        return described(await act(id, _credential(request)))


async def _stream(desk: Desk, id_: str, credential: bytes, after: int) -> AsyncIterator[bytes]:
    yield b"retry: 2000\n\n"
    following = desk.follow(id_, credential, after)
    coming = asyncio.ensure_future(anext(following, None))
    silent = 0.0
    try:
        while not desk.service.leaving:
            await asyncio.wait((coming,), timeout=_TICK)
            if not coming.done():
                silent += _TICK
                if silent >= _PING:
                    silent = 0.0
                    yield b": still here\n\n"
                continue
            try:
                event, silent = coming.result(), 0.0
            except NumenError:  # the key was taken back
                return
            if event is None:
                return
            coming = asyncio.ensure_future(anext(following, None))
            yield b"id: %d\ndata: %b\n\n" % (event.id, msgspec.json.encode(event.said))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await following.aclose()  # type: ignore[attr-defined]


async def _recipe(request: Request) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMedia(
            f"Content-Type: expected application/json, received {kind[:80]!r}",
            field="Content-Type",
        )
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"body: expected a recipe as JSON: {error}", field="body") from error


def _after(request: Request) -> int:
    text = request.headers.get("last-event-id", "").strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidInput(
            f"Last-Event-ID: expected the id of an event, received {text[:40]!r}",
            field="Last-Event-ID",
        )
    return int(text)


def _credential(request: Request) -> bytes:
    return Head(request.headers.raw).credential


def _body() -> dict[str, Any]:
    """The recipe's own schema, written out where it is used."""
    _, known = msgspec.json.schema_components([Recipe], ref_template="#{name}")
    table = known["Recipe"]
    table["properties"]["read"] = known["Reading"]
    for said in table["properties"].values():
        said.pop("default", None)
    table["properties"]["data"]["minLength"] = 1
    table["properties"]["name"]["pattern"] = f"^({PATTERNS['name']})?$"
    table["properties"]["epochs"]["anyOf"][0]["maximum"] = MOST_EPOCHS
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {**table, "required": ["data"]},
                "examples": {"digits": {"summary": "A small network", "value": _EXAMPLE}},
            }
        },
    }
