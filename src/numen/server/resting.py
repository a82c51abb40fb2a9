"""Which open models are closed for a while: the idle, and over the budget the least lately used.

Who is in use is told from the counts that change, so that a request pays nothing for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from numen.core.observe import logger
from numen.serve.live import Endpoint
from numen.serve.service import Service

_log = logger(__name__)
_EVERY: Final = 1.0
# What an open model takes beside its weights, and how often it holds them (packed anew), as
# measured by benchmarks/many.py.
_BASE: Final = 256 << 10
_COPIES: Final = 2
_UNKNOWN: Final = 4 << 30
_LIMITS: Final = (
    "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)  # fmt: skip


class Resting:
    """Closes open models that can be opened again.

    Args:
        service: Whose models.
        idle: Seconds after which a model that nobody asked is closed; 0 closes none.
        budget: Bytes that open models may take in all.
    """

    def __init__(self, service: Service, idle: float, budget: int):
        self._service = service
        self._idle = idle
        self._budget = budget
        # What a model had been asked when it was last seen to be asked, and when that was.
        self._seen: dict[Endpoint, tuple[int, float]] = {}

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Closes those whose time has come."""
        before, self._seen = self._seen, {}
        resting: list[Endpoint] = []
        taken = 0
        for endpoint in self._service.endpoints():
            asked = endpoint.stats.asked
            known, used = before.get(endpoint, (-1, now))
            if known != asked:
                used = now
            self._seen[endpoint] = (asked, used)
            taken += weight(endpoint)
            if endpoint.cold is not None:
                resting.append(endpoint)
        resting.sort(key=lambda endpoint: self._seen[endpoint][1])
        for endpoint in resting:
            quiet = now - self._seen[endpoint][1]
            if taken <= self._budget and not 0 < self._idle < quiet:
                return
            if not endpoint.batcher.waiting:
                taken -= weight(endpoint)
                _log.info("at rest: %s@%s", endpoint.name, endpoint.version)
                self._service.rest(endpoint)


def weight(endpoint: Endpoint) -> int:
    """About how many bytes of memory an open model takes."""
    graphs = tuple(variant.file for variant in endpoint.manifest.variants)
    files = sum(f.size for f in endpoint.manifest.files if f.path.startswith(graphs))
    return _BASE + _COPIES * files


def half_the_memory() -> int:
    """Half of what this machine, or the container, has, in bytes."""
    if not hasattr(os, "sysconf"):  # Windows, which does not say
        return _UNKNOWN
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([whole, *_limits()]) // 2


def _limits() -> Iterator[int]:
    """What the container is held to, under either version of control groups."""
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or it says "max"
            yield int(Path(path).read_text())
