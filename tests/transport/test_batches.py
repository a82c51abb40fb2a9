"""Many callers at once, each with rows of its own: nobody gets another's answer."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest
from wire import Wire, hot, infer_json, output, request

from parts import Live, linear_graph

THREADS, REQUESTS = 24, 60


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "linear.onnx"
    linear_graph(path)
    return path


def test_every_caller_gets_its_own_answer(live: Live, graph: Path) -> None:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(7)
    images = random.random((4000, 28, 28), np.float32) * 255
    expected = session.run(None, {"image": images})[0]
    assert np.abs(expected[1:] - expected[:-1]).max(axis=1).min() > 1e-4, "rows must differ"
    # Batches of one row mostly, up to more than the 64 that run together.
    sizes = [1, 1, 1, 2, 3, 1, 5, 8, 1, 13, 1, 64, 1, 70, 33]
    wrong: list[str] = []
    start = threading.Barrier(THREADS)

    def call(thread: int) -> None:
        with Wire(live.port, 60) as wire:
            start.wait()
            at = thread * 151
            asked: list[tuple[int, int]] = []
            for number in range(REQUESTS):
                rows = sizes[(thread * 7 + number) % len(sizes)]
                at = (at + rows) % (len(images) - 70)
                x = images[at : at + rows]
                if thread % 6 == 5:  # by the app, on the same port
                    wire.send(request("POST", "/v2/models/linear/infer?a=b", infer_json(x)))
                else:
                    wire.send(hot(x, f"{thread}-{number}", binary=thread % 2 == 0))
                asked.append((at, rows))
                if thread % 3 and len(asked) < 4 and number < REQUESTS - 1:
                    continue  # some send several before they read
                for where, count in asked:
                    got = output(wire.read())
                    if got.shape != (count, 10) or not np.allclose(
                        got, expected[where : where + count], atol=1e-5
                    ):
                        wrong.append(f"thread {thread} rows {where}:{where + count}")
                asked.clear()

    threads = [threading.Thread(target=call, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    stats = httpx.get(f"{live.url}/v2/models/linear/stats").json()["model_stats"][0]
    assert stats["inference_stats"]["success"]["count"] >= THREADS * REQUESTS


def test_a_bad_neighbour_fails_alone(live: Live, graph: Path) -> None:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(3).random((1, 28, 28), np.float32)
    bad = x.copy()
    bad[0, 3, 3] = np.nan
    expected = session.run(None, {"image": x})[0]
    with Wire(live.port) as wire:
        for _ in range(20):
            wire.send(hot(x), hot(bad, binary=True), hot(x[:, :27]), hot(x, binary=True))
            np.testing.assert_allclose(output(wire.read()), expected, atol=1e-6)
            assert wire.read().json["field"] == "image"
            assert wire.read().json["field"] == "image"
            np.testing.assert_allclose(output(wire.read()), expected, atol=1e-6)
