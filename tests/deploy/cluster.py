"""What a cluster does with a pod, with real processes: a kubelet, a Service, and who calls it.

The kubelet reads the pod that was rendered: its environment, probes, `preStop` and grace.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from parts import free_port

# Until all have learnt that a pod came or went, in seconds: nobody on a cluster learns it at once.
LAG = 0.4


class Pod:
    """A server, and the kubelet that starts, asks and ends it.

    Args:
        pod: The pod's specification.
        image: What the image says of the environment.
        models: What it serves.
        log: Where it writes.
    """

    def __init__(self, pod: dict[str, Any], image: dict[str, str], models: str, log: Path):
        (self._container,) = pod["containers"]
        self._grace = pod["terminationGracePeriodSeconds"]
        self._said = {each["name"]: each["value"] for each in self._container["env"]} | image
        self._models = models
        self._log = log
        self._ends = threading.Event()
        self.port = free_port()
        self.ready = False
        self.connections = 0
        self.starting: list[int] = []  # what probes were answered before one was well; 0 is not
        self.leaving: dict[str, int] = {}  # and what they were while it left

    def start(self) -> None:
        said = {**self._said, "NUMEN_PORT": str(self.port), "NUMEN_GRPC_PORT": "0"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "numen", "serve", self._models],
                env={**os.environ, **said}, stdout=log, stderr=log,
            )  # fmt: skip
        self._asking = threading.Thread(target=self._ask)
        self._asking.start()

    def await_ready(self) -> None:
        end = time.monotonic() + 60
        while not self.ready:
            running = self.process.poll() is None and time.monotonic() < end
            assert running, self._log.read_text()
            time.sleep(0.02)

    def probe(self, which: str) -> int:
        rule = self._container[which]
        try:
            one = http.client.HTTPConnection("127.0.0.1", self.port, rule["timeoutSeconds"])
            with contextlib.closing(one):
                one.request("GET", rule["httpGet"]["path"])
                return one.getresponse().status
        except OSError:
            return 0

    def _ask(self) -> None:
        """Asks at the pace of a kubelet, five times as fast, so that nobody waits for a test."""
        failed = 0
        while not self._ends.is_set():
            which = "readinessProbe" if self.ready or failed else "startupProbe"
            status = self.probe(which)
            if status == 200:
                self.ready, failed = True, 0
            elif which == "startupProbe":
                self.starting.append(status)
            else:
                failed += 1
                self.ready = self.ready and failed < self._container[which]["failureThreshold"]
            self._ends.wait(self._container[which]["periodSeconds"] / 5)

    def end(self, *, pause: bool = True) -> int:
        """Ends it as a kubelet does, and returns its exit status; `pause` runs `preStop`."""
        begin = time.monotonic()
        if pause:
            time.sleep(self._container["lifecycle"]["preStop"]["sleep"]["seconds"])
        self.process.send_signal(signal.SIGTERM)
        while (ready := self.probe("readinessProbe")) == 200:
            time.sleep(0.02)
        self.leaving = {"readinessProbe": ready, "livenessProbe": self.probe("livenessProbe")}
        try:
            return self.process.wait(self._grace - (time.monotonic() - begin))
        finally:
            self.stop()

    def stop(self) -> None:
        self._ends.set()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._asking.join()


class Service:
    """A port that deals connections out among pods, as a cluster's Service does: none is moved."""

    def __init__(self) -> None:
        self._pods: list[Pod] = []
        self._turn = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.port = 0

    def __enter__(self) -> Service:
        self._thread.start()
        opening = asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        async def close() -> None:
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(self, pod: Pod) -> None:
        assert pod.ready
        time.sleep(LAG)
        self._pods = [*self._pods, pod]

    def remove_later(self, pod: Pod) -> threading.Timer:
        timer = threading.Timer(LAG, self.remove, [pod])
        timer.start()
        return timer

    def remove(self, pod: Pod) -> None:
        self._pods = [each for each in self._pods if each is not pod]

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        pods = self._pods
        pod = pods[next(self._turn) % len(pods)]
        pod.connections += 1
        try:
            far, on = await asyncio.open_connection("127.0.0.1", pod.port)
        except OSError:
            back.transport.abort()
            return
        await asyncio.gather(_pour(near, on), _pour(far, back))


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(1 << 16):
            into.write(data)
            await into.drain()
    except OSError:
        pass
    finally:
        into.close()


class Callers:
    """Programs that ask without a pause, each on a connection that it keeps while it may.

    Args:
        port: Whom they ask.
        ask: Asks once on a connection, and raises where the answer is not what it must be.
        pauses: Seconds between a caller's requests, a caller each; None opens a new connection
            for each request.
    """

    def __init__(
        self,
        port: int,
        ask: Callable[[http.client.HTTPConnection, int], str],
        pauses: tuple[float | None, ...],
    ):
        self._port = port
        self._ask = ask
        self._pauses = pauses
        self._stop = threading.Event()
        self.answered: list[str] = []
        self.failed: list[str] = []

    @contextlib.contextmanager
    def calling(self) -> Iterator[Callers]:
        threads = [
            threading.Thread(target=self._call, args=(number, pause))
            for number, pause in enumerate(self._pauses)
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _call(self, number: int, pause: float | None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._stop.is_set():
            try:
                self.answered.append(self._ask(connection, number))
            except Exception as error:  # whatever it is, a caller did not get an answer
                self.failed.append(repr(error))
                connection.close()
            if pause is None:
                connection.close()
            time.sleep(pause or 0.01)
        connection.close()
