"""The fast door: many requests on one connection, answered in their order."""

from __future__ import annotations

import json
import random
import re
import select
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest
from wire import Reply, Wire, hot, image, infer_binary, memory, output, request

from parts import Live, linear_graph


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[np.ndarray], np.ndarray]:
    return linear_graph(tmp_path_factory.mktemp("graph") / "linear.onnx")


@pytest.fixture
def wire(live: Live) -> Iterator[Wire]:
    with Wire(live.port) as found:
        yield found


def slow(kind: int) -> tuple[bytes, str]:
    """A request that goes by the app, and what its answer contains."""
    return [
        (request("GET", "/v2"), '"name":"numen"'),
        (request("GET", "/v2/models/linear"), '"platform"'),
        (request("POST", "/v1/models/linear:predict", b"{}"), '"instances"'),
        (request("GET", "/nothing/here"), "not_found"),
    ][kind % 4]


class Mix:
    """Requests on either road, and the check of each one's answer."""

    def __init__(self, reference: Callable[[np.ndarray], np.ndarray], plan: str):
        self.parts: list[bytes] = []
        self.checks: list[Callable[[Reply], None]] = []
        for number, kind in enumerate(plan):
            if kind == "s":
                part, has = slow(number)
                self.checks.append(lambda reply, has=has: self._slow(reply, has))
            else:
                x = image(number, 1 + number % 3)
                part = hot(x, f"n{number}", binary=kind == "b", x_request_id=f"r{number}")
                self.checks.append(lambda reply, x=x, n=number: self._hot(reply, reference(x), n))
            self.parts.append(part)

    @staticmethod
    def _slow(reply: Reply, has: str) -> None:
        assert has in reply.body.decode()

    @staticmethod
    def _hot(reply: Reply, expected: np.ndarray, number: int) -> None:
        np.testing.assert_allclose(output(reply), expected, atol=1e-5)
        assert f'"id":"n{number}"'.encode() in reply.body
        assert reply.headers["x-request-id"] == f"r{number}"

    def read(self, wire: Wire) -> None:
        for check in self.checks:
            check(wire.read())


PLANS = [
    "jj", "bb", "js", "sj", "ss", "jsj", "sjs", "bsb", "jsjsjsjs", "jjjjs", "sjjjj", "ssssj",
    "jb" * 25, "js" * 25, "sj" * 25, "jjs" * 17, "bss" * 17, "b" * 50, "s" * 50,
    *("".join(random.Random(seed).choices("jbs", k=50)) for seed in range(6)),
]  # fmt: skip


@pytest.mark.parametrize("plan", PLANS)
def test_answers_come_in_order(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray], plan: str
) -> None:
    mix = Mix(reference, plan)
    wire.send(*mix.parts)
    mix.read(wire)


@pytest.mark.parametrize("size", [1, 7, 61, 1021, 4099, 65_521])
def test_answers_come_in_order_however_the_bytes_are_cut(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray], size: int
) -> None:
    mix = Mix(reference, "jsbj" if size < 50 else "".join(random.Random(size).choices("jbs", k=50)))
    data = b"".join(mix.parts)
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The answers are read meanwhile, or two full pipes would wait for one another.
    for at in range(0, len(data), size):
        wire.send(data[at : at + size])
        if select.select([wire.socket], [], [], 0)[0]:
            wire.left += wire.socket.recv(1 << 20)
    mix.read(wire)


