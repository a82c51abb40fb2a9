"""What goes out on an HTTP/2 connection: answers within the peer's windows, in few writes.

Answers that fit go at once, all of one turn of the event loop in one write; what does not fit
waits, and streams that wait take turns.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, Protocol

from numen.transport import http2_wire as wire
from numen.transport.http2_wire import Broken, Framed, HeaderList, Patience, frame, pack_32

WINDOW: Final = 1 << 20


class Handler(Protocol):
    """Who serves the requests of connections."""

    def understand(self, headers: HeaderList) -> Any:
        """What a request's headers mean; kept as `Stream.head`. The same headers mean the same."""

    def begin(self, stream: Stream) -> None:
        """A request has begun; its headers are read."""

    def receive(self, stream: Stream, data: bytes) -> None:
        """A piece of a request's body; `stream.ended` says whether it is the last."""

    def reset(self, stream: Stream) -> None:
        """The client has gone away or taken the request back."""


class Stream:
    """One request and its answer.

    Attributes:
        head: What its headers mean.
        call: What its handler keeps of it.
        ended: Whether all of the request is there.
        closed: Whether the answer has gone or nobody wants it; nothing may be sent.
        held: Bytes of its body that are kept.
    """

    __slots__ = (
        "backlog", "call", "closed", "connection", "credit", "ended", "head", "held", "id",
        "owed", "waiter", "window",
    )  # fmt: skip

    def __init__(self, connection: Sender, id_: int, head: Any, window: int):
        self.connection = connection
        self.id = id_
        self.head = head
        self.call: Any = None
        self.ended = False
        self.closed = False
        self.held = 0
        self.window = window
        self.credit = WINDOW
        self.owed = 0
        # (whether headers, whether the last, bytes) that wait for the peer's window
        self.backlog: deque[tuple[bool, bool, bytes | memoryview]] | None = None
        self.waiter: asyncio.Future[None] | None = None

    def respond(self, opening: Framed, prefix: bytes, data: bytes, trailers: Framed) -> None:
        """All of an answer at once; its body is `prefix` and `data`."""
        connection = self.connection
        size = len(prefix) + len(data)
        if self.closed:
            return
        if (
            self.backlog
            or size > self.window
            or size > connection.window
            or size > connection.max_frame
        ):
            self.send(opening[1])
            self.write(prefix + data)
            self.send(trailers[1], last=True)
            return
        connection.window -= size
        connection.patience.earned += Patience.AN_ANSWER
        id_ = pack_32(self.id)
        connection.put(
            b"".join(
                (
                    opening[0], id_, opening[1],
                    wire.pack_data_head(size >> 16, size & 0xFFFF, 0, self.id), prefix, data,
                    trailers[0], id_, trailers[1],
                )
            )
        )  # fmt: skip
        connection.finish(self)

    def send(self, block: bytes, *, last: bool = False) -> None:
        """Headers, or trailers."""
        self._queue(True, last, block)

    def write(self, data: bytes) -> None:
        """A piece of the answer's body, of any size."""
        self._queue(False, False, memoryview(data))  # it may go in many slices

    def _queue(self, headers: bool, last: bool, data: bytes | memoryview) -> None:
        if self.closed:
            return
        if self.backlog is None:
            self.backlog = deque()
        self.backlog.append((headers, last, data))
        self.connection.pump(self)

    def reset(self, code: int) -> None:
        """Breaks it off."""
        if not self.closed:
            self.ended = True  # so that it is not reset twice
            self.connection.put(frame(wire.RST_STREAM, 0, self.id, pack_32(code)))
            self.connection.finish(self)

    def grant(self, size: int) -> None:
        """Lets the peer send `size` bytes more of the body."""
        self.owed += size
        if self.owed >= WINDOW // 2 and not self.ended and not self.closed:
            self.connection.put(frame(wire.WINDOW_UPDATE, 0, self.id, pack_32(self.owed)))
            self.credit += self.owed
            self.owed = 0

    def release(self, size: int) -> None:
        """Says that `size` bytes of the body are kept no longer."""
        self.held -= size
        self.connection.held -= size

    async def sent(self) -> None:
        """Waits until what was written is on its way, or never will be."""
        while not self.closed and (self.backlog or self.connection.paused):
            self.waiter = self.waiter or self.connection.loop.create_future()
            await self.waiter

    def wake(self) -> None:
        """Lets who waits look again."""
        if self.waiter is not None:
            if not self.waiter.done():
                self.waiter.set_result(None)
            self.waiter = None


