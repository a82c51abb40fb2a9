"""The fast door to gRPC: all calls of the Servicer on numen's own HTTP/2 connections.

`ModelInfer` goes from its bytes to the Service and back without a task; everything else has one.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Final

from numen.core.errors import (
    DeadlineExceeded,
    Internal,
    InvalidInput,
    NumenError,
    Overloaded,
    TooLarge,
)
from numen.core.observe import logger
from numen.transport.grpc_head import (
    DONE,
    DONE_FRAMED,
    OPENING,
    OPENING_FRAMED,
    Head,
    refusal,
    status_of,
    trailer,
    unpacked,
)
from numen.transport.grpc_infer import Caller, Infer
from numen.transport.grpc_service import Servicer
from numen.transport.grpc_v2 import Reply
from numen.transport.http2_out import WINDOW, Stream
from numen.transport.http2_wire import Framed, HeaderList, framed

_log = logger(__name__)
_PREFIX: Final = 5  # a message's flag and length
_pack_prefix: Final = struct.Struct(">BI").pack
_unpack_prefix: Final = struct.Struct(">BI").unpack_from
_MAX_TRAILERS: Final = 1024


class Door:
    """Serves the streams of all connections of one port.

    Args:
        servicer: Who answers.
        max_body: Largest message, in bytes.
    """

    def __init__(self, servicer: Servicer, max_body: int):
        self._servicer = servicer
        self._max_body = max_body
        # A connection may have one large message under way while the next one comes.
        self._max_held = 2 * max_body + WINDOW
        self._trailers: dict[tuple[tuple[str, str], ...], Framed] = {}

    def understand(self, headers: HeaderList) -> Head:
        """What a request's headers say."""
        return Head(headers, self._servicer.calls)

    def begin(self, stream: Stream) -> None:
        """A request has begun."""
        head: Head = stream.head
        if head.refusal:
            stream.send(head.refusal, last=True)
            return
        assert head.call is not None
        if head.call.streaming is not None:
            stream.call = _Dialogue(stream, self._max_body, self._check_held)

    def receive(self, stream: Stream, data: bytes) -> None:
        """A piece of a request's messages; `stream.ended` says whether it is the last."""
        call = stream.call
        if isinstance(call, _Dialogue):
            call.receive(data)
            return
        try:
            if stream.connection.held > self._max_held:
                self._check_held(stream)
            if call is None:
                if stream.ended:
                    self._ask(stream, data)
                    return
                call = stream.call = _Pieces(self._max_body)
            call.add(data)
            stream.grant(len(data))
            if stream.ended:
                self._ask(stream, b"".join(call.parts))
        except NumenError as error:
            fail(stream, error)

    def _check_held(self, stream: Stream) -> None:
        held = stream.connection.held
        if held > self._max_held:
            raise Overloaded(
                f"this connection keeps {held} bytes of requests already", hint="wait for answers"
            )

    def reset(self, stream: Stream) -> None:
        """The client has taken the request back, or is gone."""
        call, stream.call = stream.call, None
        if isinstance(call, Infer | _Dialogue | asyncio.Task):
            call.cancel()

    def _ask(self, stream: Stream, data: bytes) -> None:
        """One message is there, with its prefix."""
        head: Head = stream.head
        size = len(data) - _PREFIX
        if size < 0 or _unpack_prefix(data) != (0, size):
            body = self._unusual(stream, data)
        elif size > self._max_body:
            raise _too_large(size, self._max_body)
        else:
            body = data[_PREFIX:]
        if head.infer:
            infer = stream.call = self._servicer.infer(head.now())
            infer.begin(body, partial(self._told, stream))
        else:
            stream.call = asyncio.ensure_future(self._answer(stream, head.now(), body))

    def _unusual(self, stream: Stream, data: bytes) -> bytes:
        if len(data) < _PREFIX or len(data) - _PREFIX < int.from_bytes(data[1:5], "big"):
            raise InvalidInput("expected one message, received none or a part of one")
        if len(data) - _PREFIX > int.from_bytes(data[1:5], "big"):
            raise InvalidInput("expected one message, received more than one")
        body = _plain(stream.head, data[0], data[_PREFIX:], self._max_body)
        stream.release(-len(body))  # it is kept as well
        self._check_held(stream)
        return body

    def _told(self, stream: Stream, outcome: Reply | NumenError) -> None:
        stream.call = None  # or the two would keep each other until the collector comes
        if stream.closed:
            return
        if isinstance(outcome, NumenError):
            fail(stream, outcome)
            return
        body, metadata = outcome
        trailers = self._trailers.get(metadata)
        if trailers is None:
            if len(self._trailers) >= _MAX_TRAILERS:
                self._trailers.clear()
            trailers = self._trailers[metadata] = framed(trailer(0, "", metadata), last=True)
        stream.respond(OPENING_FRAMED, _pack_prefix(0, len(body)), body, trailers)

    async def _answer(self, stream: Stream, caller: Caller, body: bytes) -> None:
        call = stream.head.call
        try:
            async with asyncio.timeout(_left(caller)):
                answer = await self._servicer.answer(call, caller, body)
        except TimeoutError:
            fail(stream, DeadlineExceeded("the deadline passed"))
        except NumenError as error:
            fail(stream, error)
        else:
            prefix = _pack_prefix(0, len(answer))
            stream.respond(OPENING_FRAMED, prefix, answer, DONE_FRAMED)


