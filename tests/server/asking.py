"""How tests ask a server: one call, or many as fast as they are answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from parts import Live

X = np.random.default_rng(3).random((1, 28, 28), np.float32)
BODY = json.dumps(
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 28, 28], "data": X.tolist()}]}
)


def call(live: Live, path: str, body: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    try:
        connection.request("POST", path, body)
        reply = connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if text else None
    finally:
        connection.close()


def infer(live: Live, model: str, version: str | None = None) -> int:
    path = f"/versions/{version}" if version else ""
    return call(live, f"/v2/models/{model}{path}/infer", BODY)[0]


def version_of(live: Live, model: str, version: str | None = None) -> str | None:
    path = f"/versions/{version}" if version else ""
    status, said = call(live, f"/v2/models/{model}{path}/infer", BODY)
    return said["model_version"] if status == 200 else None


def until(what: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Load:
    """Threads that ask as fast as they are answered, each on its own connection."""

    def __init__(self, live: Live, model: str, threads: int = 4):
        self.answers: list[tuple[float, float, str]] = []
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._port = live.port
        self._path = f"/v2/models/{model}/infer"
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while not self._stop.is_set():
            begin = time.monotonic()
            new = connection.sock is None
            try:
                connection.request("POST", self._path, BODY)
                reply = connection.getresponse()
                body = reply.read()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{'new' if new else 'kept'} connection: {error!r}")
                connection.close()
                continue
            if reply.status == 200:
                said = json.loads(body)
                self.answers.append((begin, time.monotonic(), said["model_version"]))
            else:
                self.failures.append(f"{reply.status} {body!r}")
        connection.close()
