"""The opening of a WebSocket: which model, who calls, and from which page.

A browser sends its user's way into this machine to any page that asks, so while no key is asked
for, only pages of this server's own host may open one. A key is never read from the URL, which
ends up in logs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

from numen.core.errors import Forbidden, InvalidInput
from numen.core.message import Origin
from numen.core.reference import Reference
from numen.serve.admission import Admission
from numen.serve.service import Service
from numen.transport.caller import Head
from numen.transport.sharing import is_allowed

PATH: Final = b"/ws/"
SUBPROTOCOL: Final = "numen.v1"
_KEY: Final = b"numen.key."
Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """What the opening of a WebSocket said.

    Attributes:
        name: The model called.
        version: A version number or an alias; None is the default version.
        credential: The key as it was sent; empty where none was.
        latest: Whether a newer frame cancels those that wait.
        origin: What it calls the connection, where it gave a name.
    """

    name: str
    version: str | None
    credential: bytes
    latest: bool
    origin: Origin | None = None


def check_origin(
    headers: Headers, admission: Admission, allowed: frozenset[str] = frozenset()
) -> None:
    """Refuses a page of another host while no key is asked for, unless its origin is allowed.

    Raises:
        Forbidden: It is one.
    """
    origins = [value for name, value in headers if name == b"origin"]
    if not origins or not admission.open:
        return
    host = next((value for name, value in headers if name == b"host"), b"")
    for origin in origins:
        if not (
            is_allowed(origin.decode("latin-1"), allowed)
            or _same_host(origin.decode("latin-1"), host.decode("latin-1"))
        ):
            raise Forbidden(
                f"Origin: expected a page of {host[:100].decode('latin-1')!r}, "
                f"received {origin[:100].decode('latin-1')!r}",
                hint="make a key and offer it as the subprotocol numen.key.<key>, or set `origins`",
                field="Origin",
            )


def read(url: bytes, headers: Headers, service: Service) -> Caller:
    """Reads the opening of a WebSocket at `/ws/{model}`.

    Raises:
        InvalidInput: The path names no model.
        NotFound: The model is not live.
        NotReady: Nothing is live yet.
        Unauthenticated: A key is asked for, and none came that is good.
        Forbidden: The key is not for this model.
    """
    path, _, query = url.partition(b"?")
    try:
        reference = Reference.parse(unquote_to_bytes(path[len(PATH) :]).decode())
        latest = parse_qs(query.decode("ascii")).get("latest", ["0"])[-1]
    except UnicodeDecodeError:
        raise InvalidInput("path: expected UTF-8", field="path") from None
    if latest not in ("0", "1"):
        raise InvalidInput(f'"latest": expected 0 or 1, received {latest[:80]!r}', field="latest")
    version = reference.alias if reference.version is None else str(reference.version)
    head = Head(headers)
    credential = head.credential or _offered(headers)
    service.admission.check(credential, reference.name, "predict")
    service.find(reference.name, version)
    return Caller(reference.name, version, credential, latest == "1", head.origin)


def _offered(headers: Headers) -> bytes:
    """The key among the subprotocols: a browser's page cannot send one otherwise."""
    for name, value in headers:
        if name == b"sec-websocket-protocol":
            for token in value.split(b","):
                if token.strip().startswith(_KEY):
                    return token.strip()[len(_KEY) :]
    return b""


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
