"""The process that works off the queue for a home: `python -m numen.control.jobs.runner LOCK`.

It starts each job as a process of its own, at most so many at once, and ends when nothing waits
and nothing it started runs. It may be killed at any time: what it started goes on without it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Final

from numen.control.jobs.lock import hold
from numen.control.jobs.queue import Queue, spawn
from numen.core import settings as settings_
from numen.core.errors import Conflict, Internal, NotReady
from numen.registry import Registry
from numen.store.jobs import RUNNING, Job

WORK: Final = "numen.control.jobs.work"
_TICK: Final = 0.3


class Runner:
    """Works off the queue while it holds the runner's lock.

    Args:
        queue: The home's queue.
        lock: The runner's lock, held.
    """

    def __init__(self, queue: Queue, lock: int):
        self._queue = queue
        self._lock: int | None = lock
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self) -> None:
        """Runs what waits, until nothing does."""
        while self._lock is not None:
            waiting = self._look()
            if waiting or self._running:
                time.sleep(_TICK)
                continue
            os.close(self._lock)
            # Who came in a moment ago saw that there was a runner, and relies on it.
            waiting = bool(self._queue.waiting())
            self._lock = hold(self._queue.runner_lock) if waiting else None

    def _look(self) -> bool:
        """Starts what may start; whether some still wait."""
        for id_, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[id_]
        try:
            # One whose process died makes room.
            running = [
                self._queue.get(job.id).over
                for job in self._queue.jobs.all(RUNNING, self._queue.place)
            ]
            room = self._queue.most - running.count(False)
            waiting = self._queue.waiting()
            for job in list(waiting):
                if room > 0 and self._start(job):
                    waiting.remove(job)
                    room -= 1
            return bool(waiting)
        except NotReady:  # the catalog is away; what runs goes on
            return True

    def _start(self, job: Job) -> bool:
        """Whether it waits no more."""
        lock = hold(self._queue.lock(job))
        if lock is None:
            return False
        try:
            queue, folder = self._queue, self._queue.folder(job)
            if not queue.jobs.claim(job.id, queue.place, str(folder), queue.most):
                return False
            try:
                self._running[job.id] = spawn(
                    [WORK, job.id, str(lock)], lock, folder / "log.txt",
                    job.where or str(folder), queue.settings,
                )  # fmt: skip
            except OSError as error:
                said = Internal(f"job {job.id} cannot be started: {error}").as_dict()
                with contextlib.suppress(Conflict):
                    self._queue.jobs.move(job.id, RUNNING, "failed", error=said)
        finally:
            os.close(lock)
        return True


def main() -> None:
    """Takes over the lock that it is handed."""
    lock = int(sys.argv[1])
    os.set_inheritable(lock, False)
    # Ctrl-C in the terminal it was started from is not meant for it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    current = settings_.load()[0]
    registry = Registry.of(current)
    try:
        Runner(Queue(current, registry.catalog.database), lock).run()
    finally:
        registry.catalog.close()


if __name__ == "__main__":
    main()
