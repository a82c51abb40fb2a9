"""The only entrance to live models.

The Service holds an immutable table of live endpoints. `swap` replaces it whole: requests that
come later see the new table, those in flight finish on the old endpoints, which then close.
A version may be listed without being open; the first request for it opens it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from numen.core.errors import DeadlineExceeded, Internal, NotFound, NotReady, NumenError
from numen.core.message import Answer, Done, Grant, Outcome, Request, Trace
from numen.core.observe import logger, origin
from numen.core.reference import EXPLAINS
from numen.serve.admission import Admission
from numen.serve.batcher import Batcher
from numen.serve.fleet import Fleet, Tally
from numen.serve.live import Cold, Endpoint, Listed, LiveModel, Table
from numen.serve.opening import Opened
from numen.serve.stats import Stats

_log = logger(__name__)


class Span(Trace, Protocol):
    """A trace that its request's end closes."""

    def end(self, outcome: Outcome) -> None:
        """Takes note of the outcome, and is done."""


class Tracing(Protocol):
    """Who decides which requests are traced."""

    def begin(self, model: str, request: Request) -> Span | None:
        """The trace of a request that begins now; None for one that is not traced."""


class Service:
    """Live models. Belongs to one event loop.

    Attributes:
        admission: Who may call them.
        fleet: The processes that serve together with this one; None where it serves alone.
        tracing: Who traces requests; None where nobody does.
        leaving: The server is about to end: it is not ready any more, answers that never end do
            so now, and each other answer is its connection's last.
    """

    def __init__(
        self, *, max_rows: int = 64, max_queue: int = 8192, admission: Admission | None = None
    ):
        self.max_rows = max_rows
        self.max_queue = max_queue
        self.admission = admission or Admission()
        self.fleet: Fleet | None = None
        self.tracing: Tracing | None = None
        self.leaving = False
        self._placed = False
        self._models: Mapping[str, LiveModel] = MappingProxyType({})
        self._shown = self._models
        self._waking: dict[Cold, asyncio.Task[Endpoint]] = {}
        self._awaiting: set[asyncio.Task[None]] = set()  # the loop alone would forget them
        self._counts: dict[str, dict[str, Stats]] = {}

    @property
    def models(self) -> Mapping[str, LiveModel]:
        """The listed models by name, but for those that explain others."""
        return self._shown

    def explaining(self, name: str) -> Mapping[str, Listed]:
        """The versions of the model that explains another, by number."""
        model = self._models.get(name + EXPLAINS)
        return model.versions if model is not None and model.explains else {}

    def model(self, name: str) -> LiveModel:
        """A listed model, also one that explains another.

        Raises:
            NotFound: It is not live.
            NotReady: Nothing is live yet.
        """
        model = self._models.get(name)
        if model is None:
            if not self._placed:
                raise NotReady("models are still being loaded", hint="try again in a moment")
            raise NotFound(f"model {name[:64]!r} is not live", hint=f"live: {self._some()}")
        return model

    @property
    def ready(self) -> bool:
        """Whether requests may come."""
        return not self.trouble()

    def trouble(self) -> str:
        """Why requests had better go elsewhere; empty where they may come."""
        if self.leaving:
            return "the server is about to end"
        if not self._placed:
            return "models are still being loaded"
        return "" if self.fleet is None else self.fleet.trouble()

    def tally(self) -> Tally:
        """What this process and those that serve with it have done."""
        return self.own_tally() if self.fleet is None else self.fleet.tally()

    def own_tally(self) -> Tally:
        """What this process has done; the counts are the live ones. For any thread."""
        counts = {name: dict(versions) for name, versions in dict(self._counts).items()}
        tally = Tally(counts, workers=1)
        for endpoint in self.endpoints():
            name = endpoint.name
            tally.open.setdefault(name, {})[endpoint.version] = 1
            tally.waiting[name] = tally.waiting.get(name, 0) + endpoint.batcher.waiting
        return tally

    def endpoints(self) -> list[Endpoint]:
        """All versions that are open."""
        listed = (found for model in self._models.values() for found in model.versions.values())
        return [found for found in listed if isinstance(found, Endpoint)]

    def admit(self, opened: Opened, cold: Cold | None = None) -> Endpoint:
        """Makes an opened model ready to be put into a table."""
        # What a version has done goes on being counted when it comes back.
        stats = self._counts.setdefault(opened.name, {}).setdefault(opened.version, Stats())
        batcher = Batcher(
            opened, max_rows=self.max_rows, max_queue=self.max_queue, stats=stats,
            behind=opened.name.endswith(EXPLAINS),
        )  # fmt: skip
        return Endpoint(opened.name, opened.version, opened.bundle, batcher, stats, cold)

    def swap(self, table: Table) -> None:
        """Replaces what is live, whole. Endpoints no longer listed finish their work and close."""
        before = self.endpoints()
        self._place(
            {
                name: LiveModel(
                    name,
                    MappingProxyType(dict(versions)),
                    MappingProxyType(dict(table.aliases.get(name, {}))),
                    versions[table.defaults[name]],
                    name in table.explaining,
                )
                for name, versions in table.versions.items()
            }
        )
        kept = set(map(id, self.endpoints()))
        for endpoint in before:
            if id(endpoint) not in kept:
                endpoint.batcher.close()
        self._placed = True

    def _place(self, models: dict[str, LiveModel]) -> None:
        self._models = MappingProxyType(models)
        shown = {name: model for name, model in models.items() if not model.explains}
        self._shown = MappingProxyType(shown)

    def close(self) -> None:
        """Lets all models finish and close."""
        self.swap(Table())
        self._placed = False

    def find(self, name: str, version: str | None = None) -> Listed:
        """What is listed for a model and, where given, a version number or an alias.

        Raises:
            NotFound: It is not live.
            NotReady: Nothing is live yet.
        """
        return self.model(name).find(version)

    def _some(self) -> str:
        names = sorted(self._shown)
        return ", ".join(names[:20]) + (", …" if len(names) > 20 else "") or "none"

    async def awake(
        self, name: str, version: str | None = None, until: float | None = None
    ) -> Endpoint:
        """The endpoint of what `find` finds; opened where it must be.

        Args:
            name: The model's name.
            version: A version number or an alias; None is the default version.
            until: The caller's deadline, in seconds of `time.monotonic()`. The opening goes on
                after it, for the next who asks.

        Raises:
            DeadlineExceeded: It was not open by then.
            NotFound: It is not live.
            NotReady: Nothing is live yet, or its store is away.
            CorruptBundle: It does not open.
        """
        found = self.find(name, version)
        while not isinstance(found, Endpoint):
            left = None if until is None else max(until - time.monotonic(), 0.0)
            try:
                await asyncio.wait_for(asyncio.shield(self.wake(found)), left)
            except TimeoutError as error:
                raise DeadlineExceeded(
                    f"model {name} was not open before the deadline", hint="try again"
                ) from error
            # By now it may be closed again, or another version may stand for the name.
            found = self.find(name, version)
        return found

    def when_awake(
        self,
        name: str,
        version: str | None,
        until: float | None,
        then: Callable[[Endpoint | NumenError], None],
    ) -> None:
        """As `awake`, for doors that do not await: `then` is told the endpoint, or why not."""

        async def opening() -> None:
            try:
                found: Endpoint | NumenError = await self.awake(name, version, until)
            except NumenError as error:
                found = error
            except asyncio.CancelledError:
                then(NotReady("the server is stopping", hint="try again"))
                raise
            then(found)

        task = asyncio.create_task(opening())
        self._awaiting.add(task)
        task.add_done_callback(self._awaiting.discard)

    def wake(self, cold: Cold) -> asyncio.Task[Endpoint]:
        """Opens a listed version, once for all who ask meanwhile.

        By the time they have it, it may be closed again, or out of service: `find` tells.
        """
        task = self._waking.get(cold)
        if task is None:
            task = self._waking[cold] = asyncio.create_task(self._wake(cold))
            task.add_done_callback(lambda _: self._waking.pop(cold))
        return task

    async def _wake(self, cold: Cold) -> Endpoint:
        try:
            opened = await asyncio.to_thread(cold.open)
        except NumenError:
            raise
        except Exception as error:
            _log.exception("cannot open %s@%s", cold.name, cold.version)
            raise Internal(f"model {cold.name}@{cold.version} cannot be opened") from error
        endpoint = self.admit(opened, cold)
        if not self._replace(cold, endpoint):
            endpoint.batcher.close()
        return endpoint

    def rest(self, endpoint: Endpoint) -> None:
        """Closes an endpoint when its work is done; it stays listed, to be opened again."""
        if endpoint.cold is not None and self._replace(endpoint, endpoint.cold):
            endpoint.batcher.close()

    def _replace(self, before: Listed, after: Listed) -> bool:
        """Whether `before` was listed, and so `after` is now."""
        model = self._models.get(before.name)
        if model is None or model.versions.get(before.version) is not before:
            return False
        versions = MappingProxyType({**model.versions, before.version: after})
        default = after if model.default is before else model.default
        changed = replace(model, versions=versions, default=default)
        self._place({**self._models, before.name: changed})
        return True

    def submit(self, endpoint: Endpoint, request: Request, done: Done) -> None:
        """Checks a request and queues it; `done` gets its answer or its error, on the loop.

        Raises:
            InvalidInput: The arrays' types or sizes do not fit the signature.
            Overloaded: The queue is full, or the caller has too many requests under way.
            DeadlineExceeded: No answer can be had in time.
        """
        trace = None if self.tracing is None else self.tracing.begin(endpoint.name, request)
        if trace is None:
            self._queue(endpoint, request, done)
            return
        request.trace = trace
        try:
            self._queue(endpoint, request, partial(_end, trace, done))
        except NumenError as error:
            trace.end(error)
            raise

    def _queue(self, endpoint: Endpoint, request: Request, done: Done) -> None:
        rows = request.rows or endpoint.signature.check_form(request.inputs)
        if request.grant is None:
            endpoint.batcher.submit(request, rows, done)
            return
        request.grant.take()
        try:
            endpoint.batcher.submit(request, rows, partial(_give_back, request.grant, done))
        except NumenError:
            request.grant.give_back()
            raise

    async def predict(self, request: Request) -> Answer:
        """One request's answer, for callers that await.

        Raises:
            NumenError: Whatever went wrong.
        """
        endpoint = await self.awake(request.model, request.version, request.deadline)
        request.origin = request.origin or origin.get()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if future.done():
                return
            if isinstance(outcome, NumenError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit(endpoint, request, done)
        try:
            return await future
        except asyncio.CancelledError:
            request.cancelled = True
            raise


def _end(trace: Span, done: Done, outcome: Outcome) -> None:
    trace.end(outcome)
    done(outcome)


def _give_back(grant: Grant, done: Done, outcome: Outcome) -> None:
    grant.give_back()
    done(outcome)
