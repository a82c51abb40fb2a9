"""Open-loop load: every player asks on a fixed schedule, whatever the answers do.

Latency counts from the moment a request was due, so a server that stalls is charged for all who
waited, and so is this generator when it is late itself; how late it was is measured as well. It
judges nothing and searches nothing. `python -m numen.api.load` is its own process: plans in,
tallies out; `numen.api.apart` starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import sys
import time
from array import array
from collections import Counter, deque
from typing import IO, Any, Final, NamedTuple

import msgspec

from numen.core.loop import loop_factory

MAX_CONNECTIONS: Final = 512
REFUSED: Final = frozenset({429, 503, 504})
_AT_ONCE: Final = 32  # requests written before answers are looked at again
CONNECT: Final = 5.0
_RECONNECT: Final = 0.2
_MAX_HEADS: Final = 256
_clock = time.perf_counter


class Plan(msgspec.Struct, frozen=True):
    """One run of load.

    Attributes:
        host: Address of the server.
        port: Its port.
        requests: Whole HTTP/1.1 requests, sent in turn.
        players: How many ask.
        hz: How often each does, a second.
        deadline: When an answer is too late, in seconds after it was due.
        warm: Seconds of load before anything is counted.
        seconds: Seconds that count.
        spin: Never sleep: for a generator that has a core to itself.
    """

    host: str
    port: int
    requests: list[bytes]
    players: int
    hz: float
    deadline: float
    warm: float
    seconds: float
    spin: bool = False

    @property
    def patience(self) -> float:
        """Seconds of unanswered or unsent requests after which a run is beyond hope."""
        return max(0.5, 8 * self.deadline)


class Tally(msgspec.Struct):
    """What became of the requests that count.

    Attributes:
        due: How many there were.
        latencies: Of those answered with 200: seconds since each was due, as float64 bytes.
        lags: Of all that were sent, while warming too: seconds since due, as float64 bytes.
        statuses: How many were answered with which other HTTP status.
        broken: Lost with their connection.
        missing: Not answered at all.
        outcomes: What answers said in `Numen-Outcome`.
        gave_up: The run was beyond hope and ended early.
        refusals: Of those answered with another status: as `latencies`.
    """

    due: int
    latencies: bytes
    lags: bytes
    statuses: dict[int, int]
    broken: int
    missing: int
    outcomes: dict[str, int]
    gave_up: bool
    refusals: bytes = b""


class _Head(NamedTuple):
    status: int
    length: int
    outcome: str


class Reply(msgspec.Struct):
    """What the generator's process says of a plan: its tally, or why no connection was made."""

    tally: Tally | None = None
    refused: str = ""


class _Connection(asyncio.Protocol):
    """One player's connection; answers come in the order of the requests."""

    def __init__(self, run: _Run):
        self.transport: Any = None
        self._run = run
        self._waiting: deque[float] = deque()
        self._rest = b""
        self._head: _Head | None = None  # of an answer whose body is still coming
        self._left = 0

    def ask(self, request: bytes, due: float) -> None:
        if self.transport is None:
            self._run.lost(due)
            return
        self._waiting.append(due)
        self.transport.write(request)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now = _clock()
        if self._head is not None:
            if len(data) < self._left:
                self._left -= len(data)
                return
            data = data[self._left :]
            self._finish(self._head, now)
        elif self._rest:
            data = self._rest + data
        at = 0
        while (end := data.find(b"\r\n\r\n", at)) >= 0:
            head = self._run.heads.get(data[at:end]) or self._learn(data[at:end])
            if head is None:
                self.transport.abort()
                return
            at = end + 4 + head.length
            if at > len(data):
                self._head, self._left = head, at - len(data)
                self._rest = b""
                return
            self._finish(head, now)
        self._rest = data[at:]

    def _finish(self, head: _Head, now: float) -> None:
        self._head = None
        if self._waiting:
            self._run.answered(self._waiting.popleft(), head, now)
        else:  # an answer that nobody asked for
            self.transport.abort()

    def _learn(self, text: bytes) -> _Head | None:
        """Reads an answer's head. It is remembered: within a second they are all alike."""
        head = read_head(text)
        if head is not None:
            if len(self._run.heads) >= _MAX_HEADS:
                self._run.heads.clear()
            self._run.heads[text] = head
        return head

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.transport = None
        self._head, self._rest = None, b""
        for due in self._waiting:
            self._run.lost(due)
        self._waiting.clear()
        self._run.reconnect(self)


def read_head(text: bytes) -> _Head | None:
    """Status, body length and outcome of an answer; None where it does not say its length."""
    first, *lines = text.split(b"\r\n")
    fields = {}
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    status, length = first[9:12], fields.get(b"content-length", b"")
    if not first.startswith(b"HTTP/1.") or not status.isdigit() or not length.isdigit():
        return None
    return _Head(int(status), int(length), fields.get(b"numen-outcome", b"").decode("latin-1"))


