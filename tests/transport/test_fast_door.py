"""The fast door, one connection at a time: how requests begin, end, and are given up."""

from __future__ import annotations

import contextlib
import gc
import json
import select
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest
from wire import (
    INFER,
    Closed,
    Door,
    Reply,
    Wire,
    hot,
    image,
    infer_binary,
    infer_json,
    memory,
    open_door,
    output,
    request,
)

from numen.core.bundle import Bundle
from numen.registry import Registry
from numen.serve.ladder import Ladder, Pace, Rung
from numen.serve.live import Cold, Table
from numen.serve.opening import Opened
from parts import Live, linear_graph


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[np.ndarray], np.ndarray]:
    return linear_graph(tmp_path_factory.mktemp("graph") / "linear.onnx")


@pytest.fixture
def wire(live: Live) -> Iterator[Wire]:
    with Wire(live.port) as found:
        yield found


def until(true: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def chunked(body: bytes, size: int, *trailer: bytes) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"".join([chunks, b"0\r\n", *trailer, b"\r\n"])


SLOW = "/v2/models/linear/infer?road=slow"  # a query, which only the app reads


@pytest.mark.parametrize("path", [INFER, SLOW])
@pytest.mark.parametrize("size", [1, 100, 5000, 1 << 20])
def test_a_chunked_body_is_read(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray], path: str, size: int
) -> None:
    x = image(1, 2)
    head = request("POST", path, b"", transfer_encoding="chunked")
    wire.send(head, chunked(infer_json(x), size, b"x-trailer: ignored\r\n"))
    np.testing.assert_allclose(output(wire.read()), reference(x), atol=1e-5)
    wire.send(hot(x))  # and the connection goes on
    np.testing.assert_allclose(output(wire.read()), reference(x), atol=1e-5)


@pytest.mark.parametrize("path", [INFER, SLOW])
@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [("1.1", None, True), ("1.1", "keep-alive", True), ("1.1", "close", False),
     ("1.1", "Close", False), ("1.0", None, False), ("1.0", "close", False)],
)  # fmt: skip
def test_a_connection_stays_or_ends_as_asked(
    wire: Wire, path: str, version: str, connection: str | None, stays: bool
) -> None:
    headers = {"connection": connection} if connection else {}
    wire.send(request("POST", path, infer_json(image(1)), version, **headers))
    reply = wire.read()
    output(reply)
    assert reply.headers.get("connection") == (None if stays else "close")
    if stays:
        wire.send(hot(image(2)))
        output(wire.read())
    else:
        assert wire.ended()


def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(wire: Wire) -> None:
    body = infer_json(image(1))
    head = request("POST", INFER, expect="100-continue", content_length=str(len(body)))
    wire.send(head)
    assert wire.read().status == 100
    wire.send(body)
    output(wire.read())
    wire.send(hot(image(1)))
    output(wire.read())


@pytest.mark.parametrize("offer", ["h2c", "websocket", "TLS/1.3", "something"])
@pytest.mark.parametrize("path", [INFER, SLOW])
def test_an_offer_of_another_protocol_is_passed_over(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray], path: str, offer: str
) -> None:
    # Java's HttpClient and `curl --http2` offer h2c with every first request.
    x = image(5)
    offering = {"connection": "Upgrade, HTTP2-Settings", "upgrade": offer, "http2_settings": "AAM"}
    one = request("POST", path, infer_json(x), **offering)
    wire.send(one, hot(x))
    for _ in range(2):
        np.testing.assert_allclose(output(wire.read()), reference(x), atol=1e-5)
    wire.send(request("GET", "/v2", **offering), request("GET", "/v2"))
    for _ in range(2):
        assert wire.read().json["name"] == "numen"
    offering["connection"] += ", close"
    wire.send(request("POST", path, infer_json(x), **offering))
    output(wire.read())
    assert wire.ended()


