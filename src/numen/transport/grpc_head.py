"""gRPC's words in HTTP/2's headers: what a request's say, and what an answer's are to say."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

from numen.core.errors import InvalidInput, NumenError, TooLarge
from numen.core.message import Origin
from numen.transport.caller import MAX_REQUEST_ID
from numen.transport.grpc_infer import Caller
from numen.transport.grpc_service import INFER, Call
from numen.transport.http2_wire import HeaderList, framed, literal
from numen.transport.status import GRPC

MAX_MESSAGE_TEXT: Final = 1024
_INVALID, _UNIMPLEMENTED, _INTERNAL = 3, 12, 13
_ENCODINGS: Final = (b"identity", b"gzip", b"deflate")
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT: Final = re.compile(rb"(\d{1,8})([HMSmun])")
# 0x88 is `:status: 200` in HPACK's static table.
OPENING: Final = (
    b"\x88"
    + literal(b"content-type", b"application/grpc")
    + literal(b"grpc-accept-encoding", b",".join(_ENCODINGS))
)
OPENING_FRAMED: Final = framed(OPENING)
DONE: Final = literal(b"grpc-status", b"0")
DONE_FRAMED: Final = framed(DONE, last=True)


class Head:
    """What a request's headers say.

    Attributes:
        call: What is asked for; None where that is refused.
        infer: Whether it is `ModelInfer`.
        refusal: The header block of an answer that is nothing but a refusal.
        seconds: How long the answer is wanted.
        caller: Who calls, where no time is given.
        packed: Whether compressed messages may come.
    """

    __slots__ = ("call", "caller", "infer", "packed", "refusal", "seconds")

    def __init__(self, headers: HeaderList, calls: Mapping[str, Call]):
        given = dict(headers)
        path = given[b":path"].decode("latin-1")
        self.call = calls.get(path)
        self.infer = path == INFER
        self.caller = Caller(
            credential(given.get(b"authorization"), given.get(b"x-api-key")),
            origin=origin(given.get(b"traceparent"), given.get(b"x-request-id")),
        )
        encoding = given.get(b"grpc-encoding", b"identity")
        self.packed = encoding != b"identity"
        self.refusal = b""
        self.seconds: float | None = None
        kind = given.get(b"content-type", b"")
        timeout = given.get(b"grpc-timeout")
        if given[b":method"] != b"POST":
            self.refusal = literal(b":status", b"405") + literal(b"allow", b"POST")
        elif kind.partition(b";")[0] not in (b"application/grpc", b"application/grpc+proto"):
            self.refusal = literal(b":status", b"415")
        elif self.call is None:
            self.refusal = refusal(_UNIMPLEMENTED, f"there is no {path[:200]}")
        elif encoding not in _ENCODINGS:
            self.refusal = refusal(
                _UNIMPLEMENTED,
                f"grpc-encoding: expected identity, gzip or deflate, "
                f"received {encoding[:80].decode('latin-1')}",
            )
        elif timeout is not None:
            match = _TIMEOUT.fullmatch(timeout)
            if match is None:
                self.refusal = refusal(_INVALID, "grpc-timeout: expected digits and a unit")
            else:
                self.seconds = int(match[1]) * _UNITS[match[2]]

    def now(self) -> Caller:
        """Who calls, and until when, if the call is made now."""
        if self.seconds is None:
            return self.caller
        caller = self.caller
        return Caller(caller.credential, time.monotonic() + self.seconds, caller.origin)


def credential(authorization: bytes | None, key: bytes | None) -> bytes:
    """The key that a caller sent, as `authorization: Bearer KEY` or `x-api-key: KEY`."""
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return key or b""


def origin(parent: bytes | None, request_id: bytes | None) -> Origin | None:
    """What a caller calls its request, by its metadata `traceparent` and `x-request-id`."""
    if parent is None and request_id is None:
        return None
    name = (request_id or b"")[:MAX_REQUEST_ID]
    return Origin((parent or b"").decode("latin-1"), name.decode("latin-1"))


def refusal(status: int, text: str, metadata: Iterable[tuple[str, str]] = ()) -> bytes:
    """The header block of an answer without messages."""
    return OPENING + trailer(status, text, metadata)


def trailer(status: int, text: str, metadata: Iterable[tuple[str, str]] = ()) -> bytes:
    """The header block that ends an answer."""
    block = literal(b"grpc-status", b"%d" % status)
    if text:
        block += literal(b"grpc-message", _percent(text))
    return block + b"".join(literal(key.encode(), _percent(value)) for key, value in metadata)


def status_of(error: NumenError) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """An error's gRPC status, its message, and its code as metadata."""
    return GRPC[error.code], str(error)[:MAX_MESSAGE_TEXT], (("numen-code", error.code),)


def _percent(text: str) -> bytes:
    """Text as gRPC's metadata carry it."""
    plain = text.encode("utf-8", "replace")
    return b"".join(
        bytes((c,)) if 0x20 <= c <= 0x7E and c != 0x25 else b"%%%02X" % c for c in plain
    )


def unpacked(data: bytes, limit: int) -> bytes:
    """A compressed message, not compressed.

    Raises:
        InvalidInput: It is not what it should be.
        TooLarge: It is over `limit` bytes.
    """
    packed = zlib.decompressobj(wbits=47)  # gzip or zlib, as its head says
    try:
        plain = packed.decompress(data, limit + 1)
    except zlib.error:
        raise InvalidInput("the message is not compressed as grpc-encoding says") from None
    if len(plain) > limit:
        raise TooLarge(f"message: expected at most {limit} bytes, received more")
    if not packed.eof:
        raise InvalidInput("the compressed message is cut short")
    return plain