class _Run:
    """One run of a plan, on the running loop."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._rate = plan.players * plan.hz
        self._total = max(1, round(self._rate * (plan.warm + plan.seconds)))
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._connections: list[_Connection] = []
        self._connecting: set[asyncio.Task[bool]] = set()
        self._first = math.ceil(self._rate * plan.warm)  # the first request that counts
        self._begin = 0.0
        self._from = 0.0
        self._sent = 0
        self._done = 0
        self._latencies = array("d")
        self._refusals = array("d")
        self._lags = array("d")
        self._statuses: Counter[int] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._broken = 0
        self._gave_up = False
        self._closing = False
        self.heads: dict[bytes, _Head] = {}

    async def tally(self) -> Tally:
        """Runs it.

        Raises:
            OSError: No connection could be made.
        """
        count = min(self._plan.players, MAX_CONNECTIONS)
        self._connections = [_Connection(self) for _ in range(count)]
        made = await asyncio.gather(*map(self._connect, self._connections))
        if not any(made):
            raise ConnectionError(f"no connection to {self._plan.host}:{self._plan.port}")
        self._begin = _clock()
        self._from = self._begin + self._first / self._rate
        self._loop.call_soon(self._turn)
        try:
            await self._ended
        finally:
            self._closing = True
            for task in self._connecting:
                task.cancel()
            for connection in self._connections:
                if connection.transport is not None:
                    connection.transport.abort()
        known = len(self._latencies) + self._statuses.total() + self._broken
        due = max(0, self._sent - self._first)
        return Tally(
            due=due,
            latencies=self._latencies.tobytes(),
            lags=self._lags.tobytes(),
            statuses=dict(self._statuses),
            broken=self._broken,
            missing=due - known,
            outcomes=dict(self._outcomes),
            gave_up=self._gave_up,
            refusals=self._refusals.tobytes(),
        )

    async def _connect(self, connection: _Connection) -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT):
                await self._loop.create_connection(
                    lambda: connection, self._plan.host, self._plan.port
                )
                return True
        return False

    def reconnect(self, connection: _Connection) -> None:
        """Brings a lost connection back in a moment; till then its requests are lost."""
        if not self._closing:
            self._loop.call_later(_RECONNECT, self._again, connection)

    def _again(self, connection: _Connection) -> None:
        if not self._closing:
            task = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def answered(self, due: float, head: _Head, now: float) -> None:
        """Counts an answer."""
        self._done += 1
        if due < self._from or self._closing:
            return
        if head.status == 200:
            self._latencies.append(now - due)
        else:
            self._statuses[head.status] += 1
            self._refusals.append(now - due)
        if head.outcome:
            self._outcomes[head.outcome] += 1

    def lost(self, due: float) -> None:
        """Counts a request that went down with its connection."""
        self._done += 1
        if due >= self._from and not self._closing:
            self._broken += 1

    def _turn(self) -> None:
        """Sends what is due, then lets the loop read answers."""
        plan, begin, rate = self._plan, self._begin, self._rate
        requests, connections = plan.requests, self._connections
        due_now = int((_clock() - begin) * rate) + 1
        upto = min(self._total, due_now, self._sent + _AT_ONCE)
        for place in range(self._sent, upto):
            due = begin + place / rate
            self._lags.append(_clock() - due)
            # Player `place % players`: phases are spread evenly over 1/hz.
            connection = connections[place % plan.players % len(connections)]
            connection.ask(requests[place % len(requests)], due)
        self._sent = upto
        hopeless = plan.patience * rate + 64
        if due_now - upto > hopeless or upto - self._done > hopeless:
            self._gave_up = True
            self._ended.set_result(None)
        elif upto == self._total:
            self._settle(_clock() + max(0.25, 2 * plan.deadline))
        elif plan.spin or (ahead := begin + upto / rate - _clock()) <= 0:
            self._loop.call_soon(self._turn)
        else:
            self._loop.call_later(max(0.001, ahead), self._turn)

    def _settle(self, end: float) -> None:
        """Waits for what is still under way, but not for long: it is late already."""
        if self._done == self._sent or _clock() > end:
            self._ended.set_result(None)
        else:
            self._loop.call_later(0.005, self._settle, end)


def run(plan: Plan) -> Tally:
    """Runs a plan in this process.

    Raises:
        OSError: No connection could be made.
    """

    async def tally() -> Tally:
        return await _Run(plan).tally()

    gc.collect()
    gc.disable()  # a pause here would be charged to the server
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(tally())
    finally:
        gc.enable()


def write(stream: IO[bytes], message: Plan | Reply) -> None:
    """Sends a message to the other process."""
    data = msgspec.msgpack.encode(message)
    stream.write(len(data).to_bytes(4, "little") + data)
    stream.flush()


def read(stream: IO[bytes]) -> bytes:
    """Waits for a message of the other process.

    Raises:
        EOFError: It is gone.
    """
    length = stream.read(4)
    data = stream.read(int.from_bytes(length, "little"))
    if len(length) < 4 or len(data) < int.from_bytes(length, "little"):
        raise EOFError
    return data


def main() -> None:
    """The generator's own process, until there are no more plans."""
    # What is written to a connection that has just gone is counted, not logged.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    with contextlib.suppress(KeyboardInterrupt, EOFError, BrokenPipeError):
        while True:
            plan = msgspec.msgpack.decode(read(sys.stdin.buffer), type=Plan)
            try:
                reply = Reply(run(plan))
            except OSError as error:
                reply = Reply(refused=str(error))
            write(sys.stdout.buffer, reply)


if __name__ == "__main__":
    main()
