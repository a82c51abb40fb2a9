"""How many players a model holds: the largest load whose answers come before the deadline.

A ramp, then bisection, in short runs; what is found must hold for longer before it is said. Who
was the limit, the server or the load, is said as well. What a run says is `numen.api.measure`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import msgspec

from numen.api.apart import Load, generating, serving, split_cores
from numen.api.load import MAX_CONNECTIONS, Plan
from numen.api.measure import Phase, Step, judge
from numen.api.target import Target, find
from numen.api.workspace import registry
from numen.core.errors import InvalidInput

RESOLUTION: Final = 0.02  # two runs of one machine differ by more
_FIRST: Final = 8
_STEP_DOWN: Final = 0.95
_BEYOND_DOUBT: Final = 0.5
_LENGTH: Final[dict[Phase, float]] = {"ramp": 0.5, "narrow": 1.0, "confirm": 2.0}
_WARM: Final = 0.25
_BETWEEN: Final = 0.15  # opening connections, starting and ending a run

Limit = Literal["server", "load", "time"]
Measure = Callable[[Phase, int], Step | None]


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
        limit: Who was the limit: the server, this load generator, or the time for searching.
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


@dataclass(frozen=True, slots=True)
class Found:
    """Where a search ended.

    Attributes:
        players: The largest number that held.
        run: The run that says so.
        confirmed: It held for longer.
        failed: The smallest number that did not hold; None where the time was up before.
    """

    players: int
    run: Step
    confirmed: bool
    failed: Step | None

    @property
    def limit(self) -> Limit:
        """Who was the limit."""
        if self.failed is None:
            return "time"
        return "load" if self.failed.load_late else "server"

    def sentence(self, hz: float, deadline_ms: float) -> str:
        """The verdict in words."""
        if not self.players:
            return f"not one player at {hz:g} Hz, p99 < {deadline_ms:g} ms"
        how = "" if self.limit == "server" else "at least "
        how = how if self.confirmed else "about "
        players = f"{self.players:,} player{'' if self.players == 1 else 's'}"
        return f"{how}{players} at {hz:g} Hz, p99 < {deadline_ms:g} ms"


def bench(
    reference: str,
    *,
    deadline_ms: float = 16.0,
    hz: float = 60.0,
    seconds: float = 45.0,
    url: str | None = None,
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
        if url is None:
            version = registry().resolve(reference)
            reference = f"{version.name}@{version.version}"
            url = stack.enter_context(serving(reference, cores=server_cores)).address
        else:
            server_cores = []
        target = find(url, reference, deadline_ms, yours=yours)
        load = stack.enter_context(generating(load_cores))
        runs = _Runs(load, target, hz, deadline_ms, seconds, bool(load_cores), watcher or Silent())
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
    """Runs of load against one target until the time is up; `measure` is what `search` takes."""

    def __init__(
        self,
        load: Load,
        target: Target,
        hz: float,
        deadline_ms: float,
        seconds: float,
        spin: bool,
        watcher: Watcher,
    ):
        self.steps: list[Step] = []
        self._load = load
        self._watcher = watcher
        self._begin = time.monotonic()
        self._seconds = seconds
        self._unit = min(2.0, seconds / 22)
        self._plan = Plan(
            target.host, target.port, target.requests, players=1, hz=hz,
            deadline=deadline_ms / 1e3, warm=_WARM * self._unit, seconds=self._unit, spin=spin,
        )  # fmt: skip

    def measure(self, phase: Phase, players: int) -> Step | None:
        """A run, or None where the time for such is up."""
        spent = time.monotonic() - self._begin
        kept = 0.0 if phase == "confirm" else 2 * self._takes("confirm")
        if self.steps and spent + self._takes(phase) + kept > self._seconds:
            return None
        self._watcher.trying(phase, players, spent / self._seconds)
        plan = msgspec.structs.replace(
            self._plan, players=players, seconds=_LENGTH[phase] * self._unit
        )
        step = judge(plan, self._load.run(plan), phase)
        self.steps.append(step)
        self._watcher.tried(step)
        return step

    def _takes(self, phase: Phase) -> float:
        return (_LENGTH[phase] + _WARM) * self._unit + _BETWEEN


def search(measure: Measure, first: int = _FIRST, resolution: float = RESOLUTION) -> Found:
    """Finds the largest number of players that holds.

    Args:
        measure: Runs a load and judges it, or says None when the time for such is up; the first
            run and the first to confirm are always to be had.
        first: Players to begin with.
        resolution: The search ends when no more than this part of the players is in doubt.
    """

    def holds(phase: Phase, players: int) -> Step | None:
        step = measure(phase, players)
        if step is None or step.holds or step.misses > _BEYOND_DOUBT:
            return step
        return measure(phase, players) or step  # one hiccup of the machine is not the limit

    low, high, players = None, None, first
    while (step := holds("ramp", players)) is not None:
        if not step.holds:
            high = step
            break
        low, players = step, 2 * players
    while high is not None:
        below = low.players if low else 0
        if high.players - below <= max(1, resolution * below):
            break
        step = holds("narrow", (below + high.players) // 2)
        if step is None:
            break
        low, high = (step, high) if step.holds else (low, step)
    return _confirm(measure, low, high)


def _confirm(measure: Measure, low: Step | None, high: Step | None) -> Found:
    """Lets what held hold for longer, and steps down until it does."""
    players = low.players if low else 0
    run = low or high
    assert run is not None
    while players and (step := measure("confirm", players)) is not None:
        if step.holds:
            return Found(players, step, True, high)
        run = high = step
        players = min(players - 1, int(players * _STEP_DOWN))
    return Found(players, run, False, high)
