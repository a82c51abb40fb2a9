"""The Batcher's one rule: exactly its own answer, or its own error, exactly once."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from echo_runtime import (
    CRASHED,
    FAILED,
    MISDEEDS,
    NOTHING,
    REFUSED,
    SCALAR,
    SHORT,
    Echo,
    opened_of,
)  # fmt: skip
from hypothesis import given, settings
from hypothesis import strategies as st

from numen.core.errors import DeadlineExceeded, NotReady, NumenError, Overloaded
from numen.core.message import Request
from numen.serve.batcher import Batcher, Outcome
from numen.serve.stats import Stats

ON_LOOP, THREADED = 0.0, 1.0


@dataclass(eq=False)
class Caller:
    """One request and all that its `done` was ever told."""

    mark: int
    rows: int = 1
    row: tuple[int, ...] = (2,)
    request: Request = field(init=False)
    told: list[Outcome] = field(default_factory=list)
    thread: int = 0

    def __post_init__(self) -> None:
        x = np.full((self.rows, *self.row), self.mark, np.int64)
        self.request = Request("m", {"x": x})

    def done(self, outcome: Outcome) -> None:
        self.thread = threading.get_ident()
        self.told.append(outcome)

    @property
    def code(self) -> str | None:
        (outcome,) = self.told
        return outcome.code if isinstance(outcome, NumenError) else None

    def has_its_own(self) -> bool:
        (outcome,) = self.told
        assert not isinstance(outcome, NumenError), outcome
        return np.array_equal(outcome.outputs["y"], self.request.inputs["x"])


class Nice(Echo):
    """Notes how nice the threads are that run it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def predict(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return super().predict(inputs)


def batcher_of(
    runtime: Echo,
    seconds: float = ON_LOOP,
    *,
    max_rows: int = 8,
    max_queue: int = 1000,
    batched: bool = True,
) -> Batcher:
    opened = opened_of(runtime, seconds, batched=batched, max_rows=max_rows)
    return Batcher(opened, max_rows=max_rows, max_queue=max_queue, stats=Stats())


async def settle(batcher: Batcher, runtime: Echo, callers: list[Caller]) -> None:
    """Waits until all callers were told, and a little longer for what must not come."""
    end = time.monotonic() + 3
    while not all(caller.told for caller in callers) and time.monotonic() < end:
        await asyncio.sleep(0.001)
    batcher.close()
    while not runtime.closed and time.monotonic() < end:
        await asyncio.sleep(0.001)
    for _ in range(3):
        await asyncio.sleep(0)


def submit(batcher: Batcher, *callers: Caller) -> None:
    for caller in callers:
        batcher.submit(caller.request, caller.rows, caller.done)


# The rule, over any interleaving

EXPECTED = {
    REFUSED: "invalid_input", FAILED: "internal", CRASHED: "internal", SHORT: "internal",
    SCALAR: "internal", NOTHING: "internal",
}  # fmt: skip

steps = st.one_of(
    st.tuples(
        st.just("submit"),
        st.one_of(st.integers(1, 10_000), st.sampled_from(MISDEEDS)),
        st.integers(1, 5),
        st.sampled_from([(2,), (3,), (2, 2)]),
    ),
    st.tuples(st.just("expired"), st.integers(1, 10_000)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("expire"), st.integers(0, 30)),
    st.tuples(st.just("turn"), st.integers(1, 4)),
    st.tuples(st.just("wait")),
    st.tuples(st.just("close")),
)


async def live_through(story: list[tuple], seconds: float, batched: bool, queue: int) -> None:
    runtime = Echo(row=(None,) if batched else (2,))
    batcher = batcher_of(runtime, seconds, max_rows=4, max_queue=queue, batched=batched)
    callers: list[Caller] = []
    dropped: set[Caller] = set()
    closed = False
    for what, *values in story:
        if what in ("submit", "expired"):
            if what == "submit":
                caller = Caller(values[0], values[1], values[2] if batched else (2,))
            else:
                caller = Caller(values[0])
                caller.request.deadline = time.monotonic() - 1
                dropped.add(caller)
            try:
                submit(batcher, caller)
            except NotReady:
                assert closed
            except Overloaded:
                assert not closed
            except DeadlineExceeded:
                assert what == "expired"
            else:
                assert not closed
                callers.append(caller)
        elif what in ("cancel", "expire") and callers:
            caller = callers[values[0] % len(callers)]
            dropped.add(caller)
            if what == "cancel":
                caller.request.cancelled = True
            else:
                caller.request.deadline = time.monotonic() - 1
        elif what == "turn":
            for _ in range(values[0]):
                await asyncio.sleep(0)
        elif what == "wait":
            await asyncio.sleep(0.002)
        elif what == "close":
            batcher.close()
            closed = True
    await settle(batcher, runtime, callers)
    assert runtime.closed == 1
    for caller in callers:
        assert len(caller.told) == 1, "told exactly once"
        assert caller.thread == threading.get_ident(), "told on the loop"
        if caller.code in ("cancelled", "deadline_exceeded"):
            assert caller in dropped
        elif caller.mark in EXPECTED and not (
            # Run alone, with no promise of its rows, a short answer is the model's own.
            not batched and caller.mark in (SHORT, SCALAR)
        ):
            assert caller.code == EXPECTED[caller.mark]
        elif caller.mark > 0:
            assert caller.has_its_own()


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("seconds", [ON_LOOP, THREADED], ids=["loop", "thread"])
@given(story=st.lists(steps, max_size=30), queue=st.sampled_from([3, 10, 1000]))
@settings(max_examples=150, deadline=None)
def test_every_request_gets_its_own_answer_or_error_once(
    story: list[tuple], seconds: float, batched: bool, queue: int
) -> None:
    asyncio.run(live_through(story, seconds, batched, queue))


# The rule's parts, one by one

BOTH = pytest.mark.parametrize("seconds", [ON_LOOP, THREADED], ids=["loop", "thread"])


@BOTH
def test_what_was_asked_in_one_turn_runs_together(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds)
        callers = [Caller(i, rows=1 + i % 2) for i in range(1, 6)]
        submit(batcher, *callers)
        await settle(batcher, runtime, callers)
        assert runtime.runs == [[1, 1, 2, 3, 3, 4, 5, 5]]
        assert all(caller.has_its_own() for caller in callers)
        assert (runtime.threads == {threading.get_ident()}) == batcher.on_loop
        assert batcher.on_loop == (seconds == ON_LOOP)

    asyncio.run(scene())


@BOTH
def test_a_batch_has_at_most_max_rows_and_keeps_the_order(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds, max_rows=4)
        callers = [Caller(i, rows=rows) for i, rows in enumerate([3, 2, 2, 9, 1, 1], 1)]
        submit(batcher, *callers)
        await settle(batcher, runtime, callers)
        assert [sorted(set(run)) for run in runtime.runs] == [[1], [2, 3], [4], [5, 6]]
        assert all(caller.has_its_own() for caller in callers)

    asyncio.run(scene())


@BOTH
@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_one_bad_row_fails_alone(seconds: float, misdeed: int) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds)
        good = [Caller(i) for i in range(1, 5)]
        bad = Caller(misdeed)
        submit(batcher, *good[:2], bad, *good[2:])
        await settle(batcher, runtime, [*good, bad])
        assert bad.code == EXPECTED[misdeed]
        assert all(caller.has_its_own() for caller in good)

    asyncio.run(scene())


