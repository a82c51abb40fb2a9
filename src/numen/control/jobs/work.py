"""The process of one job: `python -m numen.control.jobs.work ID LOCK`.

It trains as the job's recipe says and tells of it in the job's events. Told to stop, it keeps the
best model so far; killed, its lock falls and the next who looks sees that it was interrupted. A
store that is away is waited for. Who was silent for so long that another host took the job over
ends, and publishes nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from numen.api.data import library
from numen.api.model import Model
from numen.api.train import train
from numen.api.workspace import registry, settings
from numen.control.jobs.events import Journal
from numen.control.jobs.queue import Queue
from numen.control.jobs.rules import SAMPLE
from numen.core.bundle import Bundle
from numen.core.errors import Internal, NotReady, NumenError
from numen.data.dataset import Dataset
from numen.store.jobs import RUNNING, Job, State
from numen.train import recipe as recipes

T = TypeVar("T")
CHECKPOINTS: Final = "run"
MODEL: Final = "model"
# Seconds between looks whether somebody said stop.
_LOOK: Final = 0.4
# Signs of life within the silence after which another host takes a job over.
_BEATS: Final = 6
# Seconds within which a trainer that is told to stop says that it did.
_PATIENCE: Final = 60.0


class Work:
    """One run of one job.

    Args:
        queue: The queue it belongs to.
        job: The job, which is running.
    """

    def __init__(self, queue: Queue, job: Job):
        self._queue = queue
        self._job = job
        self._folder = Path(job.folder)
        self._journal = Journal(queue.events(job))
        self._stop = False
        self._over = False

    def run(self) -> None:
        """Trains, and says what came of it."""
        self._journal.say("state", state="running", run=self._job.runs, pid=os.getpid())
        threading.Thread(target=self._watch, daemon=True).start()
        state: State = "failed"
        result: dict[str, Any] | None = None
        error: dict[str, str] | None = None
        try:
            trained = self._train()
            result = self._keep(trained)
            state = "finished" if trained.stopped != "interrupted" else self._stopped()
        except NumenError as known:
            error = known.as_dict()
        except BaseException as unknown:
            traceback.print_exc()
            # A framework may hide the interrupt behind an error of its own.
            if self._stop or isinstance(unknown, KeyboardInterrupt):
                self._journal.note("stopped before there was a model: nothing is kept")
                state = self._stopped()
            else:
                error = Internal(
                    f"{type(unknown).__name__}: {unknown}"[:2000], hint="see log.txt in its folder"
                ).as_dict()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # too late
        self._end(state, result, error)

    def _train(self) -> Model:
        # Published by `_keep`, which has the patience for it.
        recipe = recipes.make({**self._job.recipe, "name": ""})
        data: Dataset | str = recipe.data
        if not self._job.trusted and not recipe.data.startswith(SAMPLE):
            data = self._patiently(lambda: library().open(recipe.data))  # no path is tried
        checkpoints = self._folder / CHECKPOINTS
        return train(
            data, recipe=recipe, progress=self._journal, resume=checkpoints.is_dir(),
            checkpoints=checkpoints,
        )  # fmt: skip

    def _keep(self, trained: Model) -> dict[str, Any]:
        """What came of it; a model that is not published is kept in the job's folder."""
        bundle, version = trained.bundle, None
        if self._job.model and trained.stopped != "interrupted":
            self._patiently(self._beat)
            version = self._patiently(lambda: registry().publish(self._job.model, bundle))
        else:
            place = self._folder / f"{MODEL}-{self._job.runs}"
            bundle.path.rename(place)
            bundle = Bundle.open(place)
        return {
            "name": version.name if version else None,
            "version": version.version if version else None,
            "digest": bundle.digest,
            "metrics": dict(trained.metrics),
            "parity": trained.manifest.parity,
            "stopped": trained.stopped,
            "bundle": str(bundle.path),
        }

    def _stopped(self) -> State:
        return "cancelled" if self._stop else "interrupted"

    def _end(self, state: State, result: Any = None, error: Any = None) -> None:
        told = result and {key: value for key, value in result.items() if key != "bundle"}
        self._journal.say("state", state=state, result=told, error=error)
        self._over = True
        jobs, job = self._queue.jobs, self._job
        self._patiently(
            lambda: jobs.move(job.id, RUNNING, state, run=job.runs, result=result, error=error)
        )

    def _patiently(self, do: Callable[[], T]) -> T:
        """What comes of it, once the stores are there."""
        told = False
        while True:
            try:
                return do()
            except NotReady as error:
                if not told:
                    self._journal.note(f"waits for a store: {error.message}")
                told = True
                time.sleep(_LOOK)

    def _beat(self) -> None:
        """Gives a sign of life; ends the process if the job is somebody else's by now."""
        if not self._over and not self._queue.jobs.beat(self._job.id, self._job.runs):
            self._journal.note("another host has taken it over: ended")
            os._exit(1)

    def _watch(self) -> None:
        """Gives signs of life, and sees whether somebody said stop, on any host of the catalog."""
        beaten = time.monotonic()
        while not self._stop and not self._over:
            time.sleep(_LOOK)
            try:
                if time.monotonic() - beaten > self._queue.settings.job_silence / _BEATS:
                    self._beat()
                    beaten = time.monotonic()
                self._stop = self._queue.jobs.get(self._job.id).cancel
            except NotReady:  # the catalog is away; training goes on
                continue
            except Exception:
                traceback.print_exc()
        if self._over:
            return
        if self._journal.trained:
            return  # it is at its end anyway
        self._journal.say("note", text="told to stop")
        heard = self._journal.notes
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(_PATIENCE)
        if self._journal.notes == heard:  # else it has stopped, and exports what it has
            self._journal.say("note", text=f"did not stop within {_PATIENCE:.0f} s: ended")
            self._end("cancelled")
            os._exit(1)


def _interrupt(_signal: int, _frame: object) -> None:
    signal.raise_signal(signal.SIGINT)


def main() -> None:
    """Takes over the lock that it is handed, and works."""
    id_, lock = sys.argv[1], int(sys.argv[2])
    os.set_inheritable(lock, False)  # a process it starts and leaves behind is not the job
    os.nice(5)  # a server on the same machine answers first
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _interrupt)
    current = settings()
    queue = Queue(current, registry().catalog.database)
    Work(queue, queue.jobs.get(id_)).run()


if __name__ == "__main__":
    main()