@pytest.mark.parametrize(
    "path", [INFER, SLOW, "/v1/models/linear:predict", "/api/models/x/aliases/y", "/graphql"]
)
@pytest.mark.parametrize("how", ["announced", "chunked"])
def test_a_body_over_the_limit_is_refused_and_the_connection_ends(
    door: Door, path: str, how: str
) -> None:
    body = b" " * (3 << 20)
    method = "PUT" if path.startswith("/api") else "POST"
    kind = {"content_type": "application/json", "x_request_id": "big"}
    if how == "announced":
        data = request(method, path, body, **kind)
    else:
        data = request(method, path, b"", transfer_encoding="chunked", **kind) + chunked(body, 999)
    with door.wire() as wire:
        with contextlib.suppress(OSError):  # it may hang up while we speak
            wire.send(data)
        reply = wire.read()
        assert reply.status == 413, reply.body
        assert reply.json["code"] == "too_large"
        assert reply.json["field"] == "body"
        assert reply.headers["connection"] == "close"
        assert reply.headers["x-request-id"] == "big"
        assert wire.ended()


@pytest.mark.parametrize("path", [INFER, SLOW])
def test_a_body_at_the_limit_is_read(door: Door, path: str) -> None:
    body = infer_json(image(1)).ljust(1 << 20)
    door.gate.open_.set()
    with door.wire() as wire:
        wire.send(request("POST", path, body))
        output(wire.read())


def test_too_large_a_body_behind_good_requests_is_refused_after_their_answers(door: Door) -> None:
    x = image(1)
    with door.wire() as wire:
        wire.send(hot(x), hot(x), request("POST", INFER, content_length=str(2 << 20)))
        until(lambda: bool(door.gate.entered.is_set()))
        door.gate.open_.set()
        for _ in range(2):
            np.testing.assert_array_equal(output(wire.read()), x.reshape(1, -1)[:, :10] + 1)
        assert wire.read().status == 413
        assert wire.ended()


def test_many_waiting_requests_do_not_hold_up_the_last_ones_body(door: Door) -> None:
    # As many as the door lets wait; the body of the last comes after the others' answers.
    many = [hot(image(n), f"n{n}") for n in range(64)]
    data = b"".join(many)
    with door.wire() as wire:
        wire.send(data[:-100])
        until(lambda: all(p.waiting() == 64 for p in door.protocols))
        door.gate.open_.set()
        for n in range(63):
            assert wire.read().json["id"] == f"n{n}"
        wire.send(data[-100:])
        assert wire.read().json["id"] == "n63"


def test_a_client_with_many_waiting_requests_is_not_read_from(door: Door) -> None:
    one = hot(image(1), binary=True)
    with door.wire() as wire:
        wire.socket.setblocking(False)
        sent = 0
        while select.select([], [wire.socket], [], 0.3)[1]:
            sent += wire.socket.send(one * 100)
            assert sent < 64 << 20, "the server never stopped reading"
        (protocol,) = door.protocols
        assert protocol.waiting() < 500
    door.gate.open_.set()  # or nothing would look whether the client is there
    until(lambda: not door.protocols)


@pytest.mark.parametrize("behind", ["hot", "slow"])
def test_a_slow_request_waits_for_the_fast_ones_before_it(door: Door, behind: str) -> None:
    x = image(1)
    last = hot(x, "last") if behind == "hot" else request("GET", "/healthz")
    with door.wire() as wire:
        wire.send(hot(x, "first"), request("GET", "/v2"), last)
        until(door.gate.entered.is_set)
        assert not select.select([wire.socket], [], [], 0.1)[0]
        door.gate.open_.set()
        assert wire.read().json["id"] == "first"
        assert wire.read().json["name"] == "numen"
        reply = wire.read()
        assert reply.json == {"status": "ok"} if behind == "slow" else reply.json["id"] == "last"


def test_pipelined_slow_requests_are_read_as_they_are_answered(live: Live) -> None:
    one = request("GET", "/v2/health/live")
    before = memory(live.process.pid)
    sent = got = 0
    many = one * 20_000
    with Wire(live.port) as wire:
        wire.socket.setblocking(False)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            readable, writable, _ = select.select([wire.socket], [wire.socket], [], 1)
            if readable:
                got += wire.socket.recv(1 << 20).count(b"HTTP/1.1 200")
            if writable:
                sent += wire.socket.send(many[sent % len(one) :])
    assert got > 100
    assert memory(live.process.pid) - before < 60 << 20
    with Wire(live.port) as other:
        other.send(one)
        assert other.read().status == 200