def test_a_slow_request_whose_body_is_late_is_answered(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    body = b'{"instances": 1}'
    late = request("POST", "/v1/models/linear:predict", body)
    mix = Mix(reference, "jbj")
    wire.send(*mix.parts, late[: -len(body)])
    mix.read(wire)
    time.sleep(0.05)
    wire.send(body, *mix.parts)
    assert "instances" in wire.read().json["error"]
    mix.read(wire)


def test_a_connection_serves_many_requests_one_after_another(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    for _ in range(10):
        mix = Mix(reference, "jbs")
        for part, check in zip(mix.parts, mix.checks, strict=True):
            wire.send(part)
            check(wire.read())


def test_what_follows_good_requests_is_refused_after_their_answers(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    mix = Mix(reference, "jbj")
    wire.send(*mix.parts, b"\x00\x01 this is not HTTP\r\n\r\n")
    mix.read(wire)
    reply = wire.read()
    assert (reply.status, reply.json["code"]) == (400, "invalid_input")
    assert wire.ended()


def test_a_broken_body_after_good_requests_is_refused_after_their_answers(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    mix = Mix(reference, "jb")
    bad = request("POST", "/v2/models/linear/infer", b"", transfer_encoding="chunked")
    wire.send(*mix.parts, bad, b"zz\r\nnot a chunk\r\n")
    mix.read(wire)
    reply = wire.read()
    assert (reply.status, reply.json["code"]) == (400, "invalid_input")
    assert wire.ended()


def test_garbage_after_a_slow_request_does_not_take_its_answer(wire: Wire) -> None:
    wire.send(request("GET", "/v2"), b"\x00\x01 this is not HTTP\r\n\r\n")
    assert wire.read().json["name"] == "numen"
    assert wire.ended()


def test_nothing_after_connection_close_is_answered(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    x = image(3)
    wire.send(hot(x), hot(x, connection="close"), hot(x), request("GET", "/v2"))
    np.testing.assert_allclose(output(wire.read()), reference(x), atol=1e-5)
    assert wire.read().headers["connection"] == "close"
    assert wire.ended()


@pytest.mark.parametrize("kind", ["hot", "bad", "slow"])
def test_a_client_that_does_not_read_is_not_read_from(live: Live, kind: str) -> None:
    x = image(1, 1)
    one = {
        "hot": hot(image(1, 40), binary=True),
        "bad": request("POST", "/v2/models/linear/infer", b"{"),
        "slow": request("GET", "/openapi.json"),
    }[kind]
    many = one * (1 + (1 << 20) // len(one))
    with Wire(live.port) as healthy:
        healthy.send(hot(x))
        output(healthy.read())
        before = memory(live.process.pid)
        with Wire(live.port) as stuck:
            stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.socket.setblocking(False)
            sent = 0
            end = time.monotonic() + 3
            while time.monotonic() < end and sent < 400 << 20:
                if select.select([], [stuck.socket], [], 0.2)[1]:
                    sent += stuck.socket.send(many)
                else:
                    break
            healthy.send(hot(x))
            output(healthy.read())  # others are served meanwhile
            assert memory(live.process.pid) - before < 40 << 20
            assert sent < 300 << 20, "the server never stopped reading"


@pytest.mark.parametrize("road", ["fast", "both"])
def test_a_client_that_reads_late_gets_everything(house: Live, road: str) -> None:
    # More answers than all buffers on the way hold, so the server must wait, and then go on.
    path = "/v2/models/log/infer"
    count, padding = 2500, "x" * 8000
    paths = {"fast": [path], "both": [path, f"{path}?a", path]}[road]
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 1]}
    data = b"".join(
        request("POST", paths[n % len(paths)],
                json.dumps({"id": f"{n}-{padding}", "inputs": [tensor]}).encode())
        for n in range(count)
    )  # fmt: skip
    left = memoryview(data)
    with Wire(house.port) as wire:
        wire.socket.setblocking(False)
        while left and select.select([], [wire.socket], [], 0.3)[1]:
            left = left[wire.socket.send(left[: 1 << 18]) :]
        assert left, "the server read everything, though nobody took its answers"
        got: list[bytes] = []
        last = b'"id":"%d-' % (count - 1)
        while left or last not in b"".join(got[-2:]):
            wants = [wire.socket] if left else []
            readable, writable, _ = select.select([wire.socket], wants, [], 10)
            assert readable or writable, "the server stopped"
            if readable:
                got.append(wire.socket.recv(1 << 20))
            if writable:
                left = left[wire.socket.send(left[: 1 << 18]) :]
    # The rest of the last answer may be on its way still; its id is not.
    ids = re.findall(rb'"id":"(\d+)-', b"".join(got))
    assert ids == [b"%d" % n for n in range(count)]


def test_a_binary_request_may_arrive_byte_by_byte(
    wire: Wire, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    x = image(4)
    body, length = infer_binary(x)
    head = request(
        "POST", "/v2/models/linear/infer", content_length=str(len(body)),
        inference_header_content_length=str(length), content_type="application/octet-stream",
    )  # fmt: skip
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(head)):
        wire.send(head[at : at + 1])
    wire.send(body[: length - 3])
    wire.send(body[length - 3 :])
    np.testing.assert_allclose(output(wire.read()), reference(x), atol=1e-5)


def test_what_comes_after_the_last_request_is_not_run(live: Live) -> None:
    def runs() -> int:
        reply = httpx.get(f"{live.url}/v2/models/linear/stats").json()
        return reply["model_stats"][0]["inference_count"]

    before = runs()
    with Wire(live.port) as wire:
        wire.send(hot(image(1), "last", connection="close"), hot(image(2), "late"))
        assert wire.read().json["id"] == "last"
        assert wire.ended()
    assert runs() == before + 1
