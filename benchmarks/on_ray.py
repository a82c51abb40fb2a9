"""On a Ray cluster: numen's own port on a node beside Ray Serve's proxy, in the same run.

    python benchmarks/on_ray.py --rounds 3 --seconds 3

Needs numen, `ray[serve]`, onnx and wrk. One node on core 0, load from core 1. Behind the proxy is
a Serve replica with numen's own app: the same models, doors and batching, but for the port. Both
are asked for a right answer before they are loaded, in turn, so that what else the machine does
is the same for both. The script is not called as Ray's module is, which it would hide.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

import httpx
import numpy as np
import ray
from ray import serve

import networks
from host import machine, stop_when_told
from loads import LOADS, Load, wrk
from messages import Door, door
from servers import LOAD_CORE, SERVER_CORE, free_ports, publish
from verify import TOLERANCE

MODEL = "mlp"
KINDS = ("json", "binary")


def app() -> Any:
    """numen's own app with its models, as Ray Serve wants it."""
    from numen.control.app import build
    from numen.core import settings
    from numen.registry import Registry
    from numen.serve.service import Service
    from numen.server.keeper import Keeper

    current = settings.load()[0]
    registry = Registry.of(current)
    service = Service(max_rows=current.max_batch, max_queue=current.max_queue)
    made = build(service, registry, current)

    @contextlib.asynccontextmanager
    async def alive(_app: Any) -> AsyncIterator[None]:
        await Keeper(service, registry, current).update()
        yield

    made.router.lifespan_context = alive
    return made


def behind_proxy(port: int) -> str:
    """Ray Serve's proxy before one replica; its address."""

    @serve.ingress(app)
    class Models:
        pass

    serve.start(http_options={"host": "127.0.0.1", "port": port})
    limits = {"num_replicas": 1, "max_ongoing_requests": 1024, "ray_actor_options": {"num_cpus": 1}}
    serve.run(serve.deployment(**limits)(Models).bind(), name="models", route_prefix="/")
    return f"http://127.0.0.1:{port}"


def own_port(folder: Path, port: int) -> str:
    """`numen deploy ray`; the address it gives."""
    from numen.api.deploy import deploy

    done = deploy("ray", [MODEL], folder / "deploy", {"port": port})
    return str((done.applied or {})["addresses"])


def pin(pid: int) -> None:
    """Binds a process, and all that it started, to the servers' core, now that they are ready."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                pin(int(folder.name))
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(thread.name), {int(SERVER_CORE)})


def right(address: str, kind: str, entry: Door, predict: Callable[[np.ndarray], Any]) -> None:
    """Waits until a server answers, and sees that it answers rightly."""
    x = networks.digits(MODEL, 1, np.random.default_rng(1))
    body, headers = entry.encode(x)
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.TransportError):
            said = httpx.post(f"{address}{entry.path}", content=body, headers=headers, timeout=10)
            if said.status_code == 200:
                gap = np.abs(entry.decode(said.content, said.headers) - np.ravel(predict(x))).max()
                if gap > TOLERANCE:
                    raise RuntimeError(f"{address} {kind}: off by {gap}")
                return
        if time.monotonic() > end:
            raise RuntimeError(f"{address} {kind}: no answer")
        time.sleep(0.2)


def measure(servers: dict[str, str], predict: Any, rounds: int, seconds: int) -> list[dict]:
    """Each load on each server in turn; medians over the rounds."""
    doors = {kind: door(kind, MODEL, {}) for kind in KINDS}
    for address in servers.values():
        for kind, entry in doors.items():
            right(address, kind, entry, predict)
    runs: dict[tuple[str, Load], list[Any]] = {}
    loads = [load for load in LOADS if load.kind in KINDS and load.rows == 1]
    for _ in range(rounds):
        for load in loads:
            body, headers = doors[load.kind].encode(
                networks.digits(MODEL, load.rows, np.random.default_rng(7))
            )
            for name, address in servers.items():
                url, pinned = f"{address}{doors[load.kind].path}", ["taskset", "-c", LOAD_CORE]
                wrk(pinned, url, body, headers, load.connections, 1)
                found = wrk(pinned, url, body, headers, load.connections, seconds)
                runs.setdefault((name, load), []).append(found)
    return [
        {
            "server": name, "kind": load.kind, "connections": load.connections,
            "rps": round(statistics.median(each.rps for each in found)),
            "p50_ms": round(statistics.median(each.p50_ms for each in found), 2),
            "p99_ms": round(statistics.median(each.p99_ms for each in found), 2),
            "failed": sum(each.failed for each in found),
            "runs": [round(each.rps) for each in found],
        }
        for (name, load), found in runs.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    arguments = parser.parse_args()
    stop_when_told()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = networks.write(folder)[MODEL]
        publish(model, folder / "home")
        os.environ["NUMEN_HOME"] = str(folder / "home")
        own, proxied = free_ports(2)
        ray.init(
            address="local", num_cpus=4, include_dashboard=False, log_to_driver=False,
            logging_level="ERROR", object_store_memory=200 << 20,
        )  # fmt: skip
        try:
            os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
            servers = {"own port": own_port(folder, own), "proxy": behind_proxy(proxied)}
            pin(os.getpid())
            rows = measure(servers, networks.reference(model), arguments.rounds, arguments.seconds)
        finally:
            with contextlib.suppress(Exception):
                serve.shutdown()
            ray.shutdown()
    for row in rows:
        print(json.dumps(row), file=sys.stderr)
    by = {(row["server"], row["kind"], row["connections"]): row["rps"] for row in rows}
    ratios = {
        f"{kind}, {connections} connections": round(rps / by["proxy", kind, connections], 1)
        for (name, kind, connections), rps in by.items()
        if name == "own port"
    }
    print(json.dumps(machine() | {"ray": ray.__version__, "figures": rows, "ratios": ratios}))


if __name__ == "__main__":
    main()
