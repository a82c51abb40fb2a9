"""One replica: an actor on a node that brings the models there and keeps a server running.

It has a home of its own on the node. Where the catalog is shared, the home is a cache; else it
holds a catalog of just the models that were carried, under the names and versions they have
elsewhere, so that other models go live in the running server as they do after `promote`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from numen.cluster import unpack
from numen.core import observe, settings
from numen.core.bundle import Bundle
from numen.core.errors import NotReady
from numen.core.observe import logger
from numen.core.settings import Settings
from numen.deploy.ray.child import Child, environment_of
from numen.deploy.ray.plan import Orders
from numen.registry import Registry
from numen.store.jobs import Jobs
from numen.store.keys import Keys

_log = logger(__name__)
# Longest that a server may take until models that were carried there are live, in seconds.
_LIVE: Final = 120.0
_POLL: Final = 0.1
# How often a server may end before it was ever ready, until its words are taken for an answer.
_FAILS: Final = 2


class Replica:
    """A server on the node where this actor is placed.

    Args:
        slot: Its number among the replicas of its deployment; another one that takes its place
            on another node has the same, and goes on with the trainings that it had begun.
        orders: What to serve, and how.
        packed: Each carried bundle's place in the object store, by digest.
    """

    def __init__(self, slot: int, orders: Orders, packed: Mapping[str, Any]):
        import ray

        observe.setup()
        context = ray.get_runtime_context()
        self._slot = slot
        self._orders = orders
        self._node = context.get_node_id()
        self._ip = ray.util.get_node_ip_address()
        self._cluster = context.gcs_address
        self._home = settings.load()[0].home_path / "ray" / orders.plan.name / str(slot)
        self._registry: Registry | None = None
        self._child: Child | None = None
        self._live = False
        self._error = ""
        self._leaving = False
        threading.Thread(target=self._run, args=(packed,), daemon=True).start()

    def state(self) -> dict[str, Any]:
        """How it is, as plain data; `plan` is the one it was last brought to."""
        child = self._child
        # A server that was ready once will be again.
        fails = bool(child and not self._live and child.restarts >= _FAILS)
        error = self._error or (child.error if child else "")
        return {
            "slot": self._slot,
            "node": self._node,
            "address": child.address if child else "",
            "grpc": child.grpc if child else 0,
            "ready": bool(child and child.ready and self._live),
            "restarts": child.restarts if child else 0,
            "under_way": child.under_way if child else 0.0,
            "error": error,
            "failed": error if self._error or fails else "",
            "revision": self._orders.revision,
            "plan": self._orders.plan,
        }

    def update(self, orders: Orders, packed: Mapping[str, Any]) -> None:
        """Makes other models live in the running server, and waits until they are.

        Raises:
            NotReady: One did not become live; what was live before still is.
        """
        self._bring(orders, packed)
        self._wait_live(orders)
        self._orders = orders

    def drain(self) -> None:
        """Ends the server, once it has answered what it was asked."""
        self._leaving = True
        if self._child is not None:
            self._child.drain()

    def _run(self, packed: Mapping[str, Any]) -> None:
        try:
            self._bring(self._orders, packed)
            self._child = child = self._make()
            threading.Thread(target=self._greet, daemon=True).start()
            child.watch()
        except Exception as error:
            _log.exception("replica %s", self._slot)
            self._error = f"{error}"

    def _greet(self) -> None:
        """A server that is ready without a model that it could not open is not."""
        try:
            self._wait_live(self._orders)
            self._live = True
        except Exception as error:
            self._error = f"{error}"

    def _make(self) -> Child:
        plan, more = self._orders.plan, {"RAY_ADDRESS": self._cluster}
        arguments = ["--workers", str(plan.workers), *(["--insecure"] if plan.insecure else [])]
        if plan.shared:
            more |= self._orders.environment
            arguments = [*plan.references, *arguments]
            place = self._home / "jobs" / "place"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"ray/{plan.name}/{self._slot}", "utf-8")
        else:
            # It is this actor that says what is in it; its connection keeps the journal there.
            more["NUMEN_KEYS_FILE"] = ""
            more["NUMEN_CATALOG"] = f"sqlite:///file:{self._home}/catalog.db?mode=ro&uri=true"
        environment = environment_of(self._home, more)
        return Child(self._home, arguments, environment, self._ip, plan.port, self._orders.secret)

    def _bring(self, orders: Orders, packed: Mapping[str, Any]) -> None:
        """Fetches the bundles that are not here, and says in the catalog what they are called."""
        self._home.mkdir(parents=True, exist_ok=True)
        if orders.plan.shared:
            return
        if self._registry is None:
            self._registry = Registry.of(Settings(home=str(self._home)))
            Jobs(self._registry.catalog.database)  # who only reads makes no tables
        for digest, reference in packed.items():
            self._fetch(self._registry, digest, reference)
        Keys(self._registry.catalog.database).replace(orders.keys)
        self._registry.catalog.replace(orders.plan.snapshot())

    def _fetch(self, registry: Registry, digest: str, reference: Any) -> None:
        import ray

        if registry.has(digest):
            return
        folder = self._home / "fetched" / digest.replace(":", "-")
        unpack(ray.get(reference), folder)
        registry.take(Bundle.open(folder, digest))

    def _wait_live(self, orders: Orders) -> None:
        left = [each.version for each in orders.plan.models]
        end = time.monotonic() + _LIVE
        while not self._leaving:
            child = self._child
            if child is not None and child.ready:
                left = [one for one in left if not child.serves(one.name, one.version)]
                if not left:
                    return
                if refused := child.refuses(left[0].name, left[0].version):
                    raise NotReady(refused)
            if time.monotonic() > end:
                one = left[0] if left else None
                what = f"{one.name}@{one.version}" if one else "the server"
                raise NotReady(f"{what} did not become live within {_LIVE:.0f} s")
            time.sleep(_POLL)