class Home:
    """What the connections of one port share: their list, and the time to write.

    Attributes:
        connections: Those that are open.
    """

    def __init__(self) -> None:
        self.connections: set[Sender] = set()
        self._loop = asyncio.get_running_loop()
        self._due: list[Sender] = []

    def soon(self, connection: Sender) -> None:
        """Has what a connection has to write written at the end of this turn of the loop."""
        if not self._due:
            self._loop.call_soon(self._flush)
        self._due.append(connection)

    def _flush(self) -> None:
        due, self._due = self._due, []
        for connection in due:
            connection.flush()


class Sender:
    """The sending half of a connection.

    Attributes:
        streams: The open streams.
        window: Bytes of bodies that the peer still takes.
        max_frame: Most bytes that it takes in one frame.
        held: Bytes of requests that are kept.
        patience: With what the peer does to no purpose.
        paused: Whether the peer does not read what it is sent.
    """

    def __init__(self, home: Home) -> None:
        self.loop = asyncio.get_running_loop()
        self._home = home
        self._refusing = False  # whether it ends with the last of its streams
        self.streams: dict[int, Stream] = {}
        self.window = 65_535
        self.max_frame = wire.MAX_FRAME
        self.held = 0
        self.paused = False
        self.patience = Patience()
        self._transport: asyncio.Transport | None = None
        self._initial_window = 65_535
        self._blocked: dict[int, Stream] = {}
        self._out: list[bytes] = []

    def put(self, data: bytes) -> None:
        """Writes frames at the end of this turn of the loop."""
        if not self._out:
            self._home.soon(self)
        self._out.append(data)

    def flush(self) -> None:
        """Writes what is due."""
        out, self._out = self._out, []
        if self._transport is not None and out:
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def leave(self) -> None:
        """Ends the connection when all that was asked is answered."""
        raise NotImplementedError

    def look(self, now: float) -> None:
        """Ends the connection where nobody seems to be there; called every few seconds."""
        raise NotImplementedError

    def close(self) -> None:
        """Writes what is due and ends the connection."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def finish(self, stream: Stream) -> None:
        """A stream's answer has gone. What is still to come of its request is not wanted."""
        if not stream.ended:
            self.put(frame(wire.RST_STREAM, 0, stream.id, pack_32(wire.NO_ERROR)))
        self.drop(stream)

    def drop(self, stream: Stream) -> None:
        """Forgets a stream."""
        stream.closed = True
        stream.backlog = None
        if self.streams.pop(stream.id, None) is not None:
            self.held -= stream.held
        if self._blocked:
            self._blocked.pop(stream.id, None)
        if stream.waiter is not None:
            stream.wake()
        if self._refusing and not self.streams:
            self.close()

    def pump(self, stream: Stream, most: int = wire.MAX_WINDOW) -> None:
        """Sends what waits on a stream, as far as the windows go and `most` bytes."""
        backlog = stream.backlog
        while backlog:
            headers, last, data = backlog[0]
            if headers:
                flags = wire.END_HEADERS | (wire.END_STREAM if last else 0)
                self.put(frame(wire.HEADERS, flags, stream.id, data))
            else:
                size = min(len(data), self.window, stream.window, self.max_frame, most)
                if size <= 0 < len(data):
                    self._blocked[stream.id] = stream
                    return
                self.window -= size
                stream.window -= size
                most -= size
                self.patience.earned += Patience.AN_ANSWER
                self.put(frame(wire.DATA, 0, stream.id, data[:size]))
                if size < len(data):
                    backlog[0] = (False, False, data[size:])
                    continue
            backlog.popleft()
            if last:
                self.finish(stream)
                return
        self._blocked.pop(stream.id, None)
        stream.wake()

    def pump_all(self) -> None:
        """Sends what waits: a frame of each stream in turn."""
        moved = True
        while moved and self.window > 0 and self._blocked:
            moved = False
            for stream in list(self._blocked.values()):
                before = self.window
                self.pump(stream, self.max_frame)
                moved = moved or self.window < before

    def widen(self, stream: Stream | None, size: int) -> None:
        """The peer takes more.

        Raises:
            Broken: More than any window may be.
        """
        holder: Sender | Stream = self if stream is None else stream
        holder.window += size
        if holder.window > wire.MAX_WINDOW:
            raise Broken(wire.FLOW_CONTROL_ERROR, "the window is too large")
        if stream is None:
            self.pump_all()
        elif stream.backlog:
            self.pump(stream)

    def set_initial_window(self, size: int) -> None:
        """The peer changes the window of all streams.

        Raises:
            Broken: It is too large, for one of them.
        """
        change = size - self._initial_window
        self._initial_window = size
        widest = size
        for stream in self.streams.values():
            stream.window += change
            widest = max(widest, stream.window)
        if widest > wire.MAX_WINDOW:
            raise Broken(wire.FLOW_CONTROL_ERROR, "the window is too large")
        self.pump_all()
