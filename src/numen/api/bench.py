"""How many players a model holds on this machine: a server, a load, and a search for the knee.

The server and the load are processes of their own, on cores of their own where there are several.
What one run says is `numen.api.measure`; how the runs are chosen is `numen.api.search`.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from numen.api.apart import Load, generating, serving, split_cores, waited
from numen.api.load import MAX_CONNECTIONS, Plan
from numen.api.measure import Phase, Step, judge
from numen.api.search import Limit, search
from numen.api.target import find
from numen.api.workspace import registry
from numen.core.errors import InvalidInput

_LENGTH: Final[dict[Phase, float]] = {"ramp": 0.5, "narrow": 1.0, "confirm": 2.0}
_CONFIRMS: Final = 3  # for as many, time is kept
_WARM: Final = 0.25
_BETWEEN: Final = 0.15  # seconds to open connections, to start and to end a run


class Report(msgspec.Struct, frozen=True):
    """What a model holds, and how that was found.

    Attributes:
        sentence: The verdict in words.
        model: The model and version that answered.
        url: Where.
        players: The largest number that held; 0 where not even one does.
        hz: Requests a player a second.
        deadline_ms: When an answer is too late.
        at_least: It may well be more: the server was not the limit.
        confirmed: A longer run held it.
        limit: What was the limit; see `numen.api.search`.
        values: What was sent: recorded samples or random values.
        connections: How many were open; players beyond it shared them.
        server_cores: Cores the server was kept to; empty is any.
        load_cores: Cores the load was kept to; empty is any.
        seconds: How long it took.
        run: The run that the verdict rests on.
        steps: All runs, in order.
    """

    sentence: str
    model: str
    url: str
    players: int
    hz: float
    deadline_ms: float
    at_least: bool
    confirmed: bool
    limit: Limit
    values: str
    connections: int
    server_cores: list[int]
    load_cores: list[int]
    seconds: float
    run: Step
    steps: list[Step]


class Watcher(Protocol):
    """Who is told how the search goes."""

    def trying(self, phase: Phase, players: int, part: float) -> None:
        """A run begins; `part` (0-1) of the time is over."""

    def tried(self, step: Step) -> None:
        """A run is over."""


class Silent:
    """A Watcher that tells nobody."""

    def trying(self, phase: Phase, players: int, part: float) -> None:
        """Ignored."""

    def tried(self, step: Step) -> None:
        """Ignored."""


def bench(
    reference: str,
    *,
    deadline_ms: float = 16.0,
    hz: float = 60.0,
    seconds: float = 45.0,
    url: str | None = None,
    key: str = "",
    yours: bool = False,
    watcher: Watcher | None = None,
) -> Report:
    """Finds how many players a model holds on this machine.

    Args:
        reference: `digits`, `digits@3` or `digits@champion`.
        deadline_ms: When an answer is too late, in milliseconds after the request was due.
        hz: Requests a player a second.
        seconds: Longest time for the search; a server's start comes on top.
        url: A server that runs already; one is started for the time where None.
        key: Sent with every request, where the server asks for one.
        yours: That server may be another machine.
        watcher: Who is told how it goes.

    Raises:
        InvalidInput: A number is out of its range, or the URL is not this machine's.
        NotFound: There is no such model.
        NotReady: The server does not answer.
    """
    for name, value, most in (
        ("deadline-ms", deadline_ms, 60_000), ("hz", hz, 10_000), ("seconds", seconds, 3_600),
    ):  # fmt: skip
        least = 2 if name == "seconds" else 0.001
        if not least <= value <= most:
            raise InvalidInput(f"{name}: expected {least:g} to {most:,}, received {value:g}",
                               field=name)  # fmt: skip
    begin = time.monotonic()
    server_cores, load_cores = split_cores()
    with contextlib.ExitStack() as stack:
        apart = []
        if url is None:
            version = registry().resolve(reference)
            reference = f"{version.name}@{version.version}"
            server = stack.enter_context(serving(reference, cores=server_cores))
            apart.append(server.process)
            url = server.address
        else:
            server_cores = []
        target = find(url, reference, deadline_ms, key=key, yours=yours)
        load = stack.enter_context(generating(load_cores))
        apart.append(load.process)
        plan = Plan(
            target.host, target.port, target.requests, players=1, hz=hz,
            deadline=deadline_ms / 1e3, warm=0.0, seconds=1.0, spin=bool(load_cores),
        )  # fmt: skip
        runs = _Runs(load, plan, apart if load_cores else [], seconds, watcher or Silent())
        found = search(runs.measure)
    return Report(
        sentence=found.sentence(hz, deadline_ms),
        model=target.model,
        url=url,
        players=found.players,
        hz=hz,
        deadline_ms=deadline_ms,
        at_least=found.limit != "server",
        confirmed=found.confirmed,
        limit=found.limit,
        values=target.values,
        connections=min(found.run.players, MAX_CONNECTIONS),
        server_cores=server_cores,
        load_cores=load_cores,
        seconds=time.monotonic() - begin,
        run=found.run,
        steps=runs.steps,
    )


class _Runs:
    """Runs of load against one target until the time is up; `measure` is what `search` takes.

    Args:
        load: Where they run.
        plan: What is alike in all of them.
        apart: The processes that have cores of their own.
        seconds: Longest time for all.
        watcher: Who is told.
    """

    def __init__(
        self,
        load: Load,
        plan: Plan,
        apart: Sequence[subprocess.Popen[bytes]],
        seconds: float,
        watcher: Watcher,
    ):
        self.steps: list[Step] = []
        self._load = load
        self._plan = plan
        self._apart = apart
        self._seconds = seconds
        self._watcher = watcher
        self._begin = time.monotonic()
        self._unit = min(2.0, seconds / 24)

    def measure(self, phase: Phase, players: int) -> Step | None:
        """A run, or None where the time for such is up."""
        spent = time.monotonic() - self._begin
        kept = 0.0 if phase == "confirm" else _CONFIRMS * self._takes("confirm")
        if self.steps and spent + self._takes(phase) + kept > self._seconds:
            return None
        self._watcher.trying(phase, players, spent / self._seconds)
        plan = msgspec.structs.replace(
            self._plan,
            players=players,
            warm=_WARM * self._unit,
            seconds=_LENGTH[phase] * self._unit,
        )
        before = [waited(process) for process in self._apart]
        begin = time.monotonic()
        tally = self._load.run(plan)
        took = time.monotonic() - begin
        waits = [waited(process) - b for process, b in zip(self._apart, before, strict=True)]
        step = judge(plan, tally, phase, max(waits, default=0.0) / took)
        self.steps.append(step)
        self._watcher.tried(step)
        return step

    def _takes(self, phase: Phase) -> float:
        return (_LENGTH[phase] + _WARM) * self._unit + _BETWEEN
