"""What is known of the processes that serve together, for doors to tell.

A process that serves alone knows only itself; the serving process puts something in this place
that knows its neighbours as well.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from numen.serve.stats import Stats


class Tally(msgspec.Struct):
    """What processes have done, and what waits for them.

    Attributes:
        counts: What versions have done, by model and version.
        open: In how many processes a version is open, by model and version.
        waiting: Rows that wait, by model.
        workers: Processes that serve.
        restarts: How often one of them had to be replaced.
    """

    counts: dict[str, dict[str, Stats]] = {}
    open: dict[str, dict[str, int]] = {}
    waiting: dict[str, int] = {}
    workers: int = 0
    restarts: int = 0

    def add(self, other: Tally) -> None:
        """Adds another one's."""
        for name, versions in other.counts.items():
            counts = self.counts.setdefault(name, {})
            for version, stats in versions.items():
                counts.setdefault(version, Stats()).add(stats)
        for name, numbers in other.open.items():
            opened = self.open.setdefault(name, {})
            for version, number in numbers.items():
                opened[version] = opened.get(version, 0) + number
        for name, rows in other.waiting.items():
            self.waiting[name] = self.waiting.get(name, 0) + rows
        self.workers += other.workers
        self.restarts += other.restarts


class Fleet(Protocol):
    """The processes that serve together."""

    def trouble(self) -> str:
        """Why requests had better go elsewhere; empty where they may come."""

    def tally(self) -> Tally:
        """What all of them have done. Read it; it may be the live counts."""
