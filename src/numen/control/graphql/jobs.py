"""Jobs in GraphQL: look at trainings, ask for one, stop it, take it up again, follow it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import strawberry
from strawberry.scalars import JSON

from numen.control.graphql.context import Asked
from numen.control.graphql.fields import documented
from numen.control.jobs.desk import described
from numen.control.jobs.events import Event
from numen.core.errors import InvalidInput
from numen.store import jobs as store


@strawberry.type(description="A training in the background.")
class Job:
    """A training in the background."""

    id: str
    model: str = strawberry.field(description="What it is published as; empty publishes nothing.")
    state: str = strawberry.field(
        description="queued, running, finished, failed, cancelled or interrupted."
    )
    recipe: JSON
    created: str
    started: str | None
    ended: str | None
    runs: int
    cancel: bool = strawberry.field(description="It was told to stop, and has not stopped yet.")
    result: JSON | None = strawberry.field(description="Metrics, and the published version.")
    error: JSON | None


@strawberry.type(description="Something that a job told.")
class JobEvent:
    """Something that a job told."""

    id: str = strawberry.field(description="Go on after it with `after`.")
    kind: str = strawberry.field(description="state, begin, step, epoch or note.")
    at: float = strawberry.field(description="Seconds since 1970.")
    state: str | None
    epoch: int | None
    epochs: int | None
    metrics: JSON | None = strawberry.field(description="Numbers by name.")
    text: str | None


@strawberry.type
class JobLooks:
    """What can be looked up."""

    @documented
    async def jobs(self, info: Asked) -> list[Job]:
        """Trainings in the background whose models the caller may read, the newest first."""
        found = await info.context.desk.all(info.context.credential)
        return [_job(job) for job in found]

    @documented
    async def job(self, info: Asked, id: str) -> Job | None:  # noqa: A002 - the schema's name
        """One training; null, with the error `not_found`, where there is none."""
        return _job(await info.context.desk.get(id, info.context.credential))


@strawberry.type
class JobChanges:
    """What can be changed."""

    @documented
    async def train(
        self,
        info: Asked,
        data: str,
        family: str = "mlp",
        name: str = "",
        epochs: int | None = None,
        recipe: JSON | None = None,
    ) -> Job:
        """Trains in the background; what else a recipe may say goes into `recipe`, an object."""
        said: dict[str, Any] = {"data": data, "family": family, "name": name}
        if epochs is not None:
            said["epochs"] = epochs
        more: Any = recipe or {}
        if not isinstance(more, dict) or more.keys() & said.keys():
            raise InvalidInput(
                f"recipe: expected an object without {', '.join(said)}", field="recipe"
            )
        return _job(await info.context.desk.train({**more, **said}, info.context.credential))

    @documented
    async def cancel_job(self, info: Asked, id: str) -> Job:  # noqa: A002
        """Stops a training; the best model so far is kept, once one epoch is done."""
        return _job(await info.context.desk.cancel(id, info.context.credential))

    @documented
    async def resume_job(self, info: Asked, id: str) -> Job:  # noqa: A002
        """Takes up a training that did not finish, from its last checkpoint."""
        return _job(await info.context.desk.resume(id, info.context.credential))


@strawberry.type
class Subscription:
    """What can be followed."""

    @strawberry.subscription(  # type: ignore[untyped-decorator]
        description="What a training tells, from the event after `after` on, until it is over."
    )
    async def job_progress(
        self,
        info: Asked,
        id: str,  # noqa: A002
        after: str = "0",
    ) -> AsyncGenerator[JobEvent, None]:
        """What a training tells."""
        if not (after.isascii() and after.isdigit() and len(after) < 16):
            raise InvalidInput("after: expected the id of an event", field="after")
        context = info.context
        async for event in context.desk.follow(id, context.credential, int(after)):
            yield _event(event)


def _job(job: store.Job) -> Job:
    said = described(job)
    return Job(**{**said, "recipe": JSON(said["recipe"])})


def _event(event: Event) -> JobEvent:
    said = event.said
    names = ("state", "epoch", "epochs", "metrics", "text")
    known = {name: said.get(name) for name in names}
    return JobEvent(id=str(event.id), kind=said["kind"], at=said["at"], **known)
