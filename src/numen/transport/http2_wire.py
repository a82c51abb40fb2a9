"""HTTP/2's bytes: frames, error codes, and header blocks.

Header blocks that leave the compression table as it is are decoded once: while the table stays
the same, the same bytes mean the same.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any, Final

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW: Final = (1 << 31) - 1
MAX_FRAME: Final = 1 << 14  # the largest that we take, and the least that all take
MAX_HEADERS: Final = 1 << 14  # what we say; four times as much breaks the connection

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE = range(9)
CONTINUATION: Final = 9
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, WITH_PRIORITY = 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 5, 6, 7, 8, 9
ENHANCE_YOUR_CALM: Final = 11

_CONNECTION_ONLY: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)
_PSEUDO: Final = frozenset({b":method", b":path", b":scheme", b":authority"})
_MAX_KNOWN: Final = 64
_MAX_KNOWN_SIZE: Final = 1024

HeaderList = list[tuple[bytes, bytes]]
Framed = tuple[bytes, bytes]
unpack_head: Final = struct.Struct(">IBI").unpack_from
pack_32: Final = struct.Struct(">I").pack
pack_data_head: Final = struct.Struct(">BHHI").pack  # size in two parts, 0, stream


class Broken(Exception):
    """The peer broke a rule; the connection ends, with this code."""

    def __init__(self, code: int, why: str):
        super().__init__(why)
        self.code = code


class Patience:
    """With a peer that does things to no purpose: so much at once, a second, and an answer.

    Attributes:
        earned: What the peer may do more, because of what it was sent.
    """

    __slots__ = ("_left", "_since", "earned")
    MOST = 2000.0
    A_SECOND = 400.0
    AN_ANSWER = 4.0  # windows, pings

    def __init__(self) -> None:
        self._left = self.MOST
        self._since = time.monotonic()
        self.earned = 0.0

    def try_(self, cost: float = 1.0) -> None:
        """Bears one more.

        Raises:
            Broken: It is one too many.
        """
        self._left -= cost
        if self._left < 0:
            now = time.monotonic()
            more = (now - self._since) * self.A_SECOND + self.earned
            self._left += min(more, self.MOST)
            self._since = now
            self.earned = 0.0
            if self._left < 0:
                raise Broken(ENHANCE_YOUR_CALM, "too many frames to no purpose")


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    """A frame."""
    head = struct.pack(">IBI", len(payload) << 8 | kind, flags, stream)
    return b"".join((head, payload))


def framed(block: bytes, *, last: bool = False) -> Framed:
    """A header block, and what stands before the stream's number in its frame."""
    flags = END_HEADERS | (END_STREAM if last else 0)
    return pack_32(len(block))[1:] + bytes((HEADERS, flags)), block


def settings(**values: int) -> bytes:
    """A SETTINGS frame; values by the names that RFC 9113 gives them, in small letters."""
    ids = {"max_concurrent_streams": 3, "initial_window_size": 4, "max_header_list_size": 6}
    payload = b"".join(struct.pack(">HI", ids[name], value) for name, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


def unpadded(flags: int, payload: bytes) -> bytes:
    """A payload without its padding.

    Raises:
        Broken: There is more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Broken(PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def literal(name: bytes, value: bytes) -> bytes:
    """A header that leaves the peer's table as it is."""
    return b"\x00" + _sized(name) + _sized(value)


def _sized(text: bytes) -> bytes:
    left = len(text) - 0x7F
    if left < 0:
        return bytes((len(text),)) + text
    size = bytearray(b"\x7f")
    while left >= 0x80:
        size.append(left & 0x7F | 0x80)
        left >>= 7
    size.append(left)
    return bytes(size) + text


class _Table(HeaderTable):
    """hpack's table; counts its changes."""

    changes = 0

    def add(self, name: bytes, value: bytes) -> None:
        self.changes += 1
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, size: int) -> None:
        self.changes += 1
        HeaderTable.maxsize.fset(self, size)  # type: ignore[attr-defined]


class HeadReader:
    """Reads one connection's header blocks.

    Args:
        understand: What requests' headers mean to who serves them.
    """

    def __init__(self, understand: Callable[[HeaderList], Any]):
        self._understand = understand
        self._decoder = Decoder(4 * MAX_HEADERS)
        self._decoder.header_table = self._table = _Table()
        self.known: dict[bytes, Any] = {}

    def request(self, block: bytes) -> Any:
        """What a request's headers mean; None where they are malformed.

        Raises:
            Broken: The block cannot be decoded.
        """
        changes = self._table.changes
        headers = self.decode(block)
        head = self._understand(headers) if _sound(headers) else None
        if self._table.changes != changes:
            self.known.clear()
        elif head is not None and len(block) <= _MAX_KNOWN_SIZE:
            if len(self.known) >= _MAX_KNOWN:
                self.known.clear()
            self.known[block] = head
        return head

    def decode(self, block: bytes) -> HeaderList:
        """The headers in a block.

        Raises:
            Broken: It cannot be decoded.
        """
        changes = self._table.changes
        try:
            headers: Any = self._decoder.decode(block, raw=True)
        except OversizedHeaderListError:
            raise Broken(ENHANCE_YOUR_CALM, "the headers are too large") from None
        except (HPACKError, ValueError, IndexError) as error:
            raise Broken(COMPRESSION_ERROR, str(error)) from None
        if self._table.changes != changes:
            self.known.clear()
        return headers  # type: ignore[no-any-return]


def _sound(headers: HeaderList) -> bool:
    """Whether they are a request's, by the rules of RFC 9113, section 8."""
    pseudo: set[bytes] = set()
    regular = False
    for name, value in headers:
        if name[:1] == b":":
            if regular or name in pseudo or name not in _PSEUDO:
                return False
            pseudo.add(name)
        else:
            regular = True
            if name != name.lower() or name in _CONNECTION_ONLY:
                return False
            if name == b"te" and value != b"trailers":
                return False
    return pseudo >= {b":method", b":path", b":scheme"}