class _Pieces:
    """A message that comes in pieces."""

    __slots__ = ("_limit", "_size", "parts")

    def __init__(self, limit: int):
        self.parts: list[bytes] = []
        self._limit = limit
        self._size = 0

    def add(self, data: bytes) -> None:
        """One more piece.

        Raises:
            TooLarge: The message is over the limit, or says that it will be.
        """
        if self._size < _PREFIX <= self._size + len(data):
            start = b"".join([*self.parts, data[:_PREFIX]])
            size = int.from_bytes(start[1:5], "big")
            if size > self._limit:
                raise _too_large(size, self._limit)
        if data:
            self.parts.append(data)
        self._size += len(data)
        if self._size > self._limit + _PREFIX:
            raise _too_large(self._size, self._limit)


class _Dialogue:
    """A call of many messages: what came and was not yet taken, and who answers."""

    def __init__(self, stream: Stream, limit: int, check_held: Callable[[Stream], None]):
        self._stream = stream
        self._limit = limit
        self._check_held = check_held
        self._rest = bytearray()
        self._owed = 0
        self._failure: NumenError | None = None
        self._news = asyncio.Event()
        head: Head = stream.head
        self._task = asyncio.ensure_future(self._run(head.now()))

    def receive(self, data: bytes) -> None:
        """A piece of the messages."""
        self._rest += data
        self._owed += len(data)
        try:
            self._check_held(self._stream)
            self._grant()
        except NumenError as error:
            self._failure = error
        self._news.set()

    def cancel(self) -> None:
        """Nobody waits any longer."""
        self._task.cancel()

    def _grant(self) -> None:
        # A client whose messages are not taken is let to send no more of them.
        if len(self._rest) < WINDOW // 2 or self._next() is None:
            self._stream.grant(self._owed)
            self._owed = 0

    def _next(self) -> int | None:
        """Where the next message ends; None where it is not all there."""
        if len(self._rest) < _PREFIX:
            return None
        _, size = _unpack_prefix(self._rest)
        if size > self._limit:
            raise _too_large(size, self._limit)
        end: int = _PREFIX + size
        return end if end <= len(self._rest) else None

    async def _messages(self) -> AsyncIterator[bytes]:
        while True:
            if self._failure is not None:
                raise self._failure
            end = self._next()
            if end is not None:
                flag, body = self._rest[0], bytes(self._rest[_PREFIX:end])
                del self._rest[:end]
                self._stream.release(end)
                self._grant()
                yield _plain(self._stream.head, flag, body, self._limit)
            elif self._stream.ended:
                if self._rest:
                    raise InvalidInput("the last message is cut short")
                return
            else:
                self._news.clear()
                await self._news.wait()

    async def _run(self, caller: Caller) -> None:
        stream = self._stream
        call = stream.head.call
        assert call.streaming is not None
        stream.send(OPENING)
        try:
            async with (
                asyncio.timeout(_left(caller)),
                aclosing(call.streaming(caller, self._messages())) as answers,
            ):
                async for answer in answers:
                    stream.write(_pack_prefix(0, len(answer)) + answer)
                    await stream.sent()
        except TimeoutError:
            stream.send(trailer(*status_of(DeadlineExceeded("the deadline passed"))), last=True)
        except NumenError as error:
            stream.send(trailer(*status_of(error)), last=True)
        except Exception:
            _log.exception("a stream failed")
            failure = Internal("numen failed on this stream")
            stream.send(trailer(*status_of(failure)), last=True)
        else:
            stream.send(DONE, last=True)


def fail(stream: Stream, error: NumenError) -> None:
    """Answers with nothing but an error."""
    stream.send(refusal(*status_of(error)), last=True)


def _left(caller: Caller) -> float | None:
    return None if caller.deadline is None else max(caller.deadline - time.monotonic(), 0)


def _too_large(size: int, limit: int) -> NumenError:
    return TooLarge(f"message: expected at most {limit} bytes, received {size}", field="message")


def _plain(head: Head, flag: int, body: bytes, limit: int) -> bytes:
    if flag == 0:
        return body
    if flag != 1 or not head.packed:
        raise Internal("a message is said to be compressed, but grpc-encoding does not say how")
    return unpacked(body, limit)
