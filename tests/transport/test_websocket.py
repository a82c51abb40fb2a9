"""`/ws/{model}` with a client of the trade: any order, deadlines, the latest, the slow, the gone."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from wire import Door, image, infer_binary, infer_json, open_door

from numen.core.bundle import Bundle
from numen.core.errors import CorruptBundle, Unauthenticated
from numen.registry import Registry
from numen.serve.admission import Action, Admission
from numen.serve.ladder import Ladder, Pace, Rung
from numen.serve.live import Cold, Endpoint, Table
from numen.serve.opening import Opened
from parts import Live, linear_graph

DEADLINE = 10.0


@contextmanager
def opened(where: Live | Door, path: str = "/ws/linear", **how: Any) -> Iterator[ClientConnection]:
    url = where.url.replace("http", "ws", 1) + path
    with connect(url, compression=None, **how) as found:
        yield found


def binary(x: np.ndarray, id_: str | None = None, **more: Any) -> bytes:
    body, length = infer_binary(x, id_, **more)
    return struct.pack("<I", length) + body


def text(x: np.ndarray, id_: str | None = None, **more: Any) -> str:
    return infer_json(x, id_, **more).decode()


def said(frame: str | bytes) -> dict[str, Any]:
    """An answer, its only output as an array under `y`."""
    tail = b""
    if isinstance(frame, bytes):
        (length,) = struct.unpack_from("<I", frame)
        frame, tail = frame[4 : 4 + length].decode(), frame[4 + length :]
    message: dict[str, Any] = json.loads(frame)
    if "outputs" in message:
        (tensor,) = message["outputs"]
        values = np.frombuffer(tail, np.float32) if tail else np.array(tensor["data"])
        message["y"] = values.reshape(tensor["shape"])
    return message


def hear(ws: ClientConnection) -> dict[str, Any]:
    return said(ws.recv(DEADLINE))


def closed(ws: ClientConnection) -> int:
    """The code with which the server closes."""
    with pytest.raises(ConnectionClosed) as caught:
        ws.recv(DEADLINE)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def wait(true: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_many_frames_are_answered_each_with_its_own(house: Live, tmp_path: Any) -> None:
    reference = linear_graph(tmp_path / "linear.onnx")
    inputs = {f"id {n}": image(n, 1 + n % 3) for n in range(200)}
    with opened(house) as ws:
        for n, (id_, x) in enumerate(inputs.items()):
            ws.send(binary(x, id_) if n % 2 else text(x, id_))
        for _ in range(len(inputs)):
            frame = ws.recv(DEADLINE)
            answer = said(frame)
            np.testing.assert_allclose(answer["y"], reference(inputs[answer["id"]]), atol=1e-5)
            assert isinstance(frame, bytes) is (int(answer["id"].split()[1]) % 2 == 1)
            served = {"outcome": "met", "served_by": "linear@1/fp32"}
            assert answer["parameters"] == served
            del inputs[answer["id"]]
    assert not inputs


def test_each_kind_of_frame_is_answered_in_kind(house: Live) -> None:
    x = image(5)
    named = [{"name": "probabilities", "parameters": {"binary_data": False}}]
    with opened(house) as ws:
        for sent, is_binary, has_tail in (
            (text(x), False, False),
            (text(x, parameters={"binary_data_output": True}), True, True),
            (binary(x), True, True),
            (binary(x, outputs=[{"name": "probabilities"}]), True, True),
            (binary(x, parameters={"binary_data_output": False}), True, False),
            (binary(x, outputs=named), True, False),
        ):
            ws.send(sent)
            frame = ws.recv(DEADLINE)
            assert isinstance(frame, bytes) is is_binary
            if isinstance(frame, bytes):
                assert (len(frame) > 4 + struct.unpack_from("<I", frame)[0]) is has_tail
            assert said(frame)["y"].shape == (1, 10)
            assert "id" not in said(frame)


@pytest.mark.parametrize("at", ["first", "last", "odd"])
def test_an_id_is_the_callers_wherever_it_stands(house: Live, at: str) -> None:
    message = json.loads(text(image(1)))
    id_ = 'quoted " and \\ and é' if at == "odd" else "plain"
    ordered = {**message, "id": id_} if at == "last" else {"id": id_, **message}
    with opened(house) as ws:
        for _ in range(3):
            ws.send(json.dumps(ordered))
            assert hear(ws)["id"] == id_


def test_labels_are_told_to_who_sends_values_or_fields(house: Live, tmp_path: Any) -> None:
    x = image(3, 2)
    expected = linear_graph(tmp_path / "linear.onnx")(x)
    with opened(house) as ws:
        ws.send(json.dumps({"id": "a", "value": x[0].tolist()}))
        answer = hear(ws)
        assert (answer["id"], answer["model"], answer["version"]) == ("a", "linear", "1")
        assert answer["label"] == str(expected[0].argmax())
        assert answer["probability"] == pytest.approx(expected[0].max(), abs=1e-5)
        assert answer["parameters"]["served_by"] == "linear@1/fp32"
        ws.send(json.dumps({"value": x.tolist()}))
        assert [row["label"] for row in hear(ws)["rows"]] == [str(y.argmax()) for y in expected]
    with opened(house, "/ws/table") as ws:
        for fields in (
            {"age": 30, "city": "Köln", "id": "b"},
            {"id": "b", "value": {"age": 30, "city": "Köln"}},
        ):
            ws.send(json.dumps(fields))
            answer = hear(ws)
            assert (answer["id"], answer["price"]) == ("b", 70)


def test_versions_and_aliases_are_honoured(house: Live) -> None:
    answers = {}
    for where in ("", "@1", "@2", "@champion", "%40candidate"):
        with opened(house, f"/ws/linear{where}") as ws:
            ws.send(binary(image(1)))
            answer = hear(ws)
            answers[where] = (answer["model_version"], answer["y"].tolist())
    assert answers[""] == answers["@1"] == answers["@champion"]
    assert answers["@2"] == answers["%40candidate"] != answers["@1"]
    assert answers["@2"][0] == "2"


def test_who_fails_at_once_does_not_wait_for_those_before(door: Door) -> None:
    with opened(door) as ws:
        ws.send(text(image(1), "slow"))
        assert door.gate.entered.wait(DEADLINE)
        ws.send("{}")
        ws.send(text(image(1), "late", parameters={"deadline_ms": 0}))
        assert hear(ws)["code"] == "invalid_input"
        late = hear(ws)
        assert (late["id"], late["code"]) == ("late", "deadline_exceeded")
        door.gate.open_.set()
        assert hear(ws)["id"] == "slow"


def test_a_deadline_is_kept_while_others_run(door: Door) -> None:
    with opened(door) as ws:
        ws.send(text(image(1), "slow"))
        assert door.gate.entered.wait(DEADLINE)
        # The model is expected to take a second a run, of which one is under way.
        ws.send(text(image(2), "soon", parameters={"deadline_ms": 3000}))
        ws.send(json.dumps({"value": image(3)[0].tolist(), "id": "friendly",
                            "parameters": {"deadline_ms": 3100}}))  # fmt: skip
        for id_ in ("soon", "friendly"):
            answer = hear(ws)
            assert (answer["id"], answer["code"]) == (id_, "deadline_exceeded")
        door.gate.open_.set()
        assert hear(ws)["id"] == "slow"


@pytest.mark.parametrize("asked", ["in the address", "in the frame", "in binary", "as a value"])
def test_the_latest_frame_cancels_those_that_wait(door: Door, asked: str) -> None:
    with opened(door, "/ws/linear" + "?latest=1" * (asked == "in the address")) as ws:
        how: dict[str, Any] = {} if asked == "in the address" else {"parameters": {"latest": True}}
        frame: Callable[..., Any] = text
        if asked == "in binary":
            frame = binary
        elif asked == "as a value":

            def frame(x: np.ndarray, id_: str, **more: Any) -> str:
                return json.dumps({"id": id_, "value": x[0].tolist(), **more})

        ws.send(frame(image(1), "running", **how))
        assert door.gate.entered.wait(DEADLINE)
        for id_ in ("old", "older", "newest"):
            ws.send(frame(image(2), id_, **how))
        ws.send("{}")  # answered at once, so all before it was read
        assert hear(ws)["code"] == "invalid_input"
        door.gate.open_.set()
        answers = {answer["id"]: answer for answer in (hear(ws) for _ in range(4))}
    for id_ in ("old", "older"):
        assert answers[id_]["code"] == "cancelled"
        assert "newer" in answers[id_]["error"]
    assert "code" not in answers["running"]
    assert "code" not in answers["newest"]
    assert door.gate.rows == [1, 1]


def test_without_it_none_is_cancelled(door: Door) -> None:
    with opened(door, "/ws/linear?latest=0") as ws:
        ws.send(text(image(1), "a"))
        assert door.gate.entered.wait(DEADLINE)
        ws.send(text(image(2), "b", parameters={"latest": False}))
        ws.send(text(image(2), "c"))
        door.gate.open_.set()
        assert {hear(ws)["id"] for _ in range(3)} == {"a", "b", "c"}


@pytest.mark.parametrize("how", ["close", "reset"])
def test_the_work_of_a_client_that_left_is_dropped(door: Door, how: str) -> None:
    with opened(door) as ws:
        ws.send(text(image(1), "a"))
        assert door.gate.entered.wait(DEADLINE)
        for n in range(5):
            ws.send(text(image(n)))
        ws.send("{}")
        hear(ws)
        if how == "reset":
            ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            ws.socket.shutdown(socket.SHUT_RDWR)
    wait(lambda: not door.protocols)
    door.gate.open_.set()
    with opened(door) as ws:
        ws.send(text(image(1)))
        hear(ws)
    assert door.gate.rows == [1, 1]


def test_no_more_than_so_many_are_under_way(door: Door) -> None:
    with opened(door) as ws:
        ws.send(binary(image(0), "first"))
        assert door.gate.entered.wait(DEADLINE)
        for n in range(1, 200):
            ws.send(binary(image(n), str(n)))
        endpoint = door.service.find("linear")
        assert isinstance(endpoint, Endpoint)
        wait(lambda: endpoint.batcher.waiting == 63)
        time.sleep(0.2)
        assert endpoint.batcher.waiting == 63
        door.gate.open_.set()
        assert {hear(ws)["id"] for _ in range(200)} == {"first", *map(str, range(1, 200))}


def test_who_does_not_read_is_not_read_and_costs_no_memory(door: Door) -> None:
    message = b"x" * 200  # of which each answer is an error about as long
    frame = struct.pack(">BBH", 0x81, 0x80 | 126, len(message)) + bytes(4) + message
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(2)
        raw.connect(("127.0.0.1", door.port))
        raw.sendall(HANDSHAKE)
        head = b""
        while b"\r\n\r\n" not in head:
            head += raw.recv(1)
        many, sent = frame * 1000, 0
        with contextlib.suppress(TimeoutError):
            while sent < 60 << 20:
                sent += raw.send(many[sent % len(many) :])
        assert sent < 60 << 20
        (connection,) = door.protocols
        assert connection.transport.get_write_buffer_size() < 1 << 20
        wanted, left = sent // len(frame), b""
        raw.settimeout(DEADLINE)
        while wanted:
            left += raw.recv(1 << 20)
            while len(left) >= 4 and len(left) >= 4 + (size := int.from_bytes(left[2:4], "big")):
                assert left[:2] == b"\x81\x7e"
                left = left[4 + size :]
                wanted -= 1


HANDSHAKE = (
    b"GET /ws/linear HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_a_stopping_server_answers_and_says_that_it_goes(door: Door) -> None:
    with opened(door) as ws, opened(door) as idle:
        ws.send(text(image(1), "a"))
        assert door.gate.entered.wait(DEADLINE)
        door.server.should_exit = True
        assert closed(idle) == 1001
        door.gate.open_.set()
        assert hear(ws)["id"] == "a"
        assert closed(ws) == 1001


def test_a_model_that_moves_is_honoured_by_the_next_frame(door: Door, bundle: Bundle) -> None:
    door.gate.open_.set()
    first = door.service.find("linear")

    def swap() -> None:
        ladder = Ladder([Rung("fp32", door.gate, Pace({1: 1.0}))])
        second = door.service.admit(Opened("linear", "2", bundle, ladder))
        door.service.swap(Table({"linear": {"1": first, "2": second}}, {}, {"linear": "2"}))

    with opened(door) as ws:
        ws.send(text(image(1)))
        assert hear(ws)["model_version"] == "1"
        door.call(swap)
        ws.send(text(image(1)))
        assert hear(ws)["model_version"] == "2"
        door.call(lambda: door.service.swap(Table()))
        ws.send(text(image(1), "gone"))
        answer = hear(ws)
        assert (answer["id"], answer["code"]) == ("gone", "not_found")


def test_a_version_that_is_not_open_is_opened_for_its_frames(door: Door, bundle: Bundle) -> None:
    door.gate.open_.set()
    begun, go = threading.Event(), threading.Event()
    opened_times = []

    def open_() -> Opened:
        opened_times.append(1)
        begun.set()
        assert go.wait(DEADLINE)
        if len(opened_times) == 1:
            raise CorruptBundle("bytes are not what they were")
        ladder = Ladder([Rung("fp32", door.gate, Pace({1: 1.0}))])
        return Opened("linear", "2", bundle, ladder)

    first = door.service.find("linear")
    cold = Cold("linear", "2", open_)
    table = Table({"linear": {"1": first, "2": cold}}, {"linear": {"next": "2"}}, {"linear": "1"})
    door.call(lambda: door.service.swap(table))
    with opened(door, "/ws/linear@next?latest=1") as ws:
        ws.send(text(image(1), "a"))
        assert begun.wait(DEADLINE)
        ws.send(text(image(1), "b"))
        answer = hear(ws)  # it need not wait to be told
        assert (answer["id"], answer["code"]) == ("a", "cancelled")
        go.set()
        answer = hear(ws)
        assert (answer["id"], answer["code"]) == ("b", "corrupt_bundle")
        ws.send(text(image(1), "c"))
        answer = hear(ws)
        assert (answer["id"], answer["model_version"]) == ("c", "2")
    assert len(opened_times) == 2


def test_who_left_before_a_version_was_open_is_dropped(door: Door, bundle: Bundle) -> None:
    door.gate.open_.set()
    begun, go = threading.Event(), threading.Event()

    def open_() -> Opened:
        begun.set()
        assert go.wait(DEADLINE)
        ladder = Ladder([Rung("fp32", door.gate, Pace({1: 1.0}))])
        return Opened("linear", "1", bundle, ladder)

    table = Table({"linear": {"1": Cold("linear", "1", open_)}}, {}, {"linear": "1"})
    door.call(lambda: door.service.swap(table))
    with opened(door) as ws:
        ws.send(text(image(1, 2)))
        assert begun.wait(DEADLINE)
    wait(lambda: not door.protocols)
    go.set()
    with opened(door) as ws:
        ws.send(text(image(1)))
        hear(ws)
    assert door.gate.rows == [1]


def test_a_silent_client_is_ended_and_a_living_one_is_not(
    bundle: Bundle, registry: Registry
) -> None:
    with open_door(bundle, registry, ping=0.25) as door, opened(door) as living:
        with door.wire() as silent:
            silent.send(HANDSHAKE)
            assert silent.read("GET").status == 101
            heard = b""
            while data := silent.socket.recv(1000):
                heard += data
        assert heard.startswith(b"\x89\x05numen")  # a ping
        assert b"\x88\x11\x03\xf3no sign of life" in heard  # closed with 1011
        time.sleep(1)
        living.send("{}")
        assert hear(living)["code"] == "invalid_input"


class Keys(Admission):
    """Lets the key `nm_good` call `linear`."""

    open = False

    def check(self, credential: bytes, model: str, action: Action) -> None:
        if credential != b"nm_good" or action != "predict":
            raise Unauthenticated("no key that is known")


def status(where: Live | Door, path: str, **how: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught, opened(where, path, **how):
        pass
    response = caught.value.response
    assert response.headers["content-type"] == "application/json"
    return response.status_code, json.loads(bytes(response.body))["code"]


def test_a_key_comes_as_a_header_or_as_a_subprotocol(door: Door) -> None:
    door.service.admission = Keys()
    door.gate.open_.set()
    for how in (
        {"additional_headers": {"Authorization": "Bearer nm_good"}},
        {"additional_headers": {"X-API-Key": "nm_good"}},
        {"subprotocols": ["numen.v1", "numen.key.nm_good"], "origin": "http://a.page.elsewhere"},
    ):
        with opened(door, **how) as ws:
            assert ws.subprotocol == ("numen.v1" if "subprotocols" in how else None)
            ws.send(text(image(1)))
            assert hear(ws)["y"].shape == (1, 10)
    for how in (
        {},
        {"additional_headers": {"X-API-Key": "nm_bad"}},
        {"subprotocols": ["numen.v1", "numen.key.nm_bad"]},
    ):
        assert status(door, "/ws/linear", **how) == (401, "unauthenticated")
    assert status(door, "/ws/linear?key=nm_good") == (401, "unauthenticated")
    # Frames are asked for the key as well, so one that is taken back ends.
    with opened(door, additional_headers={"X-API-Key": "nm_good"}) as ws:
        door.service.admission.check = lambda *_: Keys().check(b"", "", "predict")  # type: ignore[method-assign]
        ws.send(text(image(1), "a"))
        assert hear(ws)["code"] == "unauthenticated"


@pytest.mark.parametrize("path", ["/ws/linear", "/graphql"])
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1.evil.example", "http://evil.example:8000",
     "https://localhost.evil.example", "file://", "http://[", "127.0.0.1"],
)  # fmt: skip
def test_a_page_from_elsewhere_may_not_open_one(house: Live, path: str, origin: str) -> None:
    assert status(house, path, origin=origin) == (403, "forbidden")


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "http://localhost:5173", "http://[::1]"])
def test_a_page_of_this_machine_may(house: Live, origin: str) -> None:
    with opened(house, origin=origin) as ws:
        ws.send(text(image(1)))
        assert hear(ws)["y"].shape == (1, 10)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/ws/none", (404, "not_found")),
        ("/ws/linear@9", (404, "not_found")),
        ("/ws/linear@none", (404, "not_found")),
        ("/ws/", (400, "invalid_input")),
        ("/ws/LINEAR", (400, "invalid_input")),
        ("/ws/linear/more", (400, "invalid_input")),
        ("/ws/%ff", (400, "invalid_input")),
        ("/ws/linear?latest=yes", (400, "invalid_input")),
    ],
)
def test_what_is_not_there_is_refused_before_it_opens(
    house: Live, path: str, expected: tuple[int, str]
) -> None:
    assert status(house, path) == expected
