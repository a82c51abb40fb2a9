"""Which pages of other addresses may ask a model and read its answer: one rule for every door.

A browser shows a page what another address answers only where that says so (CORS, as the Fetch
standard has it). While no key is asked for, pages of the server's own host may, and those of this
machine where the server is on it, whatever their port: a game page need not come from numen. Where
keys are asked for, any page may that has one, as a browser sends none by itself.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from numen.serve.admission import Admission

Headers = Iterable[tuple[bytes, bytes]]
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
# What pages are for: to ask models and read of them. Nothing that changes anything.
_READ: Final = re.compile(r"/(client/|api/models(/|$)|v2(/|$)|v1/models(/|$))")
_ASK: Final = re.compile(r"/(predict|v2/models|v1/models)/")
_ALLOWED: Final = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"*, authorization"),
    (b"access-control-max-age", b"600"),
]
_EXPOSED: Final = (b"access-control-expose-headers", b"*")


def elsewhere(headers: Headers) -> bytes:
    """The origin of the page that asks, if it is one of another address; else empty."""
    origin = host = b""
    for name, value in headers:
        if name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    return b"" if origin.partition(b"://")[2] == host else origin


def is_welcome(origin: bytes, headers: Headers, admission: Admission) -> bool:
    """Whether a page of `origin` may ask models here, and read what they say."""
    if not admission.open:
        return True  # its key decides
    host = next((value for name, value in headers if name == b"host"), b"")
    return _same_host(origin.decode("latin-1"), host.decode("latin-1"))


class Pages:
    """Tells browsers which pages may read an answer, and answers them when they ask before.

    Args:
        app: What answers.
        admission: Whether keys are asked for.
    """

    def __init__(self, app: Any, admission: Admission):
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """Passes a request on, and says in its answer who may read it."""
        origin = elsewhere(scope["headers"]) if scope["type"] == "http" else b""
        if not origin or not self._is_open(scope, origin):
            await self._app(scope, receive, send)
            return
        said = [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": said + _ALLOWED})
            await send({"type": "http.response.body"})
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *said, _EXPOSED]
            await send(message)

        await self._app(scope, receive, sending)

    def _is_open(self, scope: Scope, origin: bytes) -> bool:
        path, method = scope["path"], scope["method"]
        if method == "OPTIONS":
            wanted = dict(scope["headers"]).get(b"access-control-request-method", b"")
            method = wanted.decode("latin-1")
        meant = {"GET": _READ, "HEAD": _READ, "POST": _ASK}.get(method)
        if meant is None or meant.match(path) is None:
            return False
        return is_welcome(origin, scope["headers"], self._admission)


def _same_host(origin: str, host: str) -> bool:
    try:
        from_, to = urlsplit(origin).hostname, urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not from_ or not to:
        return False
    # A page from another port of this machine is not one from elsewhere.
    return from_ == to or (_is_loopback(from_) and _is_loopback(to))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
