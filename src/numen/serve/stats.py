"""What a live model has done, counted in memory for `/metrics` and the protocols' statistics."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

# Upper bounds of the latency histogram, in seconds.
BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10,
)  # fmt: skip


class Stats:
    """Counters of one version of a model. Written by one thread at a time.

    Attributes:
        requests: Answered well.
        failures: Failed, by error code.
        rows: Rows run.
        batches: Runs of the model.
        queue_seconds: Time requests waited, summed.
        compute_seconds: Time the model ran, summed.
        seconds: Time from arrival to answer, summed over good answers.
        histogram: Good answers by latency; one more place than `BUCKETS`.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.failures: Counter[str] = Counter()
        self.rows = 0
        self.batches = 0
        self.queue_seconds = 0.0
        self.compute_seconds = 0.0
        self.seconds = 0.0
        self.histogram = [0] * (len(BUCKETS) + 1)

    def ran(self, rows: int, queued: float, computed: float) -> None:
        """A batch ran for `computed` s, after its requests had waited `queued` s in all."""
        self.batches += 1
        self.rows += rows
        self.queue_seconds += queued
        self.compute_seconds += computed

    def answered(self, seconds: float, failure: str | None) -> None:
        """A request was answered after `seconds`, or failed with the code `failure`."""
        if failure is not None:
            self.failures[failure] += 1
            return
        self.requests += 1
        self.seconds += seconds
        self.histogram[bisect_left(BUCKETS, seconds)] += 1
