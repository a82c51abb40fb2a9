"""The fast door: `POST /v2/models/{m}/infer` without ASGI, on uvicorn's own connection class.

A request for a hot URL is read, decoded, batched and answered here; every other request goes on
to the app as uvicorn would have it, on the same port, with uvicorn's parser, limits and shutdown.
Answers leave a connection in the order of its requests, whichever road each of them took.

This leans on uvicorn's internals, so its version is pinned and a contract test guards what is
used: `parser`, `cycle`, `pipeline`, `flow`, `on_response_complete`, `shutdown`, and the like.
"""

from __future__ import annotations

import re
from collections import deque
from functools import partial
from typing import Any, Final

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from numen.core.errors import InvalidInput, NumenError, TooLarge
from numen.serve.service import Service
from numen.transport import sharing, upgrade
from numen.transport.caller import Head
from numen.transport.heads import Heads, Target
from numen.transport.hot import Hot
from numen.transport.status import error_body
from numen.transport.websocket import WebSocket

_HOT: Final = re.compile(rb"/v2/models/([a-z0-9._-]+)(?:/versions/([A-Za-z0-9._-]+))?/infer")
_OFFERS: Final = (b"upgrade", b"http2-settings")
_MAX_PIPELINED: Final = 64
# A request must have come whole within so many seconds, and longer by what it brings at this pace.
_READING: Final = 20.0
_SLOWEST: Final = 16 << 10
# How long a server that ends waits for a request that may be on its way, in seconds.
_GRACE: Final = 0.3


class _Flow(FlowControl):
    """Reads no more from a client that does not read its answers, or has many requests waiting."""

    def __init__(self, protocol: FastProtocol):
        super().__init__(protocol.transport)
        self._protocol = protocol

    def resume_reading(self) -> None:
        if not self.write_paused and self._protocol.waiting() < _MAX_PIPELINED:
            super().resume_reading()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.resume_reading()


