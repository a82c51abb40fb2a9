"""A server of numen's as a child of the process that is a replica: started, watched, drained.

It is `numen serve` as everybody runs it, so its doors and deadlines are the same. Who dies is
started again on the same port; who gives no answer for long is killed first.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import httpx

from numen.core.errors import NotReady
from numen.core.observe import logger

_log = logger(__name__)
_TICK: Final = 0.1
# Seconds between looks at a server that is ready, and between readings of what it has done.
_LOOK: Final = 0.5
_READ: Final = 1.0
# Seconds over which requests under way are told; workers write their counts down each second.
_WINDOW: Final = 2.0
# Seconds before one that died is started again, by how often it did so of late; and how long one
# has to live not to have died "again".
_PAUSES: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
_LIVED: Final = 30.0
# Seconds without any answer after which a server that once was ready is killed.
_HANG: Final = 15.0
# Seconds in which one that is told to end still takes requests, so that callers learn of it; and
# the longest that it is given in all, of which ten for its connections.
_DRAIN: Final = 2
_END: Final = 30.0
_PAIRS: Final = 200
_SUM: Final = re.compile(r"^numen_request_seconds_sum\{[^}]*\} (\S+)$", re.MULTILINE)


class Child:
    """`numen serve` on one node.

    Args:
        home: Its folder, in which it runs and logs.
        arguments: Of `numen serve`, but for host and ports.
        environment: Of its process.
        host: The address to bind.
        port: The first port to try, with the next one for gRPC; 0 takes free ones.
        secret: A key to ask it with; empty where none is needed.

    Attributes:
        address: Its URL; empty before it was started.
        grpc: Its gRPC port.
        ready: Whether every worker of it answered a recorded sample a moment ago.
        restarts: How often it had to be started again.
        error: What it last said before it ended.
        under_way: Requests waiting or being answered at once, the mean of the last seconds.
    """

    def __init__(
        self,
        home: Path,
        arguments: Sequence[str],
        environment: dict[str, str],
        host: str,
        port: int,
        secret: str,
    ):
        self.address = ""
        self.grpc = 0
        self.ready = False
        self.restarts = 0
        self.error = ""
        self.under_way = 0.0
        self._home = home
        self._arguments = list(arguments)
        self._environment = environment
        self._host = host
        self._port = port
        self._headers = {"authorization": f"Bearer {secret}"} if secret else {}
        self._process: subprocess.Popen[bytes] | None = None
        self._held: IO[bytes] | None = None
        self._leaving = threading.Event()
        self._done: deque[tuple[float, float]] = deque()

    def watch(self) -> None:
        """Keeps it running until it is drained."""
        deaths = 0
        with httpx.Client(trust_env=False, timeout=2, headers=self._headers) as client:
            while not self._leaving.is_set():
                began = time.monotonic()
                self._start()
                with contextlib.suppress(_Ended):
                    self._follow(client)
                if self._leaving.is_set():
                    return
                self.ready = False
                self.error = self._last_words()
                deaths = 1 if time.monotonic() - began > _LIVED else deaths + 1
                pause = _PAUSES[min(deaths - 1, len(_PAUSES) - 1)]
                self.restarts += 1
                _log.error("the server ended: %s; another one in %g s", self.error, pause)
                self._leaving.wait(pause)

    def serves(self, model: str, version: int) -> bool:
        """Whether it answers for a version of a model."""
        path = f"{self.address}/v2/models/{model}/versions/{version}/ready"
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(path, headers=self._headers, trust_env=False).status_code == 200
        return False

    def refuses(self, model: str, version: int) -> str:
        """What the server said of a version that it cannot open; empty where it said nothing."""
        said = f"cannot serve {model}@{version}: "
        log = (self._home / "server.log").read_text("utf-8", "replace")
        _, found, why = log.rpartition(said)
        return said + why.partition("\n")[0] if found else ""

    def drain(self) -> None:
        """Ends it, once it has answered what it was asked."""
        self._leaving.set()
        self.ready = False
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self) -> None:
        """Starts it, on the ports it had if it served there before."""
        if not self._done:
            self._choose_ports()
        port = self.address.rpartition(":")[2]
        with (self._home / "server.log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [
                    sys.executable, "-m", "numen.deploy.tied", "serve", *self._arguments,
                    "--host", self._host, "--port", port, "--grpc-port", str(self.grpc),
                ],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self._home,
                env=self._environment,
            )  # fmt: skip

    def _choose_ports(self) -> None:
        if self._held is not None:
            self._held.close()
        for port, next_ in self._pairs():
            held = self._hold(port)
            if held is None:
                continue
            if _is_free(self._host, port) and _is_free(self._host, next_):
                self._held, self.grpc = held, next_
                host = f"[{self._host}]" if ":" in self._host else self._host
                self.address = f"http://{host}:{port}"
                return
            held.close()
        raise NotReady(f"no port from {self._port} on is free on {self._host}")

    def _pairs(self) -> Iterator[tuple[int, int]]:
        for number in range(_PAIRS):
            if self._port:
                yield self._port + 2 * number, self._port + 2 * number + 1
            else:
                yield _any_free(self._host), _any_free(self._host)

    def _hold(self, port: int) -> IO[bytes] | None:
        """A lock that keeps this node's other replicas from a port, even before it is open."""
        import fcntl

        path = self._home.parents[1] / f"port-{port}.lock"
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    def _follow(self, client: httpx.Client) -> None:
        """Looks at it until it ends.

        Raises:
            _Ended: It did.
        """
        heard = time.monotonic()
        self._done.clear()
        while not self._leaving.is_set():
            assert self._process is not None
            if self._process.poll() is not None:
                raise _Ended
            try:
                said = client.get(f"{self.address}/v2/health/ready")
                heard = time.monotonic()
                self.ready = said.status_code == 200 and not self._leaving.is_set()
                if self.ready:
                    self.error = ""
                    self._read(client, heard)
            except httpx.TransportError:
                self.ready = False
                if self._done and time.monotonic() - heard > _HANG:
                    _log.error("the server has not answered for %.0f s", _HANG)
                    self._process.kill()
            self._leaving.wait(_LOOK if self.ready else _TICK)

    def _read(self, client: httpx.Client, now: float) -> None:
        """Tells requests under way from what they took in all: Little's law, L = λW."""
        if self._done and now - self._done[-1][0] < _READ:
            return
        text = client.get(f"{self.address}/metrics").text
        self._done.append((now, sum(map(float, _SUM.findall(text)))))
        while len(self._done) > 2 and now - self._done[1][0] >= _WINDOW:
            self._done.popleft()
        (then, before), (_, after) = self._done[0], self._done[-1]
        self.under_way = max(0.0, (after - before) / (now - then)) if now > then else 0.0

    def _last_words(self) -> str:
        said = (self._home / "server.log").read_text("utf-8", "replace")
        status = self._process.returncode if self._process is not None else None
        return " ".join(said.split())[-400:] or f"it ended with status {status}"


class _Ended(Exception):
    """The process is no more."""


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return True
    return False


def _any_free(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def environment_of(home: Path, more: dict[str, str]) -> dict[str, str]:
    """A server's environment: the node's, but for what would make it another server.

    Args:
        home: Its `NUMEN_HOME`.
        more: What it shall have besides.
    """
    mine = {"NUMEN_CATALOG", "NUMEN_BLOBS", "NUMEN_HOST", "NUMEN_PORT", "NUMEN_GRPC_PORT"}
    mine |= {"NUMEN_WORKERS", "RAY_JOB_ID", "RAY_RAYLET_PID", "RAY_CLIENT_MODE"}
    kept = {name: value for name, value in os.environ.items() if name not in mine}
    return {"NUMEN_DRAIN": str(_DRAIN)} | kept | {"NUMEN_HOME": str(home)} | more
