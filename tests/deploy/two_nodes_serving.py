"""Two deployments on a Ray cluster of two nodes, one of which is killed; prints what came of it.

`digits` carries its model to the nodes; `shared` reads the catalog that this process writes. Run
as a process of its own: a cluster does not share one with other tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# Before Ray is imported: everything stays on the loopback address, and nobody is phoned.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.update(RAY_worker_niceness="0")  # or they hardly run while the machine is busy

import httpx
import numpy as np
import ray
from ray.cluster_utils import Cluster

from numen.api.data import library
from numen.api.deploy import deploy, target
from numen.core.bundle import Bundle, Golden, pack_golden
from numen.core.errors import NumenError
from numen.core.settings import Settings
from numen.deploy.ray.plan import NAMESPACE, actor_name
from numen.registry import Registry
from parts import make_bundle
from ray_nodes import add_node

SECONDS = 280  # after which it gives up
ROW = np.full((1, 28, 28), 100.0, np.float32)
BODY = {
    "inputs": [{"name": "image", "shape": [1, 28, 28], "datatype": "FP32", "data": ROW.tolist()}]
}


class Load:
    """Callers, each of which asks one address after the other until it is answered.

    Args:
        addresses: Whom to ask, read anew before each request.
        callers: How many.
    """

    def __init__(self, addresses: Callable[[], list[str]], callers: int = 4):
        self.answers: list[tuple[float, str, list[float]]] = []
        self.refused = 0
        self.unanswered: list[str] = []
        self._addresses = addresses
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(callers)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not self._ended.is_set():
                self._ask(client, number)

    def _ask(self, client: httpx.Client, number: int) -> None:
        known = self._addresses()
        why = "nobody is known"
        for turn in range(len(known)):
            address = known[(number + turn) % len(known)]
            try:
                said = client.post(f"{address}/v2/models/linear/infer", json=BODY)
            except httpx.TransportError as error:
                self.refused += 1
                why = repr(error)
                continue
            if said.status_code == 200:
                row = said.json()["outputs"][0]["data"]
                self.answers.append((time.monotonic(), address, row))
                return
            why = said.text
        self.unanswered.append(why)


def crowd(address: str, ended: threading.Event) -> None:
    """Many requests at once on one connection, until it has ended."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    body = json.dumps(BODY).encode()
    head = f"POST /v2/models/linear/infer HTTP/1.1\r\nHost: {host}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    many = (head.encode() + body) * 48
    with socket.create_connection((host, int(port))) as line, line.makefile("rb") as answers:
        while not ended.is_set():
            line.sendall(many)
            for _ in range(48):
                length = 0
                while (said := answers.readline().lower()) != b"\r\n":
                    if said.startswith(b"content-length:"):
                        length = int(said.partition(b":")[2])
                answers.read(length)


def until(true: Callable[[], bool], seconds: float = 60) -> float:
    """Seconds until something is true."""
    begin = time.monotonic()
    while not true():
        if time.monotonic() - begin > seconds:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.05)
    return time.monotonic() - begin


def status(name: str) -> dict:
    return target("ray", {"name": name}).status(lambda _: None)


def answers(address: str) -> list[float]:
    with contextlib.suppress(httpx.TransportError):
        said = httpx.post(f"{address}/v2/models/linear/infer", json=BODY, trust_env=False)
        if said.status_code == 200:
            return said.json()["outputs"][0]["data"]
    return []


def family_of(pid: int) -> list[int]:
    """A process and all that it, and they, have started."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found += family_of(int(path.parent.name))
    return found


def processes(are: Callable[[list[bytes]], bool]) -> list[int]:
    """Those on this machine that are meant, told from the words of their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if are(path.read_bytes().split(b"\0")):
                found.append(int(path.parent.name))
    return found


