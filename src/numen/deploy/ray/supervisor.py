"""A deployment's supervisor: an actor on the cluster's head that keeps a plan true.

It starts replicas, sees that they are there, replaces those that are lost, follows the load and
brings other models to them one after the other. Ray places actors and starts this one again when
it dies; what it has to know for that lies on the head's disk, and its replicas live on without it.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from numen.core import observe, settings
from numen.core.observe import logger
from numen.deploy.ray.fleet import Fleet, Member
from numen.deploy.ray.plan import Orders
from numen.deploy.ray.scale import Scale

_log = logger(__name__)
_TICK: Final = 0.25
# Longest that replicas are waited for at the end, in seconds.
_END: Final = 40.0
_ORDERS: Final = "orders.json"


class Supervisor:
    """Keeps a deployment as its plan says.

    Args:
        name: The deployment's.
    """

    def __init__(self, name: str):
        observe.setup()
        self._folder = settings.load()[0].home_path / "ray" / name / "supervisor"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._fleet = Fleet(name)
        self._scale = Scale()
        self._packed: dict[str, Any] = {}
        self._orders: Orders | None = None
        self._wanted = 0
        self._bringing: Member | None = None
        self._before: Orders | None = None  # what was true, until what was told since is
        self._error = ""
        self._gone = threading.Event()
        if (self._folder / _ORDERS).is_file():
            self._take_up()
        threading.Thread(target=self._run, daemon=True).start()

    def lacks(self, digests: tuple[str, ...]) -> list[str]:
        """Those of some bundles that are not here yet."""
        return [digest for digest in digests if not self._file(digest).is_file()]

    def secret(self) -> str:
        """The key that it asks servers with; empty where it has none."""
        return self._orders.secret if self._orders else ""

    def deploy(self, orders: Orders, digests: tuple[str, ...], *packed: Any) -> int:
        """Takes new orders, and follows them from now on.

        Args:
            orders: What is to be.
            digests: The bundles that come along.
            *packed: They, each uint8[bytes].

        Returns:
            The revision by which `status` speaks of them; 0 where a bundle that was here when
            `lacks` was asked is not any more.
        """
        with self._lock:
            for digest, content in zip(digests, packed, strict=True):
                _write(self._file(digest), memoryview(content))
            if self.lacks(orders.plan.digests):
                return 0
            revision = self._orders.revision + 1 if self._orders else 1
            orders = msgspec.structs.replace(orders, revision=revision)
            self._before = self._before or self._orders
            self._follow(orders)
            self._error = self._fleet.error = ""
        return revision

    def status(self) -> dict[str, Any]:
        """What there is, as plain data."""
        with self._lock:
            orders = self._orders
            if orders is None:
                return {"replicas": [], "addresses": [], "settled": False, "error": ""}
            told = [member.told() for member in self._fleet.members]
            ready = [one for one in told if one["state"] == "ready"]
            return {
                "name": orders.plan.name,
                "revision": orders.revision,
                "models": [
                    f"{each.version.name}@{each.version.version}" for each in orders.plan.models
                ] or list(orders.plan.references),
                "addresses": [one["address"] for one in ready],
                "replicas": told,
                "wanted": self._wanted,
                "under_way": round(self._under_way(), 2),
                "settled": self._is_settled(),
                "error": self._error or self._fleet.error,
            }  # fmt: skip

    def stop(self) -> None:
        """Drains all replicas and forgets the deployment."""
        self._gone.set()
        with self._lock:
            for member in self._fleet.members:
                self._fleet.drain(member)
        end = time.monotonic() + _END
        while self._fleet.members and time.monotonic() < end:
            with self._lock:
                self._fleet.look()
            time.sleep(_TICK)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self) -> None:
        while not self._gone.wait(_TICK):
            try:
                with self._lock:
                    self._tick()
            except Exception:
                _log.exception("the deployment is looked after again in a moment")

    def _tick(self) -> None:
        self._fleet.look()
        if self._orders is None:
            return
        plan = self._orders.plan
        self._wanted = self._scale.see(time.monotonic(), self._under_way(), plan)
        new = [each for each in self._fleet.staying if plan.fits(each.orders.plan)]
        old = [each for each in self._fleet.staying if not plan.fits(each.orders.plan)]
        failed = next((one for one in new if one.failed), None)
        if failed is not None:
            self._refuse(f"replica {failed.slot}: {failed.failed}")
            return
        self._grow(new, old)
        self._shrink(new, old)
        self._bring(new)
        if self._before is not None and self._is_settled():
            self._before = None
            self._carry(self._orders)

    def _is_settled(self) -> bool:
        """Whether all is as it was told."""
        revision = self._orders.revision if self._orders else 0
        members = self._fleet.members
        current = [one for one in members if one.ready and one.orders.revision == revision]
        return len(current) == len(members) == self._wanted

    def _follow(self, orders: Orders) -> None:
        _write(self._folder / _ORDERS, msgspec.json.encode(orders))
        self._carry(orders)
        self._orders = orders
        self._wanted = min(max(self._wanted, orders.plan.least), orders.plan.most)

    def _refuse(self, why: str) -> None:
        """Goes back to what was true before the orders that cannot be followed."""
        if why != self._error:
            _log.error("%s", why)
        self._error = why
        if self._before is None or self._orders is None:
            return
        orders = msgspec.structs.replace(self._before, revision=self._orders.revision + 1)
        self._before = None
        for member in self._fleet.staying:
            if member.failed:
                self._fleet.drain(member)
        self._follow(orders)

    def _under_way(self) -> float:
        return math.fsum(member.under_way for member in self._fleet.staying)

    def _grow(self, new: list[Member], old: list[Member]) -> None:
        """Starts what is missing; beside old ones that are to be replaced, one at a time."""
        assert self._orders is not None
        missing = self._wanted - len(new)
        if old:
            missing = min(missing, max(0, self._wanted + 1 - len(new) - len(old)))
        if self._fleet.may_start:
            new += [self._fleet.start(self._orders, self._packed) for _ in range(missing)]

    def _shrink(self, new: list[Member], old: list[Member]) -> None:
        """Lets go of who is too many: an old one for each new one that is ready."""
        ready = [member for member in new if member.ready]
        stuck = any(member.waits for member in new) and len(ready) + len(old) > 1
        for member in old[: max(0, len(ready) + len(old) - self._wanted + stuck)]:
            self._fleet.drain(member)
        if not old:
            for member in new[self._wanted :]:
                self._fleet.drain(member)

    def _bring(self, new: list[Member]) -> None:
        """Brings replicas to new models, one after the other."""
        assert self._orders is not None
        if self._bringing is not None:
            said = self._bringing.brought()
            if said is None:
                return
            self._bringing = None
            if said:
                self._refuse(said)
        for member in new:
            if member.ready and member.orders.revision < self._orders.revision:
                member.bring(self._orders, self._packed)
                self._bringing = member
                return

    def _take_up(self) -> None:
        """Goes on with what another life of this actor had begun."""
        self._orders = msgspec.json.decode((self._folder / _ORDERS).read_bytes(), type=Orders)
        self._carry(self._orders)
        self._fleet.find(self._orders)
        _log.info("took up %s replicas", len(self._fleet.members))

    def _carry(self, orders: Orders) -> None:
        """Puts bundles into the object store, from which replicas fetch them."""
        import ray

        wanted = set(orders.plan.digests)
        wanted |= set(self._before.plan.digests) if self._before else set()
        for digest in wanted - self._packed.keys():
            self._packed[digest] = ray.put(np.fromfile(self._file(digest), np.uint8))
        self._packed = {digest: self._packed[digest] for digest in wanted}
        for path in self._others(wanted):
            path.unlink()

    def _others(self, wanted: set[str]) -> Iterator[Path]:
        kept = {self._file(digest) for digest in wanted}
        return (path for path in self._folder.glob("*.bundle") if path not in kept)

    def _file(self, digest: str) -> Path:
        return self._folder / f"{digest.replace(':', '-')}.bundle"


def _write(path: Path, content: bytes | memoryview) -> None:
    """Replaces a file whole; nobody else on the machine may read it."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    partial.touch(mode=0o600)
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
