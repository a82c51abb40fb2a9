"""What is to run on a cluster, as plain data: what `render` writes and a supervisor keeps true."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from numen.core.key import Key
from numen.store.catalog import ModelVersion, Snapshot

NAMESPACE: Final = "numen"
# What a serving process takes with no model in it, and how often an open model holds its weights.
_PROCESS: Final = 256 << 20
_COPIES: Final = 3

Count = Annotated[int, msgspec.Meta(ge=1, le=1024)]


class Carried(msgspec.Struct, frozen=True):
    """A model that goes to the nodes.

    Attributes:
        version: What it is called, as where it was deployed from.
        aliases: Those that stand for it there.
    """

    version: ModelVersion
    aliases: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    """A deployment.

    Attributes:
        name: What it is called on the cluster.
        references: What was asked for; where the catalog is shared, each replica follows it.
        models: What is carried to the nodes; none where the catalog is shared.
        shared: The nodes read the catalog and the blobs that this machine does.
        size: Bytes of the models' files.
        least: Fewest replicas.
        most: Most replicas.
        load: Requests under way at once that one replica is meant to have.
        calm: Seconds of less load before a replica is taken away.
        cpus: Processors of a replica; from two on it serves with so many workers.
        memory: Bytes of a replica; 0 is by the models' size.
        port: The first port that a node's replicas try.
        insecure: Serve other machines although there is no key.
    """

    name: str
    references: tuple[str, ...]
    models: tuple[Carried, ...] = ()
    shared: bool = False
    size: int = 0
    least: Count = 1
    most: Count = 1
    load: Count = 32
    calm: float = 30.0
    cpus: float = 1.0
    memory: int = 0
    port: int = 8000
    insecure: bool = False

    @property
    def workers(self) -> int:
        """Processes of a replica."""
        return max(1, int(self.cpus))

    @property
    def need(self) -> int:
        """Bytes that a replica is placed by."""
        return self.memory or self.workers * _PROCESS + _COPIES * self.size

    @property
    def digests(self) -> tuple[str, ...]:
        """The bundles that are carried, each once."""
        return tuple(dict.fromkeys(each.version.digest for each in self.models))

    def snapshot(self) -> Snapshot:
        """What a node's own catalog holds."""
        return Snapshot.of((each.version, each.aliases) for each in self.models)

    def fits(self, running: Plan) -> bool:
        """Whether a replica that was started by another plan can be brought to this one.

        Other models go live in a server that runs. Another place or another size needs another.
        """
        if self.shared and self.references != running.references:
            return False
        fixed = ("shared", "cpus", "port", "insecure")
        same = all(getattr(self, name) == getattr(running, name) for name in fixed)
        return same and self.need <= running.need


class Orders(msgspec.Struct, frozen=True):
    """What a supervisor is told to keep true, and what it needs to know for that.

    Attributes:
        plan: The deployment.
        revision: How often it was told.
        environment: Of the servers, where the catalog is shared.
        keys: Who may call, where the catalog is not shared; digests alone.
        secret: A key of its own, to ask the servers how they are; empty where none is needed.
    """

    plan: Plan
    revision: int = 0
    environment: dict[str, str] = {}
    keys: tuple[Key, ...] = ()
    secret: str = ""


def actor_name(deployment: str) -> str:
    """What a deployment's supervisor is called on the cluster; its replicas' names begin so."""
    return f"deploy/{deployment}"