def reset(wire: Wire) -> None:
    """Goes away as a killed process does."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


@pytest.mark.parametrize("leave", [Wire.close, reset])
@pytest.mark.parametrize("path", [INFER, SLOW])
def test_the_work_of_a_client_that_left_is_dropped(
    door: Door, path: str, leave: Callable[[Wire], None]
) -> None:
    def ask(wire: Wire, rows: int) -> None:
        wire.send(request("POST", path, infer_json(image(rows, rows))))

    with door.wire() as first, door.wire() as stays:
        ask(first, 1)
        until(door.gate.entered.is_set)  # the model runs; what comes now must queue
        gone = [door.wire() for _ in range(5)]
        for wire in gone:
            ask(wire, 2)
        ask(stays, 3)
        endpoint = door.service.find("linear")
        until(lambda: endpoint.batcher.waiting == 13)
        for wire in gone:
            leave(wire)
        until(lambda: len(door.protocols) == 2)
        door.gate.open_.set()
        assert len(output(first.read())) == 1
        assert len(output(stays.read())) == 3
    assert door.gate.rows == [1, 3]
    assert endpoint.stats.failures["cancelled"].count == 5


@pytest.mark.parametrize("path", [INFER, SLOW, "/v1/models/linear:predict", "/predict/linear"])
def test_a_client_may_leave_at_any_moment(
    door: Door, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    door.gate.open_.set()
    data = request("POST", path, infer_json(image(1)), content_type="application/json")
    protocols = []
    for length in (1, 40, len(data) - 100, len(data)):  # in the head, in the body, after it
        for leave in (Wire.close, reset) * 2:
            wire = door.wire()
            until(lambda: len(door.protocols) == 1)
            protocols += [weakref.ref(protocol) for protocol in door.protocols]
            wire.send(data[:length])
            time.sleep(0.02)
            leave(wire)
            until(lambda: not door.protocols)
    with door.wire() as wire:
        wire.send(hot(image(1)))
        output(wire.read())
    until(lambda: gc.collect() >= 0 and all(protocol() is None for protocol in protocols))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.alone
def test_an_idle_connection_is_closed_but_not_one_that_speaks(
    bundle: Bundle, registry: Registry
) -> None:
    one = hot(image(1))
    with open_door(bundle, registry, keep_alive=1) as door:
        door.gate.open_.set()
        with door.wire() as idle, door.wire() as speaks, door.wire() as slow:
            for wire in (idle, speaks, slow):
                wire.send(one)
                output(wire.read())
            begin = time.monotonic()
            door.gate.open_.clear()
            slow.send(one)  # waits for the model for longer than that
            time.sleep(0.8)
            speaks.send(one[:30])
            assert idle.ended()
            assert 0.8 < time.monotonic() - begin < 1.6
            time.sleep(max(0, 1.2 - (time.monotonic() - begin)))
            speaks.send(one[30:])
            door.gate.open_.set()
            output(speaks.read())
            output(slow.read())


@pytest.mark.parametrize("path", [INFER, SLOW])
def test_no_connection_leaks_memory(live: Live, path: str) -> None:
    big = request("POST", path, infer_json(image(1, 200)))  # 3 MB

    def burst() -> int:
        for cut in range(200):
            wire = Wire(live.port)
            wire.send(big[: len(big) * cut // 200])
            wire.close()
        with Wire(live.port) as wire:
            wire.send(hot(image(1)))
            output(wire.read())
        return memory(live.process.pid)

    first = [burst() for _ in range(3)][-1]
    assert max(burst() for _ in range(5)) - first < 10 << 20


GARBAGE = [
    b"\x00\x01\x02\x03\r\n\r\n",
    b"hello\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTX/1.1\r\n\r\n",
    b"POST /v2/models/linear/infer HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    b"POST /v2/models/linear/infer HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    b"POST /v2/models/linear/infer HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
    b"POST /v2/models/linear/infer HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
    b"POST /v2 HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
    b"POST /v2/models/linear/infer HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"POST /v2 HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    b"GET / HTTP/1.1\r\nx-request-id: a\x01b\r\n\r\n",
    b"GET / HTTP/1.1\r\nx-request-id: a\nb: c\r\n\r\n",
    b"CONNECT example.org:443 HTTP/1.1\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\n\r\n",
    b"GET /a b HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("data", GARBAGE)
def test_garbage_is_refused(wire: Wire, data: bytes) -> None:
    wire.send(data)
    reply = wire.read()
    assert 400 <= reply.status < 500, reply.body
    assert reply.json["code"] in ("invalid_input", "not_found")
    assert reply.json["error"]


def test_a_connection_that_sends_garbage_ends(wire: Wire) -> None:
    wire.send(b"\x00\x01\x02\x03\r\n\r\n")
    assert wire.read().headers["connection"] == "close"
    assert wire.ended()


@pytest.mark.parametrize("path", [INFER, SLOW, "/v2", "/predict/linear"])
@pytest.mark.parametrize("body", ["good", "bad"])
def test_the_request_id_comes_back(wire: Wire, path: str, body: str) -> None:
    data = infer_json(image(1)) if body == "good" else b"{"
    long = "x" * 300
    for name, expected in [("abc-1", "abc-1"), ("grün", "grün"), (long, long[:200])]:
        kind = {"x_request_id": name, "content_type": "application/json"}
        wire.send(request("POST", path, data, **kind))
        assert wire.read().headers["x-request-id"] == expected
    wire.send(request("POST", path, data, x_request_id="h", numen_deadline_ms="soon"))
    assert wire.read().headers["x-request-id"] == "h"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (INFER, infer_json(image(1))),
        (SLOW, infer_json(image(1))),
        ("/v1/models/linear:predict", json.dumps({"instances": image(1).tolist()}).encode()),
        ("/predict/linear", json.dumps(image(1).tolist()).encode()),
    ],
)
def test_a_deadline_that_has_passed_is_said(wire: Wire, path: str, body: bytes) -> None:
    kind = {"content_type": "application/json"}
    wire.send(request("POST", path, body, numen_deadline_ms="0", **kind))
    reply = wire.read()
    assert (reply.status, reply.json["code"]) == (504, "deadline_exceeded")
    wire.send(request("POST", path, body, numen_deadline_ms="60000.5", **kind))
    assert wire.read().status == 200
    for wrong in ("-1", "nan", "inf", "soon", "", "1e400"):
        wire.send(request("POST", path, body, numen_deadline_ms=wrong, **kind))
        reply = wire.read()
        assert (reply.status, reply.json["field"]) == (400, "Numen-Deadline-Ms")


@pytest.mark.parametrize(
    ("parameters", "status"),
    [({"deadline_ms": 0}, 504), ({"deadline_ms": 1e5}, 200), ({"timeout": 0}, 200),
     ({"timeout": 10**9}, 200), ({"timeout": 1e-9}, 504), ({"deadline_ms": -1}, 400)],
)  # fmt: skip
def test_a_deadline_may_be_a_parameter(wire: Wire, parameters: dict, status: int) -> None:
    wire.send(request("POST", INFER, infer_json(image(1), parameters=parameters)))
    assert wire.read().status == status


def test_a_request_whose_deadline_passes_in_the_queue_is_refused(door: Door) -> None:
    with door.wire() as first, door.wire() as second:
        first.send(hot(image(1)))
        until(door.gate.entered.is_set)
        second.send(hot(image(2, 2), numen_deadline_ms="30"))
        time.sleep(0.05)
        door.gate.open_.set()
        output(first.read())
        assert second.read().json["code"] == "deadline_exceeded"
    assert door.gate.rows == [1]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (INFER, infer_json(image(1))),
        (SLOW, infer_json(image(1))),
        ("/v1/models/linear:predict", json.dumps({"instances": image(1).tolist()}).encode()),
        ("/predict/linear", json.dumps(image(1).tolist()).encode()),
    ],
)
def test_who_asks_a_version_that_is_not_open_is_told_at_the_deadline(
    door: Door, bundle: Bundle, path: str, body: bytes
) -> None:
    go = threading.Event()

    def open_() -> Opened:
        assert go.wait(20)
        return Opened("linear", "1", bundle, Ladder([Rung("fp32", door.gate, Pace({1: 1e-3}))]))

    cold = Table({"linear": {"1": Cold("linear", "1", open_)}}, {}, {"linear": "1"})
    door.call(lambda: door.service.swap(cold))
    door.gate.open_.set()
    kind = {"content_type": "application/json"}
    with door.wire() as wire:
        wire.send(request("POST", path, body, numen_deadline_ms="50", **kind))
        reply = wire.read()
        assert (reply.status, reply.json["code"]) == (504, "deadline_exceeded")
        assert not go.is_set()
        go.set()
        wire.send(request("POST", path, body, numen_deadline_ms="20000", **kind))
        assert wire.read().status == 200
        assert door.gate.rows == [1]


def both_roads() -> list[tuple[bytes, dict[str, str]]]:
    x = image(7, 3)
    body, length = infer_binary(x, "i", parameters={"binary_data_output": True})
    binary = {
        "content_type": "application/octet-stream",
        "inference_header_content_length": str(length),
    }
    return [
        (infer_json(x), {}),
        (infer_json(x, "an id"), {"content_type": "application/json; charset=utf-8"}),
        (infer_json(x), {"content_type": "application/x-www-form-urlencoded"}),
        (infer_json(x), {"content_type": "text/plain"}),
        (infer_json(x), {"content_encoding": "gzip"}),
        (infer_json(x), {"numen_deadline_ms": "0"}),
        (infer_json(x), {"numen_deadline_ms": "?"}),
        (infer_json(x, outputs=[{"name": "probabilities"}]), {}),
        (infer_json(x, outputs=[{"name": "nothing"}]), {}),
        (infer_json(x, parameters={"binary_data_output": True}), {}),
        (infer_json(image(1).reshape(1, 784)), {}),
        (infer_json(x)[:-5], {}),
        (b"", {}),
        (b"[]", {}),
        (body, binary),
        (body[:-1], binary),
        (body, {**binary, "inference_header_content_length": "99999999"}),
        (body, {**binary, "inference_header_content_length": "-1"}),
        (body[length:], {**binary, "inference_header_content_length": "0"}),
    ]


@pytest.mark.parametrize("case", range(len(both_roads())))
def test_both_roads_say_the_same(wire: Wire, case: int) -> None:
    body, headers = both_roads()[case]
    paths = [(INFER, SLOW), (INFER.replace("linear", "none"), SLOW.replace("linear", "none"))]
    for fast, slow in paths:
        replies: list[Reply] = []
        for path in (fast, slow):
            wire.send(request("POST", path, body, **headers))
            replies.append(wire.read())
        left, right = replies
        assert (left.status, left.body) == (right.status, right.body)
        for name in ("content-type", "inference-header-content-length", "connection"):
            assert left.headers.get(name) == right.headers.get(name), name


def test_a_version_or_alias_in_the_path_is_honoured(house: Live) -> None:
    x = image(1)
    with httpx.Client(base_url=house.url) as http:
        answers = {}
        for where in (
            "",
            "/versions/1",
            "/versions/2",
            "/versions/champion",
            "/versions/candidate",
        ):
            reply = http.post(f"/v2/models/linear{where}/infer", content=infer_json(x))
            answers[where] = (reply.json()["model_version"], reply.json()["outputs"][0]["data"])
        reply = http.post("/v2/models/linear/versions/3/infer", content=infer_json(x))
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert answers[""] == answers["/versions/1"] == answers["/versions/champion"]
    assert answers["/versions/2"] == answers["/versions/candidate"]
    assert (answers[""][0], answers["/versions/2"][0]) == ("1", "2")
    assert answers[""][1] != answers["/versions/2"][1]


def test_a_server_that_stops_answers_what_it_took(door: Door) -> None:
    # The door's own end: the fixture stops the server after this connection was served.
    with door.wire() as wire:
        wire.send(hot(image(1)))
        until(door.gate.entered.is_set)
        (protocol,) = door.protocols
        protocol.loop.call_soon_threadsafe(protocol.shutdown)
        time.sleep(0.05)
        door.gate.open_.set()
        reply = wire.read()
        output(reply)
        assert reply.headers["connection"] == "close"
        assert wire.ended()
        with pytest.raises((Closed, OSError)):
            wire.read()
