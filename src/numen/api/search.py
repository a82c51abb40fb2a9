"""Which loads to try: double until one fails, bisect, then let what held hold for longer.

A failure counts when it happens twice, since a machine has hiccups. What is found is never more
than a longer run has confirmed, unless it says so. It knows no clock: who measures says when the
time is up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from numen.api.measure import Phase, Step

_FIRST: Final = 16
_RESOLUTION: Final = 0.02  # two runs on one machine differ by more
_STEP_DOWN: Final = 0.05  # of the players, and twice that the next time
_BEYOND_DOUBT: Final = 0.5  # of all requests missed: no second look is needed
_LOOKS: Final = 3
_CROWDED: Final = 0.03  # of the time; a third of that is what an idle system takes

# What kept the players from being more: the server; this load generator, which was late itself;
# other programs, which had the cores; or the time for searching.
Limit = Literal["server", "load", "machine", "time"]
Measure = Callable[[Phase, int], Step | None]


@dataclass(frozen=True, slots=True)
class Found:
    """Where a search ended.

    Attributes:
        players: The largest number that held, or was yet to be confirmed when the time was up.
        run: The last run, which says so.
        confirmed: It held for longer.
        failed: The runs that did not hold, even when looked at again.
    """

    players: int
    run: Step
    confirmed: bool
    failed: list[Step]

    @property
    def limit(self) -> Limit:
        """What was the limit. The server is, when it failed once with nobody else to blame."""
        if not self.failed:
            return "time"
        quiet = [step for step in self.failed if step.crowded <= _CROWDED]
        if not quiet:
            return "machine"
        return "load" if all(step.load_late for step in quiet) else "server"

    def sentence(self, hz: float, deadline_ms: float) -> str:
        """The verdict in words."""
        if not self.players:
            few = (
                "not one player" if self.run.players == 1 else f"under {self.run.players:,} players"
            )
            return f"{few} at {hz:g} Hz, p99 < {deadline_ms:g} ms"
        how = "about " if not self.confirmed else "" if self.limit == "server" else "at least "
        noun = "player" if self.players == 1 else "players"
        return f"{how}{self.players:,} {noun} at {hz:g} Hz, p99 < {deadline_ms:g} ms"


def search(measure: Measure, first: int = _FIRST, resolution: float = _RESOLUTION) -> Found:
    """Finds the largest number of players that holds.

    Args:
        measure: Runs a load and judges it, or says None when the time for such is up; the first
            run is always to be had.
        first: Players to begin with.
        resolution: The search ends when no more than this part of the players is in doubt.
    """
    failed: list[Step] = []

    def holds(phase: Phase, players: int) -> Step | None:
        step = _look(measure, phase, players)
        if step is not None and not step.holds:
            failed.append(step)
        return step

    low, high, players = None, None, first
    while high is None and (step := holds("ramp", players)) is not None:
        low, high = (step, None) if step.holds else (low, step)
        players *= 2
    while high is not None:
        below = low.players if low else 0
        if high.players - below <= max(1, resolution * below):
            break
        step = holds("narrow", (below + high.players) // 2)
        if step is None:
            break
        low, high = (step, high) if step.holds else (low, step)
    players = low.players if low else 0
    run, down = low or high, _STEP_DOWN
    assert run is not None
    while players and (step := measure("confirm", players)) is not None:
        run = step
        if step.holds:
            return Found(players, run, True, failed)
        failed.append(step)
        players, down = min(players - 1, int(players * (1 - down))), min(2 * down, 0.5)
    return Found(players, run, False, failed)


def _look(measure: Measure, phase: Phase, players: int) -> Step | None:
    """A run, and another where it failed and that may have been chance or others' doing."""
    last = None
    for look in range(_LOOKS):
        step = measure(phase, players)
        if step is None or step.holds:
            return step or last
        disturbed = step.crowded > _CROWDED or step.load_late
        if not disturbed and (look or step.misses > _BEYOND_DOUBT):
            return step
        last = step
    return last
