"""What callers over the network may do with jobs, whichever door they come by.

What counts is the model that a job is for. `read` looks and `manage` changes; a job that publishes
nothing is a matter of all models.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from numen.control.jobs.events import Event
from numen.control.jobs.queue import Queue
from numen.control.jobs.rules import SAMPLE, checked
from numen.core.errors import NotFound
from numen.core.key import Action
from numen.registry import Registry
from numen.serve.service import Service
from numen.store.jobs import Job
from numen.train.recipe import Recipe


class Desk:
    """What callers may do with jobs, whichever door they come by.

    Args:
        service: Whose admission says who may.
        registry: The published models, whose database holds the jobs too.
        queue: The queue.
    """

    def __init__(self, service: Service, registry: Registry, queue: Queue):
        self.service = service
        self.queue = queue
        self._registry = registry

    async def train(self, said: dict[str, Any], credential: bytes) -> Job:
        """Queues a training, as far as a network may ask for one."""
        recipe = checked(said, anything=self.queue.settings.any_recipe)
        self.service.admission.check(credential, recipe.name, "manage")
        return await asyncio.to_thread(self._add, recipe)

    async def all(self, credential: bytes) -> list[Job]:
        """Jobs that the caller may see, the newest first."""
        found = await asyncio.to_thread(self.queue.all)
        models = {job.model for job in found}
        seen = set(self.service.admission.allowed(credential, models, "read"))
        return [job for job in reversed(found) if job.model in seen]

    async def get(self, id_: str, credential: bytes, action: Action = "read") -> Job:
        """A job, if the caller may do this to it."""
        self.service.admission.allowed(credential, (), action)
        job = await asyncio.to_thread(self.queue.get, id_)
        self.service.admission.check(credential, job.model, action)
        return job

    async def cancel(self, id_: str, credential: bytes) -> Job:
        """Stops a job."""
        await self.get(id_, credential, "manage")
        return await asyncio.to_thread(self.queue.cancel, id_)

    async def resume(self, id_: str, credential: bytes) -> Job:
        """Queues a job again."""
        await self.get(id_, credential, "manage")
        return await asyncio.to_thread(self.queue.resume, id_)

    async def follow(self, id_: str, credential: bytes, after: int = 0) -> AsyncIterator[Event]:
        """A job's events until it is over, or until the caller may look no more."""
        job = await self.get(id_, credential)
        async for event in self.queue.follow(id_, after):
            self.service.admission.check(credential, job.model, "read")
            yield event

    def _add(self, recipe: Recipe) -> Job:
        trusted = self.queue.settings.any_recipe
        if recipe.data.startswith(SAMPLE):
            from numen.data import intake  # what reads data is not there on every server

            if intake.find(recipe.data) is None:
                raise NotFound(f'data: there is no "{recipe.data[:80]}"', field="data")
        elif not trusted:
            from numen.data.names import find_version

            find_version(recipe.data, self._registry.catalog, self._registry.blobs)
        where = str(Path.cwd()) if trusted else ""
        return self.queue.add(recipe, trusted=trusted, where=where)


def described(job: Job) -> dict[str, Any]:
    """A job as plain data, without the paths of the machine."""
    said = job.as_dict()
    data = str(job.recipe.get("data", ""))
    said["recipe"] = {**job.recipe, "data": Path(data).name if os.sep in data else data}
    if said["result"]:
        said["result"] = {k: v for k, v in said["result"].items() if k != "bundle"}
    return said