class FastProtocol(HttpToolsProtocol):
    """uvicorn's connection class with a fast road; see the module."""

    service: Service  # set by `protocol_for`
    max_body: int
    heads: Heads
    origins: frozenset[str]
    _lines: tuple[Any, bytes] = (None, b"")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._due: deque[Hot] = deque()
        self._reading: Hot | None = None
        self._ended = False
        self._offered = False
        self._idle_since = 0.0
        self._received = 0
        self._between = True  # no request has been read in part
        self._begun = b""  # what may be the head of the request that begins
        self._head = b""  # what may be the head of the one that is read

    def connection_made(self, transport: Any) -> None:
        """A client is there."""
        super().connection_made(transport)
        self.flow = _Flow(self)
        self._idle_since = self.loop.time()
        self._watch_idle(self.timeout_keep_alive)

    def waiting(self) -> int:
        """How many requests wait for their answers, or to be begun."""
        return len(self._due) + len(self.pipeline)

    def data_received(self, data: bytes) -> None:
        """Takes what the client sent: a request with a known head at once, all else parsed."""
        if self._between:
            end = data.find(b"\r\n\r\n") + 4
            self._begun = data[:end]
            known = self.heads.get(self._begun)
            if known is not None and len(data) - end == known.head.length and self._free():
                self._enter(known).submit(self.service, data[end:])
                return
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as end:
            if self._offered:
                self._decline(data[end.args[0] :])
            elif self._should_upgrade():
                self._open_websocket(data[end.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _should_upgrade(self) -> bool:
        """A WebSocket opens with a GET, when all that was asked before it is answered."""
        begun = self._due or not (self.cycle is None or self.cycle.response_complete)
        return (
            self.parser.get_method() == b"GET"
            and not begun
            and super()._should_upgrade()
            and any(name == b"sec-websocket-key" for name, _ in self.headers)
        )

    def _open_websocket(self, rest: bytes) -> None:
        """Hands the connection over to the WebSocket door, or to uvicorn's own for the app."""
        self._unset_keepalive_if_required()
        try:
            upgrade.check_origin(self.headers, self.service.admission, self.origins)
            if self.url.startswith(upgrade.PATH):
                caller = upgrade.read(self.url, self.headers, self.service)
                self.ws_protocol_class = partial(  # type: ignore[assignment]
                    WebSocket, self.service, caller, self.max_body
                )
        except NumenError as error:
            self._end_with_new(error)
            return
        self.handle_websocket_upgrade()
        if rest:
            self.transport.get_protocol().data_received(rest)  # type: ignore[attr-defined]

    def _decline(self, rest: bytes) -> None:
        """Reads a request that offers another protocol, such as h2c, as the HTTP/1.1 that it is.

        The parser is done with such a connection, so another one reads its head without the offer.
        """
        self._offered = False
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        for name, value in self.headers:
            if name == b"connection":
                tokens = (token.strip() for token in value.lower().split(b","))
                lines += [b"connection: %b" % token for token in tokens if token not in _OFFERS]
            elif name not in _OFFERS:
                lines.append(b"%b: %b" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def on_message_begin(self) -> None:
        """A request begins. What the app needs of it is made when it goes that way."""
        self._between = False
        self._head, self._begun = self._begun, b""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._idle_since = self.loop.time()
        self._received = 0
        self._between = False

    def _make_scope(self) -> None:
        url, headers, expect = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(headers)

    def on_headers_complete(self) -> None:
        """Decides which road a request takes."""
        if self._ended:
            return
        if self.parser.should_upgrade() and not self._should_upgrade():
            self._offered = self.parser.get_method() != b"CONNECT"
            if self._offered:
                return
        match = _HOT.fullmatch(self.url)
        if (
            match is None
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or self.expect_100_continue
            or not self._free()
        ):
            self._make_scope()
            super().on_headers_complete()
            if self.service.leaving and self.cycle is not None:
                self.cycle.keep_alive = False
            return
        name, version = match.groups()
        target = Target(
            name.decode(), version.decode() if version else None, Head(self.headers),
            self.parser.should_keep_alive(),
            sharing.lines(self.headers, self.origins) if self.origins else b"",
        )  # fmt: skip
        if target.head.length is not None and target.head.length <= self.max_body:
            self.heads.remember(self._head, target, len(self.headers))
        hot = self._reading = self._enter(target)
        try:
            hot.head.check_size(self.max_body)
        except TooLarge as error:
            self._end_with(hot, error)

    def _free(self) -> bool:
        """Whether a request may be hot here; behind one on the slow road, it queues there."""
        cycle = self.cycle
        return (
            cycle is None or isinstance(cycle, Hot) or cycle.response_complete
        ) and not self.pipeline

    def _enter(self, target: Target) -> Hot:
        hot = Hot(self, target)
        if self.service.leaving:  # this answer is the last
            hot.keep_alive = False
        self.cycle = hot  # type: ignore[assignment]
        self._due.append(hot)
        self._ended = not hot.keep_alive
        if len(self._due) >= _MAX_PIPELINED:
            self.flow.pause_reading()
        return hot

    def _end_with(self, hot: Hot, error: NumenError) -> None:
        # What is on its way will not be read, so the connection ends with this answer.
        hot.keep_alive = False
        self._ended = True
        self._reading = None
        hot.fail(error)

    def _end_with_new(self, error: NumenError) -> None:
        hot = Hot(self, Target("", None, Head(()), keep_alive=False))
        self._due.append(hot)
        self._end_with(hot, error)

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not HTTP, after the answers to what came before it."""
        if self._ended and self._reading is None:
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete or isinstance(cycle, Hot):
            if self._reading is not None:
                self._end_with(self._reading, InvalidInput(msg))
            else:
                self._end_with_new(InvalidInput(msg))
        elif not cycle.more_body:
            # All of that request was well; its answer is the connection's last.
            self._ended = True
            cycle.keep_alive = False
        elif self.pipeline:
            # It waits for others; in its turn it finds that there is no body.
            self._ended = True
            cycle.keep_alive = False
            self.pipeline[0] = (cycle, _refuse)
        elif cycle.response_started:
            self.transport.close()
        else:
            cycle.disconnected = True
            cycle.message_event.set()
            self._end_with_new(InvalidInput(msg))

    def on_body(self, body: bytes) -> None:
        """Collects a hot request's body."""
        hot = self._reading
        if hot is None:
            if not isinstance(self.cycle, Hot):
                super().on_body(body)
            return
        hot.body.append(body)
        hot.size += len(body)
        if hot.size > self.max_body:
            self._end_with(
                hot, TooLarge(f"body: expected at most {self.max_body} bytes", field="body")
            )

    def on_message_complete(self) -> None:
        """Sends a whole hot request on to the Service."""
        self._between = True
        hot = self._reading
        if hot is None:
            if not isinstance(self.cycle, Hot) and not self._offered:
                super().on_message_complete()
            return
        self._reading = None
        body = hot.body[0] if len(hot.body) == 1 else b"".join(hot.body)
        hot.body = []
        hot.submit(self.service, body)

    def write_due(self) -> None:
        """Writes the answers that are next in order."""
        due = self._due
        while due and (reply := due[0].reply) is not None:
            hot = due.popleft()
            hot.response_complete = True
            if self.transport.is_closing():
                continue
            self.transport.write(reply)
            if not hot.keep_alive:
                due.clear()
                self.transport.close()
        if not due:
            self.on_response_complete()
        elif self.flow.read_paused:
            self.flow.resume_reading()

    # One timer a connection, which looks at the clock when it fires, instead of one a request.

    def on_response_complete(self) -> None:
        """Begins the next request that waits, or else to count the idle time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch_idle(self.timeout_keep_alive)

    def _watch_idle(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Closes a connection that has been idle for long, or whose request never comes whole."""
        busy = self._due or not (self.cycle is None or self.cycle.response_complete)
        now, since = self.loop.time(), self._idle_since
        most: float = self.timeout_keep_alive
        if not self._between and not self.flow.read_paused:
            most = _READING + self._received / _SLOWEST
        elif busy:
            since = now
        if now - since < most:
            self._watch_idle(since + most - now)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Lets the answer to the present request, or to one on its way, be the last."""
        if self._due or not (self.cycle is None or self.cycle.response_complete):
            super().shutdown()
        elif self._between:
            self.loop.call_later(_GRACE, self._leave)
        # Else a head is being read, and that request is the last.

    def _leave(self) -> None:
        if self._between:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops the work of a client that is gone."""
        for hot in self._due:
            hot.disconnected = True
            hot.set()
            hot.body = []
        self._reading = None
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # or it would keep all this for seconds

    def default_lines(self) -> bytes:
        """The server's default headers (date, server) as bytes, made once per change of them."""
        headers = self.server_state.default_headers
        known, lines = FastProtocol._lines
        if known is not headers:
            lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
            FastProtocol._lines = (headers, lines)
        return lines


async def _refuse(_scope: Any, _receive: Any, send: Any) -> None:
    body = error_body(InvalidInput("Invalid HTTP request received."))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def protocol_for(
    service: Service, max_body: int, origins: frozenset[str] = frozenset()
) -> type[FastProtocol]:
    """The connection class of a server: `uvicorn.Config(http=protocol_for(…))`.

    Args:
        service: The live models.
        max_body: Largest request body, in bytes.
        origins: Whose pages may call; see `numen.transport.sharing`.
    """
    said = {"service": service, "max_body": max_body, "heads": Heads(), "origins": origins}
    return type("Protocol", (FastProtocol,), said)
