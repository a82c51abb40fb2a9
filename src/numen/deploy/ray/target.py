"""`numen deploy ray`: replicas on the Ray cluster that training and tuning use.

What is rendered is the plan, and the bundles where the nodes cannot read the catalog that this
machine does. Applying hands both to the deployment's supervisor, which is started where there is
none, and waits until the cluster is as the plan says.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np

from numen import cluster
from numen.core import settings as settings_
from numen.core.errors import InvalidInput, NotFound, NotReady, NumenError
from numen.core.key import mint
from numen.core.reference import check_name
from numen.core.settings import Port, Settings
from numen.deploy.base import Files, Note, Shipped
from numen.deploy.ray.plan import NAMESPACE, Carried, Count, Orders, Plan, actor_name
from numen.deploy.ray.supervisor import Supervisor
from numen.registry import Registry

_PLAN: Final = "deployment.json"
_POLL: Final = 0.2
# Longest that is waited for the cluster to be as the plan says, in seconds.
_SETTLES: Final = 300.0
_UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Options(msgspec.Struct, frozen=True):
    """What can be said of a deployment on a cluster."""

    on: Annotated[
        str, msgspec.Meta(description="The cluster: ray (RAY_ADDRESS), or ray://host:10001.")
    ] = "ray"
    name: Annotated[str, msgspec.Meta(description="What it is called there.")] = "numen"
    min: Annotated[Count, msgspec.Meta(description="Fewest replicas.")] = 1
    max: Annotated[
        int, msgspec.Meta(ge=0, le=1024, description="Most replicas; as the fewest if not said.")
    ] = 0
    load: Annotated[
        Count, msgspec.Meta(description="Requests under way that one replica is meant to have.")
    ] = 32
    calm: Annotated[
        float, msgspec.Meta(ge=1, description="Seconds of less load before one is taken away.")
    ] = 30
    cpus: Annotated[
        float, msgspec.Meta(gt=0, description="Processors of a replica, each with a worker.")
    ] = 1
    memory: Annotated[
        str, msgspec.Meta(description="Memory of a replica, such as 2GB; by the models' size.")
    ] = ""
    port: Annotated[
        Port, msgspec.Meta(description="The first port to try on a node; 0 takes any.")
    ] = 8000
    insecure: Annotated[bool, msgspec.Meta(description="Serve other machines without any key.")] = (
        False
    )


class RayTarget:
    """Replicas on a Ray cluster, scaled between bounds; a lost node is made up for.

    Args:
        options: What is wanted.
        settings: Whose catalog the models are of; this process's by default.
    """

    options: ClassVar[type[Options]] = Options
    applies: ClassVar[bool] = True
    verbs: ClassVar[tuple[str, ...]] = ("status", "down")

    def __init__(self, options: Options, settings: Settings | None = None):
        self._options = options
        self._settings = settings or settings_.load()[0]

    def render(self, models: Sequence[Shipped]) -> Files:
        """The plan, and the bundles it carries."""
        said = self._options
        check_name(said.name, "deployment")
        if len(said.name) > 40:
            raise InvalidInput("name: expected at most 40 characters", field="name")
        most = said.max or said.min
        if most < said.min:
            raise InvalidInput(f"max: expected {said.min} or more, received {most}", field="max")
        shared = bool(self._settings.catalog and self._settings.blobs)
        size = sum({each.bundle.digest: each.version.size for each in models}.values())
        carried = tuple(dict.fromkeys(Carried(each.version, each.aliases) for each in models))
        plan = Plan(
            said.name, tuple(dict.fromkeys(str(each.reference) for each in models)),
            models=() if shared else carried, shared=shared, size=size, least=said.min,
            most=most, load=said.load, calm=said.calm, cpus=said.cpus,
            memory=_bytes(said.memory), port=said.port, insecure=said.insecure,
        )  # fmt: skip
        files: dict[str, bytes | Path] = {
            _PLAN: msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"
        }
        if not shared:
            files |= {_place(each.bundle.digest): each.bundle.path for each in models}
        return files

    def apply(self, folder: Path, note: Note) -> dict[str, Any]:
        """Hands the plan to the cluster, and waits until it is so."""
        plan = msgspec.json.decode((folder / _PLAN).read_bytes(), type=Plan)
        note("joining the cluster")
        with self._joined() as ray:
            supervisor = _find(ray, plan.name) or _start(ray, plan.name)
            orders = self._orders(plan, ray.get(supervisor.secret.remote()))
            while not _handed_over(ray, supervisor, orders, folder, note):
                pass  # another one deployed at the same time
            return _settled(ray, supervisor, note)

    def status(self, note: Note) -> dict[str, Any]:
        """What there is of the deployment.

        Raises:
            NotFound: There is none of that name.
        """
        note("asking the cluster")
        with self._joined() as ray:
            told: dict[str, Any] = ray.get(self._there(ray).status.remote())
            return told

    def down(self, note: Note) -> dict[str, Any]:
        """Ends the deployment: replicas answer what they were asked, and go.

        Raises:
            NotFound: There is none of that name.
        """
        with self._joined() as ray:
            supervisor = self._there(ray)
            note("draining the replicas")
            ray.get(supervisor.stop.remote())
            ray.kill(supervisor)
        self._forget_key()
        return {"ended": self._options.name}

    @contextmanager
    def _joined(self) -> Iterator[Any]:
        ray = cluster.load(self._options.on)
        mine = cluster.connect(ray, self._options.on, local=False)
        try:
            yield ray
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, NumenError):
                raise error.cause from error
            raise
        except ray.exceptions.RayError as error:
            raise NotReady(f"ray: the supervisor was lost: {error}", hint="try again") from error
        finally:
            if mine:
                ray.shutdown()

    def _there(self, ray: Any) -> Any:
        name = self._options.name
        supervisor = _find(ray, name)
        if supervisor is None:
            raise NotFound(
                f'deployment "{name}" is not on this cluster', hint="numen deploy ray MODEL"
            )
        return supervisor

    def _orders(self, plan: Plan, secret: str) -> Orders:
        """The plan, with what must not be in a file: who may call, and where the catalog is."""
        settings = self._settings
        registry = Registry.of(settings)
        keys = registry.keys.all()
        if plan.shared:
            if keys and not secret:
                secret = registry.keys.create(self._key_name, actions=("read",))[1]
            where = {"NUMEN_CATALOG": settings.catalog_url, "NUMEN_BLOBS": settings.blobs_url}
            return Orders(plan, environment=where, secret=secret)
        if not keys:
            return Orders(plan)
        own, secret = mint(self._key_name, now=time.time(), actions=("read",))
        return Orders(plan, keys=(*keys, own), secret=secret)

    @property
    def _key_name(self) -> str:
        return f"deployment {self._options.name}"

    def _forget_key(self) -> None:
        keys = Registry.of(self._settings).keys
        for key in keys.all():
            if key.name == self._key_name and key.revoked is None:
                keys.revoke(key.id)


def _place(digest: str) -> str:
    return f"bundles/{digest.replace(':', '-')}"


def _bytes(text: str) -> int:
    """Bytes in `512MB` or `2GB`; 0 for none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT]?)B?", text) if text else None
    if text and match is None:
        raise InvalidInput(f'memory: expected such as 2GB, received "{text[:40]}"', field="memory")
    return int(float(match[1]) * _UNITS[match[2]]) if match else 0


