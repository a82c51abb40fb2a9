"""Processes of their own on cores of their own: a server, and the load that asks it.

Each lives as long as its block. What they share with this process is a port or a pipe.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import httpx
import msgspec

from numen.api.load import CONNECT, Plan, Reply, Tally, read, write
from numen.core.errors import Internal, NotReady

_START: Final = 60.0
_STOP: Final = 15.0


@dataclass(frozen=True, slots=True)
class Serving:
    """A server in a process of its own.

    Attributes:
        address: Such as `http://127.0.0.1:8000`.
        seconds: What it took to become ready.
        process: The process.
    """

    address: str
    seconds: float
    process: subprocess.Popen[bytes]


def waited(process: subprocess.Popen[bytes]) -> float:
    """Seconds in all that a process was ready to run while others had its cores; 0 if unknown."""
    total = 0
    for thread in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
            total += int(thread.read_text().split()[1])
    return total / 1e9


@contextlib.contextmanager
def serving(
    reference: str, host: str = "127.0.0.1", port: int = 0, cores: Sequence[int] = ()
) -> Iterator[Serving]:
    """`numen serve REFERENCE`, ready, until the block is left.

    Args:
        reference: The model.
        host: The address to bind.
        port: Where to serve; another that is free where it is taken, or 0.
        cores: The cores it may run on; empty is any.

    Raises:
        Internal: The server stopped.
        NotReady: It was not ready within a minute, or no port is free.
    """
    chosen = _free(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{chosen}"
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "numen", "serve", reference, "--host", host,
             "--port", str(chosen), "--log-level", "warning"],
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
        try:
            _pin(process.pid, cores)
            _wait(address, process, log)
            yield Serving(address, time.perf_counter() - begin, process)
        finally:
            process.terminate()
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    end = time.monotonic() + _START
    while time.monotonic() < end:
        if process.poll() is not None:
            log.seek(0)
            said = " ".join(log.read().decode(errors="replace").split())
            raise Internal(f"the server stopped: {said[-400:] or 'it said nothing'}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{address}/v2/health/ready", trust_env=False).status_code == 200:
                return
        time.sleep(0.05)
    raise NotReady(f"the server did not become ready within {_START:.0f} s")


def _free(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0):
        with socket.socket(family) as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, wanted))
            return int(probe.getsockname()[1])
    raise NotReady(f"no port is free on {host}")


class Load:
    """The open-loop generator in its process, to which plans are sent; see `generating`."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self.process = process

    def run(self, plan: Plan) -> Tally:
        """Runs a plan there.

        Raises:
            NotReady: No connection could be made.
            Internal: The generator stopped.
        """
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        longest = plan.warm + plan.seconds + 2 * plan.patience + 2 * CONNECT + 20
        watchdog = threading.Timer(longest, process.kill)
        watchdog.start()
        try:
            write(process.stdin, plan)
            reply = msgspec.msgpack.decode(read(process.stdout), type=Reply)
        except (OSError, EOFError) as error:
            raise Internal("the load generator stopped", hint="try again") from error
        finally:
            watchdog.cancel()
        if reply.tally is None:
            raise NotReady(reply.refused, hint="is the server still running?")
        return reply.tally


@contextlib.contextmanager
def generating(cores: Sequence[int] = ()) -> Iterator[Load]:
    """A load generator, until the block is left.

    Args:
        cores: The cores it may run on; empty is any.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "numen.api.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        _pin(process.pid, cores)
        yield Load(process)
    finally:
        process.kill()
        process.communicate()


def split_cores() -> tuple[list[int], list[int]]:
    """The cores for a server and those for its load; both empty where they cannot be kept apart."""
    if sys.platform != "linux":
        return [], []
    cores = sorted(os.sched_getaffinity(0))
    return (cores[:-1], cores[-1:]) if len(cores) > 1 else ([], [])


def _pin(pid: int, cores: Sequence[int]) -> None:
    if cores and sys.platform == "linux":
        with contextlib.suppress(OSError):  # it stopped already; who waits for it will see
            os.sched_setaffinity(pid, cores)
