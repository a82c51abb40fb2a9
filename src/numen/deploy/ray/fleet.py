"""A deployment's replicas as its supervisor sees them: started, asked, lost, let go.

Ray takes a dead node for living for some fifteen seconds, and would place actors on it. Here a
replica that does not say how it is, while its port is closed or its machine silent, is lost, and
its node is avoided for a while. One whose port is open is taken to be busy, for longer: who killed
it would leave its work to others that are as busy.
"""

from __future__ import annotations

import contextlib
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from numen.core.observe import logger
from numen.deploy.ray.plan import NAMESPACE, Orders, actor_name
from numen.deploy.ray.replica import Replica

_log = logger(__name__)
# Seconds that a replica is given to say how it is, and a port to say whether it is open; how often
# running one may fail to whose machine is silent too, and one that seems only to be busy.
_PATIENCE: Final = 0.5
_KNOCK: Final = 0.2
_SILENT: Final = 3
_BUSY: Final = 20
# Seconds for which the node of a lost replica is avoided; Ray knows better by then.
_AVOIDED: Final = 30.0
# Seconds after which one that says nothing since it was started is given up, or is taken to wait
# for room on the cluster.
_UNHEARD: Final = 60.0
_WAITS: Final = 15.0
# Seconds before another is started when one died that never said anything, and how many of these
# in a row are no accident, such as Ray's choosing a node that is dead.
_PAUSE: Final = 3.0
_DIED: Final = 4


@dataclass(slots=True, eq=False)
class Member:
    """A replica.

    Attributes:
        slot: Its number.
        actor: Ray's handle.
        orders: What it was last brought to.
        state: What it last said; see `Replica.state`.
        strikes: How often running it said nothing.
        began: When it was started.
    """

    slot: int
    actor: Any
    orders: Orders
    state: dict[str, Any] = field(default_factory=dict)
    strikes: int = 0
    began: float = field(default_factory=time.monotonic)
    _leaving: Any = None
    _bringing: tuple[Any, Orders] | None = None

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return bool(self.state.get("ready")) and self._leaving is None and not self.strikes

    @property
    def failed(self) -> str:
        """Why it will not be ready, as far as it knows; empty where it may be."""
        return str(self.state.get("failed", ""))

    @property
    def leaving(self) -> Any:
        """What Ray will answer when it has drained; None where it stays."""
        return self._leaving

    @property
    def waits(self) -> bool:
        """Whether there seems to be no room for it."""
        return not self.state and time.monotonic() - self.began > _WAITS

    @property
    def under_way(self) -> float:
        """Requests waiting or being answered there."""
        return float(self.state.get("under_way", 0.0)) if self.ready else 0.0

    def told(self) -> dict[str, Any]:
        """All of it as plain data."""
        if self._leaving is not None:
            word = "draining"
        elif self.ready:
            word = "ready"
        elif self.failed:
            word = "failed"
        elif self.strikes:
            word = "silent"
        else:
            word = "waiting for room" if self.waits else "starting"
        shown = ("node", "address", "grpc", "restarts", "under_way", "error")
        return {
            "slot": self.slot,
            "state": word,
            "revision": self.orders.revision,
            **{key: self.state.get(key) for key in shown},
        }

    def bring(self, orders: Orders, packed: Mapping[str, Any]) -> None:
        """Begins to bring other models to it."""
        self._bringing = (self.actor.update.remote(orders, packed), orders)

    def brought(self) -> str | None:
        """What came of `bring`: None while it is under way, empty if it went well."""
        import ray

        if self._bringing is None:
            return ""
        reference, orders = self._bringing
        if not ray.wait([reference], timeout=0)[0]:
            return None
        self._bringing = None
        try:
            ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            return f"replica {self.slot}: {error.cause}"
        except ray.exceptions.RayError:
            return ""  # it was lost, and another one starts with these orders
        self.orders = orders
        return ""

    def drain(self) -> None:
        """Begins to let it go."""
        self._leaving = self.actor.drain.remote()


