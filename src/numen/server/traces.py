"""Traces: what became of a request and when, sent to an OpenTelemetry collector.

A span a request, with two below it: its wait in the queue, and the run of the model that it was
part of. Only what is sampled costs anything, and no more is sampled than a busy server can
afford; the sending is done on a thread of the library's.
"""

from __future__ import annotations

import random
import re
import threading
import time
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import numen
from numen.core.errors import NumenError
from numen.core.message import Origin, Outcome, Request

# https://www.w3.org/TR/trace-context/: version, trace, the caller's span, and flags.
_PARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?")
_SAMPLED: Final = 1
# Longest that what is still unsent is waited for at the end, in seconds.
_FLUSH: Final = 3.0
_NOBODY: Final = Origin()
# Traces a second, whoever asks for them: one costs as much as several answers.
_MOST: Final = 100


class Traces:
    """Decides which requests are traced, and sends their traces.

    Args:
        url: The collector, such as `http://localhost:4318`.
        share: How many of those requests are traced whose callers do not say, from 0 to 1.
        worker: The number of this process among those that serve; 0 where it is alone.
    """

    def __init__(self, url: str, share: float, worker: int = 0):
        self._share = share
        self._affordable, self._counted = float(_MOST), time.monotonic()
        self._provider = TracerProvider(
            # Who is traced was decided before there is a span.
            sampler=ALWAYS_ON,
            resource=Resource.create(
                {
                    "service.name": "numen",
                    "service.version": numen.__version__,
                    "service.instance.id": str(worker),
                }
            ),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=_FLUSH)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("numen")
        self._read = TraceContextTextMapPropagator()

    def begin(self, model: str, request: Request) -> Trace | None:
        """The trace of a request that begins now; None for one that is not traced.

        A caller that traces its own request has it traced here, and one that has decided not to
        has not. Above a hundred a second no more are begun.
        """
        if request.probe:
            return None
        origin = request.origin or _NOBODY
        parent = _PARENT.fullmatch(origin.parent) if origin.parent else None
        wanted = int(parent[1], 16) & _SAMPLED if parent else random.random() < self._share  # noqa: S311
        if not wanted or not self._afford():
            return None
        above = self._read.extract({"traceparent": origin.parent}) if parent else Context()
        return Trace(self._tracer, model, origin.request_id, above)

    def _afford(self) -> bool:
        now = time.monotonic()
        self._affordable = min(_MOST, self._affordable + (now - self._counted) * _MOST)
        self._counted = now
        if self._affordable < 1:
            return False
        self._affordable -= 1
        return True

    def close(self) -> None:
        """Sends what is left, if the collector takes it in time. Blocks."""
        # The library may wait for a collector that is away for longer than anybody wants to.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_FLUSH)


class Trace:
    """One request's."""

    __slots__ = ("_above", "_begun", "_model", "_request_id", "_run", "_tracer")

    def __init__(self, tracer: Tracer, model: str, request_id: str, above: Context):
        self._tracer = tracer
        self._model = model
        self._request_id = request_id
        self._above = above
        self._begun = time.monotonic()
        self._run: tuple[str, int, float, float] | None = None

    def ran(self, variant: str, rows: int, begin: float, end: float) -> None:
        """Takes note of the run it was part of; times in seconds of `time.monotonic()`."""
        self._run = variant, rows, begin, end

    def end(self, outcome: Outcome) -> None:
        """Makes the spans, now that all is known, and hands them over to be sent."""
        now = time.monotonic()
        epoch = time.time_ns() - int(now * 1e9)

        def at(seconds: float) -> int:
            return epoch + int(seconds * 1e9)

        span = self._tracer.start_span(
            f"predict {self._model}", self._above, SpanKind.SERVER, {"numen.model": self._model},
            start_time=at(self._begun),
        )  # fmt: skip
        below = set_span_in_context(span, Context())
        if self._request_id:
            span.set_attribute("numen.request_id", self._request_id)
        if self._run is not None:
            variant, rows, begin, end = self._run
            self._tracer.start_span("queue", below, start_time=at(self._begun)).end(at(begin))
            told: dict[str, str | int] = {"numen.variant": variant, "numen.batch_rows": rows}
            run = self._tracer.start_span("run", below, attributes=told, start_time=at(begin))
            run.end(at(end))
        if isinstance(outcome, NumenError):
            span.set_attribute("numen.error", outcome.code)
            span.set_status(Status(StatusCode.ERROR, outcome.message))
        else:
            span.set_attribute("numen.served_by", outcome.served_by)
            span.set_attribute("numen.outcome", outcome.outcome)
        span.end(at(now))
