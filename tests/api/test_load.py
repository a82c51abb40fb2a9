"""The open-loop generator, against small servers whose every answer is known."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import numpy as np
import pytest

from numen.api.apart import generating, waited
from numen.api.load import Plan, Tally, read_head, run
from numen.api.measure import judge
from numen.core.errors import Internal, NotReady
from parts import free_port

pytestmark = pytest.mark.alone
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
REQUESTS = [b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nrow%d" % i for i in range(5)]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes"


@contextlib.contextmanager
def server(answer: Answer) -> Iterator[int]:
    """Reads requests on a port of 127.0.0.1 and lets `answer` write what it likes."""
    loop = asyncio.new_event_loop()
    begun = threading.Event()
    port = free_port()
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    await answer(await reader.readexactly(4), writer)
        finally:
            writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", port):
            begun.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    assert begun.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.run_until_complete(asyncio.sleep(0.01))  # in which transports close
        loop.close()


def plan(port: int, **more: object) -> Plan:
    usual = Plan(
        "127.0.0.1", port, REQUESTS, players=4, hz=25.0, deadline=0.5, warm=0.1, seconds=1.0
    )
    return msgspec.structs.replace(usual, **more)


def seconds(tally: Tally) -> np.ndarray:
    return np.sort(np.frombuffer(tally.latencies))


async def at_once(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


def test_every_request_is_sent_answered_and_counted() -> None:
    bodies: list[bytes] = []
    connections: dict[object, int] = {}

    async def note(body: bytes, writer: asyncio.StreamWriter) -> None:
        bodies.append(body)
        peer = writer.get_extra_info("peername")
        connections[peer] = connections.get(peer, 0) + 1
        writer.write(OK)

    with server(note) as port:
        tally = run(plan(port))
    assert tally.due == 100
    assert len(seconds(tally)) == 100
    assert len(np.frombuffer(tally.lags)) == 110  # those of the warming as well
    assert (tally.statuses, tally.broken, tally.missing, tally.gave_up) == ({}, 0, 0, False)
    assert sorted(connections.values()) == [27, 27, 28, 28]  # a connection a player
    assert sorted(set(bodies)) == [b"row%d" % i for i in range(5)]
    assert all(bodies.count(body) == 22 for body in set(bodies))


def test_requests_leave_on_schedule_whatever_the_answers_do() -> None:
    arrived: list[float] = []

    async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
        arrived.append(time.perf_counter())

    with server(never) as port:
        tally = run(plan(port, players=2, hz=10.0, warm=0.0))
    assert len(arrived) == 20
    gaps = np.diff(arrived)
    assert np.median(gaps) == pytest.approx(0.05, abs=0.02)  # two players, half a period apart
    assert tally.missing == tally.due == 20
    assert judge(plan(port), tally).misses == 1.0


def test_a_stall_is_charged_to_all_who_waited() -> None:
    """Coordinated omission: one stall of 0.5 s at 100 requests/s is 50 late answers, not one."""
    count = 0

    async def stalls_once(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        if count == 60:
            time.sleep(0.5)  # the whole server stands still
        writer.write(OK)

    with server(stalls_once) as port:
        tally = run(plan(port, players=1, hz=100.0, seconds=2.0))
        assert judge(plan(port, players=1, hz=100.0), tally).holds is False
    latencies = seconds(tally)
    assert tally.due == len(latencies) == 200
    # Who came at t of the stall waited 0.5 - t; a closed loop would have one of these only.
    assert latencies[-1] >= 0.49
    assert (latencies >= 0.1).sum() >= 35
    assert (latencies >= 0.3).sum() >= 15
    late = latencies[latencies >= 0.1]
    assert np.median(late) == pytest.approx(0.3, abs=0.1)


def test_answers_of_all_kinds_are_told_apart() -> None:
    kinds = [
        b"HTTP/1.1 200 OK\r\nNumen-Outcome: met\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnumen-outcome:degraded\r\ncontent-length: 70000\r\n\r\n"
        + bytes(70_000),
        b"HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\n{}",
    ]
    turn = -1

    async def in_turn(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        turn += 1
        answer = kinds[turn % 4]
        for at in range(0, len(answer), 20_000):  # in pieces, as a network may bring them
            head, rest = answer[at : at + 20], answer[at + 20 : at + 20_000]
            writer.write(head)
            await asyncio.sleep(0.001)
            writer.write(rest)

    with server(in_turn) as port:
        one = plan(port, players=1, hz=40.0, warm=0.0)
        tally = run(one)
    assert tally.due == 40
    assert tally.outcomes == {"met": 10, "degraded": 10}
    assert tally.statuses == {504: 10, 500: 10}
    assert len(seconds(tally)) == 20
    step = judge(one, tally)
    assert (step.refused, step.failed, step.unanswered) == (10, 10, 0)


def test_a_connection_that_breaks_comes_back() -> None:
    count = 0

    async def breaks_once(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        if count == 10:
            writer.transport.abort()
        else:
            writer.write(OK)

    with server(breaks_once) as port:
        tally = run(plan(port, players=1, hz=50.0, warm=0.0))
    assert tally.due == 50
    assert tally.broken >= 1
    assert len(seconds(tally)) >= 25  # of those after it came back, 0.2 s later
    assert len(seconds(tally)) + tally.broken + tally.missing == 50


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"nonsense\r\n\r\n", OK + OK],
    ids=["no length", "not HTTP", "one too many"],
)
def test_what_cannot_be_counted_breaks_the_connection(answer: bytes) -> None:
    async def wrong(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    with server(wrong) as port:
        tally = run(plan(port, warm=0.0, seconds=0.5))
    assert tally.broken > 0


def test_what_is_beyond_hope_ends_early() -> None:
    async def never(_: bytes, writer: asyncio.StreamWriter) -> None:
        pass

    with server(never) as port:
        begin = time.perf_counter()
        tally = run(plan(port, hz=1000.0, deadline=0.01, seconds=20.0))
    assert tally.gave_up
    assert time.perf_counter() - begin < 10
    assert not judge(plan(port), tally).holds


def test_players_beyond_the_cap_share_connections() -> None:
    peers = set()

    async def note(_: bytes, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        writer.write(OK)

    with server(note) as port:
        tally = run(plan(port, players=700, hz=1.0, warm=0.0, deadline=5.0))
    assert len(peers) == 512
    assert tally.due == 700
    assert len(seconds(tally)) == 700


def test_heads() -> None:
    assert read_head(b"HTTP/1.1 200 OK\r\nContent-LENGTH:  12") == (200, 12, "")
    assert read_head(b"HTTP/1.0 504 x\r\na: b\r\ncontent-length: 0\r\nNumen-Outcome: refused") == (
        504, 0, "refused",
    )  # fmt: skip
    for text in (
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 abc\r\ncontent-length: 1",
        b"x\r\ncontent-length: 1",
    ):
        assert read_head(text) is None
    assert read_head(b"HTTP/1.1 200 OK\r\ncontent-length: -1") is None


def test_the_generator_has_a_process_of_its_own() -> None:
    with server(at_once) as port, generating() as load:
        for _ in range(2):
            tally = load.run(plan(port, warm=0.0, seconds=0.2))
            assert tally.due == 20
            assert len(seconds(tally)) == 20
        with pytest.raises(NotReady, match="no connection"):
            load.run(plan(free_port()))
        load.process.kill()
        with pytest.raises(Internal, match="stopped"):
            load.run(plan(port))
    assert load.process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell")
def test_a_process_that_waits_for_its_core_is_noticed() -> None:
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(2)]
    try:
        end = time.monotonic() + 20
        while waited(busy[0]) < 0.1 and time.monotonic() < end:
            time.sleep(0.1)
        assert waited(busy[0]) >= 0.1
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert waited(busy[0]) == 0.0
