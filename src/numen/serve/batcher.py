"""Greedy batching: what has been asked by the end of a turn of the event loop runs together.

Every request gets exactly its own answer or error by its deadline, whatever happens to its
neighbours. There is no window to wait for and no polling. A model whose batch is quick runs on
the loop itself, one batch a turn, so that models take turns; a slow one on a thread of its own,
where the next batch is what has queued meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np

from numen.core.errors import (
    DeadlineExceeded,
    Internal,
    NotReady,
    NumenError,
    Overloaded,
)
from numen.core.message import Answer, Done, Outcome, Request
from numen.core.observe import logger
from numen.core.signature import Array, Arrays
from numen.serve.ladder import Rung
from numen.serve.opening import Opened
from numen.serve.queue import Queue, Work
from numen.serve.stats import Stats

# Longest run of a full batch that may hold up the event loop, in seconds.
ON_LOOP: Final = 0.0005
# The running thread's place behind the event loop, which only reads and writes.
_NICE: Final = 5
_BEHIND: Final = 19  # of one that lets other models go first
_log = logger(__name__)


class Batcher:
    """Runs one model for many callers. Belongs to one event loop.

    Args:
        opened: The model; each of its runtimes is used by one thread at a time and closed here.
        max_rows: Most rows a batch; one request may still bring more.
        max_queue: Most rows waiting; beyond that requests are refused.
        stats: Where runs are counted.
        behind: Whether other models go before this one: it runs when they leave the core.
    """

    def __init__(
        self, opened: Opened, *, max_rows: int, max_queue: int, stats: Stats, behind: bool = False
    ):
        manifest = opened.bundle.manifest
        self._name = opened.name
        self._version = opened.version
        self._ladder = opened.ladder
        self._signature = manifest.signature
        self._batched = manifest.batched
        self._max_rows = max_rows if self._batched else 1
        self._max_queue = max_queue
        self._stats = stats
        # With every size but the batch fixed, rows of all callers fit together.
        fixed = all(None not in spec.row for spec in self._signature.inputs)
        self._queue = Queue(self._tell, None if fixed else _alike)
        self._running: list[Work] = []
        self._free_at = 0.0
        self._turning = False
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        full = opened.ladder.best.pace.expect(self._max_rows)
        nice = _BEHIND if behind else _NICE
        self._executor = (
            ThreadPoolExecutor(1, "numen-run", _give_way, (nice,))
            if behind or full > ON_LOOP
            else None
        )
        self._loop = asyncio.get_running_loop()

    @property
    def on_loop(self) -> bool:
        """Whether the model runs on the event loop itself."""
        return self._executor is None

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return self._queue.rows

    @property
    def idle(self) -> bool:
        """Whether nobody waits and nothing runs."""
        return not self._turning

    def submit(self, request: Request, rows: int, done: Done) -> None:
        """Queues a checked request; `done` is called once, on the loop, with its outcome.

        Raises:
            Overloaded: The queue is full.
            NotReady: The model is being closed.
            DeadlineExceeded: Those before it take until after its deadline.
        """
        if self._closing:
            raise NotReady(f"model {self._name} is being unloaded", hint="try again")
        queue = self._queue
        if queue.rows + rows > self._max_queue and queue.rows:
            self._stats.failed(Overloaded.code, 0.0)
            raise Overloaded(
                f"model {self._name}: {queue.rows} rows wait already",
                hint="try again later",
                retry_after=self._ladder.wait(queue.rows),
            )
        work = Work(request, rows, done)
        if work.deadline is not None:
            self._check_in_time(work, work.deadline)
        queue.put(work)
        if not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _check_in_time(self, work: Work, deadline: float) -> None:
        if self._turning:
            busy = max(self._free_at - work.arrived, 0.0)
            if work.arrived + busy + self._ladder.wait(self._queue.rows + work.rows) > deadline:
                self._ladder.fastest.pace.doubt()
                self._stats.failed(DeadlineExceeded.code, 0.0)
                raise DeadlineExceeded(
                    f"model {self._name}: {self._queue.rows} rows wait already, "
                    "no answer could be had before the deadline"
                )
        if self._executor is not None:
            self._watch(deadline)

    def close(self) -> None:
        """Refuses new work, finishes what was taken, then closes the model."""
        if not self._closing:
            self._closing = True
            self._close_if_idle()

    def _turn(self) -> None:
        """Runs one batch, and comes back in the loop's next turn while there is more."""
        taken = self._queue.take(self._ladder, self._max_rows)
        if taken is None:
            self._turning = False
            self._close_if_idle()
            return
        rung, batch = taken
        self._running = batch
        if self._executor is None:
            self._finish(rung, batch, self._run(rung, batch))
            self._loop.call_soon(self._turn)
        else:
            rows = sum(work.rows for work in batch)
            self._free_at = time.monotonic() + rung.pace.expect(rows)
            run = self._executor.submit(self._run, rung, batch)
            run.add_done_callback(
                lambda run: self._loop.call_soon_threadsafe(self._thread_done, rung, batch, run)
            )

    def _thread_done(self, rung: Rung, batch: list[Work], run: Future[list[Outcome]]) -> None:
        self._free_at = 0.0
        self._finish(rung, batch, run.result())
        self._turn()

    # Who waits while a slow batch runs elsewhere is told when their time is over.

    def _watch(self, deadline: float) -> None:
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_later(max(deadline - time.monotonic(), 0.0), self._tell_late)

    def _tell_late(self) -> None:
        self._timer = None
        now = time.monotonic()
        self._queue.drop_late(now)
        first = self._queue.first_deadline()
        following = [] if first is None else [first]
        for work in self._running:
            if work.deadline is None or work.done is None:
                continue
            if work.deadline <= now:
                self._tell(work, DeadlineExceeded("the deadline passed while the model ran"))
            else:
                following.append(work.deadline)
        if following:
            self._watch(min(following))

    def _run(self, rung: Rung, batch: list[Work]) -> list[Outcome]:
        """Runs a batch, on the loop or on the thread. One bad request fails alone."""
        begin = time.monotonic()
        outcomes: list[Outcome]
        if len(batch) == 1:
            outcomes = [self._run_one(rung, batch[0])]
        else:
            try:
                outcomes = self._run_together(rung, batch)
            except Exception:  # one request is bad, or rows do not fit together
                outcomes = self._run_apart(rung, batch)
        seconds = time.monotonic() - begin
        rows = sum(work.rows for work in batch)
        rung.pace.ran(rows, seconds)
        waits = [begin - work.arrived for work in batch if not work.request.probe]
        if waits:
            stats = self._stats.variant(rung.variant, degraded=rung.degraded)
            stats.rows += rows - sum(work.rows for work in batch if work.request.probe)
            stats.compute.observe(seconds)
            stats.queue.observe_all(waits)
        for work in batch:
            if work.request.trace is not None:
                work.request.trace.ran(rung.variant, rows, begin, begin + seconds)
        return outcomes

    def _run_one(self, rung: Rung, work: Work) -> Outcome:
        try:
            outputs = self._predict(rung, self._given(work), work.rows)
        except NumenError as error:
            return error
        return Answer(self._name, self._version, outputs, rung.variant, rung.degraded)

    def _run_apart(self, rung: Rung, batch: list[Work]) -> list[Outcome]:
        """Those with bad values fail; the rest run together, or each alone where they cannot."""
        refused: dict[int, Outcome] = {}
        for place, work in enumerate(batch):
            try:
                self._signature.check_values(work.request.inputs)
            except NumenError as error:
                refused[place] = error
        good = [work for place, work in enumerate(batch) if place not in refused]
        try:
            ran = self._run_together(rung, good) if refused and len(good) > 1 else None
        except Exception:
            ran = None
        if ran is None:
            ran = [self._run_one(rung, work) for work in good]
        rest = iter(ran)
        return [refused.get(place) or next(rest) for place in range(len(batch))]

    def _run_together(self, rung: Rung, batch: list[Work]) -> list[Outcome]:
        given = [self._given(work) for work in batch]
        inputs = {
            spec.name: np.concatenate([each[spec.name] for each in given])
            for spec in self._signature.inputs
        }
        outputs = self._predict(rung, inputs, sum(work.rows for work in batch))
        outcomes: list[Outcome] = []
        name, version, variant, degraded = self._name, self._version, rung.variant, rung.degraded
        at = 0
        named = list(outputs.items())
        for work in batch:
            end = at + work.rows
            own = {key: array[at:end] for key, array in named}
            outcomes.append(Answer(name, version, own, variant, degraded))
            at = end
        return outcomes

    def _given(self, work: Work) -> Arrays:
        inputs = work.request.inputs
        if len(inputs) == len(self._signature.inputs):  # as nearly always
            return inputs
        return self._signature.complete(inputs, work.rows)

    def _predict(self, rung: Rung, inputs: Arrays, rows: int) -> dict[str, Array]:
        self._signature.check_values(inputs)
        try:
            outputs = rung.runtime.predict(inputs)
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

    def _finish(self, rung: Rung, batch: list[Work], outcomes: list[Outcome]) -> None:
        self._running = []
        now = time.monotonic()
        took: list[float] = []
        for work, outcome in zip(batch, outcomes, strict=True):
            done = work.done
            if done is None:  # it was told that it is late
                continue
            if isinstance(outcome, NumenError):
                self._tell(work, outcome)
                continue
            if not work.request.probe:
                took.append(now - work.arrived)
            work.done = None
            try:
                done(outcome)
            except Exception:  # one caller's defect must not take the answers of the rest
                _log.exception("a caller failed on its answer")
        self._stats.variant(rung.variant, degraded=rung.degraded).total.observe_all(took)

    def _tell(self, work: Work, failure: NumenError) -> None:
        """Tells of a failure; see `_finish` for answers."""
        done, work.done = work.done, None
        if done is None:
            return
        if not work.request.probe:
            self._stats.failed(failure.code, time.monotonic() - work.arrived)
        try:
            done(failure)
        except Exception:  # one caller's defect must not take the answers of the rest
            _log.exception("a caller failed on its answer")

    def _close_if_idle(self) -> None:
        if not self._closing or self._turning:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._executor is not None:
            self._executor.shutdown(wait=False)
        for rung in self._ladder.rungs:
            try:
                rung.runtime.close()
            except Exception:  # a plug-in's defect must not keep the other models open
                _log.exception("the runtime failed to close")


def _give_way(nice: int) -> None:
    """Lets the event loop go before this thread where both want the same core."""
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            before = os.getpriority(os.PRIO_PROCESS, thread)  # that of the loop, which started it
            os.setpriority(os.PRIO_PROCESS, thread, before + nice)


def _alike(left: Request, right: Request) -> bool:
    return all(
        array.shape[1:] == right.inputs[name].shape[1:]
        for name, array in left.inputs.items()
        if name in right.inputs
    )
