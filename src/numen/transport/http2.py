"""The server's side of an HTTP/2 connection: streams, flow control both ways, and limits.

It knows no application. Who serves gets whole headers and pieces of bodies, and answers with
header blocks and data of any size; how much of it may go when is settled here. Whatever a peer
sends, memory stays bounded, and other connections go on.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Final, cast

from numen.core.observe import logger
from numen.transport import http2_wire as wire
from numen.transport.http2_out import WINDOW, Handler, Home, Sender, Stream
from numen.transport.http2_wire import Broken, HeadReader, frame, pack_32

_log = logger(__name__)
MAX_STREAMS: Final = 256
_CONNECTION_WINDOW: Final = 4 << 20
_MAX_BLOCK: Final = 4 * wire.MAX_HEADERS
_RESET_COST: Final = 4.0
_GREETING_TIME, _SILENCE, _PONG_TIME = 10.0, 60.0, 20.0
_LEAVING, _THERE = b"leaving.", b"there?.."
_OPENING: Final = wire.settings(
    max_concurrent_streams=MAX_STREAMS,
    initial_window_size=WINDOW,
    max_header_list_size=wire.MAX_HEADERS,
) + frame(wire.WINDOW_UPDATE, 0, 0, pack_32(_CONNECTION_WINDOW - 65_535))
_PLAIN_HTTP: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 45\r\n"
    b"connection: close\r\n\r\nthis port speaks HTTP/2 (gRPC), not HTTP/1.1\n"
)


class Connection(Sender, asyncio.Protocol):
    """One client's connection.

    Args:
        handler: Who serves its requests.
        home: What it shares with the others.
    """

    def __init__(self, handler: Handler, home: Home):
        super().__init__(home)
        self._handler = handler
        self._reader = HeadReader(handler.understand)
        self._known = self._reader.known
        self._rest = b""
        self._greeted = False
        self._settled = False
        self._last = 0
        self._credit = _CONNECTION_WINDOW
        self._block: tuple[int, int, bytearray] | None = None
        self._heard = self._paused_at = time.monotonic()
        self._spoke = False
        self._asked = 0.0
        self._leaving = False
        self._frames: dict[int, Callable[[int, int, bytes], None]] = {
            wire.DATA: self._on_padded_data,
            wire.HEADERS: self._on_headers,
            wire.PRIORITY: self._on_priority,
            wire.RST_STREAM: self._on_reset,
            wire.SETTINGS: self._on_settings,
            wire.PING: self._on_ping,
            wire.GOAWAY: self._on_goaway,
            wire.WINDOW_UPDATE: self._on_window,
            wire.CONTINUATION: self._on_continuation,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._home.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone: so is all that was asked."""
        del exc
        self._transport = None
        for stream in list(self.streams.values()):
            self._abandon(stream)
        self._home.connections.discard(self)

    def eof_received(self) -> None:
        """It says no more, so it reads no more either."""

    def pause_writing(self) -> None:
        """It does not read: nothing more is read from it."""
        self.paused = True
        self._paused_at = time.monotonic()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self.paused = False
        if self._transport is not None:
            self._transport.resume_reading()
        for stream in list(self.streams.values()):
            stream.wake()

    def data_received(self, data: bytes) -> None:
        """Reads frames."""
        if self._rest:
            data = self._rest + data
        try:
            if self._greeted:
                self._read(data, 0)
            elif self._greet(data):
                self._read(data, len(wire.PREFACE))
        except Broken as broken:
            self._break(broken.code, str(broken))
        except Exception:
            _log.exception("a connection failed")
            self._break(wire.INTERNAL_ERROR, "")

    def _greet(self, data: bytes) -> bool:
        start = data[: len(wire.PREFACE)]
        if not wire.PREFACE.startswith(start):
            self.put(_PLAIN_HTTP)
            self.close()
            return False
        self._rest = data
        self._greeted = len(start) == len(wire.PREFACE)
        if self._greeted:
            self.put(_OPENING)
        return self._greeted

    def _read(self, data: bytes, at: int) -> None:
        size = len(data)
        unpack = wire.unpack_head
        while size - at >= 9:
            word, flags, id_ = unpack(data, at)
            length = word >> 8
            if length > wire.MAX_FRAME:
                raise Broken(wire.FRAME_SIZE_ERROR, "a frame is too large")
            begin = at + 9
            at = begin + length
            if at > size:
                at = begin - 9
                break
            kind = word & 0xFF
            if self._block is not None and kind != wire.CONTINUATION:
                raise Broken(wire.PROTOCOL_ERROR, "a header block is not ended")
            id_ &= 0x7FFFFFFF
            if kind == 0 and flags < 2:
                self._on_data(flags, id_, data[begin:at], length)
            elif kind == 1 and flags == wire.END_HEADERS and self._settled:
                self._on_block(flags, id_, data[begin:at])
            elif kind in self._frames:
                if not self._settled and kind != wire.SETTINGS:
                    raise Broken(wire.PROTOCOL_ERROR, "settings come first")
                self._frames[kind](flags, id_, data[begin:at])
            elif kind == wire.PUSH_PROMISE:
                raise Broken(wire.PROTOCOL_ERROR, "clients push nothing")
            else:
                self.patience.try_()
            if self._transport is None:
                return
        self._rest = data[at:] if at < size else b""
        self._spoke = True

    # Bodies.

    def _on_padded_data(self, flags: int, id_: int, payload: bytes) -> None:
        self._on_data(flags, id_, wire.unpadded(flags, payload), len(payload))

    def _on_data(self, flags: int, id_: int, payload: bytes, size: int) -> None:
        self._credit -= size
        if self._credit < _CONNECTION_WINDOW // 2:
            if self._credit < 0:
                raise Broken(wire.FLOW_CONTROL_ERROR, "more data than the connection's window")
            more = _CONNECTION_WINDOW - self._credit
            self.put(frame(wire.WINDOW_UPDATE, 0, 0, pack_32(more)))
            self._credit = _CONNECTION_WINDOW
        stream = self.streams.get(id_)
        if stream is None:
            self._check_not_idle(id_)
            if not payload:  # what was on its way when its stream was answered is nobody's fault
                self.patience.try_()
            return
        if stream.ended:
            self._abort(stream, wire.STREAM_CLOSED)
            return
        stream.credit -= size
        if stream.credit < 0:
            self._abort(stream, wire.FLOW_CONTROL_ERROR)
            return
        if flags & wire.END_STREAM:
            stream.ended = True
        elif not payload:
            self.patience.try_()
        stream.held += len(payload)
        self.held += len(payload)
        self._handler.receive(stream, payload)

    # Headers.

    def _on_headers(self, flags: int, id_: int, payload: bytes) -> None:
        block = wire.unpadded(flags, payload)
        if flags & wire.WITH_PRIORITY:
            if len(block) < 5:
                raise Broken(wire.FRAME_SIZE_ERROR, "a priority is cut short")
            block = block[5:]
        if flags & wire.END_HEADERS:
            self._on_block(flags, id_, block)
        else:
            self._block = (flags, id_, bytearray(block))

    def _on_continuation(self, flags: int, id_: int, payload: bytes) -> None:
        if self._block is None or self._block[1] != id_:
            raise Broken(wire.PROTOCOL_ERROR, "a continuation continues nothing")
        first, _, block = self._block
        block += payload
        self.patience.try_()
        if len(block) > _MAX_BLOCK:
            raise Broken(wire.ENHANCE_YOUR_CALM, "the headers are too large")
        if flags & wire.END_HEADERS:
            self._block = None
            self._on_block(first, id_, bytes(block))

    def _on_block(self, flags: int, id_: int, block: bytes) -> None:
        if id_ <= self._last:
            if not id_ & 1:
                raise Broken(wire.PROTOCOL_ERROR, "a client's streams have odd numbers")
            self._reader.decode(block)
            self._on_trailers(flags, id_)
            return
        if not id_ & 1:
            raise Broken(wire.PROTOCOL_ERROR, "a client's streams have odd numbers")
        self._last = id_
        head = self._known.get(block)
        if head is None:
            head = self._reader.request(block)
        if self._refusing or len(self.streams) >= MAX_STREAMS:
            self.patience.try_()
            self.put(frame(wire.RST_STREAM, 0, id_, pack_32(wire.REFUSED_STREAM)))
            return
        if head is None:
            self.patience.try_()
            self.put(frame(wire.RST_STREAM, 0, id_, pack_32(wire.PROTOCOL_ERROR)))
            return
        stream = self.streams[id_] = Stream(self, id_, head, self._initial_window)
        if flags & wire.END_STREAM:
            stream.ended = True
        self._handler.begin(stream)
        if stream.ended and not stream.closed:
            self._handler.receive(stream, b"")

    def _on_trailers(self, flags: int, id_: int) -> None:
        stream = self.streams.get(id_)
        if stream is None:  # it was answered before it ended
            self.patience.try_()
        elif stream.ended or not flags & wire.END_STREAM:
            self._abort(stream, wire.STREAM_CLOSED if stream.ended else wire.PROTOCOL_ERROR)
        else:
            stream.ended = True
            self._handler.receive(stream, b"")

    # All other frames.

    def _on_priority(self, _flags: int, id_: int, payload: bytes) -> None:
        self.patience.try_()
        if id_ == 0:
            raise Broken(wire.PROTOCOL_ERROR, "a priority of no stream")
        if len(payload) != 5:
            raise Broken(wire.FRAME_SIZE_ERROR, "a priority is of the wrong size")

    def _on_reset(self, _flags: int, id_: int, payload: bytes) -> None:
        self._check_not_idle(id_)
        if len(payload) != 4:
            raise Broken(wire.FRAME_SIZE_ERROR, "a reset is of the wrong size")
        stream = self.streams.get(id_)
        if stream is not None:
            self._abandon(stream)
            self.patience.try_(_RESET_COST)
        else:
            self.patience.try_()

    def _on_settings(self, flags: int, id_: int, payload: bytes) -> None:
        if id_:
            raise Broken(wire.PROTOCOL_ERROR, "settings are not a stream's")
        if len(payload) % 6 or (flags & wire.ACK and payload):
            raise Broken(wire.FRAME_SIZE_ERROR, "settings are of the wrong size")
        self.patience.try_()
        if flags & wire.ACK:
            return
        self._settled = True
        for key, value in struct.iter_unpack(">HI", payload):
            if key == 2 and value > 1:
                raise Broken(wire.PROTOCOL_ERROR, "push is on or off")
            if key == 4:
                self.set_initial_window(value)
            elif key == 5:
                if not wire.MAX_FRAME <= value < 1 << 24:
                    raise Broken(wire.PROTOCOL_ERROR, "no such frame size")
                self.max_frame = value
        self.put(frame(wire.SETTINGS, wire.ACK, 0))

    def _on_ping(self, flags: int, id_: int, payload: bytes) -> None:
        if id_:
            raise Broken(wire.PROTOCOL_ERROR, "a ping is not a stream's")
        if len(payload) != 8:
            raise Broken(wire.FRAME_SIZE_ERROR, "a ping is of the wrong size")
        self.patience.try_()
        if not flags & wire.ACK:
            self.put(frame(wire.PING, wire.ACK, 0, payload))
        elif payload == _LEAVING and self._leaving:
            self._leave_now()

    def _on_goaway(self, _flags: int, id_: int, payload: bytes) -> None:
        if id_:
            raise Broken(wire.PROTOCOL_ERROR, "going away is not a stream's")
        if len(payload) < 8:
            raise Broken(wire.FRAME_SIZE_ERROR, "going away is of the wrong size")
        self._leaving = True
        self._leave_now()

    def _on_window(self, _flags: int, id_: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Broken(wire.FRAME_SIZE_ERROR, "a window update is of the wrong size")
        self.patience.try_()
        size = int.from_bytes(payload, "big") & 0x7FFFFFFF
        stream = None
        if id_:
            self._check_not_idle(id_)
            stream = self.streams.get(id_)
            if stream is None:
                return
            if not size or stream.window + size > wire.MAX_WINDOW:
                code = wire.FLOW_CONTROL_ERROR if size else wire.PROTOCOL_ERROR
                self._abort(stream, code)
                return
        elif not size:
            raise Broken(wire.PROTOCOL_ERROR, "a window grows by nothing")
        self.widen(stream, size)

    # Ends.

    def _check_not_idle(self, id_: int) -> None:
        if id_ == 0 or id_ > self._last:
            raise Broken(wire.PROTOCOL_ERROR, "a frame of a stream that was not begun")

    def _abandon(self, stream: Stream) -> None:
        self.drop(stream)
        self._handler.reset(stream)

    def _abort(self, stream: Stream, code: int) -> None:
        self.patience.try_(_RESET_COST)
        stream.reset(code)
        self._handler.reset(stream)

    def _break(self, code: int, why: str) -> None:
        """Ends the connection because of what the peer did."""
        self._rest = b""
        if self._transport is None:
            return
        payload = pack_32(self._last) + pack_32(code) + why.encode()
        self.put(frame(wire.GOAWAY, 0, 0, payload))
        self.close()

    def leave(self) -> None:
        """Ends the connection when all that was asked is answered."""
        if not self._leaving and self._transport is not None:
            self._leaving = True
            # What is on its way is still taken; the pong comes after it.
            self.put(frame(wire.GOAWAY, 0, 0, pack_32(wire.MAX_WINDOW) + pack_32(0)))
            self.put(frame(wire.PING, 0, 0, _LEAVING))
            if not self._greeted:
                self.close()

    def _leave_now(self) -> None:
        if not self._refusing:
            self._refusing = True
            self.put(frame(wire.GOAWAY, 0, 0, pack_32(self._last) + pack_32(0)))
        if not self.streams:
            self.close()

    def look(self, now: float) -> None:
        """Ends the connection where nobody seems to be there; called every few seconds."""
        if self._transport is None:
            return
        if self._spoke:
            self._spoke = False
            self._heard = now
            self._asked = 0.0
        silent = now - self._heard
        if (not self._settled and silent > _GREETING_TIME) or (
            self.paused and now - self._paused_at > _SILENCE
        ):
            self.abort()
        elif self._asked:
            if now - self._asked > _PONG_TIME:
                self.abort()
        elif silent > _SILENCE and not self.paused:
            self._asked = now
            self.put(frame(wire.PING, 0, 0, _THERE))