@BOTH
def test_the_batcher_lives_on_after_any_misdeed(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds)
        for misdeed in MISDEEDS:
            for caller in (Caller(misdeed), Caller(7)):
                submit(batcher, caller)
                while not caller.told:
                    await asyncio.sleep(0.001)
            assert caller.has_its_own()
        batcher.close()
        await settle(batcher, runtime, [])

    asyncio.run(asyncio.wait_for(scene(), 10))


@BOTH
def test_rows_of_other_shapes_run_apart(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo(row=(None, None))
        batcher = batcher_of(runtime, seconds)
        shapes = [(2, 2), (2, 2), (3, 1), (2, 2), (2, 2)]
        callers = [Caller(i, row=shape) for i, shape in enumerate(shapes, 1)]
        submit(batcher, *callers)
        await settle(batcher, runtime, callers)
        assert [[int(row) for row in sorted(set(run))] for run in runtime.runs] == [
            [1, 2], [3], [4, 5],
        ]  # fmt: skip
        assert all(caller.has_its_own() for caller in callers)

    asyncio.run(scene())


@BOTH
def test_shapes_that_only_the_manifest_allows_harm_their_sender_alone(seconds: float) -> None:
    """The graph says that sizes are fixed, the manifest let another one through."""

    async def scene() -> None:
        runtime = Echo(row=(2,))
        batcher = batcher_of(runtime, seconds)
        callers = [Caller(1), Caller(2, row=(3,)), Caller(3)]
        submit(batcher, *callers)
        await settle(batcher, runtime, callers)
        assert all(caller.has_its_own() for caller in callers)

    asyncio.run(scene())


@BOTH
def test_a_model_that_is_not_batched_runs_every_request_alone(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds, batched=False)
        callers = [Caller(i, rows=i) for i in range(1, 4)]
        submit(batcher, *callers)
        await settle(batcher, runtime, callers)
        assert runtime.runs == [[1], [2, 2], [3, 3, 3]]
        assert all(caller.has_its_own() for caller in callers)

    asyncio.run(scene())


@BOTH
def test_a_full_queue_refuses_and_then_has_room_again(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds, max_queue=5)
        taken = [Caller(1, rows=3), Caller(2, rows=2)]
        submit(batcher, *taken)
        with pytest.raises(Overloaded, match="5 rows wait already; try again later") as full:
            submit(batcher, Caller(3))
        assert full.value.retry_after is not None
        assert full.value.retry_after >= seconds
        while not all(caller.told for caller in taken):
            await asyncio.sleep(0.001)
        # A request larger than the queue is no reason for it never to be answered.
        large = Caller(4, rows=9)
        submit(batcher, large)
        await settle(batcher, runtime, [large])
        assert large.has_its_own()

    asyncio.run(scene())


@BOTH
def test_close_finishes_what_was_taken_and_refuses_the_rest(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo(seconds=0.005)
        batcher = batcher_of(runtime, seconds, max_rows=2)
        callers = [Caller(i) for i in range(1, 8)]
        submit(batcher, *callers)
        batcher.close()
        batcher.close()
        assert not runtime.closed
        with pytest.raises(NotReady, match="model m is being unloaded"):
            submit(batcher, Caller(9))
        await settle(batcher, runtime, callers)
        assert all(caller.has_its_own() for caller in callers)
        assert runtime.closed == 1

    asyncio.run(scene())


def test_an_idle_model_closes_at_once() -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher_of(runtime, THREADED).close()
        assert runtime.closed == 1

    asyncio.run(scene())


def test_what_nobody_waits_for_is_not_run() -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, THREADED, max_rows=1)
        runtime.resume.clear()
        running, gone, late, kept = (Caller(i) for i in range(1, 5))
        submit(batcher, running, gone, late, kept)
        await asyncio.sleep(0.01)  # the first is running
        running.request.cancelled = gone.request.cancelled = True
        late.request.deadline = time.monotonic()
        runtime.resume.set()
        await settle(batcher, runtime, [running, gone, late, kept])
        assert runtime.runs == [[1], [4]]
        assert (gone.code, late.code) == ("cancelled", "deadline_exceeded")
        assert kept.has_its_own()
        assert len(running.told) == 1

    asyncio.run(scene())


def test_the_loop_turns_while_a_slow_model_runs_and_the_queue_becomes_the_next_batch() -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, THREADED)
        runtime.resume.clear()
        first = Caller(1)
        submit(batcher, first)
        await asyncio.sleep(0.01)
        callers = [Caller(i) for i in range(2, 6)]
        for caller in callers:
            submit(batcher, caller)
            await asyncio.sleep(0.001)
        runtime.resume.set()
        await settle(batcher, runtime, [first, *callers])
        assert runtime.runs == [[1], [2, 3, 4, 5]]

    asyncio.run(scene())


