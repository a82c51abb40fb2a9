"""The benchmark of a real model on a real server, and what it refuses."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import numpy as np
import pytest

from numen.api import target
from numen.api.bench import bench
from numen.api.measure import Phase, Step
from numen.core.errors import InvalidInput, NotFound, NotReady, Unauthenticated
from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, free_port, make_bundle, start_server, stop


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that does not have what the server has."""
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path))


@pytest.fixture
def here(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(live.home))


class Seen:
    def __init__(self) -> None:
        self.parts: list[float] = []
        self.steps: list[Step] = []

    def trying(self, phase: Phase, players: int, part: float) -> None:
        self.parts.append(part)

    def tried(self, step: Step) -> None:
        self.steps.append(step)


@pytest.mark.alone
def test_a_real_model_holds_somebody(live: Live, here: None) -> None:
    seen = Seen()
    report = bench("linear", url=live.url, seconds=3, deadline_ms=1000, hz=20, watcher=seen)
    assert report.players >= 16
    assert report.model == "linear@1"
    assert report.values == "recorded samples"
    assert report.server_cores == []
    assert f"{report.players:,} players at 20 Hz, p99 < 1000 ms" in report.sentence
    assert report.steps == seen.steps
    assert report.run == seen.steps[-1]
    assert seen.parts == sorted(seen.parts)
    assert report.seconds < 30
    for step in report.steps:
        assert step.failed == 0
        assert step.requests_per_second == step.players * 20
        assert step.p50_ms <= step.p99_ms <= step.p999_ms
        assert sum(one.count for one in step.histogram) <= step.due
    decoded = msgspec.json.decode(msgspec.json.encode(report))
    assert decoded["players"] == report.players
    assert len(decoded["steps"]) == len(report.steps)


def test_a_deadline_that_nobody_keeps(live: Live, here: None) -> None:
    report = bench("linear@champion", url=live.url, seconds=2, deadline_ms=0.001)
    assert report.players == 0
    assert not report.confirmed
    assert report.run.misses == 1.0
    assert report.sentence.endswith("at 60 Hz, p99 < 0.001 ms")


def test_requests_carry_the_recorded_samples(live: Live, here: None) -> None:
    found = target.find(live.url, "linear", 16)
    golden = live.registry.open(live.registry.resolve("linear")).golden().inputs["image"]
    assert len(found.requests) == len(golden)
    for request, row in zip(found.requests, golden, strict=True):
        head, _, body = request.partition(b"\r\n\r\n")
        assert b"Numen-Deadline-Ms: 16\r\n" in head + b"\r\n"
        assert body.endswith(row.tobytes())
    assert found.requests[0].startswith(b"POST /v2/models/linear/infer HTTP/1.1\r\n")
    versioned = target.find(live.url, "linear@1", 16).requests[0]
    assert versioned.startswith(b"POST /v2/models/linear/versions/1/infer HTTP/1.1\r\n")


@pytest.mark.alone
def test_a_server_that_wants_a_key_is_sent_one(live: Live, here: None, tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", make_bundle(tmp_path / "make"))
    _, secret = registry.keys.create("bench")
    url, process = start_server(tmp_path)
    try:
        with pytest.raises(Unauthenticated):
            target.find(url, "linear", 16)
        with pytest.raises(InvalidInput, match="expected a key"):
            target.find(url, "linear", 16, key="a\r\nX-Other: b")
        found = target.find(url, "linear", 16, key=secret)
        assert f"authorization: Bearer {secret}\r\n".encode() in found.requests[0]
        assert bench("linear", url=url, seconds=2, key=secret).players > 0
    finally:
        stop(process)
        registry.catalog.close()


def test_without_a_registry_values_are_made_up(live: Live, elsewhere: None) -> None:
    found = target.find(live.url, "linear", 16)
    assert found.values == "random values"
    assert len(set(found.requests)) == len(found.requests) == 16
    body = found.requests[0].partition(b"\r\n\r\n")[2]
    pixels = np.frombuffer(body[-4 * 784 :], "<f4")
    assert ((pixels >= 0) & (pixels < 1)).all()


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("http://192.0.2.7:8000", InvalidInput, "loopback"),
        ("http://0.0.0.0:8000", InvalidInput, "loopback"),
        ("https://127.0.0.1:8000", InvalidInput, "expected an address"),
        ("http://127.0.0.1:8000/v2", InvalidInput, "expected an address"),
        ("http://127.0.0.1:800000", InvalidInput, "expected an address"),
        ("127.0.0.1:8000", InvalidInput, "expected an address"),
        ("", InvalidInput, "expected an address"),
        ("http://127.0.0.1:FREE", NotReady, "no server answers"),
        ("http://localhost:FREE", NotReady, "no server answers"),
    ],
)
def test_refuses_addresses(url: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        bench("linear", url=url.replace("FREE", str(free_port())))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("deadline_ms", 0.0), ("deadline_ms", -1.0), ("deadline_ms", math.nan),
        ("deadline_ms", math.inf), ("hz", 0.0), ("hz", 1e6), ("seconds", 0.0), ("seconds", 1e6),
    ],
)  # fmt: skip
def test_refuses_numbers_out_of_range(field: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=f"^{field.replace('_', '-')}: expected") as caught:
        bench("linear", **{field: value})
    assert caught.value.field == field.replace("_", "-")


def test_refuses_models_that_are_not_there(live: Live, here: None) -> None:
    with pytest.raises(NotFound, match="nobody"):
        bench("nobody")
    with pytest.raises(NotFound, match="nobody"):
        bench("nobody", url=live.url)
    with pytest.raises(InvalidInput, match="model name"):
        bench("../etc", url=live.url)


class Stranger(BaseHTTPRequestHandler):
    """Answers everything, and nothing of it is the protocol."""

    said = b"<html>"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.said)))
        self.end_headers()
        self.wfile.write(self.said)

    def do_POST(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "said",
    [
        b"<html>", b"{}", b"[]", b'{"inputs": 3}',
        b'{"inputs": [{"name": "x", "datatype": "FP99", "shape": [-1]}]}',
        b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [0]}]}',
    ],
)  # fmt: skip
def test_refuses_servers_of_another_kind(
    stranger: str, elsewhere: None, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(Stranger, "said", said)
    with pytest.raises(InvalidInput, match="Open Inference Protocol"):
        bench("linear", url=stranger)


def test_says_what_the_server_says(
    stranger: str, elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = b'{"inputs": [{"name": "x", "datatype": "BYTES", "shape": [-1, 2]}]}'
    monkeypatch.setattr(Stranger, "said", spec)
    with pytest.raises(NotReady, match="503"):
        bench("linear", url=stranger)
