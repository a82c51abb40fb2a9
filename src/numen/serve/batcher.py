"""Greedy batching: what has been asked by the end of a turn of the event loop runs together.

Every request gets exactly its own answer or error, whatever happens to its neighbours. There is
no timer and no polling. A model whose batch is quick runs on the loop itself; a slow one on a
thread of its own, where the next batch is what has queued meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from numen.core.errors import (
    Cancelled,
    DeadlineExceeded,
    Internal,
    NotReady,
    NumenError,
    Overloaded,
)
from numen.core.message import Request
from numen.core.observe import logger
from numen.core.signature import Array
from numen.runtime.base import Runtime
from numen.serve.stats import Stats

# Longest run of a full batch that may hold up the event loop, in seconds.
ON_LOOP: Final = 0.0005
_log = logger(__name__)

Outcome: TypeAlias = dict[str, Array] | NumenError
Done: TypeAlias = Callable[[Outcome], None]


@dataclass(slots=True, eq=False)
class _Work:
    request: Request
    rows: int
    done: Done
    arrived: float = field(default_factory=time.perf_counter)


class Batcher:
    """Runs one model for many callers. Belongs to one event loop.

    Args:
        runtime: The model; used by one thread at a time and closed here.
        max_rows: Most rows a batch; one request may still bring more.
        max_queue: Most rows waiting; beyond that requests are refused.
        batched: False runs every request alone.
        seconds: Measured time of a full batch.
        stats: Where runs are counted.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        max_rows: int,
        max_queue: int,
        batched: bool,
        seconds: float,
        stats: Stats,
    ):
        self._runtime = runtime
        self._max_rows = max_rows if batched else 1
        self._max_queue = max_queue
        self._batched = batched
        self._stats = stats
        self._queue: deque[_Work] = deque()
        self._waiting = 0
        self._running = 0
        self._turning = False
        self._closing = False
        self._executor = ThreadPoolExecutor(1, "numen-run") if seconds > ON_LOOP else None
        self._loop = asyncio.get_running_loop()
        self._names = [spec.name for spec in runtime.signature.inputs]
        # With every size but the batch fixed, rows of all callers fit together.
        self._fixed = all(None not in spec.row for spec in runtime.signature.inputs)

    @property
    def on_loop(self) -> bool:
        """Whether the model runs on the event loop itself."""
        return self._executor is None

    def submit(self, request: Request, rows: int, done: Done) -> None:
        """Queues a checked request; `done` is called once, on the loop, with its outcome.

        Raises:
            Overloaded: The queue is full.
            NotReady: The model is being closed.
        """
        if self._closing:
            raise NotReady(f"model {request.model} is being unloaded", hint="try again")
        if self._waiting + rows > self._max_queue and self._waiting:
            raise Overloaded(
                f"model {request.model}: {self._waiting} rows wait already", hint="try again later"
            )
        self._queue.append(_Work(request, rows, done))
        self._waiting += rows
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def close(self) -> None:
        """Refuses new work, finishes what was taken, then closes the model."""
        if not self._closing:
            self._closing = True
            self._close_if_idle()

    def _turn(self) -> None:
        """Runs one batch, and comes back in the loop's next turn while there is more."""
        batch = self._take()
        if not batch:
            self._turning = False
            self._close_if_idle()
            return
        self._running = len(batch)
        if self._executor is None:
            self._finish(batch, self._run(batch))
            self._loop.call_soon(self._turn)
        else:
            run = self._executor.submit(self._run, batch)
            run.add_done_callback(
                lambda run: self._loop.call_soon_threadsafe(self._thread_done, batch, run)
            )

    def _thread_done(self, batch: list[_Work], run: Future[list[Outcome]]) -> None:
        self._finish(batch, run.result())
        self._turn()

    def _take(self) -> list[_Work]:
        """The next batch: in order, as many as fit, without those nobody waits for any more."""
        batch: list[_Work] = []
        rows = 0
        now = time.monotonic()
        while self._queue:
            work = self._queue[0]
            if gone := _gone(work.request, now):
                self._queue.popleft()
                self._waiting -= work.rows
                self._tell(work, gone)
                continue
            if batch and (
                rows + work.rows > self._max_rows
                or not (self._fixed or _alike(batch[0].request, work.request))
            ):
                break
            self._queue.popleft()
            self._waiting -= work.rows
            batch.append(work)
            rows += work.rows
        return batch

    def _run(self, batch: list[_Work]) -> list[Outcome]:
        """Runs a batch, on the loop or on the thread. One bad request fails alone."""
        begin = time.perf_counter()
        outcomes: list[Outcome]
        if len(batch) == 1:
            outcomes = [self._run_one(batch[0])]
        else:
            try:
                outcomes = self._run_together(batch)
            except Exception:  # one request is bad, or rows do not fit together: each runs alone
                outcomes = [self._run_one(work) for work in batch]
        self._stats.ran(
            sum(work.rows for work in batch),
            sum(begin - work.arrived for work in batch),
            time.perf_counter() - begin,
        )
        return outcomes

    def _run_one(self, work: _Work) -> Outcome:
        try:
            return self._predict(work.request.inputs, work.rows)
        except NumenError as error:
            return error

    def _run_together(self, batch: list[_Work]) -> list[Outcome]:
        inputs = {
            name: np.concatenate([work.request.inputs[name] for work in batch])
            for name in self._names
        }
        outputs = self._predict(inputs, sum(work.rows for work in batch))
        outcomes: list[Outcome] = []
        at = 0
        for work in batch:
            end = at + work.rows
            outcomes.append({name: array[at:end] for name, array in outputs.items()})
            at = end
        return outcomes

    def _predict(self, inputs: dict[str, Array], rows: int) -> dict[str, Array]:
        try:
            outputs = self._runtime.predict(inputs)
            for name, array in outputs.items():
                if self._batched and len(array) != rows:
                    raise Internal(
                        f'output "{name}": expected {rows} rows, the model gave {len(array)}'
                    )
        except NumenError:
            raise
        except Exception as error:  # a plug-in's defect must not lose its neighbours' answers
            _log.exception("the runtime failed")
            raise Internal(f"the model failed: {type(error).__name__}") from error
        return outputs

    def _finish(self, batch: list[_Work], outcomes: list[Outcome]) -> None:
        self._running = 0
        for work, outcome in zip(batch, outcomes, strict=True):
            self._tell(work, outcome)

    def _tell(self, work: _Work, outcome: Outcome) -> None:
        self._stats.answered(
            time.perf_counter() - work.arrived,
            outcome.code if isinstance(outcome, NumenError) else None,
        )
        try:
            work.done(outcome)
        except Exception:  # one caller's defect must not take the answers of the rest
            _log.exception("a caller failed on its answer")

    def _close_if_idle(self) -> None:
        if self._closing and not self._queue and not self._running and not self._turning:
            if self._executor is not None:
                self._executor.shutdown(wait=False)
            try:
                self._runtime.close()
            except Exception:  # a plug-in's defect must not keep the other models open
                _log.exception("the runtime failed to close")


def _gone(request: Request, now: float) -> NumenError | None:
    if request.cancelled:
        return Cancelled("the caller went away")
    if request.deadline is not None and now >= request.deadline:
        return DeadlineExceeded("the deadline passed before the model could run")
    return None


def _alike(left: Request, right: Request) -> bool:
    return all(
        array.shape[1:] == right.inputs[name].shape[1:] for name, array in left.inputs.items()
    )
