"""Trainings that were asked for: the queue, and what became of each. State only, no processes.

Every change of state is one transaction that names the states it may come from, so of two who
want to change a job at once, one is told that it is too late. A run is known by its number: who
runs a job that was given to another since can neither keep it alive nor end it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, get_args

import sqlalchemy as sa

from numen.core.errors import Conflict, Internal, NotFound
from numen.store.database import Database

State: TypeAlias = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
STATES: Final[tuple[State, ...]] = get_args(State)
QUEUED: Final[tuple[State, ...]] = ("queued",)
RUNNING: Final[tuple[State, ...]] = ("running",)
RESUMABLE: Final[tuple[State, ...]] = ("interrupted", "cancelled", "failed")
# So often is a job run whose process dies each time: it may well be what kills them.
MOST_RUNS: Final = 5

_meta = sa.MetaData()
_jobs = sa.Table(
    "jobs",
    _meta,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("recipe", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("place", sa.String(64), nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("where", sa.Text, nullable=False),
    sa.Column("trusted", sa.Boolean, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("runs", sa.Integer, nullable=False),
    sa.Column("cancel", sa.Boolean, nullable=False),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("error", sa.JSON(none_as_null=True)),
)
# Signs of life of what runs. A number that grows, so that no two clocks are ever compared.
_beats = sa.Table(
    "job_beats",
    _meta,
    sa.Column("job", sa.String(16), primary_key=True),
    sa.Column("beat", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Job:
    """One training that was asked for.

    Attributes:
        id: What it is called by, 8 hexadecimal digits.
        model: What it will be published as; empty publishes nothing.
        recipe: The whole recipe, as plain data.
        state: How far it is.
        place: The home where it was asked for, and once it was begun, where that was last.
        folder: Where its events, its checkpoints and its log lie, on that machine.
        where: The working directory it runs in.
        trusted: It was asked for on the machine itself, and only that may run it, as it may name
            files there; else it is held to what a network may ask, and any host may run it.
        created: When it was asked for, in seconds since 1970; so are `started` and `ended`.
        started: When it last began.
        ended: When it last ended.
        runs: How often it was begun.
        cancel: Somebody said stop, and it has not stopped yet.
        result: What came of it: metrics, and where the model is.
        error: Why it failed, as a NumenError says it.
    """

    id: str
    model: str
    recipe: dict[str, Any]
    state: State
    place: str
    folder: str
    where: str
    trusted: bool
    created: float
    started: float | None = None
    ended: float | None = None
    runs: int = 0
    cancel: bool = False
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen unless somebody resumes it."""
        return self.state not in ("queued", "running")

    def as_dict(self) -> dict[str, Any]:
        """What everybody may know of it, as plain data; times in ISO 8601."""
        return {
            "id": self.id, "model": self.model, "state": self.state, "recipe": self.recipe,
            "created": _iso(self.created), "started": _iso(self.started),
            "ended": _iso(self.ended), "runs": self.runs, "cancel": self.cancel,
            "result": self.result, "error": self.error,
        }  # fmt: skip


