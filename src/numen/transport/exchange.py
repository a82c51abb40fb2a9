"""A WebSocket's frame and its answer: from the bytes of one to the bytes of the other."""

from __future__ import annotations

from typing import Any, Protocol

from numen.core.errors import Cancelled, Internal, NumenError
from numen.core.message import Outcome
from numen.core.observe import logger
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.transport import frames
from numen.transport.upgrade import Caller

_log = logger(__name__)


class Connection(Protocol):
    """What an exchange needs of the connection it is on."""

    service: Service
    caller: Caller

    def answer(self, exchange: Any, data: bytes, binary: bool) -> None:
        """Sends an answer; the exchange is over."""

    def supersede(self, by: Any) -> None:
        """Cancels all that were asked before and have no answer."""

    def refuse(self, exchange: Any) -> None:
        """Ends a connection whose text is no UTF-8."""


class Exchange:
    """One request on a WebSocket.

    Args:
        connection: Where it came, and where its answer goes.
        data: The message.
        binary: Whether it came in binary frames.
    """

    __slots__ = (
        "_binary",
        "_connection",
        "_data",
        "_dropped",
        "_message",
        "_superseded",
    )

    def __init__(self, connection: Connection, data: bytes, binary: bool):
        self._connection = connection
        self._data = data
        self._binary = binary
        self._message: frames.Message | None = None
        self._dropped = False
        self._superseded = False

    def begin(self) -> None:
        """Sends the request on its way; a version that is not open is opened for it."""
        caller, service = self._connection.caller, self._connection.service
        try:
            found = service.find(caller.name, caller.version)
        except NumenError as error:
            self._fail(error)
            return
        if isinstance(found, Endpoint):
            self._submit(found)
        else:
            if caller.latest:
                self._connection.supersede(self)
            service.when_awake(caller.name, caller.version, None, self._opened)

    def _opened(self, opened: Endpoint | NumenError) -> None:
        if self._dropped:
            return
        if isinstance(opened, NumenError):
            self._fail(opened)
        else:
            self._submit(opened)

    def _submit(self, endpoint: Endpoint) -> None:
        caller, service = self._connection.caller, self._connection.service
        try:
            grant = service.admission.check(caller.credential, caller.name, "predict")
            message = frames.read(self._data, self._binary, endpoint)
            message.request.grant = grant
            message.request.origin = caller.origin
            self._message = message
            if message.latest or caller.latest:
                self._connection.supersede(self)
            service.submit(endpoint, message.request, self._done)
        except NumenError as error:
            self._fail(error)
        except Exception:
            self._fail_unforeseen()

    def _done(self, outcome: Outcome) -> None:
        if isinstance(outcome, NumenError):
            self._fail(outcome)
            return
        assert self._message is not None
        try:
            data, binary = self._message.answer(outcome)
        except Exception:
            self._fail_unforeseen()
            return
        self._connection.answer(self, data, binary)

    def _fail_unforeseen(self) -> None:
        _log.exception("a frame failed")
        self._fail(Internal("numen failed on this frame"))

    def _fail(self, error: NumenError) -> None:
        if self._message is not None:
            id_ = self._message.request.id
        else:
            if not (self._binary or _is_text(self._data)):
                self._connection.refuse(self)
                return
            id_ = frames.id_of(self._data, self._binary)
        if self._superseded and isinstance(error, Cancelled):
            error = Cancelled("a newer frame took its place")
        self._connection.answer(self, frames.failure(error, id_), False)

    def supersede(self) -> None:
        """Lets a newer frame take its place, if it still waits."""
        self._superseded = True
        self.cancel()
        if self._message is None:  # the model is still being opened
            self._fail(Cancelled("a newer frame took its place"))

    def cancel(self) -> None:
        """Drops it, if it still waits."""
        self._dropped = True
        if self._message is not None:
            self._message.request.cancelled = True


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
