"""What resolvers work with, and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from strawberry.types import Info

from numen.control.jobs.desk import Desk
from numen.core.bundle import Bundle
from numen.core.key import Action
from numen.core.message import Grant
from numen.registry import Registry
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.store.catalog import ModelVersion


@dataclass(frozen=True, slots=True)
class Context:
    """What resolvers work with, who asks, and the operation that is named, if any."""

    service: Service
    registry: Registry
    desk: Desk
    credential: bytes = field(default=b"", repr=False)
    operation: str | None = None

    def admit(self, model: str, action: Action) -> Grant | None:
        """The leave that the caller has to do this; raises where there is none."""
        return self.service.admission.check(self.credential, model, action)

    def bundle(self, version: ModelVersion) -> Bundle:
        """A version's bundle, from memory where the version is live. Blocks."""
        live = self.service.models.get(version.name)
        found = live.versions.get(str(version.version)) if live else None
        if isinstance(found, Endpoint):
            return found.bundle
        return self.registry.open(version, verify=False)


Asked: TypeAlias = Info[Context, None]