class Jobs:
    """The jobs in a database; their table is made when missing."""

    def __init__(self, database: Database):
        self._database = database
        database.make(_meta)

    def add(
        self, recipe: Mapping[str, Any], place: str, folder: str, where: str, *, trusted: bool
    ) -> Job:
        """Queues a training; `{id}` in `folder` stands for the job's id."""
        id_ = secrets.token_hex(4)
        job = Job(
            id_, str(recipe.get("name", "")), dict(recipe), "queued", place,
            folder.replace("{id}", id_), where, trusted, time.time(),
        )  # fmt: skip
        row = {column.name: getattr(job, column.name) for column in _jobs.columns}
        with self._database.change() as connection:
            connection.execute(sa.insert(_jobs).values(**row))
        return job

    def get(self, id_: str) -> Job:
        """The job `id_`.

        Raises:
            NotFound: There is none.
        """
        with self._database.read() as connection:
            row = connection.execute(sa.select(_jobs).where(_jobs.c.id == id_)).first()
        if row is None:
            raise NotFound(f'job "{id_[:64]}" does not exist', hint="numen jobs ls shows all")
        return Job(*row)

    def all(self, states: Collection[State] = STATES, place: str = "") -> list[Job]:
        """Jobs in some states, oldest first; of one place, or of all."""
        query = sa.select(_jobs).order_by(_jobs.c.created, _jobs.c.id)
        query = query.where(_jobs.c.state.in_(states))
        if place:
            query = query.where(_jobs.c.place == place)
        with self._database.read() as connection:
            return [Job(*row) for row in connection.execute(query)]

    def claim(self, id_: str, place: str, folder: str, most: int) -> bool:
        """Makes a queued job run at a place, unless `most` run there or another has it already.

        Its runner holds its lock already, so nobody there takes it for dead.
        """
        with self._database.change() as connection:
            row = connection.execute(sa.select(_jobs).where(_jobs.c.id == id_)).first()
            running = sa.select(sa.func.count()).where(
                _jobs.c.place == place, _jobs.c.state == "running"
            )
            free = (connection.scalar(running) or 0) < most
            may = row is not None and (row.place == place or not row.trusted)
            if row is None or row.state != "queued" or not may or not free:
                connection.rollback()
                return False
            connection.execute(
                sa.update(_jobs)
                .where(_jobs.c.id == id_)
                .values(
                    state="running", started=time.time(), ended=None, cancel=False,
                    runs=row.runs + 1, result=None, error=None, place=place, folder=folder,
                )
            )  # fmt: skip
            connection.execute(sa.delete(_beats).where(_beats.c.job == id_))
            connection.execute(sa.insert(_beats).values(job=id_, beat=0))
            return True

    def beat(self, id_: str, run: int) -> bool:
        """Gives a sign of life; False where that run is no more the one that counts."""
        with self._database.note() as connection:
            counts = sa.exists().where(
                _jobs.c.id == id_, _jobs.c.runs == run, _jobs.c.state == "running"
            )
            done = connection.execute(
                sa.update(_beats).where(_beats.c.job == id_, counts).values(beat=_beats.c.beat + 1)
            )
            return done.rowcount == 1

    def beats(self) -> list[tuple[str, int, int]]:
        """Of what runs and may run anywhere: job, run, last sign of life."""
        query = sa.select(_jobs.c.id, _jobs.c.runs, _beats.c.beat).where(
            _jobs.c.id == _beats.c.job, _jobs.c.state == "running", sa.not_(_jobs.c.trusted)
        )  # fmt: skip
        with self._database.read() as connection:
            return [(row.id, row.runs, row.beat) for row in connection.execute(query)]

    def take_back(self, id_: str, run: int, beat: int) -> bool:
        """Queues a job again whose run has given no sign of life since that beat.

        One that somebody said stop to is cancelled, and one that was begun too often has failed.
        """
        after: dict[str, Any] = {"state": "queued"}
        with self._database.change() as connection:
            silent = sa.exists().where(_beats.c.job == id_, _beats.c.beat == beat)
            same = (_jobs.c.id == id_, _jobs.c.runs == run, _jobs.c.state == "running", silent)
            row = connection.execute(sa.select(_jobs.c.cancel).where(*same)).first()
            if row is None:
                connection.rollback()
                return False
            if row.cancel:
                after = {"state": "cancelled", "ended": time.time()}
            elif run >= MOST_RUNS:
                error = Internal(f"job {id_} was begun {run} times and its host fell silent")
                after = {"state": "failed", "ended": time.time(), "error": error.as_dict()}
            connection.execute(sa.update(_jobs).where(*same).values(cancel=False, **after))
            return True

    def move(
        self, id_: str, before: Collection[State], after: State, *, run: int = 0, **values: Any
    ) -> Job:
        """Moves a job from one of some states to another.

        Args:
            id_: The job.
            before: The states.
            after: The other one.
            run: Only if this is the run that counts; 0 is any.
            **values: What else is said of it from now on.

        Raises:
            NotFound: There is no such job.
            Conflict: It is in none of these states, or another run counts.
        """
        with self._database.change() as connection:
            ended = None if after in ("queued", "running") else time.time()
            counts = _jobs.c.runs == run if run else sa.true()
            done = connection.execute(
                sa.update(_jobs)
                .where(_jobs.c.id == id_, _jobs.c.state.in_(before), counts)
                .values(state=after, cancel=False, ended=ended, **values)
            )
            if done.rowcount == 0:
                connection.rollback()
        if done.rowcount == 0:
            job = self.get(id_)
            if run not in (0, job.runs):
                raise Conflict(f"job {id_}: run {job.runs} counts, received one of run {run}")
            raise Conflict(f"job {id_} is {job.state}, expected {' or '.join(before)}")
        return self.get(id_)

    def cancel(self, id_: str) -> Job:
        """Says stop: a queued job is cancelled at once, a running one soon, by itself.

        Raises:
            NotFound: There is no such job.
            Conflict: It has ended already.
        """
        with self._database.change() as connection:
            queued = connection.execute(
                sa.update(_jobs)
                .where(_jobs.c.id == id_, _jobs.c.state == "queued")
                .values(state="cancelled", ended=time.time())
            )
            running = connection.execute(
                sa.update(_jobs)
                .where(_jobs.c.id == id_, _jobs.c.state == "running")
                .values(cancel=True)
            )
            found = queued.rowcount + running.rowcount
            if not found:
                connection.rollback()
        job = self.get(id_)
        if not found:
            raise Conflict(f"job {id_} is {job.state} already")
        return job


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
