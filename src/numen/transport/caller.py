"""Who calls, for every HTTP door: what the headers say, and whether anybody still waits."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from fastapi import Request

from numen.core.errors import InvalidInput, TooLarge, UnsupportedMedia
from numen.core.message import Answer, Origin
from numen.core.message import Request as Call
from numen.serve.service import Service
from numen.transport import encoding

# The last is what `curl -d` says of any body.
JSON: Final = (
    b"", b"application/json", b"application/vnd.api+json", b"application/x-www-form-urlencoded",
)  # fmt: skip
MAX_REQUEST_ID: Final = 200
# Not empty, as something was sent, and not a key, as none looks so.
NO_KEY: Final = b"?"
# Where an ASGI scope holds what Admission.check gave; set before the handler is reached.
GRANT: Final = "numen.grant"


class Head:
    """The headers that numen reads. What is wrong with one is said when it is asked for."""

    __slots__ = (
        "_authorization", "_binary", "_deadline", "_json", "_key", "_length", "_limit",
        "_seconds", "accepted", "content_type", "encoding", "length", "origin", "request_id",
    )  # fmt: skip

    def __init__(self, headers: Any):
        self.length: int | None = None
        self.content_type = b""
        self.encoding = b""
        self.accepted = b""
        self.request_id = b""
        self._binary: bytes | None = None
        self._deadline: bytes | None = None
        self._seconds: float | None = None
        self._length: int | None = None
        self._json = False
        self._authorization = b""
        self._key = b""
        self._limit = 0
        parent = b""
        for name, value in headers:
            if name == b"content-length":
                self.length = int(value)
            elif name == b"content-type":
                self.content_type = value.partition(b";")[0].strip().lower()
            elif name == b"inference-header-content-length":
                self._binary = value
            elif name == b"content-encoding":
                self.encoding = value.strip().lower()
            elif name == b"accept-encoding":
                self.accepted = value
            elif name == b"x-request-id":
                self.request_id = value[:MAX_REQUEST_ID]
            elif name == b"numen-deadline-ms":
                self._deadline = value
            elif name == b"authorization":
                self._authorization = value
            elif name == b"x-api-key":
                self._key = value
            elif name == b"traceparent":
                parent = value
        self.origin: Origin | None = None
        if parent or self.request_id:
            self.origin = Origin(parent.decode("latin-1"), self.request_id.decode("latin-1"))

    @property
    def credential(self) -> bytes:
        """The key as it was sent, for `Admission.check`; empty where none was.

        `X-API-Key` goes before `Authorization`, which a proxy may use for its own ends. What is
        there in another form than `Bearer …` is given back as what no key is.
        """
        if self._key:
            return self._key.strip()
        if self._authorization.startswith(b"Bearer nm_"):
            return self._authorization[7:]
        if not self._authorization:
            return b""
        scheme, _, rest = self._authorization.partition(b" ")
        return (rest.strip() if scheme.lower() == b"bearer" else b"") or NO_KEY

    @property
    def binary(self) -> int | None:
        """Length of the JSON before binary tensors; None where all of the body is JSON.

        Raises:
            InvalidInput: It is not a whole number.
        """
        if self._binary is None or self._length is not None:
            return self._length
        if not self._binary.isdigit() or len(self._binary) > 12:
            raise InvalidInput(
                "Inference-Header-Content-Length: expected a whole number",
                field="Inference-Header-Content-Length",
            )
        self._length = int(self._binary)
        return self._length

    def deadline(self) -> float | None:
        """When the answer is no longer wanted, in seconds of `time.monotonic()`.

        Raises:
            InvalidInput: It is not a number of at least 0.
        """
        if self._deadline is None:
            return None
        if self._seconds is None:
            try:
                amount = float(self._deadline)
                if not 0 <= amount < 1e12:
                    raise ValueError
            except ValueError:
                raise InvalidInput(
                    "Numen-Deadline-Ms: expected milliseconds as a number of at least 0",
                    field="Numen-Deadline-Ms",
                ) from None
            self._seconds = amount / 1e3
        return time.monotonic() + self._seconds

    def check_size(self, limit: int) -> None:
        """Refuses a body over `limit` bytes, where one is announced; `unpack` keeps to it too.

        Raises:
            TooLarge: It is.
        """
        self._limit = limit
        if self.length is not None and self.length > limit:
            raise TooLarge(
                f"body: expected at most {limit} bytes, received {self.length}", field="body"
            )

    def check_encoding(self) -> None:
        """Refuses a body that is packed in a way that nobody here reads.

        Raises:
            UnsupportedMedia: It is.
        """
        if self.encoding not in (b"", b"identity") and not encoding.is_packed(self.encoding):
            raise UnsupportedMedia(
                "Content-Encoding: expected identity, gzip or deflate, "
                f"received {_shown(self.encoding)}",
                field="Content-Encoding",
            )

    def unpack(self, body: bytes) -> bytes:
        """The body as it was before it was packed.

        Raises:
            InvalidInput: It is not what its encoding says.
            TooLarge: It unpacks to more than `check_size` was told.
        """
        return encoding.unpack(self.encoding, body, self._limit)

    def check_json(self) -> None:
        """Refuses a body that is neither JSON nor JSON with binary tensors.

        Raises:
            UnsupportedMedia: It says so.
        """
        if self._json:
            return
        self.check_encoding()
        if self.content_type not in JSON and not (
            self.content_type == b"application/octet-stream" and self._binary is not None
        ):
            raise UnsupportedMedia(
                "Content-Type: expected application/json, or application/octet-stream with "
                f"Inference-Header-Content-Length, received {_shown(self.content_type)}",
                field="Content-Type",
            )
        self._json = True


def _shown(value: bytes) -> str:
    return f'"{value[:80].decode("latin-1")}"'


def served(answer: Answer) -> dict[str, str]:
    """Headers that say who answered, and whether it was the best."""
    return {"numen-served-by": answer.served_by, "numen-outcome": answer.outcome}


async def predict(service: Service, request: Request, call: Call) -> Answer:
    """The Service's answer to a call whose body was read; dropped when the client is gone.

    The caller's leave to make it was looked at before; it is found in the request's scope.

    Raises:
        NumenError: Whatever went wrong.
    """
    call.grant = request.scope.get(GRANT)
    watching = asyncio.create_task(_watch(request, call))
    try:
        return await service.predict(call)
    finally:
        watching.cancel()


async def _watch(request: Request, call: Call) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    call.cancelled = True
