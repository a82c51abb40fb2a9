"""The ladder: the best that is in time, refused early where nothing is, and nobody crossed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from echo_runtime import Echo
from hypothesis import given
from hypothesis import strategies as st

from numen.core.bundle import Bundle
from numen.core.errors import DeadlineExceeded, NumenError
from numen.core.manifest import Manifest, Variant
from numen.core.message import Outcome, Request
from numen.serve.batcher import Batcher
from numen.serve.ladder import MARGIN, Ladder, Pace, Rung
from numen.serve.opening import Opened
from numen.serve.queue import Queue, Work
from numen.serve.stats import Stats

MAX_ROWS = 8


def rungs(*per_row: float) -> Ladder:
    """Variants `v0`, `v1` … that take so many seconds a row."""
    return Ladder(
        [
            Rung(f"v{place}", Echo(seconds=slow), Pace({1: slow, MAX_ROWS: slow * MAX_ROWS}), place > 0)
            for place, slow in enumerate(per_row)
        ]
    )  # fmt: skip


@dataclass
class Waits:
    deadline: float | None
    rows: int = 1


def test_who_has_time_gets_the_best() -> None:
    rung, rows = rungs(2e-4, 2e-5).choose(0.0, [Waits(1.0), Waits(1.0)], MAX_ROWS) or (None, 0)
    assert (rung and rung.variant, rows) == ("v0", 2)


def test_who_has_little_gets_what_fits_and_who_has_none_is_refused() -> None:
    ladder = rungs(0.01, 0.001)
    rung, rows = ladder.choose(0.0, [Waits(0.005)], MAX_ROWS) or (None, 0)
    assert (rung and rung.variant, rows) == ("v1", 1)
    assert ladder.choose(0.0, [Waits(0.0011)], MAX_ROWS) is None


def test_a_batch_is_no_larger_than_its_first_deadline_allows() -> None:
    rung, rows = rungs(2e-4).choose(0.0, [Waits(15e-4), *[Waits(9.0)] * 6], MAX_ROWS) or (None, 0)
    assert (rung and rung.variant, rows) == ("v0", 2)


def test_a_batch_is_no_larger_than_pays() -> None:
    assert Pace({1: 3e-4, 2: 6e-4, 4: 1.2e-3, 8: 2.4e-3, 16: 4.8e-3}).pays == 8
    assert Pace({1: 2e-5, 8: 4e-5, 64: 1.5e-4}).pays >= 64
    assert Pace({1: 0.01, 8: 0.02, 64: 0.1}).pays >= 64
    assert Pace({1: 0.2, 2: 0.21}).pays >= 64, "nobody measured where it stops to pay"
    assert Pace({1: 0.2, 2: 0.4}).pays == 1
    choice = rungs(0.01).choose(0.0, [Waits(1.0)] * 4, MAX_ROWS)
    assert choice is not None
    assert choice[1] == 1


def test_those_behind_are_not_sacrificed_for_the_first() -> None:
    ladder = rungs(0.01, 0.001)
    alone = ladder.choose(0.0, [Waits(0.02)], MAX_ROWS)
    crowd = ladder.choose(0.0, [Waits(0.02)] * 12, MAX_ROWS)
    assert alone is not None
    assert crowd is not None
    assert (alone[0].variant, crowd[0].variant) == ("v0", "v1")


@given(
    st.lists(st.tuples(st.floats(0, 0.2), st.integers(1, 5)), min_size=1, max_size=40),
    st.lists(st.floats(0.0005, 0.05), min_size=1, max_size=4, unique=True),
)
def test_what_is_chosen_is_in_time_for_all_it_takes(
    queue: list[tuple[float, int]], paces: list[float]
) -> None:
    ladder = rungs(*sorted(paces, reverse=True))
    waiting = [Waits(deadline, rows) for deadline, rows in sorted(queue)]
    choice = ladder.choose(0.0, waiting, MAX_ROWS)
    first = waiting[0]
    assert first.deadline is not None
    if choice is None:
        assert ladder.fastest.pace.expect(first.rows) + MARGIN > first.deadline
        return
    rung, rows = choice
    assert rung.pace.expect(rows) + MARGIN <= first.deadline
    assert rows <= MAX_ROWS or rows == first.rows


def test_a_pace_follows_what_runs_take_and_forgets_a_hiccup() -> None:
    pace = Pace({1: 0.001, 4: 0.002, 8: 0.004})
    assert [pace.expect(n) for n in (1, 2, 4, 6, 8, 16)] == pytest.approx(
        [0.001, 0.001 + 0.001 / 3, 0.002, 0.003, 0.004, 0.008]
    )
    for _ in range(50):
        pace.ran(4, 0.004)
    assert 0.0039 < pace.expect(4) < 0.0046
    pace.ran(4, 10.0)
    assert pace.expect(4) > 0.006
    for _ in range(500):
        pace.doubt()
    assert pace.expect(4) < 0.0025, "nothing ran, so what was measured holds again"


def test_who_is_late_is_told_though_the_patient_stand_before_them() -> None:
    told: list[Request] = []
    queue = Queue(lambda work, _: told.append(work.request), None)
    now = time.monotonic()
    works = [
        Work(Request("m", {}, deadline=None if at is None else now + at), 1, print)
        for at in (None, 1.5, 1.6, 9.0)
    ]
    for work in works:
        queue.put(work)
    queue.drop_late(now + 2)  # the first has waited longer than any patience
    assert told == [works[1].request, works[2].request]
    assert queue.rows == 2
    assert queue.first_deadline() == now + 9
    taken = queue.take(rungs(1e-4), MAX_ROWS)
    assert taken is not None
    assert taken[1] == [works[0], works[3]]


# Through the Batcher


def batcher_of(ladder: Ladder) -> tuple[Batcher, Stats]:
    echo = ladder.best.runtime
    manifest = Manifest(echo.signature, (Variant("v0", "echo", "predict.echo"),))
    stats = Stats()
    opened = Opened("m", "1", Bundle(Path("nowhere"), manifest, "sha256:0"), ladder)
    return Batcher(opened, max_rows=MAX_ROWS, max_queue=1000, stats=stats), stats


async def ask(batcher: Batcher, mark: int, seconds: float | None) -> tuple[Outcome, float]:
    """The outcome, and how long it took."""
    told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    begin = time.monotonic()
    deadline = None if seconds is None else begin + seconds
    request = Request("m", {"x": np.full((1, 2), mark, np.int64)}, deadline=deadline)
    try:
        batcher.submit(request, 1, told.set_result)
    except NumenError as error:
        return error, time.monotonic() - begin
    return await asyncio.wait_for(told, 20), time.monotonic() - begin


def test_the_answer_says_which_variant_it_was_and_who_gave_no_deadline_gets_the_best() -> None:
    async def scene() -> None:
        batcher, stats = batcher_of(rungs(0.5, 0.001))
        asked = [ask(batcher, 1, 0.3), ask(batcher, 2, None)]
        outcomes = [outcome for outcome, _ in await asyncio.gather(*asked)]
        for mark, outcome in enumerate(outcomes, 1):
            assert not isinstance(outcome, NumenError), outcome
            assert outcome.outputs["y"].tolist() == [[mark, mark]]
        assert [(o.variant, o.degraded) for o in outcomes if not isinstance(o, NumenError)] == [
            ("v1", True), ("v0", False),
        ]  # fmt: skip
        assert {name: v.degraded for name, v in stats.variants.items()} == {"v0": False, "v1": True}
        batcher.close()

    asyncio.run(scene())


def test_who_waits_while_a_slow_batch_runs_is_told_at_the_deadline() -> None:
    async def scene() -> None:
        ladder = rungs(0.001)
        echo = ladder.best.runtime
        assert isinstance(echo, Echo)
        batcher, _ = batcher_of(ladder)
        echo.resume.clear()  # it was said to take a millisecond, and hangs
        asked = [asyncio.create_task(ask(batcher, mark, 0.05)) for mark in range(1, 4)]
        for outcome, took in await asyncio.gather(*asked):
            assert isinstance(outcome, DeadlineExceeded)
            assert 0.04 < took < 2
        echo.resume.set()
        outcome, _ = await ask(batcher, 7, None)
        assert not isinstance(outcome, NumenError)
        assert outcome.outputs["y"].tolist() == [[7, 7]]
        batcher.close()

    asyncio.run(scene())


@pytest.mark.alone
def test_who_cannot_be_in_time_is_refused_before_it_queues() -> None:
    async def scene() -> None:
        batcher, _ = batcher_of(rungs(0.05))
        first = asyncio.create_task(ask(batcher, 1, None))
        await asyncio.sleep(0.01)
        outcome, took = await ask(batcher, 2, 0.03)
        assert isinstance(outcome, DeadlineExceeded)
        assert "rows wait already" in outcome.message
        assert took < 0.03
        await first
        batcher.close()

    asyncio.run(scene())


def test_the_urgent_go_first_and_the_patient_are_not_forgotten() -> None:
    async def scene() -> None:
        ladder = rungs(0.004)
        echo = ladder.best.runtime
        assert isinstance(echo, Echo)
        batcher, _ = batcher_of(ladder)
        first = asyncio.create_task(ask(batcher, 1, None))
        await asyncio.sleep(0.001)
        patient = [asyncio.create_task(ask(batcher, 2, None)) for _ in range(MAX_ROWS)]
        urgent = asyncio.create_task(ask(batcher, 3, 0.9))
        await asyncio.gather(first, urgent, *patient)
        assert 3 in echo.runs[1]
        assert sum(run.count(2) for run in echo.runs) == MAX_ROWS
        batcher.close()

    asyncio.run(scene())