@BOTH
def test_a_caller_that_fails_on_its_answer_harms_no_other(
    seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds)
        first, last = Caller(1), Caller(3)

        def fail(outcome: Outcome) -> None:
            raise ValueError("the caller's defect")

        submit(batcher, first)
        batcher.submit(Caller(2).request, 1, fail)
        submit(batcher, last)
        await settle(batcher, runtime, [first, last])
        assert first.has_its_own()
        assert last.has_its_own()

    asyncio.run(scene())
    assert "a caller failed on its answer" in caplog.text


@BOTH
def test_an_answer_may_bring_the_next_request(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo()
        batcher = batcher_of(runtime, seconds)
        callers = [Caller(i) for i in range(1, 20)]

        def ask(number: int) -> None:
            caller = callers[number]

            def done(outcome: Outcome) -> None:
                caller.done(outcome)
                if number + 1 < len(callers):
                    ask(number + 1)
                else:
                    batcher.close()

            batcher.submit(caller.request, 1, done)

        ask(0)
        await settle(batcher, runtime, callers)
        assert all(caller.has_its_own() for caller in callers)
        assert runtime.closed == 1

    asyncio.run(scene())


@BOTH
def test_all_is_counted(seconds: float) -> None:
    async def scene() -> None:
        runtime = Echo()
        stats = Stats()
        batcher = Batcher(opened_of(runtime, seconds), max_rows=8, max_queue=100, stats=stats)
        callers = [Caller(1, rows=2), Caller(2), Caller(REFUSED)]
        submit(batcher, *callers)
        await settle(batcher, runtime, callers)
        (ran,) = stats.variants.values()
        assert {code: h.count for code, h in stats.failures.items()} == {"invalid_input": 1}
        assert (ran.compute.count, ran.rows, ran.total.count, ran.queue.count) == (1, 4, 2, 3)
        assert all(h.seconds > 0 for h in (ran.compute, ran.total, ran.queue))

    asyncio.run(scene())


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads have no niceness of their own"
)
@pytest.mark.parametrize("nice", [0, 3, 18])
def test_who_runs_the_model_is_nicer_than_the_loop(nice: int) -> None:
    """However nice the loop is, such as in a process that a cluster starts."""
    runtime = Nice()

    async def scene() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
        batcher = batcher_of(runtime, THREADED)
        caller = Caller(1)
        batcher.submit(caller.request, 1, caller.done)
        while not caller.told:
            await asyncio.sleep(0.001)
        batcher.close()

    with ThreadPoolExecutor(1) as pool:  # a thread of its own, whose niceness ends with it
        pool.submit(asyncio.run, scene()).result(10)
    assert runtime.seen == [min(nice + 5, 19)]
