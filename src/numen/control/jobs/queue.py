"""The queue of trainings: ask for one, look, stop it, take it up again.

State is in the catalog; a job's folder holds its events, its checkpoints, its log and a lock that
its process holds. Whoever looks on its machine sees at once that a process died; other hosts of
the catalog see that a run gives no signs of life, and take over what may run anywhere. The queue
is worked off by each home's runner, a process that is started when there is work for it and none
is there, and that ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from numen.control.jobs.events import EVENTS, Event, Journal, read
from numen.control.jobs.lock import hold
from numen.core.errors import Conflict
from numen.core.observe import logger
from numen.core.reference import check_name
from numen.core.settings import Settings
from numen.store.database import Database
from numen.store.jobs import MOST_RUNS, QUEUED, RESUMABLE, RUNNING, Job, Jobs, State
from numen.train.recipe import Recipe

RUNNER: Final = "numen.control.jobs.runner"
_POLL: Final = 0.25
# Seconds between a server's looks at what waits and what fell silent.
_LOOK: Final = 1.0
_log = logger(__name__)


class Queue:
    """The jobs of a catalog, and the runner of one home.

    Args:
        settings: numen's settings.
        database: The catalog's.
    """

    def __init__(self, settings: Settings, database: Database):
        self.jobs = Jobs(database)
        self.settings = settings
        self.home = settings.home_path / "jobs"
        self._runner: subprocess.Popen[bytes] | None = None
        # Signs of life elsewhere, and since when this process has known each for the last one.
        self._heard: dict[tuple[str, int, int], float] = {}
        self._looked = 0.0

    @property
    def most(self) -> int:
        """How many may run at once here."""
        return max(0, self.settings.jobs or max(1, (os.cpu_count() or 1) // 2))

    @property
    def place(self) -> str:
        """This home's own name, made up once.

        Raises:
            Conflict: Nothing can be written here, so nothing can run here.
        """
        path = self.home / "place"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text("utf-8")
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            mine = self.home / f".place.{os.getpid()}.{secrets.token_hex(4)}"
            mine.write_text(secrets.token_hex(16), "utf-8")
        except OSError as error:
            raise Conflict(
                f"{self.home} cannot be written: {error.strerror}, so nothing is trained here",
                hint="train where the models come from, then deploy again",
            ) from error
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(mine, path)
        mine.unlink()
        return path.read_text("utf-8")

    @property
    def here(self) -> str:
        """As `place`; empty, which is nobody's, where nothing can be written."""
        try:
            return self.place
        except Conflict:
            return ""

    def waiting(self) -> list[Job]:
        """Jobs that wait and may run here, oldest first.

        What was asked for elsewhere is left to hosts that have what training needs.
        """
        waiting = self.jobs.all(QUEUED) if self.most else []
        if not waiting or not (here := self.here):
            return []  # where no job ever was, nothing is written
        trains = find_spec("keras") is not None
        return [job for job in waiting if job.place == here or (trains and not job.trusted)]

    def add(self, recipe: Recipe, *, trusted: bool, where: str = "") -> Job:
        """Queues a training and sees to it that somebody runs it.

        Args:
            recipe: What to train, whole.
            trusted: It may name files and code of this machine, and runs nowhere else.
            where: The directory it runs in; its own folder where empty.

        Raises:
            InvalidInput: The name it shall have is none.
        """
        if recipe.name:
            check_name(recipe.name)
        table = msgspec.to_builtins(recipe)
        folder = str(self.home / "{id}")
        job = self.jobs.add(table, self.place, folder, where, trusted=trusted)
        Journal(self.events(job)).say("state", state="queued")
        self.start()
        return job

    def get(self, id_: str) -> Job:
        """The job `id_` as it is now.

        Raises:
            NotFound: There is none.
        """
        return self._looked_at([self.jobs.get(id_)])[0]

    def all(self) -> list[Job]:
        """All jobs as they are now, oldest first."""
        return self._looked_at(self.jobs.all())

    def cancel(self, id_: str) -> Job:
        """Stops a job: a queued one at once, a running one within seconds.

        The best model so far is kept as a bundle, once one epoch is done.

        Raises:
            NotFound: There is no such job.
            Conflict: It has ended already.
        """
        self.get(id_)
        job = self.jobs.cancel(id_)
        if job.over:
            self._say(job)
        return job

    def resume(self, id_: str) -> Job:
        """Queues a job again that did not finish; it goes on from its last checkpoint.

        Raises:
            NotFound: There is no such job.
            Conflict: It did finish, or it runs or waits already.
        """
        job = self.get(id_)
        if job.trusted and job.place != self.here:
            raise Conflict(f"job {id_} belongs to another machine", hint="resume it there")
        job = self.jobs.move(id_, RESUMABLE, "queued", result=None, error=None)
        self._say(job)
        self.start()
        return job

    def folder(self, job: Job) -> Path:
        """A job's folder here."""
        return self.home / job.id

    def events(self, job: Job) -> Path:
        """The file of a job's events, of runs on this machine."""
        return self.folder(job) / EVENTS

    def _say(self, job: Job) -> None:
        if job.place == self.here:
            Journal(self.events(job)).say("state", state=job.state)

    async def follow(self, id_: str, after: int = 0) -> AsyncIterator[Event]:
        """A job's events as they come, until it is over; of a run elsewhere, its states only.

        Args:
            id_: The job.
            after: The id of the last event that is known already; 0 is none.

        Raises:
            NotFound: There is no such job.
            InvalidInput: No event has this id.
        """
        job = await asyncio.to_thread(self.get, id_)
        state, over = "", False
        while True:
            if job.place != self.here:
                if state != job.state:
                    state = job.state
                    yield Event(after, _state_of(job))
                if job.over:
                    return
                await asyncio.sleep(_LOOK)
                job = await asyncio.to_thread(self.get, id_)
                continue
            found = await asyncio.to_thread(read, self.events(job), after)
            for event in found:
                after = event.id
                yield event
            if found:
                over = False
                continue
            # Its last line may be written a moment after its state is: one more look.
            if over:
                return
            job = await asyncio.to_thread(self.get, id_)
            over = job.over
            await asyncio.sleep(_POLL)

    async def watch(self) -> None:
        """Sees to jobs of all hosts, for ever: starts what waits, takes over what fell silent."""
        away = False
        while self.most:
            await asyncio.sleep(_LOOK)
            try:
                await asyncio.to_thread(self.look)
                away = False
            except Exception as error:
                if not away:
                    _log.warning("jobs cannot be looked after: %s", error)
                away = True

    def look(self) -> None:
        """Starts what waits, and takes over what fell silent while this process was listening."""
        self._looked_at(self.jobs.all(RUNNING))
        self.start()
        now = time.monotonic()
        deaf = now - self._looked > self.settings.job_silence / 2  # the catalog was away, or we
        known = {} if deaf else self._heard
        self._heard = {each: known.get(each, now) for each in self.jobs.beats()}
        self._looked = now
        for (id_, run, beat), since in self._heard.items():
            if now - since <= self.settings.job_silence or self.get(id_).place == self.here:
                continue  # of what runs on this machine, the lock says whether it lives
            if self.jobs.take_back(id_, run, beat):
                _log.warning("job %s: its host fell silent; it waits for another", id_)

    def start(self) -> None:
        """Starts a runner if there is work for one and none is there."""
        if self._runner is not None:
            self._runner.poll()
        if not self.waiting():
            return
        lock = hold(self.runner_lock)
        if lock is None:
            return  # it looks once more after it has let go, so it will see what waits
        try:
            self._runner = spawn(
                [RUNNER, str(lock)], lock, self.home / "runner.log", str(self.home), self.settings
            )
        finally:
            os.close(lock)

    @property
    def runner_lock(self) -> Path:
        """Held by this home's runner."""
        return self.home / "runner.lock"

    def lock(self, job: Job) -> Path:
        """Held by the process of a job."""
        return self.folder(job) / "lock"

    def _looked_at(self, jobs: list[Job]) -> list[Job]:
        """The jobs as they are; whoever looks also sees to it that those that wait are run."""
        found = [self._alive(job) for job in jobs]
        if any(job.state == "queued" for job in found):
            self.start()
        return found

    def _alive(self, job: Job) -> Job:
        """The job; if its process is no more, interrupted, or queued again if it is on a cluster.

        What trains there keeps no checkpoints, so there is nothing to decide for who resumes it.
        """
        if job.state != "running" or job.place != self.here:
            return job
        lock = hold(self.lock(job))
        if lock is None:
            return job
        try:
            # Nobody runs it now, nor can begin to while the lock is held here.
            with contextlib.suppress(Conflict):
                again = bool(job.recipe.get("on")) and not job.cancel and job.runs < MOST_RUNS
                after: State = "queued" if again else "interrupted"
                self._say(self.jobs.move(job.id, RUNNING, after))
        finally:
            os.close(lock)
        return self.jobs.get(job.id)


def _state_of(job: Job) -> dict[str, Any]:
    """What a state's event says, of what is known everywhere."""
    told = job.result and {key: value for key, value in job.result.items() if key != "bundle"}
    said = {"kind": "state", "at": round(time.time(), 3), "state": job.state}
    return {**said, "result": told, "error": job.error} if job.over else said


_STARTED: Final[set[subprocess.Popen[bytes]]] = set()


def spawn(
    module: list[str], lock: int, log: Path, where: str, settings: Settings
) -> subprocess.Popen[bytes]:
    """Starts a module of numen's as a process that outlives this one, and hands it a lock."""
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "NUMEN_HOME": str(settings.home_path),
        "NUMEN_CATALOG": settings.catalog_url,
        "NUMEN_BLOBS": settings.blobs_url,
        "NUMEN_JOBS": str(settings.jobs),
        "NUMEN_JOB_SILENCE": str(settings.job_silence),
    }
    with log.open("ab") as out:
        started = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", *module],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=where, env=environment,
            pass_fds=(lock,), start_new_session=True,
        )  # fmt: skip
    # Python would complain of one that is forgotten while it runs.
    _STARTED.difference_update([process for process in _STARTED if process.poll() is not None])
    _STARTED.add(started)
    return started
