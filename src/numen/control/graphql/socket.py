"""`/graphql` over a WebSocket: the protocol graphql-transport-ws, for subscriptions above all.

A browser cannot send a key with a WebSocket's request, so it may come in the first message as
well, as `{"Authorization": "Bearer nm_…"}`. Another site's page is not let in.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import orjson
from fastapi import WebSocket
from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect
from strawberry import Schema
from strawberry.utils.aio import aclosing

from numen.control.graphql.body import Operation, operation
from numen.control.graphql.context import Context
from numen.control.graphql.errors import as_numen, entry_at, entry_of
from numen.control.origin import other_site
from numen.core.errors import NumenError
from numen.transport.caller import Head

PROTOCOL: Final = "graphql-transport-ws"
# Seconds until the first message must have come, and most operations under way on one connection.
_PATIENCE: Final = 10.0
_MOST: Final = 16
# Close codes of the protocol.
_BAD, _UNKNOWN, _FORBIDDEN, _SLOW, _TAKEN, _AGAIN = 4400, 4401, 4403, 4408, 4409, 4429


class _Over(Exception):
    """The connection ends, and why."""

    def __init__(self, code: int, reason: str):
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Socket:
    """One connection.

    Args:
        websocket: The connection, not yet accepted.
        schema: What can be asked.
        context: Makes what resolvers work with, of a key and an operation's name.
        admit: Raises where a key is needed and this is none.
    """

    def __init__(
        self,
        websocket: WebSocket,
        schema: Schema,
        context: Callable[[bytes, str | None], Context],
        admit: Callable[[bytes], object],
    ):
        self._websocket = websocket
        self._schema = schema
        self._context = context
        self._admit = admit
        self._credential = Head(websocket.headers.raw).credential
        self._known = False
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Serves the connection until it ends."""
        websocket = self._websocket
        if PROTOCOL not in websocket.scope["subprotocols"] or other_site(websocket.headers):
            await websocket.close()  # which refuses the request
            return
        await websocket.accept(PROTOCOL)
        try:
            while True:
                await self._take(await self._next())
        except _Over as over:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await websocket.close(over.code, over.reason)
        except WebSocketDisconnect:
            pass
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _next(self) -> dict[str, Any]:
        patience = None if self._known else _PATIENCE
        try:
            async with asyncio.timeout(patience):
                message = orjson.loads(await self._websocket.receive_text())
        except TimeoutError:
            raise _Over(_SLOW, "Connection initialisation timeout") from None
        except (KeyError, orjson.JSONDecodeError):
            raise _Over(_BAD, "expected JSON as text") from None
        if not isinstance(message, dict):
            raise _Over(_BAD, "expected an object")
        return message

    async def _take(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "connection_init":
            await self._begin(message.get("payload"))
        elif kind == "ping":
            await self._send({"type": "pong"})
        elif kind == "subscribe":
            self._subscribe(message)
        elif kind == "complete":
            task = self._running.pop(str(message.get("id")), None)
            if task is not None:
                task.cancel()
        elif kind != "pong":
            raise _Over(_BAD, "unknown message type")

    async def _begin(self, payload: Any) -> None:
        if self._known:
            raise _Over(_AGAIN, "Too many initialisation requests")
        if isinstance(payload, dict):
            said = [
                (name.lower().encode(), value.encode())
                for name, value in payload.items()
                if name.lower() in ("authorization", "x-api-key") and isinstance(value, str)
            ]
            self._credential = Head(said).credential or self._credential
        try:
            self._admit(self._credential)
        except NumenError as error:
            raise _Over(_FORBIDDEN, error.message[:100]) from error
        self._known = True
        await self._send({"type": "connection_ack"})

    def _subscribe(self, message: dict[str, Any]) -> None:
        id_, payload = message.get("id"), message.get("payload")
        if not self._known:
            raise _Over(_UNKNOWN, "Unauthorized")
        if not isinstance(id_, str) or not id_ or not isinstance(payload, dict):
            raise _Over(_BAD, "subscribe: expected an id and a payload")
        if id_ in self._running:
            raise _Over(_TAKEN, f"Subscriber for {id_[:40]} already exists")
        if len(self._running) >= _MOST:
            raise _Over(_BAD, f"more than {_MOST} operations at once")
        self._running[id_] = asyncio.create_task(self._answer(id_, payload))

    async def _answer(self, id_: str, payload: dict[str, Any]) -> None:
        errors = None
        try:
            errors = await self._execute(id_, operation(payload))
        except NumenError as refused:
            errors = [entry_of(refused)]
        except GraphQLError as wrong:
            errors = [entry_at(wrong, as_numen(wrong))]
        except Exception as defect:  # one operation's end is not the others'
            errors = [entry_of(as_numen(GraphQLError("", original_error=defect)))]
        self._running.pop(id_, None)
        end = {"type": "complete"} if errors is None else {"type": "error", "payload": errors}
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self._send({"id": id_, **end})

    async def _execute(self, id_: str, asked: Operation) -> list[dict[str, Any]] | None:
        """Sends an operation's results; the errors, where nothing was executed."""
        results = await self._schema.stream(
            asked.query,
            variable_values=asked.variables,
            context_value=self._context(self._credential, asked.name),
            operation_name=asked.name,
        )
        async with aclosing(results):
            async for result in results:
                errors: list[GraphQLError] = list(getattr(result, "errors", None) or ())
                entries = [entry_at(error, as_numen(error)) for error in errors]
                data = getattr(result, "data", None)
                if data is None and all(error.path is None for error in errors):
                    return entries
                body = {"data": data, **({"errors": entries} if entries else {})}
                await self._send({"id": id_, "type": "next", "payload": body})
        return None

    async def _send(self, message: dict[str, Any]) -> None:
        await self._websocket.send_text(orjson.dumps(message).decode())
