"""`ModelInfer` and `ModelStreamInfer`: one caller's messages on their way through the Service."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeAlias

from numen.core.errors import Internal, NumenError
from numen.core.message import Origin, Outcome
from numen.core.observe import logger
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.transport import grpc_v2
from numen.transport.grpc_outline import Memory, varint
from numen.transport.grpc_v2 import Reply
from numen.transport.proto import INFERENCE

_log = logger(__name__)
MAX_IN_FLIGHT: Final = 64
# Triton's clients may wait for an answer that says it is a request's last.
_LAST: Final[bytes] = INFERENCE.ModelInferResponse(
    parameters={"triton_final_response": INFERENCE.InferParameter(bool_param=True)}
).SerializeToString()

Tell: TypeAlias = Callable[[Reply | NumenError], None]


class Caller:
    """What a carrier knows of who calls.

    Attributes:
        credential: The key as it was sent; empty where none was.
        deadline: When the answer is no longer wanted, in seconds of `time.monotonic()`.
        origin: What it calls its request, where it gave a name.
    """

    __slots__ = ("credential", "deadline", "origin")

    def __init__(
        self,
        credential: bytes = b"",
        deadline: float | None = None,
        origin: Origin | None = None,
    ):
        self.credential = credential
        self.deadline = deadline
        self.origin = origin


class Infer:
    """One message on its way through the Service."""

    __slots__ = (
        "_call", "_caller", "_cancelled", "_endpoint", "_memory", "_service", "_tell", "_waking",
    )  # fmt: skip

    def __init__(self, service: Service, caller: Caller):
        self._service = service
        self._caller = caller
        self._cancelled = False
        self._call: grpc_v2.Call | None = None

    def begin(self, body: bytes, tell: Tell) -> None:
        """Sends the message on; `tell` is called once with the outcome, perhaps at once."""
        self._tell: Tell = tell
        try:
            name, version = grpc_v2.target(body)
            found = self._service.find(name, version)
            if isinstance(found, Endpoint):
                self._submit(body, found)
            else:
                self._waking: asyncio.Task[None] = asyncio.ensure_future(
                    self._wake(body, name, version)
                )
        except NumenError as error:
            tell(error)
        except Exception:
            tell(_unforeseen())

    def cancel(self) -> None:
        """Nobody waits any longer: the work is dropped where it has not begun."""
        self._cancelled = True
        if self._call is not None:
            self._call[0].cancelled = True

    async def _wake(self, body: bytes, name: str, version: str | None) -> None:
        try:
            endpoint = await self._service.awake(name, version, self._caller.deadline)
            self._submit(body, endpoint)
        except NumenError as error:
            self._tell(error)
        except Exception:
            self._tell(_unforeseen())

    def _submit(self, body: bytes, endpoint: Endpoint) -> None:
        caller = self._caller
        grant = self._service.admission.check(caller.credential, endpoint.name, "predict")
        memory: Memory = grpc_v2.memory_of(endpoint)
        self._memory = memory
        call = self._call = grpc_v2.decode(body, endpoint, memory)
        request = call[0]
        request.grant = grant
        request.origin = caller.origin
        request.cancelled = self._cancelled
        if caller.deadline is not None and (
            request.deadline is None or caller.deadline < request.deadline
        ):
            request.deadline = caller.deadline
        self._endpoint = endpoint
        self._service.submit(endpoint, request, self._done)

    def _done(self, outcome: Outcome) -> None:
        if isinstance(outcome, NumenError):
            self._tell(outcome)
            return
        assert self._call is not None
        try:
            reply = grpc_v2.encode(self._call, self._endpoint, self._memory, outcome)
        except Exception:
            self._tell(_unforeseen())
            return
        self._tell(reply)


def _unforeseen() -> NumenError:
    _log.exception("a request failed")
    return Internal("numen failed on this request")


async def stream_infer(
    service: Service, caller: Caller, messages: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """Answers as they come, each request's own; at most `MAX_IN_FLIGHT` are not yet taken."""
    due: deque[bytes] = deque()
    flying: set[Infer] = set()
    room = asyncio.Semaphore(MAX_IN_FLIGHT)
    news = asyncio.Event()

    def fly(body: bytes) -> None:
        infer = Infer(service, caller)
        flying.add(infer)

        def tell(outcome: Reply | NumenError) -> None:
            flying.discard(infer)
            due.append(_in_stream(outcome, body))
            news.set()

        infer.begin(body, tell)

    async def take() -> None:
        async for body in messages:
            await room.acquire()
            fly(body)

    taking = asyncio.create_task(take())
    taking.add_done_callback(lambda _: news.set())
    try:
        while not taking.done() or flying or due:
            while due:
                yield due.popleft()
                room.release()
            if taking.done() and not flying and not due:
                break
            news.clear()
            await news.wait()
        taking.result()
    finally:
        taking.cancel()
        for infer in flying:
            infer.cancel()


def _in_stream(outcome: Reply | NumenError, body: bytes) -> bytes:
    """An answer as one of a stream; a failure is its message and the request's id."""
    if not isinstance(outcome, NumenError):
        message, _ = outcome
        return b"".join((b"\x12", varint(len(message) + len(_LAST)), message, _LAST))
    answer = INFERENCE.ModelStreamInferResponse(error_message=str(outcome))
    try:
        answer.infer_response.id = INFERENCE.ModelInferRequest.FromString(body).id
    except Exception:
        answer.infer_response.id = ""
    refused: bytes = answer.SerializeToString()
    return refused