class Fleet:
    """All replicas of a deployment.

    Args:
        name: The deployment's.

    Attributes:
        members: They, by slot.
        error: Why none can be started, where that is so.
    """

    def __init__(self, name: str):
        self.members: list[Member] = []
        self.error = ""
        self._name = name
        self._avoided: dict[str, float] = {}
        self._due = 0.0
        self._died = 0

    @property
    def staying(self) -> list[Member]:
        """Those that are not being let go."""
        return [member for member in self.members if member.leaving is None]

    @property
    def may_start(self) -> bool:
        """Whether it is of use to start another one now."""
        return time.monotonic() >= self._due

    def start(self, orders: Orders, packed: Mapping[str, Any]) -> Member:
        """Starts a replica in the first free slot, on a node that Ray chooses."""
        import ray

        taken = {member.slot for member in self.members}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        now = time.monotonic()
        self._avoided = {node: until for node, until in self._avoided.items() if until > now}
        away = {"ray.io/node-id": f"!in({', '.join(self._avoided)})"} if self._avoided else None
        plan = orders.plan
        actor = (
            ray.remote(Replica)
            .options(
                name=f"{actor_name(self._name)}/{slot}/{uuid.uuid4().hex[:8]}",
                namespace=NAMESPACE,
                lifetime="detached",
                num_cpus=plan.cpus,
                memory=plan.need,
                scheduling_strategy="SPREAD",
                label_selector=away,
                max_concurrency=8,
            )
            .remote(slot, orders, packed)
        )
        member = Member(slot, actor, orders)
        self.members = sorted([*self.members, member], key=lambda one: one.slot)
        return member

    def find(self, orders: Orders) -> None:
        """Takes in the replicas that are on the cluster already."""
        import ray

        for known in ray.util.list_named_actors(all_namespaces=True):
            prefix, _, _ = known["name"].rpartition("/")
            parent, _, slot = prefix.rpartition("/")
            if known["namespace"] == NAMESPACE and parent == actor_name(self._name):
                with contextlib.suppress(ValueError):  # it is gone by now
                    actor = ray.get_actor(known["name"], namespace=NAMESPACE)
                    self.members.append(Member(int(slot), actor, orders))
        self.members.sort(key=lambda one: one.slot)  # Ray lists them in any order
        self._ask()
        for member in self.members:
            if member.state:
                plan, revision = member.state["plan"], member.state["revision"]
                member.orders = Orders(plan, revision)

    def drain(self, member: Member) -> None:
        """Lets a replica go, once it has answered what it was asked."""
        if member.leaving is None:
            _log.info("replica %s drains", member.slot)
            member.drain()

    def look(self) -> None:
        """Asks all how they are, and forgets those that are lost or gone."""
        import ray

        for member in [one for one in self.members if one.leaving is not None]:
            if ray.wait([member.leaving], timeout=0)[0]:
                self._forget(member)
        self._ask()
        now = time.monotonic()
        heard = {one.state["node"] for one in self.staying if one.state and not one.strikes}
        for member in self.staying:
            if member.strikes and member.strikes >= _borne(member):
                node = member.state["node"]
                _log.error("replica %s on node %s is lost", member.slot, node[:6])
                if node not in heard:
                    self._avoided[node] = now + _AVOIDED
                self._forget(member)
            elif not member.state and now - member.began > _UNHEARD:
                self._forget(member)

    def _ask(self) -> None:
        import ray

        asked = {member.actor.state.remote(): member for member in self.staying}
        if not asked:
            return
        # Who was never heard is not there yet; nobody is kept waiting for it.
        heard = [said for said, member in asked.items() if member.state]
        if heard:
            ray.wait(heard, num_returns=len(heard), timeout=_PATIENCE)
        for said, member in asked.items():
            self._hear(said, member)

    def _hear(self, said: Any, member: Member) -> None:
        import ray

        try:
            state = ray.get(said, timeout=0.05)
            if not member.state:
                self._died, self.error = 0, ""
            member.state, member.strikes = state, 0
        except ray.exceptions.ActorDiedError as error:
            # Its process ended, and its node lived to tell: another one may go there.
            why = f"replica {member.slot}: {error}".partition("\n")[0]
            _log.error("%s", why)
            if not member.state:
                self._died += 1
                self._due = time.monotonic() + _PAUSE
                self.error = why if self._died >= _DIED else ""
            self._forget(member)
        except ray.exceptions.RayError:
            member.strikes += bool(member.state)

    def _forget(self, member: Member) -> None:
        import ray

        with contextlib.suppress(Exception):  # it may be dead, or Ray may take it for dead
            ray.kill(member.actor)
        self.members.remove(member)


def _borne(member: Member) -> int:
    """How often running a replica may fail to say how it is until it is lost."""
    if not member.state["ready"]:
        return _BUSY  # a closed port says nothing while its server is only starting
    host, _, port = member.state["address"].removeprefix("http://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK).close()
    except ConnectionRefusedError:
        return 1
    except OSError:  # nor does its machine say
        return _SILENT
    return _BUSY
