"""Pages of other origins that may call, such as a game's: what a browser is told, at every door.

Which those are, the setting `origins` says. Cookies play no part; a key is sent as to any caller.
See the Fetch standard, HTTP-network-or-cache fetch and CORS protocol.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

ALL: Final = "*"
METHODS: Final = ("GET", "POST")  # what asks and reads; managing is for own pages
SENT: Final = (
    "Accept", "Authorization", "Content-Type", "If-None-Match", "Inference-Header-Content-Length",
    "Numen-Deadline-Ms", "Traceparent", "X-API-Key", "X-Request-Id",
)  # fmt: skip
SHOWN: Final = (
    "ETag", "Inference-Header-Content-Length", "Numen-Outcome", "Numen-Served-By", "Retry-After",
    "X-Request-Id",
)  # fmt: skip
_REMEMBERED: Final = 600  # seconds that a browser need not ask again
_EXPOSE: Final = f"access-control-expose-headers: {', '.join(SHOWN)}\r\n".encode()


def is_allowed(origin: str, allowed: frozenset[str]) -> bool:
    """Whether pages of an origin may call."""
    return origin in allowed or ALL in allowed


def lines(headers: Iterable[tuple[bytes, bytes]], allowed: frozenset[str]) -> bytes:
    """Header lines that let a browser show an answer to the page that asked.

    Args:
        headers: Of the request, with small names.
        allowed: The origins whose pages may call.
    """
    origin = next((value for name, value in headers if name == b"origin"), None)
    if origin is None or not is_allowed(origin.decode("latin-1"), allowed):
        return b""
    shown = ALL.encode() if ALL in allowed else origin
    return b"access-control-allow-origin: %b\r\nvary: origin\r\n%b" % (shown, _EXPOSE)


def options(allowed: frozenset[str]) -> dict[str, Any]:
    """What Starlette's `CORSMiddleware` is told, which answers for all doors but the fast one."""
    return {
        "allow_origins": sorted(allowed), "allow_methods": METHODS, "allow_headers": SENT,
        "expose_headers": SHOWN, "max_age": _REMEMBERED, "allow_private_network": True,
    }  # fmt: skip
