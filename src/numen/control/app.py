"""The ASGI app behind the fast door: every route of numen that is not hot, on the same port."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, MutableMapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

import numen
from numen.control import client, datasets, evaluation, graphql, keys, models, openapi
from numen.control.gate import Gate, Receive, Scope, Send, paths
from numen.control.jobs import Queue
from numen.control.jobs import routes as jobs
from numen.control.jobs.desk import Desk
from numen.core.errors import Cancelled, Internal, InvalidInput, NotFound, NumenError, TooLarge
from numen.core.message import Origin
from numen.core.observe import logger, origin
from numen.core.settings import Settings
from numen.play import PAGES
from numen.registry import Registry
from numen.serve.service import Service
from numen.transport import encoding, metrics, predict, rest_v1, rest_v2, sharing
from numen.transport.caller import MAX_REQUEST_ID
from numen.transport.status import error_body, headers_of, status_of

_log = logger(__name__)
_CONSOLE = Path(str(files("numen"))) / "console"


def build(
    service: Service,
    registry: Registry,
    settings: Settings,
    repository: rest_v2.Repository | None = None,
) -> FastAPI:
    """The app of a serving process.

    Args:
        service: The live models.
        registry: The published models.
        settings: numen's settings.
        repository: Who loads and unloads models; without one, those routes are absent.
    """
    desk = Desk(service, registry, Queue(settings, registry.catalog.database))

    @contextlib.asynccontextmanager
    async def beside(_app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(desk.queue.watch())
        yield
        watching.cancel()

    app = FastAPI(
        title="numen", version=numen.__version__, docs_url=None, redoc_url=None, lifespan=beside,
        description="Models as a service: predict, look up, and manage.",
    )  # fmt: skip
    app.include_router(rest_v2.router(service, repository))
    app.include_router(rest_v1.router(service))
    app.include_router(predict.router(service))
    app.include_router(models.router(service, registry))
    app.include_router(jobs.router(desk))
    app.include_router(datasets.router(registry, settings))
    app.include_router(evaluation.router(registry, settings))
    app.include_router(graphql.router(service, registry, desk), include_in_schema=False)
    app.include_router(keys.router(registry))
    app.include_router(client.router())
    _add_pages(app, service)
    _add_errors(app)
    openapi.describe(app)
    app.add_middleware(Gate, admission=service.admission, routes=app.routes, refuse=_reply)
    app.add_middleware(GZipMiddleware, minimum_size=encoding.MIN_PACKED, compresslevel=1)
    app.add_middleware(encoding.Unpacking, limit=settings.max_body)
    app.add_middleware(_Edge, limit=settings.max_body)
    if settings.origins:  # before all else: a browser asks without a key whether it may
        app.add_middleware(CORSMiddleware, **sharing.options(settings.allowed_origins))
    return app


def _add_pages(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["Health"], summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:  # on a thread: with a thousand models it takes a while
        return Response(metrics.exposition(service), media_type="text/plain; version=0.0.4")

    import swagger_ui_bundle

    # Installed with numen, so the page works with no other host in reach.
    app.mount("/docs/assets", StaticFiles(directory=swagger_ui_bundle.swagger_ui_path))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="numen API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-32x32.png",
        )

    app.mount("/play", StaticFiles(directory=PAGES, html=True))

    if (_CONSOLE / "index.html").is_file():
        _add_console(app, StaticFiles(directory=_CONSOLE, html=True))


def _add_console(app: FastAPI, pages: StaticFiles) -> None:
    # After all routes, not mounted among them: it would take a known path's other methods.
    nothing = app.router.default

    async def rest(scope: Scope, receive: Receive, send: Send) -> None:
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        await (pages if reads else nothing)(scope, receive, send)

    app.router.default = rest


def _reply(
    error: NumenError, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        error_body(error),
        status or status_of(error),
        media_type="application/json",
        headers={**headers_of(error), **(headers or {})},
    )


def _add_errors(app: FastAPI) -> None:
    # The router's own Allow names the methods of the first route that has a path, no other's.
    patterns = [(compile_path(path)[0], methods) for path, methods in paths(app.routes)]

    @app.exception_handler(NumenError)
    async def known(_request: Request, error: NumenError) -> Response:
        return _reply(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return _reply(InvalidInput(f'"{where}": {first["msg"]}', field=where))

    @app.exception_handler(StarletteHTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return _reply(NotFound(f"there is nothing at {request.url.path[:200]}"))
        headers = dict(error.headers or {})
        hint = None
        if error.status_code == 405:
            here = [methods for path, methods in patterns if path.match(request.url.path)]
            headers["Allow"] = ", ".join(sorted(frozenset().union(*here)))
            hint = f"use {headers['Allow']}"
        return _reply(InvalidInput(str(error.detail), hint=hint), error.status_code, headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        return _reply(Cancelled("the caller went away"))  # which nobody reads

    @app.exception_handler(Exception)
    async def unknown(_request: Request, error: Exception) -> Response:
        _log.error("a request failed", exc_info=error)
        return _reply(Internal("numen failed on this request"))


class _Edge:
    """What holds for every request: a request id in and out, and a limit on its body."""

    def __init__(self, app: Any, limit: int):
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")[:MAX_REQUEST_ID]
        name = given or uuid.uuid4().hex
        parent = headers.get(b"traceparent", b"").decode("latin-1")
        token = origin.set(Origin(parent, name))

        started = refused = False

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            if refused:
                return
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", []), (b"x-request-id", name.encode("latin-1"))
                ]  # fmt: skip
            await send(message)

        async def refuse(received: str = "") -> None:
            # What is still on its way will not be read, so the connection ends with this answer.
            nonlocal refused
            if not started:
                error = TooLarge(
                    f"body: expected at most {self._limit} bytes{received}", field="body"
                )
                await _reply(error, headers={"connection": "close"})(scope, receive, sending)
            refused = True

        taken = 0

        async def receiving() -> MutableMapping[str, Any]:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                if not refused:
                    await refuse()
                return {"type": "http.disconnect"}
            return message

        try:
            length = headers.get(b"content-length", b"0")
            if length.isdigit() and int(length) > self._limit:
                await refuse(f", received {length.decode()}")
                return
            await self._app(scope, receiving, sending)
        finally:
            origin.reset(token)
