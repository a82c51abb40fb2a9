"""Distinct inputs at once, each answer compared with onnxruntime's in this process.

Timed bodies are all alike and would hide answers that reach the wrong caller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import httpx
import numpy as np

from messages import Door
from networks import digits
from servers import Running

THREADS, REQUESTS = 24, 40
LARGE = 70  # rows: more than a batch
TOLERANCE = 1e-5
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Verdict:
    """What came of it: requests, wrong answers, the largest difference."""

    requests: int
    wrong: int
    gap: float


@contextmanager
def client(running: Running, kind: str, door: Door) -> Iterator[Predict]:
    """A caller of one door: rows in, the answer's numbers out.

    Raises:
        httpx.HTTPError, grpc.RpcError: From the call, when it failed.
    """
    address = running.address(kind)
    if kind == "grpc":
        with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 200)]) as channel:
            call = channel.unary_unary(door.path)  # bytes in, bytes out
            yield lambda x: door.decode(call(door.encode(x)[0], timeout=30), {})
    else:
        with httpx.Client(base_url=f"http://{address}", timeout=30) as session:

            def ask(x: np.ndarray) -> np.ndarray:
                body, headers = door.encode(x)
                reply = session.post(door.path, content=body, headers=headers)
                return door.decode(reply.raise_for_status().content, reply.headers)

            yield ask


def gap(answer: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference; infinite when they do not even agree in size."""
    if answer.size != expected.size:
        return float("inf")
    return float(np.abs(np.ravel(answer) - np.ravel(expected)).max())


def verify(running: Running, kind: str, door: Door, model: str, predict: Predict) -> Verdict:
    """Ask a door from many threads at once."""
    gaps: list[float] = []

    def caller(seed: int) -> None:
        random = np.random.default_rng(seed)
        with client(running, kind, door) as ask:
            for number in range(REQUESTS):
                rows = LARGE if number % 10 == 9 else int(random.integers(1, 5))
                x = digits(model, rows, random)
                try:
                    gaps.append(gap(ask(x), predict(x)))
                except (httpx.HTTPError, grpc.RpcError):
                    gaps.append(float("inf"))

    threads = [threading.Thread(target=caller, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wrong = sum(each > TOLERANCE for each in gaps) + THREADS * REQUESTS - len(gaps)
    return Verdict(THREADS * REQUESTS, wrong, max(gaps, default=float("inf")))
