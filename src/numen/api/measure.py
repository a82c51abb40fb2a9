"""What one run of load says: percentiles, misses, a histogram, and whether the load was held.

Percentiles are over all requests that were due; one that was never answered well took for ever.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec
import numpy as np

from numen.api.load import REFUSED, Plan, Tally
from numen.core.signature import Array

MAX_MISSES: Final = 0.001
# Of the deadline. When requests leave later than this, the generator is the one who is late.
_MAX_LAG: Final = 0.25
_BINS_TO_DOUBLE: Final = 2

Phase = Literal["ramp", "narrow", "confirm"]


class Bin(msgspec.Struct, frozen=True):
    """Answers that took at least `from_ms` and less than `to_ms`."""

    from_ms: float
    to_ms: float
    count: int


class Step(msgspec.Struct, frozen=True):
    """One run of load. Times are milliseconds after a request was due; infinite is never.

    Attributes:
        phase: What it was for.
        players: How many asked.
        requests_per_second: How often, all of them together.
        due: Requests that count.
        p50_ms: Half were answered by then.
        p99_ms: 99 of 100 were.
        p999_ms: 999 of 1,000 were.
        misses: Share of requests that were missed, for any of the following reasons.
        late: Answered after the deadline.
        refused: Refused by the server, as it should when it cannot keep the deadline.
        failed: Answered with another error, or lost with the connection.
        unanswered: Never answered.
        outcomes: What the server said of its answers.
        lag_ms: So late were requests sent, 99th percentile.
        load_late: The generator was too late to blame the server.
        crowded: Share of the time in which other programs had the server's or the load's core.
        holds: p99 is before the deadline, and misses are few enough.
        histogram: Of the answers' latencies.
    """

    phase: Phase
    players: int
    requests_per_second: float
    due: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    misses: float
    late: int
    refused: int
    failed: int
    unanswered: int
    outcomes: dict[str, int]
    lag_ms: float
    load_late: bool
    crowded: float
    holds: bool
    histogram: list[Bin]


def judge(plan: Plan, tally: Tally, phase: Phase = "confirm", crowded: float = 0.0) -> Step:
    """What became of a plan.

    Args:
        plan: What was to be done.
        tally: What was.
        phase: What it was for.
        crowded: Share of the time in which other programs had the processes' cores.
    """
    latencies = np.sort(np.frombuffer(tally.latencies))
    lags = np.sort(np.frombuffer(tally.lags))
    refused = sum(count for status, count in tally.statuses.items() if status in REFUSED)
    failed = sum(tally.statuses.values()) - refused + tally.broken
    late = int(np.count_nonzero(latencies >= plan.deadline))
    due = max(tally.due, 1)
    misses = 1.0 if not tally.due else (due - len(latencies) + late) / due
    p50, p99, p999 = (percentile(latencies, share, due) for share in (0.5, 0.99, 0.999))
    lag = percentile(lags, 0.99, len(lags))
    return Step(
        phase=phase,
        players=plan.players,
        requests_per_second=plan.players * plan.hz,
        due=tally.due,
        p50_ms=p50 * 1e3,
        p99_ms=p99 * 1e3,
        p999_ms=p999 * 1e3,
        misses=misses,
        late=late,
        refused=refused,
        failed=failed,
        unanswered=tally.missing,
        outcomes=tally.outcomes,
        lag_ms=lag * 1e3,
        load_late=lag > _MAX_LAG * plan.deadline,
        crowded=crowded,
        holds=p99 < plan.deadline and misses <= MAX_MISSES and not tally.gave_up,
        histogram=histogram(latencies, plan.deadline),
    )


def percentile(ordered: Array, share: float, total: int) -> float:
    """The value that `share` of `total` do not exceed: nearest rank, nothing interpolated.

    Args:
        ordered: float64[n], ascending.
        share: Such as 0.99.
        total: How many there are in all; those beyond `ordered` are infinite.
    """
    place = max(math.ceil(share * total - 1e-9), 1) - 1
    return float(ordered[place]) if place < len(ordered) else math.inf


def histogram(latencies: Array, deadline: float) -> list[Bin]:
    """Latencies counted in bins whose edges double every second one; the deadline is an edge.

    Args:
        latencies: float64[n], seconds.
        deadline: Seconds.
    """
    if not len(latencies):
        return []
    # Bin k holds [deadline * 2^(k/2), deadline * 2^((k+1)/2)).
    steps = np.log2(np.maximum(latencies, 1e-6) / deadline) * _BINS_TO_DOUBLE
    places = np.floor(steps).astype(int)
    first = int(places.min())
    counts = np.bincount(places - first)
    return [
        Bin(_edge(first + i, deadline), _edge(first + i + 1, deadline), int(count))
        for i, count in enumerate(counts)
    ]


def _edge(place: int, deadline: float) -> float:
    return float(deadline * 1e3 * 2.0 ** (place / _BINS_TO_DOUBLE))