def kill(node) -> None:
    """A node's power goes: all its processes at once."""
    for processes in node.all_processes.values():
        for info in processes:
            for pid in family_of(info.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def update(folder: Path, registry: Registry, options: dict) -> dict:
    """Another version under load, in place."""
    known = status("digits")["addresses"]
    registry.publish("linear", make_bundle(folder / "make", seed=1), alias="champion")
    with Load(lambda: known) as load:
        time.sleep(0.3)
        deploy("ray", ["linear"], folder / "out", options)
        time.sleep(0.3)
    rows = [round(row[0], 5) for _, _, row in load.answers]
    return {
        "unanswered": load.unanswered, "refused": load.refused,
        "answers": [rows[0], rows[-1]], "kinds": len(set(rows)),
        "same": status("digits")["addresses"] == known,
    }  # fmt: skip


def refuse(folder: Path, registry: Registry, options: dict) -> dict:
    """A version that does not answer as recorded is not served, and what was goes on."""
    good = make_bundle(folder / "make", seed=4)
    golden = good.golden()
    wrong = {name: array[::-1] for name, array in golden.outputs.items()}
    bad = Bundle.write(
        folder / "make" / "bad", good.manifest,
        {"predict.onnx": good.path / "predict.onnx",
         "golden.npz": pack_golden(Golden(golden.inputs, wrong))},
    )  # fmt: skip
    known = status("digits")["addresses"]
    before = [answers(each) for each in known]
    registry.publish("linear", bad)
    try:
        deploy("ray", ["linear@3"], folder / "out", options)
        said = ""
    except NumenError as error:
        said = f"{error.code}: {error.message}"
    until(lambda: status("digits")["settled"])
    return {
        "said": said, "models": status("digits")["models"],
        "same": [answers(each) for each in known] == before,
    }  # fmt: skip


def restart() -> dict:
    """The supervisor dies, and goes on with what it had begun."""
    before = settled()
    supervisor = ray.get_actor(actor_name("digits"), namespace=NAMESPACE)
    ray.kill(supervisor, no_restart=False)
    after = settled()
    return {
        "same": before["addresses"] == after["addresses"],
        "restarts": sum(one["restarts"] for one in after["replicas"]),
    }


def hush() -> dict:
    """A replica is too busy to say how it is for a while; its server answers."""
    before = settled()
    pids = processes(lambda words: words[0].startswith(b"ray::Replica"))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    until(lambda: not status("digits")["addresses"])
    time.sleep(4)
    answered = [bool(answers(each)) for each in before["addresses"]]
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    return {
        "hushed": len(pids),
        "answered": answered,
        "same": settled()["addresses"] == before["addresses"],
    }


def settled() -> dict:
    """A status in which no replica is late with its answer, as one is now and then."""
    told: dict = {}

    def is_settled() -> bool:
        told.update(status("digits"))
        return told["settled"]

    until(is_settled)
    return told


def scale(folder: Path, options: dict) -> dict:
    """More callers than two replicas are meant for, and then none."""
    deploy("ray", ["linear"], folder / "out", {**options, "load": 3, "max": 3})
    known = status("digits")["addresses"]
    ended = threading.Event()
    threads = [threading.Thread(target=crowd, args=(each, ended)) for each in known]
    for thread in threads:
        thread.start()
    try:
        up = until(lambda: len(status("digits")["addresses"]) == 3)
    finally:
        under_way = status("digits")["under_way"]
        ended.set()
        for thread in threads:
            thread.join()
    with Load(lambda: known, callers=2) as load:

        def two() -> bool:
            told = status("digits")
            known[:] = told["addresses"]
            return len(told["replicas"]) == 2

        down = until(two)
    left = status("digits")["addresses"]
    return {
        "up": up,
        "under_way": under_way,
        "down": down,
        "refused": load.refused,
        "unanswered": load.unanswered,
        "answer": [bool(answers(each)) for each in left],
    }


def crash(folder: Path) -> dict:
    """A server's process dies, and its replica starts it again."""
    before = status("digits")
    address = before["addresses"][0]
    port = address.rpartition(":")[2]
    for pid in processes(lambda words: {b"numen.deploy.tied", port.encode()} <= {*words}):
        os.kill(pid, signal.SIGKILL)
    took = until(lambda: not answers(address)) + until(lambda: bool(answers(address)))
    until(lambda: len(status("digits")["addresses"]) == 2)
    after = status("digits")
    return {
        "took": took, "same": after["addresses"] == before["addresses"],
        "restarts": sum(one["restarts"] for one in after["replicas"]),
    }  # fmt: skip


def shared(folder: Path, where: dict[str, str]) -> Registry:
    """A deployment that reads this process's catalog, with data to train on in it."""
    settings = Settings(home=str(folder / "central"), **where)
    for name, value in where.items():
        os.environ[f"NUMEN_{name.upper()}"] = value
    random = np.random.default_rng(5)
    x = random.normal(0, 1, (900, 2))
    lines = [f"{a:.4f},{b:.4f},{'yes' if a * b > 0 else 'no'}" for a, b in x]
    (folder / "goal.csv").write_text("a,b,goal\n" + "\n".join(lines))
    library().add("goal", [str(folder / "goal.csv")])
    registry = Registry.of(settings)
    registry.publish("linear", make_bundle(folder / "make", seed=2))
    deploy("ray", ["linear"], folder / "out2", {"name": "shared", "min": 2, "cpus": 0.1})
    return registry


def promoted(folder: Path, registry: Registry) -> dict:
    """A promote goes live on all nodes by itself."""
    known = status("shared")["addresses"]
    before = [answers(each) for each in known]
    registry.publish("linear", make_bundle(folder / "make", seed=3), alias="champion")
    took = until(lambda: all(answers(a) not in ([], b) for a, b in zip(known, before, strict=True)))
    return {"took": took, "hosts": len(known)}


def lose(second) -> dict:
    """A node is killed under load, with a training in hand that it had said it would do."""
    doomed = next(one for one in status("shared")["replicas"] if one["node"] == second.node_id)
    recipe = {"name": "goal", "data": "goal", "family": "boosting", "epochs": 1500, "on": "ray"}
    job = httpx.post(f"{doomed['address']}/api/jobs", json=recipe, trust_env=False).json()
    home = Path(os.environ["NUMEN_HOME"]) / "ray" / "shared" / str(doomed["slot"])
    events = home / "jobs" / job["id"] / "events.jsonl"
    known = status("digits")["addresses"]
    until(lambda: '"epoch"' in events.read_text())
    with Load(lambda: known) as load:
        time.sleep(0.2)
        began = time.monotonic()
        kill(second)
        first = until(lambda: any(when > began + 0.05 for when, _, _ in load.answers))

        def whole() -> bool:
            known[:] = status("digits")["addresses"] or known
            return len(known) == 2 and all(answers(each) for each in known)

        both = until(whole)
        time.sleep(0.5)
    longest = max(np.diff(sorted(when for when, _, _ in load.answers if when > began - 0.3)))
    until(lambda: len(status("shared")["addresses"]) == 2)
    address = status("shared")["addresses"][0]

    def told() -> dict:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{address}/api/jobs/{job['id']}", trust_env=False).json()
        return {}

    ended = until(lambda: told().get("state") in ("finished", "failed"), 90)
    return {
        "answered": first, "longest": longest, "both": both, "unanswered": load.unanswered,
        "job": told(), "job_ended": ended, "lost": second.node_id, "nodes": [one["node"] for one in status("digits")["replicas"]],
    }  # fmt: skip


def commands() -> dict:
    """What is typed on another terminal, where RAY_ADDRESS says which cluster is meant."""
    numen = [sys.executable, "-m", "numen"]
    asked = {
        "status": ["deploy", "ray", "--name", "digits", "--status", "--json"],
        "tune": ["tune", "found", "--data", "goal", "--model", "boosting", "--trials", "2",
                 "--set", "epochs=5", "--on", "ray", "--json"],
    }  # fmt: skip
    running = {
        name: subprocess.Popen([*numen, *said], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name, said in asked.items()
    }
    told = {name: process.communicate() for name, process in running.items()}
    return {
        name: json.loads(out) if running[name].returncode == 0 else err.decode()
        for name, (out, err) in told.items()
    }


def main(folder: Path) -> None:
    told: dict = {}
    begin = time.monotonic()

    def lap(name: str, value: object = None) -> None:
        nonlocal begin
        told[name] = {"seconds": time.monotonic() - begin, "found": value}
        print(name, told[name], file=sys.stderr, flush=True)
        begin = time.monotonic()

    os.environ["NUMEN_HOME"] = str(folder / "home")
    cluster = Cluster()
    add_node(cluster, num_cpus=3, include_dashboard=False)
    second = add_node(cluster, num_cpus=3)
    os.environ["RAY_ADDRESS"] = cluster.address
    ray.init(cluster.address, log_to_driver=False, logging_level="ERROR")
    lap("start")
    registry = Registry.of(Settings(home=str(folder / "home")))
    registry.publish("linear", make_bundle(folder / "make"))
    options = {"name": "digits", "min": 2, "calm": 2, "cpus": 0.1}
    done = deploy("ray", ["linear"], folder / "out", options)
    lap("deploy", [done.applied, status("digits")])
    lap("update", update(folder, registry, options))
    lap("refuse", refuse(folder, registry, options))
    lap("restart", restart())
    lap("hush", hush())
    lap("scale", scale(folder, options))
    lap("crash", crash(folder))
    where = {
        "catalog": f"sqlite:///{folder}/central/catalog.db",
        "blobs": f"{folder}/central/blobs",
    }
    central = shared(folder, where)
    lap("shared", promoted(folder, central))
    lap("lose", lose(second))
    lap("published", central.resolve("goal").version)
    lap("commands", commands())
    target("ray", {"name": "digits"}).down(lambda _: None)
    target("ray", {"name": "shared"}).down(lambda _: None)
    lap("down", [one["name"] for one in ray.util.list_named_actors(all_namespaces=True)])
    print(json.dumps(told), flush=True)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    giving_up = threading.Timer(SECONDS, os._exit, [3])
    giving_up.daemon = True
    giving_up.start()
    main(Path(sys.argv[1]))
    giving_up.cancel()
