"""Load on one door: wrk for HTTP, h2load for gRPC, from a core of its own, closed loop.

Every connection has one request under way and sends the next when the answer is there. A run that
counts follows a short one that does not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from host import busy, busy_children
from messages import Door
from servers import LOAD_CORE, Running

POST = Path(__file__).with_name("post.lua")
DISTURBED = 0.3  # CPUs


@dataclass(frozen=True)
class Load:
    """One kind of load.

    Attributes:
        kind: The door, "json", "binary" or "grpc".
        rows: In a request.
        connections: With one request under way each.
    """

    kind: str
    rows: int
    connections: int


LOADS = [
    Load(kind, rows, connections)
    for kind in ("json", "binary", "grpc")
    for rows, connections in ((1, 1), (1, 64), (64, 4))
]


@dataclass(frozen=True)
class Figures:
    """What a run gave.

    Attributes:
        rps: Requests a second that were answered well.
        p50_ms: Median latency.
        p99_ms: 99th percentile of latency.
        failed: Requests that were not answered well.
        server_cpu: CPUs that the server used.
        load_cpu: CPUs that the load generator used.
        other_cpu: CPUs that all else on the machine used: how far to trust the run.
    """

    rps: float
    p50_ms: float
    p99_ms: float
    failed: int
    server_cpu: float = 0.0
    load_cpu: float = 0.0
    other_cpu: float = 0.0


def drive(
    running: Running, door: Door, load: Load, x: np.ndarray, seconds: int, core: str = LOAD_CORE
) -> Figures:
    """Warm up, then run for so many seconds; once more if all else on the machine was busy.

    Raises:
        RuntimeError: The load generator failed, or nothing was answered.
    """
    body, headers = door.encode(x)
    generator = h2load if load.kind == "grpc" else wrk
    url = f"http://{running.address(load.kind)}{door.path}"

    def run(length: int) -> Figures:
        return generator(["taskset", "-c", core], url, body, headers, load.connections, length)

    run(1)
    figures = watched(running, lambda: run(seconds))
    if figures.other_cpu > DISTURBED:
        again = watched(running, lambda: run(seconds))
        figures = min(figures, again, key=lambda each: each.other_cpu)
    return figures


def watched(running: Running, run: Callable[[], Figures]) -> Figures:
    """A run, and who used the CPUs meanwhile."""

    def used() -> np.ndarray:
        return np.array([time.monotonic(), running.cpu(), busy_children(), busy()])

    before = used()
    figures = run()
    passed, server, own, machine = map(float, used() - before)
    return replace(
        figures,
        server_cpu=server / passed,
        load_cpu=own / passed,
        other_cpu=max(0.0, machine - server - own) / passed,
    )


def wrk(
    pinned: list[str],
    url: str,
    body: bytes,
    headers: dict[str, str],
    connections: int,
    seconds: int,
) -> Figures:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    with scratch(body) as path:
        run = subprocess.run(
            [*pinned, *command, "-s", str(POST), url],
            env={
                **os.environ, "BODY": path,
                "HDRS": "|".join(f"{name}:{value}" for name, value in headers.items()),
            },
            capture_output=True, text=True,
        )  # fmt: skip
    line = re.search(r"^RESULT (.*)$", run.stdout, re.MULTILINE)
    if not line:
        raise RuntimeError(f"wrk: {run.stdout[-500:]}{run.stderr[-500:]}")
    said = json.loads(line[1])
    rps = (said["requests"] - said["bad"]) / said["us"] * 1e6
    return Figures(rps, said["p50"] / 1e3, said["p99"] / 1e3, said["bad"])


def h2load(
    pinned: list[str],
    url: str,
    body: bytes,
    headers: dict[str, str],
    connections: int,
    seconds: int,
) -> Figures:
    # h2load looks at HTTP's status alone, and gRPC's own stands in a trailer: an answer that failed
    # is known by carrying nothing, so what one answer carries is asked first.
    given = [part for pair in headers.items() for part in ("-H", ": ".join(pair))]
    with scratch(b"\0" + len(body).to_bytes(4, "big") + body) as path, scratch(b"") as log:

        def run(*bounds: str) -> tuple[int, int]:
            """Answers with status 200, and the bytes they carried."""
            command = [*pinned, "h2load", "-t1", "-m1", *bounds, "-d", path, *given, url]
            said = subprocess.run(command, capture_output=True, text=True)
            answers = re.search(r"^status codes: (\d+) 2xx", said.stdout, re.MULTILINE)
            carried = re.search(r"\((\d+)\) data$", said.stdout, re.MULTILINE)
            if not answers or not carried:
                raise RuntimeError(f"h2load: {said.stdout[-500:]}{said.stderr[-500:]}")
            return int(answers[1]), int(carried[1])

        _, size = run("-n1", "-c1")
        if not size:
            raise RuntimeError("h2load: an answer carries nothing")
        answers, carried = run(f"-c{connections}", f"-D{seconds}", f"--log-file={log}")
        lines = [line.split("\t") for line in Path(log).read_text().splitlines()]
    latency = np.array([int(took) for _, _, took in lines]) / 1e3
    good = min(answers, round(carried / size))
    p50, p99 = np.percentile(latency, (50, 99))
    return Figures(good / seconds, float(p50), float(p99), len(lines) - good)


@contextmanager
def scratch(content: bytes) -> Iterator[str]:
    """The path of a file with that content, for as long as the context lasts."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