def _find(ray: Any, name: str) -> Any:
    try:
        return ray.get_actor(actor_name(name), namespace=NAMESPACE)
    except ValueError:
        return None


def _start(ray: Any, name: str) -> Any:
    # On the head, whose end is the cluster's anyway; so what it wrote there is there again.
    return (
        ray.remote(Supervisor)
        .options(
            name=actor_name(name),
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            resources={"node:__internal_head__": 0.001},
            max_restarts=-1,
            max_task_retries=3,
            max_concurrency=8,
        )
        .remote(name)
    )


def _handed_over(ray: Any, supervisor: Any, orders: Orders, folder: Path, note: Note) -> bool:
    """Brings a supervisor its orders, and the bundles that it lacks; whether it lacks none."""
    lacking = ray.get(supervisor.lacks.remote(orders.plan.digests))
    note(f"carrying {len(lacking)} bundles" if lacking else "the bundles are there")
    packed = [
        ray.put(np.frombuffer(cluster.pack(folder / _place(digest)), np.uint8))
        for digest in lacking
    ]
    return bool(ray.get(supervisor.deploy.remote(orders, tuple(lacking), *packed)))


def _settled(ray: Any, supervisor: Any, note: Note) -> dict[str, Any]:
    """Waits until the cluster is as it was told to be.

    Raises:
        NotReady: It will not be, or it takes long; the supervisor goes on trying.
    """
    end = time.monotonic() + _SETTLES
    while True:
        told: Mapping[str, Any] = ray.get(supervisor.status.remote())
        replicas = told["replicas"]
        if told["settled"] and not told["error"]:
            return {
                "name": told["name"], "models": ", ".join(told["models"]),
                "replicas": len(replicas), "addresses": " ".join(told["addresses"]),
            }  # fmt: skip
        said = told["error"]
        if said or time.monotonic() > end:
            waiting = ", ".join(sorted({one["state"] for one in replicas})) or "none started"
            raise NotReady(
                f"ray: {said or f'the replicas are not ready: {waiting}'}",
                hint="numen deploy ray --status shows how it goes on",
            )
        ready = sum(one["state"] == "ready" for one in replicas)
        note(f"{ready} of {told['wanted']} replicas are ready")
        time.sleep(_POLL)
