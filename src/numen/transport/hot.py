"""A request on the fast road: what was read of it, and the bytes of its answer."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Final, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from numen.core.errors import Internal, NumenError
from numen.core.message import Answer, Grant, Outcome, Request
from numen.core.observe import logger
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.transport import v2
from numen.transport.caller import served
from numen.transport.encoding import pack
from numen.transport.form import Form
from numen.transport.heads import Target
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
        target: What its head says.
    """

    __slots__ = (
        "body", "disconnected", "form", "head", "keep_alive", "protocol", "reply", "request",
        "response_complete", "size", "target",
    )  # fmt: skip

    def __init__(self, protocol: Connection, target: Target):
        self.protocol = protocol
        self.target = target
        self.head = target.head
        self.keep_alive = target.keep_alive
        self.response_complete = False
        self.disconnected = False
        self.body: list[bytes] = []
        self.size = 0
        self.reply: bytes | None = None
        self.request: Request | None = None
        self.form: Form | None = None

    @property
    def message_event(self) -> Hot:
        """What uvicorn wakes when the client is gone; nothing sleeps here."""
        return self

    def set(self) -> None:
        """Drops the work of a client that is gone."""
        if self.disconnected and self.request is not None:
            self.request.cancelled = True

    def submit(self, service: Service, body: bytes) -> None:
        """Sends the request on to the model it names, for who may call it."""
        try:
            # Before the model is looked for: what is live is not everybody's business.
            grant = service.admission.check(self.head.credential, self.target.name, "predict")
            if self.head.encoding:
                body = self.head.unpack(body)
            endpoint = service.find(self.target.name, self.target.version)
            if isinstance(endpoint, Endpoint):
                self._ask(service, body, grant, endpoint)
            else:
                until = self.head.deadline()
                then = partial(self._opened, service, body, grant, until)
                service.when_awake(self.target.name, self.target.version, until, then)
        except NumenError as error:
            self.fail(error)
        except Exception:
            self.fail_unforeseen()

    def _ask(
        self,
        service: Service,
        body: bytes,
        grant: Grant | None,
        endpoint: Endpoint,
        until: float | None = None,
    ) -> None:
        self.request, self.form = v2.decode_call(self.head, body, endpoint, until)
        self.request.grant = grant
        self.request.origin = self.head.origin
        service.submit(endpoint, self.request, self.done)

    def _opened(
        self,
        service: Service,
        body: bytes,
        grant: Grant | None,
        until: float | None,
        opened: Endpoint | NumenError,
    ) -> None:
        if self.disconnected:
            return
        try:
            if isinstance(opened, NumenError):
                raise opened
            self._ask(service, body, grant, opened, until)
        except NumenError as error:
            self.fail(error)
        except Exception:
            self.fail_unforeseen()

    def done(self, outcome: Outcome) -> None:
        """Takes what the Batcher says, and lets the connection write what is due."""
        if isinstance(outcome, NumenError):
            self.fail(outcome)
            return
        assert self.form is not None
        try:
            body, header_length = self.form.write(outcome.outputs)
            lines = _lines(outcome.model, outcome.version, outcome.variant, outcome.degraded)
        except Exception:
            self.fail_unforeseen()
            return
        encoding = None
        if self.head.accepted:
            body, encoding = pack(self.head.accepted, body)
        if header_length is None:
            lines += b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        else:
            lines += (
                b"content-type: application/octet-stream\r\n"
                b"inference-header-content-length: %d\r\ncontent-length: %d\r\n"
            ) % (header_length, len(body))
        if encoding is not None:
            lines += b"content-encoding: %b\r\nvary: accept-encoding\r\n" % encoding
        self.answer(_OK, lines, body)

    def fail(self, error: NumenError) -> None:
        """Answers with an error."""
        body = error_body(error)
        lines = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        for name, value in headers_of(error).items():
            lines += f"{name}: {value}\r\n".encode()
        self.answer(STATUS_LINE[status_of(error)], lines, body)

    def fail_unforeseen(self) -> None:
        """Logs the exception at hand, and answers with an error that says nothing of it."""
        name = self.head.request_id.decode("latin-1")
        _log.exception("a request failed", extra={"request_id": name} if name else None)
        self.fail(Internal("numen failed on this request"))

    def answer(self, status: bytes, lines: bytes, body: bytes) -> None:
        """Makes the answer's bytes; they are written in their turn."""
        if self.head.request_id:
            lines += b"x-request-id: %b\r\n" % self.head.request_id
        lines += self.target.sharing
        if not self.keep_alive:
            lines += b"connection: close\r\n"
        self.reply = b"%b%b%b\r\n%b" % (status, self.protocol.default_lines(), lines, body)
        self.request = None
        self.protocol.write_due()


_OK: Final = STATUS_LINE[200]


@lru_cache(maxsize=4096)
def _lines(model: str, version: str, variant: str, degraded: bool) -> bytes:
    headers = served(Answer(model, version, {}, variant, degraded))
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
