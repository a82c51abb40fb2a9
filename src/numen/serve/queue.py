"""Who waits for a model, most urgent first, and who of them runs next.

In the order of deadlines; who gave none waits as if for `PATIENCE`, so nobody is passed for ever,
but is never refused for lateness and never given a lesser variant.
"""

from __future__ import annotations

import time
from bisect import insort_right
from collections import deque
from collections.abc import Callable
from typing import Final

from numen.core.errors import Cancelled, DeadlineExceeded, NumenError
from numen.core.message import Done, Request
from numen.serve.ladder import MARGIN, Ladder, Rung

# Seconds after which somebody without a deadline goes before those who have one.
PATIENCE: Final = 1.0


class Work:
    """A request that waits or runs.

    Attributes:
        request: What was asked.
        rows: Its number of rows.
        done: Told the outcome, once; None when it was.
        arrived: When it came, in seconds of `time.monotonic()`.
        due: Its place in the order.
    """

    __slots__ = ("arrived", "done", "due", "request", "rows")

    def __init__(self, request: Request, rows: int, done: Done):
        self.request = request
        self.rows = rows
        self.done: Done | None = done
        self.arrived = time.monotonic()
        deadline = request.deadline
        self.due = self.arrived + PATIENCE if deadline is None else deadline

    @property
    def deadline(self) -> float | None:
        """Until when the answer is wanted, if not for ever."""
        return self.request.deadline

    def gone(self, now: float) -> NumenError | None:
        """Why nobody waits for it any more, if so."""
        request = self.request
        if request.cancelled:
            return Cancelled("the caller went away")
        if request.deadline is not None and now >= request.deadline:
            return DeadlineExceeded("the deadline passed before the model could run")
        return None


class Queue:
    """Works in their order.

    Args:
        tell: Told of those who will not run, and why.
        alike: Whether two requests' rows fit into one batch; None where all do.
    """

    def __init__(
        self,
        tell: Callable[[Work, NumenError], None],
        alike: Callable[[Request, Request], bool] | None,
    ):
        self._tell = tell
        self._alike = alike
        self._works: deque[Work] = deque()
        self.rows = 0

    def put(self, work: Work) -> None:
        """Adds one."""
        works = self._works
        if not works or works[-1].due <= work.due:
            works.append(work)
        else:
            insort_right(works, work, key=_due)
        self.rows += work.rows

    def first_deadline(self) -> float | None:
        """The earliest deadline of all."""
        return next((w.due for w in self._works if w.deadline is not None), None)

    def drop_late(self, now: float) -> None:
        """Tells those whose deadline has passed, whoever waits before them without one."""
        patient: list[Work] = []
        while self._works and self._works[0].due <= now:
            first = self._works[0]
            if first.deadline is None:
                patient.append(self._works.popleft())
            else:
                self._drop(first, DeadlineExceeded("the deadline passed while others ran"))
        self._works.extendleft(reversed(patient))

    def take(self, ladder: Ladder, max_rows: int) -> tuple[Rung, list[Work]] | None:
        """The next batch, and the variant to run it; None when nobody waits."""
        works = self._works
        now = time.monotonic()
        while works:
            first = works[0]
            if gone := first.gone(now):
                self._drop(first, gone)
                continue
            if first.deadline is None:
                most = min(max_rows, ladder.best.pace.pays)
                return ladder.best, self._collect(ladder.best, most, now)
            # Looked at by itself first: choosing looks at all who wait.
            choice = None if ladder.late(now, first) else ladder.choose(now, works, max_rows)
            if choice is None:
                ladder.fastest.pace.doubt()
                self._drop(first, DeadlineExceeded("no answer could be had before the deadline"))
                continue
            rung, most = choice
            return rung, self._collect(rung, most, now)
        return None

    def _drop(self, first: Work, why: NumenError) -> None:
        self._works.popleft()
        self.rows -= first.rows
        self._tell(first, why)

    def _collect(self, rung: Rung, most: int, now: float) -> list[Work]:
        works, alike = self._works, self._alike
        batch: list[Work] = []
        aside: list[Work] = []
        rows = 0
        while works:
            work = works[0]
            request = work.request
            more = rows + work.rows
            if request.deadline is not None or request.cancelled:
                if gone := work.gone(now):
                    self._drop(work, gone)
                    continue
                if batch and work.due < now + rung.pace.expect(more) + MARGIN:
                    break
            elif rung.degraded:
                aside.append(works.popleft())
                continue
            if batch and (more > most or (alike and not alike(batch[0].request, request))):
                break
            works.popleft()
            batch.append(work)
            rows = more
        self.rows -= rows
        works.extendleft(reversed(aside))
        return batch


def _due(work: Work) -> float:
    return work.due
