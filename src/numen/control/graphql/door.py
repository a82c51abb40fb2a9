"""GET and POST `/graphql`: GraphQL over HTTP, a WebSocket, and a page to try it for browsers.

A well-formed request is answered 200 as `application/json`; as
`application/graphql-response+json` it is 400 where nothing was executed. A malformed one is 4xx.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response, WebSocket
from graphql import GraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from numen.control.graphql import negotiate, schema
from numen.control.graphql.body import Operation, from_other_site, read
from numen.control.graphql.context import Context
from numen.control.graphql.errors import as_numen, entry_at, entry_of
from numen.control.graphql.socket import Socket
from numen.control.jobs.desk import Desk
from numen.core.errors import InvalidInput, NumenError, UnsupportedMedia
from numen.registry import Registry
from numen.serve.service import Service
from numen.transport.caller import Head
from numen.transport.status import headers_of, status_of

# The page needs its own inline script and style and this server, and nothing else.
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

_ALLOWED: Final = {
    "GET": {OperationType.QUERY},
    "POST": {OperationType.QUERY, OperationType.MUTATION},
}


def router(service: Service, registry: Registry, desk: Desk) -> APIRouter:
    """The door's route."""
    routes = APIRouter(tags=["GraphQL"])
    door = _Door(service, registry, desk)
    page = (files(__package__) / "page.html").read_bytes()

    @routes.api_route("/graphql", methods=["GET", "POST"], summary="GraphQL")
    async def graphql(request: Request) -> Response:
        accept = request.headers.get("accept")
        asks = request.method == "POST" or "query" in request.query_params
        if not asks and negotiate.wants_page(accept):
            return Response(
                page,
                media_type="text/html",
                headers={"vary": "accept", "content-security-policy": _PAGE_POLICY},
            )
        try:
            return await door.answer(request, negotiate.choose(accept))
        finally:
            await request.close()  # uploaded files

    @routes.websocket("/graphql")
    async def socket(websocket: WebSocket) -> None:
        await door.talk(websocket)

    return routes


class _Door:
    """Answers requests from one schema."""

    def __init__(self, service: Service, registry: Registry, desk: Desk):
        self._schema = schema.make()
        self._service = service
        self._registry = registry
        self._desk = desk

    async def talk(self, websocket: WebSocket) -> None:
        """Serves a WebSocket until it ends."""

        def admit(credential: bytes) -> None:
            self._service.admission.allowed(credential, (), "read")

        await Socket(websocket, self._schema, self._context, admit).run()

    async def answer(self, request: Request, media: str | None) -> Response:
        """The answer to one request, as `media`."""
        if media is None:
            error: NumenError = UnsupportedMedia(
                f"Accept: expected {negotiate.JSON} or {negotiate.GRAPHQL}", field="Accept"
            )
            return _refuse(error, negotiate.JSON, 406)
        if from_other_site(request):
            error = InvalidInput("another site's page may not send files here", field="Origin")
            return _refuse(error, media, 403)
        credential = Head(request.headers.raw).credential
        try:
            self._service.admission.allowed(credential, (), "read")
            operation = await read(request)
        except NumenError as refused:
            return _refuse(refused, media)
        try:
            result = await self._execute(operation, request.method, credential)
        except InvalidOperationTypeError as wrong:
            hint = "use POST, or a WebSocket for subscriptions"
            error = InvalidInput(wrong.as_http_error_reason(request.method), hint=hint)
            return _refuse(error, media, 405, {"allow": "POST"})
        return _respond(result, media)

    async def _execute(
        self, operation: Operation, method: str, credential: bytes
    ) -> ExecutionResult:
        context = self._context(credential, operation.name)
        try:
            return await self._schema.execute(
                operation.query,
                variable_values=operation.variables,
                context_value=context,
                operation_name=operation.name,
                allowed_operation_types=_ALLOWED[method],
            )
        except CannotGetOperationTypeError as error:
            return ExecutionResult(None, [GraphQLError(error.as_http_error_reason())])

    def _context(self, credential: bytes, name: str | None) -> Context:
        return Context(self._service, self._registry, self._desk, credential, name)


def _respond(result: ExecutionResult, media: str) -> Response:
    errors = result.errors or []
    # A field's error has a path; with none, and no data, nothing was executed.
    executed = result.data is not None or any(error.path is not None for error in errors)
    known = [as_numen(error) for error in errors]
    body: dict[str, Any] = {}
    if errors:
        body["errors"] = [entry_at(*pair) for pair in zip(errors, known, strict=True)]
    if executed:
        body["data"] = result.data
    status = 200
    if not executed and media == negotiate.GRAPHQL:
        status = max(status_of(error) for error in known)
    return _send(body, media, status)


def _refuse(
    error: NumenError, media: str, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    headers = {**headers_of(error), **(headers or {})}
    return _send({"errors": [entry_of(error)]}, media, status or status_of(error), headers)


def _send(
    body: dict[str, Any], media: str, status: int, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(body),
        status,
        headers={**(headers or {}), "vary": "accept", "content-type": f"{media}; charset=utf-8"},
    )
