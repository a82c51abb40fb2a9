"""What a live model has done, counted in memory for `/metrics` and the protocols' statistics.

Plain data, so that a worker's counts can be written down and added to its neighbours'.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

import msgspec

# Upper bounds of the histograms, in seconds.
BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10,
)  # fmt: skip


def _nothing() -> list[int]:
    return [0] * (len(BUCKETS) + 1)


class Histogram(msgspec.Struct):
    """Durations: how many in each of `BUCKETS` and above, and their sum in seconds."""

    counts: list[int] = msgspec.field(default_factory=_nothing)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts)

    def observe(self, seconds: float) -> None:
        """Counts one more."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds

    def observe_all(self, many: Iterable[float]) -> None:
        """Counts many more."""
        counts = self.counts
        total = 0.0
        for seconds in many:
            counts[bisect_left(BUCKETS, seconds)] += 1
            total += seconds
        self.seconds += total

    def add(self, other: Histogram) -> None:
        """Adds another one's counts."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


class VariantStats(msgspec.Struct):
    """What one variant has done.

    Attributes:
        degraded: Whether it is another than the model's best.
        rows: Rows run.
        queue: Time requests waited before it ran them.
        compute: Time its batches took.
        total: Time from arrival to answer.
    """

    degraded: bool = False
    rows: int = 0
    queue: Histogram = msgspec.field(default_factory=Histogram)
    compute: Histogram = msgspec.field(default_factory=Histogram)
    total: Histogram = msgspec.field(default_factory=Histogram)

    def add(self, other: VariantStats) -> None:
        """Adds another one's counts."""
        self.rows += other.rows
        self.queue.add(other.queue)
        self.compute.add(other.compute)
        self.total.add(other.total)


class Stats(msgspec.Struct):
    """What one version of a model has done.

    Attributes:
        variants: By variant, those that ran.
        failures: Time from arrival to failure, by error code.
    """

    variants: dict[str, VariantStats] = {}
    failures: dict[str, Histogram] = {}

    def variant(self, name: str, *, degraded: bool) -> VariantStats:
        """The counters of a variant."""
        found = self.variants.get(name)
        if found is None:
            found = self.variants[name] = VariantStats(degraded)
        return found

    def failed(self, code: str, seconds: float) -> None:
        """A request failed with an error code, `seconds` after it came."""
        self.failures.setdefault(code, Histogram()).observe(seconds)

    @property
    def asked(self) -> int:
        """Requests answered or failed."""
        good = sum(variant.total.count for variant in self.variants.values())
        return good + sum(histogram.count for histogram in self.failures.values())

    def add(self, other: Stats) -> None:
        """Adds another one's counts, which may be growing meanwhile."""
        for name, variant in list(other.variants.items()):
            self.variant(name, degraded=variant.degraded).add(variant)
        for code, histogram in list(other.failures.items()):
            self.failures.setdefault(code, Histogram()).add(histogram)
