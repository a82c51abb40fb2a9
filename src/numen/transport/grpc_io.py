"""Carries gRPC by grpcio's own asyncio server, for those who want that one."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from numen.core.errors import Cancelled, NumenError
from numen.transport.grpc_head import credential, origin, status_of
from numen.transport.grpc_infer import Caller
from numen.transport.grpc_service import INFER, Call, Servicer
from numen.transport.grpc_v2 import Reply

_STATUS: Final = {code.value[0]: code for code in grpc.StatusCode}


class GrpcioCarrier:
    """grpcio's server; see `open`."""

    def __init__(self, server: Any):
        self._server = server

    @classmethod
    async def open(
        cls, servicer: Servicer, max_body: int, listener: socket.socket
    ) -> GrpcioCarrier:
        """Listens where a socket is bound.

        Args:
            servicer: Who answers.
            max_body: Largest message, in bytes.
            listener: The socket; grpcio binds the same address by itself, so it is closed.
        """
        host, port = listener.getsockname()[:2]
        listener.close()
        server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 1),
                ("grpc.max_receive_message_length", max_body),
                ("grpc.max_send_message_length", -1),
            ]
        )
        server.add_generic_rpc_handlers((_Calls(servicer),))
        server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        await server.start()
        return cls(server)

    async def close(self, grace: float) -> None:
        """Takes no new calls, gives those under way `grace` seconds, and ends."""
        await self._server.stop(grace)


class _Calls(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The Servicer's calls, with messages left as bytes."""

    def __init__(self, servicer: Servicer):
        self._servicer = servicer

    def service(self, handler_call_details: Any) -> Any:
        call = self._servicer.calls.get(handler_call_details.method)
        if call is None:
            return None
        if call.streaming is not None:
            return grpc.stream_stream_rpc_method_handler(self._stream(call))
        return grpc.unary_unary_rpc_method_handler(
            self._infer if call.method.path == INFER else self._unary(call)
        )

    async def _infer(self, body: bytes, context: Any) -> bytes:
        told: asyncio.Future[Reply | NumenError] = asyncio.get_running_loop().create_future()

        def tell(outcome: Reply | NumenError) -> None:
            if not told.done():
                told.set_result(outcome)

        infer = self._servicer.infer(_caller(context))
        infer.begin(body, tell)
        try:
            outcome = await told
        except asyncio.CancelledError:
            infer.cancel()
            raise
        if isinstance(outcome, NumenError):
            await _abort(context, outcome)
            raise outcome
        message, metadata = outcome
        context.set_trailing_metadata(metadata)
        return message

    def _unary(self, call: Call) -> Any:
        async def unary(body: bytes, context: Any) -> bytes:
            try:
                return await self._servicer.answer(call, _caller(context), body)
            except NumenError as error:
                await _abort(context, error)
                raise

        return unary

    def _stream(self, call: Call) -> Any:
        async def stream(messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            assert call.streaming is not None
            try:
                async for answer in call.streaming(_caller(context), messages):
                    yield answer
            except NumenError as error:
                await _abort(context, error)

        return stream


def _caller(context: Any) -> Caller:
    said = dict(context.invocation_metadata() or ())
    left = context.time_remaining()
    given = (
        said.get(name) for name in ("authorization", "x-api-key", "traceparent", "x-request-id")
    )
    key, token, *names = (value.encode() if isinstance(value, str) else value for value in given)
    # grpcio says "no deadline" with one that is years away.
    far = left is None or left > 1e8
    deadline = None if far else time.monotonic() + left
    return Caller(credential(key, token), deadline, origin(*names))


async def _abort(context: Any, error: NumenError) -> None:
    if isinstance(error, Cancelled) and context.cancelled():
        return
    code, text, metadata = status_of(error)
    await context.abort(_STATUS[code], text, metadata)
