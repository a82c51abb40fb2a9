"""Bodies that are packed: what comes in as gzip or deflate, and answers to who asks for that.

A small body can unpack to any size, so the limit on bodies holds for what comes out, and no more
than that is ever unpacked. Of other encodings nothing is read; the doors refuse them.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final

from fastapi import Response

from numen.core.errors import InvalidInput, NumenError, TooLarge
from numen.transport.status import error_body, status_of

# Answers of less go as they are: packing costs more than sending them.
MIN_PACKED: Final = 1024
_LEVEL: Final = 1
_GZIP: Final = 31  # zlib's number for a gzip head around 32 KB windows
_WBITS: Final = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": zlib.MAX_WBITS}
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def is_packed(encoding: bytes) -> bool:
    """Whether a Content-Encoding is one that `unpack` reads."""
    return encoding in _WBITS


def unpack(encoding: bytes, body: bytes, limit: int) -> bytes:
    """A body as it was before it was packed.

    Args:
        encoding: Its Content-Encoding, in lower case; one that `is_packed` does not know, or
            none, leaves it as it is.
        body: As it came.
        limit: Most bytes that it may unpack to.

    Raises:
        InvalidInput: It is not of that encoding, cut short, or something follows it.
        TooLarge: It unpacks to more.
    """
    wbits = _WBITS.get(encoding)
    if wbits is None:
        return body
    if wbits == zlib.MAX_WBITS and not _has_zlib_head(body):
        wbits = -zlib.MAX_WBITS  # as some clients understand "deflate"
    unpacking = zlib.decompressobj(wbits)
    try:
        unpacked = unpacking.decompress(body, limit + 1)
    except zlib.error as error:
        raise _malformed(encoding, str(error).rpartition(": ")[2]) from None
    if len(unpacked) > limit:
        raise TooLarge(f"body: expected at most {limit} bytes when unpacked", field="body")
    if not unpacking.eof:
        raise _malformed(encoding, "it is cut short")
    if unpacking.unused_data:
        raise _malformed(encoding, f"{len(unpacking.unused_data)} bytes follow its end")
    return unpacked


def _has_zlib_head(body: bytes) -> bool:
    return len(body) >= 2 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0


def _malformed(encoding: bytes, why: str) -> InvalidInput:
    return InvalidInput(
        f"body: expected {encoding.decode()}, as Content-Encoding says: {why}", field="body"
    )


def pack(accepted: bytes, body: bytes) -> tuple[bytes, bytes | None]:
    """An answer's body for who accepts it packed.

    Args:
        accepted: The request's Accept-Encoding; empty where there was none.
        body: The answer's.

    Returns:
        The body to send, and its Content-Encoding; None where it goes as it is.
    """
    if not accepted or len(body) < MIN_PACKED:
        return body, None
    encoding = _choose(accepted)
    if encoding is None:
        return body, None
    packing = zlib.compressobj(_LEVEL, wbits=_WBITS[encoding])
    return packing.compress(body) + packing.flush(), encoding


@lru_cache(maxsize=64)
def _choose(accepted: bytes) -> bytes | None:
    weights: dict[bytes, float] = {}
    for item in accepted.lower().split(b","):
        name, _, rest = item.partition(b";")
        try:
            weight = float(rest.strip()[2:]) if rest.strip().startswith(b"q=") else 1.0
        except ValueError:
            weight = 0.0
        weights[name.strip()] = weight
    rest_weight = weights.get(b"*", 0.0)
    best = max((b"gzip", b"deflate"), key=lambda name: weights.get(name, rest_weight))
    return best if weights.get(best, rest_weight) > 0 else None


class Unpacking:
    """Unpacks requests' bodies before the app sees them.

    Args:
        app: The ASGI app.
        limit: Most bytes that a body may unpack to.
    """

    def __init__(self, app: Any, limit: int):
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        headers = scope.get("headers", [])
        encoding = next((v.strip().lower() for k, v in headers if k == b"content-encoding"), b"")
        if scope["type"] != "http" or not is_packed(encoding):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        try:
            whole: bytes | None = unpack(encoding, body, self._limit)
        except NumenError as error:
            response = Response(error_body(error), status_of(error), media_type="application/json")
            await response(scope, receive, send)
            return

        async def receiving() -> MutableMapping[str, Any]:
            nonlocal whole
            if whole is None:
                return await receive()
            body, whole = whole, None
            return {"type": "http.request", "body": body, "more_body": False}

        told = (b"content-encoding", b"content-length")
        kept = [(name, value) for name, value in headers if name not in told]
        await self._app({**scope, "headers": kept}, receiving, send)


async def _read(receive: Receive) -> bytes | None:
    """All of a request's body; None where the client is gone."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
