"""Trainings that were asked for: the queue, and what became of each. State only, no processes.

Every change of state is one transaction that names the states it may come from, so of two who
want to change a job at once, one is told that it is too late.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, get_args

import sqlalchemy as sa

from numen.core.errors import Conflict, NotFound
from numen.store.database import Database

State: TypeAlias = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]
STATES: Final[tuple[State, ...]] = get_args(State)
QUEUED: Final[tuple[State, ...]] = ("queued",)
RUNNING: Final[tuple[State, ...]] = ("running",)
RESUMABLE: Final[tuple[State, ...]] = ("interrupted", "cancelled", "failed")

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


@dataclass(frozen=True, slots=True)
class Job:
    """One training that was asked for.

    Attributes:
        id: What it is called by, 8 hexadecimal digits.
        model: What it will be published as; empty publishes nothing.
        recipe: The whole recipe, as plain data.
        state: How far it is.
        place: Which home's runner it belongs to.
        folder: Where its events, its checkpoints and its log lie, on that machine.
        where: The working directory it runs in.
        trusted: It was asked for on the machine itself; else it is held to what a network may ask.
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

    def claim(self, id_: str, most: int) -> bool:
        """Makes a queued job run, unless `most` run at its place already or it is queued no more.

        Its runner holds its lock already, so nobody takes it for dead.
        """
        with self._database.change() as connection:
            row = connection.execute(sa.select(_jobs).where(_jobs.c.id == id_)).first()
            running = sa.select(sa.func.count()).where(
                _jobs.c.place == (row.place if row else ""), _jobs.c.state == "running"
            )
            free = row is not None and (connection.scalar(running) or 0) < most
            if row is None or row.state != "queued" or not free:
                connection.rollback()
                return False
            connection.execute(
                sa.update(_jobs)
                .where(_jobs.c.id == id_)
                .values(
                    state="running", started=time.time(), ended=None, cancel=False,
                    runs=row.runs + 1, result=None, error=None,
                )
            )  # fmt: skip
            return True

    def move(self, id_: str, before: Collection[State], after: State, **values: Any) -> Job:
        """Moves a job from one of some states to another.

        Raises:
            NotFound: There is no such job.
            Conflict: It is in none of these states.
        """
        with self._database.change() as connection:
            ended = None if after in ("queued", "running") else time.time()
            done = connection.execute(
                sa.update(_jobs)
                .where(_jobs.c.id == id_, _jobs.c.state.in_(before))
                .values(state=after, cancel=False, ended=ended, **values)
            )
            if done.rowcount == 0:
                connection.rollback()
        if done.rowcount == 0:
            job = self.get(id_)
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
