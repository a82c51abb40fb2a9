"""A request on the fast road: what was read of it, and the bytes of its answer."""

from __future__ import annotations

from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from numen.core.errors import Internal, NumenError
from numen.core.message import Outcome
from numen.core.observe import logger
from numen.serve.service import Endpoint
from numen.transport import v2
from numen.transport.caller import Head
from numen.transport.encoding import pack
from numen.transport.status import error_body, headers_of, status_of

_log = logger(__name__)


class Connection(Protocol):
    """What a request needs of the connection it came on."""

    def write_due(self) -> None:
        """Writes the answers that are next in order."""

    def default_lines(self) -> bytes:
        """Header lines of every answer."""


class Hot:
    """A request in the place where uvicorn keeps the one in flight.

    Args:
        protocol: The connection it came on.
        name: The model called.
        version: The version called.
        keep_alive: Whether the connection goes on after the answer.
    """

    __slots__ = (
        "body", "call", "disconnected", "endpoint", "head", "keep_alive", "protocol", "reply",
        "response_complete", "size", "version",
    )  # fmt: skip

    def __init__(self, protocol: Connection, name: str, version: str | None, keep_alive: bool):
        self.protocol = protocol
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.body: list[bytes] = []
        self.size = 0
        self.reply: bytes | None = None
        self.head: Head | None = None
        self.call: v2.Call | None = None
        self.version = (name, version)
        self.endpoint: Endpoint | None = None

    @property
    def message_event(self) -> Hot:
        """What uvicorn wakes when the client is gone; nothing sleeps here."""
        return self

    def set(self) -> None:
        """Drops the work of a client that is gone."""
        if self.disconnected and self.call is not None:
            self.call.request.cancelled = True

    def done(self, outcome: Outcome) -> None:
        """Takes what the Batcher says, and lets the connection write what is due."""
        if isinstance(outcome, NumenError):
            self.fail(outcome)
            return
        call, endpoint = self.call, self.endpoint
        assert call is not None
        assert endpoint is not None
        try:
            body, header_length = v2.encode(call, endpoint, outcome.outputs)
        except Exception:
            self.fail_unforeseen()
            return
        assert self.head is not None
        body, encoding = pack(self.head.accepted, body)
        if header_length is None:
            lines = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        else:
            lines = (
                b"content-type: application/octet-stream\r\n"
                b"inference-header-content-length: %d\r\ncontent-length: %d\r\n"
            ) % (header_length, len(body))
        if encoding is not None:
            lines += b"content-encoding: %b\r\nvary: accept-encoding\r\n" % encoding
        self.answer(200, lines, body)

    def fail(self, error: NumenError) -> None:
        """Answers with an error."""
        body = error_body(error)
        lines = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        for name, value in headers_of(error).items():
            lines += f"{name}: {value}\r\n".encode()
        self.answer(status_of(error), lines, body)

    def fail_unforeseen(self) -> None:
        """Logs the exception at hand, and answers with an error that says nothing of it."""
        name = self.head.request_id.decode("latin-1") if self.head is not None else ""
        _log.exception("a request failed", extra={"request_id": name} if name else None)
        self.fail(Internal("numen failed on this request"))

    def answer(self, status: int, lines: bytes, body: bytes) -> None:
        """Makes the answer's bytes; they are written in their turn."""
        if self.head is not None and self.head.request_id:
            lines += b"x-request-id: %b\r\n" % self.head.request_id
        if not self.keep_alive:
            lines += b"connection: close\r\n"
        self.reply = b"".join(
            [STATUS_LINE[status], self.protocol.default_lines(), lines, b"\r\n", body]
        )
        self.call = None
        self.protocol.write_due()
