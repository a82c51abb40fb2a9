"""A model's variants, best first, and which of them to run for those who wait.

The policy (docs/deadlines.md has its sources): the best variant that answers the most urgent in
time and leaves everybody behind them still answerable by the fastest.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from numen.runtime.base import Runtime

# Kept between a run's end and a deadline: the answer must still be written and sent, in seconds.
MARGIN: Final = 0.001
# As in the retransmission timer of TCP (Jacobson 1988; RFC 6298): how fast the mean and the
# deviation follow, and how many deviations to allow for.
_GAIN: Final = 0.125
_DEVIATION_GAIN: Final = 0.25
_DEVIATIONS: Final = 2.0
_MOST: Final = 10.0
# A batch that takes so many seconds, at nearly the best time a row, need not grow.
_WORTH: Final = 0.002
_NEARLY: Final = 1.15


class Waiting(Protocol):
    """Who waits: a number of rows, and until when (`time.monotonic()`), if not for ever."""

    rows: int

    @property
    def deadline(self) -> float | None:
        """Until when, if not for ever."""


class Pace:
    """How long a variant takes for so many rows: measured at opening, corrected by every run.

    Args:
        seconds: Measured time by number of rows, such as `{1: 20e-6, 8: 41e-6, 64: 145e-6}`.
    """

    __slots__ = ("_base", "_deviation", "_factor", "_mean", "_most", "pays", "per_row")

    def __init__(self, seconds: dict[int, float]):
        sizes = sorted(seconds)
        self._most = sizes[-1]
        self._base = [seconds[sizes[0]]] * (sizes[0] + 1)
        for low, high in pairwise(sizes):
            step = (seconds[high] - seconds[low]) / (high - low)
            self._base += [seconds[low] + step * (n - low) for n in range(low + 1, high + 1)]
        self.per_row = self._base[-1] / self._most
        # Most rows that are worth waiting for one another: larger batches cost each of them time
        # and save none. Unbounded where even the largest that was measured still saved some.
        quickest = min(seconds[size] / size for size in sizes)
        self.pays = next(
            (
                n
                for n in sizes[:-1]
                if seconds[n] >= _WORTH and seconds[n] / n <= quickest * _NEARLY
            ),
            sys.maxsize,
        )
        self._mean = 1.0
        self._deviation = 0.0
        self._factor = 1.0

    def expect(self, rows: int) -> float:
        """Seconds that a run of so many rows is expected to take at most, nearly always."""
        if rows <= self._most:
            return self._base[rows] * self._factor
        return self.per_row * rows * self._factor

    def follow(self, rows: int) -> float:
        """Seconds that so many rows take in batches of the best size, one behind the other."""
        return self.per_row * rows * self._factor

    def ran(self, rows: int, seconds: float) -> None:
        """Learns from a run."""
        base = self._base[rows] if rows <= self._most else self.per_row * rows
        error = min(seconds / base, _MOST) - self._mean
        self._mean += _GAIN * error
        self._deviation += _DEVIATION_GAIN * (abs(error) - self._deviation)
        self._factor = self._mean + _DEVIATIONS * self._deviation

    def doubt(self) -> None:
        """Goes a little back to what was measured; or one hiccup would refuse work for ever."""
        self._mean += 0.02 * (1.0 - self._mean)
        self._deviation *= 0.98
        self._factor = self._mean + _DEVIATIONS * self._deviation


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """One variant, open.

    Attributes:
        variant: Its name.
        runtime: What runs it; used by one thread at a time.
        pace: How long it takes.
        degraded: Whether it is another than the best.
    """

    variant: str
    runtime: Runtime
    pace: Pace
    degraded: bool = False


class Ladder:
    """The rungs of one model.

    Args:
        rungs: Best first; each next one is faster.
    """

    __slots__ = ("best", "fastest", "rungs")

    def __init__(self, rungs: Sequence[Rung]):
        self.rungs = tuple(rungs)
        self.best = self.rungs[0]
        self.fastest = self.rungs[-1]

    def wait(self, rows: int) -> float:
        """Seconds until so many rows can be done at the fastest."""
        return self.fastest.pace.expect(1) + self.fastest.pace.follow(max(rows - 1, 0))

    def late(self, now: float, first: Waiting) -> bool:
        """Whether even the fastest is too slow for somebody."""
        deadline = first.deadline
        return deadline is not None and (
            now + self.fastest.pace.expect(first.rows) + MARGIN > deadline
        )

    def choose(
        self, now: float, waiting: Iterable[Waiting], max_rows: int
    ) -> tuple[Rung, int] | None:
        """Which variant to run now, and for how many rows at the most.

        Args:
            now: The time, in seconds of `time.monotonic()`.
            waiting: Who waits, most urgent first; the first of them has a deadline.
            max_rows: Most rows a batch.

        Returns:
            The rung and the rows that it can do in time, or None where even the fastest is too
            slow for the first.
        """
        queue = [(work.rows, work.deadline - now) for work in waiting if work.deadline is not None]
        for rung in self.rungs:
            rows, took = _fit(rung.pace, queue, min(max_rows, rung.pace.pays))
            if took == 0:
                continue
            if rung is self.fastest or self._leaves_time(rung, rows, queue[took:]):
                return rung, rows
        return None

    def _leaves_time(self, rung: Rung, rows: int, rest: list[tuple[int, float]]) -> bool:
        """Whether the rest can still be done in time at the fastest."""
        at = rung.pace.expect(rows) + MARGIN + self.fastest.pace.expect(1)
        per_row = self.fastest.pace.follow(1)
        for more, left in rest:
            at += per_row * more
            if at > left:
                return False
        return True


def _fit(pace: Pace, queue: list[tuple[int, float]], max_rows: int) -> tuple[int, int]:
    """How many rows, of how many first, a run can do before the earliest of their deadlines."""
    rows = took = 0
    soonest = float("inf")
    for more, left in queue:
        soonest = min(soonest, left)
        if (rows and rows + more > max_rows) or pace.expect(rows + more) + MARGIN > soonest:
            break
        rows += more
        took += 1
    return rows, took
