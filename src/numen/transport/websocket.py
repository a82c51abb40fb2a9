"""WebSocket `/ws/{model}`: a frame a request, answered in any order, without ASGI.

A connection class that uvicorn hands an opened connection over to. Framing, the handshake and
the closing are `websockets`' sans-I/O; what is here is who waits, who is too fast, and who is gone.
A frame that cannot be read is answered with an error; only what is not WebSocket ends a connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from numen.core.errors import InvalidInput
from numen.serve.service import Service
from numen.transport.exchange import Exchange
from numen.transport.status import error_body
from numen.transport.upgrade import SUBPROTOCOL, Caller

MAX_UNDER_WAY: Final = 64
# Seconds that a client has to end its side once this side is closed.
_LINGER: Final = 2.0
_GOING_AWAY: Final = 1001
_NOT_UTF8: Final = 1007
_FAILED: Final = 1011
_DATA: Final = (Opcode.TEXT, Opcode.BINARY)
_log = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.frames")
_quiet.setLevel(logging.WARNING)


class WebSocket(asyncio.Protocol):
    """One connection to a model.

    Args:
        service: The live models.
        caller: What the opening said.
        max_size: Largest message, in bytes.
        config: uvicorn's; how often to look whether the client is alive is read of it.
        server_state: uvicorn's; its `connections` are told to shut down.
        app_state: uvicorn's; not used.
    """

    transport: asyncio.Transport

    def __init__(
        self, service: Service, caller: Caller, max_size: int,
        *, config: uvicorn.Config, server_state: ServerState, app_state: dict[str, Any],
    ):  # fmt: skip
        del app_state
        self.service = service
        self.caller = caller
        self._frames = ServerProtocol(select_subprotocol=_select, max_size=max_size, logger=_quiet)
        self._patience = config.ws_ping_interval
        self._connections = server_state.connections
        self._loop = asyncio.get_running_loop()
        self._parts: list[bytes] = []
        self._binary = False
        self._waiting: deque[tuple[bytes, bool]] = deque()
        self._under_way: dict[Exchange, None] = {}
        self._beginning = False
        self._write_paused = False
        self._read_paused = False
        self._draining = False
        self._heard = True
        self._timer: asyncio.TimerHandle | None = None

    # What the transport calls.

    def connection_made(self, transport: Any) -> None:
        """The connection was handed over."""
        self.transport = transport
        self._connections.add(self)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Parses what the client sent; the first of it is the request that opened it."""
        self._heard = True
        self._frames.receive_data(data)
        for event in self._frames.events_received():
            if isinstance(event, Frame):
                self._gather(event)
            elif isinstance(event, Request):
                self._shake_hands(event)
        self._write()
        if self._frames.state is State.OPEN:
            self._begin()
        else:
            self._drop()

    def pause_writing(self) -> None:
        """The client does not read its answers: so nothing more is read of it."""
        self._write_paused = True
        self._read_or_not()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._heard = True
        self._write_paused = False
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops the work of a client that is gone."""
        del exc
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._drop()

    def shutdown(self) -> None:
        """Answers what was asked, then closes; uvicorn calls it when the server stops."""
        self._draining = True
        self._read_or_not()
        self._close_if_drained()

    # Frames in.

    def _shake_hands(self, request: Request) -> None:
        response = self._frames.accept(request)
        if response.status_code != 101:
            response = _as_json(response)
        self._frames.send_response(response)
        if self._patience:
            self._timer = self._loop.call_later(self._patience, self._look)

    def _gather(self, frame: Frame) -> None:
        """Puts a message together of its frames."""
        if frame.opcode in _DATA:
            self._binary = frame.opcode is Opcode.BINARY
        elif frame.opcode is not Opcode.CONT:
            return
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
            self._waiting.append((whole, self._binary))

    def _begin(self) -> None:
        """Begins with what waits, as far as it may."""
        if self._beginning:  # what fails at once comes back here
            return
        self._beginning = True
        waiting, under_way = self._waiting, self._under_way
        while waiting and len(under_way) < MAX_UNDER_WAY and not self._write_paused:
            exchange = Exchange(self, *waiting.popleft())
            under_way[exchange] = None
            exchange.begin()
        self._beginning = False
        self._read_or_not()
        self._close_if_drained()

    def _read_or_not(self) -> None:
        pause = bool(self._waiting) or self._write_paused or self._draining
        if pause is not self._read_paused and not self.transport.is_closing():
            self._read_paused = pause
            (self.transport.pause_reading if pause else self.transport.resume_reading)()

    def supersede(self, by: Exchange) -> None:
        """Cancels all that were asked before and have no answer."""
        for exchange in list(self._under_way):
            if exchange is not by:
                exchange.supersede()

    # Frames out.

    def answer(self, exchange: Exchange, data: bytes, binary: bool) -> None:
        """Sends an answer; the exchange is over."""
        if self._under_way.pop(exchange, exchange) is exchange:
            return
        (self._frames.send_binary if binary else self._frames.send_text)(data)
        self._write()
        if self._waiting or self._draining:
            self._begin()

    def refuse(self, exchange: Exchange) -> None:
        """Ends a connection whose text is no UTF-8, as the protocol wants it."""
        self._under_way.pop(exchange, None)
        self._end(_NOT_UTF8, "text frames are UTF-8")

    def _write(self) -> None:
        for piece in self._frames.data_to_send():
            if self.transport.is_closing():
                return
            if piece:
                self.transport.write(piece)
            else:
                self._end_output()

    def _end_output(self) -> None:
        # With what is on its way unread, closing at once could destroy what was sent last.
        if self._timer is not None:
            self._timer.cancel()
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._read_paused = False
        self.transport.resume_reading()
        self._timer = self._loop.call_later(_LINGER, self.transport.abort)

    # The end, and whether it has come.

    def _close_if_drained(self) -> None:
        if not self._draining or self._waiting or self._under_way:
            return
        if self._frames.state is State.OPEN:
            self._frames.send_close(_GOING_AWAY, "the server is stopping")
            self._write()
            self._draining = False
            self._read_or_not()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(_LINGER, self.transport.abort)

    def _end(self, code: int, reason: str) -> None:
        self._frames.fail(code, reason)
        self._write()
        self._drop()

    def _drop(self) -> None:
        """Drops all work; nobody waits for it."""
        self._waiting.clear()
        for exchange in self._under_way:
            exchange.cancel()
        self._under_way.clear()

    def _look(self) -> None:
        """Asks a client that said nothing for long whether it is there; ends one that is not."""
        deaf = self._read_paused and not self._write_paused
        if not (self._heard or deaf):
            self._end(_FAILED, "no sign of life")
            return
        self._heard = False
        self._frames.send_ping(b"numen")
        self._write()
        self._timer = self._loop.call_later(self._patience or 0.0, self._look)


def _select(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _as_json(refusal: Response) -> Response:
    message = refusal.body.decode().partition("\n")[0]
    refusal.body = error_body(InvalidInput(message))
    del refusal.headers["Content-Length"], refusal.headers["Content-Type"]
    refusal.headers["Content-Type"] = "application/json"
    refusal.headers["Content-Length"] = str(len(refusal.body))
    return refusal
